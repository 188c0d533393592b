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

from sandbox import killing

_CALL = ("service", "operation", "writes")
# At the API: these come before (or instead of) the operation itself.
API_KINDS = (
    "throttle", "error", "access_denied", "expired", "reset_before", "reset_after", "slow", "kill_before", "kill_after",
)  # fmt: skip
# Of these the client gets no answer; `*_before` has no effect either.
UNANSWERED = ("reset_before", "reset_after", "kill_before", "kill_after")
# What each fault can be narrowed down to. A key that its place never tells would be a fault that never strikes.
PLACES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(API_KINDS, _CALL),
    "run_task_failures": ("family",),
    "capacity": ("family", "service"),
    "mount": ("family",),
    "pull": ("family",),
    "task_gone": ("family",),
    "missing": ("family",),
    "logs_late": ("family",),
    "logs_never": ("family",),
    "no_exit_code": ("family",),
    "autoscaler": ("service",),
    "rebalance": ("service",),
    "raise_count": _CALL,
}
VARIANTS = {
    "mount": ("timeout", "denied", "missing", "unresolved", "reset"),
    "pull": ("denied", "missing", "platform", "rate_limit", "no_route", "start"),
}
# These are in force rather than strike: nothing counts them down.
CONDITIONS = ("task_gone", "logs_late", "logs_never", "autoscaler")


@dataclass
class Fault:
    """Lets `skip` matching calls pass, then strikes `left` times (None: always); `match` must agree with what the
    place tells of itself."""

    number: int
    kind: str
    left: int | None = None
    probability: float = 1.0
    match: dict[str, str] = field(default_factory=dict)
    skip: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    aim: killing.Target | None = None


class Faults:
    def __init__(self, *, seed: int = 0) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._numbers = itertools.count(1)
        self._random = random.Random(seed)

    def add(self, kind: str, *, count: int | None = None, probability: float = 1.0, match: dict[str, Any] | None = None,
            skip: int = 0, **settings: Any) -> Fault:  # fmt: skip
        """Raises ValueError for a kind that there is not, or one that could never strike as ordered."""
        if kind not in PLACES:
            raise ValueError(f"unknown fault {kind!r}: use one of {', '.join(PLACES)}")
        for key in match or {}:
            if key not in PLACES[kind]:
                raise ValueError(f"{kind} cannot match {key!r}: use {', '.join(PLACES[kind])}")
        if skip < 0 or (skip and kind in CONDITIONS):
            raise ValueError(f"{kind} cannot skip {skip}")
        if kind == "raise_count":
            _check_raise(settings)
        if settings.get("by", "alarm") not in ("alarm", "schedule"):
            raise ValueError(f"{kind} is by alarm or by schedule, not by {settings['by']!r}")
        variant = settings.get("variant")
        if variant is not None and variant not in VARIANTS.get(kind, ()):
            raise ValueError(f"{kind} has no variant {variant!r}: use {', '.join(VARIANTS.get(kind, ())) or 'none'}")
        wanted = {key: str(value).lower() if key == "writes" else str(value) for key, value in (match or {}).items()}
        rest = {key: value for key, value in settings.items() if key != "pid"}
        aim = killing.target(pid=int(settings.get("pid", 0)), **rest) if kind.startswith("kill_") else None
        fault = Fault(next(self._numbers), kind, count, probability, wanted, skip, settings, aim)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def take(self, *kinds: str, **place: str) -> Fault | None:
        """The first fault of these kinds that strikes here, counted down; None if none does. The others that match
        count this call among those that they let pass."""
        struck: Fault | None = None
        with self._lock:
            for fault in list(self._faults):
                if fault.kind not in kinds or any(place.get(key) != value for key, value in fault.match.items()):
                    continue
                if fault.skip:
                    fault.skip -= 1
                elif struck is None and self._random.random() < fault.probability:
                    struck = fault
                    if fault.left is not None:
                        fault.left -= 1
                        if fault.left <= 0:
                            self._faults.remove(fault)
        return struck

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
                {"number": f.number, "kind": f.kind, "left": f.left, "match": f.match, "skip": f.skip, **f.settings}
                for f in self._faults
            ]


def _check_raise(settings: dict[str, Any]) -> None:
    to, unknown = settings.get("to"), sorted(set(settings) - {"to", "service", "cluster"})
    if not isinstance(to, int) or to < 0 or unknown:
        raise ValueError(f"raise_count needs the count (to=1), a service and a cluster if need be, not {unknown or to}")


__all__ = ["API_KINDS", "UNANSWERED", "Fault", "Faults"]
