# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shorter pauses for workers and modules whose AWS is faster than the real one. Deadlines stay in real seconds."""

from __future__ import annotations

import sys
import time

_real_sleep = time.sleep
# By how much a pause is shortened in a worker and in what it starts; everybody else pauses as they say.
workers_factor = 1.0
_factor = 1.0


def install() -> None:
    """Before anything is imported that keeps `time.sleep` under a name of its own."""
    time.sleep = _sleep  # type: ignore[assignment]  # a float is all that anybody passes


def hasten() -> None:
    """From here on, in this process and its forked children, pauses are shortened."""
    global _factor  # noqa: PLW0603  a process has one sense of time
    _factor = workers_factor


def _sleep(seconds: float) -> None:
    # In pauses of its own async_wrapper counts a deadline, the time limit of a job.
    counts = sys._getframe(1).f_globals.get("__name__") == "ansible.modules.async_wrapper"
    _real_sleep(seconds if counts else seconds / _factor)
