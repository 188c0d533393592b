# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of values: of what a path leads to in parsed JSON, and of headers by name.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.paths import Found, Path, find, parse_path
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.words import one_line

__all__ = ["Expectation", "check_pattern", "parse_expectations", "parse_header_expectations"]


def _same(left: Any, right: Any) -> bool:
    """Equality as JSON has it: true is not 1, though 1 is 1.0."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(_same(one, other) for one, other in zip(left, right))
    return bool(left == right)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _contains(value: Any, wanted: Any) -> bool:
    if isinstance(value, list):
        return any(_same(item, wanted) for item in value)
    if isinstance(value, dict):
        return wanted in value if isinstance(wanted, str) else False
    return isinstance(value, str) and _as_text(wanted) in value


def _matches(value: Any, pattern: str) -> bool:
    return re.search(pattern, _as_text(value)) is not None


def _has_length(value: Any, tests: Mapping[str, Any]) -> bool:
    return isinstance(value, (str, list, dict)) and all(_TESTS[name][1](len(value), tests[name]) for name in tests)


# Each test: how it reads before the operand, and whether a value that is there passes. `exists` is apart: it alone
# can pass for a value that is absent.
_TESTS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "equals": ("=", _same),
    "not_equals": ("!=", lambda value, wanted: not _same(value, wanted)),
    "one_of": ("one of", lambda value, wanted: any(_same(value, one) for one in wanted)),
    "at_least": (">=", lambda value, wanted: _is_number(value) and value >= wanted),
    "at_most": ("<=", lambda value, wanted: _is_number(value) and value <= wanted),
    "matches": ("matching", _matches),
    "not_matches": ("not matching", lambda value, wanted: not _matches(value, wanted)),
    "contains": ("containing", _contains),
    "not_contains": ("not containing", lambda value, wanted: not _contains(value, wanted)),
    "length": ("of length", _has_length),
}
_TEST_NAMES = (*_TESTS, "exists")
_OF_NUMBERS = ("equals", "at_least", "at_most")


@dataclass(frozen=True)
class Expectation:
    """What must hold of each value that one path leads to: `tests` by name, all of which must pass.

    `of_text` is for headers, whose numbers are text: at_least and at_most read them.
    """

    text: str
    path: Path
    tests: Mapping[str, Any]
    of_text: bool = False

    def __str__(self) -> str:
        return " and ".join(self._words(name, operand) for name, operand in self.tests.items())

    def _words(self, name: str, operand: Any) -> str:
        if name == "exists":
            return f"{self.text} {'present' if operand else 'absent'}"
        if name == "length":
            return " and ".join(
                f"{self.text} of length {_TESTS[test][0]} {json.dumps(value)}" for test, value in operand.items()
            )
        return f"{self.text} {_TESTS[name][0]} {json.dumps(operand, ensure_ascii=False)}"

    def failure(self, document: Any) -> str | None:
        """Why the document does not meet it, as `status = "starting"`; None if it does."""
        for found in find(document, self.path, self.text):
            if not all(self._passes(found, name, operand) for name, operand in self.tests.items()):
                shown = one_line(json.dumps(found.value, ensure_ascii=False), limit=80)
                return f"{found.text} = {shown}" if found.there else f"no {found.text}"
        return None

    def _passes(self, found: Found, name: str, operand: Any) -> bool:
        if name == "exists":
            return found.there is operand
        value = _number_in(found.value) if self.of_text and name in ("at_least", "at_most") else found.value
        return found.there and _TESTS[name][1](value, operand)


def _number_in(text: Any) -> Any:
    try:
        return float(text)
    except (TypeError, ValueError):
        return text


# --- Reading them from options ---------------------------------------------------------------------------------------


def parse_expectations(wanted: Mapping[str, Any], *, option: str = "json") -> tuple[Expectation, ...]:
    """Path to value, or to a mapping of tests. Raises OperationFailed for what can't be tested, naming the option."""
    return tuple(
        Expectation(str(path), parse_path(str(path), option=option), _parse_tests(str(path), value, option))
        for path, value in wanted.items()
    )


def parse_header_expectations(wanted: Mapping[str, Any], *, option: str) -> tuple[Expectation, ...]:
    """Header name, in any case, to value or tests. Raises OperationFailed for what can't be tested."""
    return tuple(
        Expectation(str(name), (str(name).lower(),), _as_texts(_parse_tests(str(name), value, option)), of_text=True)
        for name, value in wanted.items()
    )


def _as_texts(tests: Mapping[str, Any]) -> dict[str, Any]:
    """The operands that a header's text is compared with, as text too: 5 is "5" there."""
    changed: dict[str, Any] = {name: _as_text(tests[name]) for name in ("equals", "not_equals") if name in tests}
    if "one_of" in tests:
        changed["one_of"] = [_as_text(one) for one in tests["one_of"]]
    return {**tests, **changed}


def _parse_tests(path: str, value: Any, option: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {"equals": value}
    return _check_tests(path, value, option, _TEST_NAMES)


def _check_tests(path: str, value: Mapping[str, Any], option: str, known: Sequence[str]) -> dict[str, Any]:
    unknown = [name for name in value if name not in known]
    if unknown or not value:
        also = " (and equals to compare with a mapping)" if "exists" in known else ""
        raise OperationFailed(
            f"{option}: {path!r} has {f'the test {unknown[0]!r}' if unknown else 'no test'}: "
            f"use {', '.join(known[:-1])} or {known[-1]}{also}."
        )
    return {name: _check_operand(path, name, operand, option) for name, operand in value.items()}


def _check_operand(path: str, name: str, operand: Any, option: str) -> Any:
    given = f"{option}: {path!r} has {name}: {operand!r}"
    if name in ("at_least", "at_most") and not (_is_number(operand) and math.isfinite(operand)):
        raise OperationFailed(f"{given}, which is not a number: give a number.")
    if name in ("matches", "not_matches"):
        check_pattern(operand, given=given)
    if name == "one_of" and not (isinstance(operand, list) and operand):
        raise OperationFailed(f"{given}: give a list of values.")
    if name == "exists" and not isinstance(operand, bool):
        raise OperationFailed(f"{given}: give true or false.")
    if name == "length":
        tests = operand if isinstance(operand, dict) else {"equals": operand}
        if not all(isinstance(wanted, int) and _is_number(wanted) and wanted >= 0 for wanted in tests.values()):
            raise OperationFailed(f"{given}: give a whole number from 0 up, or {', '.join(_OF_NUMBERS)} with such.")
        return _check_tests(f"{path}: length", tests, option, _OF_NUMBERS)
    return operand


def check_pattern(pattern: Any, *, given: str) -> None:
    """Refuse what is no regular expression. `given` names option and value. Raises OperationFailed."""
    try:
        re.compile(pattern)
    except (re.error, TypeError) as error:
        raise OperationFailed(f"{given}, which is not a regular expression ({error}): correct it.") from error
