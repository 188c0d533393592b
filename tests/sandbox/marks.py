# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes known by a variable in the environment that they inherited. Linux's /proc; elsewhere none is found.

Process groups do not do: ansible and the sandbox each start sessions of their own.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path


def marked(mark: str) -> list[int]:
    """The living processes with this `NAME=value` in their environment, wherever they were moved to."""
    wanted = os.fsencode(mark)
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        # One may end, or be somebody else's, while it is looked at. A zombie's environment is empty: it counts as dead.
        with contextlib.suppress(OSError):
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def end_marked(mark: str) -> None:
    """Kill every other process that has this `NAME=value`, until none is left."""
    for _attempt in range(50):
        found = [pid for pid in marked(mark) if pid != os.getpid()]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


__all__ = ["end_marked", "marked"]
