# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small Qdrant with snapshots, over real HTTP, and the two modules run against it."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from ansible_collections.wwhd.qdrant_ops.plugins.modules import qdrant_snapshot, qdrant_snapshot_restore
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, Outcome, run_module
from ansible_collections.wwhd.qdrant_ops.tests.unit.qdrant_client import points
from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import Asked, FakeQdrant, Reply, serve

__all__ = ["SnapshotQdrant", "archive", "put_back", "save", "store"]

_PATH = re.compile(r"/collections/([^/?]+)/snapshots(?:/([^/?]+))?(?:\?(.*))?")


def archive(content: dict[int | str, Any], *, padding: int = 0) -> bytes:
    """A tar archive, as Qdrant's snapshots are, with the points in it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as made:
        for name, data in (("points.json", json.dumps(list(content.items())).encode()), ("more", b"x" * padding)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
    return file.getvalue()


@dataclass
class SnapshotQdrant(FakeQdrant):
    """`kept` are the snapshots on the server, by collection and name; `hooks` see a request of a kind first.

    A kind is create, list, fetch, delete or upload. A hook answers in the place of the server, or returns None.
    """

    kept: dict[str, dict[str, bytes]] = field(default_factory=dict)
    hooks: dict[str, Callable[[Asked], Reply | None]] = field(default_factory=dict)
    ranges: bool = True
    keeps_uploads: bool = True
    padding: int = 0
    made: int = 0
    port: int = 0
    asked: list[Asked] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Reply:
        if asked.path == "/collections/aliases" and asked.method == "POST":
            for action in asked.json()["actions"]:
                one = action["create_alias"]
                assert self.aliases is not None
                self.aliases[one["alias_name"]] = one["collection_name"]
            return _ok(True)
        found = _PATH.fullmatch(asked.path)
        if not found:
            return super().__call__(asked)
        if self.key and asked.headers.get("api-key") != self.key:
            return Reply(self.refusal[0], self.refusal[1])
        collection, name = unquote(found[1]), found[2] and unquote(found[2])
        options = {key: values[-1] for key, values in parse_qs(found[3] or "").items()}
        if name is None:
            kind = {"GET": "list", "POST": "create"}[asked.method]
        elif name == "upload":
            kind = "upload"
        else:
            kind = {"GET": "fetch", "DELETE": "delete"}[asked.method]
        if kind in self.hooks and (reply := self.hooks[kind](asked)):
            return reply
        if kind != "upload" and collection not in self.collections:
            return Reply(404, {"status": {"error": f"Not found: Collection `{collection}` doesn't exist!"}, "time": 0})
        return {
            "list": lambda: _ok([self.described(collection, one) for one in self.kept.get(collection, {})]),
            "create": lambda: _ok(self.described(collection, self.make(collection))),
            "fetch": lambda: self.fetch(asked, collection, name or ""),
            "delete": lambda: self.delete(collection, name or ""),
            "upload": lambda: self.upload(asked, collection, options),
        }[kind]()

    def described(self, collection: str, name: str) -> dict[str, Any]:
        content = self.kept[collection][name]
        told: dict[str, Any] = {"name": name, "size": len(content), "creation_time": "2026-11-23T15:04:05"}
        if tuple(map(int, self.version.split("."))) >= (1, 8, 0):
            told["checksum"] = hashlib.sha256(content).hexdigest()
        return told

    def make(self, collection: str) -> str:
        self.made += 1
        name = f"{collection}-1-{self.made}.snapshot"
        self.kept.setdefault(collection, {})[name] = archive(self.collections[collection], padding=self.padding)
        return name

    def fetch(self, asked: Asked, collection: str, name: str) -> Reply:
        content = self.kept.get(collection, {}).get(name)
        if content is None:
            return Reply(404, {"status": {"error": f"Not found: Snapshot {name} not found"}, "time": 0})
        wanted = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("range", ""))
        if wanted and self.ranges:
            start = int(wanted[1])
            told = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
            return Reply(206, content[start:], told)
        return Reply(200, content)

    def delete(self, collection: str, name: str) -> Reply:
        gone = self.kept.get(collection, {}).pop(name, None) is not None
        return _ok(True) if gone else Reply(404, {"status": {"error": "Not found: Snapshot not found"}, "time": 0})

    def upload(self, asked: Asked, collection: str, options: dict[str, str]) -> Reply:
        start = asked.body.index(b"\r\n\r\n") + 4
        content = asked.body[start : asked.body.rindex(b"\r\n--")]
        if "checksum" in options and options["checksum"] != hashlib.sha256(content).hexdigest():
            return Reply(400, {"status": {"error": "Wrong input: Snapshot checksum mismatch"}, "time": 0})
        assert options["priority"] == "snapshot"
        with tarfile.open(fileobj=io.BytesIO(content)) as opened:
            member = opened.extractfile("points.json")
            assert member is not None
            self.collections[collection] = dict(map(tuple, json.loads(member.read())))
        named = re.search(rb'filename="([^"]+)"', asked.body)
        if self.keeps_uploads and named:
            self.kept.setdefault(collection, {})[named[1].decode()] = content
        return _ok(True)


def _ok(result: Any) -> Reply:
    return Reply(body={"result": result, "status": "ok", "time": 0.001})


def store(**options: Any) -> SnapshotQdrant:
    collections = options.pop("collections", None) or {"documents": points(24), "conversations": points(6)}
    return SnapshotQdrant(collections, **{"version": "1.15.1", **options})


def save(qdrant: SnapshotQdrant, folder: Path, *, clock: FakeClock | None = None, **args: Any) -> Outcome:
    return _run(qdrant_snapshot.main, qdrant, folder, clock, args)


def put_back(qdrant: SnapshotQdrant, folder: Path, *, clock: FakeClock | None = None, **args: Any) -> Outcome:
    return _run(qdrant_snapshot_restore.main, qdrant, folder, clock, args)


def _run(main: Any, qdrant: SnapshotQdrant, folder: Path, clock: FakeClock | None, args: dict[str, Any]) -> Outcome:
    check = args.pop("check", False)
    # The same address each time, as a server has it.
    with serve(qdrant, port=qdrant.port) as server:
        qdrant.port = server.port
        args = {"url": server.url, "use_proxy": False, "directory": str(folder), "timeout": 60, **args}
        outcome = run_module(main, args, clock=clock or FakeClock(), check=check)
        qdrant.asked = server.asked
        return outcome
