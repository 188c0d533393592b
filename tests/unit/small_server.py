"""Real HTTP servers on 127.0.0.1 for the tests of what asks over HTTP, and a Qdrant that is just enough of one."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

__all__ = ["Asked", "FakeQdrant", "Reply", "SmallServer", "free_port", "self_signed", "serve"]


@dataclass(frozen=True)
class Asked:
    """One request as it arrived; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """One answer. A mapping or list as `body` is sent as JSON; `raw` gets the socket's file instead of all that."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: Callable[[Any], None] | None = None

    def content(self) -> tuple[bytes, str]:
        if isinstance(self.body, bytes):
            return self.body, "application/octet-stream"
        if isinstance(self.body, str):
            return self.body.encode(), "text/html; charset=utf-8"
        return json.dumps(self.body).encode(), "application/json"


@dataclass
class SmallServer:
    """A running server: where it is, what it was asked, and which names TLS told it."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


class _UnixServer(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True

    def get_request(self) -> tuple[Any, Any]:
        connection, _address = super().get_request()
        return connection, ("unix", 0)  # the handler's log wants a pair


@contextlib.contextmanager
def serve(
    answer: Callable[[Asked], Reply],
    *,
    port: int = 0,
    certificate: Path | None = None,
    host: str = "127.0.0.1",
    clients: Path | None = None,
    unix_socket: Path | None = None,
) -> Iterator[SmallServer]:
    """A server that answers each request with `answer(request)`, until the block ends; over TLS with a certificate.

    `clients` is the certificate that a client must show then; a Unix socket takes the place of host and port.
    """

    class Handler(BaseHTTPRequestHandler):
        def answer_it(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.command, self.path, headers, self.rfile.read(length))
            running.asked.append(asked)
            reply = answer(asked)
            if reply.raw:
                with contextlib.suppress(OSError):
                    reply.raw(self.wfile)
                return
            content, kind = reply.content()
            self.send_response(reply.status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):
                return self.answer_it
            raise AttributeError(name)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
            """Tests read `asked`, not a log."""

    server = _UnixServer(str(unix_socket), Handler) if unix_socket else ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    names: list[str | None] = []
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.sni_callback = lambda _socket, name, _context: names.append(name)
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    there = "localhost" if unix_socket else f"{host}:{server.server_address[1]}"
    running = SmallServer(f"{'https' if certificate else 'http'}://{there}", server_names=names)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def self_signed(folder: Path) -> Path:
    """A PEM file with a certificate for localhost that signed itself, and its key."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(private, hashes.SHA256())
    )
    key = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    place = folder / "localhost.pem"
    place.write_bytes(signed.public_bytes(Encoding.PEM) + key)
    return place


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class FakeQdrant:
    """A Qdrant's HTTP interface over points in memory: `collections` maps names to {point id: vector}.

    `version` decides whether points/query exists; `key` and `refusal` how a wrong key is answered; `lost` are points
    that no search finds; `far` makes every search rank the asked point last, as a dot product may. `replicas` are the
    states of each shard's replicas, the first one on the peer that is asked; None is a version or a proxy that does not
    tell. `ready` is what /readyz answers, `params` and `schema` are parts of each collection's description.
    """

    collections: dict[str, dict[int | str, Any]]
    version: str = "1.7.4"
    key: str | None = None
    refusal: tuple[int, str] = (403, "Invalid api-key")
    status: str = "green"
    optimizer: Any = "ok"
    lost: frozenset[int | str] = frozenset()
    far: bool = False
    query_fault: Reply | None = None
    aliases: dict[str, str] | None = field(default_factory=dict)
    replicas: dict[int, list[str]] | None = field(default_factory=lambda: {0: ["Active"]})
    ready: Reply = Reply(200, "all shards are ready")
    params: dict[str, Any] = field(default_factory=lambda: {"vectors": {"size": 2, "distance": "Cosine"}})
    schema: dict[str, Any] = field(default_factory=dict)
    warnings: list[Any] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/":
            return Reply(body={"title": "qdrant - vector search engine", "version": self.version})
        if asked.path == "/readyz":
            return self.ready
        bearer = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if self.key and asked.headers.get("api-key", bearer) != self.key:
            return Reply(self.refusal[0], self.refusal[1])
        parts = asked.path.strip("/").split("/")
        return self._of_collection(asked, parts) if len(parts) > 1 else self._of_all(parts[0])

    def _of_all(self, what: str) -> Reply:
        if what == "collections":
            return _ok({"collections": [{"name": name} for name in self.collections]})
        if what == "aliases" and self.aliases is not None:
            pairs = [{"alias_name": alias, "collection_name": name} for alias, name in self.aliases.items()]
            return _ok({"aliases": pairs})
        return Reply(404)

    def _of_collection(self, asked: Asked, parts: list[str]) -> Reply:
        name = unquote(parts[1])
        points = self.collections.get((self.aliases or {}).get(name, name))
        known = {
            "GET": self._describe,
            "POST points/count": self._count,
            "POST points/scroll": self._scroll,
            "POST points/search": self._search,
        }
        if self.replicas is not None:
            known["GET cluster"] = self._cluster
        if tuple(map(int, self.version.split("."))) >= (1, 10, 0):
            known["POST points/query"] = self._query
        action = known.get(f"{asked.method} {'/'.join(parts[2:])}".strip())
        if action is None:
            return Reply(404)
        if points is None:
            return _error(404, f"Not found: Collection `{name}` doesn't exist!")
        return action(points, asked)

    def _describe(self, points: dict[int | str, Any], asked: Asked) -> Reply:
        result = {"status": self.status, "optimizer_status": self.optimizer, "indexed_vectors_count": 0}
        told = {"segments_count": 2, "config": {"params": self.params}, "payload_schema": self.schema}
        if self.warnings:
            told["warnings"] = self.warnings
        # Approximate on purpose: who compares must count exactly.
        return _ok({**result, **told, "points_count": len(points) + 7})

    def _cluster(self, points: dict[int | str, Any], asked: Asked) -> Reply:
        replicas = [
            (shard, peer, state)
            for shard, states in (self.replicas or {}).items()
            for peer, state in enumerate(states, start=1)
        ]
        local = [
            {"shard_id": shard, "points_count": len(points), "state": state}
            for shard, peer, state in replicas
            if peer == 1
        ]
        remote = [{"shard_id": shard, "peer_id": peer, "state": state} for shard, peer, state in replicas if peer > 1]
        return _ok(
            {
                "peer_id": 1,
                "shard_count": len(self.replicas or {}),
                "local_shards": local,
                "remote_shards": remote,
                "shard_transfers": [],
            }
        )

    def _count(self, points: dict[int | str, Any], asked: Asked) -> Reply:
        return _ok({"count": len(points) if asked.json()["exact"] else len(points) + 7})

    def _scroll(self, points: dict[int | str, Any], asked: Asked) -> Reply:
        wanted = asked.json()
        chosen = list(points.items())[: wanted["limit"]]
        return _ok({"points": [{"id": key, "vector": vector} for key, vector in chosen], "next_page_offset": None})

    def _search(self, points: dict[int | str, Any], asked: Asked) -> Reply:
        return self.query_fault or _ok(self._hits(points, asked.json()))

    def _query(self, points: dict[int | str, Any], asked: Asked) -> Reply:
        return self.query_fault or _ok({"points": self._hits(points, asked.json())})

    def _hits(self, points: dict[int | str, Any], wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
        ids = [key for key in points if key not in self.lost]
        if "filter" in wanted:
            ids = [key for key in ids if key in wanted["filter"]["must"][0]["has_id"]]
        if self.far:
            ids.reverse()
        return [{"id": key, "score": 1.0} for key in ids[: wanted["limit"]]]


def _ok(result: Any) -> Reply:
    return Reply(body={"result": result, "status": "ok", "time": 0.001})


def _error(status: int, text: str) -> Reply:
    return Reply(status, {"status": {"error": text}, "time": 0.001})
