# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cleaner's script in the shells that run it: BusyBox ash, dash and bash, on real files with real locks."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path

import pytest
from integration.cleaner.harness import Cleaner, held, tree

LOCK = "/collections/docs/0/segments/one/LOCK"


def test_free_locks_go_and_everything_else_stays(cleaner: Cleaner, store: Path) -> None:
    before = tree(store)
    run = cleaner(store)
    assert run.code == 0, run
    assert run.actions() == {LOCK: "removed", "/client/.lock": "removed"}
    assert before - tree(store) == {LOCK[1:], "client/.lock"}
    assert run.summary["removed"] == 2
    assert run.summary["run_id"] == "run-1"
    assert cleaner(store).summary["found"] == 0  # and a second run finds nothing


def test_a_held_lock_is_never_removed(cleaner: Cleaner, store: Path) -> None:
    inode = (store / LOCK[1:]).stat().st_ino
    with held(store / LOCK[1:]):
        run = cleaner(store)
    assert run.code == 3
    assert run.actions()[LOCK] == "held"
    assert (store / LOCK[1:]).stat().st_ino == inode


def test_inspecting_changes_nothing_and_tells_held_from_free(cleaner: Cleaner, store: Path) -> None:
    before = tree(store)
    with held(store / LOCK[1:]):
        run = cleaner(store, mode="inspect", held="delete")
    assert run.code == 0
    assert run.actions() == {LOCK: "held", "/client/.lock": "free"}
    assert tree(store) == before


def test_what_is_no_lock_by_the_rule_is_kept(cleaner: Cleaner, store: Path) -> None:
    (store / "folder.lock").mkdir()
    (store / "link.lock").symlink_to("app.db")
    (store / "dangling.lock").symlink_to("nowhere")
    os.mkfifo(store / "fifo.lock")
    (store / "lonely").mkdir()
    (store / "lonely" / "LOCK").touch()
    full = store / "full"
    full.mkdir()
    (full / "CURRENT").touch()
    (full / "LOCK").write_text("not empty")
    run = cleaner(store)
    assert run.code == 0, run
    kept = {path for path, action in run.actions().items() if action == "kept"}
    assert kept == {"/folder.lock", "/link.lock", "/dangling.lock", "/fifo.lock", "/lonely/LOCK", "/full/LOCK"}
    assert "CURRENT" in run.why("/lonely/LOCK")
    assert "content" in run.why("/full/LOCK")
    assert "link" in run.why("/link.lock")
    assert (store / "app.db").read_text() == "data"


def test_only_the_given_folder_is_looked_at(cleaner: Cleaner, store: Path) -> None:
    run = cleaner(store, scan="/collections")
    assert run.actions() == {LOCK: "removed"}
    assert (store / "client" / ".lock").exists()


@pytest.mark.parametrize(
    ("values", "code", "said"),
    [
        ({"scan": "/absent"}, 4, "no folder /absent"),
        ({"scan": "/outside"}, 2, "leads out of the volume"),
        ({"patterns": ""}, 2, "CLEANER_PATTERNS is empty"),
        ({"patterns": "\n\n"}, 2, "CLEANER_PATTERNS is empty"),
        ({"mode": "wipe"}, 2, "CLEANER_MODE is wipe"),
        ({"held": "maybe"}, 2, "CLEANER_HELD is maybe"),
        ({"held_timeout": "-1"}, 2, "CLEANER_HELD_TIMEOUT is -1"),
        ({"held_timeout": "08"}, 2, "CLEANER_HELD_TIMEOUT is 08"),
        ({"held_timeout": "$(id)"}, 2, "CLEANER_HELD_TIMEOUT is $(id)"),
    ],
)
def test_wrong_input_is_refused(cleaner: Cleaner, store: Path, values: dict[str, str], code: int, said: str) -> None:
    (store / "outside").symlink_to("/")
    before = tree(store)
    run = cleaner(store, **values)
    assert run.code == code
    assert said in run.summary["error"]
    assert tree(store) == before


@pytest.mark.parametrize("missing", ["find", "flock", "date", "sleep", "rm", "ls", "od"])
def test_an_image_without_a_tool_is_refused(store: Path, tmp_path: Path, missing: str) -> None:
    cleaner = Cleaner("dash", tmp_path / "tools")
    for tool in {"find", "flock", "date", "sleep", "rm", "ls", "od"} - {missing}:
        (tmp_path / "tools" / tool).symlink_to(str(shutil.which(tool)))
    cleaner.path = str(tmp_path / "tools")
    run = cleaner(store)
    assert run.code == 5
    assert f"no {missing}" in run.summary["error"]
    assert (store / "client" / ".lock").exists()


def test_the_probe_of_the_tests_is_a_real_lock(store: Path) -> None:
    """Without this, every test above could pass on locks that lock nothing."""
    path = store / LOCK[1:]
    with held(path), path.open("r+") as other:
        for kind in (fcntl.flock, fcntl.lockf):
            with pytest.raises(BlockingIOError):
                kind(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
