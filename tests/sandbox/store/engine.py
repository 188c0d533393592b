# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A running store: Qdrant's own engine for the points, RocksDB's own locks beside it.

Real Qdrant opens a shard's write-ahead log before its RocksDB folders. The engine here opens log and segments in one
step, so RocksDB goes first: a store that is refused must not have replayed another one's log.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import qdrant_edge
import rocksdict

from sandbox.store import flocks, layout, texts

_WAL_PATIENCE = 1.0


class LoadError(Exception):
    """A collection could not be loaded; the text is Qdrant's own."""


class RequestError(Exception):
    """A request that the engine refuses; the text is Qdrant's own."""


class Collection(NamedTuple):
    """An open collection, with the databases and descriptors that hold its locks."""

    name: str
    folder: Path
    shards: list[qdrant_edge.EdgeShard]
    databases: list[rocksdict.Rdict]
    descriptors: list[int]


class Engine:
    """All collections of one storage folder; safe for use by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._operation = 0
        self.collections: dict[str, Collection] = {}

    def load(self, storage: Path) -> None:
        """Open every collection; LoadError for the first that cannot be."""
        for folder in layout.collections(storage):
            self.collections[folder.name] = _open(folder)

    def count(self, name: str) -> int:
        """The exact number of points."""
        return sum(self.shard_counts(name))

    def shard_counts(self, name: str) -> list[int]:
        """The exact number of points of each shard, in the order of their numbers."""
        with self._lock:
            return [int(shard.count(qdrant_edge.CountRequest(exact=True))) for shard in self._shards(name)]

    def segments(self, name: str) -> int:
        """The number of segments."""
        with self._lock:
            return sum(shard.info().segments_count for shard in self._shards(name))

    def config(self, name: str) -> dict[str, Any]:
        """What config.json says of the collection."""
        content: dict[str, Any] = json.loads((self.collections[name].folder / "config.json").read_text())
        return content

    def scroll(self, name: str, *, offset: Any, limit: int, payload: Any, vector: Any) -> tuple[list[Any], Any]:
        """A page of points, and the offset of the next page or None."""
        request = qdrant_edge.ScrollRequest(offset=offset, limit=limit, with_payload=payload, with_vector=vector)
        with self._lock:
            points, following = self._shards(name)[0].scroll(request)
        return list(points), following

    def retrieve(self, name: str, ids: Sequence[Any], *, payload: Any, vector: Any) -> list[Any]:
        """The points of those numbers that exist."""
        with self._lock:
            return list(self._shards(name)[0].retrieve(list(ids), payload, vector))

    def nearest(
        self, name: str, vector: Sequence[float], *, limit: int, offset: int, payload: Any, vectors: Any
    ) -> list[Any]:
        """The points that are most like ``vector``, best first; RequestError for a vector of another size."""
        query = qdrant_edge.Query.Nearest(list(vector))
        request = qdrant_edge.QueryRequest(
            query=query, limit=limit, offset=offset, with_payload=payload, with_vector=vectors
        )
        with self._lock:
            try:
                return list(self._shards(name)[0].query(request))
            except Exception as error:
                raise RequestError(str(error)) from error

    def upsert(self, name: str, points: Sequence[tuple[Any, list[float], dict[str, Any]]]) -> int:
        """Write points to the log; the number of the operation. RequestError for a vector of another size."""
        batch = [qdrant_edge.Point(*point) for point in points]
        with self._lock:
            try:
                self._shards(name)[0].update(qdrant_edge.UpdateOperation.upsert_points(batch))
            except Exception as error:
                raise RequestError(str(error)) from error
            for database in self.collections[name].databases[:1]:
                for number, _vector, payload in points:
                    database[str(number).encode()] = json.dumps(payload).encode()
            self._operation += 1
            return self._operation

    @contextlib.contextmanager
    def still(self, name: str) -> Iterator[Path]:
        """The folder of a collection, with everything in its files, while nobody reads or writes it."""
        with self._lock:
            collection = self.collections[name]
            for shard in collection.shards:
                shard.flush()
            for database in collection.databases:
                database.flush()
            yield collection.folder

    def replace(self, storage: Path, name: str, fresh: Path) -> None:
        """Have the files of ``fresh`` be the collection's; what was there is gone."""
        with self._lock:
            self._drop(name)
            folder = storage / "collections" / name
            folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(fresh, folder)
            self.collections[name] = _open(folder)

    def drop(self, name: str) -> bool:
        """Remove a collection with its files; whether there was one."""
        with self._lock:
            return self._drop(name)

    def _drop(self, name: str) -> bool:
        collection = self.collections.pop(name, None)
        if collection is not None:
            _close(collection)
            shutil.rmtree(collection.folder)
        return collection is not None

    def close(self) -> None:
        """Flush and close everything."""
        with self._lock:
            for collection in self.collections.values():
                _close(collection)
            self.collections.clear()

    def _shards(self, name: str) -> list[qdrant_edge.EdgeShard]:
        return self.collections[name].shards


def _close(collection: Collection) -> None:
    """The second kind of lock goes last, as the first goes with its database."""
    for shard in collection.shards:
        shard.flush()
        shard.close()
    for database in collection.databases:
        database.close()
    for descriptor in collection.descriptors:
        os.close(descriptor)


def _open(folder: Path) -> Collection:
    collection = Collection(name=folder.name, folder=folder, shards=[], databases=[], descriptors=[])
    for shard in layout.shards(folder):
        for segment in layout.segments(shard):
            for place in layout.rocksdb_folders(segment):
                _open_rocksdb(collection, shard, place)
        collection.shards.append(_open_shard(shard))
    return collection


def _open_rocksdb(collection: Collection, shard: Path, place: Path) -> None:
    options = rocksdict.Options(raw_mode=True)
    options.set_keep_log_file_num(2)
    # A relative Path loses its "./", which Qdrant's message has.
    folder = texts.relative(place)
    try:
        collection.databases.append(rocksdict.Rdict(folder, options))
    except Exception as error:
        raise LoadError(texts.rocksdb_failed(shard, str(error))) from error
    # On NFS flock and POSIX locks meet. The descriptor stays open for good: closing any descriptor of this file would
    # drop the POSIX lock that RocksDB has on it.
    descriptor = os.open(place / layout.ROCKSDB_LOCK, os.O_RDWR)
    collection.descriptors.append(descriptor)
    if not flocks.flock(descriptor):
        raise LoadError(texts.rocksdb_failed(shard, texts.rocksdb_held(folder)))


def _open_shard(folder: Path) -> qdrant_edge.EdgeShard:
    deadline = time.monotonic() + _WAL_PATIENCE
    while True:
        try:
            shard = qdrant_edge.EdgeShard.load(texts.relative(folder))
        except Exception as error:
            if "WouldBlock" not in str(error):
                raise LoadError(texts.shard_failed(folder, str(error))) from error
            if time.monotonic() >= deadline:
                raise LoadError(texts.wal_held(folder)) from error
            time.sleep(0.05)
        else:
            _keep_wal_lock_local(folder / "wal")
            return shard


def _keep_wal_lock_local(wal: Path) -> None:
    """Undo the engine's flock on its log's folder.

    NFS keeps a flock on a directory on the client that took it: a store in another container, which is another client,
    never sees it (facts E.1, F.6). On this machine's file system it would.
    """
    wanted = wal.stat()
    for name in [entry.name for entry in Path("/proc/self/fd").iterdir()]:
        with contextlib.suppress(OSError):
            status = os.fstat(int(name))
            if (status.st_dev, status.st_ino) == (wanted.st_dev, wanted.st_ino):
                fcntl.flock(int(name), fcntl.LOCK_UN)


__all__ = ["Collection", "Engine", "LoadError", "RequestError"]
