# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults that a test orders: each names its kind, what it applies to, and how often."""

from __future__ import annotations

import itertools
import random
import threading
from dataclasses import dataclass, field
from typing import Any

# At the API: these come before (or instead of) the operation itself.
API_KINDS = ("throttle", "error", "access_denied", "reset_before", "reset_after", "slow")
# Inside ECS and around it.
WORLD_KINDS = (
    "run_task_failures", "capacity", "mount", "task_gone", "missing", "logs_late", "logs_never", "no_exit_code",
    "autoscaler",
)  # fmt: skip


@dataclass
class Fault:
    """`left` is how often it still strikes (None: always); `match` must agree with what the place tells of itself."""

    number: int
    kind: str
    left: int | None = None
    probability: float = 1.0
    match: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


class Faults:
    def __init__(self, *, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._numbers = itertools.count(1)
        self._random = random.Random(seed)

    def add(self, kind: str, *, count: int | None = None, probability: float = 1.0, match: dict[str, str] | None = None,
            **settings: Any) -> Fault:  # fmt: skip
        """Raises ValueError for a kind that there is not."""
        if kind not in API_KINDS + WORLD_KINDS:
            raise ValueError(f"unknown fault {kind!r}: use one of {', '.join(API_KINDS + WORLD_KINDS)}")
        fault = Fault(next(self._numbers), kind, count, probability, dict(match or {}), settings)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def take(self, *kinds: str, **place: str) -> Fault | None:
        """The first fault of these kinds that strikes here, counted down; None if none does."""
        with self._lock:
            for fault in self._faults:
                fits = all(place.get(key) == value for key, value in fault.match.items())
                if fault.kind in kinds and fits and self._random.random() < fault.probability:
                    if fault.left is not None:
                        fault.left -= 1
                        if fault.left <= 0:
                            self._faults.remove(fault)
                    return fault
        return None

    def active(self, kind: str, **place: str) -> Fault | None:
        """A fault of this kind that is in force here, without counting it down."""
        with self._lock:
            for fault in self._faults:
                if fault.kind == kind and all(place.get(key) == value for key, value in fault.match.items()):
                    return fault
        return None

    def listed(self) -> list[dict[str, Any]]:
        with self._lock:
            return [
                {"number": f.number, "kind": f.kind, "left": f.left, "match": f.match, **f.settings}
                for f in self._faults
            ]


__all__ = ["API_KINDS", "WORLD_KINDS", "Fault", "Faults"]
