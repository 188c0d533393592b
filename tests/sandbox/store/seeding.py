# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the access point's tree: two collections, a client's cache and two databases of the application."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import uuid
from functools import cache
from pathlib import Path
from typing import Any

from sandbox.store import layout
from sandbox.store.inspection import copy_sparse

COUNTS = {"documents": 240, "conversations": 60}
_CODE = Path(__file__).resolve().parents[2]


def seed(root: Path) -> dict[str, int]:
    """Fill the empty folder ``root`` (made if missing); the exact point count of each collection."""
    copy_sparse(Path(_template().name), root)
    return dict(COUNTS)


@cache
def _template() -> tempfile.TemporaryDirectory[str]:
    """A seeded folder to copy from: making one costs the engines dozens of fsyncs. It goes when this process ends.

    Made in a process of its own: the engines' threads and locks must not stay in the caller.
    """
    folder = tempfile.TemporaryDirectory(prefix="qdrant-ops-seed-")
    script = "import pathlib, sys; from sandbox.store import seeding; seeding.write(pathlib.Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", script, folder.name],
        env={"PYTHONPATH": str(_CODE)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"The sandbox's store could not be seeded in {folder.name}: {done.stderr.strip()}")
    return folder


def points(name: str, count: int) -> list[tuple[int, list[float], dict[str, Any]]]:
    """The seeded points of a collection: number, vector, payload; the same ones each time."""
    chance = random.Random(name)
    return [
        (
            number,
            [round(chance.uniform(-1, 1), 4) for _turn in range(layout.VECTOR_SIZE)],
            {"text": f"{name} passage {number}", "source": f"doc-{number % 12:02d}.pdf", "chunk": number // 12},
        )
        for number in range(1, count + 1)
    ]


def write(root: Path) -> None:
    """Everything beneath ``root``, in this process."""
    _write_json(root / "raft_state.json", _raft_state())
    _write_json(root / "aliases" / "data.json", {})
    for name, count in COUNTS.items():
        _write_collection(root / "collections" / name, name, count)
    _write_client_cache(root / layout.CLIENT_CACHE)
    for name in layout.DATABASES:
        with sqlite3.connect(root / name) as database:
            database.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, body TEXT NOT NULL)")
            database.executemany(
                "INSERT INTO messages (body) VALUES (?)", [(f"message {n} of {name}",) for n in range(20)]
            )
        database.close()


def _write_collection(folder: Path, name: str, count: int) -> None:
    import qdrant_edge  # noqa: PLC0415  (only the child process needs the engines)
    import rocksdict  # noqa: PLC0415

    shard_folder = folder / "0"
    shard_folder.mkdir(parents=True)
    params = qdrant_edge.EdgeVectorParams(size=layout.VECTOR_SIZE, distance=qdrant_edge.Distance.Cosine)
    shard = qdrant_edge.EdgeShard.create(str(shard_folder), qdrant_edge.EdgeConfig(vectors=params))
    rows = points(name, count)
    shard.update(qdrant_edge.UpdateOperation.upsert_points([qdrant_edge.Point(*row) for row in rows]))
    shard.flush()
    shard.close()
    for segment in layout.segments(shard_folder):
        for place in (segment, segment / "payload_index"):
            database = rocksdict.Rdict(str(place), rocksdict.Options(raw_mode=True))
            for number, _vector, payload in rows:
                database[number.to_bytes(8, "big")] = json.dumps(payload).encode()
            database.flush()
            database.close()
    _write_json(folder / "config.json", _collection_config())
    (folder / "version.info").write_text("1.7.4")
    _write_json(folder / "payload_index.json", {"schema": {}})
    _write_json(shard_folder / "shard_config.json", {"type": "ReplicaSet"})
    _write_json(shard_folder / "replica_state.json", {"is_local": True, "this_peer_id": 0, "peers": {"0": "Active"}})


def _write_client_cache(folder: Path) -> None:
    place = folder / "collection" / "cache"
    place.mkdir(parents=True)
    params = {"vectors": {"size": layout.VECTOR_SIZE, "distance": "Cosine"}}
    _write_json(folder / "meta.json", {"collections": {"cache": params}, "aliases": {}})
    with sqlite3.connect(place / "storage.sqlite") as database:
        database.execute("CREATE TABLE points (id TEXT PRIMARY KEY, point BLOB)")
    database.close()
    (folder / layout.CLIENT_LOCK).write_text(layout.CLIENT_LOCK_TEXT)


def _collection_config() -> dict[str, Any]:
    return {
        "params": {
            "vectors": {"size": layout.VECTOR_SIZE, "distance": "Cosine"},
            "shard_number": 1,
            "replication_factor": 1,
            "write_consistency_factor": 1,
            "on_disk_payload": True,
        },
        "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000, "max_indexing_threads": 0},
        "optimizer_config": {
            "deleted_threshold": 0.2, "vacuum_min_vector_number": 1000, "default_segment_number": 0,
            "max_segment_size": None, "memmap_threshold": None, "indexing_threshold": 20000, "flush_interval_sec": 5,
            "max_optimization_threads": 1,
        },
        "wal_config": {"wal_capacity_mb": 32, "wal_segments_ahead": 0},
        "quantization_config": None,
    }  # fmt: skip


def _raft_state() -> dict[str, Any]:
    hard_state = {"term": 0, "vote": 0, "commit": 0}
    return {
        "state": {"hard_state": hard_state, "conf_state": {"voters": [1]}},
        "latest_snapshot_meta": {"term": 0, "index": 0},
        "apply_progress_queue": None,
        "peer_address_by_id": {},
        "this_peer_id": uuid.uuid4().int >> 65,
    }


def _write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


__all__ = ["COUNTS", "points", "seed", "write"]
