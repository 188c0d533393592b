"""The pure parts of reading a Qdrant: which vector to search with, and what counts as a difference."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant import (
    Scope,
    Vector,
    differences_from_baseline,
    differences_from_expected,
    find_vector,
    parse_baseline,
    parse_expected,
)


@pytest.mark.parametrize(
    ("vectors", "found"),
    [
        ([0.1, 0.2], Vector(None, [0.1, 0.2])),
        ([[0.1], [0.2]], Vector(None, [[0.1], [0.2]])),
        ({"b": [1.0], "a": [2.0]}, Vector("a", [2.0])),
        ({"": [2.0]}, Vector("", [2.0])),
        ({"a": {"indices": [1], "values": [0.5]}, "b": [1.0]}, Vector("b", [1.0])),
        (
            {"s": {"indices": [1], "values": [0.5]}},
            Vector("s", {"indices": [1], "values": [0.5]}, sparse=True),
        ),
        ({"s": {"indices": [], "values": []}}, None),
        ({"a": []}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_the_vector_to_search_with(vectors: Any, found: Vector | None) -> None:
    assert find_vector(vectors) == found


@pytest.mark.parametrize(
    ("vector", "query", "search"),
    [
        (Vector(None, [1.0]), {"query": [1.0]}, {"vector": [1.0]}),
        (Vector("a", [1.0]), {"query": [1.0], "using": "a"}, {"vector": {"name": "a", "vector": [1.0]}}),
    ],
)
def test_both_ways_to_search(vector: Vector, query: dict[str, Any], search: dict[str, Any]) -> None:
    assert vector.query_body(limit=3) == {**query, "limit": 3}
    assert vector.search_body(limit=3) == {**search, "limit": 3}


def test_expected_counts_are_numbers_or_null() -> None:
    assert parse_expected({"a": 3, "b": None, "c": "12", "d": 0}, exact=True) == {"a": 3, "b": None, "c": 12, "d": 0}
    assert parse_expected({"a": None}, exact=False) == {"a": None}
    assert parse_expected(None, exact=True) == {}


@pytest.mark.parametrize("count", [-1, True, 1.5, "many", "-1", [], {}])
def test_what_is_no_count_is_refused(count: Any) -> None:
    with pytest.raises(OperationFailed, match=r"^expected: 'a' is .*: give a number of points from 0 up, or null\.$"):
        parse_expected({"a": count}, exact=True)
    with pytest.raises(OperationFailed, match=r"^baseline: the points_count of 'a' is .*: give a number of points"):
        parse_baseline([{"name": "a", "points_count": count}], exact=True)


def test_approximate_counts_are_not_compared() -> None:
    with pytest.raises(OperationFailed, match="expected has counts, but exact is false"):
        parse_expected({"a": 1}, exact=False)
    with pytest.raises(OperationFailed, match="baseline is given, but exact is false"):
        parse_baseline([], exact=False)


@pytest.mark.parametrize("entry", [{}, {"name": ""}, {"points_count": 3}, "a"])
def test_a_baseline_without_names_is_refused(entry: Any) -> None:
    with pytest.raises(OperationFailed, match="baseline: entry 1 has no name"):
        parse_baseline([{"name": "a", "points_count": 1}, entry], exact=True)


def collection(count: int | None = 10, *, status: str = "green") -> dict[str, Any]:
    return {"points_count": count, "status": status, "optimizer_status": "disk full"}


@pytest.mark.parametrize(
    ("found", "expected", "sentences"),
    [
        ({"a": collection()}, {"a": 10}, []),
        ({"a": collection(), "b": collection(0)}, {"a": None}, []),
        ({"a": collection(9)}, {"a": 10}, ["The collection 'a' has 9 points, but 10 were expected (1 fewer)."]),
        ({"a": collection(12)}, {"a": 10}, ["The collection 'a' has 12 points, but 10 were expected (2 more)."]),
        ({"a": collection(0)}, {"a": 10}, ["The collection 'a' has 0 points, but 10 were expected (10 fewer)."]),
        ({"a": collection(None)}, {"a": 10}, ["The collection 'a' tells no number of points, but 10 were expected."]),
        ({"a": None}, {"a": 10}, ["The collection 'a' is missing (points that were expected: 10)."]),
        ({"a": None}, {"a": None}, ["The collection 'a' is missing."]),
    ],
)
def test_differences_from_expected(found: Any, expected: dict[str, int | None], sentences: list[str]) -> None:
    assert differences_from_expected(found, expected) == sentences


@pytest.mark.parametrize(
    ("found", "baseline", "sentences"),
    [
        ({"a": collection()}, [{"name": "a", "points_count": 10, "status": "green"}], []),
        ({"a": collection(status="yellow")}, [{"name": "a", "points_count": 10, "status": "green"}], []),
        ({"a": collection(3)}, [{"name": "a"}], []),
        (
            {"a": collection(3)},
            [{"name": "a", "points_count": 4}],
            ["has 3 points, but 4 were there before (1 fewer)."],
        ),
        ({"a": None}, [{"name": "a", "points_count": 4}], ["'a' is missing (points that were there before: 4)."]),
        ({"a": collection()}, [], ["The collection 'a' is new (points: 10)."]),
        (
            {"a": collection(3, status="red")},
            [{"name": "a", "points_count": 4, "status": "yellow"}],
            ["has 3 points", "'a' is red now (disk full)."],
        ),
        ({"a": collection(status="red")}, [{"name": "a", "points_count": 10, "status": "red"}], []),
    ],
)
def test_differences_from_a_baseline(found: Any, baseline: list[dict[str, Any]], sentences: list[str]) -> None:
    parsed = parse_baseline(baseline, exact=True)
    assert parsed is not None
    differences = differences_from_baseline(found, parsed)
    assert len(differences) == len(sentences)
    for sentence, difference in zip(sentences, differences, strict=True):
        assert sentence in difference


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        (Scope(), ["a", "b"]),
        (Scope(names=["b"]), ["b"]),
        (Scope(names=[]), []),
        (Scope(names=["b", "b"], expected={"c": 1}), ["b", "c"]),
        (Scope(expected={"a": 1, "c": None}, baseline={"d": {}}), ["a", "b", "c", "d"]),
    ],
)
def test_which_collections_are_looked_up(scope: Scope, names: list[str]) -> None:
    assert scope.wanted(["a", "b"]) == names
