"""http_health as Ansible runs it, against real servers and a clock that only sleeping moves: the wait."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.tests.unit.health_client import DOWN, OK, ask, health, script
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock
from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import (
    Asked,
    Reply,
    free_port,
    self_signed,
    serve,
)


@pytest.mark.parametrize("check", [False, True])
def test_a_healthy_address_is_asked_once(check: bool) -> None:
    outcome, server = ask([OK], check=check)
    result = outcome.result
    assert not outcome.failed
    assert not outcome.changed
    assert (result["attempts"], result["successes"], result["elapsed"]) == (1, 1, 0.0)
    assert result["started_at"] == "2026-11-23T15:00:00.000Z"
    assert result["last"] == {
        "status": 200,
        "latency": 0.0,
        "url": f"{server.url}/health",
        "content_type": "application/json",
        "headers": result["last"]["headers"],
        "body": '{"status": "healthy"}',
        "json": {"status": "healthy"},
        "error": None,
        "address": None,
        "addresses": [],
    }
    assert result["last"]["headers"]["content-length"] == "21"
    assert result["outcomes"] == {"healthy": 1}
    assert result["history"] == [{"at": "2026-11-23T15:00:00.000Z", "status": 200, "error": None, "latency": 0.0}]


def test_a_failed_attempt_begins_the_row_anew() -> None:
    outcome, server = ask([OK, OK, DOWN, OK, OK, OK, DOWN], successes=3, interval=2, timeout=60)
    assert not outcome.failed
    assert (outcome.result["attempts"], outcome.result["successes"], len(server.asked)) == (6, 3, 6)
    assert [entry["status"] for entry in outcome.result["history"]] == [200, 200, 503, 200, 200, 200]
    assert outcome.result["elapsed"] == 10.0
    assert outcome.result["history"][2]["error"] == "503"


@contextlib.contextmanager
def starts_after(seconds: float, reply: Reply, *, port: int, clock: FakeClock) -> Iterator[None]:
    """Until `seconds` have passed on the clock, nothing listens on the port."""
    with contextlib.ExitStack() as stack:

        def start() -> None:
            stack.enter_context(serve(script(reply), port=port))

        clock.at(seconds, start)
        yield


def test_a_service_that_comes_up_while_it_waits() -> None:
    port = free_port()
    clock = FakeClock()
    with starts_after(5, OK, port=port, clock=clock):
        outcome = health(f"http://127.0.0.1:{port}/", clock=clock)
    assert not outcome.failed
    assert outcome.result["attempts"] == 6
    assert outcome.result["history"][0]["error"] == "connection refused"
    assert outcome.result["history"][0]["status"] is None


def test_the_time_is_up() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/health"
    clock = FakeClock()
    with starts_after(9, DOWN, port=port, clock=clock):
        outcome = health(url, clock=clock, timeout=11, successes=2, json={"status": "healthy"})
    server = f"server: {outcome.result['last']['headers']['server']}, content-type: text/html; charset=utf-8"
    assert outcome.failed
    assert outcome.msg == (
        f'GET {url} was not healthy within 11 s: wanted status 200, status = "healthy", 2 times in a row; the last '
        f"answer was status 503 after 0 s ({server}) with the body 'no healthy target' (12 attempts in 11 s: "
        "9 connection refused, "
        "3 \N{MULTIPLICATION SIGN} 503). A load balancer says so when no target is registered, and a service while it "
        "starts: check the targets' health and the container's log."
    )
    assert (outcome.result["attempts"], outcome.result["successes"], outcome.result["elapsed"]) == (12, 0, 11.0)
    assert outcome.result["last"]["status"] == 503
    assert len(outcome.result["history"]) == 10


def test_no_time_is_one_attempt() -> None:
    outcome, server = ask([DOWN], timeout=0)
    assert outcome.failed
    assert len(server.asked) == 1
    assert "(1 attempt in 0 s: 1 \N{MULTIPLICATION SIGN} 503)" in outcome.msg


def test_nearly_enough_in_a_row_is_not_enough() -> None:
    outcome, _server = ask([DOWN, OK], successes=2, timeout=1)
    assert outcome.failed
    assert "1 healthy" in outcome.msg
    assert "It answers as wanted, but not 2 times in a row yet: give a longer timeout." in outcome.msg
    assert outcome.result["successes"] == 1


def test_a_body_that_is_not_json_is_a_failed_attempt() -> None:
    outcome, _server = ask([Reply(200, "<html>"), OK], json={"status": "healthy"})
    assert not outcome.failed
    assert outcome.result["history"][0] == {
        "at": "2026-11-23T15:00:00.000Z",
        "status": 200,
        "error": "200 but not JSON",
        "latency": 0.0,
    }


def test_another_value_than_wanted_is_named() -> None:
    outcome, _server = ask([Reply(200, {"status": "starting", "n": 1})], json={"status": "healthy"}, timeout=2)
    assert outcome.failed
    assert '(3 attempts in 2 s: 3 \N{MULTIPLICATION SIGN} 200 but status = "starting")' in outcome.msg
    assert "check what the address answers, or correct json" in outcome.msg


def test_a_slow_answer_is_a_failed_attempt() -> None:
    clock = FakeClock()
    slow = [0.7, 0.2]

    def answer(asked: Asked) -> Reply:
        clock.now += slow.pop(0)
        return OK

    with serve(answer) as server:
        outcome = health(server.url, clock=clock, max_latency=0.5)
    assert not outcome.failed
    assert [(entry["error"], entry["latency"]) for entry in outcome.result["history"]] == [
        ("200 but slow", 0.7),
        (None, 0.2),
    ]


def test_an_answer_that_stays_slow_says_what_to_do() -> None:
    clock = FakeClock()

    def answer(asked: Asked) -> Reply:
        clock.now += 0.7
        return OK

    with serve(answer) as server:
        outcome = health(server.url, clock=clock, max_latency=0.5, timeout=0)
    assert "wanted status 200, an answer within 0.5 s; the last answer was status 200 after 0.7 s" in outcome.msg
    assert outcome.msg.endswith("Find out what slows the service down, or give a larger max_latency.")


def test_an_invalid_certificate_ends_the_wait_at_once(tmp_path: Path) -> None:
    clock = FakeClock()
    with serve(script(OK), certificate=self_signed(tmp_path)) as server:
        outcome = health(server.url, clock=clock, timeout=600)
    assert outcome.failed
    assert clock.sleeps == []
    assert (
        f"GET {server.url} can't become healthy by waiting: wanted status 200; the last answer was the" in outcome.msg
    )
    assert "certificate is not valid" in outcome.msg
    assert outcome.msg.endswith(
        "Give the authority that signed it with ca_path, or use the name that the certificate is for."
    )
    assert outcome.result["attempts"] == 1


def test_a_hanging_server_is_given_up_per_attempt() -> None:
    done = threading.Event()

    def hang(file: Any) -> None:
        file.write(b"HTTP/1.0 200 OK\r\n")
        done.wait(10)

    with serve(script(Reply(raw=hang), OK)) as server:
        outcome = health(server.url, attempt_timeout=0.3)
        done.set()
    assert not outcome.failed
    assert outcome.result["attempts"] == 2
    assert outcome.result["history"][0]["error"] == "no complete answer within 0.3 s"


def test_a_request_is_sent_as_given() -> None:
    with serve(script(OK)) as server:
        health(server.url, method="POST", body={"a": 1}, headers={"X-Number": 5})
        health(server.url, method="POST", body="a=b", headers={"content-type": "text/plain"})
        health(server.url, method="HEAD", http_agent="me")
    mapping, text, head = server.asked
    assert (mapping.method, mapping.json(), mapping.headers["content-type"]) == ("POST", {"a": 1}, "application/json")
    assert mapping.headers["x-number"] == "5"
    assert (text.body, text.headers["content-type"]) == (b"a=b", "text/plain")
    assert (head.method, head.headers["user-agent"]) == ("HEAD", "me")


def test_a_long_body_is_shown_in_part() -> None:
    outcome, _server = ask([Reply(200, {"long": "x" * 70_000})])
    assert len(outcome.result["last"]["body"]) == 1000
    assert outcome.result["last"]["json"] is None


def test_odd_text_in_the_answer_does_no_harm() -> None:
    outcome, _server = ask([Reply(200, b'{"a": "\\ud800", "b": "\xff"}')])
    assert not outcome.failed
    outcome, _server = ask([Reply(200, b'{"a": "\\ud800"}')], json={"a": "x"}, timeout=0)
    assert outcome.failed


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({"url": "no-scheme/health"}, "url is 'no-scheme/health', which does not begin with http:// or https://"),
        ({"url": "http:///health"}, "names no host"),
        ({"interval": -1}, "interval is -1"),
        ({"timeout": -1}, "timeout is -1"),
        ({"timeout": "nan"}, "timeout is nan"),
        ({"attempt_timeout": -1}, "attempt_timeout is -1"),
        ({"max_latency": -0.1}, "max_latency is -0.1"),
        ({"successes": 0}, "successes is 0"),
        ({"status": [2000]}, "status has 2000"),
        ({"status": ["200-"]}, "status has 200-, which is not an HTTP status"),
        ({"status": []}, "status is empty"),
        ({"give_up_status": ["no"]}, "give_up_status has no, which is not an HTTP status"),
        ({"response_headers": {"X-A": {"than": 1}}}, "response_headers: 'X-A' has the test 'than'"),
        ({"body_matches": "("}, "body_matches is '(', which is not a regular expression"),
        ({"ciphers": ["NO-SUCH"]}, "ciphers is ['NO-SUCH'], of which OpenSSL here knows none"),
        ({"every_address": True, "unix_socket": "/s"}, "every_address is given with unix_socket"),
        ({"method": "POST", "body": 3, "body_format": "form-urlencoded"}, "body is no form"),
        ({"json": {"a": {"matches": "["}}}, "which is not a regular expression"),
        ({"json": {"a..b": 1}}, "'a..b' is not a path at '..b'"),
        ({"ca_path": "/no/such.pem"}, "ca_path is '/no/such.pem', which is not a file"),
        ({"headers": {"X": "a\nb"}}, "the value of X has a line break"),
        ({"body": "x", "body_format": "json", "method": "POST"}, "body is not valid JSON"),
    ],
)
def test_bad_arguments_are_refused_before_any_attempt(args: dict[str, Any], words: str) -> None:
    with serve(script(OK)) as server:
        outcome = health(**{"url": server.url, **args})
    assert outcome.failed
    assert words in outcome.msg
    assert outcome.msg.endswith((".", "null."))
    assert "attempts" not in outcome.result
    assert server.asked == []
