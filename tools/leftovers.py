# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends what a command has left behind. Linux's /proc; elsewhere nothing is found.

Process groups do not do: ansible and the sandbox each start sessions of their own. What was started for something is
known by a variable in the environment that it inherited.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path


def end_marked(name: str, value: str) -> None:
    """Kill every other process that has this variable with this value in its environment."""
    mark = f"{name}={value}".encode()
    for _attempt in range(50):
        found = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if mark in environment_of(entry)]
        found = [pid for pid in found if pid != os.getpid()]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)


def environment_of(process: Path) -> list[bytes]:
    """The variables that a process was started with; none where it has ended or is another user's."""
    try:
        return (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return []
