"""One request, its deadline, and what each failure of the network is called."""

from __future__ import annotations

import gzip
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.words import advice
from ansible_collections.wwhd.qdrant_ops.tests.unit.http_client import ask
from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import Asked, Reply, free_port, serve


def test_an_answer_holds_status_headers_body_and_where_it_came_from() -> None:
    with serve(lambda asked: Reply(200, {"path": asked.path}, {"X-One": "1"})) as server:
        answer = ask(f"{server.url}/a?b=c")
    assert (answer.status, answer.label, answer.error, answer.hopeless) == (200, "200", None, False)
    assert answer.text() == '{"path": "/a?b=c"}'
    assert answer.headers["x-one"] == "1"
    assert answer.url == f"{server.url}/a?b=***"
    assert server.asked[0].headers["user-agent"] == "ansible-qdrant-ops"


def test_an_error_status_is_an_answer_with_its_body() -> None:
    with serve(lambda asked: Reply(503, "no healthy target")) as server:
        answer = ask(server.url)
    assert (answer.status, answer.text(), answer.error) == (503, "no healthy target", None)


def test_a_long_body_is_cut_and_says_so() -> None:
    with serve(lambda asked: Reply(200, b"x" * 50)) as server:
        answer = ask(server.url, body_limit=10)
        whole = ask(server.url, body_limit=50)
    assert (answer.body, answer.truncated) == (b"x" * 10, True)
    assert (len(whole.body), whole.truncated) == (50, False)


def test_nothing_listens() -> None:
    answer = ask(f"http://127.0.0.1:{free_port()}/")
    assert (answer.status, answer.label, answer.hopeless) == (None, "connection refused", False)


def test_a_name_that_does_not_resolve(no_resolver: None) -> None:
    answer = ask("http://no-such-host.invalid/")
    assert (answer.status, answer.label, answer.hopeless) == (None, "name not resolved", False)
    assert answer.error is not None
    assert answer.error.startswith("the name does not resolve (")


def test_a_server_that_drips_does_not_outlast_the_deadline() -> None:
    def drip(file: Any) -> None:
        file.write(b"HTTP/1.0 200 OK\r\n\r\n")
        for _turn in range(100):
            file.write(b"x")
            file.flush()
            time.sleep(0.05)

    with serve(lambda asked: Reply(raw=drip)) as server:
        start = time.monotonic()
        answer = ask(server.url, timeout=0.3)
        spent = time.monotonic() - start
    assert (answer.status, answer.label) == (None, "timed out")
    assert answer.error == "no complete answer within 0.3 s"
    assert 0.3 <= spent < 2.0


def test_a_server_that_never_answers() -> None:
    done = threading.Event()

    def wait(file: Any) -> None:
        done.wait(10)

    with serve(lambda asked: Reply(raw=wait)) as server:
        answer = ask(server.url, timeout=0.2)
        done.set()
    assert (answer.status, answer.label) == (None, "timed out")


@pytest.mark.parametrize(
    ("sent", "label"),
    [
        (b"", "connection lost"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\nabc", "answer cut off"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "no valid HTTP answer"),
        (b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\nno gzip at all", "no valid HTTP answer"),
        (b"HTTP/1.0 302 Found\r\nLocation: http://[broken/\r\n\r\n", "no valid HTTP answer"),
    ],
)
def test_an_answer_that_is_none(sent: bytes, label: str) -> None:
    with serve(lambda asked: Reply(raw=lambda file: file.write(sent))) as server:
        answer = ask(server.url)
    assert (answer.status, answer.label, answer.hopeless) == (None, label, False)


def test_a_redirect_is_followed_without_the_credentials() -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(302, "", {"Location": "/there"}) if asked.path == "/here" else Reply(200, "ok")

    headers = {"Authorization": "Bearer t0ken", "X-Own": "word", "Accept": "text/html"}
    with serve(answer) as server:
        got = ask(f"{server.url}/here", headers=headers)
    assert (got.status, got.url) == (200, f"{server.url}/there")
    first, second = server.asked
    assert (first.headers["authorization"], first.headers["x-own"]) == ("Bearer t0ken", "word")
    assert "authorization" not in second.headers
    assert "x-own" not in second.headers
    assert second.headers["accept"] == "text/html"


@pytest.mark.parametrize(("follow", "method"), [("none", "GET"), ("safe", "POST")])
def test_a_redirect_that_is_not_followed_is_the_answer(follow: str, method: str) -> None:
    with serve(lambda asked: Reply(301, "", {"Location": "http://u:p@elsewhere/"})) as server:
        answer = ask(f"{server.url}/here", follow_redirects=follow, method=method)
    assert (answer.status, answer.url) == (301, f"{server.url}/here")
    assert "http://***@elsewhere/" in advice(answer)


def test_basic_authentication_is_sent_when_asked_for_and_at_once_when_forced() -> None:
    def answer(asked: Asked) -> Reply:
        return (
            Reply(200) if "authorization" in asked.headers else Reply(401, "", {"WWW-Authenticate": 'Basic realm="x"'})
        )

    with serve(answer) as server:
        later = ask(server.url, url_username="u", url_password="p")
        in_url = ask(server.url.replace("//", "//u:p@"))
        asked_before = len(server.asked)
        at_once = ask(server.url, url_username="u", url_password="p", force_basic_auth=True)
    assert [later.status, in_url.status, at_once.status] == [200, 200, 200]
    assert (asked_before, len(server.asked)) == (4, 5)
    assert in_url.url.startswith("http://127.0.0.1:")


def test_a_netrc_does_not_replace_the_header_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login u password p\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serve(lambda asked: Reply(200)) as server:
        ask(server.url, headers={"Authorization": "Bearer t0ken"})
    assert server.asked[0].headers["authorization"] == "Bearer t0ken"


def test_the_proxy_of_the_environment_is_used_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, no_resolver: None
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serve(lambda asked: Reply(200, "from the proxy")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        answer = ask("http://no-such-host.invalid/", use_proxy=True)
        direct = ask("http://no-such-host.invalid/", use_proxy=False)
        monkeypatch.setenv("http_proxy", f"http://u:s3cret@127.0.0.1:{free_port()}")
        broken = ask("http://no-such-host.invalid/", use_proxy=True)
    assert (answer.text(), direct.label) == ("from the proxy", "name not resolved")
    assert broken.label == "connection refused"
    assert "(through the proxy http://***@127.0.0.1:" in (broken.error or "")


def test_a_compressed_answer_is_unpacked_unless_told_otherwise() -> None:
    packed = gzip.compress(b'{"a": 1}')
    with serve(lambda asked: Reply(200, packed, {"Content-Encoding": "gzip"})) as server:
        assert ask(server.url).text() == '{"a": 1}'
        assert ask(server.url, decompress=False).body == packed


def test_a_header_that_comes_twice_has_both_values() -> None:
    def twice(file: Any) -> None:
        file.write(b"HTTP/1.0 200 OK\r\nX-One: a\r\nx-one: b\r\n\r\n")

    with serve(lambda asked: Reply(raw=twice)) as server:
        assert ask(server.url).headers["x-one"] == "a, b"
