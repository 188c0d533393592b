# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Qdrant's HTTP paths (facts G), answered from the engine."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.forwarding import Answer
from sandbox.store import texts
from sandbox.store.engine import Engine, RequestError
from sandbox.store.snapshot_api import SnapshotApi

_JSON = (("content-type", "application/json"),)
_TEXT = (("content-type", "text/plain; charset=utf-8"),)
_OPEN = frozenset({"/", "/healthz", "/livez", "/readyz"})
_EXISTS_SINCE = (1, 8, 0)
_QUERY_SINCE = (1, 10, 0)
_VECTORS_COUNT_UNTIL = (1, 16, 0)
_KEY_IS_401_SINCE = (1, 8, 0)
_PEER = 8254862430143042


class Api:
    """Answers requests as the Qdrant of ``version`` does."""

    def __init__(
        self, engine: Engine, *, version: tuple[int, ...], api_key: str, snapshots: SnapshotApi | None = None
    ) -> None:
        self._engine = engine
        self._snapshots = snapshots
        self._version = version
        self._api_key = api_key
        collection = r"/collections/(?P<name>[^/]+)"
        self._routes: tuple[tuple[str, re.Pattern[str], Callable[..., Any], tuple[int, ...]], ...] = (
            ("GET", re.compile(r"/collections"), self._list, ()),
            ("GET", re.compile(r"/aliases"), self._aliases, ()),
            ("GET", re.compile(collection), self._info, ()),
            ("DELETE", re.compile(collection), self._remove, ()),
            ("GET", re.compile(collection + "/cluster"), self._shards, ()),
            ("GET", re.compile(collection + "/exists"), self._exists, _EXISTS_SINCE),
            ("POST", re.compile(collection + "/points/count"), self._count, ()),
            ("POST", re.compile(collection + "/points/scroll"), self._scroll, ()),
            ("POST", re.compile(collection + "/points/search"), self._search, ()),
            ("POST", re.compile(collection + "/points/query"), self._query, _QUERY_SINCE),
            ("PUT", re.compile(collection + "/points"), self._upsert, ()),
        )

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The whole answer to one request."""
        path = target.split("?", 1)[0].rstrip("/") or "/"
        verb = "GET" if method == "HEAD" else method
        if path in _OPEN and verb == "GET":
            return self._open_path(path)
        if refusal := self._refusal(headers):
            return refusal
        if self._snapshots and (answer := self._snapshots.answer(verb, target, headers, body)):
            return answer
        for wanted, pattern, route, since in self._routes:
            found = pattern.fullmatch(path)
            if found and verb == wanted and self._version >= since:
                return self._run(route, found.groupdict(), body)
        return Answer(404, (), b"")

    def _run(self, route: Callable[..., Any], names: dict[str, str], body: bytes) -> Answer:
        started = time.perf_counter()
        missing = names and names["name"] not in self._engine.collections
        if missing and route != self._exists:
            return _error(404, texts.no_collection(names["name"]), started)
        try:
            result = route(_parsed(body), **names)
        except RequestError as error:
            return _error(400, f"Wrong input: {error}", started)
        except (KeyError, TypeError, ValueError) as error:
            return _error(400, f"Format error in JSON body: {error}", started)
        return _envelope(200, {"result": result, "status": "ok"}, started)

    def _open_path(self, path: str) -> Answer:
        if path == "/":
            version = ".".join(map(str, self._version))
            content = {"title": "qdrant - vector search engine", "version": version, "commit": "sandbox"}
            return Answer(200, _JSON, json.dumps(content).encode())
        return Answer(200, _TEXT, b"all shards are ready" if path == "/readyz" else b"healthz check passed")

    def _refusal(self, headers: Mapping[str, str]) -> Answer | None:
        if not self._api_key:
            return None
        bearer = (headers.get("Authorization") or "").removeprefix("Bearer ")
        given = headers.get("api-key") or ("" if self._version < _KEY_IS_401_SINCE else bearer)
        if given == self._api_key:
            return None
        if self._version < _KEY_IS_401_SINCE:
            return Answer(403, _TEXT, b"Invalid api-key")
        return Answer(
            401,
            _TEXT,
            b"Invalid API key or JWT" if given else b"Must provide an API key or an Authorization bearer token",
        )

    def _list(self, _request: dict[str, Any]) -> Any:
        return {"collections": [{"name": name} for name in self._engine.collections]}

    def _aliases(self, _request: dict[str, Any]) -> Any:
        return {"aliases": []}

    def _shards(self, _request: dict[str, Any], *, name: str) -> Any:
        counts = self._engine.shard_counts(name)
        return {
            "peer_id": _PEER,
            "shard_count": len(counts),
            "local_shards": [
                {"shard_id": number, "points_count": count, "state": "Active"} for number, count in enumerate(counts)
            ],
            "remote_shards": [],
            "shard_transfers": [],
        }

    def _info(self, _request: dict[str, Any], *, name: str) -> Any:
        count = self._engine.count(name)
        told = {
            "status": "green",
            "optimizer_status": "ok",
            "vectors_count": count,
            "indexed_vectors_count": 0,
            "points_count": count,
            "segments_count": self._engine.segments(name),
            "config": self._engine.config(name),
            "payload_schema": {},
        }
        if self._version >= _VECTORS_COUNT_UNTIL:
            del told["vectors_count"]
        return told

    def _remove(self, _request: dict[str, Any], *, name: str) -> Any:
        return self._engine.drop(name)

    def _exists(self, _request: dict[str, Any], *, name: str) -> Any:
        return {"exists": name in self._engine.collections}

    def _count(self, _request: dict[str, Any], *, name: str) -> Any:
        return {"count": self._engine.count(name)}

    def _scroll(self, request: dict[str, Any], *, name: str) -> Any:
        payload, vector = _wanted(request, payload=True)
        points, following = self._engine.scroll(
            name,
            offset=_point_id(request.get("offset")),
            limit=int(request.get("limit") or 10),
            payload=payload,
            vector=vector,
        )
        return {
            "points": [_record(point, payload, vector) for point in points],
            "next_page_offset": _plain_id(following),
        }

    def _search(self, request: dict[str, Any], *, name: str) -> Any:
        return self._nearest(name, request, [float(part) for part in request["vector"]])

    def _query(self, request: dict[str, Any], *, name: str) -> Any:
        query = request.get("query")
        query = query.get("nearest") if isinstance(query, dict) else query
        if query is None:
            return {"points": self._scroll(request, name=name)["points"]}
        if not isinstance(query, list):
            found = self._engine.retrieve(name, [_point_id(query)], payload=False, vector=True)
            if not found:
                raise RequestError(f"Not found: No point with id {query} found")
            query = found[0].vector
        return {"points": self._nearest(name, request, [float(part) for part in query])}

    def _nearest(self, name: str, request: dict[str, Any], vector: list[float]) -> list[dict[str, Any]]:
        payload, vectors = _wanted(request, payload=False)
        found = self._engine.nearest(
            name,
            vector,
            limit=int(request.get("limit") or 10),
            offset=int(request.get("offset") or 0),
            payload=payload,
            vectors=vectors,
        )
        least = request.get("score_threshold")
        return [
            {**_record(point, payload, vectors), "version": point.version, "score": point.score}
            for point in found
            if least is None or point.score >= float(least)
        ]

    def _upsert(self, request: dict[str, Any], *, name: str) -> Any:
        points = [
            (_point_id(point["id"]), [float(part) for part in point["vector"]], point.get("payload") or {})
            for point in request["points"]
        ]
        return {"operation_id": self._engine.upsert(name, points), "status": "completed"}


def _parsed(body: bytes) -> dict[str, Any]:
    request = json.loads(body) if body else {}
    if not isinstance(request, dict):
        raise ValueError("an object was expected")
    if request.get("filter"):
        raise RequestError("the sandbox's store has no filters")
    return request


def _wanted(request: dict[str, Any], *, payload: bool) -> tuple[Any, Any]:
    with_payload = request.get("with_payload", payload)
    with_vector = request.get("with_vector", request.get("with_vectors", False))
    return with_payload, with_vector


def _record(point: Any, payload: Any, vector: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"id": _plain_id(point.id)}
    if payload:
        told["payload"] = point.payload
    if vector:
        told["vector"] = point.vector
    return told


def _point_id(value: Any) -> Any:
    return uuid.UUID(value) if isinstance(value, str) else value


def _plain_id(value: Any) -> Any:
    return str(value) if isinstance(value, uuid.UUID) else value


def _error(status: int, text: str, started: float) -> Answer:
    return _envelope(status, {"status": {"error": text}}, started)


def _envelope(status: int, content: dict[str, Any], started: float) -> Answer:
    return Answer(status, _JSON, json.dumps({**content, "time": time.perf_counter() - started}).encode())


__all__ = ["Api"]
