# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a store that nobody runs, without the server: exact counts, and a digest of all but the locks."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

from sandbox.store import layout

_BLOCK = 1 << 16
_COUNT = (
    "import json, pathlib, sys; from sandbox.store import inspection;"
    "print(json.dumps(inspection.exact_counts(pathlib.Path(sys.argv[1]))))"
)
_CODE = Path(__file__).resolve().parents[2]


def read_counts(root: Path) -> dict[str, int]:
    """The exact number of points of each collection in the storage folder ``root``.

    Works on a copy in another process, so that no byte of ``root`` changes; the store must not be running.
    """
    with tempfile.TemporaryDirectory(prefix="counts-") as scratch:
        copy = Path(scratch)
        copy_sparse(root / "collections", copy / "collections")
        told = subprocess.run(
            [sys.executable, "-c", _COUNT, str(copy)],
            env={"PYTHONPATH": str(_CODE)}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if told.returncode:
            raise RuntimeError(f"The collections in {root} cannot be read: {told.stderr.strip()}")
        counts: dict[str, int] = json.loads(told.stdout)
        return counts


def fingerprint(root: Path) -> str:
    """A SHA-256 of every name, mode and byte beneath ``root``, except the store's lock files (see ``lock_files``)."""
    digest = hashlib.sha256()
    for folder, folders, names in os.walk(root):
        folders.sort()
        digest.update(f"D {os.path.relpath(folder, root)}\0".encode())
        for path in (Path(folder, name) for name in sorted(names)):
            if layout.is_lock(path):
                continue
            status = path.lstat()
            digest.update(f"F {path.relative_to(root)} {status.st_mode:o} {status.st_size}\0".encode())
            if stat.S_ISLNK(status.st_mode):
                digest.update(str(path.readlink()).encode())
            elif stat.S_ISREG(status.st_mode):
                for offset, block in _data(path):
                    digest.update(f"{offset}:".encode() + block)
    return digest.hexdigest()


def copy_sparse(source: Path, target: Path) -> None:
    """Copy a tree and leave its holes as holes: the engine's files are 32 MiB each, and almost empty."""
    for folder, _folders, names in os.walk(source):
        there = target / os.path.relpath(folder, source)
        there.mkdir(parents=True, exist_ok=True)
        for name in names:
            copy_file_sparse(Path(folder, name), there / name)


def copy_file_sparse(source: str | Path, target: str | Path) -> None:
    """One file, with its holes as holes and its mode."""
    with Path(target).open("wb") as copy:
        for offset, block in _data(Path(source)):
            copy.seek(offset)
            copy.write(block)
        copy.truncate(Path(source).stat().st_size)
    shutil.copymode(source, target)


def _data(path: Path) -> list[tuple[int, bytes]]:
    """The blocks of a file that hold anything but zeros, with their offsets."""
    found: list[tuple[int, bytes]] = []
    with path.open("rb", buffering=0) as stream:
        size = os.fstat(stream.fileno()).st_size
        offset = 0
        while offset < size:
            try:
                offset = os.lseek(stream.fileno(), offset, os.SEEK_DATA) // _BLOCK * _BLOCK
            except OSError:
                break
            block = os.pread(stream.fileno(), _BLOCK, offset)
            if block.strip(b"\0"):
                found.append((offset, block))
            offset += _BLOCK
    return found


def exact_counts(root: Path) -> dict[str, int]:
    """The counts of ``root`` by opening it in this process, which writes to it."""
    import qdrant_edge  # noqa: PLC0415  (only the child process needs the engine)

    counts: dict[str, int] = {}
    for collection in layout.collections(root):
        counts[collection.name] = 0
        for folder in layout.shards(collection):
            shard = qdrant_edge.EdgeShard.load(str(folder))
            counts[collection.name] += shard.count(qdrant_edge.CountRequest(exact=True))
            shard.close()
    return counts


__all__ = ["copy_file_sparse", "copy_sparse", "exact_counts", "fingerprint", "read_counts"]
