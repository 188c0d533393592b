# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All of it: what to look at, what to compare it with, and what that comes to.

Private to wwhd.qdrant_ops. Seconds everywhere, as floats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock, Pace, TimedOut, poll
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.baseline import differences_from_baseline
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.client import Qdrant
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.differences import Difference
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.expected import (
    Expected,
    differences_from_expected,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.reading import (
    aliases_by_collection,
    describe_collection,
    list_collections,
)

__all__ = ["Scope", "collections_info"]

_PACE = Pace(quick=1.0, slow=5.0)
# What may be a Qdrant still at work, with all of its points.
_PASSING = ("expectation", "not_ready", "optimizer", "shards", "status")

Collections = Mapping[str, "Mapping[str, Any] | None"]


@dataclass(frozen=True)
class Scope:
    """What to look at and what to compare it with. `names` None means every collection."""

    names: Sequence[str] | None = None
    exact: bool = True
    query: bool = True
    expected: Mapping[str, Expected] | None = None
    baseline: Mapping[str, Mapping[str, Any]] | None = None
    tolerate: Sequence[str] = ()
    fail_on_difference: bool = True
    wait: bool = False

    def wanted(self, listed: Sequence[str]) -> list[str]:
        """The names to look up: those asked for, and those that something is compared with."""
        chosen = listed if self.names is None else self.names
        return list(dict.fromkeys([*chosen, *(self.expected or {}), *(self.baseline or {})]))


@dataclass(frozen=True)
class Survey:
    """One look: what is there, and what is wrong with it. `failing` are the differences that are an error."""

    collections: Collections
    version: str | None
    ready: bool | None
    differences: Sequence[Difference]
    failing: Sequence[Difference]

    def result(self) -> dict[str, Any]:
        return {
            "changed": False,
            "collections": [collection for collection in self.collections.values() if collection is not None],
            "version": self.version,
            "ready": self.ready,
            "differences": [difference.text for difference in self.differences],
            "difference_details": [difference.described() for difference in self.differences],
        }


def collections_info(
    qdrant: Qdrant,
    *,
    scope: Scope,
    timeout: float,
    clock: Clock,
    on_change: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Read the collections and compare them; returns the module's result.

    `on_change` is told whenever a wait is for something else than at the look before.
    Raises OperationFailed where Qdrant can't be read, where `expected` is not met, where a collection does not answer,
    and (unless told otherwise) where the baseline differs; its details are then the same as the result.
    """
    if scope.names is not None and not all(scope.names):
        raise OperationFailed("collections has an empty name: take it out.")
    started_at = clock.utc_text()
    start = clock.monotonic()
    waited = told = ""

    def look() -> Survey:
        nonlocal told
        survey = _look(qdrant, scope)
        wrong = " ".join(difference.text for difference in survey.failing)
        if scope.wait and wrong and wrong != told:
            on_change(wrong)
        told = wrong
        return survey

    try:
        survey = poll(
            look,
            done=lambda survey: not scope.wait or not survey.failing,
            timeout=timeout,
            fingerprint=lambda survey: tuple(difference.text for difference in survey.failing),
            pace=_PACE,
            clock=clock,
        ).value
    except TimedOut as ended:
        survey = ended.observation.value
        waited = f" after {ended.observation.elapsed:.0f} s and {ended.observation.looks} looks"
    spent = {"started_at": started_at, "elapsed": round(clock.monotonic() - start, 3)}
    if survey.failing:
        raise OperationFailed(
            f"The collections of {qdrant.shown} are not as wanted{waited}: "
            f"{' '.join(difference.text for difference in survey.differences)} "
            f"{_next_step(survey.failing)}",
            details={**survey.result(), **spent},
        )
    return {**survey.result(), **spent}


def _next_step(failing: Sequence[Difference]) -> str:
    if all(difference.kind in _PASSING for difference in failing):
        return "Check Qdrant's log, and give it more time (wait, timeout) if it is still at work."
    return (
        "Let nobody write to them until that is understood; a snapshot or a backup of the file system has the "
        "points of before."
    )


def _look(qdrant: Qdrant, scope: Scope) -> Survey:
    listed = list_collections(qdrant)
    aliases = aliases_by_collection(qdrant)
    collections = {
        name: describe_collection(qdrant, name, exact=scope.exact, query=scope.query, aliases=aliases)
        for name in scope.wanted(listed)
    }
    ready = qdrant.ready()
    broken = [*_missing_by_name(collections, scope, listed), *_broken(collections, ready=ready)]
    unmet = differences_from_expected(collections, scope.expected or {})
    changed = (
        []
        if scope.baseline is None
        else differences_from_baseline(collections, scope.baseline, tolerate=scope.tolerate)
    )
    return Survey(
        collections,
        qdrant.version(),
        ready,
        _unique([*broken, *unmet, *changed]),
        _unique([*broken, *unmet, *(changed if scope.fail_on_difference else [])]),
    )


def _unique(differences: Sequence[Difference]) -> list[Difference]:
    return list({difference.text: difference for difference in reversed(differences)}.values())[::-1]


def _missing_by_name(collections: Collections, scope: Scope, listed: Sequence[str]) -> Iterator[Difference]:
    compared = {*(scope.expected or {}), *(scope.baseline or {})}
    there = f"there are {', '.join(listed)}" if listed else "there are no collections"
    for name in scope.names or ():
        if collections[name] is None and name not in compared:
            yield Difference("missing_collection", name, f"The collection {name!r} is missing: {there}.")


def _broken(collections: Collections, *, ready: bool | None) -> Iterator[Difference]:
    """What is wrong with any collection, whatever is expected of it."""
    if ready is False:
        yield Difference("not_ready", None, "Qdrant says at /readyz that some shards are not ready.")
    for name, found in collections.items():
        if found is None:
            continue
        if found["query_hits"] == 0:
            text = f"The collection {name!r} does not answer the test query: {found['query_note']}."
            yield Difference("query", name, text)
        states: dict[Any, set[Any]] = {}
        for replica in found["shards"] or ():
            states.setdefault(replica["shard_id"], set()).add(replica["state"])
        for shard, held in states.items():
            if held == {"Dead"}:
                yield Difference("shards", name, f"The shard {shard} of the collection {name!r} is dead on every peer.")
