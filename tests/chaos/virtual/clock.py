# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A clock that only moves when it is told to."""

from __future__ import annotations

import time

from sandbox.clock import Clock

# Log events may lie in the past, but not in the future: a world that lives for hours begins well before today.
_BEFORE_TODAY = 3 * 24 * 3600.0


class VirtualClock(Clock):
    """AWS seconds and those of the controller are the same here."""

    def __init__(self) -> None:
        super().__init__(speed=1.0)
        self._now = 0.0
        self._epoch = float(int(time.time() - _BEFORE_TODAY))

    def now(self) -> float:
        return self._now

    def wall(self) -> float:
        return self._epoch + self._now

    def move(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError(f"time cannot go back by {-seconds} s")
        self._now += seconds


__all__ = ["VirtualClock"]
