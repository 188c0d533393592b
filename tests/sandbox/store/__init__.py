# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store that the sandbox's service runs, and those who hold its locks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


class StaleLock:
    path: Path
    pid: int
    ends_at: float

    def release(self) -> None:
        raise NotImplementedError


def seed(root: Path) -> dict[str, int]:
    raise NotImplementedError


def hold_stale(paths: Iterable[Path], *, seconds: float) -> list[StaleLock]:
    raise NotImplementedError


def lock_files(root: Path) -> list[Path]:
    raise NotImplementedError


def is_held(path: Path) -> bool:
    raise NotImplementedError


def read_counts(root: Path) -> dict[str, int]:
    raise NotImplementedError


def fingerprint(root: Path) -> str:
    raise NotImplementedError


__all__ = ["StaleLock", "fingerprint", "hold_stale", "is_held", "lock_files", "read_counts", "seed"]
