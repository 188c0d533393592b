# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second kind of lock, as a server process takes it. Apart from `locks`: each container imports this."""

from __future__ import annotations

import fcntl
import time

_PROBE_LASTS = 0.2


def flock(descriptor: int) -> bool:
    """Take the flock of an open file; False if another process keeps it.

    A probe (ours, or a cleaner's) has it for an instant, which is no holder: hence the second look.
    """
    deadline = time.monotonic() + _PROBE_LASTS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        else:
            return True


__all__ = ["flock"]
