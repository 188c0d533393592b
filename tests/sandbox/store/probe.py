# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells which lock files are held; runs alone (``python -I -S probe.py PATH…``), prints the numbers of the held ones.

A process of its own, because closing a file drops every POSIX lock that the closing process has on it.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys

# struct flock of 64-bit Linux: type, whence, start, length, pid.
_FLOCK = struct.Struct("hhqqi4x")


def held(path: str) -> bool:
    """Whether another process has a POSIX lock or an flock on the file; False if there is no such file."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        if _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))[0] != fcntl.F_UNLCK:
            return True
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def main() -> None:
    print(*(number for number, path in enumerate(sys.argv[1:]) if held(path)))


if __name__ == "__main__":
    main()
