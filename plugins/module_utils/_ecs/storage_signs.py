# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines in which a store says that it cannot work, for reasons that no unlocking mends: a table.

Private to wwhd.qdrant_ops. The texts are those of RocksDB, of Rust's standard library and of Qdrant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["SIGNS", "Sign", "sign_of"]

_SNAPSHOT = (
    "Restore the collection from a snapshot (Qdrant: PUT /collections/NAME/snapshots/recover), or the folder from a "
    "backup of the file system, before anything else is started on it."
)


@dataclass(frozen=True)
class Sign:
    """One row. A line that fits `pattern` speaks for `cause`, of which `confidence` says how sure that is."""

    cause: str
    pattern: re.Pattern[str]
    summary: str
    next: str
    confidence: str = "certain"


def _any(*texts: str) -> re.Pattern[str]:
    return re.compile("|".join(texts), re.IGNORECASE)


# The first row that fits a line is its sign. Narrow rows stand above wide ones.
SIGNS: tuple[Sign, ...] = (
    Sign(
        "newer_qdrant",
        _any(r"RocksDB is not supported in this Qdrant version"),
        "This Qdrant no longer reads the RocksDB files that an older one has left in the store.",
        "Go back to the image that ran before (1.17 or older), let it migrate its segments, and only then take the new "
        "one. Nothing is lost, and no lock is in the way.",
    ),
    Sign(
        "disk_full",
        _any(r"No space left on device", r"Disk quota exceeded", r"\bStorageFull\b", r"os error (28|122)\b"),
        "The disk is full: the task's own (20 GiB on Fargate unless ephemeralStorage says more), or a quota.",
        "See in which folder the line's path lies. Raise ephemeralStorage in the task definition, or make room; "
        "snapshots and temporary files are the usual cause.",
    ),
    Sign(
        "too_many_files",
        _any(r"Too many open files", r"os error 24\b"),
        "The process may open no more files.",
        "Raise the nofile limit of the container (ulimits in the task definition; Qdrant wants some ten thousands), "
        "or have fewer segments.",
    ),
    Sign(
        "read_only",
        _any(r"Read-only file system", r"os error 30\b"),
        "The store is mounted read-only.",
        "Give the task role elasticfilesystem:ClientWrite, and take readOnly from the container's mount point.",
    ),
    Sign(
        "stale_handle",
        _any(r"Stale (NFS )?file handle", r"os error 116\b"),
        "Files of the store were removed or replaced while it was open.",
        "Find out who did that (a restoration, a clean-up job, another environment), then start a new task. "
        + "If the store does not load then: "
        + _SNAPSHOT,
        "likely",
    ),
    Sign(
        "lost_connection",
        _any(r"Input/output error", r"os error 5\)"),
        "The file system did not answer, or the connection to it was lost.",
        "Look at the file system's state and its burst credits or throughput (CloudWatch, AWS/EFS), then start a new "
        "task.",
        "likely",
    ),
    Sign(
        "files_still_open",
        _any(r"Directory not empty \(os error 39\)"),
        "A folder cannot be removed because some client still has a file in it open.",
        "Find the other client: everything that mounts the file system is listed where more than one does.",
        "likely",
    ),
    Sign(
        "corruption",
        _any(
            r"\bCorruption: ",
            r"checksum mismatch",
            r"Not an sstable",
            r"CURRENT file (corrupted|does not end)",
            r"RocksDB open error: .*(MANIFEST|\.sst).*No such file",
            r"\bUnexpectedEof\b",
            r"failed to fill whole buffer",
            r"deserializ\w+ error",
            r"(segment|WAL|wal) .*(is corrupt|corrupted)",
            r"invalid (CRC|checksum)",
        ),
        "Files of the store are damaged or incomplete.",
        "Unlocking does not mend this, and removes nothing that is needed. Stop the service, and keep a copy of the "
        f"folder as it is. {_SNAPSHOT}",
        "likely",
    ),
)


def sign_of(line: str) -> Sign | None:
    """The first row that fits."""
    # A lock is symptoms.py's; only "Too many open files" may stand in the same sentence.
    if "While lock file:" in line:
        return None
    return next((sign for sign in SIGNS if sign.pattern.search(line)), None)
