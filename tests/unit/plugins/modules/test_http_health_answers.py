"""http_health: what an answer may be asked for, and its documentation."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import yaml

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.options import http_argument_spec
from ansible_collections.wwhd.qdrant_ops.plugins.modules.http_health import (
    DOCUMENTATION,
    EXAMPLES,
    argument_spec,
)
from ansible_collections.wwhd.qdrant_ops.tests.unit.health_client import DOWN, OK, ask, health, script
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock
from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import (
    Reply,
    serve,
)


def test_ranges_of_statuses_count_as_healthy() -> None:
    outcome, _server = ask([Reply(503), Reply(302), Reply(204)], status=["200-299", 418])
    assert not outcome.failed
    assert [entry["status"] for entry in outcome.result["history"]] == [503, 302, 204]
    assert not ask([Reply(418)], status_code="2xx,418")[0].failed


def test_a_status_that_ends_the_wait() -> None:
    clock = FakeClock()
    with serve(script(DOWN, Reply(403, "no"))) as server:
        outcome = health(server.url, clock=clock, timeout=600, give_up_status=["401", "403"])
    assert outcome.failed
    assert clock.now == 1
    assert (
        "gave a status that ends the wait (401 or 403): wanted status 200; the last answer was status 403"
        in outcome.msg
    )
    assert outcome.msg.endswith("check what lies between (a proxy, a firewall).")
    assert outcome.result["outcomes"] == {"503": 1, "403": 1}


def test_headers_and_body_are_judged() -> None:
    args: dict[str, Any] = {
        "response_headers": {"X-Version": {"matches": "^2"}},
        "body_matches": "(?i)all is WELL",
        "body_not_matches": "degraded",
    }
    new = {"X-Version": "2.1"}
    replies = [
        Reply(200, "all is well"),
        Reply(200, "starting", new),
        Reply(200, "all is well, but degraded", new),
        Reply(200, "all is well", new),
    ]
    outcome, _server = ask(replies, **args)
    assert not outcome.failed
    assert [entry["error"] for entry in outcome.result["history"]] == [
        "200 but no header X-Version",
        "200 but no match of '(?i)all is WELL' in its body",
        "200 but 'degraded' in its body",
        None,
    ]
    outcome, _server = ask(replies[:1], timeout=0, **args)
    assert (
        'wanted status 200, header X-Version matching "^2", a body matching "(?i)all is WELL", a body not matching '
        '"degraded"; the last answer was status 200 after 0 s (server: '
    ) in outcome.msg
    assert outcome.msg.endswith(
        "The last answer had 200 but no header X-Version: check what the address answers, or correct response_headers "
        "and body_matches and body_not_matches."
    )


def test_each_item_of_a_list_must_pass() -> None:
    parts = {"components": [{"name": "a", "status": "up"}, {"name": "b", "status": "down"}]}
    outcome, _server = ask([Reply(200, parts)], timeout=0, json={"components[*].status": "up"})
    assert outcome.failed
    assert '200 but components[1].status = "down"' in outcome.msg


def test_a_form_is_sent_as_one() -> None:
    with serve(script(OK)) as server:
        health(server.url, method="POST", body={"a": "x y", "b": [1, 2]}, body_format="form-urlencoded")
    (asked,) = server.asked
    assert (asked.body, asked.headers["content-type"]) == (b"a=x+y&b=1&b=2", "application/x-www-form-urlencoded")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_what_may_change_something_is_not_sent_in_check_mode(method: str) -> None:
    with serve(script(OK)) as server:
        predicted = health(server.url, method=method, body="x", check=True)
        refused = health(server.url, method=method, check=True, successes=0)
        asked = len(server.asked)
        sent = health(server.url, method=method, body="x")
    assert (predicted.result["skipped"], predicted.failed, asked) == (True, False, 0)
    assert predicted.msg == f"{method} is not sent in check mode."
    assert "successes is 0" in refused.msg
    assert not sent.failed
    assert [(one.method, one.body) for one in server.asked] == [(method, b"x")]


def test_every_address_must_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "backend.test":
            return real(host, port, *args, **kwargs)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"127.0.0.{last}", port)) for last in (1, 2)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with (
        serve(script(OK)) as first,
        serve(script(DOWN, DOWN, OK), host="127.0.0.2", port=first.port) as second,
    ):
        url = f"http://backend.test:{first.port}/health"
        failed = health(url, every_address=True, timeout=1)
        healthy = health(url, every_address=True, successes=2)
    assert failed.failed
    assert "the last answer of 127.0.0.2 was status 503 after 0 s" in failed.msg
    assert (
        "(2 attempts in 1 s: 2 \N{MULTIPLICATION SIGN} 503 (127.0.0.2); the last time 127.0.0.1: healthy, "
        "127.0.0.2: 503)."
    ) in failed.msg
    assert failed.result["last"]["address"] == "127.0.0.2"
    assert failed.result["last"]["url"] == url
    assert failed.result["history"][0]["address"] == "127.0.0.2"
    assert failed.result["last"]["addresses"] == [
        {"address": "127.0.0.1", "status": 200, "latency": 0.0, "error": None},
        {"address": "127.0.0.2", "status": 503, "latency": 0.0, "error": "503"},
    ]
    assert not healthy.failed
    assert (len(first.asked), len(second.asked)) == (4, 4)
    assert {asked.headers["host"] for asked in [*first.asked, *second.asked]} == {f"backend.test:{first.port}"}


EXAMPLE_TASKS: list[dict[str, Any]] = yaml.safe_load(EXAMPLES)


@pytest.mark.parametrize("task", EXAMPLE_TASKS, ids=lambda task: task["name"])
def test_the_examples_run(task: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """As they stand, but for the host: a server here answers what each of them waits for."""
    document = {
        "status": "healthy",
        "checks": {"qdrant": {"collections": 2}},
        "version": "1.4.0",
        "components": [{"status": "up"}, {"status": "disabled"}],
        "hits": [1],
    }
    args = dict(task["wwhd.qdrant_ops.http_health"])
    path = args.pop("url").partition("//")[2].partition("/")[2]
    with serve(lambda asked: Reply(200, document, {"X-Version": "1.4.0"})) as server:
        outcome = health(f"{server.url}/{path}", **args)
    assert not outcome.failed, outcome.msg
    assert {asked.path for asked in server.asked} == {f"/{path}"}


def test_the_documentation_is_the_specification() -> None:
    documented = yaml.safe_load(DOCUMENTATION)["options"]
    own = {name: option for name, option in argument_spec().items() if name not in http_argument_spec()}
    assert documented.keys() == own.keys()
    for name, option in own.items():
        assert {key: option.get(key) for key in ("type", "choices", "elements", "aliases")} == {
            key: documented[name].get(key) for key in ("type", "choices", "elements", "aliases")
        }
        assert option.get("default") == documented[name].get("default")
