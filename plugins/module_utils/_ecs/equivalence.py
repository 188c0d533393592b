# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When two task definitions are the same, and in what they differ (facts.md B.5).

Private to wwhd.qdrant_ops. Pure functions over definitions in camelCase, as RegisterTaskDefinition takes them and
DescribeTaskDefinition gives them.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

__all__ = ["READ_ONLY", "comparable", "differences", "masked"]

# What ECS adds by itself; a definition that was read from AWS can be given back as it is.
READ_ONLY = frozenset(
    {
        "taskDefinitionArn",
        "revision",
        "status",
        "requiresAttributes",
        "compatibilities",
        "registeredAt",
        "registeredBy",
        "deregisteredAt",
        "deleteRequestedAt",
    }
)

# Lists whose order means nothing, and what tells their entries apart. command, entryPoint and environmentFiles (where
# the first one wins) are not among them, on purpose.
_KEYED: Mapping[str, tuple[str, ...]] = {
    "containerDefinitions": ("name",),
    "environment": ("name",),
    "secrets": ("name",),
    "secretOptions": ("name",),
    "mountPoints": ("containerPath",),
    "volumesFrom": ("sourceContainer",),
    "portMappings": ("containerPort", "containerPortRange", "protocol"),
    "volumes": ("name",),
    "dependsOn": ("containerName",),
    "ulimits": ("name",),
    "systemControls": ("namespace",),
    "resourceRequirements": ("type",),
    "extraHosts": ("hostname", "ipAddress"),
    "placementConstraints": ("type", "expression"),
}
_SETS = frozenset({"requiresCompatibilities"})
# Every other boolean of a definition is false where it is left out.
_FALSE_MATTERS = frozenset({"essential", "enabled"})
_UNIT = re.compile(r"^\s*(\d*\.?\d+)\s*(vcpus?|gb)?\s*$", re.IGNORECASE)
# What is kept under these names is never shown: the values of variables, and what mounts a share with a password.
_SECRET = frozenset({"environment", "driverOpts"})
_HIDDEN = "(hidden)"
_HIDDEN_CHANGED = "(hidden, changed)"
_SHOWN = 60


def comparable(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition with ECS's defaults filled in and order-free lists keyed; equal for equivalent definitions."""
    whole = {key: copy.deepcopy(value) for key, value in definition.items() if key not in READ_ONLY | {"tags"}}
    _fill_defaults(whole)
    result: dict[str, Any] = _reduced(whole)
    return result


def _fill_defaults(whole: dict[str, Any]) -> None:
    for member in ("cpu", "memory"):
        if member in whole:
            whole[member] = _units(str(whole[member]))
    whole.setdefault("networkMode", "bridge")
    whole.setdefault("versionConsistency", "enabled")
    if "FARGATE" in whole.get("requiresCompatibilities", []) or whole.get("runtimePlatform"):
        platform = whole.setdefault("runtimePlatform", {})
        platform.setdefault("operatingSystemFamily", "LINUX")
        platform.setdefault("cpuArchitecture", "X86_64")
    for volume in whole.get("volumes", []):
        efs = volume.get("efsVolumeConfiguration")
        if efs:
            efs["rootDirectory"] = efs.get("rootDirectory") or "/"
            efs.setdefault("transitEncryption", "DISABLED")
            efs.setdefault("authorizationConfig", {}).setdefault("iam", "DISABLED")
    # In awsvpc and host mode a port of the container is that same port outside.
    same_ports = whole["networkMode"] in ("awsvpc", "host")
    for container in whole.get("containerDefinitions", []):
        _fill_container_defaults(container, same_ports=same_ports)


def _fill_container_defaults(container: dict[str, Any], *, same_ports: bool) -> None:
    container.setdefault("cpu", 0)
    container.setdefault("essential", True)
    for mapping in container.get("portMappings", []):
        mapping.setdefault("protocol", "tcp")
        if "containerPort" in mapping:
            mapping.setdefault("hostPort", mapping["containerPort"] if same_ports else 0)
    check = container.get("healthCheck")
    if check:
        for member, default in (("interval", 30), ("timeout", 5), ("retries", 3), ("startPeriod", 0)):
            check.setdefault(member, default)
    policy = container.get("restartPolicy")
    if policy:
        policy.setdefault("restartAttemptPeriod", 300)


def _units(text: str) -> str:
    """`.25 vCPU` is 256 and `1GB` is 1024: ECS gives integers back."""
    found = _UNIT.match(text)
    if not found:
        return text
    number, unit = found.groups()
    return str(int(float(number) * 1024)) if unit else number


def _reduced(value: Any, name: str = "") -> Any:
    """Without what means the same as nothing; keyed lists become dictionaries, sets are sorted."""
    if isinstance(value, Mapping):
        inner = {key: _reduced(item, key) for key, item in value.items()}
        return {
            key: item
            for key, item in inner.items()
            if item is not None and item not in ([], {}) and not (item is False and key not in _FALSE_MATTERS)
        }
    if not isinstance(value, (list, tuple)):
        return value
    if name in _SETS:
        return sorted(str(item) for item in value)
    if name in _KEYED and all(isinstance(item, Mapping) for item in value):
        return _keyed([_reduced(item) for item in value], _KEYED[name])
    return [_reduced(item) for item in value]


def _keyed(items: list[dict[str, Any]], members: tuple[str, ...]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for item in items:
        name = "/".join(str(item[member]) for member in members if member in item)
        # A name that comes twice keeps both entries: neither may hide a change of the other.
        unique = next(label for label in _numbered(name) if label not in result)
        result[unique] = item
    return result


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 1
    while True:
        number += 1
        yield f"{name}#{number}"


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What differs between two definitions, each in a few words: `containerDefinitions[cleaner].command[2] differs`.

    Short values are shown; those that may be secrets never are: environment variables, and the options of volume
    drivers and of log drivers other than awslogs.
    """
    return list(_compare(comparable(before), comparable(after), path="", hidden=False))


def _compare(before: Any, after: Any, *, path: str, hidden: bool) -> Iterator[str]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        last = path.rsplit(".", 1)[-1]
        label: Callable[[str], str] = (
            (lambda key: f"{path}[{key}]") if last in _KEYED else (lambda key: f"{path}.{key}" if path else key)
        )
        for key in [*before, *(key for key in after if key not in before)]:
            concealed = hidden or _may_be_secret(key, before, after)
            yield from _compare_member(before, after, key, path=label(key), hidden=concealed)
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            here = f"{path}[{index}]"
            if index >= len(before):
                yield f"{here} is new{_value(after[index], hidden=hidden)}"
            elif index >= len(after):
                yield f"{here} is gone{_value(before[index], hidden=hidden)}"
            else:
                yield from _compare(before[index], after[index], path=here, hidden=hidden)
    elif before != after or isinstance(before, bool) != isinstance(after, bool):
        yield f"{path} differs{_shown(before, after, hidden=hidden)}"


def _compare_member(
    before: Mapping[str, Any], after: Mapping[str, Any], key: str, *, path: str, hidden: bool
) -> Iterator[str]:
    empty = [member for member in (before.get(key), after.get(key)) if isinstance(member, Mapping)]
    if key in before and key in after:
        yield from _compare(before[key], after[key], path=path, hidden=hidden)
    elif key in _KEYED and empty:
        # A whole list that came or went is told entry by entry.
        yield from _compare(before.get(key, {}), after.get(key, {}), path=path, hidden=hidden)
    elif key in before:
        yield f"{path} is gone{_value(before[key], hidden=hidden)}"
    else:
        yield f"{path} is new{_value(after[key], hidden=hidden)}"


def _may_be_secret(key: str, *holders: Mapping[str, Any]) -> bool:
    """Whether the values of this member are for nobody's eyes; `holders` are what has it, before and after."""
    foreign = any(holder.get("logDriver", "awslogs") != "awslogs" for holder in holders)
    return key in _SECRET or (key == "options" and foreign)


def _value(value: Any, *, hidden: bool) -> str:
    """What is told of a value that came or went: a short one is."""
    text = str(value)
    if hidden or isinstance(value, (Mapping, list)) or len(text) > _SHOWN or "\n" in text:
        return ""
    return f": {text}"


def _shown(before: Any, after: Any, *, hidden: bool) -> str:
    if hidden:
        return ""
    texts = [str(before), str(after)]
    where = ""
    if any("\n" in text for text in texts):
        # Of a script that is part of a command, the first line that is another one.
        lines = list(zip_longest(*(text.split("\n") for text in texts), fillvalue=""))
        number = next((index for index, (one, other) in enumerate(lines) if one != other), len(lines) - 1)
        texts = [line.strip() for line in lines[number]]
        where = f" from line {number + 1} on"
    return where if any(len(text) > _SHOWN for text in texts) else f"{where}: {texts[0]} → {texts[1]}"


def masked(definition: Mapping[str, Any], *, against: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A copy for people's eyes, keyed for a stable diff, with none of the values that may be secrets.

    With `against`, a hidden value that is another one there says so, that the diff shows the change.
    """
    result: dict[str, Any] = _masked(comparable(definition), comparable(against) if against else None, hidden=False)
    return result


def _masked(value: Any, other: Any, *, hidden: bool) -> Any:
    if isinstance(value, Mapping):
        known = other if isinstance(other, Mapping) else {}
        return {
            # The name of a variable stands beside its value, and is no secret.
            key: item
            if hidden and key == "name"
            else _masked(item, known.get(key), hidden=hidden or _may_be_secret(key, value))
            for key, item in value.items()
        }
    if isinstance(value, list):
        others = other if isinstance(other, list) else []
        return [_masked(item, same, hidden=hidden) for item, same in zip_longest(value, others[: len(value)])]
    if not hidden:
        return value
    return _HIDDEN if other is None or other == value else _HIDDEN_CHANGED
