# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds one lock file as a file server does for a client that died: until the lease ends, or its starter does.

Runs alone: ``python -I -S holder.py PATH SECONDS PATIENCE``. Prints ``held`` or ``busy``, and at
its end ``removed`` or ``kept``. Ends when its standard input does.
"""

from __future__ import annotations

import fcntl
import os
import select
import sys
import time


def take(descriptor: int, deadline: float) -> bool:
    """Both kinds of lock, POSIX and flock: on NFS they meet, here each must be taken for itself."""
    while True:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            # One may have been granted: a holder of half a lock would keep another one like it from ever ending.
            fcntl.lockf(descriptor, fcntl.LOCK_UN)
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def main() -> int:
    path, seconds, patience = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    started = time.monotonic()
    descriptor = os.open(path, os.O_RDWR)
    if not take(descriptor, started + patience):
        print("busy", flush=True)
        return 1
    ends = time.monotonic() + seconds
    print("held", flush=True)
    while (left := ends - time.monotonic()) > 0:
        if select.select([0], [], [], left)[0] and not os.read(0, 4096):
            break
    # Told while it is still held: afterwards anybody may remove the file.
    print("kept" if os.fstat(descriptor).st_nlink else "removed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
