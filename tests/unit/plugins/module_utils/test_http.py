"""One request, its deadline, and what each failure of the network is called."""

from __future__ import annotations

import gzip
import http.client
import socket
import ssl
import threading
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http import addresses
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.addresses import fetch_each, resolve
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import Answer, Request, explain, fetch
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.masking import (
    mask,
    secrets_of_headers,
    secrets_of_url,
    shown_headers,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.options import (
    check_header,
    check_seconds,
    check_url,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.transport import Transport
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.words import advice, one_line, seconds, tally
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import Asked, Reply, free_port, self_signed, serve

PARAMS: dict[str, Any] = {
    "validate_certs": True,
    "ca_path": None,
    "client_cert": None,
    "client_key": None,
    "ciphers": None,
    "unix_socket": None,
    "use_netrc": False,
    "decompress": True,
    "use_proxy": False,
    "url_username": None,
    "url_password": None,
    "force_basic_auth": False,
    "http_agent": "ansible-qdrant-ops",
    "follow_redirects": "safe",
}


@pytest.fixture
def no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names end as where no resolver knows them; a machine without a network may take longer to say so than tests."""
    real = socket.getaddrinfo

    def resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        if str(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def ask(url: str, *, timeout: float = 5.0, method: str = "GET", **params: Any) -> Answer:
    headers = params.pop("headers", {})
    limit = params.pop("body_limit", 1000)
    request = Request(url, method=method, headers=headers, body_limit=limit)
    return fetch(request, transport=Transport.from_params({**PARAMS, **params}), timeout=timeout, clock=Clock())


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("backend.example.com/health", "does not begin with http:// or https://"),
        ("ftp://backend.example.com/", "does not begin with http:// or https://"),
        ("", "does not begin with http:// or https://"),
        ("http://", "names no host"),
        ("http:///health", "names no host"),
        ("http://:80/health", "names no host"),
        ("http://host:eighty/", "host and port can't be read"),
        ("http://host:99999/", "host and port can't be read"),
        ("http://host:0/", "no server can have port 0"),
        ("http://[::1/", "host and port can't be read"),
        (f"http://{'a' * 64}.example.com/", "host and port can't be read"),
        ("http://host/a b", "a space or a control character"),
        ("http://host/a\nb", "a space or a control character"),
        ("http://host/gesundheit-prüfen", "characters beyond ASCII"),
    ],
)
def test_an_address_that_can_not_be_asked_is_refused(url: str, words: str) -> None:
    with pytest.raises(OperationFailed, match=r"^health_url is ") as failure:
        check_url(url, option="health_url")
    assert words in str(failure.value)


@pytest.mark.parametrize(
    "url", ["http://host", "HTTPS://u:p@host:8443/p?q=1#f", "http://[::1]:6333/", "http://bücher.example/"]
)
def test_an_address_that_can_be_asked_passes(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://me:tops3cret@host:x/",
        "http://me:tops3/cret@host/",
        "http://me:top@s3cret@host /",
        "nttp://me:tops3cret@h/",
    ],
)
def test_a_password_is_not_repeated_when_its_address_is_refused(url: str) -> None:
    with pytest.raises(OperationFailed) as failure:
        check_url(url)
    assert "s3" not in str(failure.value)
    assert "cret" not in str(failure.value)
    assert failure.value.__cause__ is None


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), -0.001])
def test_a_time_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(OperationFailed, match=r"^timeout is .*: give a number of seconds, at least 0\.$"):
        check_seconds(value, option="timeout")


@pytest.mark.parametrize(
    ("name", "value"), [("api-key", "s3cret\r\nX: y"), ("api-key", "s3cret…"), ("bad name", "s3cret"), ("", "s3cret")]
)
def test_a_header_that_http_can_not_carry_is_refused_without_its_value(name: str, value: str) -> None:
    with pytest.raises(OperationFailed, match=r"^headers") as failure:
        check_header(name, value, option="headers")
    assert "s3cret" not in str(failure.value)
    assert failure.value.__cause__ is None


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://u:p@host/x", "http://***@host/x"),
        ("see https://user@host and http://a:b@c", "see https://***@host and http://***@c"),
        ("http://u:p@ss@host/", "http://***@host/"),
        ("http://host/@me", "http://host/@me"),
        ("mail me@host", "mail me@host"),
        ("http://host/x?token=t0ken&b=2#f", "http://host/x?token=***&b=***#f"),
        ("http://host?t0ken", "http://host?***"),
        ("'http://host/?a=b', or http://u:p@host/?c=d%20e.", "'http://host/?a=***', or http://***@host/?c=***."),
        ("http://host/? and what?", "http://host/? and what?"),
    ],
)
def test_userinfo_and_query_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("http://host/", set()),
        ("http://u:p%40w@host/", {"u:p%40w", "u:p@w", "p%40w", "p@w", "dTpwQHc="}),
        ("http://token@host/", {"token"}),
        ("http://u:a/b@host/", {"u:a/b", "a/b", "dTphL2I="}),
        ("http://host/?a=x%20y&b=", {"a=x%20y&b=", "a=x y&b=", "x%20y", "x y"}),
        ("http://host/?t0ken", {"t0ken"}),
    ],
)
def test_the_secrets_of_an_address(url: str, secrets: set[str]) -> None:
    assert secrets_of_url(url) == secrets


def test_the_secrets_of_headers_are_all_but_the_harmless_ones() -> None:
    headers = {
        "Accept": "application/json",
        "Authorization": "Bearer t0ken",
        "X-Own": "a word",
        "Cookie": "",
        "DNT": "1",
    }
    assert secrets_of_headers(headers) == {"Bearer t0ken", "t0ken", "a word", "word", "1"}
    assert shown_headers(headers) == {**dict.fromkeys(headers, "***"), "Accept": "application/json"}


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


# --- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls_port(certificate: Path) -> Iterator[int]:
    with serve(lambda asked: Reply(200), certificate=certificate) as server:
        yield server.port


def test_an_unknown_authority_is_hopeless_at_once(tls_port: int) -> None:
    answer = ask(f"https://localhost:{tls_port}/")
    assert (answer.status, answer.label, answer.hopeless) == (None, "certificate not valid", True)
    assert "self-signed" in (answer.error or "").replace("self signed", "self-signed")


def test_a_certificate_for_another_name_is_hopeless(tls_port: int, certificate: Path) -> None:
    answer = ask(f"https://127.0.0.1:{tls_port}/", ca_path=str(certificate))
    assert (answer.label, answer.hopeless) == ("certificate not valid", True)
    assert "127.0.0.1" in (answer.error or "")


def test_ca_path_and_validate_certs_make_it_work(tls_port: int, certificate: Path) -> None:
    assert ask(f"https://localhost:{tls_port}/", ca_path=str(certificate)).status == 200
    assert ask(f"https://127.0.0.1:{tls_port}/", validate_certs=False).status == 200


def test_a_port_without_tls_is_not_hopeless() -> None:
    with serve(lambda asked: Reply(200)) as server:
        answer = ask(server.url.replace("http:", "https:"))
    assert (answer.label, answer.hopeless) == ("TLS failed", False)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"ca_path": "/no/such/file"}, "ca_path is '/no/such/file', which is not a file"),
        ({"client_key": __file__}, "client_key is given without client_cert"),
        ({"url_password": "s3cret"}, "url_password is given without url_username"),
        ({"client_cert": __file__}, "Could not load the certificates of client_cert"),
        ({"ca_path": __file__}, "Could not load the certificates of ca_path"),
    ],
)
def test_files_and_pairs_that_make_no_sense_are_refused(params: dict[str, Any], words: str) -> None:
    with pytest.raises(OperationFailed) as failure:
        Transport.from_params({**PARAMS, **params})
    assert words in str(failure.value)
    assert "s3cret" not in str(failure.value)


def test_a_client_certificate_is_shown_where_the_server_asks_for_one(certificate: Path, tmp_path: Path) -> None:
    mine, other = self_signed(tmp_path), certificate
    with serve(lambda asked: Reply(200), certificate=certificate, clients=mine) as server:
        url = f"https://localhost:{server.port}/"
        shown = ask(url, ca_path=str(certificate), client_cert=str(mine))
        none = ask(url, ca_path=str(certificate))
        wrong = ask(url, ca_path=str(certificate), client_cert=str(other))
    assert shown.status == 200
    for refused in (none, wrong):
        # By TLS 1.3 the server refuses after the handshake, and its closing may overtake its alert.
        assert (refused.status, refused.label) in [(None, "client certificate refused"), (None, "connection lost")]


@pytest.mark.parametrize(
    ("reason", "label", "hopeless"),
    [
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", "client certificate refused", True),
        ("TLSV1_ALERT_UNKNOWN_CA", "client certificate refused", True),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "client certificate refused", True),
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", "TLS failed", False),
        ("WRONG_VERSION_NUMBER", "TLS failed", False),
    ],
)
def test_an_alert_about_the_clients_certificate_is_told_apart(reason: str, label: str, hopeless: bool) -> None:
    error = ssl.SSLError(1, reason)
    error.reason = reason
    found, words, without_hope = explain(urllib.error.URLError(error), 5.0)
    assert (found, without_hope) == (label, hopeless)
    assert reason in words
    assert "client_cert" in advice(Answer(None, found, 0.0, "https://host/"))


def test_a_key_in_a_file_of_its_own(certificate: Path, tmp_path: Path) -> None:
    text = certificate.read_text()
    border = text.index("-----BEGIN PRIVATE KEY")
    (tmp_path / "cert.pem").write_text(text[:border])
    (tmp_path / "key.pem").write_text(text[border:])
    files = {"client_cert": str(tmp_path / "cert.pem"), "client_key": str(tmp_path / "key.pem")}
    with serve(lambda asked: Reply(200), certificate=certificate, clients=certificate) as server:
        assert ask(f"https://localhost:{server.port}/", ca_path=str(certificate), **files).status == 200
    with pytest.raises(OperationFailed, match="Could not load the certificates of client_cert"):
        Transport.from_params({**PARAMS, "client_cert": files["client_cert"]})


def test_ciphers_are_offered_and_no_others() -> None:
    context = Transport.from_params({**PARAMS, "ciphers": ["ECDHE-RSA-AES128-GCM-SHA256", "AES256-SHA"]}).context
    assert context is not None
    named = {cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] != "TLSv1.3"}
    assert named <= {"ECDHE-RSA-AES128-GCM-SHA256", "AES256-SHA"}
    assert named


# --- Other ways there ------------------------------------------------------------------------------------------------


def test_a_unix_socket_is_asked_instead_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "s"
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with serve(lambda asked: Reply(200, {"path": asked.path}), unix_socket=place) as server:
        answer = ask("http://backend.invalid/health", unix_socket=str(place), use_proxy=True)
    assert (answer.status, answer.text()) == (200, '{"path": "/health"}')
    assert server.asked[0].headers["host"] == "backend.invalid"
    gone = ask("http://backend.invalid/health", unix_socket=str(tmp_path / "none"))
    assert (gone.status, gone.label) == (None, "no such file or directory")
    assert "unix_socket" in advice(gone)
    nobody = ask("http://backend.invalid/health", unix_socket=str(place))
    assert nobody.label == "connection refused"


def test_a_unix_socket_with_tls(tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # ansible patches this for the time of a connection, and leaves it so when the connection fails.
    monkeypatch.setattr(http.client.HTTPConnection, "connect", http.client.HTTPConnection.connect)
    place = tmp_path / "s"
    with serve(lambda asked: Reply(200), unix_socket=place, certificate=certificate):
        answer = ask("https://localhost/health", unix_socket=str(place), ca_path=str(certificate))
    assert answer.status == 200


def test_a_netrc_is_read_only_if_asked_and_replaces_no_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password word\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with serve(lambda asked: Reply(200)) as server:
        ask(server.url)
        ask(server.url, use_netrc=True)
        ask(server.url, use_netrc=True, headers={"Authorization": "Bearer t0ken"})
    sent = [asked.headers.get("authorization") for asked in server.asked]
    assert sent == [None, "Basic dXNlcjp3b3Jk", "Bearer t0ken"]


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


# --- Every address ---------------------------------------------------------------------------------------------------


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


# --- Words -----------------------------------------------------------------------------------------------------------


def test_outcomes_are_counted_most_frequent_first() -> None:
    assert tally({"503": 3, "connection refused": 9}) == "9 connection refused, 3 \N{MULTIPLICATION SIGN} 503"
    assert tally({}) == ""
    many = {f"kind {number}": 1 for number in range(8)}
    assert tally(many).endswith("1 kind 4, 3 others")


@pytest.mark.parametrize(("value", "text"), [(5.0, "5 s"), (0.25, "0.25 s"), (60, "60 s"), (1.23456, "1.23 s")])
def test_seconds_as_a_person_writes_them(value: float, text: str) -> None:
    assert seconds(value) == text


def test_a_text_on_one_line() -> None:
    assert one_line(" a\n  b\t") == "a b"
    assert one_line("x" * 300, limit=5) == "xxxx…"


@pytest.mark.parametrize(
    ("status", "label", "words"),
    [
        (None, "connection refused", "Nothing listens there"),
        (None, "no route to host", "Check the address and the network"),
        (401, "401", "credentials"),
        (404, "404", "Check the path"),
        (500, "500", "The server fails by itself"),
        (503, "503", "no target is registered"),
        (204, "204", "what it is expected to answer"),
    ],
)
def test_every_answer_has_an_advice(status: int | None, label: str, words: str) -> None:
    assert words in advice(Answer(status, label, 0.0, "http://host/"))
