# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stale locks: real processes that hold lock files, and a probe that tells who is held."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

_HOLDER = Path(__file__).with_name("holder.py")
_PROBE = Path(__file__).with_name("probe.py")
_PATIENCE = 5.0


class StaleLock:
    """A lock on an inode that a process holds until ``ends_at`` (Unix seconds), or until this process dies."""

    def __init__(self, path: Path, process: subprocess.Popen[str], seconds: float) -> None:
        self.path = path
        self.pid = process.pid
        self.ends_at = time.time() + seconds
        self._process = process
        # Without opening the file: closing it would let go this process's locks on it.
        self._handle: int | None = os.open(path, os.O_PATH)
        self._removed_at: float | None = None

    @property
    def active(self) -> bool:
        """Whether its holder lives."""
        return self._process.poll() is None

    def removed_at(self) -> float | None:
        """When the file was unlinked, if that was while the lock was held."""
        if self._handle is not None:
            status = os.fstat(self._handle)
            if self.active:
                self._removed_at = None if status.st_nlink else status.st_ctime
            else:
                self._finish()
        return self._removed_at

    def _finish(self) -> None:
        if self._handle is not None and self._process.stdout is not None:
            # Its last word, said while it still held the lock.
            if self._process.stdout.read().strip() == "removed":
                self._removed_at = os.fstat(self._handle).st_ctime
            os.close(self._handle)
            self._handle = None

    def release(self) -> None:
        """End the lease now; back when the lock is gone."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait(timeout=10)
        self._finish()
        if self._process.stdout is not None:
            self._process.stdout.close()


def hold_stale(paths: Iterable[Path], *, seconds: float) -> list[StaleLock]:
    """Let other processes hold these very inodes for ``seconds`` real seconds; back when all are held.

    FileNotFoundError for a path that does not exist; RuntimeError if somebody else keeps one for five seconds.
    """
    started: list[StaleLock] = []
    try:
        for path in paths:
            path.stat()
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_HOLDER), str(path), str(seconds), str(_PATIENCE)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
            )  # fmt: skip
            started.append(StaleLock(path, process, seconds))
        for lock in started:
            said = lock._process.stdout.readline() if lock._process.stdout else ""
            if said.strip() != "held":
                raise RuntimeError(
                    f"{lock.path} could not be taken over within {_PATIENCE:g} s: another process holds it"
                )
            lock.ends_at = time.time() + seconds
    except BaseException:
        for lock in started:
            lock.release()
        raise
    return started


def held(paths: Iterable[Path]) -> list[Path]:
    """Those of the files that another process holds, in the order given."""
    names = list(paths)
    if not names:
        return []
    told = subprocess.run(
        [sys.executable, "-I", "-S", str(_PROBE), *map(str, names)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return [names[int(number)] for number in told.stdout.split()]


def is_held(path: Path) -> bool:
    """Whether another process holds this file, by either kind of lock; False if there is no such file."""
    return bool(held([path]))


__all__ = ["StaleLock", "held", "hold_stale", "is_held"]
