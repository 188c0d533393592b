# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A test query: one point of a collection must be found by its own vector.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.client import (
    Qdrant,
    RefusedError,
    UnknownPathError,
)

__all__ = ["Probe", "Vector", "collection_path", "find_vector", "probe_collection"]

_HITS = 10


def collection_path(name: str, rest: str = "") -> str:
    """The path of a collection, or of what lies below it."""
    return f"/collections/{quote(name, safe='')}{rest}"


@dataclass(frozen=True)
class Probe:
    """The test query's outcome: how many points it hit (None where none could be asked), and a word on it."""

    hits: int | None
    note: str | None


@dataclass(frozen=True)
class Vector:
    """A vector of one point; `using` is its name, None for a collection whose vector has none."""

    using: str | None
    value: Any
    sparse: bool = False

    def query_body(self, **more: Any) -> dict[str, Any]:
        """For points/query, Qdrant 1.10 and later."""
        return {"query": self.value, **({"using": self.using} if self.using is not None else {}), **more}

    def search_body(self, **more: Any) -> dict[str, Any]:
        """For points/search, all versions."""
        named = self.using is not None
        return {"vector": {"name": self.using, "vector": self.value} if named else self.value, **more}


def find_vector(vectors: Any) -> Vector | None:
    """The vector of a scrolled point to search with: dense before sparse, then by name; None if it has none."""
    if isinstance(vectors, list):
        return Vector(None, vectors) if vectors else None
    if not isinstance(vectors, dict):
        return None
    found = []
    for name, value in sorted(vectors.items()):
        if isinstance(value, list) and value:
            found.append(Vector(name, value))
        elif isinstance(value, dict) and value.get("indices"):
            found.append(Vector(name, value, sparse=True))
    return min(found, key=lambda vector: vector.sparse, default=None)


def probe_collection(qdrant: Qdrant, name: str) -> Probe:
    """Take one point, search with its own vector: that point must be found. Raises RefusedError and OperationFailed.

    A miss is tried once more with another look at the collection: the point may have been deleted in between.
    """
    probe = _probe_once(qdrant, name)
    return _probe_once(qdrant, name) if probe.hits == 0 else probe


def _probe_once(qdrant: Qdrant, name: str) -> Probe:
    body = {"limit": 1, "with_payload": False, "with_vector": True}
    doing = f"read a point of the collection {name!r}"
    points = qdrant.call("POST", collection_path(name, "/points/scroll"), body=body, doing=doing)["points"]
    if not points:
        return Probe(None, "the collection is empty")
    point_id = points[0]["id"]
    vector = find_vector(points[0].get("vector"))
    if vector is None:
        return Probe(None, f"point {point_id} has no vector")
    try:
        hits = _search(qdrant, name, vector, limit=_HITS)
        if point_id in hits:
            return Probe(len(hits), None)
        # Not among the nearest need not mean lost: by dot product, or among many equal vectors, others come first.
        only_it = {"must": [{"has_id": [point_id]}]}
        if point_id in _search(qdrant, name, vector, limit=1, filter=only_it):
            return Probe(max(len(hits), 1), f"point {point_id} is found, but others are nearer to its own vector")
    except RefusedError as refused:
        if refused.status == HTTPStatus.NOT_FOUND:
            raise
        return Probe(None, f"the test query was refused ({refused.status}: {refused.reason})")
    return Probe(0, f"point {point_id} is not found by its own vector")


def _search(qdrant: Qdrant, name: str, vector: Vector, **options: Any) -> list[Any]:
    """The ids of the points hit, nearest first."""
    doing = f"query the collection {name!r}"
    more = {"with_payload": False, "with_vector": False, **options}
    try:
        body = vector.query_body(**more)
        found = qdrant.call("POST", collection_path(name, "/points/query"), body=body, doing=doing, since="1.10")[
            "points"
        ]
    except (UnknownPathError, RefusedError) as error:
        if isinstance(error, RefusedError) and error.status != HTTPStatus.NOT_FOUND:
            raise
        found = qdrant.call(
            "POST", collection_path(name, "/points/search"), body=vector.search_body(**more), doing=doing
        )
    return [point["id"] for point in found]
