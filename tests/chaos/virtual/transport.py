# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWS calls without sockets: botocore's prepared request becomes a WSGI request, the answer comes back like HTTP's."""

from __future__ import annotations

import functools
import io
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import boto3
import botocore.endpoint
from ansible_collections.amazon.aws.plugins.module_utils import modules as aws_modules
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from botocore.retries.quota import RetryQuota

from sandbox.requests import parse
from sandbox.server import Server

# Nobody answers there: a request that is not caught fails, and leaves no machine.
ENDPOINT = "http://aws.invalid"
CONNECTION = {
    "region": "us-west-2", "access_key": "AKIAVIRTUAL0000000", "secret_key": "virtual-secret", "endpoint_url": ENDPOINT,
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One request on its way; retries of one call are requests of their own."""

    operator: str
    service: str
    operation: str
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.service}:{self.operation}"


class Transport:
    """`before` and `after` are called around the effect of each request and may raise, pause or break something.

    Clients are kept for good, one an operator, because making one costs more than a whole module; their retry quota is
    filled up for each module, as if it were a process of its own.
    """

    def __init__(
        self,
        server: Server,
        *,
        operator: Callable[[], str],
        slot: Callable[[], int],
        before: Callable[[Call], None] = lambda call: None,
        after: Callable[[Call], None] = lambda call: None,
    ) -> None:
        self._server, self._operator, self._slot = server, operator, slot
        self.before, self.after = before, after

    def client(self, _module: Any, *, conn_type: str, resource: str, region: str, config: Any = None,
               **_others: Any) -> Any:  # fmt: skip
        """Instead of amazon.aws's `boto3_conn`."""
        assert conn_type == "client"
        return _client(self._slot(), resource, region, config)

    def fill_quotas(self) -> None:
        for quota in _QUOTAS:
            quota._available_capacity = quota._max_capacity

    def send(self, request: AWSPreparedRequest, *, authorization: str) -> AWSResponse:
        body = _body(request)
        environ = {**_environ(request, body), "HTTP_AUTHORIZATION": authorization}
        asked = parse(environ, body, request_id="")
        call = Call(self._operator(), asked.service, asked.operation, asked.params)
        self.before(call)
        ours, theirs = socket.socketpair()
        head: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]], _error: Any = None) -> None:
            head["status"], head["headers"] = int(status.split(" ", 1)[0]), headers

        with ours, theirs:
            environ["werkzeug.socket"] = theirs
            try:
                content = b"".join(self._server(environ, start))
            except ConnectionResetError as error:
                self.after(call)
                raise ConnectionClosedError(endpoint_url=request.url) from error
        self.after(call)
        return AWSResponse(request.url, head["status"], dict(head["headers"]), _Raw(content))


class _Raw(io.BytesIO):
    def stream(self, **_others: Any) -> Iterator[bytes]:
        yield self.read()


_QUOTAS: list[RetryQuota] = []
_KEPT: dict[tuple[Any, ...], Any] = {}
_NOW: list[Transport] = []


@functools.cache
def _session() -> Any:
    """One for all: it keeps the service models, which take a second to load."""
    return boto3.session.Session()


def _client(slot: int, service: str, region: str, config: Any) -> Any:
    key = (slot, service, region, repr(sorted(vars(config).items())) if config else "")
    if key not in _KEPT:
        # Signing takes a third of a call's time, and nobody here verifies it.
        unsigned = (config or Config()).merge(Config(signature_version=UNSIGNED))
        made = _session().client(service, region_name=region, endpoint_url=ENDPOINT, config=unsigned)
        scope = (
            f"AWS4-HMAC-SHA256 Credential=AKIAVIRTUAL/20260101/{region}/{made.meta.service_model.signing_name}/"
            "aws4_request, SignedHeaders=host, Signature=none"
        )
        made.meta.events.register(
            "before-send.*", lambda request, **_others: _NOW[-1].send(request, authorization=scope)
        )
        _KEPT[key] = made
    return _KEPT[key]


def _body(request: AWSPreparedRequest) -> bytes:
    content = request.body or b""
    if isinstance(content, str):
        return content.encode()
    return bytes(content if isinstance(content, (bytes, bytearray)) else content.read())


def _environ(request: AWSPreparedRequest, body: bytes) -> dict[str, Any]:
    parts = urlsplit(request.url)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method, "PATH_INFO": parts.path or "/", "QUERY_STRING": parts.query,
        "SERVER_NAME": parts.hostname, "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "SCRIPT_NAME": "",
        "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http", "wsgi.version": (1, 0), "wsgi.multithread": False, "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }  # fmt: skip
    for name, value in request.headers.items():
        text = value.decode() if isinstance(value, bytes) else str(value)
        key = name.upper().replace("-", "_")
        environ["CONTENT_TYPE" if key == "CONTENT_TYPE" else f"HTTP_{key}"] = text
    environ.setdefault("HTTP_HOST", str(parts.hostname))
    return environ


@contextmanager
def installed(transport: Transport, *, sleep: Callable[[float], None]) -> Iterator[None]:
    """For this time every module's AWS client goes through `transport`, and botocore's pauses through `sleep`."""
    make = RetryQuota.__init__

    def remember(self: RetryQuota, *args: Any, **keywords: Any) -> None:
        make(self, *args, **keywords)
        _QUOTAS.append(self)

    _NOW.append(transport)
    with ExitStack() as stack:
        stack.callback(_NOW.remove, transport)
        stack.enter_context(mock.patch.object(RetryQuota, "__init__", remember))
        stack.enter_context(mock.patch.object(aws_modules, "boto3_conn", transport.client))
        stack.enter_context(mock.patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=sleep)))
        yield


__all__ = ["CONNECTION", "ENDPOINT", "Call", "Transport", "installed"]
