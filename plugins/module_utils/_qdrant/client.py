# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Qdrant's REST API as one client: its envelope, its refusals, one deadline for all calls.

Private to wwhd.qdrant_ops. Works with Qdrant 1.7 and later. Seconds everywhere, as floats.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import Answer, Request, fetch
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.masking import mask
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.options import (
    check_header,
    check_seconds,
    check_url,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.transport import Transport
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.words import advice, one_line, seconds, tally
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock, Hopeless, Pace, WaitEnded, poll

__all__ = ["Qdrant", "RefusedError", "UnknownPathError"]

# What a load balancer or a starting server answers before there is anything to answer with.
_WORTH_RETRYING = frozenset({429, 502, 503, 504})
_PACE = Pace(quick=0.25, slow=2.0)
_SHORTEST_ATTEMPT = 0.05
_BODY_LIMIT = 64 * 1024 * 1024


class RefusedError(Exception):
    """Qdrant itself said no, with one of the 4xx: `status`, and its own words in `reason`."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class UnknownPathError(Exception):
    """This version of Qdrant does not have the path that was asked for."""


class Qdrant:
    """One Qdrant, asked until a deadline that all calls share."""

    def __init__(
        self,
        *,
        url: str,
        api_key: str | None,
        transport: Transport,
        timeout: float,
        attempt_timeout: float,
        clock: Clock,
        headers: Mapping[str, str] | None = None,
        bearer: bool = False,
        on_change: Callable[[str], None] = lambda text: None,
        address: str | None = None,
    ) -> None:
        """`url` is the base address; `timeout` counts from now, over all calls, `attempt_timeout` for each.

        All calls together take both of these at most.

        `bearer` sends the key as an Authorization header rather than as Qdrant's own. `on_change` is told in one
        sentence whenever there is another reason to wait than before. `address` is the one to connect to, for what only
        one of the servers behind a name has.
        """
        check_url(url)
        if urlsplit(url).query or urlsplit(url).fragment:
            raise OperationFailed(f"url is {mask(url)!r}: give Qdrant's base address, without a query or a fragment.")
        check_seconds(timeout, option="timeout")
        check_seconds(attempt_timeout, option="attempt_timeout", minimum=_SHORTEST_ATTEMPT)
        if api_key:
            check_header("api-key", api_key, option="api_key")
        for name, value in (headers or {}).items():
            check_header(name, value, option="headers")
        self.url = url.rstrip("/")
        self.shown = mask(self.url)
        self._api_key = api_key
        self._headers = dict(headers or {})
        self._bearer = bearer
        self._on_change = on_change
        self._reason = ""
        self.transport = transport
        self._address = address
        self._timeout = timeout
        self._attempt_timeout = attempt_timeout
        self._clock = clock
        self._deadline = clock.monotonic() + timeout
        self._outcomes: Counter[str] = Counter()

    def call(
        self, method: str, path: str, *, doing: str, body: Mapping[str, Any] | None = None, since: str | None = None
    ) -> Any:
        """The `result` of one call. `doing` reads after "Could not" and names the things.

        Raises RefusedError for a 4xx that is Qdrant's own and may mean something to the caller, UnknownPathError for a
        path that came with version `since` and is not there, else OperationFailed.
        """
        return self.result(
            self._ask(self.request(method, path, body), doing=doing), path=path, doing=doing, since=since
        )

    def once(self, method: str, path: str, *, limit: float, body: Mapping[str, Any] | None = None) -> Answer:
        """What came of one call that must not be made twice, and may take longer than others do."""
        return fetch(self.request(method, path, body), transport=self.transport, timeout=limit, clock=self._clock)

    def result(self, answer: Answer, *, path: str, doing: str, since: str | None = None) -> Any:
        """The `result` in an answer; raises as `call` does."""
        document = _parse(answer)
        if answer.status in (401, 403):
            raise OperationFailed(self._unauthorised(answer, document, doing=doing))
        if answer.status is None or answer.status >= 500:
            raise OperationFailed(
                f"Could not {doing} of {self.shown}: it answered {answer.status}, {_reason(document, answer)}. "
                f"{advice(answer)}"
            )
        if not _is_envelope(document):
            # Qdrant's router, unlike its handlers, answers an unknown path without the envelope.
            if since and answer.status in (404, 405):
                raise UnknownPathError(f"{path} came with Qdrant {since}")
            raise OperationFailed(
                f"Could not {doing} of {self.shown}: {answer.url} answered {answer.status} with {_looks(answer)}, "
                "which is not how Qdrant answers: give the base address of its REST API in url."
            )
        if answer.status >= 400:
            raise RefusedError(answer.status, _reason(document, answer))
        return document["result"]

    def optional(self, path: str, *, doing: str) -> Any:
        """The `result` of a GET, or None where this Qdrant, this key or what lies between does not give it."""
        answer = self._ask(self.request("GET", path, None), doing=doing)
        document = _parse(answer)
        return document.get("result") if answer.status == 200 and _is_envelope(document) else None

    def ready(self) -> bool | None:
        """What /readyz says of the shards; None where a load balancer or a proxy does not pass that on."""
        answer = self._attempt(self.request("GET", "/readyz", None))
        if answer.status == 200:
            return True if "shards are ready" in answer.text() else None
        return False if answer.status == 503 and "not ready" in answer.text() else None

    def version(self) -> str | None:
        """What it says at its root; None where a load balancer or a proxy does not pass that on."""
        answer = self._attempt(self.request("GET", "/", None))
        document = _parse(answer)
        found = document.get("version") if isinstance(document, dict) else None
        return str(found) if found else None

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Request:
        """One request as this Qdrant wants it, with the key."""
        headers = {"Accept": "application/json", **self._headers}
        if self._api_key:
            headers.update({"Authorization": f"Bearer {self._api_key}"} if self._bearer else {"api-key": self._api_key})
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = None if body is None else json.dumps(body).encode()
        return Request(
            self.url + path,
            method=method,
            headers=headers,
            data=data,
            body_limit=_BODY_LIMIT,
            address=self._address,
        )

    def _attempt(self, request: Request) -> Answer:
        left = self._deadline + self._attempt_timeout - self._clock.monotonic()
        limit = min(self._attempt_timeout, max(_SHORTEST_ATTEMPT, left))
        answer = fetch(request, transport=self.transport, timeout=limit, clock=self._clock)
        if _retriable(answer):
            self._outcomes[answer.label] += 1
            if answer.label != self._reason:
                self._on_change(f"{self.shown} can't be read yet: {answer.label}")
        elif self._reason:
            self._on_change(f"{self.shown} answers again")
        self._reason = answer.label if _retriable(answer) else ""
        return answer

    def _ask(self, request: Request, *, doing: str) -> Answer:
        try:
            return poll(
                lambda: self._attempt(request),
                done=lambda answer: not _retriable(answer) and not answer.hopeless,
                hopeless=lambda answer: answer.error if answer.hopeless else None,
                timeout=max(0.0, self._deadline - self._clock.monotonic()),
                pace=_PACE,
                clock=self._clock,
            ).value
        except WaitEnded as ended:
            answer = ended.observation.value
            said = answer.error or f"status {answer.status}"
            when = "" if isinstance(ended, Hopeless) else f" within {seconds(self._timeout)}"
            counted = f" ({tally(self._outcomes)})" if self._outcomes else ""
            raise OperationFailed(
                f"Could not {doing} of {self.shown}{when}: {said}{counted}. {advice(answer)}"
            ) from ended

    def _unauthorised(self, answer: Answer, document: Any, *, doing: str) -> str:
        said = f"{answer.status}: {_reason(document, answer)}"
        if self._api_key:
            return (
                f"Could not {doing} of {self.shown}: it refused the API key ({said}). Give the key that its "
                "QDRANT__SERVICE__API_KEY (or READ_ONLY_API_KEY) holds, with the right to read these collections."
            )
        return f"Could not {doing} of {self.shown}: it wants an API key ({said}). Give it in api_key."


def _retriable(answer: Answer) -> bool:
    return (answer.status is None and not answer.hopeless) or answer.status in _WORTH_RETRYING


def _parse(answer: Answer) -> Any:
    if answer.truncated:
        return None
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def _is_envelope(document: Any) -> bool:
    """Qdrant wraps every answer: `result` and `status`, the latter "ok" or {"error": text}."""
    if not isinstance(document, dict):
        return False
    status = document.get("status")
    return ("result" in document and status == "ok") or (isinstance(status, dict) and "error" in status)


def _looks(answer: Answer) -> str:
    if answer.truncated:
        return "more than can be read"
    kind = answer.headers.get("content-type", "").partition(";")[0] or "a body of no type"
    return f"{kind} ({one_line(answer.text(), limit=80)!r})" if answer.body else "an empty body"


def _reason(document: Any, answer: Answer) -> str:
    if isinstance(document, dict) and isinstance(document.get("status"), dict) and document["status"].get("error"):
        return one_line(str(document["status"]["error"])).rstrip(".")
    return one_line(answer.text()).rstrip(".") or "no reason given"
