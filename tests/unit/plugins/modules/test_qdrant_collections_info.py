"""qdrant_collections_info as Ansible runs it: what it reads of a small Qdrant over HTTP, and its documentation."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.wwhd.qdrant_ops.plugins.doc_fragments.qdrant_options import ModuleDocFragment
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.options import http_argument_spec
from ansible_collections.wwhd.qdrant_ops.plugins.modules.qdrant_collections_info import (
    DOCUMENTATION,
    EXAMPLES,
    RETURN,
    argument_spec,
)
from ansible_collections.wwhd.qdrant_ops.tests.unit.qdrant_client import info, points, read, store
from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import (
    Asked,
    Reply,
    serve,
)


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("version", ["1.7.4", "1.9.9", "1.10.0", "1.19.0"])
def test_every_collection_is_counted_and_queried(version: str, check: bool) -> None:
    outcome = read(store(version=version, aliases={"live": "documents"}), check=check)
    assert not outcome.failed, outcome.msg
    assert not outcome.changed
    result = outcome.result
    assert result["version"] == version
    assert result["ready"] is True
    assert result["differences"] == result["difference_details"] == []
    assert result["started_at"] == "2026-11-23T15:00:00.000Z"
    assert result["collections"] == [
        {
            "name": name,
            "aliases": ["live"] if name == "documents" else [],
            "status": "green",
            "optimizer_status": "ok",
            "warnings": [],
            "points_count": count,
            "indexed_vectors_count": 0,
            "segments_count": 2,
            "vectors": {"": {"size": 2, "distance": "Cosine"}},
            "sparse_vectors": [],
            "payload_indexes": {},
            "shard_number": None,
            "replication_factor": None,
            "shards": [{"shard_id": 0, "peer_id": 1, "local": True, "state": "Active", "points_count": count}],
            "shard_transfers": 0,
            "query_hits": hits,
            "query_note": None,
        }
        for name, count, hits in [("conversations", 6, 6), ("documents", 24, 10)]
    ]


def test_the_old_and_the_new_path_of_a_query() -> None:
    paths = []
    for version in ("1.7.4", "1.10.0"):
        with serve(store(version=version)) as server:
            info(server.url, collections=["documents"])
        paths.append(
            [asked.path.rpartition("/")[2] for asked in server.asked if asked.path.endswith(("query", "search"))]
        )
    assert paths == [["query", "search"], ["query"]]


def test_nothing_but_reading_calls_is_made() -> None:
    with serve(store(version="1.10.0")) as server:
        info(server.url)
    assert {(asked.method, asked.path.rpartition("/")[2]) for asked in server.asked} == {
        ("GET", "collections"),
        ("GET", "aliases"),
        ("GET", "cluster"),
        ("GET", "readyz"),
        ("GET", "documents"),
        ("GET", "conversations"),
        ("POST", "count"),
        ("POST", "scroll"),
        ("POST", "query"),
        ("GET", ""),
    }


def test_names_are_escaped_and_a_path_before_qdrant_is_kept() -> None:
    qdrant = store(collections={"odd name/ü?": points(2)})

    def behind(asked: Asked) -> Reply:
        assert asked.path.startswith("/qdrant/")
        return qdrant(Asked(asked.method, asked.path[len("/qdrant") :], asked.headers, asked.body))

    with serve(behind) as server:
        outcome = info(f"{server.url}/qdrant/")
    assert not outcome.failed, outcome.msg
    assert outcome.result["collections"][0]["points_count"] == 2


def test_only_what_was_asked_for() -> None:
    outcome = read(store(), collections=["documents"], exact=False, query=False)
    (found,) = outcome.result["collections"]
    assert (found["name"], found["points_count"]) == ("documents", 31)
    assert (found["query_hits"], found["query_note"]) == (None, "not asked for")


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ({}, "the collection is empty"),
        (points(3, {}), "point 1 has no vector"),
        (points(3, None), "point 1 has no vector"),
        (points(3, {"words": {"indices": [], "values": []}}), "point 1 has no vector"),
    ],
)
def test_what_can_not_be_queried_says_why(content: dict[int | str, Any], note: str) -> None:
    outcome = read(store(collections={"odd": content}))
    assert not outcome.failed, outcome.msg
    (found,) = outcome.result["collections"]
    assert (found["query_hits"], found["query_note"]) == (None, note)


@pytest.mark.parametrize("version", ["1.7.4", "1.10.0"])
@pytest.mark.parametrize(
    "vector",
    [{"image": [0.1], "text": [0.2]}, {"words": {"indices": [3], "values": [0.5]}}, [[0.1], [0.2]]],
)
def test_named_sparse_and_multiple_vectors(vector: Any, version: str) -> None:
    outcome = read(store(collections={"odd": points(3, vector)}, version=version))
    assert outcome.result["collections"][0]["query_hits"] == 3


def test_ids_may_be_uuids() -> None:
    outcome = read(store(collections={"odd": {"5c56c793-69f3-4fbf-87e6-c4bf54c28c26": [0.1]}}))
    assert outcome.result["collections"][0]["query_hits"] == 1


def test_a_point_that_others_are_nearer_to_is_not_lost() -> None:
    outcome = read(store(collections={"dot": points(30)}, far=True))
    assert not outcome.failed, outcome.msg
    (found,) = outcome.result["collections"]
    assert found["query_hits"] == 10
    assert found["query_note"] == "point 1 is found, but others are nearer to its own vector"


def test_a_point_that_no_search_finds_is_a_failure() -> None:
    outcome = read(store(lost=frozenset({1})), fail_on_difference=False)
    assert outcome.failed
    assert "'documents' does not answer the test query: point 1 is not found by its own vector." in outcome.msg
    assert [found["query_hits"] for found in outcome.result["collections"]] == [0, 0]


def test_a_point_deleted_between_the_look_and_the_query_is_no_failure() -> None:
    qdrant = store(collections={"documents": points(3)})

    def answer(asked: Asked) -> Reply:
        reply = qdrant(asked)
        if asked.path.endswith("scroll"):
            qdrant.collections["documents"].pop(1, None)
        return reply

    with serve(answer) as server:
        outcome = info(server.url)
    assert not outcome.failed, outcome.msg
    assert outcome.result["collections"][0]["query_hits"] == 2


def test_a_query_that_is_refused_is_noted() -> None:
    fault = Reply(400, {"status": {"error": "Wrong input: Conversion between sparse and regular vectors failed"}})
    outcome = read(store(version="1.10.0", query_fault=fault))
    assert not outcome.failed, outcome.msg
    assert outcome.result["collections"][0]["query_note"] == (
        "the test query was refused (400: Wrong input: Conversion between sparse and regular vectors failed)"
    )


def test_an_internal_error_is_a_failure() -> None:
    fault = Reply(500, {"status": {"error": "Service internal error: task panicked"}})
    outcome = read(store(version="1.10.0", query_fault=fault))
    assert outcome.failed
    assert "Could not query the collection 'conversations' of http://127.0.0.1:" in outcome.msg
    assert "it answered 500, Service internal error: task panicked. The server fails by itself" in outcome.msg


def test_an_optimizer_error_is_told() -> None:
    outcome = read(store(status="red", optimizer={"error": "No space left on device"}))
    assert outcome.result["collections"][0]["status"] == "red"
    assert outcome.result["collections"][0]["optimizer_status"] == "No space left on device"


EXAMPLE_TASKS: list[dict[str, Any]] = yaml.safe_load(EXAMPLES)


@pytest.mark.parametrize("task", EXAMPLE_TASKS, ids=lambda task: task["name"])
def test_the_examples_run(task: dict[str, Any]) -> None:
    """As they stand, but for the address, and for what an earlier task has registered."""
    content = {"documents": points(240, tuple([0.1] * 384)), "conversations": points(6)}
    qdrant = store(collections=content, params={"vectors": {"size": 384, "distance": "Cosine"}}, version="1.19.0")
    args = dict(task["wwhd.qdrant_ops.qdrant_collections_info"])
    if args.get("baseline") == "{{ before.collections }}":
        args["baseline"] = read(qdrant).result["collections"]
    assert args.pop("url").startswith("http")
    outcome = read(qdrant, **args)
    assert not outcome.failed, outcome.msg


def test_the_documentation_is_the_specification() -> None:
    shared = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    documented = {**yaml.safe_load(DOCUMENTATION)["options"], **shared}
    own = {name: option for name, option in argument_spec().items() if name not in http_argument_spec()}
    assert documented.keys() == own.keys()
    for name, option in own.items():
        for key in ("type", "elements", "aliases", "default"):
            assert option.get(key) == documented[name].get(key), (name, key)
        assert list(option.get("choices") or ()) == list(documented[name].get("choices") or ())


def test_the_sample_has_all_that_is_returned() -> None:
    documented = yaml.safe_load(RETURN)
    result = read(store()).result
    assert documented.keys() == result.keys() - {"changed", "invocation"}
    (sample,) = documented["collections"]["sample"]
    assert list(sample) == list(documented["collections"]["contains"]) == list(result["collections"][0])
    assert sample["shards"][0].keys() == result["collections"][0]["shards"][0].keys()
