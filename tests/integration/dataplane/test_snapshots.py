# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collections saved from one store and restored into another: real engines, real files, counts and queries compared."""

from __future__ import annotations

import hashlib
import json
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.files import tar_fault
from ansible_collections.wwhd.qdrant_ops.plugins.modules import qdrant_snapshot, qdrant_snapshot_restore
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import Outcome, run_module
from sandbox import store
from sandbox.runtime import Runtime
from sandbox.store import seeding

from .conftest import SPEED, Reply, Service, Task, call

KEY = "k3y-of-the-store"
VERSION = "1.15.1"


@dataclass(frozen=True)
class Stores:
    """The old one with its points, the new one without any, and what was saved of the old one."""

    old: Task
    new: Task
    folder: Path
    saved: Outcome


def url(task: Task) -> str:
    return f"http://127.0.0.1:{task.qdrant_port}"


def save(task: Task, folder: Path, **options: Any) -> Outcome:
    args = {"url": url(task), "api_key": KEY, "use_proxy": False, "directory": str(folder), **options}
    return run_module(qdrant_snapshot.main, args)


def restore(task: Task, folder: str, **options: Any) -> Outcome:
    args = {"url": url(task), "api_key": KEY, "use_proxy": False, "directory": folder, **options}
    return run_module(qdrant_snapshot_restore.main, args)


def counted(task: Task, name: str) -> int:
    """By Qdrant's own API."""
    answer = call(task.qdrant_port, f"/collections/{name}/points/count", {"exact": True}, api_key=KEY)
    return int(answer.json["result"]["count"])


def on_the_server(task: Task, name: str) -> list[str]:
    answer = call(task.qdrant_port, f"/collections/{name}/snapshots", api_key=KEY)
    return [one["name"] for one in answer.json["result"]]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    folder = tmp_path_factory.mktemp("stores")
    store.seed(folder / "old")
    (folder / "new").mkdir()
    runtime = Runtime(isolation="auto", workdir=folder / "runtime", speed=SPEED)
    environment = {"QDRANT__SERVICE__API_KEY": KEY}
    image = f"qdrant/qdrant:v{VERSION}"
    old = Service(runtime, folder / "old").ready(image=image, environment=environment)
    new = Service(runtime, folder / "new").ready(image=image, environment=environment)
    yield Stores(old, new, folder / "saved", save(old, folder / "saved", name="first"))
    runtime.close()


def test_what_is_saved_is_whole_and_described(stores: Stores) -> None:
    assert not stores.saved.failed, stores.saved.msg
    folder = stores.folder / "first"
    assert stores.saved.msg.startswith(f"2 of 2 collections are saved in {folder}: 300 points, ")
    assert sorted(path.name for path in folder.iterdir()) == [
        "conversations.snapshot", "conversations.snapshot.json", "documents.snapshot", "documents.snapshot.json",
    ]  # fmt: skip
    manifest = json.loads((folder / "documents.snapshot.json").read_text())
    assert (manifest["points_count"], manifest["qdrant_version"], manifest["verified_by"]) == (240, VERSION, "checksum")
    assert manifest["config"]["params"]["vectors"] == {"size": 8, "distance": "Cosine"}
    assert tar_fault(folder / "documents.snapshot") is None
    with tarfile.open(folder / "documents.snapshot") as archive:
        assert "./config.json" in archive.getnames()
    assert on_the_server(stores.old, "documents") == []


def test_they_are_restored_elsewhere_with_every_point(stores: Stores) -> None:
    outcome = restore(stores.new, stores.saved.result["directory"])
    assert not outcome.failed, outcome.msg
    assert outcome.msg == (f"2 of 2 collections are restored at {url(stores.new)}: 300 points, as many as were saved.")
    assert {name: counted(stores.new, name) for name in seeding.COUNTS} == seeding.COUNTS
    body = {"query": 7, "limit": 3, "with_payload": True}
    answers = [
        call(task.qdrant_port, "/collections/documents/points/query", body, api_key=KEY).json["result"]["points"]
        for task in (stores.old, stores.new)
    ]
    assert answers[0] == answers[1]
    assert answers[0][0]["payload"]["text"] == "documents passage 7"
    assert on_the_server(stores.new, "documents") == []
    again = restore(stores.new, stores.saved.result["directory"])
    assert (again.failed, again.changed) == (False, False)


def test_points_that_came_since_are_not_overwritten_unless_told(stores: Stores) -> None:
    body = {"points": [{"id": 9000, "vector": [0.1] * 8}]}
    path = "/collections/conversations/points?wait=true"
    assert call(stores.old.qdrant_port, path, body, method="PUT", api_key=KEY).status == 200
    folder = stores.saved.result["directory"]
    refused = restore(stores.old, folder, collections=["conversations"])
    assert "The collection 'conversations' is there with 61 points, and the snapshot has 60 points." in refused.msg
    assert counted(stores.old, "conversations") == 61
    outcome = restore(stores.old, folder, collections=["conversations"], overwrite=True)
    assert not outcome.failed, outcome.msg
    assert counted(stores.old, "conversations") == 60


def test_the_stores_own_paths(stores: Stores) -> None:
    port = stores.old.qdrant_port
    made = call(port, "/collections/documents/snapshots", {}, api_key=KEY).json["result"]
    path = f"/collections/documents/snapshots/{made['name']}"
    content = call(port, path, api_key=KEY).body
    assert (len(content), hashlib.sha256(content).hexdigest()) == (made["size"], made["checksum"])
    assert call(port, path).status == 401
    wrong = f"/collections/x/snapshots/upload?priority=snapshot&checksum={'0' * 64}"
    form = b'--b\r\nContent-Disposition: form-data; name="snapshot"; filename="x.snapshot"\r\n\r\nno tar\r\n--b--\r\n'
    for target, body, said in (
        (wrong, form, b"Snapshot checksum mismatch"),
        ("/collections/x/snapshots/upload", form, b"Failed to unpack snapshot"),
        ("/collections/x/snapshots/upload", form[:-9], b"Multipart stream is incomplete"),
    ):
        answer = send(port, target, body)
        assert answer.status == 400
        assert said in answer.body
    assert call(port, "/collections/x", api_key=KEY).status == 404
    location = {"location": f"http://127.0.0.1:{port}{path}", "priority": "snapshot"}
    # The key is not passed on: what it would fetch from is not open to it.
    refused = call(port, "/collections/x/snapshots/recover", location, method="PUT", api_key=KEY)
    assert (refused.status, "Failed to download snapshot" in refused.json["status"]["error"]) == (400, True)
    assert call(port, path, method="DELETE", api_key=KEY).json["result"] is True
    assert call(port, path, method="DELETE", api_key=KEY).status == 404


def send(port: int, target: str, body: bytes) -> Reply:
    headers = {"Content-Type": "multipart/form-data; boundary=b", "api-key": KEY}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{target}", data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return Reply(answer.status, answer.read())
    except urllib.error.HTTPError as error:
        return Reply(error.code, error.read())
