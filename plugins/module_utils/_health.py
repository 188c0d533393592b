# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an HTTP address is healthy, several times in a row: what is wanted, how an answer is judged, the wait.

Private to wwhd.qdrant_ops. Only `wait_for_health` acts; the rest is pure.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http import (
    Answer,
    Request,
    Transport,
    advice,
    check_header,
    check_seconds,
    check_url,
    fetch,
    mask,
    one_line,
    seconds,
    tally,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock, Pace, TimedOut, WaitEnded, poll

__all__ = [
    "Expectation",
    "Rules",
    "Wanted",
    "judge",
    "lookup",
    "parse_expectations",
    "parse_json",
    "parse_path",
    "request_body",
    "wait_for_health",
]

Path = tuple[Union[str, int], ...]

_BODY_SHOWN = 1000
_JSON_SHOWN = 64 * 1024
_HISTORY = 10
_SHORTEST_INTERVAL = 0.05

# A step of a path: a bare name, [3], or ["any name"].
_STEP = re.compile(
    r"""(?P<dot>\.)?(?:(?P<name>[^.\[\]"']+)|\[(?P<index>\d+)\]|\[(?P<quote>["'])(?P<quoted>.+?)(?P=quote)\])"""
)


# --- Paths and tests -------------------------------------------------------------------------------------------------


def parse_path(text: str) -> Path:
    """`a.b[0]["c.d"]` as ("a", "b", 0, "c.d"); `$` is the whole document. Raises OperationFailed."""
    rest = text[1:] if text.startswith("$") else text
    steps: list[str | int] = []
    position = 0
    while position < len(rest):
        step = _STEP.match(rest, position)
        # A dot belongs between two steps and before a bare name only.
        dot_expected = bool(step and step.group("name") and (steps or rest is not text))
        if not step or bool(step.group("dot")) != dot_expected:
            raise OperationFailed(f"json: {text!r} is not a path at {rest[position:]!r}: write it as a.b[0].c.")
        position = step.end()
        steps.append(int(step.group("index")) if step.group("index") else step.group("name") or step.group("quoted"))
    if not text:
        raise OperationFailed("json: an empty path: write it as a.b[0].c, or $ for the whole document.")
    return tuple(steps)


def lookup(document: Any, path: Path) -> tuple[bool, Any]:
    """(whether it is there, the value) of a path in parsed JSON."""
    value = document
    for step in path:
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return False, None
        elif not isinstance(value, dict) or step not in value:
            return False, None
        value = value[step]
    return True, value


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


# Each test: how it reads before the operand, and whether a value that is there passes. `exists` is apart: it alone
# can pass for a value that is absent.
_TESTS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "equals": ("=", _same),
    "at_least": (">=", lambda value, wanted: _is_number(value) and value >= wanted),
    "at_most": ("<=", lambda value, wanted: _is_number(value) and value <= wanted),
    "matches": ("matching", lambda value, wanted: re.search(wanted, _as_text(value)) is not None),
    "contains": ("containing", _contains),
}
_TEST_NAMES = (*_TESTS, "exists")


@dataclass(frozen=True)
class Expectation:
    """What one path of the answer's JSON must hold: `tests` by name, all of which must pass."""

    text: str
    path: Path
    tests: Mapping[str, Any]

    def __str__(self) -> str:
        return " and ".join(self._words(name, operand) for name, operand in self.tests.items())

    def _words(self, name: str, operand: Any) -> str:
        if name == "exists":
            return f"{self.text} {'present' if operand else 'absent'}"
        return f"{self.text} {_TESTS[name][0]} {json.dumps(operand, ensure_ascii=False)}"

    def failure(self, document: Any) -> str | None:
        """Why the document does not meet it, as `status = "starting"`; None if it does."""
        there, value = lookup(document, self.path)
        for name, operand in self.tests.items():
            passed = there is operand if name == "exists" else there and _TESTS[name][1](value, operand)
            if not passed:
                return (
                    f"{self.text} = {one_line(json.dumps(value, ensure_ascii=False), limit=80)}"
                    if there
                    else f"no {self.text}"
                )
        return None


def parse_expectations(wanted: Mapping[str, Any]) -> tuple[Expectation, ...]:
    """The option `json`: path to value, or to a mapping of tests. Raises OperationFailed for what can't be tested."""
    return tuple(
        Expectation(str(path), parse_path(str(path)), _parse_tests(str(path), value)) for path, value in wanted.items()
    )


def _parse_tests(path: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {"equals": value}
    unknown = [name for name in value if name not in _TEST_NAMES]
    if unknown or not value:
        raise OperationFailed(
            f"json: {path!r} has {f'the test {unknown[0]!r}' if unknown else 'no test'}: "
            f"use {', '.join(_TEST_NAMES[:-1])} or {_TEST_NAMES[-1]} (and equals to compare with a mapping)."
        )
    for name in ("at_least", "at_most"):
        if name in value and not (_is_number(value[name]) and math.isfinite(value[name])):
            raise OperationFailed(f"json: {path!r} has {name}: {value[name]!r}, which is not a number: give a number.")
    if "matches" in value:
        try:
            re.compile(value["matches"])
        except (re.error, TypeError) as error:
            raise OperationFailed(
                f"json: {path!r} has matches: {value['matches']!r}, which is not a regular expression "
                f"({error}): correct it."
            ) from error
    if "exists" in value and not isinstance(value["exists"], bool):
        raise OperationFailed(f"json: {path!r} has exists: {value['exists']!r}: give true or false.")
    return dict(value)


# --- Judging ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """What counts as a healthy answer."""

    status: Sequence[int] = (200,)
    json: Sequence[Expectation] = ()
    max_latency: float | None = None

    def __str__(self) -> str:
        parts = [f"status {' or '.join(map(str, self.status))}", *map(str, self.json)]
        if self.max_latency is not None:
            parts.append(f"an answer within {seconds(self.max_latency)}")
        return ", ".join(parts)


def judge(answer: Answer, wanted: Wanted) -> str | None:
    """What is wrong with an answer, in the few words that are counted; None if it is healthy."""
    if answer.status is None or answer.status not in wanted.status:
        return answer.label
    if wanted.max_latency is not None and answer.latency > wanted.max_latency:
        return f"{answer.status} but slow"
    if wanted.json:
        there, document = parse_json(answer)
        if not there:
            return f"{answer.status} but not JSON"
        failures = [failure for failure in (test.failure(document) for test in wanted.json) if failure]
        if failures:
            return f"{answer.status} but {failures[0]}"
    return None


def parse_json(answer: Answer) -> tuple[bool, Any]:
    """(whether the body is JSON, the document). NaN and Infinity are no JSON, though Python reads them."""
    if answer.truncated or not answer.body:
        return False, None
    try:
        return True, json.loads(answer.body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False, None


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# --- Arguments -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rules:
    """How often to ask, and for how long. Seconds, but for `successes`, which is a count in a row."""

    successes: int = 1
    interval: float = 1.0
    timeout: float = 60.0
    attempt_timeout: float = 5.0

    def check(self) -> None:
        """Raises OperationFailed for what can't be waited for."""
        if self.successes < 1:
            raise OperationFailed(f"successes is {self.successes}: give at least 1.")
        check_seconds(self.interval, option="interval", minimum=_SHORTEST_INTERVAL)
        check_seconds(self.timeout, option="timeout")
        check_seconds(self.attempt_timeout, option="attempt_timeout", minimum=_SHORTEST_INTERVAL)
        needed = (self.successes - 1) * self.interval
        if needed > self.timeout:
            raise OperationFailed(
                f"{self.successes} successes, {seconds(self.interval)} apart, take {seconds(needed)}, but timeout is "
                f"{seconds(self.timeout)}: give a longer timeout or a shorter interval."
            )


def check_wanted(wanted: Wanted, request: Request) -> None:
    """Raises OperationFailed for an answer that can't come."""
    if not wanted.status:
        raise OperationFailed("status is empty: give at least one, such as 200.")
    for status in wanted.status:
        if not 100 <= status <= 599:
            raise OperationFailed(f"status has {status}, which is not an HTTP status: give 100 to 599.")
    if wanted.max_latency is not None:
        check_seconds(wanted.max_latency, option="max_latency")
    if wanted.json and request.method == "HEAD":
        raise OperationFailed("json is given with method HEAD, whose answers have no body: use GET.")


def request_body(body: Any, body_format: str | None) -> tuple[bytes | None, str | None]:
    """(bytes to send, content type to give unless the caller gives one). Text is sent as it is, all else as JSON."""
    if body is None:
        return None, None
    if body_format is None:
        body_format = "raw" if isinstance(body, str) else "json"
    if body_format == "raw":
        if not isinstance(body, str):
            raise OperationFailed("body is not text, but body_format is raw: give text, or body_format json.")
        return body.encode("utf-8", errors="surrogateescape"), None
    if isinstance(body, str):
        try:
            json.loads(body)
        except ValueError as error:
            raise OperationFailed(
                f"body is not valid JSON ({error}): correct it, or set body_format to raw."
            ) from error
        return body.encode(), "application/json"
    try:
        return json.dumps(body).encode(), "application/json"
    except (TypeError, ValueError) as error:
        raise OperationFailed(f"body can't be written as JSON ({error}): correct it.") from error


# --- Waiting ---------------------------------------------------------------------------------------------------------


@dataclass
class _Course:
    """How the attempts went so far."""

    attempts: int = 0
    successes: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    history: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_HISTORY))
    last: dict[str, Any] = field(default_factory=dict)

    def add(self, answer: Answer, *, fault: str | None, at: str) -> None:
        self.attempts += 1
        self.successes = 0 if fault else self.successes + 1
        if fault:
            self.failures[fault] += 1
        latency = round(answer.latency, 3)
        self.history.append({"at": at, "status": answer.status, "error": answer.error or fault, "latency": latency})
        self.last = {
            "status": answer.status,
            "latency": latency,
            "url": answer.url,
            "content_type": answer.headers.get("content-type"),
            "body": answer.text()[:_BODY_SHOWN],
            "json": parse_json(answer)[1] if len(answer.body) <= _JSON_SHOWN else None,
            "error": answer.error or fault,
        }

    def summary(self) -> str:
        healthy = self.attempts - sum(self.failures.values())
        counted = tally(self.failures) + (f", {healthy} healthy" if healthy else "")
        return f"{self.attempts} attempt{'' if self.attempts == 1 else 's'}: {counted or 'none'}"


def wait_for_health(
    request: Request,
    *,
    wanted: Wanted,
    rules: Rules,
    transport: Transport,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Ask until `rules.successes` answers in a row are as wanted; returns the module's result.

    An attempt never begins after `rules.timeout`, so that the whole takes at most that and one `attempt_timeout`.
    Raises OperationFailed for arguments that make no sense (before the first attempt), at the deadline, and at once
    where waiting can't help; its details are the same as the result.
    """
    clock = clock or Clock()
    check_url(request.url)
    for name, value in request.headers.items():
        check_header(name, value, option="headers")
    rules.check()
    check_wanted(wanted, request)
    started_at = clock.utc_text()
    start = clock.monotonic()
    course = _Course()

    def attempt() -> Answer:
        at = clock.utc_text()
        answer = fetch(request, transport=transport, timeout=rules.attempt_timeout, clock=clock)
        course.add(answer, fault=judge(answer, wanted), at=at)
        return answer

    def result() -> dict[str, Any]:
        return {
            "changed": False,
            "attempts": course.attempts,
            "successes": course.successes,
            "last": course.last,
            "history": list(course.history),
            "started_at": started_at,
            "elapsed": round(clock.monotonic() - start, 3),
        }

    try:
        poll(
            attempt,
            done=lambda _answer: course.successes >= rules.successes,
            timeout=rules.timeout,
            hopeless=lambda answer: answer.error if answer.hopeless else None,
            tell=lambda answer: f"{mask(request.url)}: {course.last['error'] or f'{answer.status}, as wanted'}",
            pace=Pace(quick=rules.interval, slow=rules.interval, growth=1.0),
            clock=clock,
        )
    except WaitEnded as ended:
        message = _failure(request, wanted=wanted, rules=rules, course=course, ended=ended)
        raise OperationFailed(message, details=result()) from ended
    return result()


def _failure(request: Request, *, wanted: Wanted, rules: Rules, course: _Course, ended: WaitEnded[Answer]) -> str:
    answer = ended.observation.value
    row = f", {rules.successes} times in a row" if rules.successes > 1 else ""
    if isinstance(ended, TimedOut):
        when = f"was not healthy within {seconds(rules.timeout)}"
    else:
        when = "can't become healthy by waiting"
    said = answer.error or f"status {answer.status} after {seconds(answer.latency)}"
    text = one_line(answer.text())
    if text:
        said += f" with the body {text!r}"
    fault = judge(answer, wanted)
    return (
        f"{request.method} {mask(request.url)} {when}: wanted {wanted}{row}; the last answer was {said} "
        f"({course.summary()}). {_next_step(answer, fault=fault, rules=rules, wanted=wanted)}"
    )


def _next_step(answer: Answer, *, fault: str | None, rules: Rules, wanted: Wanted) -> str:
    if fault is None:
        return f"It answers as wanted, but not {rules.successes} times in a row yet: give a longer timeout."
    if answer.status is not None and answer.status in wanted.status:
        if fault.endswith("but slow"):
            return "Find out what slows the service down, or give a larger max_latency."
        return f"The last answer had {fault}: check what the address answers, or correct json."
    return advice(answer)
