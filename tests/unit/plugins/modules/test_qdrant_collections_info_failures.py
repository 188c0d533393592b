"""qdrant_collections_info where Qdrant can not be read, and where its key must not be seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import fetch
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant import client
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock
from ansible_collections.wwhd.qdrant_ops.tests.unit.qdrant_client import KEY, info, read, store
from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import (
    Asked,
    Reply,
    free_port,
    self_signed,
    serve,
)


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
