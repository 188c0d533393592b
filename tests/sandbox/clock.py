# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One clock for the whole sandbox: AWS's seconds, which pass `speed` times faster than ours."""

from __future__ import annotations

import time


class Clock:
    """`now()` counts AWS seconds since the start; `wall()` is the real time that answers show."""

    def __init__(self, *, speed: float) -> None:
        if speed <= 0:
            raise ValueError(f"the sandbox's speed must be above 0, not {speed}")
        self.speed = speed
        self._start = time.monotonic()

    def now(self) -> float:
        return (time.monotonic() - self._start) * self.speed

    def wall(self) -> float:
        return time.time()

    def real(self, aws_seconds: float) -> float:
        """Real seconds that `aws_seconds` take here."""
        return aws_seconds / self.speed


__all__ = ["Clock"]
