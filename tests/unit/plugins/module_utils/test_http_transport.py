"""Certificates, ciphers, Unix sockets and logins: the ways there."""

from __future__ import annotations

import http.client
import ssl
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import Answer, explain
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.transport import Transport
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.words import advice
from ansible_collections.wwhd.qdrant_ops.tests.unit.http_client import PARAMS, ask
from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import Reply, free_port, self_signed, serve


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
