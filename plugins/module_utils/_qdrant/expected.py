# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is expected of collections, as an option gives it, and how they differ from it.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Union

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.expectations import (
    Expectation,
    parse_expectations,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.differences import (
    Difference,
    checked_count,
    count_difference,
    missing,
)

__all__ = ["FIELDS", "Expected", "differences_from_expected", "parse_expected"]

# An exact count, tests of what is returned of a collection, or None for one that must only exist.
Expected = Union[int, tuple[Expectation, ...], None]

# What a test of a collection may begin with.
FIELDS = (
    "aliases",
    "indexed_vectors_count",
    "optimizer_status",
    "payload_indexes",
    "points_count",
    "query_hits",
    "query_note",
    "replication_factor",
    "segments_count",
    "shard_number",
    "shard_transfers",
    "shards",
    "sparse_vectors",
    "status",
    "vectors",
    "warnings",
)
_WERE = "were expected"


def parse_expected(expected: Mapping[str, Any] | None, *, exact: bool) -> dict[str, Expected]:
    """The option `expected`, by name of a collection. Raises OperationFailed for what can't be compared."""
    parsed = {str(name): _parse_one(str(name), value) for name, value in (expected or {}).items()}
    if not exact and any(_counts(wanted) for wanted in parsed.values()):
        raise OperationFailed(
            "expected has counts, but exact is false: approximate counts prove nothing, set it to true."
        )
    return parsed


def _parse_one(name: str, value: Any) -> Expected:
    option = f"expected: {name!r}"
    if value is None:
        return None
    if not isinstance(value, dict):
        return checked_count(value, option=option, otherwise="a mapping of tests, or null")
    tests = parse_expectations(value, option=option)
    for test in tests:
        if test.path[:1] and test.path[0] not in FIELDS:
            raise OperationFailed(
                f"{option} has {test.text!r}, which nothing is told of a collection: use {', '.join(FIELDS)}."
            )
    return tests


def _counts(wanted: Expected) -> bool:
    if isinstance(wanted, tuple):
        return any(test.path[:1] == ("points_count",) for test in wanted)
    return wanted is not None


def differences_from_expected(
    collections: Mapping[str, Mapping[str, Any] | None], expected: Mapping[str, Expected]
) -> list[Difference]:
    """Each expectation that is not met. `collections` has None for a name that is not there."""
    return [
        difference for name, wanted in expected.items() for difference in _compare(name, collections.get(name), wanted)
    ]


def _compare(name: str, found: Mapping[str, Any] | None, wanted: Expected) -> Iterator[Difference]:
    if found is None:
        yield missing(name, wanted if isinstance(wanted, int) else None, were=_WERE)
    elif isinstance(wanted, tuple):
        for test in wanted:
            failure = test.failure(found)
            if failure:
                text = f"The collection {name!r} has {failure}, but {test} was expected."
                yield Difference("expectation", name, text, before=str(test), after=failure)
    elif wanted is not None and found["points_count"] != wanted:
        yield count_difference(name, found["points_count"], wanted, were=_WERE)
