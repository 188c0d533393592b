# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""qdrant_snapshot, whole, against a small Qdrant over real HTTP."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._interrupts import Interrupted
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots import files
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.restoring import Restoring
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.saving import Saving
from ansible_collections.wwhd.qdrant_ops.plugins.modules import qdrant_snapshot
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, run_module
from ansible_collections.wwhd.qdrant_ops.tests.unit.qdrant_client import KEY, points
from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import Asked, Reply, serve
from ansible_collections.wwhd.qdrant_ops.tests.unit.snapshot_server import SnapshotQdrant, put_back, save, store


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file()) if folder.exists() else []


def cut_after(size: int, *, times: int, qdrant: SnapshotQdrant) -> Callable[[Asked], Reply | None]:
    """A download whose connection ends after `size` more bytes, so many times."""
    left = [times]

    def hook(asked: Asked) -> Reply | None:
        if not left[0]:
            return None
        left[0] -= 1
        collection, name = asked.path.split("/")[2], asked.path.split("/")[4]
        whole = qdrant.fetch(asked, collection, name)
        content, _kind = whole.content()
        reason = "Partial Content" if whole.status == 206 else "OK"
        told = "".join(f"{key}: {value}\r\n" for key, value in whole.headers.items())
        head = f"HTTP/1.1 {whole.status} {reason}\r\n{told}Content-Length: {len(content)}\r\n\r\n"
        return Reply(raw=lambda wire: wire.write(head.encode() + content[:size]))

    return hook


def test_every_collection_is_saved_with_a_manifest_and_gone_from_the_server(tmp_path: Path) -> None:
    qdrant = store(aliases={"production": "documents"})
    outcome = save(qdrant, tmp_path)
    assert not outcome.failed, outcome.msg
    folder = tmp_path / "20261123T150000Z"
    size = outcome.result["size"]
    assert outcome.msg == f"2 of 2 collections are saved in {folder}: 30 points, {files.human_size(size)}."
    assert outcome.changed
    assert names(tmp_path) == [
        "conversations.snapshot", "conversations.snapshot.json", "documents.snapshot", "documents.snapshot.json",
    ]  # fmt: skip
    content = (folder / "documents.snapshot").read_bytes()
    manifest = json.loads((folder / "documents.snapshot.json").read_text())
    assert manifest["sha256"] == hashlib.sha256(content).hexdigest()
    told = {key: manifest[key] for key in ("collection", "points_count", "size", "qdrant_version", "aliases", "status")}
    assert told == {
        "collection": "documents", "points_count": 24, "size": len(content), "qdrant_version": "1.15.1",
        "aliases": ["production"], "status": "green",
    }  # fmt: skip
    assert manifest["config"] == {"params": {"vectors": {"size": 2, "distance": "Cosine"}}}
    assert qdrant.kept == {"documents": {}, "conversations": {}}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "documents.snapshot").stat().st_mode) == 0o600


def test_a_name_is_saved_once_and_a_file_that_was_damaged_again(tmp_path: Path) -> None:
    qdrant = store()
    assert save(qdrant, tmp_path, name="release-42").changed
    again = save(qdrant, tmp_path, name="release-42")
    assert not again.changed
    assert again.msg.endswith("Nothing was done: they were saved before, under this name.")
    assert qdrant.made == 2
    assert again.warnings == []
    qdrant.collections["documents"][9000] = [1, 2]
    late = save(qdrant, tmp_path, name="release-42")
    assert "has 25 points now, and 24 points are saved under this name, as of 2026-11-23T15:00" in str(late.warnings)
    path = tmp_path / "release-42" / "documents.snapshot"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    mended = save(qdrant, tmp_path, name="release-42")
    assert [(one["collection"], one["changed"]) for one in mended.result["saved"]] == [
        ("conversations", False), ("documents", True),
    ]  # fmt: skip
    assert qdrant.made == 3


def test_two_stores_are_not_saved_under_one_name(tmp_path: Path) -> None:
    assert save(store(), tmp_path, name="n").changed
    outcome = save(store(), tmp_path, name="n")
    assert "that was taken from http://127.0.0.1:" in outcome.msg
    assert outcome.msg.endswith("give another name, so that the two are not taken for each other.")


def test_check_mode_counts_and_makes_nothing(tmp_path: Path) -> None:
    qdrant = store()
    outcome = save(qdrant, tmp_path, check=True, name="one")
    assert outcome.changed
    assert outcome.msg == f"Would save conversations, documents in {tmp_path / 'one'}."
    assert {f"{asked.method} {asked.path.split('/')[-1]}" for asked in qdrant.asked if asked.method != "GET"} == {
        "POST count"
    }
    assert names(tmp_path) == []
    assert outcome.result["diff"] == {"before": {"saved": []}, "after": {"saved": ["conversations", "documents"]}}


def test_they_stay_on_the_server_if_told(tmp_path: Path) -> None:
    qdrant = store()
    assert not save(qdrant, tmp_path, keep_on_server=True, collections=["documents"]).failed
    assert list(qdrant.kept["documents"]) == ["documents-1-1.snapshot"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_breaks_off_is_taken_up(tmp_path: Path, *, ranges: bool) -> None:
    qdrant = store(padding=200_000, ranges=ranges)
    qdrant.hooks["fetch"] = cut_after(50_000, times=2, qdrant=qdrant)
    outcome = save(qdrant, tmp_path, collections=["documents"])
    assert not outcome.failed, outcome.msg
    asked = [one.headers.get("range") for one in qdrant.asked if one.method == "GET" and "-1-1" in one.path]
    assert asked == [None, "bytes=50000-", "bytes=100000-" if ranges else "bytes=50000-"]
    assert outcome.result["saved"][0]["verified_by"] == "checksum"


def test_a_download_that_never_comes_to_its_end(tmp_path: Path) -> None:
    qdrant = store(padding=200_000, ranges=False)
    qdrant.hooks["fetch"] = cut_after(50_000, times=99, qdrant=qdrant)
    outcome = save(qdrant, tmp_path, name="n", collections=["documents"])
    assert outcome.failed
    assert "Could not download the snapshot documents-1-1.snapshot of the collection 'documents'" in outcome.msg
    assert "the answer was cut off, after 50,000 of " in outcome.msg
    assert f"0 of 1 collection are saved in {tmp_path / 'n'}. No half file was left there." in outcome.msg
    assert "Run it again with name: n to save what is missing." in outcome.msg
    assert names(tmp_path) == []
    assert qdrant.kept == {"documents": {}}


@pytest.mark.parametrize(
    ("version", "damage", "said"),
    [
        ("1.15.1", lambda content: content[:-3] + b"xyz", "its SHA-256 is "),
        ("1.15.1", lambda content: content[:-3], "bytes, and Qdrant says "),
        ("1.7.4", lambda content: b"<html>" + content[6:], "it can't be read as an archive"),
    ],
)
def test_what_comes_damaged_is_thrown_away(
    tmp_path: Path, version: str, damage: Callable[[bytes], bytes], said: str
) -> None:
    qdrant = store(version=version, padding=4000)
    qdrant.hooks["fetch"] = lambda asked: Reply(200, damage(qdrant.kept["documents"]["documents-1-1.snapshot"]))
    outcome = save(qdrant, tmp_path, collections=["documents"])
    assert outcome.failed
    assert "The snapshot documents-1-1.snapshot of 'documents' came damaged: " in outcome.msg
    assert said in outcome.msg
    assert names(tmp_path) == []


def test_an_old_version_has_its_archive_read(tmp_path: Path) -> None:
    outcome = save(store(version="1.7.4"), tmp_path)
    assert [one["verified_by"] for one in outcome.result["saved"]] == ["archive", "archive"]


def test_the_second_of_three_fails_and_a_second_run_saves_the_rest(tmp_path: Path) -> None:
    qdrant = store(collections={"a": points(3), "b": points(4), "c": points(5)})
    qdrant.hooks["create"] = lambda asked: Reply(500, {"status": {"error": "No space left on device"}, "time": 0})
    qdrant.hooks["create"] = lambda asked, refuse=qdrant.hooks["create"]: refuse(asked) if "/b/" in asked.path else None
    outcome = save(qdrant, tmp_path, name="n")
    assert "it answered 500, No space left on device" in outcome.msg
    assert f"1 of 3 collections is saved in {tmp_path / 'n'}: 3 points" in outcome.msg
    assert [one["collection"] for one in outcome.result["saved"]] == ["a"]
    del qdrant.hooks["create"]
    rest = save(qdrant, tmp_path, name="n")
    assert [(one["collection"], one["changed"]) for one in rest.result["saved"]] == [
        ("a", False), ("b", True), ("c", True),
    ]  # fmt: skip
    assert rest.msg.startswith("3 of 3 collections are saved in ")


def test_a_disk_without_room_is_told_before_the_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "free_bytes", lambda folder: 1000)
    qdrant = store()
    outcome = save(qdrant, tmp_path, collections=["documents"])
    assert "has 1.0 kB free, and the snapshot has 10.2 kB: make room there" in outcome.msg
    assert not [asked for asked in qdrant.asked if asked.path.endswith(".snapshot") and asked.method == "GET"]
    assert (names(tmp_path), qdrant.kept) == ([], {"documents": {}})


def test_a_disk_that_becomes_full_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: files.Part, piece: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    whole = files.Part.write
    monkeypatch.setattr(files.Part, "write", lambda part, piece: (whole if len(piece) < 5000 else full)(part, piece))
    qdrant = store(padding=20_000)
    outcome = save(qdrant, tmp_path, collections=["documents"])
    assert "Could not write the snapshot of 'documents' to " in outcome.msg
    assert "No space left on device. Check the disk" in outcome.msg
    assert (names(tmp_path), qdrant.kept) == ([], {"documents": {}})


def test_somebody_who_writes_meanwhile(tmp_path: Path) -> None:
    def write(asked: Asked) -> None:
        qdrant.collections["documents"][f"new-{len(qdrant.asked)}-{qdrant.made}"] = [1, 2]

    qdrant = store()
    qdrant.hooks["create"] = write
    outcome = save(qdrant, tmp_path, collections=["documents"])
    assert "had 24 points before its snapshot was made and 25 after it: somebody writes to it" in outcome.msg
    assert (names(tmp_path), qdrant.kept) == ([], {"documents": {}})
    tolerated = save(qdrant, tmp_path, name="n", collections=["documents"], tolerate_writes=True)
    assert not tolerated.failed, tolerated.msg
    assert "holds something between the two" in str(tolerated.warnings)
    manifest = json.loads((tmp_path / "n" / "documents.snapshot.json").read_text())
    assert (manifest["points_before"], manifest["points_count"]) == (25, 26)


@pytest.mark.parametrize("visible_after", [0.0, 20.0])
def test_an_answer_that_is_lost_is_looked_for_and_not_asked_again(tmp_path: Path, visible_after: float) -> None:
    clock = FakeClock()
    qdrant = store()

    def lose(asked: Asked) -> Reply:
        clock.at(clock.now + visible_after, lambda: qdrant.made or qdrant.make("documents"))
        clock.sleep(0)
        return Reply(504, "<html>Gateway Time-out</html>")

    qdrant.hooks["create"] = lose
    outcome = save(qdrant, tmp_path, clock=clock, collections=["documents"], timeout=60)
    assert not outcome.failed, outcome.msg
    assert (qdrant.made, qdrant.kept) == (1, {"documents": {}})


def test_an_answer_that_is_lost_for_good(tmp_path: Path) -> None:
    clock = FakeClock()
    qdrant = store()
    qdrant.hooks["create"] = lambda asked: Reply(504, "<html>Gateway Time-out</html>")
    outcome = save(qdrant, tmp_path, clock=clock, name="n", collections=["documents"], timeout=60)
    assert "its answer was lost (status 504), and no new snapshot appeared." in outcome.msg
    assert clock.now == 60
    # It came to its end after all: the next run of this name tells of it, and leaves it, as it may be somebody else's.
    qdrant.make("documents")
    del qdrant.hooks["create"]
    again = save(qdrant, tmp_path, name="n", collections=["documents"])
    assert "These have come since, and may be its own: documents-1-1.snapshot." in str(again.warnings)


def test_a_run_that_died_is_cleaned_up_after_by_the_next(tmp_path: Path) -> None:
    qdrant = store()
    left = qdrant.make("documents")
    theirs = qdrant.make("documents")

    qdrant.hooks["delete"] = lambda asked: Reply(500, {"status": {"error": "no"}, "time": 0})
    outcome = save(qdrant, tmp_path, name="n", collections=["documents"])
    assert not outcome.failed
    assert "It takes room on the server's disk until it is removed; the next run" in str(outcome.warnings)
    del qdrant.hooks["delete"]
    assert len(qdrant.kept["documents"]) == 3
    pending = (tmp_path / "n" / ".documents.snapshot.pending").read_text()
    assert not save(qdrant, tmp_path, name="n", collections=["documents"]).changed
    assert sorted(qdrant.kept["documents"]) == [left, theirs]
    # One that died before anything was here: the same, and then it saves anew.
    shutil.rmtree(tmp_path / "n")
    (tmp_path / "n").mkdir()
    (tmp_path / "n" / ".documents.snapshot.pending").write_text(pending)
    qdrant.kept["documents"][json.loads(pending)["snapshot"]] = b"left"
    assert save(qdrant, tmp_path, name="n", collections=["documents"]).changed
    assert sorted(qdrant.kept["documents"]) == [left, theirs]
    assert names(tmp_path) == ["documents.snapshot", "documents.snapshot.json"]


def test_a_signal_in_the_middle_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told_to_end(self: files.Part, path: Path) -> None:
        raise Interrupted("SIGTERM")

    monkeypatch.setattr(files.Part, "become", told_to_end)
    monkeypatch.setattr(
        "ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.saving.write_whole",
        lambda path, text: path.write_text(text),
    )
    qdrant = store()
    outcome = save(qdrant, tmp_path, name="n", collections=["documents"])
    assert "Told to end by SIGTERM while saving 'documents'." in outcome.msg
    assert (names(tmp_path), qdrant.kept) == ([], {"documents": {}})


def test_a_signal_before_anything_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def told_to_end(_self: object) -> None:
        raise Interrupted("SIGTERM")

    monkeypatch.setattr(Saving, "run", told_to_end)
    monkeypatch.setattr(Restoring, "run", told_to_end)
    qdrant = store()
    assert save(qdrant, tmp_path).msg == "Told to end by SIGTERM, before anything was saved. Run it again."
    restored = put_back(qdrant, tmp_path)
    assert restored.msg == "Told to end by SIGTERM, and no collection was begun. Run it again."


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"status": "red"}, "The collection 'documents' is red"),
        ({"replicas": {0: ["Active"], 1: ["Dead", "Active"]}}, "This server has 1 of the 2 shards of the collection"),
        ({"collections": {"": {}}}, "There is no collection documents at"),
    ],
)
def test_what_can_not_be_saved_whole_is_refused_first(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    qdrant = store(**options)
    outcome = save(qdrant, tmp_path, collections=["documents"])
    assert outcome.failed
    assert said in outcome.msg
    assert qdrant.made == 0


def test_an_empty_store_is_no_success(tmp_path: Path) -> None:
    qdrant = store()
    qdrant.collections.clear()
    assert "There is nothing to save: " in save(qdrant, tmp_path).msg


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"name": "../elsewhere"}, "name is '../elsewhere': give letters"),
        ({"directory": "backups"}, "give an absolute path"),
    ],
)
def test_what_is_given_is_checked_first(tmp_path: Path, args: dict[str, Any], said: str) -> None:
    assert said in save(store(), tmp_path, **args).msg


def test_names_of_collections_become_names_of_files(tmp_path: Path) -> None:
    odd = ["a/b", "..", "ü" * 120, "100%"]
    qdrant = store(collections={name: points(2) for name in odd})
    outcome = save(qdrant, tmp_path, name="n")
    assert not outcome.failed, outcome.msg
    assert len(names(tmp_path)) == 2 * len(odd)
    assert {path.parent for path in tmp_path.rglob("*.snapshot")} == {tmp_path / "n"}
    assert save(qdrant, tmp_path, name="n").changed is False


def test_the_key_is_sent_and_not_shown(tmp_path: Path) -> None:
    qdrant = store(key=KEY)
    outcome = save(qdrant, tmp_path, api_key=KEY)
    assert not outcome.failed, outcome.msg
    assert KEY not in json.dumps(outcome.result)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_a_read_only_key_is_not_enough(tmp_path: Path) -> None:
    qdrant = store()
    qdrant.hooks["create"] = lambda asked: Reply(403, "Forbidden")
    outcome = save(qdrant, tmp_path, name="n", api_key=KEY)
    assert "Snapshots need a key that may manage the collections" in outcome.msg


def test_several_servers_behind_one_address(tmp_path: Path) -> None:
    qdrant = store()
    qdrant.hooks["fetch"] = lambda asked: Reply(404, {"status": {"error": "Not found"}, "time": 0})
    assert "Several servers answer at that address" in save(qdrant, tmp_path).msg


def test_of_several_addresses_one_is_stayed_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = "ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.options.resolve"
    # Nothing listens at the first.
    monkeypatch.setattr(where, lambda url: ["127.0.0.9", "127.0.0.1"])
    qdrant = store()
    with serve(qdrant) as server:
        args = {"url": f"http://qdrant.invalid:{server.port}", "use_proxy": False, "directory": str(tmp_path)}
        outcome = run_module(qdrant_snapshot.main, args, clock=FakeClock())
    assert not outcome.failed, outcome.msg
    assert {asked.headers["host"] for asked in server.asked} == {f"qdrant.invalid:{server.port}"}


@pytest.mark.parametrize("told", [None, {"name": "x"}, "text", {"name": "x", "size": "much"}])
def test_an_answer_that_is_no_snapshot(tmp_path: Path, told: Any) -> None:
    qdrant = store()
    qdrant.hooks["create"] = lambda asked: Reply(body={"result": told, "status": "ok", "time": 0})
    assert "Qdrant described a snapshot in a way that can't be read (" in save(qdrant, tmp_path).msg
