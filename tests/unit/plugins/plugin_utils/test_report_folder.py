# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder for reports: whole files, an index that several may write at once, and runs that never came to an end."""

from __future__ import annotations

import fcntl
import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._report import folder as folder_module
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._report.folder import write_report
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._report.page import TEMPLATES
from ansible_collections.wwhd.qdrant_ops.tests.unit.unlock_samples import samples

TEXTS = {
    name: (Path(__file__).resolve().parents[4] / "roles" / "qdrant_unlock" / "templates" / name).read_text()
    for name in TEMPLATES
}
SAMPLES = samples()


class Ticking:
    """A clock whose sleeps pass at once."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.sleep, lambda: datetime(2026, 11, 23, tzinfo=UTC))


def write(folder: Path, name: str, result: dict[str, Any], host: str = "a") -> None:
    write_report(folder, name=name, host=host, result=result, templates=TEXTS, clock=Ticking().clock)


def listed(folder: Path) -> list[tuple[str, str]]:
    return [(entry["name"], entry["outcome"]) for entry in json.loads((folder / "index.json").read_text())]


def test_a_run_leaves_its_files_for_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "reports"
    write(folder, "a-unlock-1", SAMPLES["unlocked"])
    names = sorted(path.name for path in folder.iterdir())
    assert names == [
        ".index.lock", "a-last-verified.json", "a-unlock-1.html", "a-unlock-1.json", "index.html", "index.json",
    ]  # fmt: skip
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert json.loads((folder / "a-unlock-1.json").read_text()) == SAMPLES["unlocked"]
    kept = json.loads((folder / "a-last-verified.json").read_text())
    assert kept == {"at": "2026-11-23T12:01:10.000Z", "points": {"conversations": 60, "documents": 240}}


@pytest.mark.parametrize("name", ["held", "nothing_to_do", "check", "refused", "not_counted"])
def test_counts_are_kept_of_a_verified_run_only(tmp_path: Path, name: str) -> None:
    write(tmp_path, "a-unlock-1", SAMPLES[name])
    assert not (tmp_path / "a-last-verified.json").exists()


def test_the_same_run_is_listed_once_and_pages_that_are_gone_not_at_all(tmp_path: Path) -> None:
    write(tmp_path, "a-unlock-1", SAMPLES["unfinished"])
    assert listed(tmp_path) == [("a-unlock-1", "unfinished")]
    write(tmp_path, "a-unlock-1", SAMPLES["unlocked"])
    write(tmp_path, "a-unlock-1", SAMPLES["unlocked"])
    write(tmp_path, "b-unlock-2", SAMPLES["held"], host="b")
    assert listed(tmp_path) == [("a-unlock-1", "unlocked"), ("b-unlock-2", "failed")]
    (tmp_path / "a-unlock-1.html").unlink()
    write(tmp_path, "c-unlock-3", SAMPLES["check"], host="c")
    assert [name for name, _outcome in listed(tmp_path)] == ["b-unlock-2", "c-unlock-3"]


def test_writing_the_same_again_changes_no_byte(tmp_path: Path) -> None:
    write(tmp_path, "a-unlock-1", SAMPLES["unlocked"])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write(tmp_path, "a-unlock-1", SAMPLES["unlocked"])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("broken", ["", "{", "[1]", '{"a": 1}', '[{"name": "x"}]'])
def test_an_index_that_somebody_broke_is_begun_anew(tmp_path: Path, broken: str) -> None:
    (tmp_path / "index.json").write_text(broken)
    write(tmp_path, "a-unlock-1", SAMPLES["unlocked"])
    assert listed(tmp_path) == [("a-unlock-1", "unlocked")]


def test_many_hosts_at_once_are_all_listed(tmp_path: Path) -> None:
    def one(n: int) -> None:
        write_report(
            tmp_path, name=f"h{n}-unlock-1", host=f"h{n}", result=SAMPLES["restored"], templates=TEXTS, clock=Clock()
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(24)))
    assert sorted(name for name, _outcome in listed(tmp_path)) == sorted(f"h{n}-unlock-1" for n in range(24))
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".h")]


def test_an_index_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "_LISTED", 3)
    for n in range(5):
        write(tmp_path, f"a-unlock-{n}", {**SAMPLES["check"], "started": f"2026-11-23T12:00:0{n}Z"})
    assert [name for name, _outcome in listed(tmp_path)] == ["a-unlock-2", "a-unlock-3", "a-unlock-4"]


def test_whoever_holds_the_index_too_long_is_not_waited_for(tmp_path: Path) -> None:
    """The run's own page is there by then."""
    descriptor = os.open(tmp_path / ".index.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    ticking = Ticking()
    try:
        with pytest.raises(BlockingIOError):
            write_report(tmp_path, name="a-1", host="a", result=SAMPLES["held"], templates=TEXTS, clock=ticking.clock)
    finally:
        os.close(descriptor)
    assert 10 <= ticking.now < 11
    assert (tmp_path / "a-1.html").exists()


def test_a_run_that_was_interrupted_is_told_by_the_next_one(tmp_path: Path) -> None:
    unfinished = {**SAMPLES["unfinished"], "interrupted": "/elsewhere/by/then/a-unlock-1-interrupted.txt"}
    write(tmp_path, "a-unlock-1", unfinished)
    write(tmp_path, "b-unlock-1", SAMPLES["unfinished"], host="b")
    (tmp_path / "a-unlock-1-interrupted.txt").write_text("12:00 wwhd.qdrant_ops: The service <b>is</b> restored.\n")
    write(tmp_path, "a-unlock-2", SAMPLES["nothing_to_do"])
    assert sorted(listed(tmp_path)) == [
        ("a-unlock-1", "interrupted"), ("a-unlock-2", "nothing_to_do"), ("b-unlock-1", "unfinished"),
    ]  # fmt: skip
    result = json.loads((tmp_path / "a-unlock-1.json").read_text())
    assert result["verdict"]["headline"] == "The unlock of wwhd-backend (dev) was interrupted."
    assert result["summary"][-1].endswith("restored.")
    assert "The service &lt;b&gt;is&lt;/b&gt; restored." in (tmp_path / "a-unlock-1.html").read_text()


def test_a_full_disk_leaves_no_halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path, "a-unlock-1", SAMPLES["held"])
    assert list(tmp_path.iterdir()) == []


def test_text_that_is_no_utf8_is_written_out(tmp_path: Path) -> None:
    result = {**SAMPLES["held"], "summary": ["a\udcffb"]}
    write(tmp_path, "a-unlock-1", result)
    assert "a\\udcffb" in (tmp_path / "a-unlock-1.html").read_text(encoding="utf-8")
