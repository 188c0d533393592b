# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds which lock file: real flocks, which outlive their process's host until a lease ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.clock import Clock


class HeldError(Exception):
    """Somebody else holds this file."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.path = path


@dataclass
class Lock:
    """One file that is held, by the descriptor's open file description: two of one process conflict as well."""

    path: Path
    descriptor: int
    ends_at: float | None = None

    @property
    def in_place(self) -> bool:
        """Whether the name still leads to the file that is held."""
        try:
            return os.path.samestat(os.fstat(self.descriptor), self.path.lstat())
        except FileNotFoundError:
            return False


class Locks:
    """Every lock of one world."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._held: list[Lock] = []

    def take(self, path: Path) -> Lock:
        """Makes the file if it is not there, as RocksDB does. Raises HeldError."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise HeldError(path) from None
        lock = Lock(path, descriptor)
        self._held.append(lock)
        return lock

    def release(self, locks: list[Lock]) -> None:
        for lock in locks:
            with contextlib.suppress(ValueError):
                self._held.remove(lock)
                os.close(lock.descriptor)

    def orphan(self, locks: list[Lock], *, lease: float) -> None:
        """Their holder's host is gone: the file server keeps them until the lease ends."""
        for lock in locks:
            lock.ends_at = self._clock.now() + lease

    def step(self) -> None:
        now = self._clock.now()
        self.release([lock for lock in self._held if lock.ends_at is not None and now >= lock.ends_at])

    def held(self) -> Iterator[Lock]:
        yield from self._held

    def end_leases(self) -> None:
        self.release([lock for lock in self._held if lock.ends_at is not None])

    def close(self) -> None:
        self.release(list(self._held))


__all__ = ["HeldError", "Lock", "Locks"]
