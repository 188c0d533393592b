# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small store on a real folder: what Qdrant's looks like to a cleaner, and what must never change in it."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

_SEGMENT = "collections/documents/0/segments/5a7c1d3e"
LOCKS = (f"{_SEGMENT}/LOCK", f"{_SEGMENT}/payload_index/LOCK")
CLIENT_LOCK = "client_cache/.lock"
_CONTENT = {
    f"{_SEGMENT}/CURRENT": "MANIFEST-000005\n",
    f"{_SEGMENT}/MANIFEST-000005": "manifest of the segment",
    f"{_SEGMENT}/000004.log": "rocksdb's own log",
    f"{_SEGMENT}/payload_index/CURRENT": "MANIFEST-000007\n",
    f"{_SEGMENT}/payload_index/000006.sst": "payload",
    "collections/documents/0/wal/open-1": "operations that are not flushed yet",
    "collections/documents/config.json": '{"params": {"vectors": {"size": 8, "distance": "Cosine"}}}',
    "raft_state.json": "{}",
    "client_cache/meta.json": "{}",
    # Nobody's locks, whatever they are called: the rule keeps each of them.
    "notes/LOCK": "this folder has no CURRENT beside it",
    "app.db": "another database",
}
FREE_LOCKS = ("collections/documents/0/data.mdb.lock", "stale.lock")


def make_store(folder: Path, *, leftovers: bool = True) -> None:
    """The seeded store; `leftovers` adds lock files that nobody will ever hold."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in _CONTENT.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    for name in (*LOCKS, CLIENT_LOCK, *(FREE_LOCKS if leftovers else ())):
        (folder / name).touch()


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file beneath the folder with a hash of what is in it."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink() or not path.is_file():
            found[name] = "link" if path.is_symlink() else "other"
        else:
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def may_be_removed(name: str) -> bool:
    """Whether a cleaner with the default patterns may remove this file of the seeded store, if nobody holds it."""
    return name in LOCKS or name == CLIENT_LOCK or name in FREE_LOCKS


__all__ = ["CLIENT_LOCK", "FREE_LOCKS", "LOCKS", "fingerprint", "make_store", "may_be_removed"]
