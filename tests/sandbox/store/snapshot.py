# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole file system at one moment, entry by entry, so that two moments can be compared by path."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from sandbox.store.inspection import data_blocks

Snapshot = dict[str, str]


def named_as_lock(name: str) -> bool:
    """By name alone, as the runbook's patterns and Qdrant have it: also a file that nobody ever locks."""
    return name == "LOCK" or name.endswith(".lock")


def snapshot(root: Path) -> Snapshot:
    """Each folder and file beneath ``root``, with its owner, mode and content."""
    found: Snapshot = {}
    for folder, _folders, names in os.walk(root):
        found[f"{os.path.relpath(folder, root)}/"] = _described(Path(folder))
        for name in names:
            path = Path(folder, name)
            found[os.path.relpath(path, root)] = _described(path)
    return found


def differences(before: Snapshot, after: Snapshot) -> dict[str, str]:
    """By path: added, removed or changed."""
    changed = {path: "changed" for path in before.keys() & after.keys() if before[path] != after[path]}
    added = dict.fromkeys(after.keys() - before.keys(), "added")
    return changed | added | dict.fromkeys(before.keys() - after.keys(), "removed")


def _described(path: Path) -> str:
    try:
        status = path.lstat()
        content = f"{status.st_mode:o} {status.st_uid}:{status.st_gid}"
        if stat.S_ISLNK(status.st_mode):
            return f"{content} {path.readlink()}"
        return f"{content} {_digest(path, status.st_size)}" if stat.S_ISREG(status.st_mode) else content
    except OSError as error:
        return f"unreadable: {error.errno}"


def _digest(path: Path, size: int) -> str:
    digest = hashlib.sha256(str(size).encode())
    for offset, block in data_blocks(path):
        digest.update(f"{offset}:".encode() + block)
    return digest.hexdigest()


__all__ = ["Snapshot", "differences", "named_as_lock", "snapshot"]
