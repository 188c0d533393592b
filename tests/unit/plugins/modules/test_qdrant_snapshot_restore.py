# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""qdrant_snapshot_restore, whole, against a small Qdrant over real HTTP."""

from __future__ import annotations

import json
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.modules import qdrant_snapshot_restore
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, run_module
from ansible_collections.wwhd.qdrant_ops.tests.unit.qdrant_client import KEY, points
from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import Asked, Reply
from ansible_collections.wwhd.qdrant_ops.tests.unit.snapshot_server import SnapshotQdrant, put_back, save, store


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Documents and conversations, saved from an old store."""
    outcome = save(store(aliases={"production": "documents"}), tmp_path, name="n")
    assert not outcome.failed, outcome.msg
    return tmp_path / "n"


def empty(**options: Any) -> SnapshotQdrant:
    made = store(**options)
    made.collections.clear()
    return made


def uploads(qdrant: SnapshotQdrant) -> list[str]:
    return [asked.path.split("/")[2] for asked in qdrant.asked if "/snapshots/upload" in asked.path]


def test_everything_comes_back_and_is_counted(saved: Path) -> None:
    new = empty()
    outcome = put_back(new, saved)
    assert not outcome.failed, outcome.msg
    assert outcome.msg == (
        f"2 of 2 collections are restored at http://127.0.0.1:{new.port}: 30 points, as many as were saved. "
        "Aliases made: production."
    )
    assert {name: len(each) for name, each in new.collections.items()} == {"documents": 24, "conversations": 6}
    assert new.aliases == {"production": "documents"}
    assert new.kept == {"documents": {}, "conversations": {}}
    assert outcome.result["restored"][1] == {
        "collection": "documents", "points_count": 24, "saved_points_count": 24, "status": "green", "query_hits": 10,
        "changed": True,
    }  # fmt: skip
    again = put_back(new, saved)
    assert (again.changed, again.failed) == (False, False)
    assert again.msg.startswith("Nothing was touched at ")


def test_check_mode_changes_nothing(saved: Path) -> None:
    new = empty()
    outcome = put_back(new, saved, check=True)
    assert outcome.changed
    assert outcome.msg.startswith("Would restore conversations, documents to http://127.0.0.1:")
    assert (new.collections, new.aliases, uploads(new)) == ({}, {}, [])
    assert outcome.result["diff"] == {
        "before": {"points": {"conversations": None, "documents": None}},
        "after": {"points": {"conversations": 6, "documents": 24}},
    }


def test_points_that_are_there_are_not_replaced_unless_told(saved: Path) -> None:
    new = store(collections={"documents": points(25), "other": points(1)})
    refused = put_back(new, saved)
    assert refused.failed
    assert "would lose what is there: The collection 'documents' is there with 25 points, and the snapshot has 24" in (
        refused.msg
    )
    assert refused.msg.endswith("Nothing was changed.")
    assert (uploads(new), len(new.collections["documents"])) == ([], 25)
    outcome = put_back(new, saved, overwrite=True, collections=["documents"])
    assert not outcome.failed, outcome.msg
    assert (len(new.collections["documents"]), sorted(new.collections)) == (24, ["documents", "other"])


def test_an_empty_collection_is_no_loss(saved: Path) -> None:
    new = store(collections={"documents": {}})
    assert not put_back(new, saved).failed


def test_a_broken_collection_is_not_taken_for_an_empty_one(saved: Path) -> None:
    new = store(collections={"documents": {}}, status="red")
    refused = put_back(new, saved)
    assert "it is broken, and nobody can say what it holds" in refused.msg
    assert uploads(new) == []


def test_a_file_that_was_damaged_changes_nothing(saved: Path) -> None:
    path = saved / "documents.snapshot"
    content = path.read_bytes()
    new = empty()
    for damaged, said in ((content[:-1] + b"x", "another SHA-256"), (content[:-1], "bytes, but its manifest says")):
        path.write_bytes(damaged)
        outcome = put_back(new, saved)
        assert f"The snapshots in {saved} are not whole: the file {path} has " in outcome.msg
        assert said in outcome.msg
    path.unlink()
    assert f"the file {path} is missing" in put_back(new, saved).msg
    assert new.asked == []


def test_a_snapshot_without_its_manifest_is_none(saved: Path) -> None:
    (saved / "documents.snapshot.json").unlink()
    outcome = put_back(empty(), saved, collections=["documents"])
    assert "has no snapshot of documents: it has conversations. Nothing was changed." in outcome.msg


def test_folders_that_have_nothing(tmp_path: Path) -> None:
    assert "There is no folder " in put_back(empty(), tmp_path / "nowhere").msg
    assert "There is no saved collection in " in put_back(empty(), tmp_path).msg


def test_another_version_is_told(saved: Path) -> None:
    new = empty(version="1.17.0")
    refused = put_back(new, saved)
    assert "made by Qdrant 1.15.1, and the new store is 1.17.0. Qdrant promises to read" in refused.msg
    assert uploads(new) == []
    outcome = put_back(new, saved, version_mismatch="warn")
    assert not outcome.failed, outcome.msg
    assert "made by Qdrant 1.15.1, and the new store is 1.17.0." in str(outcome.warnings)


def test_an_old_version_is_asked_without_a_checksum(tmp_path: Path) -> None:
    save(store(version="1.7.4"), tmp_path, name="n")
    new = empty(version="1.7.4")
    assert not put_back(new, tmp_path / "n").failed
    assert [asked.path.partition("?")[2] for asked in new.asked if "upload" in asked.path] == [
        "priority=snapshot&wait=true"
    ] * 2


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda new: new.collections["documents"].pop(1), "It has 23 points, and 24 points were saved."),
        (lambda new: setattr(new, "status", "red"), "Its status is red."),
        (lambda new: setattr(new, "lost", frozenset(range(30))), "It does not answer a test query: "),
        (lambda new: new.collections.pop("documents"), "It is not there."),
    ],
)
def test_what_does_not_come_back_whole_is_a_failure(saved: Path, spoil: Any, said: str) -> None:
    def hook(asked: Asked) -> Reply:
        reply = new.upload(asked, "documents", {"priority": "snapshot"})
        spoil(new)
        return reply

    clock = FakeClock()
    new = empty()
    new.hooks["upload"] = hook
    outcome = put_back(new, saved, clock=clock, collections=["documents"])
    assert outcome.failed
    assert f"is not what was saved: {said}" in outcome.msg
    assert "Restored and verified: 0 of 1 collection (none). Don't use 'documents' at " in outcome.msg
    assert f"the snapshot itself is whole, in {saved}" in outcome.msg


def test_a_wrong_count_at_rest_is_not_waited_for(saved: Path) -> None:
    clock = FakeClock()
    new = empty()
    new.hooks["upload"] = lambda asked: Reply(body={"result": True, "status": "ok", "time": 0})
    put_back(new, saved, clock=clock, collections=["documents"], timeout=40)
    assert clock.now == 40  # what is not there may still come
    new.collections["documents"] = points(3)
    clock = FakeClock()
    outcome = put_back(new, saved, clock=clock, collections=["documents"], timeout=3600, overwrite=True)
    assert outcome.failed
    assert clock.now < 10


def test_an_optimiser_at_work_is_waited_for(saved: Path) -> None:
    clock = FakeClock()
    new = empty(status="yellow")
    clock.at(30, lambda: setattr(new, "status", "green"))
    outcome = put_back(new, saved, clock=clock)
    assert not outcome.failed, outcome.msg
    assert clock.now >= 30


def test_the_second_fails_and_the_first_is_told_and_not_touched_again(saved: Path) -> None:
    new = empty()
    new.hooks["upload"] = lambda asked: (
        Reply(500, {"status": {"error": "Service internal error: disk"}, "time": 0})
        if "/documents/" in asked.path
        else None
    )
    outcome = put_back(new, saved)
    assert "it answered 500, Service internal error: disk" in outcome.msg
    assert "Restored and verified: 1 of 2 collections (conversations)." in outcome.msg
    assert outcome.result["restored_names"] == ["conversations"]
    new.hooks.clear()
    rest = put_back(new, saved)
    assert not rest.failed, rest.msg
    assert [(one["collection"], one["changed"]) for one in rest.result["restored"]] == [
        ("conversations", False), ("documents", True),
    ]  # fmt: skip


def test_an_answer_that_is_lost_is_found_out_by_counting(saved: Path) -> None:
    def lose(asked: Asked) -> Reply:
        new.upload(asked, asked.path.split("/")[2], {"priority": "snapshot"})
        return Reply(504, "<html>Gateway Time-out</html>")

    new = empty()
    new.hooks["upload"] = lose
    outcome = put_back(new, saved)
    assert not outcome.failed, outcome.msg
    assert uploads(new) == ["conversations", "documents"]


def test_an_answer_that_is_lost_where_a_count_proves_nothing(saved: Path) -> None:
    new = store(collections={"documents": points(24)})
    new.hooks["upload"] = lambda asked: Reply(504)
    outcome = put_back(new, saved, collections=["documents"], overwrite=True)
    assert "nobody can say which ones it has now" in outcome.msg


def test_a_proxy_that_takes_no_large_body(saved: Path) -> None:
    new = empty()
    new.hooks["upload"] = lambda asked: Reply(413, "<html>")
    assert "answered 413, so a proxy before " in put_back(new, saved).msg


def test_a_refusal_is_told_in_its_own_words(saved: Path) -> None:
    new = empty()
    said = "Wrong input: Snapshot is not compatible with existing collection"
    new.hooks["upload"] = lambda asked: Reply(400, {"status": {"error": said}, "time": 0})
    assert f"it answered 400, {said}. See Qdrant's log." in put_back(new, saved).msg


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"collections": {"x": points(1)}, "aliases": {"production": "x"}}, "production leads to x there"),
        ({"collections": {"production": points(1)}, "aliases": {}}, "production leads to production there"),
        ({"collections": {"x": points(1)}, "aliases": {"documents": "x"}}, "'documents' is an alias there"),
    ],
)
def test_aliases_are_not_turned(saved: Path, options: dict[str, Any], said: str) -> None:
    new = store(**options)
    outcome = put_back(new, saved)
    assert said in outcome.msg
    assert uploads(new) == []


def test_aliases_are_left_to_others_if_told(saved: Path) -> None:
    new = empty()
    assert not put_back(new, saved, aliases=False).failed
    assert new.aliases == {}


def test_the_key_is_sent_and_not_shown(saved: Path) -> None:
    new = empty(key=KEY)
    outcome = put_back(new, saved, api_key=KEY)
    assert not outcome.failed, outcome.msg
    assert KEY not in json.dumps(outcome.result)
    assert "refused the API key" in put_back(new, saved, api_key="wr0ng-key-of-it").msg


class Breaking(ThreadingHTTPServer):
    """Passes nothing on of the first upload but its beginning, and closes; later ones go to the server behind."""

    daemon_threads = True

    def __init__(self, qdrant: SnapshotQdrant) -> None:
        self.qdrant = qdrant
        self.broken: list[int] = []
        super().__init__(("127.0.0.1", 0), BreakingHandler)


class BreakingHandler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Breaking)
        length = int(self.headers["Content-Length"])
        if "/upload" in self.path and not self.server.broken:
            self.server.broken.append(len(self.rfile.read(1000)))
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.qdrant(Asked(self.command, self.path, headers, self.rfile.read(length)))
        content, kind = reply.content()
        self.send_response(reply.status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self.headers["Content-Length"] = "0"
        self.do_POST()

    def do_DELETE(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
        """Nobody reads it."""


def test_an_upload_that_breaks_off_is_sent_again(tmp_path: Path) -> None:
    # More than what the kernel takes before anybody has read it.
    save(store(padding=16_000_000), tmp_path, name="n", collections=["documents"])
    new = empty()
    with Breaking(new) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        args = {"url": url, "use_proxy": False, "directory": str(tmp_path / "n")}
        outcome = run_module(qdrant_snapshot_restore.main, args, clock=FakeClock())
        server.shutdown()
    assert not outcome.failed, outcome.msg
    assert (server.broken, len(new.collections["documents"])) == ([1000], 24)
