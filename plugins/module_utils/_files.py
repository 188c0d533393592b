# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that several processes write and read at the same time, each whole at any moment.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

__all__ = ["holding", "write_whole"]

_PAUSE = 0.05
_LONGEST_NAME = 100


def write_whole(path: Path, content: bytes) -> None:
    """The whole file, for its user alone, or the one before it: nobody reads a half. Raises OSError."""
    beside = path.with_name(f".{path.name[:_LONGEST_NAME]}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def holding(path: Path, *, until: float, clock: Clock) -> Iterator[bool]:
    """Whether this process holds the lock `path` inside, which it tries until that moment of the clock, at least once.

    The system lets go for a process that dies. Raises OSError where there can be no lock.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not (held := _lock(descriptor)) and clock.monotonic() < until:
            clock.sleep(_PAUSE)
        yield held
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
