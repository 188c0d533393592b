# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP that the load balancer and the application share: a quiet threaded server, and one request passed on."""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any, NamedTuple

_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "content-length"}
)
_DAY = 86400.0


class Answer(NamedTuple):
    """A whole HTTP answer."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class RefusedError(Exception):
    """The other side refused, closed or reset the connection, or its answer was not HTTP."""


class SlowError(Exception):
    """The other side did not answer in time."""


class Server(ThreadingHTTPServer):
    """A server on 127.0.0.1; a handler finds what it serves in ``owner``."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler], owner: Any) -> None:
        self.owner = owner
        super().__init__(("127.0.0.1", port), handler)

    def server_bind(self) -> None:
        # HTTPServer.server_bind asks the resolver for this machine's name, which can take seconds without a network.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", int(self.server_address[1])

    def serve(self) -> None:
        """Answers until `shutdown`, without ever looking around in between: there may be hundreds of these."""
        self.serve_forever(poll_interval=_DAY)

    def shutdown(self) -> None:
        """Ends `serve` at once."""
        # This wakes the thread that waits for a connection; it stops as soon as it sees the flag that comes next.
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        super().shutdown()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a client that went away is no error of ours."""


class Handler(BaseHTTPRequestHandler):
    """Reads the body, asks ``respond`` for an answer, writes it."""

    protocol_version = "HTTP/1.1"
    timeout = 60

    def respond(self, body: bytes) -> Answer:
        """The answer to this request; a subclass gives it."""
        raise NotImplementedError

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        answer = self.respond(self.rfile.read(length) if length else b"")
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    # http.server looks its methods up by these names.
    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815 (see above)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name for it)
        """Nothing on standard error."""


def fetch(
    address: tuple[str, int],
    *,
    method: str,
    path: str,
    headers: Iterable[tuple[str, str]] | Mapping[str, str] = (),
    body: bytes = b"",
    timeout: float,
) -> Answer:
    """One request and its answer. RefusedError or SlowError if there is none; ``timeout`` in real seconds."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    connection = http.client.HTTPConnection(*address, timeout=timeout)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        sent = end_to_end(pairs)
        if not any(name.lower() == "host" for name, _value in sent):
            sent = (("Host", f"{address[0]}:{address[1]}"), *sent)
        for name, value in sent:
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.putheader("Connection", "close")
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return Answer(answer.status, end_to_end(answer.getheaders()), answer.read())
    except TimeoutError as error:
        raise SlowError(f"{address[0]}:{address[1]} did not answer within {timeout:g} s") from error
    except (OSError, http.client.HTTPException) as error:
        raise RefusedError(f"{address[0]}:{address[1]}: {str(error) or type(error).__name__}") from error
    finally:
        connection.close()


def end_to_end(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The headers that are meant for the last receiver."""
    return tuple((name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP)


__all__ = ["Answer", "Handler", "RefusedError", "Server", "SlowError", "end_to_end", "fetch"]
