# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Qdrant holds: its collections, their counts, shards, settings and aliases.

Private to wwhd.qdrant_ops. Works with Qdrant 1.7 and later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.client import Qdrant, RefusedError
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.probe import (
    Probe,
    collection_path,
    probe_collection,
)

__all__ = ["aliases_by_collection", "describe_collection", "list_collections", "payload_indexes", "shards", "vectors"]


def list_collections(qdrant: Qdrant) -> list[str]:
    """The names of all collections, sorted. Aliases are not among them."""
    doing = "list the collections"
    try:
        result = qdrant.call("GET", "/collections", doing=doing)
    except RefusedError as refused:
        raise OperationFailed(
            f"Could not {doing} of {qdrant.shown}: it answered {refused.status}, {refused.reason}. Check the url."
        ) from refused
    listed = result.get("collections") if isinstance(result, dict) else None
    if not isinstance(listed, list):
        raise OperationFailed(
            f"Could not {doing} of {qdrant.shown}: its answer has no collections in it. "
            "Give the base address of Qdrant's REST API in url."
        )
    return sorted(str(collection["name"]) for collection in listed)


def aliases_by_collection(qdrant: Qdrant) -> dict[str, list[str]] | None:
    """The aliases of each collection that has some; None where they can't be read."""
    result = qdrant.optional("/aliases", doing="list the aliases")
    listed = result.get("aliases") if isinstance(result, dict) else None
    if not isinstance(listed, list):
        return None
    found: dict[str, list[str]] = {}
    for alias in listed:
        found.setdefault(str(alias["collection_name"]), []).append(str(alias["alias_name"]))
    return {name: sorted(names) for name, names in found.items()}


def describe_collection(
    qdrant: Qdrant, name: str, *, exact: bool, query: bool, aliases: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any] | None:
    """One collection as the module returns it; None if there is none of that name."""
    try:
        info = qdrant.call("GET", collection_path(name), doing=f"describe the collection {name!r}")
        count = info.get("points_count")
        if exact:
            doing = f"count the points of the collection {name!r}"
            body = {"exact": True}
            count = qdrant.call("POST", collection_path(name, "/points/count"), body=body, doing=doing)["count"]
        probe = probe_collection(qdrant, name) if query else Probe(None, "not asked for")
    except RefusedError as refused:
        if refused.status == HTTPStatus.NOT_FOUND:
            return None
        raise OperationFailed(
            f"Could not read the collection {name!r} of {qdrant.shown}: it answered {refused.status}, "
            f"{refused.reason}. Check the collection with GET {qdrant.shown}{collection_path(name)}."
        ) from refused
    optimizer = info.get("optimizer_status")
    params = _mapping(_mapping(info.get("config")).get("params"))
    doing = f"read the shards of the collection {name!r}"
    cluster = qdrant.optional(collection_path(name, "/cluster"), doing=doing)
    return {
        "name": name,
        "aliases": None if aliases is None else list(aliases.get(name, ())),
        "status": info.get("status"),
        "optimizer_status": optimizer.get("error") if isinstance(optimizer, dict) else optimizer,
        "warnings": [_message(warning) for warning in info.get("warnings") or ()],
        "points_count": count,
        "indexed_vectors_count": info.get("indexed_vectors_count"),
        "segments_count": info.get("segments_count"),
        "vectors": vectors(params.get("vectors")),
        "sparse_vectors": sorted(_mapping(params.get("sparse_vectors"))),
        "payload_indexes": payload_indexes(info.get("payload_schema")),
        "shard_number": params.get("shard_number"),
        "replication_factor": params.get("replication_factor"),
        "shards": shards(cluster),
        "shard_transfers": len(cluster.get("shard_transfers") or ()) if isinstance(cluster, dict) else None,
        "query_hits": probe.hits,
        "query_note": probe.note,
    }


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _message(warning: Any) -> str:
    return str(warning.get("message", warning)) if isinstance(warning, dict) else str(warning)


def vectors(params: Any) -> dict[str, dict[str, Any]]:
    """Size and distance of each dense vector by name; the name is empty for a collection whose vector has none."""
    configured = _mapping(params)
    by_name = {"": configured} if "size" in configured and not isinstance(configured["size"], dict) else configured
    return {
        str(name): {"size": one.get("size"), "distance": one.get("distance")}
        for name, one in by_name.items()
        if isinstance(one, dict)
    }


def payload_indexes(schema: Any) -> dict[str, str]:
    """The type of the index on each payload field that has one."""
    return {str(field): str(_mapping(entry).get("data_type") or "unknown") for field, entry in _mapping(schema).items()}


def shards(cluster: Any) -> list[dict[str, Any]] | None:
    """Every replica of every shard that the peer knows of, its own ones with a count; None if they can't be read."""
    if not isinstance(cluster, dict):
        return None
    replicas = [
        {
            "shard_id": replica.get("shard_id"),
            "peer_id": cluster.get("peer_id") if local else replica.get("peer_id"),
            "local": local,
            "state": replica.get("state"),
            "points_count": replica.get("points_count") if local else None,
        }
        for local, found in ((True, cluster.get("local_shards")), (False, cluster.get("remote_shards")))
        for replica in found or ()
    ]
    return sorted(
        replicas, key=lambda replica: (replica["shard_id"] or 0, not replica["local"], replica["peer_id"] or 0)
    )
