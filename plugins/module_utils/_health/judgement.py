# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What counts as a healthy answer, and what is wrong with one that is not.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.expectations import Expectation, check_pattern
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import Answer
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.options import check_seconds
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.words import one_line, seconds

__all__ = ["Statuses", "Wanted", "faults", "judge", "parse_json", "parse_statuses"]

_STATUS = re.compile(r"(?P<first>\d{3})(?:\s*-\s*(?P<last>\d{3}))?|(?P<class>[1-5])xx", re.IGNORECASE)


@dataclass(frozen=True)
class Statuses:
    """A set of HTTP statuses: `ranges` with both ends, as they were written in `text`."""

    ranges: tuple[tuple[int, int], ...]
    text: str

    def __contains__(self, status: object) -> bool:
        return isinstance(status, int) and any(first <= status <= last for first, last in self.ranges)

    def __bool__(self) -> bool:
        return bool(self.ranges)

    def __str__(self) -> str:
        return self.text


def parse_statuses(given: Sequence[int | str], *, option: str = "status") -> Statuses:
    """200, "200-299" and "2xx". Raises OperationFailed for what is no HTTP status."""
    ranges = []
    for entry in given:
        found = _STATUS.fullmatch(str(entry).strip())
        if not found:
            raise OperationFailed(
                f"{option} has {entry}, which is not an HTTP status: give 100 to 599, a range as 200-299, or 2xx."
            )
        if found["class"]:
            first, last = int(found["class"]) * 100, int(found["class"]) * 100 + 99
        else:
            first, last = int(found["first"]), int(found["last"] or found["first"])
        if not 100 <= first <= last <= 599:
            raise OperationFailed(
                f"{option} has {entry}, which is not an HTTP status: give 100 to 599, the lower one of a range first."
            )
        ranges.append((first, last))
    return Statuses(tuple(ranges), " or ".join(str(entry).strip() for entry in given))


@dataclass(frozen=True)
class Wanted:
    """What counts as a healthy answer."""

    status: Statuses = field(default_factory=lambda: parse_statuses([200]))
    json: Sequence[Expectation] = ()
    headers: Sequence[Expectation] = ()
    body_matches: str | None = None
    body_not_matches: str | None = None
    max_latency: float | None = None

    def __str__(self) -> str:
        parts = [f"status {self.status}", *map(str, self.json), *(f"header {test}" for test in self.headers)]
        if self.body_matches is not None:
            parts.append(f"a body matching {json.dumps(self.body_matches, ensure_ascii=False)}")
        if self.body_not_matches is not None:
            parts.append(f"a body not matching {json.dumps(self.body_not_matches, ensure_ascii=False)}")
        if self.max_latency is not None:
            parts.append(f"an answer within {seconds(self.max_latency)}")
        return ", ".join(parts)

    def check(self, method: str) -> None:
        """Raises OperationFailed for an answer that can't come."""
        if not self.status:
            raise OperationFailed("status is empty: give at least one, such as 200.")
        if self.max_latency is not None:
            check_seconds(self.max_latency, option="max_latency")
        for option, pattern in (("body_matches", self.body_matches), ("body_not_matches", self.body_not_matches)):
            if pattern is not None:
                check_pattern(pattern, given=f"{option} is {pattern!r}")
        of_body = {"json": self.json, "body_matches": self.body_matches, "body_not_matches": self.body_not_matches}
        given = [option for option, value in of_body.items() if value]
        if given and method == "HEAD":
            raise OperationFailed(f"{given[0]} is given with method HEAD, whose answers have no body: use GET.")


def judge(answer: Answer, wanted: Wanted) -> str | None:
    """The first thing that is wrong with an answer, in the few words that are counted; None if it is healthy."""
    return next(faults(answer, wanted), None)


def faults(answer: Answer, wanted: Wanted) -> Iterator[str]:
    """All that is wrong with an answer; nothing beyond its status is looked at where that is wrong already."""
    if answer.status is None or answer.status not in wanted.status:
        yield answer.label
        return
    if wanted.max_latency is not None and answer.latency > wanted.max_latency:
        yield f"{answer.status} but slow"
    for failure in _failures(answer, wanted):
        yield f"{answer.status} but {failure}"


def _failures(answer: Answer, wanted: Wanted) -> Iterator[str]:
    for test in wanted.headers:
        failure = test.failure(dict(answer.headers))
        if failure:
            yield f"header {failure}" if not failure.startswith("no ") else f"no header {failure[3:]}"
    if wanted.json:
        there, document = parse_json(answer)
        if there:
            yield from (failure for failure in (test.failure(document) for test in wanted.json) if failure)
        else:
            yield "not JSON"
    if wanted.body_matches is not None and not re.search(wanted.body_matches, answer.text()):
        yield f"no match of {one_line(wanted.body_matches, limit=60)!r} in its body"
    if wanted.body_not_matches is not None:
        found = re.search(wanted.body_not_matches, answer.text())
        if found:
            yield f"{one_line(found.group(0), limit=60)!r} in its body"


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
