# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Qdrant's own words, as its users meet them in logs and answers (facts F.6 and G)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

_SOURCE = "/qdrant/lib/collection/src/shards/replica_set/mod.rs"


def relative(path: Path) -> str:
    """A path as Qdrant writes it: from its working directory, with a leading ``./``."""
    return str(path) if path.is_absolute() else f"./{path}"


def shard_failed(shard: Path, reason: str) -> str:
    """The panic of a shard that could not be loaded."""
    return (
        f'Panic occurred in file {_SOURCE} at line 261: Failed to load local shard "{relative(shard)}": '
        f"Service internal error: {reason}"
    )


def rocksdb_failed(shard: Path, reason: str) -> str:
    """The panic of a shard whose RocksDB could not be opened (issue 4145)."""
    return shard_failed(shard, f"RocksDB open error: {reason}")


def rocksdb_held(folder: str) -> str:
    """RocksDB's own message for a LOCK that somebody else holds."""
    return f"IO error: While lock file: {folder}/LOCK: Resource temporarily unavailable"


def wal_held(shard: Path) -> str:
    """The panic of a shard whose write-ahead log is locked on the same kernel."""
    detail = 'Os { code: 11, kind: WouldBlock, message: "Resource temporarily unavailable" }'
    return shard_failed(shard, f"Wal error: Can't init WAL: {detail}")


def client_held(folder: str) -> str:
    """qdrant-client's message for a local folder that another client uses."""
    return (
        f"Storage folder {folder} is already accessed by another instance of Qdrant client. "
        "If you require concurrent access, use Qdrant server instead."
    )


def log(level: str, target: str, text: str) -> str:
    """A line of Qdrant's log."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return f"{now} {level:>5} {target}: {text}"


def no_collection(name: str) -> str:
    """The error of a request for a collection that does not exist."""
    return f"Not found: Collection `{name}` doesn't exist!"


__all__ = [
    "client_held",
    "log",
    "no_collection",
    "relative",
    "rocksdb_failed",
    "rocksdb_held",
    "shard_failed",
    "wal_held",
]
