# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How collections differ from an earlier result.

Private to wwhd.qdrant_ops. Pure. What the earlier result does not tell (it may be an older version's) is not compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.differences import (
    Difference,
    checked_count,
    count_difference,
    missing,
)

__all__ = ["TOLERABLE", "differences_from_baseline", "parse_baseline"]

_WERE = "were there before"
_OK = ("ok", None)

# What is compared, beside numbers and words: the field, its form, and that of its items.
_COMPARED: tuple[tuple[str, type, type], ...] = (
    ("aliases", list, str),
    ("payload_indexes", dict, str),
    ("shards", list, dict),
    ("sparse_vectors", list, str),
    ("vectors", dict, dict),
)

# The kinds of difference that an operator may expect, of a service that is in use for example.
TOLERABLE = (
    "aliases",
    "fewer_points",
    "missing_collection",
    "more_points",
    "new_collection",
    "optimizer",
    "payload_indexes",
    "shards",
    "status",
    "vectors",
)


def parse_baseline(baseline: Sequence[Any] | None, *, exact: bool) -> dict[str, dict[str, Any]] | None:
    """The option `baseline`, an earlier result's `collections`, by name. Raises OperationFailed."""
    if baseline is None:
        return None
    if not exact:
        raise OperationFailed(
            "baseline is given, but exact is false: approximate counts prove nothing, set it to true."
        )
    by_name: dict[str, dict[str, Any]] = {}
    for position, entry in enumerate(baseline):
        if not isinstance(entry, dict) or not entry.get("name"):
            raise OperationFailed(
                f"baseline: entry {position} has no name: give the collections of an earlier result as they are."
            )
        name = str(entry["name"])
        count = entry.get("points_count")
        count = None if count is None else checked_count(count, option=f"baseline: the points_count of {name!r}")
        _check_kinds(name, entry)
        by_name[name] = {**entry, "points_count": count}
    return by_name


def _check_kinds(name: str, entry: Mapping[str, Any]) -> None:
    """What is compared must have the form in which it is returned."""
    for field, kind, of in _COMPARED:
        value = entry.get(field)
        items = list(value.values()) if isinstance(value, dict) else value
        if value is not None and not (isinstance(value, kind) and all(isinstance(item, of) for item in items or ())):
            raise OperationFailed(
                f"baseline: the {field} of {name!r} are not what this module returns: give the collections of an "
                "earlier result as they are."
            )


def differences_from_baseline(
    collections: Mapping[str, Mapping[str, Any] | None],
    baseline: Mapping[str, Mapping[str, Any]],
    *,
    tolerate: Sequence[str] = (),
) -> list[Difference]:
    """Each collection that is gone, new, or not as before, but for the kinds of difference to tolerate."""
    found = [
        difference for name, before in baseline.items() for difference in _compare(name, collections.get(name), before)
    ]
    found += [
        Difference("new_collection", name, f"The collection {name!r} is new (points: {now['points_count']}).")
        for name, now in collections.items()
        if now is not None and name not in baseline
    ]
    return [difference for difference in found if difference.kind not in tolerate]


def _compare(name: str, now: Mapping[str, Any] | None, before: Mapping[str, Any]) -> Iterator[Difference]:
    count = before["points_count"]
    if now is None:
        yield missing(name, count, were=_WERE)
        return
    if count is not None and now["points_count"] != count:
        yield count_difference(name, now["points_count"], count, were=_WERE)
    yield from _state(name, now, before)
    yield from _vectors(name, now, before)
    yield from _indexes(name, now, before)
    yield from _aliases(name, now, before)
    yield from _replicas(name, now, before)


def _state(name: str, now: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[Difference]:
    """Only what is worse: yellow and grey are a Qdrant at work, and come and go by themselves."""
    status, optimizer = now["status"], now["optimizer_status"]
    if status == "red" and before.get("status") != "red":
        text = f"The collection {name!r} is red now ({optimizer})."
        yield Difference("status", name, text, before=before.get("status"), after=status)
    elif optimizer not in _OK and before.get("optimizer_status") == "ok":
        text = f"The optimiser of the collection {name!r} fails now ({optimizer})."
        yield Difference("optimizer", name, text, before="ok", after=optimizer)


def _vectors(name: str, now: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[Difference]:
    for field, kind in (("vectors", "vector"), ("sparse_vectors", "sparse vector")):
        if before.get(field) is None or now.get(field) is None:
            continue
        for vector in before[field]:
            if vector not in now[field]:
                text = f"The collection {name!r} has no {kind} {vector!r} any more."
                yield Difference("vectors", name, text, before=vector)
        for vector in now[field]:
            if vector not in before[field]:
                text = f"The collection {name!r} has a new {kind} {vector!r}."
                yield Difference("vectors", name, text, after=vector)
    then, here = before.get("vectors") or {}, now.get("vectors") or {}
    for vector in [vector for vector in then if vector in here]:
        whose = f"The vector {vector!r}" if vector else "The vector"
        for setting, words in (("size", "size"), ("distance", "distance")):
            was, is_now = then[vector].get(setting), here[vector].get(setting)
            if was is not None and was != is_now:
                text = f"{whose} of the collection {name!r} has the {words} {is_now}, but had {was} before."
                yield Difference("vectors", name, text, before=was, after=is_now)


def _indexes(name: str, now: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[Difference]:
    """Only what is lost or another: an index more does no harm."""
    here = now.get("payload_indexes")
    for field, kind in (before.get("payload_indexes") or {}).items():
        if here is None or here.get(field) == kind:
            continue
        if field in here:
            text = f"The index on {field!r} of the collection {name!r} is of type {here[field]}, but was {kind} before."
        else:
            text = f"The collection {name!r} has no index on {field!r} any more."
        yield Difference("payload_indexes", name, text, before=kind, after=here.get(field))


def _aliases(name: str, now: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[Difference]:
    then, here = before.get("aliases"), now.get("aliases")
    if then is None or here is None:
        return
    for alias in then:
        if alias not in here:
            text = f"The alias {alias!r} does not lead to the collection {name!r} any more."
            yield Difference("aliases", name, text, before=alias)
    for alias in here:
        if alias not in then:
            text = f"The alias {alias!r} leads to the collection {name!r} now."
            yield Difference("aliases", name, text, after=alias)


def _replicas(name: str, now: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[Difference]:
    """By shard, not by peer: a peer that was replaced has another id, and the shard is as whole as before."""
    if before.get("shards") is None or now.get("shards") is None:
        return
    then, here = _active(before["shards"]), _active(now["shards"])
    for shard, were in sorted(then.items()):
        if here[shard] < were:
            states = ", ".join(str(replica["state"]) for replica in now["shards"] if replica["shard_id"] == shard)
            text = (
                f"The shard {shard} of the collection {name!r} has {here[shard]} active replicas, but {were} before "
                f"({states or 'it is gone'})."
            )
            yield Difference("shards", name, text, before=were, after=here[shard])


def _active(replicas: Sequence[Mapping[str, Any]]) -> Counter[Any]:
    return Counter(replica.get("shard_id") for replica in replicas if replica.get("state") == "Active")
