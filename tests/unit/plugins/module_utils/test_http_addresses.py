"""Each address of a name is asked, as the one server that the name stands for."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http import addresses
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.addresses import fetch_each, resolve
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import Answer, Request, fetch
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.transport import Transport
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.tests.unit.http_client import PARAMS
from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import Reply, free_port, serve


@pytest.fixture
def two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """`localhost` and `backend.test` have two addresses of this machine, as a load balancer's name has."""
    real = socket.getaddrinfo

    def resolve_both(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host in ("localhost", "backend.test"):
            kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
            return [(*kind, (address, port)) for address in ("127.0.0.1", "127.0.0.2", "127.0.0.1")]
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_both)


def ask_each(url: str, **params: Any) -> list[Answer]:
    clock = Clock()
    transport = Transport.from_params({**PARAMS, **params})
    deadline = clock.monotonic() + 10.0
    return fetch_each(Request(url), transport=transport, timeout=5.0, deadline=deadline, clock=clock)


def test_each_address_is_asked_for_the_host_of_the_url(two_addresses: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with (
        serve(lambda asked: Reply(200)) as first,
        serve(lambda asked: Reply(503), host="127.0.0.2", port=first.port) as second,
    ):
        url = f"http://backend.test:{first.port}/health?a=b"
        answers = ask_each(url, use_proxy=True, url_username="u", url_password="p", force_basic_auth=True)
    assert [(answer.address, answer.status) for answer in answers] == [("127.0.0.1", 200), ("127.0.0.2", 503)]
    assert {answer.url for answer in answers} == {f"http://backend.test:{first.port}/health?a=***"}
    for server in (first, second):
        (asked,) = server.asked
        assert (asked.path, asked.headers["host"]) == ("/health?a=b", f"backend.test:{first.port}")
        assert asked.headers["authorization"] == "Basic dTpw"


def test_each_address_has_the_name_in_tls_and_must_be_certified_for_it(two_addresses: None, certificate: Path) -> None:
    with (
        serve(lambda asked: Reply(200), certificate=certificate) as first,
        serve(lambda asked: Reply(200), certificate=certificate, host="127.0.0.2", port=first.port) as second,
    ):
        trusted = ask_each(f"https://localhost:{first.port}/", ca_path=str(certificate))
        other = ask_each(f"https://backend.test:{first.port}/", ca_path=str(certificate))
        unknown = ask_each(f"https://localhost:{first.port}/")
    assert [answer.status for answer in trusted] == [200, 200]
    assert (first.server_names[0], second.server_names[0]) == ("localhost", "localhost")
    assert [(answer.label, answer.hopeless) for answer in [*other, *unknown]] == [("certificate not valid", True)] * 4
    assert "backend.test" in (other[0].error or "")


def test_all_addresses_share_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    limits: list[float] = []

    def slow(request: Request, *, timeout: float, **more: Any) -> Answer:
        limits.append(timeout)
        now[0] += timeout
        return Answer(None, "timed out", timeout, request.url, address=request.address)

    monkeypatch.setattr(addresses, "resolve", lambda url: ["10.0.0.1", "10.0.0.2", "10.0.0.3"])
    monkeypatch.setattr(addresses, "fetch", slow)
    answers = fetch_each(
        Request("http://backend.test/"),
        transport=Transport(),
        timeout=5.0,
        deadline=108.0,
        clock=Clock(monotonic=lambda: now[0]),
    )
    assert limits == [5.0, 3.0, 0.05]
    assert [answer.address for answer in answers] == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


def test_an_address_where_nothing_listens_is_one_of_the_answers(two_addresses: None) -> None:
    with serve(lambda asked: Reply(301, "", {"Location": "http://elsewhere.invalid/"})) as server:
        answers = ask_each(f"http://backend.test:{server.port}/")
    assert [(answer.address, answer.label) for answer in answers] == [
        ("127.0.0.1", "301"),
        ("127.0.0.2", "connection refused"),
    ]


def test_a_name_without_an_address_is_one_answer(no_resolver: None) -> None:
    (answer,) = ask_each("http://no-such-host.invalid/")
    assert (answer.address, answer.label, answer.hopeless) == (None, "name not resolved", False)


def test_an_ipv6_address_keeps_its_brackets() -> None:
    assert resolve("http://[::1]:6333/") == ["::1"]
    request = Request(f"http://u:p@backend.test:{free_port()}/", address="::1")
    answer = fetch(request, transport=Transport(), timeout=5.0, clock=Clock())
    assert answer.status is None
    assert answer.label in ("connection refused", "cannot assign requested address", "network is unreachable")


def test_a_name_that_only_loopback_has_is_still_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any other interface, AI_ADDRCONFIG makes the resolver find nothing."""
    real = socket.getaddrinfo

    def strict(*args: Any, flags: int = 0, **kwargs: Any) -> Any:
        if flags & socket.AI_ADDRCONFIG:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(*args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", strict)
    assert resolve("https://127.0.0.1/") == ["127.0.0.1"]
