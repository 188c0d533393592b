# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Snapshots of collections: real archives of the engine's real files, outside of the storage as Qdrant has them (F.1).

What other engines make at their start, or only hold to lock, is left out: RocksDB's `LOCK` and logs, and the
write-ahead log, which is empty once everything was flushed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, cast

from sandbox.store.engine import Engine, LoadError, RequestError

_PEER = 8254862430143042
_LEFT_OUT = frozenset({"LOCK", "LOG", "wal"})
_PIECE = 1 << 16


class Snapshots:
    """The snapshots of one server, in a folder of their own; `checksums` came with Qdrant 1.8."""

    def __init__(self, engine: Engine, *, storage: Path, folder: Path, checksums: bool) -> None:
        self._engine = engine
        self._storage = storage
        self._folder = folder
        self._checksums = checksums

    def place(self, collection: str, name: str) -> Path | None:
        """The file of a snapshot; None if there is none."""
        path = self._folder / collection / name
        return path if Path(name).name == name and path.is_file() else None

    def listed(self, collection: str) -> list[dict[str, Any]]:
        """Each snapshot of a collection as Qdrant describes it."""
        folder = self._folder / collection
        return [self._described(path) for path in sorted(folder.glob("*.snapshot"))] if folder.is_dir() else []

    def create(self, collection: str) -> dict[str, Any]:
        """Make one; nobody writes meanwhile."""
        now = datetime.now(UTC)
        folder = self._folder / collection
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{collection}-{_PEER}-{now:%Y-%m-%d-%H-%M-%S}.snapshot"
        while path.exists():
            path = path.with_name(f"{path.stem}-again.snapshot")
        temporary = path.with_suffix(".tmp")
        with temporary.open("wb") as file, self._engine.still(collection) as source:
            with tarfile.open(fileobj=cast("IO[bytes]", _Sparse(file)), mode="w") as archive:
                archive.add(source, arcname=".", filter=_wanted)
            # The archive's own end is zeros, which were only skipped.
            file.truncate()
        temporary.replace(path)
        return self._described(path)

    def delete(self, collection: str, name: str) -> bool:
        """Whether there was one."""
        path = self.place(collection, name)
        if path:
            path.unlink()
        return path is not None

    def keep(self, collection: str, name: str, content: memoryview) -> Path:
        """An uploaded snapshot, under the name that its sender gave it."""
        folder = self._folder / collection
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / (Path(name).name or "uploaded.snapshot")
        with path.open("wb") as file:
            sparse = _Sparse(file)
            for start in range(0, len(content), _PIECE):
                sparse.write(bytes(content[start : start + _PIECE]))
            file.truncate()
        return path

    def recover(self, collection: str, path: Path) -> None:
        """Have the collection be what the snapshot has; RequestError, with nothing changed, where it is none."""
        # On the storage's own disk, so that the collection can change in one step.
        fresh = self._storage / "snapshots_tmp" / collection
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            _unpack(path, fresh)
            self._check(collection, fresh)
            self._engine.replace(self._storage, collection, fresh)
        except (tarfile.TarError, OSError, KeyError, ValueError) as error:
            raise RequestError(f"Failed to unpack snapshot: {error}") from error
        except LoadError as error:
            raise RequestError(str(error)) from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _check(self, collection: str, fresh: Path) -> None:
        vectors = json.loads((fresh / "config.json").read_text())["params"]["vectors"]
        if collection in self._engine.collections:
            there = self._engine.config(collection)["params"]["vectors"]
            if there != vectors:
                raise RequestError("Snapshot is not compatible with existing collection: Collection vectors differ")

    def _described(self, path: Path) -> dict[str, Any]:
        status = path.stat()
        made = datetime.fromtimestamp(status.st_mtime, UTC)
        told: dict[str, Any] = {
            "name": path.name,
            "creation_time": f"{made:%Y-%m-%dT%H:%M:%S}",
            "size": status.st_size,
        }
        if self._checksums:
            with path.open("rb") as file:
                told["checksum"] = hashlib.file_digest(file, "sha256").hexdigest()
        return told


class _Sparse:
    """A file that is written with holes where there would be zeros: the engine's files are mostly that."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, piece: bytes) -> int:
        if piece.count(0) == len(piece):
            self._file.seek(len(piece), 1)
        else:
            self._file.write(piece)
        return len(piece)

    def tell(self) -> int:
        return self._file.tell()


def _wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = Path(member.name).name
    return None if name in _LEFT_OUT or name.startswith("LOG.old") else member


def _unpack(path: Path, target: Path) -> None:
    target.mkdir(parents=True)
    with tarfile.open(path, "r:") as archive:
        for member in archive:
            there = (target / member.name).resolve()
            if not there.is_relative_to(target.resolve()):
                raise RequestError(f"Failed to unpack snapshot: {member.name} is outside of it")
            if member.isdir():
                there.mkdir(parents=True, exist_ok=True)
            elif (source := archive.extractfile(member)) is not None:
                with there.open("wb") as file:
                    sparse = _Sparse(file)
                    while piece := source.read(_PIECE):
                        sparse.write(piece)
                    file.truncate()


__all__ = ["Snapshots"]
