# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie in Qdrant's storage folder (facts F.1), and which of its files are locks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

VECTOR_SIZE = 8
CLIENT_CACHE = "client_cache"
CLIENT_LOCK = ".lock"
CLIENT_LOCK_TEXT = "tmp lock file"
ROCKSDB_LOCK = "LOCK"
DATABASES = ("wwhd_v3.db", "app.db")


def collections(storage: Path) -> list[Path]:
    """The collections' folders, by name."""
    root = storage / "collections"
    return sorted(one for one in root.iterdir() if one.is_dir()) if root.is_dir() else []


def shards(collection: Path) -> list[Path]:
    """The folders of a collection's shards, by number."""
    return sorted(
        (one for one in collection.iterdir() if one.is_dir() and one.name.isdigit()), key=lambda one: int(one.name)
    )


def segments(shard: Path) -> list[Path]:
    """The folders of a shard's segments."""
    root = shard / "segments"
    return sorted(one for one in root.iterdir() if one.is_dir()) if root.is_dir() else []


def rocksdb_folders(segment: Path) -> list[Path]:
    """The two RocksDB folders of a segment, in the order in which they are opened."""
    return [one for one in (segment, segment / "payload_index") if (one / "CURRENT").is_file()]


def is_lock(path: Path) -> bool:
    """Whether this file is one that a holder of ours locks: RocksDB's, or that of qdrant-client's local mode."""
    if path.name == ROCKSDB_LOCK:
        return (path.parent / "CURRENT").is_file()
    return path.name == CLIENT_LOCK and (path.parent / "meta.json").is_file()


def lock_files(root: Path) -> list[Path]:
    """The store's lock files beneath ``root``, sorted; files of others that only look like locks are not among them."""
    return sorted(path for path in files(root) if is_lock(path))


def files(root: Path) -> Iterator[Path]:
    """Every file beneath ``root`` (links are files, and not followed)."""
    for folder, _folders, names in os.walk(root):
        for name in names:
            yield Path(folder, name)


__all__ = [
    "CLIENT_CACHE",
    "CLIENT_LOCK",
    "CLIENT_LOCK_TEXT",
    "DATABASES",
    "ROCKSDB_LOCK",
    "VECTOR_SIZE",
    "collections",
    "files",
    "is_lock",
    "lock_files",
    "rocksdb_folders",
    "segments",
    "shards",
]
