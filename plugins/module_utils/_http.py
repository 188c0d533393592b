# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request with a deadline that holds, and what came of it as data rather than as exceptions.

Private to wwhd.qdrant_ops. The transport is ansible.module_utils.urls, so that proxies, certificates and
authentication work as they do in ansible.builtin.uri. Seconds everywhere, as floats.
"""

from __future__ import annotations

import base64
import http.client
import math
import re
import socket
import ssl
import threading
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from ansible.module_utils.urls import Request as AnsibleRequest
from ansible.module_utils.urls import make_context

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._progress import hide_secrets

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

__all__ = [
    "HIDDEN",
    "Answer",
    "Request",
    "Transport",
    "advice",
    "check_header",
    "check_seconds",
    "check_url",
    "fetch",
    "http_argument_spec",
    "keep_secrets",
    "mask",
    "one_line",
    "run",
    "seconds",
    "secrets_of_headers",
    "secrets_of_login",
    "secrets_of_url",
    "shown_headers",
    "tally",
]

T = TypeVar("T")

HIDDEN = "***"
_TIMES = "\N{MULTIPLICATION SIGN} "
_KINDS_SHOWN = 5
_BODY_LIMIT = 1024 * 1024
_SCHEMES = ("http", "https")
_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")
_QUERY = re.compile(r"(?P<before>://[^\s?#'\"]*\?)(?P<query>[^\s#'\"]*[^\s#'\",.;:)])")
_USERINFO_AND_MORE = re.compile(r"(?<=://).*@", re.DOTALL)
_UNSAFE_IN_URL = re.compile(r"[\x00-\x20\x7f]")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SCHEME_AND_TOKEN = re.compile(r"[A-Za-z]+ +(\S+)")
# no_log replaces parts of words and whole numbers: a key such as `24` or `docs` would blank counts and names that are
# compared later, and hide nothing. What is shorter than this is hidden only where it stands.
_SHORTEST_SECRET = 8
_UNSAFE_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# Everything else may be a credential of somebody's own invention, so it is treated as one.
_HARMLESS_HEADERS = frozenset(
    (
        "accept",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "connection",
        "content-type",
        "host",
        "user-agent",
    )
)


# --- Arguments -------------------------------------------------------------------------------------------------------


def http_argument_spec() -> dict[str, dict[str, Any]]:
    """The options of the documentation fragment `http_options`."""
    return {
        "validate_certs": {"type": "bool", "default": True},
        "ca_path": {"type": "path"},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path", "no_log": False},
        "use_proxy": {"type": "bool", "default": True},
        "url_username": {"type": "str"},
        "url_password": {"type": "str", "no_log": True},
        "force_basic_auth": {"type": "bool", "default": False},
        "http_agent": {"type": "str", "default": "ansible-qdrant-ops"},
        "follow_redirects": {"type": "str", "default": "safe", "choices": ["all", "none", "safe"]},
    }


def check_url(url: str, *, option: str = "url") -> None:
    """Refuse what can't be asked, before anything is asked. Raises OperationFailed."""
    refused = f"{option} is {_mask_wholly(url)!r}"
    if _UNSAFE_IN_URL.search(url):
        raise OperationFailed(f"{refused}, with a space or a control character in it: write it as %20 or take it out.")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
        host.encode("idna")
    except ValueError:
        # The exception may quote a piece of a password that was not percent-encoded: it is not repeated.
        raise OperationFailed(
            f"{refused}, whose host and port can't be read: write it as http://HOST:PORT/PATH, "
            "with the user and the password in url_username and url_password."
        ) from None
    if parts.scheme.lower() not in _SCHEMES:
        raise OperationFailed(f"{refused}, which does not begin with http:// or https://: give the whole address.")
    if not host:
        raise OperationFailed(f"{refused}, which names no host: write it as {parts.scheme}://HOST:PORT/PATH.")
    if port == 0:
        raise OperationFailed(f"{refused}, and no server can have port 0: give the port that it listens on.")
    if not (parts.path + parts.query).isascii():
        raise OperationFailed(f"{refused}, with characters beyond ASCII in its path: write them percent-encoded.")


def check_seconds(value: float, *, option: str, minimum: float = 0.0) -> None:
    """Refuse a time that is negative, too short, infinite or not a number. Raises OperationFailed."""
    if not math.isfinite(value) or value < minimum:
        raise OperationFailed(f"{option} is {value:g}: give a number of seconds, at least {minimum:g}.")


def check_header(name: str, value: str, *, option: str) -> None:
    """Refuse a header that HTTP can't carry, without repeating its value. Raises OperationFailed."""
    if not _HEADER_NAME.fullmatch(name):
        raise OperationFailed(f"{option} names the header {name!r}: a name has letters, digits and hyphens only.")
    if _UNSAFE_IN_HEADER.search(value):
        raise OperationFailed(
            f"{option}: the value of {name} has a line break or a control character in it: remove it."
        )
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        # The exception quotes the value, which may be a secret: it must not be chained.
        raise OperationFailed(
            f"{option}: the value of {name} has characters that HTTP can't carry: check it."
        ) from None


# --- Secrets ---------------------------------------------------------------------------------------------------------


def mask(text: str) -> str:
    """`text` with what may be a secret in the URLs in it replaced: `https://***@host/path?token=***`."""
    return _QUERY.sub(_without_values, _USERINFO.sub("***@", text))


def _without_values(found: re.Match[str]) -> str:
    names = [name for name, equals, _value in (part.partition("=") for part in found["query"].split("&")) if equals]
    return found["before"] + ("&".join(f"{name}=***" for name in names) or "***")


def secrets_of_url(url: str) -> set[str]:
    """What must never be shown of a URL: its userinfo, the password, the query and its values, in both spellings."""
    secrets: set[str] = set()
    found = _USERINFO.search(url) or (None if _port_is_readable(url) else _USERINFO_AND_MORE.search(url))
    if found:
        userinfo = found.group(0)[:-1]
        user, _colon, password = userinfo.partition(":")
        secrets |= {userinfo, password} | secrets_of_login(unquote(user), unquote(password))
    query = _QUERY.search(url)
    if query:
        secrets |= {query["query"], *(part.partition("=")[2] for part in query["query"].split("&"))}
    return {spelt for secret in secrets for spelt in (secret, unquote(secret)) if spelt}


def secrets_of_login(user: str | None, password: str | None) -> set[str]:
    """A password, also as basic authentication sends it: a server may repeat what it was sent."""
    if not password:
        return set()
    return {password, base64.b64encode(f"{user or ''}:{password}".encode()).decode()}


def keep_secrets(module: AnsibleModule, secrets: Iterable[str], **shown: Any) -> dict[str, Any]:
    """Mask the secrets in all that the module returns; its parameters, as they were given.

    `shown` takes the place of parameters in what Ansible tells of the call. no_log in the specification only keeps them
    out of the system's log: by itself it would mask each harmless value wherever it occurs in the result.
    """
    given = dict(module.params)
    module.no_log_values = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
    module.params.update({name: value for name, value in shown.items() if given[name]})
    return given


def _mask_wholly(url: str) -> str:
    """For a URL that may be malformed: a password with an unescaped slash in it is masked as well."""
    return mask(url) if _port_is_readable(url) else _USERINFO_AND_MORE.sub("***@", url)


def _port_is_readable(url: str) -> bool:
    try:
        urlsplit(url).port  # noqa: B018  # reading it is what raises
    except ValueError:
        return False
    return True


def secrets_of_headers(headers: Mapping[str, str]) -> set[str]:
    """The values that may be credentials, also without the scheme before them (`Bearer TOKEN` and `TOKEN`)."""
    secrets: set[str] = set()
    for name, value in headers.items():
        if name.lower() not in _HARMLESS_HEADERS:
            with_scheme = _SCHEME_AND_TOKEN.fullmatch(value)
            secrets.update({value, with_scheme.group(1) if with_scheme else value})
    return {secret for secret in secrets if secret}


def shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with `***` for what may be a credential."""
    return {name: value if name.lower() in _HARMLESS_HEADERS else HIDDEN for name, value in headers.items()}


# --- Requests --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Transport:
    """How to get there: certificates, proxy, authentication. The TLS context is built once, not for each attempt."""

    url_username: str | None = None
    url_password: str | None = None
    force_basic_auth: bool = False
    http_agent: str = "ansible-qdrant-ops"
    follow_redirects: str = "safe"
    use_proxy: bool = True
    context: ssl.SSLContext | None = None

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Transport:
        """From a module's parameters. Raises OperationFailed for files that are missing or no certificates."""
        if params["client_key"] and not params["client_cert"]:
            raise OperationFailed("client_key is given without client_cert: give the certificate that belongs to it.")
        if params["url_password"] and not params["url_username"]:
            raise OperationFailed("url_password is given without url_username: give the user that it belongs to.")
        for option in ("ca_path", "client_cert", "client_key"):
            if params[option] and not Path(params[option]).is_file():
                raise OperationFailed(
                    f"{option} is {params[option]!r}, which is not a file: give the path of a PEM file."
                )
        try:
            context = make_context(
                cafile=params["ca_path"],
                validate_certs=params["validate_certs"],
                client_cert=params["client_cert"],
                client_key=params["client_key"],
            )
        except (OSError, ValueError) as error:
            files = [f"{name} {params[name]!r}" for name in ("ca_path", "client_cert", "client_key") if params[name]]
            raise OperationFailed(
                f"Could not load the certificates of {' and '.join(files) or 'this system'}: {error}. "
                "Check that each file is PEM, and that the key belongs to the certificate and has no passphrase."
            ) from error
        return cls(
            url_username=params["url_username"],
            url_password=params["url_password"],
            force_basic_auth=params["force_basic_auth"],
            http_agent=params["http_agent"],
            follow_redirects=params["follow_redirects"],
            use_proxy=params["use_proxy"],
            context=context,
        )


@dataclass(frozen=True)
class Request:
    """What to ask. `body_limit` is the most that is read of the answer, in bytes."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    data: bytes | None = None
    body_limit: int = _BODY_LIMIT


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

    def text(self) -> str:
        """The body as text; bytes that are no UTF-8 are replaced."""
        return self.body.decode("utf-8", errors="replace")


# ValueError is what a redirect to a malformed address ends in.
_NETWORK_ERRORS = (OSError, http.client.HTTPException, ValueError, EOFError, zlib.error)


def fetch(request: Request, *, transport: Transport, timeout: float, clock: Clock) -> Answer:
    """Ask once, for `timeout` seconds at most. Every outcome of the network is an Answer, never an exception."""
    start = clock.monotonic()
    shown = mask(request.url)
    try:
        status, url, headers, body = _within(timeout, lambda: _open(request, transport, timeout))
    except _NETWORK_ERRORS as error:
        label, words, hopeless = _explain(error, timeout)
        words += _through_proxy(request.url, transport)
        return Answer(None, label, clock.monotonic() - start, shown, error=mask(words), hopeless=hopeless)
    return Answer(
        status,
        str(status),
        clock.monotonic() - start,
        # A redirect that is not followed is an answer of the address that was asked.
        mask(request.url if 300 <= status < 400 else url),
        headers=headers,
        body=body[: request.body_limit],
        truncated=len(body) > request.body_limit,
    )


def _open(request: Request, transport: Transport, timeout: float) -> tuple[int, str, dict[str, str], bytes]:
    names = {name.lower() for name in request.headers}
    response: Any
    try:
        response = AnsibleRequest().open(
            request.method,
            request.url,
            data=request.data,
            headers=dict(request.headers),
            timeout=timeout,
            use_proxy=transport.use_proxy,
            url_username=transport.url_username,
            url_password=transport.url_password,
            force_basic_auth=transport.force_basic_auth,
            http_agent=None if "user-agent" in names else transport.http_agent,
            follow_redirects=transport.follow_redirects,
            unredirected_headers=sorted((names - _HARMLESS_HEADERS) | {"authorization"}),
            # A ~/.netrc would silently replace the Authorization header that the caller gives.
            use_netrc=False,
            context=transport.context,
        )
    except urllib.error.HTTPError as error:
        response = error
    try:
        body = response.read(request.body_limit + 1)
        missing = getattr(response, "length", None)
        if missing and len(body) <= request.body_limit:  # read(n), unlike read(), takes a short body for a whole one
            raise http.client.IncompleteRead(body, missing)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return int(response.getcode()), str(response.geturl()), headers, body
    finally:
        response.close()


def _within(limit: float, work: Callable[[], T]) -> T:
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


def _through_proxy(url: str, transport: Transport) -> str:
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme.lower())
    if not transport.use_proxy or not proxy or urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]):
        return ""
    return f" (through the proxy {proxy})"


def _explain(error: BaseException, timeout: float) -> tuple[str, str, bool]:
    """(label, words, hopeless) of a request that had no HTTP answer."""
    cause: object = error.reason if isinstance(error, urllib.error.URLError) else error
    for kinds, label, words in (
        ((TimeoutError, socket.timeout), "timed out", f"no complete answer within {seconds(timeout)}"),
        (ConnectionRefusedError, "connection refused", "connection refused"),
        (http.client.IncompleteRead, "answer cut off", "the answer was cut off"),
        (ConnectionError, "connection lost", "the connection was closed before an answer came"),
    ):
        if isinstance(cause, kinds):
            return label, words, False
    if isinstance(cause, socket.gaierror):
        return "name not resolved", f"the name does not resolve ({cause.strerror or cause})", False
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "certificate not valid", f"the certificate is not valid: {cause.verify_message}", True
    if isinstance(cause, ssl.SSLError):
        return "TLS failed", f"TLS failed ({cause.reason or cause})", False
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower(), cause.strerror, False
    return "no valid HTTP answer", f"no valid HTTP answer ({type(cause).__name__}: {one_line(str(cause))})", False


# --- Words -----------------------------------------------------------------------------------------------------------

_ADVICE_BY_LABEL = {
    "connection refused": "Nothing listens there: check that the service runs, and the port.",
    "timed out": "Check the route from here (VPN, security groups, a proxy), or give a longer attempt_timeout.",
    "connection lost": "Something closes the connection: check that the port speaks this scheme, and the server's log.",
    "answer cut off": "The server ended in the middle of its answer: check its log.",
    "name not resolved": "Check the name for typing errors, and the DNS and VPN of this machine.",
    "certificate not valid": (
        "Give the authority that signed it with ca_path, or use the name that the certificate is for."
    ),
    "TLS failed": "Check that the port speaks TLS (https), and which versions it accepts.",
}
_ADVICE_BY_STATUS = {
    401: "Give credentials that the server accepts.",
    403: "Give credentials that the server accepts, and check what lies between (a proxy, a firewall).",
    404: "Check the path of the address.",
    407: "The proxy wants credentials: check http_proxy and no_proxy, or set use_proxy to false.",
    429: "The server limits the rate of requests: ask less often.",
    502: "The load balancer gets no valid answer from its target: check the container's log.",
    503: "A load balancer says so when no target is registered, and a service while it starts: check the targets' "
    "health and the container's log.",
    504: "The load balancer's target does not answer in time: check security groups and the container's log.",
}


def advice(answer: Answer) -> str:
    """What the operator can do about an answer that was not the one wished for."""
    if answer.status is None:
        return _ADVICE_BY_LABEL.get(answer.label, "Check the address and the network between.")
    if answer.status in _ADVICE_BY_STATUS:
        return _ADVICE_BY_STATUS[answer.status]
    if 300 <= answer.status < 400:
        target = mask(answer.headers.get("location", "elsewhere"))
        return f"The address redirects to {target}: use that one, or see follow_redirects."
    if answer.status >= 500:
        return "The server fails by itself: check its log."
    return "Check the address and what it is expected to answer."


def one_line(text: str, *, limit: int = 200) -> str:
    """`text` on one line, shortened to `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def seconds(value: float) -> str:
    """`5 s`, `0.25 s`: as a person writes it."""
    return f"{round(value, 2):g} s"


def tally(labels: Mapping[str, int]) -> str:
    """How often each outcome came, most frequent first: `9 connection refused`, and 503 with a sign between."""
    pairs = sorted(labels.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [f"{count} {_TIMES if label[:1].isdigit() else ''}{label}" for label, count in pairs[:_KINDS_SHOWN]]
    rest = sum(count for _label, count in pairs[_KINDS_SHOWN:])
    return ", ".join([*shown, f"{rest} others"] if rest else shown)


# --- Modules ---------------------------------------------------------------------------------------------------------


def run(module: AnsibleModule, work: Callable[[], dict[str, Any]]) -> None:
    """The body of a `main()` that is not AWS's: do the work, turn the one exception into the one way to fail."""
    hide_secrets(module)
    try:
        result = work()
    except OperationFailed as error:
        module.fail_json(msg=str(error), **error.details)
    else:
        module.exit_json(**result)
