# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How attempts went: each one's judgement, what is kept of it, and how it is told.

Private to wwhd.qdrant_ops. Pure, but for telling of a change.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.judgement import parse_json
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import Answer
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.masking import HIDDEN, mask
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.words import one_line, seconds, tally

__all__ = ["Attempt", "Course"]

_BODY_SHOWN = 1000
_JSON_SHOWN = 64 * 1024
_HEADERS_SHOWN = 50
_HEADER_SHOWN = 300
_HISTORY = 10
# What tells a load balancer from a service, and what to do next.
_TELLING_HEADERS = ("server", "content-type", "location", "retry-after", "www-authenticate")
_SECRET_HEADERS = frozenset(("set-cookie", "set-cookie2", "authorization", "proxy-authorization"))
_HEALTHY = "healthy"


@dataclass(frozen=True)
class Attempt:
    """One attempt: every answer with its first fault (None for a healthy one), and the answer that decides.

    An attempt is as good as the worst of its answers: what ends the wait first, then any fault, then the slowest.
    """

    judged: tuple[tuple[Answer, str | None], ...]
    decisive: Answer
    faults: tuple[str, ...]
    at: str

    @classmethod
    def of(cls, judged: Sequence[tuple[Answer, Sequence[str]]], *, at: str) -> Attempt:
        decisive, faults = max(judged, key=lambda pair: (pair[0].hopeless, bool(pair[1]), pair[0].latency))
        firsts = tuple((answer, found[0] if found else None) for answer, found in judged)
        return cls(firsts, decisive, tuple(faults), at)

    @property
    def fault(self) -> str | None:
        """What is counted: the first fault, with the address where every one is asked."""
        if not self.faults:
            return None
        return self.faults[0] + (f" ({self.decisive.address})" if self.decisive.address else "")

    @property
    def error(self) -> str | None:
        return self.decisive.error or (self.faults[0] if self.faults else None)

    def said(self, *, asserted: Sequence[Any] = ()) -> str:
        """The decisive answer in words: status, latency, the headers that tell something, the beginning of its body."""
        answer = self.decisive
        if answer.error:
            return answer.error
        said = f"status {answer.status} after {seconds(answer.latency)}"
        told = [name for name in dict.fromkeys([*_TELLING_HEADERS, *asserted]) if name in answer.headers]
        if told:
            said += f" ({', '.join(f'{name}: {_shown_header(name, answer.headers[name], 100)}' for name in told)})"
        text = one_line(answer.text())
        return f"{said} with the body {text!r}" if text else said

    def by_address(self) -> str:
        """How each address answered, if each was asked."""
        asked = [(answer, fault) for answer, fault in self.judged if answer.address]
        if not asked:
            return ""
        return f"; the last time {', '.join(f'{answer.address}: {fault or _HEALTHY}' for answer, fault in asked)}"


@dataclass
class Course:
    """How the attempts went so far. `on_change` hears of each outcome that differs from the one before."""

    shown: str
    successes_wanted: int = 1
    on_change: Callable[[str], None] = lambda text: None
    attempts: int = 0
    successes: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    history: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_HISTORY))
    last: dict[str, Any] = field(default_factory=dict)
    _outcome: str | None = None

    def add(self, attempt: Attempt) -> None:
        fault = attempt.fault
        self.attempts += 1
        self.successes = 0 if fault else self.successes + 1
        self.outcomes[fault or _HEALTHY] += 1
        answer = attempt.decisive
        latency = round(answer.latency, 3)
        entry = {"at": attempt.at, "status": answer.status, "error": attempt.error, "latency": latency}
        self.history.append({**entry, "address": answer.address} if answer.address else entry)
        self.last = _described(attempt)
        if (fault or _HEALTHY) != self._outcome:
            self._outcome = fault or _HEALTHY
            self.on_change(self._sentence(fault))

    def _sentence(self, fault: str | None) -> str:
        if fault:
            return f"{self.shown} is not healthy: {fault}"
        row = f" (wanted {self.successes_wanted} times in a row)" if self.successes_wanted > 1 else ""
        return f"{self.shown} answers as wanted{row}"

    def result(self) -> dict[str, Any]:
        return {
            "attempts": self.attempts,
            "successes": self.successes,
            "outcomes": dict(self.outcomes),
            "last": self.last,
            "history": list(self.history),
        }

    def summary(self, elapsed: float) -> str:
        failures = {label: count for label, count in self.outcomes.items() if label != _HEALTHY}
        parts = [tally(failures)] if failures else []
        if self.outcomes[_HEALTHY]:
            parts.append(f"{self.outcomes[_HEALTHY]} {_HEALTHY}")
        plural = "" if self.attempts == 1 else "s"
        return f"{self.attempts} attempt{plural} in {seconds(elapsed)}: {', '.join(parts) or 'none'}"


def _described(attempt: Attempt) -> dict[str, Any]:
    """The decisive answer as the module returns it."""
    answer = attempt.decisive
    headers = list(answer.headers.items())[:_HEADERS_SHOWN]
    return {
        "status": answer.status,
        "latency": round(answer.latency, 3),
        "url": answer.url,
        "content_type": answer.headers.get("content-type"),
        "headers": {name: _shown_header(name, value, _HEADER_SHOWN) for name, value in headers},
        "body": answer.text()[:_BODY_SHOWN],
        "json": parse_json(answer)[1] if len(answer.body) <= _JSON_SHOWN else None,
        "error": attempt.error,
        "address": answer.address,
        "addresses": [
            {
                "address": one.address,
                "status": one.status,
                "latency": round(one.latency, 3),
                "error": one.error or fault,
            }
            for one, fault in attempt.judged
            if one.address
        ],
    }


def _shown_header(name: str, value: str, limit: int) -> str:
    if name in _SECRET_HEADERS:
        return HIDDEN
    path, mark, _query = value.partition("?")
    # A redirect to a path has no scheme that would show where its query begins.
    relative = name == "location" and mark and "://" not in path
    return one_line(f"{path}?{HIDDEN}" if relative else mask(value), limit=limit)
