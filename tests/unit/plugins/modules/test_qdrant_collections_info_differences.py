"""qdrant_collections_info compares, and waits until nothing differs."""

from __future__ import annotations

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.transport import Transport
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.client import Qdrant
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.expected import FIELDS, parse_expected
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.survey import Scope, collections_info
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock
from ansible_collections.wwhd.qdrant_ops.tests.unit.qdrant_client import info, points, read, store
from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import (
    Asked,
    FakeQdrant,
    Reply,
    serve,
)


def test_what_is_expected_is_there() -> None:
    outcome = read(store(), expected={"documents": 24, "conversations": None})
    assert not outcome.failed, outcome.msg
    assert outcome.result["differences"] == []


def test_each_difference_from_what_is_expected_is_named() -> None:
    outcome = read(store(), expected={"documents": 240, "gone": None, "lost": 7}, fail_on_difference=False)
    assert outcome.failed
    assert outcome.result["differences"] == [
        "The collection 'documents' has 24 points, but 240 were expected (216 fewer).",
        "The collection 'gone' is missing.",
        "The collection 'lost' is missing (points that were expected: 7).",
    ]
    for sentence in outcome.result["differences"]:
        assert sentence in outcome.msg
    assert len(outcome.result["collections"]) == 2
    assert outcome.result["version"] == "1.7.4"


def test_an_earlier_result_is_a_baseline() -> None:
    before = read(store()).result["collections"]
    assert not read(store(), baseline=before).failed
    after = store(collections={"documents": points(20), "new": points(1)})
    outcome = read(after, baseline=before)
    told = read(after, baseline=before, fail_on_difference=False)
    sentences = [
        "The collection 'conversations' is missing (points that were there before: 6).",
        "The collection 'documents' has 20 points, but 24 were there before (4 fewer).",
        "The collection 'new' is new (points: 1).",
    ]
    assert outcome.failed
    assert not told.failed
    assert outcome.result["differences"] == told.result["differences"] == sentences


def test_an_emptied_collection_is_green_and_a_difference() -> None:
    before = read(store()).result["collections"]
    outcome = read(store(collections={"documents": {}, "conversations": points(6)}), baseline=before)
    assert outcome.failed
    assert "has 0 points, but 24 were there before (24 fewer)" in outcome.msg
    assert outcome.result["collections"][1]["status"] == "green"


def test_a_name_that_does_not_exist_is_an_error_that_tells_the_others() -> None:
    outcome = read(store(), collections=["documnets"])
    assert outcome.failed
    assert "The collection 'documnets' is missing: there are conversations, documents." in outcome.msg


def test_no_collections_at_all() -> None:
    empty = FakeQdrant({})
    assert read(empty).result["collections"] == []
    assert "there are no collections" in read(empty, collections=["a"]).msg


def test_a_collection_may_be_named_by_its_alias() -> None:
    outcome = read(store(aliases={"live": "documents"}), collections=["live"], expected={"live": 24})
    assert not outcome.failed, outcome.msg
    assert [found["name"] for found in outcome.result["collections"]] == ["live"]


def test_tests_of_what_is_told_of_a_collection() -> None:
    expected = {"documents": {"points_count": {"at_least": 20}, "status": "green", "vectors[*].size": 3}}
    outcome = read(store(), expected=expected)
    assert outcome.failed
    text = "The collection 'documents' has vectors[\"\"].size = 2, but vectors[*].size = 3 was expected."
    assert outcome.result["differences"] == [text]
    assert outcome.result["difference_details"] == [
        {
            "kind": "expectation",
            "collection": "documents",
            "text": text,
            "before": "vectors[*].size = 3",
            "after": 'vectors[""].size = 2',
        }
    ]
    assert outcome.msg.endswith("give it more time (wait, timeout) if it is still at work.")


def test_what_can_be_tested_is_what_is_returned() -> None:
    (found,) = read(store(), collections=["documents"]).result["collections"]
    assert set(FIELDS) == found.keys() - {"name"}


def test_a_changed_vector_a_lost_index_and_a_moved_alias_are_differences() -> None:
    schema = {"city": {"data_type": "keyword"}}
    before = read(store(schema=schema, aliases={"live": "documents"})).result["collections"]
    after = store(aliases={"live": "conversations"}, params={"vectors": {"size": 4, "distance": "Cosine"}})
    outcome = read(after, collections=["documents"], baseline=[one for one in before if one["name"] == "documents"])
    assert outcome.failed
    assert outcome.result["differences"] == [
        "The vector of the collection 'documents' has the size 4, but had 2 before.",
        "The collection 'documents' has no index on 'city' any more.",
        "The alias 'live' does not lead to the collection 'documents' any more.",
    ]
    assert not read(after, baseline=before, tolerate=["vectors", "payload_indexes", "aliases"]).failed


def test_a_result_of_an_older_version_of_this_module_is_a_baseline() -> None:
    told = ("name", "status", "optimizer_status", "points_count", "indexed_vectors_count", "segments_count")
    before = [{name: one[name] for name in told} for one in read(store()).result["collections"]]
    assert not read(store(aliases={"live": "documents"}, schema={"x": {"data_type": "text"}}), baseline=before).failed


def test_a_shard_that_is_dead_on_every_peer_is_a_failure() -> None:
    outcome = read(store(replicas={0: ["Active", "Dead"], 1: ["Dead", "Dead"]}), fail_on_difference=False)
    assert outcome.failed
    assert outcome.result["differences"] == [
        "The shard 1 of the collection 'conversations' is dead on every peer.",
        "The shard 1 of the collection 'documents' is dead on every peer.",
    ]
    assert [replica["state"] for replica in outcome.result["collections"][0]["shards"]] == [
        "Active",
        "Dead",
        "Dead",
        "Dead",
    ]


def test_what_is_not_told_is_null_and_no_difference() -> None:
    before = read(store(aliases={"live": "documents"})).result["collections"]
    silent = store(aliases=None, replicas=None, ready=Reply(404, "<html>"))
    outcome = read(silent, baseline=before)
    assert not outcome.failed, outcome.msg
    assert outcome.result["ready"] is None
    assert [(one["aliases"], one["shards"], one["shard_transfers"]) for one in outcome.result["collections"]] == [
        (None, None, None)
    ] * 2


def test_a_key_that_may_not_read_shards_and_aliases_is_enough() -> None:
    qdrant = store()

    def limited(asked: Asked) -> Reply:
        return Reply(403, "forbidden") if asked.path.endswith(("/cluster", "/aliases")) else qdrant(asked)

    with serve(limited) as server:
        outcome = info(server.url, expected={"documents": 24})
    assert not outcome.failed, outcome.msg
    assert outcome.result["collections"][0]["shards"] is None


def test_shards_that_are_not_ready_are_a_failure() -> None:
    outcome = read(store(ready=Reply(503, "some shards are not ready")))
    assert outcome.failed
    assert outcome.result["ready"] is False
    assert outcome.result["differences"] == ["Qdrant says at /readyz that some shards are not ready."]
    balancer = read(store(ready=Reply(503, "<html>no target</html>")))
    assert (balancer.failed, balancer.result["ready"]) == (False, None)


def test_what_newer_versions_warn_of_is_told() -> None:
    outcome = read(store(warnings=[{"message": "no index on city"}, "odd"]), collections=["documents"])
    assert outcome.result["collections"][0]["warnings"] == ["no index on city", "odd"]


def test_it_waits_until_what_is_expected_is_there() -> None:
    clock = FakeClock()
    qdrant = store(status="yellow", ready=Reply(503, "some shards are not ready"))

    def get_well() -> None:
        qdrant.status, qdrant.ready = "green", Reply(200, "all shards are ready")

    clock.at(20, get_well)
    with serve(qdrant) as server:
        outcome = info(
            server.url, clock=clock, expected={"documents": {"status": "green"}}, wait=True, timeout=60, query=False
        )
    assert not outcome.failed, outcome.msg
    assert 20 <= outcome.result["elapsed"] <= 25
    assert outcome.result["differences"] == []


def test_a_wait_that_is_over_tells_what_is_still_wrong() -> None:
    clock = FakeClock()
    with serve(store(status="yellow")) as server:
        expected = {"documents": {"status": "green"}}
        outcome = info(server.url, clock=clock, expected=expected, wait=True, wait_timeout=30, query=False)
    assert outcome.failed
    assert clock.now == 30
    assert f"The collections of {server.url} are not as wanted after 30 s and " in outcome.msg
    assert (
        'looks: The collection \'documents\' has status = "yellow", but status = "green" was expected.' in outcome.msg
    )


def test_without_being_told_to_it_looks_once() -> None:
    clock = FakeClock()
    with serve(store(status="yellow")) as server:
        assert info(server.url, clock=clock, expected={"documents": {"status": "green"}}).failed
    assert clock.sleeps == []


def test_each_reason_to_wait_is_told_once() -> None:
    clock = FakeClock()
    told: list[str] = []
    qdrant = store(status="yellow")
    starting = [Reply(502), Reply(502), Reply(503)]
    clock.at(10, lambda: setattr(qdrant, "status", "green"))
    with serve(lambda asked: starting.pop(0) if starting else qdrant(asked)) as server:
        qdrant_client = Qdrant(
            url=server.url,
            api_key=None,
            transport=Transport(use_proxy=False),
            timeout=60,
            attempt_timeout=5,
            clock=clock.clock,
            on_change=told.append,
        )
        expected = parse_expected({"documents": {"status": "green"}}, exact=True)
        scope = Scope(names=["documents"], expected=expected, wait=True)
        collections_info(qdrant_client, scope=scope, timeout=60, clock=clock.clock, on_change=told.append)
    assert told == [
        f"{server.url} can't be read yet: 502",
        f"{server.url} can't be read yet: 503",
        f"{server.url} answers again",
        'The collection \'documents\' has status = "yellow", but status = "green" was expected.',
    ]
