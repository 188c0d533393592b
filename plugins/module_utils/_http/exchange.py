# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request with a deadline that holds, and what came of it as data rather than as exceptions.

Private to wwhd.qdrant_ops. The transport is ansible.module_utils.urls, so that proxies, certificates and
authentication work as they do in ansible.builtin.uri. Seconds everywhere, as floats.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import threading
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ansible.module_utils.urls import Request as AnsibleRequest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.masking import HARMLESS_HEADERS, mask
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.transport import Transport, context_for
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.words import one_line, seconds
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

__all__ = ["NETWORK_ERRORS", "Answer", "Request", "explain", "fetch", "joined", "open_response", "within"]

T = TypeVar("T")

_BODY_LIMIT = 1024 * 1024


@dataclass(frozen=True)
class Request:
    """What to ask. `body_limit` is the most that is read of the answer, in bytes.

    `address` is the one to connect to, whatever the host of `url` resolves to; that host stays what the server is told
    (Host, SNI) and what its certificate must be for. Redirects are not followed then, nor is a proxy used.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    data: bytes | io.RawIOBase | None = None
    body_limit: int = _BODY_LIMIT
    address: str | None = None


@dataclass(frozen=True)
class Answer:
    """What came of one request.

    `status` is None where there was no HTTP answer: then `error` says why in words, and `label` in a few of them, so
    that equal failures can be counted. `hopeless` failures don't go away by waiting.
    """

    status: int | None
    label: str
    latency: float
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    truncated: bool = False
    error: str | None = None
    hopeless: bool = False
    address: str | None = None

    def text(self) -> str:
        """The body as text; bytes that are no UTF-8 are replaced."""
        return self.body.decode("utf-8", errors="replace")


# ValueError is what a redirect to a malformed address ends in.
NETWORK_ERRORS = (OSError, http.client.HTTPException, ValueError, EOFError, zlib.error)


def fetch(request: Request, *, transport: Transport, timeout: float, clock: Clock) -> Answer:
    """Ask once, for `timeout` seconds at most. Every outcome of the network is an Answer, never an exception."""
    start = clock.monotonic()
    shown = mask(request.url)
    try:
        status, url, headers, body = within(timeout, lambda: _open(request, transport, timeout))
    except NETWORK_ERRORS as error:
        label, words, hopeless = explain(error, timeout)
        words += _through_proxy(request, transport)
        spent = clock.monotonic() - start
        return Answer(None, label, spent, shown, error=mask(words), hopeless=hopeless, address=request.address)
    return Answer(
        status,
        str(status),
        clock.monotonic() - start,
        # A redirect that is not followed is an answer of the address that was asked.
        shown if 300 <= status < 400 or request.address else mask(url),
        headers=headers,
        body=body[: request.body_limit],
        truncated=len(body) > request.body_limit,
        address=request.address,
    )


def _open(request: Request, transport: Transport, timeout: float) -> tuple[int, str, dict[str, str], bytes]:
    response = open_response(request, transport, timeout)
    try:
        body = response.read(request.body_limit + 1)
        missing = getattr(response, "length", None)
        if missing and len(body) <= request.body_limit:  # read(n), unlike read(), takes a short body for a whole one
            raise http.client.IncompleteRead(body, missing)
        return int(response.getcode()), str(response.geturl()), joined(response.headers.items()), body
    finally:
        response.close()


def open_response(request: Request, transport: Transport, timeout: float) -> Any:
    """The answer, whatever its status, with its body still to be read. Raises what NETWORK_ERRORS names."""
    names = {name.lower() for name in request.headers}
    url, headers, context = request.url, dict(request.headers), transport.context
    if request.address:
        url, host, context = _pinned(request.url, request.address, transport)
        headers.update({} if "host" in names else {"Host": host})
    direct = request.address or transport.unix_socket
    try:
        return AnsibleRequest().open(
            request.method,
            url,
            data=request.data,
            headers=headers,
            timeout=timeout,
            use_proxy=transport.use_proxy and not direct,
            url_username=transport.url_username,
            url_password=transport.url_password,
            force_basic_auth=transport.force_basic_auth,
            http_agent=None if "user-agent" in names else transport.http_agent,
            follow_redirects="none" if request.address else transport.follow_redirects,
            unredirected_headers=sorted((names - HARMLESS_HEADERS) | {"authorization"}),
            unix_socket=transport.unix_socket,
            decompress=transport.decompress,
            use_netrc=transport.use_netrc and "authorization" not in names,
            context=context,
        )
    except urllib.error.HTTPError as error:
        return error


def _pinned(url: str, address: str, transport: Transport) -> tuple[str, str, Any]:
    """(the URL with the address in the place of the host, the Host header, the TLS context for that host)."""
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    there = f"[{address}]" if ":" in address else address
    port = f":{parts.port}" if parts.port else ""
    name = parts.hostname or ""
    host = host if host.isascii() else name.encode("idna").decode() + port
    pinned = parts._replace(netloc=f"{userinfo}{at}{there}{port}").geturl()
    return pinned, host, context_for(name, transport.context) if parts.scheme.lower() == "https" else transport.context


def joined(headers: Any) -> dict[str, str]:
    """Names in lower case; one that comes more than once has all its values, as RFC 9110 joins them."""
    joined: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        joined[key] = f"{joined[key]}, {value}" if key in joined else str(value)
    return joined


def within(limit: float, work: Callable[[], T]) -> T:
    """Run `work` in a thread and wait `limit` seconds for it; raises TimeoutError, or what `work` raises.

    A socket's own time-out begins anew with each byte and does not cover the look-up of a name: a server that drips, or
    a resolver that hangs, would hold the caller for as long as it likes. A thread given up ends with the process.
    """
    outcome: Future[T] = Future()

    def worker() -> None:
        try:
            outcome.set_result(work())
        except Exception as error:  # noqa: BLE001  # whatever it is, the waiting thread raises it
            outcome.set_exception(error)

    threading.Thread(target=worker, daemon=True).start()
    try:
        return outcome.result(limit)
    except NotInTime:
        raise TimeoutError from None


def _through_proxy(request: Request, transport: Transport) -> str:
    parts = urlsplit(request.url)
    proxy = urllib.request.getproxies().get(parts.scheme.lower())
    direct = request.address or transport.unix_socket or not transport.use_proxy
    if direct or not proxy or urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]):
        return ""
    return f" (through the proxy {proxy})"


def explain(error: BaseException, timeout: float) -> tuple[str, str, bool]:
    """(label, words, hopeless) of a request that had no HTTP answer."""
    cause: object = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, OSError) and cause.errno is None and isinstance(cause.__context__, OSError):
        cause = cause.__context__  # ansible's connection to a Unix socket raises one without a number from the real one
    for kinds, label, words in (
        ((TimeoutError, socket.timeout), "timed out", f"no complete answer within {seconds(timeout)}"),
        (ConnectionRefusedError, "connection refused", "connection refused"),
        (http.client.IncompleteRead, "answer cut off", "the answer was cut off"),
        # A server that refuses the client's certificate may close before its alert arrives.
        ((ConnectionError, ssl.SSLEOFError), "connection lost", "the connection was closed before an answer came"),
    ):
        if isinstance(cause, kinds):
            return label, words, False
    if isinstance(cause, socket.gaierror):
        return "name not resolved", f"the name does not resolve ({cause.strerror or cause})", False
    if isinstance(cause, ssl.SSLError):
        return _explain_tls(cause)
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower(), cause.strerror, False
    return "no valid HTTP answer", f"no valid HTTP answer ({type(cause).__name__}: {one_line(str(cause))})", False


def _explain_tls(error: ssl.SSLError) -> tuple[str, str, bool]:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "certificate not valid", f"the certificate is not valid: {error.verify_message}", True
    reason = error.reason or str(error)
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        return "client certificate refused", f"the server refused the client's certificate ({reason})", True
    return "TLS failed", f"TLS failed ({reason})", False
