# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user wrote in YAML, as the parameters of an AWS call, by botocore's own model of that call.

Private to wwhd.qdrant_ops. Shapes are botocore's (`type_name`, `members`, `member`, `value`, `required_members`).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws

__all__ = ["conform", "input_shape", "joined", "nearest"]

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


def input_shape(aws: Aws, operation: str, *members: str) -> Any:
    """The shape of an ECS operation's input, or of a member deeper inside it. Makes no call."""
    shape = aws.client("ecs").meta.service_model.operation_model(operation).input_shape
    for member in members:
        shape = shape.members[member]
    return shape


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    by_plain = {_plain(candidate): candidate for candidate in known}
    found = difflib.get_close_matches(_plain(name), list(by_plain), n=1, cutoff=0.6)
    return by_plain[found[0]] if found else None


def joined(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").casefold()


def conform(value: Any, shape: Any, *, path: str) -> tuple[Any, list[str]]:
    """(the value as AWS wants it, what is wrong with it in sentences). Copies, never mutates.

    Keys of structures may be in camelCase or snake_case; keys of maps (log options, labels) are the user's own and
    stay. Scalars take the type that the model has, since YAML and Jinja make 256 of "256" and the reverse. A null is
    an option left out.
    """
    kind = shape.type_name
    if kind == "structure":
        return _structure(value, shape, path)
    if kind == "list":
        return _list(value, shape, path)
    if kind == "map":
        return _map(value, path)
    return _scalar(value, kind, path)


def _structure(value: Any, shape: Any, path: str) -> tuple[Any, list[str]]:
    if not isinstance(value, Mapping):
        return None, [f"{path} must be a dictionary, not {_kind_of(value)}"]
    by_plain = {_plain(member): member for member in shape.members}
    result: dict[str, Any] = {}
    problems: list[str] = []
    for key, inner in value.items():
        name = str(key)
        member = name if name in shape.members else by_plain.get(_plain(name)) if name == name.lower() else None
        if member is None:
            guess = nearest(name, shape.members)
            hint = f"did you mean {guess}?" if guess else f"allowed: {joined(shape.members)}"
            problems.append(f"{path}.{name} is not known to ECS ({hint})")
        elif member in result:
            problems.append(f"{path}.{name} gives {member} a second time")
        elif inner is not None:
            result[member], inner_problems = conform(inner, shape.members[member], path=f"{path}.{name}")
            problems += inner_problems
    for member in shape.required_members:
        if member not in result:
            problems.append(f"{path}.{member} is missing")
    return result, problems


def _list(value: Any, shape: Any, path: str) -> tuple[Any, list[str]]:
    if not isinstance(value, (list, tuple)):
        return None, [f"{path} must be a list, not {_kind_of(value)}"]
    pairs = [conform(item, shape.member, path=f"{path}[{index}]") for index, item in enumerate(value)]
    return [item for item, _problems in pairs], [problem for _item, problems in pairs for problem in problems]


def _map(value: Any, path: str) -> tuple[Any, list[str]]:
    if not isinstance(value, Mapping):
        return None, [f"{path} must be a dictionary, not {_kind_of(value)}"]
    nested = [f"{path}.{key} must be a text" for key, item in value.items() if isinstance(item, (Mapping, list, tuple))]
    return {str(key): _text(item) for key, item in value.items() if item is not None}, nested


def _scalar(value: Any, kind: str, path: str) -> tuple[Any, list[str]]:
    if not isinstance(value, (Mapping, list, tuple)) and value is not None:
        try:
            reader: Callable[[Any], Any] = _READERS.get(kind, _text)
            return reader(value), []
        except ValueError:
            pass
    return None, [f"{path} must be {_WORD.get(kind, 'a text')}, not {_kind_of(value)}"]


def _whole_number(value: Any) -> int:
    if isinstance(value, bool):
        raise ValueError(value)
    return int(str(value).strip())


def _boolean(value: Any) -> bool:
    word = str(value).strip().casefold()
    if word not in _TRUE | _FALSE:
        raise ValueError(value)
    return word in _TRUE


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "integer": _whole_number,
    "long": _whole_number,
    "float": float,
    "double": float,
    "boolean": _boolean,
}
_WORD = {
    "integer": "a whole number",
    "long": "a whole number",
    "float": "a number",
    "double": "a number",
    "boolean": "true or false",
}


def _kind_of(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, Mapping):
        return "a dictionary"
    return "a list" if isinstance(value, (list, tuple)) else f"the value {value!r}"
