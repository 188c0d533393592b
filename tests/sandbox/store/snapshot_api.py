# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Qdrant's HTTP paths for snapshots of collections, with their queries, forms and files."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from sandbox.forwarding import Answer
from sandbox.store import texts
from sandbox.store.engine import Engine, RequestError
from sandbox.store.snapshots import Snapshots

_JSON = (("content-type", "application/json"),)
_PATH = re.compile(r"/collections/(?P<collection>[^/]+)/snapshots(?:/(?P<name>[^/]+))?")
_FILENAME = re.compile(rb'filename="([^"]*)"')
_BOUNDARY = re.compile(r'multipart/form-data;.*boundary="?([^";]+)"?')


class SnapshotApi:
    """Answers what is about snapshots, and the removal of a collection."""

    def __init__(self, engine: Engine, snapshots: Snapshots) -> None:
        self._engine = engine
        self._snapshots = snapshots

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer | None:
        """None for a path that is somebody else's."""
        path, _mark, query = target.partition("?")
        found = _PATH.fullmatch(path.rstrip("/"))
        if not found:
            return None
        started = time.perf_counter()
        collection, name = unquote(found["collection"]), found["name"] and unquote(found["name"])
        options = {key: values[-1] for key, values in parse_qs(query).items()}
        try:
            answer = self._of(method, collection, name, options, headers, body)
        except RequestError as error:
            return _error(400, f"Wrong input: {error}", started)
        if isinstance(answer, Answer):
            return answer
        if isinstance(answer, _Missing):
            return _error(404, str(answer), started)
        if options.get("wait") == "false" and method != "GET":
            return _envelope(202, {"status": "accepted"}, started)
        return _envelope(200, {"result": answer, "status": "ok"}, started)

    def _of(
        self,
        method: str,
        collection: str,
        name: str | None,
        options: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> Any:
        if (method, name) == ("POST", "upload"):
            return self._upload(collection, options, headers, body)
        if (method, name) == ("PUT", "recover"):
            return self._recover(collection, json.loads(body))
        if collection not in self._engine.collections:
            return _Missing(texts.no_collection(collection))
        if name is None:
            made: dict[str, Any] = {"GET": self._snapshots.listed, "POST": self._snapshots.create}
            return made[method](collection) if method in made else Answer(405, (), b"")
        place = self._snapshots.place(collection, name)
        if place is None:
            return _Missing(f"Not found: Snapshot {name} not found")
        if method == "DELETE":
            return self._snapshots.delete(collection, name)
        kind = (("content-type", "application/octet-stream"),)
        return Answer(200, kind, place.read_bytes()) if method == "GET" else Answer(405, (), b"")

    def _upload(self, collection: str, options: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> Any:
        boundary = _BOUNDARY.match(headers.get("Content-Type") or "")
        if not boundary:
            return Answer(400, (), b"Content type error")
        start = body.find(b"\r\n\r\n") + 4
        end = body.rfind(f"\r\n--{boundary[1]}--".encode())
        named = _FILENAME.search(body, 0, start)
        if start < 4 or end < start or not named:
            return Answer(400, (), b"Multipart stream is incomplete")
        content = memoryview(body)[start:end]
        _check_sum(options.get("checksum"), content)
        # Versions differ in whether they keep it afterwards; one that does is the harder case.
        self._snapshots.recover(collection, self._snapshots.keep(collection, named[1].decode(), content))
        return True

    def _recover(self, collection: str, request: dict[str, Any]) -> Any:
        parts = urlsplit(str(request["location"]))
        if parts.scheme not in ("file", "http", "https"):
            raise RequestError(f"Invalid location: {request['location']}")
        import urllib.request  # noqa: PLC0415  most stores never do this, and each of them is a process

        try:
            with urllib.request.urlopen(parts.geturl(), timeout=60) as source:
                content = memoryview(source.read())
        except OSError as error:
            raise RequestError(f"Failed to download snapshot from {parts.geturl()}: {error}") from error
        _check_sum(request.get("checksum"), content)
        path = self._snapshots.keep(collection, ".recovering", content)
        try:
            self._snapshots.recover(collection, path)
        finally:
            path.unlink()
        return True


class _Missing(str):
    """What there is not, in Qdrant's words."""


def _check_sum(wanted: str | None, content: memoryview) -> None:
    if wanted and (found := hashlib.sha256(content).hexdigest()) != wanted.lower():
        raise RequestError(f"Snapshot checksum mismatch: expected {wanted}, got {found}")


def _error(status: int, text: str, started: float) -> Answer:
    return _envelope(status, {"status": {"error": text}}, started)


def _envelope(status: int, content: dict[str, Any], started: float) -> Answer:
    return Answer(status, _JSON, json.dumps({**content, "time": time.perf_counter() - started}).encode())


__all__ = ["SnapshotApi"]
