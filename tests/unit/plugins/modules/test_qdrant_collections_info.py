"""qdrant_collections_info as Ansible runs it, against a small Qdrant over real HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import fetch
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.options import http_argument_spec
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.transport import Transport
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant import client
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.client import Qdrant
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.expected import FIELDS, parse_expected
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.survey import Scope, collections_info
from ansible_collections.wwhd.qdrant_ops.plugins.modules.qdrant_collections_info import (
    DOCUMENTATION,
    EXAMPLES,
    RETURN,
    argument_spec,
    main,
)
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, Outcome, run_module
from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import (
    Asked,
    FakeQdrant,
    Reply,
    free_port,
    self_signed,
    serve,
)

KEY = "k3y-of-the-store"


def points(count: int, vector: Any = (0.1, 0.2)) -> dict[int | str, Any]:
    return {number: list(vector) if isinstance(vector, tuple) else vector for number in range(1, count + 1)}


def store(**options: Any) -> FakeQdrant:
    collections = options.pop("collections", None) or {"documents": points(24), "conversations": points(6)}
    return FakeQdrant(collections, **options)


def info(url: str, *, clock: FakeClock | None = None, check: bool = False, **args: Any) -> Outcome:
    return run_module(main, {"url": url, "use_proxy": False, **args}, clock=clock or FakeClock(), check=check)


def read(qdrant: FakeQdrant, **args: Any) -> Outcome:
    with serve(qdrant) as server:
        return info(server.url, **args)


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


# --- Comparing -------------------------------------------------------------------------------------------------------


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


# --- Waiting ---------------------------------------------------------------------------------------------------------


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
        'The collection \'documents\' has status = "yellow", but status = "green" was expected.',
    ]


# --- What goes wrong -------------------------------------------------------------------------------------------------


def test_a_starting_service_is_asked_until_it_answers() -> None:
    qdrant = store()
    starting = [Reply(502, "<html>Bad Gateway</html>"), Reply(503, "<html>"), Reply(504)]
    with serve(lambda asked: starting.pop(0) if starting else qdrant(asked)) as server:
        outcome = info(server.url, timeout=10)
    assert not outcome.failed, outcome.msg
    assert 0.5 < outcome.result["elapsed"] < 3


def test_an_address_where_nothing_listens() -> None:
    clock = FakeClock()
    url = f"http://127.0.0.1:{free_port()}"
    outcome = info(url, clock=clock, timeout=10)
    assert outcome.failed
    assert outcome.msg.startswith(f"Could not list the collections of {url} within 10 s: connection refused (")
    assert outcome.msg.endswith("Nothing listens there: check that the service runs, and the port.")
    assert clock.now == 10


def test_a_service_that_never_gets_ready() -> None:
    with serve(lambda asked: Reply(503, "no target")) as server:
        outcome = info(server.url, timeout=5)
    assert f"Could not list the collections of {server.url} within 5 s: status 503 (" in outcome.msg
    assert "no target is registered" in outcome.msg


def test_one_deadline_for_all_calls() -> None:
    clock = FakeClock()
    qdrant = store()

    def slowly(asked: Asked) -> Reply:
        clock.now += 2
        return Reply(503) if asked.path.endswith("count") else qdrant(asked)

    with serve(slowly) as server:
        outcome = info(server.url, clock=clock, timeout=9)
    assert outcome.failed
    assert "Could not count the points of the collection 'conversations'" in outcome.msg
    assert clock.now < 13


def test_slow_answers_do_not_add_up_past_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call that comes late has less time; before, each one had all of attempt_timeout, however late."""
    clock = FakeClock()
    qdrant = store()
    limits: list[float] = []

    def noting(request: Any, *, timeout: float, **more: Any) -> Any:
        limits.append(timeout)
        clock.now += 4
        return fetch(request, timeout=5, **more)

    monkeypatch.setattr(client, "fetch", noting)
    with serve(qdrant) as server:
        info(server.url, clock=clock, collections=["documents"], timeout=10, attempt_timeout=8, query=False)
    assert limits == [8, 8, 8, 6, 2, pytest.approx(0.05), pytest.approx(0.05)]


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ((403, "Invalid api-key"), "403: Invalid api-key"),
        ((401, "Invalid API key or JWT"), "401: Invalid API key or JWT"),
    ],
)
def test_a_wrong_key(refusal: tuple[int, str], words: str) -> None:
    with serve(store(key=KEY, refusal=refusal)) as server:
        wrong = info(server.url, api_key="wr0ng-key")
        none = info(server.url)
        right = info(server.url, api_key=KEY)
    assert wrong.msg.startswith(f"Could not list the collections of {server.url}: it refused the API key ({words}).")
    assert none.msg.endswith(f"it wants an API key ({words}). Give it in api_key.")
    assert not right.failed
    assert len([asked for asked in server.asked if asked.headers.get("api-key") in (None, "wr0ng-key")]) == 2


def test_a_key_may_be_sent_as_a_bearer_and_a_gateway_may_want_more() -> None:
    with serve(store(key=KEY)) as server:
        args = {"api_key": KEY, "api_key_scheme": "bearer", "headers": {"X-Tenant": "t3nant-s3cret", "Accept": "*/*"}}
        outcome = info(server.url, **args)
        broken = info(server.url, headers={"X-Tenant": "a\nb"})
    assert not outcome.failed, outcome.msg
    assert {asked.headers.get("authorization") for asked in server.asked} == {f"Bearer {KEY}"}
    assert {asked.headers["x-tenant"] for asked in server.asked} == {"t3nant-s3cret"}
    assert all("api-key" not in asked.headers for asked in server.asked)
    assert outcome.result["invocation"]["module_args"]["headers"] == {"X-Tenant": "***", "Accept": "*/*"}
    assert "headers: the value of X-Tenant has a line break" in broken.msg
    for secret in (KEY, "t3nant-s3cret"):
        assert secret not in json.dumps(outcome.result)


def test_the_key_is_never_shown() -> None:
    def echo(asked: Asked) -> Reply:
        return Reply(200, f"<html>{json.dumps(dict(asked.headers))}</html>")

    with serve(echo) as server:
        outcome = info(server.url, api_key=KEY)
        broken = info(server.url, api_key=f"{KEY}\n")
    assert server.asked[0].headers["api-key"] == KEY
    assert outcome.failed
    assert broken.failed
    assert KEY not in json.dumps(outcome.result)
    assert KEY not in json.dumps(broken.result)
    assert "api_key: the value of api-key has a line break" in broken.msg


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            Reply(200, "<html>Welcome</html>"),
            "answered 200 with text/html ('<html>Welcome</html>'), which is not how Qdrant answers",
        ),
        (Reply(404, {"detail": "Not Found"}), "answered 404 with application/json ("),
        (Reply(200, {"result": {"names": []}, "status": "ok"}), "its answer has no collections in it"),
        (Reply(200, {"result": None, "status": "fine"}), "which is not how Qdrant answers"),
        (Reply(200), "answered 200 with an empty body, which is not how Qdrant answers"),
        (Reply(200, [1, 2]), "which is not how Qdrant answers"),
        (Reply(404, {"status": {"error": "Not found"}}), "it answered 404, Not found. Check the url."),
    ],
)
def test_an_answer_that_is_not_qdrants(reply: Reply, words: str) -> None:
    with serve(lambda asked: reply) as server:
        outcome = info(server.url)
    assert outcome.failed
    assert words in outcome.msg
    assert "url" in outcome.msg
    assert len(server.asked) == 1


def test_an_invalid_certificate_is_told_at_once(tmp_path: Path) -> None:
    clock = FakeClock()
    with serve(store(), certificate=self_signed(tmp_path)) as server:
        outcome = info(server.url, clock=clock)
        trusted = info(server.url.replace("127.0.0.1", "localhost"), ca_path=str(tmp_path / "localhost.pem"))
    assert outcome.msg.startswith(f"Could not list the collections of {server.url}: the certificate is not valid:")
    assert clock.sleeps == []
    assert not trusted.failed, trusted.msg


def test_a_refusal_of_one_collection_names_it() -> None:
    qdrant = store()
    refusal = Reply(409, {"status": {"error": "Conflict: collection is being moved."}})
    with serve(lambda asked: refusal if asked.path.endswith("count") else qdrant(asked)) as server:
        outcome = info(server.url)
    assert outcome.msg == (
        f"Could not read the collection 'conversations' of {server.url}: it answered 409, Conflict: collection is "
        f"being moved. Check the collection with GET {server.url}/collections/conversations."
    )


def test_a_root_that_is_not_passed_on_is_no_failure() -> None:
    qdrant = store()
    with serve(lambda asked: Reply(404, "<html>") if asked.path == "/" else qdrant(asked)) as server:
        outcome = info(server.url)
    assert not outcome.failed
    assert outcome.result["version"] is None


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"url": "localhost:6333"}, "does not begin with http:// or https://"),
        ({"url": "http://host:6333/?a=b"}, "without a query or a fragment"),
        ({"timeout": -1}, "timeout is -1"),
        ({"attempt_timeout": 0}, "attempt_timeout is 0"),
        ({"collections": ["a", ""]}, "collections has an empty name"),
        ({"expected": {"a": -1}}, "expected: 'a' is -1"),
        ({"expected": {"a": {"point_count": 3}}}, "expected: 'a' has 'point_count', which nothing is told of"),
        ({"expected": {"a": {"status": {"is": 3}}}}, "expected: 'a': 'status' has the test 'is'"),
        ({"tolerate": ["loss"]}, "value of tolerate must be one or more of: aliases, "),
        ({"api_key_scheme": "basic"}, "value of api_key_scheme must be one of: api-key, bearer"),
        ({"expected": {"a": 1}, "exact": False}, "expected has counts, but exact is false"),
        ({"baseline": [{"points_count": 3}]}, "baseline: entry 0 has no name"),
        ({"client_cert": "/no/such.pem"}, "client_cert is '/no/such.pem', which is not a file"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_asked(args: dict[str, Any], words: str) -> None:
    with serve(store()) as server:
        outcome = info(**{"url": server.url, **args})
    assert outcome.failed
    assert words in outcome.msg
    assert server.asked == []


def test_userinfo_is_masked() -> None:
    with serve(lambda asked: Reply(404, "<html>")) as server:
        outcome = info(server.url.replace("//", "//operator:tops3cret@"))
    text = json.dumps(outcome.result)
    assert "tops3cret" not in text
    assert "operator" not in text
    assert f"http://***@127.0.0.1:{server.port}" in outcome.msg


@pytest.mark.parametrize("key", ["a", "2", "24", "true", "docs", "documents"[:7]])
def test_a_short_key_blanks_no_name_and_no_count(key: str) -> None:
    """Ansible's no_log would replace it within names, and a whole number that has it in it."""
    without = read(store()).result
    found = read(store(key=key), api_key=key, baseline=without["collections"]).result
    assert found["collections"] == without["collections"]
    assert found["differences"] == []
    assert found["invocation"]["module_args"]["api_key"] == "***"


def test_the_key_is_masked_where_the_server_repeats_it() -> None:
    with serve(lambda asked: Reply(500, f"you said {asked.headers.get('api-key')}")) as server:
        outcome = info(server.url, api_key=KEY, timeout=0)
    assert outcome.failed
    assert server.asked[0].headers["api-key"] == KEY
    assert KEY not in json.dumps(outcome.result)


def test_the_key_does_not_reach_the_systems_log(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda self, msg, log_args=None: logged.append(f"{msg} {log_args}"))
    assert not read(store(key=KEY), api_key=KEY).failed
    assert "attempt_timeout" in "".join(logged)
    assert KEY not in "".join(logged)


# --- The documentation -----------------------------------------------------------------------------------------------


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
    documented = yaml.safe_load(DOCUMENTATION)["options"]
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
