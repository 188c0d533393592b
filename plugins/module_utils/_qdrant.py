# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Qdrant holds: its collections, their exact point counts, a test query, and how all that differs from before.

Private to wwhd.qdrant_ops. Works with Qdrant 1.7 and later. Seconds everywhere, as floats.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http import (
    Answer,
    Request,
    Transport,
    advice,
    check_header,
    check_seconds,
    check_url,
    fetch,
    mask,
    one_line,
    seconds,
    tally,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock, Hopeless, Pace, WaitEnded, poll

__all__ = [
    "Probe",
    "Qdrant",
    "RefusedError",
    "Scope",
    "UnknownPathError",
    "Vector",
    "collections_info",
    "differences_from_baseline",
    "differences_from_expected",
    "find_vector",
    "parse_baseline",
    "parse_expected",
]

# What a load balancer or a starting server answers before there is anything to answer with.
_WORTH_RETRYING = frozenset({429, 502, 503, 504})
_PACE = Pace(quick=0.25, slow=2.0)
_BODY_LIMIT = 64 * 1024 * 1024
_HITS = 10


# --- Asking ----------------------------------------------------------------------------------------------------------


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
    ) -> None:
        """`url` is the base address; `timeout` counts from now, over all calls, `attempt_timeout` for each."""
        check_url(url)
        if urlsplit(url).query or urlsplit(url).fragment:
            raise OperationFailed(f"url is {mask(url)!r}: give Qdrant's base address, without a query or a fragment.")
        check_seconds(timeout, option="timeout")
        check_seconds(attempt_timeout, option="attempt_timeout", minimum=0.05)
        if api_key:
            check_header("api-key", api_key, option="api_key")
        self.url = url.rstrip("/")
        self.shown = mask(self.url)
        self._api_key = api_key
        self._transport = transport
        self._timeout = timeout
        self._attempt_timeout = attempt_timeout
        self._clock = clock
        self._deadline = clock.monotonic() + timeout
        self._outcomes: Counter[str] = Counter()
        self._troubled = False

    def call(
        self, method: str, path: str, *, doing: str, body: Mapping[str, Any] | None = None, since: str | None = None
    ) -> Any:
        """The `result` of one call. `doing` reads after "Could not" and names the things.

        Raises RefusedError for a 4xx that is Qdrant's own and may mean something to the caller, UnknownPathError for a
        path that came with version `since` and is not there, else OperationFailed.
        """
        answer = self._ask(self._request(method, path, body), doing=doing)
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

    def version(self) -> str | None:
        """What it says at its root; None where a load balancer or a proxy does not pass that on."""
        answer = self._attempt(self._request("GET", "/", None))
        document = _parse(answer)
        found = document.get("version") if isinstance(document, dict) else None
        return str(found) if found else None

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> Request:
        headers = {"Accept": "application/json"}
        if self._api_key:
            headers["api-key"] = self._api_key
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = None if body is None else json.dumps(body).encode()
        return Request(self.url + path, method=method, headers=headers, data=data, body_limit=_BODY_LIMIT)

    def _attempt(self, request: Request) -> Answer:
        answer = fetch(request, transport=self._transport, timeout=self._attempt_timeout, clock=self._clock)
        if _retriable(answer):
            self._outcomes[answer.label] += 1
        return answer

    def _ask(self, request: Request, *, doing: str) -> Answer:
        try:
            return poll(
                lambda: self._attempt(request),
                done=lambda answer: not _retriable(answer) and not answer.hopeless,
                hopeless=lambda answer: answer.error if answer.hopeless else None,
                tell=self._told,
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

    def _told(self, answer: Answer) -> str | None:
        """A server that answers at once is no news; only one that had not answered is."""
        if _retriable(answer):
            self._troubled = True
            return f"{self.shown}: {answer.error or f'status {answer.status}'}"
        recovered, self._troubled = self._troubled, False
        return f"{self.shown}: it answers" if recovered else None

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


# --- Collections -----------------------------------------------------------------------------------------------------


def _path(name: str, rest: str = "") -> str:
    return f"/collections/{quote(name, safe='')}{rest}"


def list_collections(qdrant: Qdrant) -> list[str]:
    """The names of all collections, sorted. Aliases are not among them."""
    doing = "list the collections"
    try:
        result = qdrant.call("GET", "/collections", doing=doing)
    except RefusedError as refused:
        raise OperationFailed(
            f"Could not {doing} of {qdrant.shown}: it answered {refused.status}, {refused.reason}. Check the url."
        ) from refused
    listed = result.get("collections") if isinstance(result, dict) else None
    if not isinstance(listed, list):
        raise OperationFailed(
            f"Could not {doing} of {qdrant.shown}: its answer has no collections in it. "
            "Give the base address of Qdrant's REST API in url."
        )
    return sorted(str(collection["name"]) for collection in listed)


def describe_collection(qdrant: Qdrant, name: str, *, exact: bool, query: bool) -> dict[str, Any] | None:
    """One collection as the module returns it; None if there is none of that name."""
    try:
        info = qdrant.call("GET", _path(name), doing=f"describe the collection {name!r}")
        count = info.get("points_count")
        if exact:
            doing = f"count the points of the collection {name!r}"
            count = qdrant.call("POST", _path(name, "/points/count"), body={"exact": True}, doing=doing)["count"]
        probe = probe_collection(qdrant, name) if query else Probe(None, "not asked for")
    except RefusedError as refused:
        if refused.status == HTTPStatus.NOT_FOUND:
            return None
        raise OperationFailed(
            f"Could not read the collection {name!r} of {qdrant.shown}: it answered {refused.status}, "
            f"{refused.reason}. Check the collection with GET {qdrant.shown}{_path(name)}."
        ) from refused
    optimizer = info.get("optimizer_status")
    return {
        "name": name,
        "status": info.get("status"),
        "optimizer_status": optimizer.get("error") if isinstance(optimizer, dict) else optimizer,
        "points_count": count,
        "indexed_vectors_count": info.get("indexed_vectors_count"),
        "segments_count": info.get("segments_count"),
        "query_hits": probe.hits,
        "query_note": probe.note,
    }


# --- The test query --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Probe:
    """The test query's outcome: how many points it hit (None where none could be asked), and a word on it."""

    hits: int | None
    note: str | None


@dataclass(frozen=True)
class Vector:
    """A vector of one point; `using` is its name, None for a collection whose vector has none."""

    using: str | None
    value: Any
    sparse: bool = False

    def query_body(self, **more: Any) -> dict[str, Any]:
        """For points/query, Qdrant 1.10 and later."""
        return {"query": self.value, **({"using": self.using} if self.using is not None else {}), **more}

    def search_body(self, **more: Any) -> dict[str, Any]:
        """For points/search, all versions."""
        named = self.using is not None
        return {"vector": {"name": self.using, "vector": self.value} if named else self.value, **more}


def find_vector(vectors: Any) -> Vector | None:
    """The vector of a scrolled point to search with: dense before sparse, then by name; None if it has none."""
    if isinstance(vectors, list):
        return Vector(None, vectors) if vectors else None
    if not isinstance(vectors, dict):
        return None
    found = []
    for name, value in sorted(vectors.items()):
        if isinstance(value, list) and value:
            found.append(Vector(name, value))
        elif isinstance(value, dict) and value.get("indices"):
            found.append(Vector(name, value, sparse=True))
    return min(found, key=lambda vector: vector.sparse, default=None)


def probe_collection(qdrant: Qdrant, name: str) -> Probe:
    """Take one point, search with its own vector: that point must be found. Raises RefusedError and OperationFailed.

    A miss is tried once more with another look at the collection: the point may have been deleted in between.
    """
    probe = _probe_once(qdrant, name)
    return _probe_once(qdrant, name) if probe.hits == 0 else probe


def _probe_once(qdrant: Qdrant, name: str) -> Probe:
    body = {"limit": 1, "with_payload": False, "with_vector": True}
    doing = f"read a point of the collection {name!r}"
    points = qdrant.call("POST", _path(name, "/points/scroll"), body=body, doing=doing)["points"]
    if not points:
        return Probe(None, "the collection is empty")
    point_id = points[0]["id"]
    vector = find_vector(points[0].get("vector"))
    if vector is None:
        return Probe(None, f"point {point_id} has no vector")
    try:
        hits = _search(qdrant, name, vector, limit=_HITS)
        if point_id in hits:
            return Probe(len(hits), None)
        # Not among the nearest need not mean lost: by dot product, or among many equal vectors, others come first.
        only_it = {"must": [{"has_id": [point_id]}]}
        if point_id in _search(qdrant, name, vector, limit=1, filter=only_it):
            return Probe(max(len(hits), 1), f"point {point_id} is found, but others are nearer to its own vector")
    except RefusedError as refused:
        if refused.status == HTTPStatus.NOT_FOUND:
            raise
        return Probe(None, f"the test query was refused ({refused.status}: {refused.reason})")
    return Probe(0, f"point {point_id} is not found by its own vector")


def _search(qdrant: Qdrant, name: str, vector: Vector, **options: Any) -> list[Any]:
    """The ids of the points hit, nearest first."""
    doing = f"query the collection {name!r}"
    more = {"with_payload": False, "with_vector": False, **options}
    try:
        body = vector.query_body(**more)
        found = qdrant.call("POST", _path(name, "/points/query"), body=body, doing=doing, since="1.10")["points"]
    except (UnknownPathError, RefusedError) as error:
        if isinstance(error, RefusedError) and error.status != HTTPStatus.NOT_FOUND:
            raise
        found = qdrant.call("POST", _path(name, "/points/search"), body=vector.search_body(**more), doing=doing)
    return [point["id"] for point in found]


# --- Differences -----------------------------------------------------------------------------------------------------


def parse_expected(expected: Mapping[str, Any] | None, *, exact: bool) -> dict[str, int | None]:
    """The option `expected`: name to exact count, or to None where it must only exist. Raises OperationFailed."""
    counts: dict[str, int | None] = {}
    for name, value in (expected or {}).items():
        counts[str(name)] = None if value is None else _count(value, option=f"expected: {str(name)!r}")
    if not exact and any(count is not None for count in counts.values()):
        raise OperationFailed(
            "expected has counts, but exact is false: approximate counts prove nothing, set it to true."
        )
    return counts


def parse_baseline(baseline: Sequence[Any] | None, *, exact: bool) -> dict[str, dict[str, Any]] | None:
    """The option `baseline`, an earlier result's `collections`, by name. Raises OperationFailed."""
    if baseline is None:
        return None
    if not exact:
        raise OperationFailed(
            "baseline is given, but exact is false: approximate counts prove nothing, set it to true."
        )
    by_name: dict[str, dict[str, Any]] = {}
    for position, entry in enumerate(baseline):
        if not isinstance(entry, dict) or not entry.get("name"):
            raise OperationFailed(
                f"baseline: entry {position} has no name: give the collections of an earlier result as they are."
            )
        name = str(entry["name"])
        count = entry.get("points_count")
        count = None if count is None else _count(count, option=f"baseline: the points_count of {name!r}")
        by_name[name] = {**entry, "points_count": count}
    return by_name


def _count(value: Any, *, option: str) -> int:
    # Templates of older Ansible turn numbers into text.
    if isinstance(value, str) and value.strip().isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise OperationFailed(f"{option} is {value!r}: give a number of points from 0 up, or null.")
    return value


def differences_from_expected(
    collections: Mapping[str, Mapping[str, Any] | None], expected: Mapping[str, int | None]
) -> list[str]:
    """One sentence for each expectation that is not met. `collections` has None for a name that is not there."""
    sentences = []
    for name, count in expected.items():
        found = collections.get(name)
        if found is None:
            sentences.append(_missing_sentence(name, count, were="were expected"))
        elif count is not None and found["points_count"] != count:
            sentences.append(_count_sentence(name, found["points_count"], count, were="were expected"))
    return sentences


def differences_from_baseline(
    collections: Mapping[str, Mapping[str, Any] | None], baseline: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """One sentence for each collection that is gone, new, or has other points than in the baseline."""
    sentences = []
    for name, before in baseline.items():
        found = collections.get(name)
        count = before["points_count"]
        if found is None:
            sentences.append(_missing_sentence(name, count, were="were there before"))
            continue
        if count is not None and found["points_count"] != count:
            sentences.append(_count_sentence(name, found["points_count"], count, were="were there before"))
        if found["status"] == "red" and before.get("status") != "red":
            sentences.append(f"The collection {name!r} is red now ({found['optimizer_status']}).")
    for name, found in collections.items():
        if found is not None and name not in baseline:
            sentences.append(f"The collection {name!r} is new (points: {found['points_count']}).")
    return sentences


def _missing_sentence(name: str, count: int | None, *, were: str) -> str:
    return f"The collection {name!r} is missing{'' if count is None else f' (points that {were}: {count})'}."


def _count_sentence(name: str, found: int | None, wanted: int, *, were: str) -> str:
    if found is None:
        return f"The collection {name!r} tells no number of points, but {wanted} {were}."
    change = f"{abs(found - wanted)} {'fewer' if found < wanted else 'more'}"
    return f"The collection {name!r} has {found} points, but {wanted} {were} ({change})."


# --- The whole -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scope:
    """What to look at and what to compare it with. `names` None means every collection."""

    names: Sequence[str] | None = None
    exact: bool = True
    query: bool = True
    expected: Mapping[str, int | None] | None = None
    baseline: Mapping[str, Mapping[str, Any]] | None = None
    fail_on_difference: bool = True

    def wanted(self, listed: Sequence[str]) -> list[str]:
        """The names to look up: those asked for, and those that something is compared with."""
        chosen = listed if self.names is None else self.names
        return list(dict.fromkeys([*chosen, *(self.expected or {}), *(self.baseline or {})]))


def collections_info(
    *,
    url: str,
    api_key: str | None,
    scope: Scope,
    transport: Transport,
    timeout: float,
    attempt_timeout: float,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Read the collections and compare them; returns the module's result.

    Raises OperationFailed where Qdrant can't be read, where `expected` is not met, where a test query misses its own
    point, and (unless told otherwise) where the baseline differs; its details are then the same as the result.
    """
    clock = clock or Clock()
    if scope.names is not None and not all(scope.names):
        raise OperationFailed("collections has an empty name: take it out.")
    started_at = clock.utc_text()
    start = clock.monotonic()
    qdrant = Qdrant(
        url=url,
        api_key=api_key,
        transport=transport,
        timeout=timeout,
        attempt_timeout=attempt_timeout,
        clock=clock,
    )
    listed = list_collections(qdrant)
    collections = {
        name: describe_collection(qdrant, name, exact=scope.exact, query=scope.query) for name in scope.wanted(listed)
    }
    broken = _missing_by_name(collections, scope, listed) + _unanswered(collections)
    unmet = differences_from_expected(collections, scope.expected or {})
    changed = [] if scope.baseline is None else differences_from_baseline(collections, scope.baseline)
    differences = list(dict.fromkeys([*broken, *unmet, *changed]))
    result: dict[str, Any] = {
        "changed": False,
        "collections": [collection for collection in collections.values() if collection is not None],
        "version": qdrant.version(),
        "differences": differences,
        "started_at": started_at,
        "elapsed": round(clock.monotonic() - start, 3),
    }
    if broken or unmet or (changed and scope.fail_on_difference):
        raise OperationFailed(
            f"The collections of {qdrant.shown} are not as wanted: {' '.join(differences)} "
            "Let nobody write to them until that is understood; a snapshot or a backup of the file system has the "
            "points of before.",
            details=result,
        )
    return result


def _missing_by_name(
    collections: Mapping[str, Mapping[str, Any] | None], scope: Scope, listed: Sequence[str]
) -> list[str]:
    compared = {*(scope.expected or {}), *(scope.baseline or {})}
    there = f"there are {', '.join(listed)}" if listed else "there are no collections"
    return [
        f"The collection {name!r} is missing: {there}."
        for name in scope.names or ()
        if collections[name] is None and name not in compared
    ]


def _unanswered(collections: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    return [
        f"The collection {name!r} does not answer the test query: {found['query_note']}."
        for name, found in collections.items()
        if found is not None and found["query_hits"] == 0
    ]
