# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting by predicates over an injected monotonic clock.

Private to wwhd.qdrant_ops. Nothing here knows AWS. Seconds everywhere, as floats.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Generic, TypeVar

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._progress import Changes

__all__ = ["Clock", "Hopeless", "Observation", "Pace", "TimedOut", "poll", "utc_text"]

T = TypeVar("T")

# A wait whose looks all fail is given up after so many seconds: whoever lost the network should hear of it.
_BLIND_FOR = 120.0
# A pause too short for a float to be added to the clock would never come to its deadline.
_SHORTEST_PAUSE = 0.001


def utc_text(moment: datetime) -> str:
    """`2026-11-23T15:04:05.678Z`: sorts as text, and says which zone it is in."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Clock:
    """The three things that a wait needs from the world; tests pass their own."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    utcnow: Callable[[], datetime] = field(default=lambda: datetime.now(timezone.utc))

    def utc_text(self) -> str:
        return utc_text(self.utcnow())


@dataclass(frozen=True)
class Pace:
    """How long to wait between two looks.

    Quick right after something changed (the next change is near then), slower with each look that shows nothing new.
    """

    quick: float = 0.5
    slow: float = 4.0
    growth: float = 1.35

    def after(self, unchanged_looks: int) -> float:
        # The exponent is bounded: a wait of days must not overflow a float.
        return min(self.slow, self.quick * self.growth ** min(unchanged_looks, 64))


@dataclass(frozen=True)
class Observation(Generic[T]):
    """What a wait ended with: the last state seen, the seconds spent, and the number of looks."""

    value: T
    elapsed: float
    looks: int


class WaitEnded(Exception, Generic[T]):
    """A wait that did not end as wished. `observation` holds the last state seen."""

    def __init__(self, message: str, observation: Observation[T]) -> None:
        super().__init__(message)
        self.observation = observation


class TimedOut(WaitEnded[T]):
    """The deadline passed."""


class Hopeless(WaitEnded[T]):
    """Success has become impossible; waiting longer would only cost the operator time."""


def poll(
    read: Callable[[], T],
    *,
    done: Callable[[T], bool],
    timeout: float,
    hopeless: Callable[[T], str | None] = lambda value: None,
    fingerprint: Callable[[T], object] = lambda value: None,
    tell: Callable[[T], str | Iterable[str] | None] = lambda value: None,
    pace: Pace | Callable[[T], Pace] | None = None,
    clock: Clock | None = None,
) -> Observation[T]:
    """Look until `done`, until `hopeless` gives a reason, or until `timeout` seconds have passed.

    `fingerprint` reduces a state to what counts as a change; a change makes the next look come soon.
    `pace` may depend on the state: where it tells that the end is far, looks need not be close.
    `tell` puts a state into words for whoever watches, a line a thing; a line that did not change is not said again.
    There is always at least one look, and one last look at the deadline itself, so that a wait never fails on a state
    that is older than its time-out. A look that fails with an error whose `transient` is true is one that showed
    nothing: the wait goes on, until nothing has been seen for `_BLIND_FOR` seconds or the time is over.
    Raises Hopeless or TimedOut, both with the last observation, or what `read` raised.
    """
    chosen = pace if isinstance(pace, Pace) else Pace()
    clock = clock or Clock()
    start = clock.monotonic()
    last_seen = start
    looks = 0
    unchanged = 0
    previous: object = None
    changes = Changes()
    while True:
        try:
            value = read()
        except Exception as error:
            now = clock.monotonic()
            if not getattr(error, "transient", False) or now - start >= timeout or now - last_seen >= _BLIND_FOR:
                raise
            changes(f"{error} Looking again.")
            unchanged += 1
            clock.sleep(min(chosen.after(unchanged), max(_SHORTEST_PAUSE, timeout - (now - start))))
            continue
        looks += 1
        last_seen = clock.monotonic()
        elapsed = last_seen - start
        observation = Observation(value, elapsed, looks)
        changes(tell(value))
        if done(value):
            return observation
        reason = hopeless(value)
        if reason:
            raise Hopeless(reason, observation)
        if elapsed >= timeout:
            raise TimedOut(f"gave up after {elapsed:.0f} s", observation)
        current = fingerprint(value)
        unchanged = 0 if looks > 1 and current != previous else unchanged + 1
        previous = current
        chosen = pace(value) if callable(pace) else chosen
        clock.sleep(min(chosen.after(unchanged - 1 if unchanged else 0), max(_SHORTEST_PAUSE, timeout - elapsed)))
