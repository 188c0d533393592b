"""The pure parts of reading a Qdrant: which vector to search with, and what counts as a difference."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.baseline import (
    TOLERABLE,
    differences_from_baseline,
    parse_baseline,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.differences import Difference
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.expected import (
    differences_from_expected,
    parse_expected,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.probe import Vector, find_vector
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.reading import payload_indexes, shards, vectors
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.survey import Scope


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


@pytest.mark.parametrize("count", [-1, True, 1.5, "many", "-1", []])
def test_what_is_no_count_is_refused(count: Any) -> None:
    words = r"^expected: 'a' is .*: give a number of points from 0 up, a mapping of tests, or null\.$"
    with pytest.raises(OperationFailed, match=words):
        parse_expected({"a": count}, exact=True)
    with pytest.raises(OperationFailed, match=r"^baseline: the points_count of 'a' is .*: give a number of points"):
        parse_baseline([{"name": "a", "points_count": count}], exact=True)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"point_count": 3}, "expected: 'a' has 'point_count', which nothing is told of a collection: use aliases, "),
        ({"points_count": {"least": 3}}, "expected: 'a': 'points_count' has the test 'least': use equals"),
        ({"vectors..size": 3}, "expected: 'a': 'vectors..size' is not a path at '..size'"),
    ],
)
def test_tests_that_make_no_sense_are_refused(wanted: Any, words: str) -> None:
    with pytest.raises(OperationFailed) as failure:
        parse_expected({"a": wanted}, exact=True)
    assert words in str(failure.value)


def test_approximate_counts_are_not_compared() -> None:
    with pytest.raises(OperationFailed, match="expected has counts, but exact is false"):
        parse_expected({"a": {"points_count": {"at_least": 1}}}, exact=False)
    assert parse_expected({"a": {"status": "green"}}, exact=False)["a"]
    with pytest.raises(OperationFailed, match="expected has counts, but exact is false"):
        parse_expected({"a": 1}, exact=False)
    with pytest.raises(OperationFailed, match="baseline is given, but exact is false"):
        parse_baseline([], exact=False)


@pytest.mark.parametrize("entry", [{}, {"name": ""}, {"points_count": 3}, "a"])
def test_a_baseline_without_names_is_refused(entry: Any) -> None:
    with pytest.raises(OperationFailed, match="baseline: entry 1 has no name"):
        parse_baseline([{"name": "a", "points_count": 1}, entry], exact=True)


@pytest.mark.parametrize(
    "part",
    [
        {"aliases": "live"},
        {"aliases": [1]},
        {"vectors": ["a"]},
        {"vectors": {"a": 3}},
        {"sparse_vectors": 3},
        {"payload_indexes": {"city": None}},
        {"shards": ["Active"]},
    ],
)
def test_a_baseline_that_is_no_earlier_result_is_refused(part: dict[str, Any]) -> None:
    (field,) = part
    words = (
        rf"^baseline: the {field} of 'a' are not what this module returns: give the collections of an earlier result"
    )
    with pytest.raises(OperationFailed, match=words):
        parse_baseline([{"name": "a", "points_count": 1, **part}], exact=True)


def collection(count: int | None = 10, *, status: str = "green", **more: Any) -> dict[str, Any]:
    return {"points_count": count, "status": status, "optimizer_status": "disk full", **more}


def texts(differences: list[Difference]) -> list[str]:
    return [difference.text for difference in differences]


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
    assert texts(differences_from_expected(found, expected)) == sentences


@pytest.mark.parametrize(
    ("wanted", "sentences"),
    [
        ({"points_count": {"at_least": 10}, "status": {"one_of": ["green", "yellow"]}}, []),
        (
            {"points_count": {"at_least": 11}},
            ["The collection 'a' has points_count = 10, but points_count >= 11 was expected."],
        ),
        (
            {"status": "yellow", "vectors.text.size": 4, "shards[*].state": "Active"},
            [
                'The collection \'a\' has status = "green", but status = "yellow" was expected.',
                "The collection 'a' has no vectors.text.size, but vectors.text.size = 4 was expected.",
                'The collection \'a\' has shards[1].state = "Dead", but shards[*].state = "Active" was expected.',
            ],
        ),
    ],
)
def test_tests_of_a_collection(wanted: Any, sentences: list[str]) -> None:
    found = collection(vectors={"": {"size": 4}}, shards=[{"state": "Active"}, {"state": "Dead"}])
    expected = parse_expected({"a": wanted}, exact=True)
    assert texts(differences_from_expected({"a": found}, expected)) == sentences
    gone = differences_from_expected({"a": None}, expected)
    assert [(one.kind, one.text) for one in gone] == [("missing_collection", "The collection 'a' is missing.")]


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
        assert sentence in difference.text


def replicas(*states: str, shard: int = 0) -> list[dict[str, Any]]:
    return [{"shard_id": shard, "peer_id": peer, "state": state} for peer, state in enumerate(states)]


@pytest.mark.parametrize(
    ("now", "before", "found"),
    [
        ({"optimizer_status": "ok"}, {"optimizer_status": "ok"}, []),
        (
            {"optimizer_status": "disk full"},
            {"optimizer_status": "ok"},
            [("optimizer", "The optimiser of the collection 'a' fails now (disk full).")],
        ),
        (
            {"vectors": {"": {"size": 4, "distance": "Dot"}}},
            {"vectors": {"": {"size": 3, "distance": "Cosine"}}},
            [
                ("vectors", "The vector of the collection 'a' has the size 4, but had 3 before."),
                ("vectors", "The vector of the collection 'a' has the distance Dot, but had Cosine before."),
            ],
        ),
        (
            {"vectors": {"b": {"size": 4}, "c": {"size": 1}}, "sparse_vectors": []},
            {"vectors": {"a": {"size": 3}, "b": {"size": 3}}, "sparse_vectors": ["s"]},
            [
                ("vectors", "The collection 'a' has no vector 'a' any more."),
                ("vectors", "The collection 'a' has a new vector 'c'."),
                ("vectors", "The collection 'a' has no sparse vector 's' any more."),
                ("vectors", "The vector 'b' of the collection 'a' has the size 4, but had 3 before."),
            ],
        ),
        (
            {"payload_indexes": {"x": "integer", "new": "geo"}},
            {"payload_indexes": {"x": "keyword", "y": "text"}},
            [
                (
                    "payload_indexes",
                    "The index on 'x' of the collection 'a' is of type integer, but was keyword before.",
                ),
                ("payload_indexes", "The collection 'a' has no index on 'y' any more."),
            ],
        ),
        (
            {"aliases": ["blue"]},
            {"aliases": ["green"]},
            [
                ("aliases", "The alias 'green' does not lead to the collection 'a' any more."),
                ("aliases", "The alias 'blue' leads to the collection 'a' now."),
            ],
        ),
        ({"aliases": None}, {"aliases": ["green"]}, []),
        ({"aliases": ["green"]}, {}, []),
        (
            {"shards": replicas("Active", "Dead") + replicas("Active", shard=1)},
            {"shards": replicas("Active", "Active") + replicas("Active", shard=1) + replicas("Active", shard=2)},
            [
                (
                    "shards",
                    "The shard 0 of the collection 'a' has 1 active replicas, but 2 before (Active, Dead).",
                ),
                ("shards", "The shard 2 of the collection 'a' has 0 active replicas, but 1 before (it is gone)."),
            ],
        ),
        ({"shards": replicas("Active", "Active")}, {"shards": replicas("Active", "Dead")}, []),
        ({"shards": None}, {"shards": replicas("Active")}, []),
    ],
)
def test_differences_of_settings_and_shards(
    now: dict[str, Any], before: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    baseline = parse_baseline([{"name": "a", "points_count": 10, "status": "green", **before}], exact=True) or {}
    here = {"a": {**collection(), "optimizer_status": "ok", **now}}
    differences = differences_from_baseline(here, baseline)
    assert [(one.kind, one.text) for one in differences] == found
    assert differences_from_baseline(here, baseline, tolerate=[kind for kind, _text in found]) == []
    assert {kind for kind, _text in found} <= set(TOLERABLE)


def test_what_is_tolerated_is_not_told() -> None:
    baseline = parse_baseline([{"name": name, "points_count": 10} for name in ("a", "b", "gone")], exact=True) or {}
    now = {"a": collection(12), "b": collection(9), "gone": None, "new": collection(1)}
    told = differences_from_baseline(now, baseline, tolerate=["more_points", "new_collection", "missing_collection"])
    assert [(one.kind, one.collection, one.before, one.after) for one in told] == [("fewer_points", "b", 10, 9)]


# --- What Qdrant answers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"size": 4, "distance": "Dot", "on_disk": True}, {"": {"size": 4, "distance": "Dot"}}),
        ({"text": {"size": 4, "distance": "Dot"}}, {"text": {"size": 4, "distance": "Dot"}}),
        ({"size": {"size": 4, "distance": "Dot"}}, {"size": {"size": 4, "distance": "Dot"}}),
        ({}, {}),
        (None, {}),
    ],
)
def test_the_vectors_of_a_collection(params: Any, found: dict[str, Any]) -> None:
    assert vectors(params) == found


def test_the_indexes_of_a_collection() -> None:
    schema = {"city": {"data_type": "keyword", "points": 3}, "odd": {}, "none": None}
    assert payload_indexes(schema) == {"city": "keyword", "odd": "unknown", "none": "unknown"}
    assert payload_indexes(None) == {}


def test_the_replicas_of_each_shard() -> None:
    cluster = {
        "peer_id": 7,
        "local_shards": [{"shard_id": 1, "points_count": 3, "state": "Active"}],
        "remote_shards": [
            {"shard_id": 1, "peer_id": 8, "state": "Dead"},
            {"shard_id": 0, "peer_id": 8, "state": "Active"},
        ],
    }
    assert [tuple(replica.values()) for replica in shards(cluster) or ()] == [
        (0, 8, False, "Active", None),
        (1, 7, True, "Active", 3),
        (1, 8, False, "Dead", None),
    ]
    assert shards(None) is None
    assert shards({"peer_id": 7, "local_shards": None}) == []


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
