"""http_health as Ansible runs it, against real servers and a clock that only sleeping moves."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.options import http_argument_spec
from ansible_collections.wwhd.qdrant_ops.plugins.modules.http_health import (
    DOCUMENTATION,
    EXAMPLES,
    argument_spec,
    main,
)
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, Outcome, run_module
from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import (
    Asked,
    Reply,
    SmallServer,
    free_port,
    self_signed,
    serve,
)

OK = Reply(200, {"status": "healthy"})
DOWN = Reply(503, "no healthy target")


def health(url: str, *, clock: FakeClock | None = None, check: bool = False, **args: Any) -> Outcome:
    return run_module(main, {"url": url, "use_proxy": False, **args}, clock=clock or FakeClock(), check=check)


def script(*replies: Reply) -> Any:
    """Answers with each reply in turn, and for ever with the last."""
    rest = list(replies)
    return lambda asked: rest.pop(0) if len(rest) > 1 else rest[0]


def ask(replies: Iterable[Reply], **args: Any) -> tuple[Outcome, SmallServer]:
    with serve(script(*replies)) as server:
        return health(f"{server.url}/health", **args), server


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


def test_userinfo_is_masked_everywhere() -> None:
    with serve(lambda asked: Reply(503, f"you said {asked.headers.get('authorization')}")) as server:
        url = server.url.replace("//", "//operator:tops%40cret@") + "/health?token=qu3ry-t0ken&deep=1"
        outcome = health(url, timeout=1, force_basic_auth=True)
    text = json.dumps(outcome.result)
    assert outcome.failed
    sent = server.asked[0].headers["authorization"]
    assert sent.startswith("Basic ")
    assert server.asked[0].path == "/health?token=qu3ry-t0ken&deep=1"
    for secret in ("tops", "operator", "qu3ry", sent.split()[1]):
        assert secret not in text
    shown = f"http://***@127.0.0.1:{server.port}/health?token=***&deep=***"
    assert f"GET {shown}" in outcome.msg
    assert outcome.result["last"]["url"] == shown.replace("***@", "")
    assert outcome.result["invocation"]["module_args"]["url"] == shown


def test_nothing_secret_reaches_the_systems_log(monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []
    monkeypatch.setattr(AnsibleModule, "log", lambda self, msg, log_args=None: logged.append(f"{msg} {log_args}"))
    with serve(script(OK)) as server:
        headers = {"X-Own": "als0s3cret"}
        for url, login in (
            (server.url.replace("//", "//operator:tops%40cret@"), {}),
            (server.url, {"url_username": "u", "url_password": "pa55word"}),
        ):
            assert not health(f"{url}/health?token=qu3ry-t0ken", headers=headers, **login).failed
    assert "timeout" in "".join(logged)
    for secret in ("tops", "qu3ry", "als0s3cret", "pa55word"):
        assert secret not in "".join(logged)


def test_a_short_secret_blanks_nothing_but_itself() -> None:
    with serve(lambda asked: Reply(200, {"status": "true", "count": 240})) as server:
        url = f"{server.url}/health?t=4"
        outcome = health(url, headers={"X-Own": "true", "X-Other": "1"}, url_username="u", url_password="0")
    assert outcome.result["last"]["json"] == {"status": "true", "count": 240}
    assert outcome.result["last"]["status"] == 200
    arguments = outcome.result["invocation"]["module_args"]
    assert arguments["headers"] == {"X-Own": "***", "X-Other": "***"}
    assert (arguments["url_password"], arguments["url"]) == ("***", f"{server.url}/health?t=***")


def test_headers_that_may_be_secrets_are_masked_and_harmless_ones_are_not() -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(503, {"token": asked.headers["authorization"].split()[1], "kind": asked.headers["accept"]})

    with serve(answer) as server:
        headers = {"Authorization": "Bearer tops3cret", "X-Own": "als0s3cret", "Accept": "application/json"}
        outcome = health(server.url, timeout=0, headers=headers, url_username="u", url_password="pa55word")
    text = json.dumps(outcome.result)
    assert server.asked[0].headers["authorization"] == "Bearer tops3cret"
    for secret in ("tops3cret", "als0s3cret", "pa55word"):
        assert secret not in text
    assert outcome.result["last"]["json"]["kind"] == "application/json"
    assert outcome.result["last"]["content_type"] == "application/json"
    assert outcome.result["invocation"]["module_args"]["headers"]["Accept"] == "application/json"


# --- What an answer may be asked for ---------------------------------------------------------------------------------


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


def test_a_cookie_of_the_answer_is_not_shown() -> None:
    outcome, _server = ask([Reply(503, "", {"Set-Cookie": "session=t0psecret"})], timeout=0)
    assert "t0psecret" not in json.dumps(outcome.result)
    assert outcome.result["last"]["headers"]["set-cookie"] == "***"


# --- The documentation -----------------------------------------------------------------------------------------------


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
