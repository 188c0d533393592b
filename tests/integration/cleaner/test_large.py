# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a large store quick to search, by counts: one search, no process for a file, folders that are left out.

And that somebody who watches is told where it is. tools/bench_cleaner.py has the seconds.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from integration.cleaner.harness import Cleaner, Run, bubblewrap, held, tree
from integration.cleaner.test_cleaner import LOCK

FEW, MANY = 50, 5000
# What may differ between two runs: the ticker's sleep, one a second.
SLACK = 40
# Prints, at the end, the last number that a process of this PID namespace was given.
COUNTING = '"$@"; code=$?; read -r _ _ _ _ last </proc/loadavg; echo "$last" >&2; exit "$code"'
# Stands for find: opens a folder of the store and stays there until it may go on.
SLOW_FIND = """#!/bin/sh
exec 7<"$1/{folder}"
until [ -e {go} ]; do :; done
exec {find} "$@"
"""


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two stores of the same locks, one with few other files and one with many."""
    made = []
    for files in (FEW, MANY):
        root = tmp_path_factory.mktemp("grown") / "volume"
        for number in range(files):
            folder = root / "collections" / "docs" / "0" / "segments" / f"s{number // 50}" / "vector_storage"
            if number % 50 == 0:
                folder.mkdir(parents=True)
            os.mknod(folder / f"chunk_{number}.mmap")
        made.append(root)
    return made


def counted(cleaner: Cleaner, store: Path) -> tuple[Run, int]:
    cleaner.within = [
        bubblewrap(), "--bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-pid", "--",
        str(cleaner.tools / "sh"), "-c", COUNTING, "count",
    ]  # fmt: skip
    run = cleaner(store)
    run.noise, _newline, last = run.noise.removesuffix("\n").rpartition("\n")
    return run, int(last)


def test_processes_do_not_grow_with_the_files(cleaner: Cleaner, stores: list[Path]) -> None:
    numbers = []
    for store in stores:
        (store / "a.lock").touch()
        (store / "b.lock").touch()
        run, processes = counted(cleaner, store)
        assert run.code == 0, run
        assert run.summary["removed"] == 2
        numbers.append(processes)
    assert numbers[0] > 5, "it counts nothing"
    assert numbers[1] - numbers[0] < SLACK < (MANY - FEW) / 100


@pytest.mark.parametrize("prune", ["", "vector_storage\nsnapshots"])
def test_the_tree_is_searched_once(store: Path, tmp_path: Path, prune: str) -> None:
    cleaner = Cleaner("dash", tmp_path / "tools")
    calls = tmp_path / "calls"
    cleaner.replace("find", f'#!/bin/sh\necho "$1" >>{calls}\nexec {shutil.which("find")} "$@"\n')
    assert cleaner(store, prune=prune).summary["removed"] == 2
    assert calls.read_text() == f"{store}\n"


def test_what_is_left_out_is_not_looked_into_and_is_told(cleaner: Cleaner, store: Path) -> None:
    for folder in ("snapshots", "snapshots/deep", "backup/snapshots", "a.snapshot", "old-1", "old-2"):
        (store / folder).mkdir(parents=True)
        (store / folder / "x.lock").touch()
    run = cleaner(store, prune="snapshots\nold-[1!]")
    assert run.code == 0, run
    run.check()
    assert set(run.actions()) == {LOCK, "/client/.lock", "/a.snapshot/x.lock", "/old-2/x.lock"}
    assert run.summary["pruned"] == {"folders": 3, "patterns": ["snapshots", "old-[1!]"]}
    left = {name for name in tree(store) if name.endswith(".lock")}
    assert left == {"snapshots/x.lock", "snapshots/deep/x.lock", "backup/snapshots/x.lock", "old-1/x.lock"}


def test_without_patterns_everything_is_looked_at(cleaner: Cleaner, store: Path) -> None:
    (store / "snapshots").mkdir()
    (store / "snapshots" / "x.lock").touch()
    run = cleaner(store)
    assert run.actions()["/snapshots/x.lock"] == "removed"
    assert "pruned" not in run.summary


@pytest.mark.parametrize(
    ("folder", "scan"),
    [
        ("collections/wal/0", "/"),  # a collection may be called anything
        ("collections/docs/0/segments/wal", "/"),
        ("wal", "/wal"),  # who names the folder wants it looked at
        ("w[a]l*", "/w[a]l*"),
    ],
)
def test_what_must_be_looked_into_is_not_left_out(cleaner: Cleaner, store: Path, folder: str, scan: str) -> None:
    (store / folder).mkdir(parents=True)
    (store / folder / "x.lock").touch()
    run = cleaner(store, prune="wal\nw*", scan=scan)
    assert run.actions()[f"/{folder}/x.lock"] == "removed"
    assert run.summary["pruned"]["folders"] == 0


def test_only_folders_are_left_out(cleaner: Cleaner, store: Path) -> None:
    (store / "snapshots.lock").touch()
    (store / "link").symlink_to(store / "client")
    run = cleaner(store, prune="snapshots*\nlink\nnone")
    assert run.actions()["/snapshots.lock"] == "removed"
    assert run.summary["pruned"]["folders"] == 0


@pytest.mark.parametrize("shell", ["dash", "bash"])  # BusyBox prefers its own find and sleep
def test_whoever_watches_is_told_where_it_is(store: Path, tmp_path: Path, shell: str) -> None:
    cleaner = Cleaner(shell, tmp_path / "tools")
    go = tmp_path / "go"
    name = 'a "folder"\n\\'
    (store / name).mkdir()
    (tmp_path / "place").symlink_to(store / name)
    slow = SLOW_FIND.format(folder="../place", go=go, find=shutil.which("find"))
    cleaner.replace("find", slow)
    cleaner.replace("sleep", "#!/bin/sh\n")
    process = cleaner.start(store)
    assert process.stdout is not None
    first = process.stdout.readline()
    go.touch()
    run = cleaner.end(process)
    run.text = first.decode() + run.text
    run.check()
    told = [line["progress"] for line in run.lines if "progress" in line]
    assert told[0] == f"looking for 10 s, lock files so far: 0, now in /{name}"
    assert run.summary["removed"] == 2


@pytest.mark.parametrize("shell", ["dash", "bash"])  # BusyBox prefers its own sleep
def test_whoever_watches_is_told_that_a_lock_is_waited_for(store: Path, tmp_path: Path, shell: str) -> None:
    cleaner = Cleaner(shell, tmp_path / "tools")
    cleaner.replace("sleep", "#!/bin/sh\n")
    name = 'a "folder", "action":"held"\n\\'
    (store / name).mkdir()
    (store / name / "x.lock").touch()
    with held(store / name / "x.lock") as holder:
        process = cleaner.start(store, held="wait", held_timeout="50")
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        while b'"progress":"waiting for' not in lines[-1]:
            assert lines[-1]
            lines.append(process.stdout.readline())
        holder.kill()
        run = cleaner.end(process)
    run.text = b"".join(lines).decode() + run.text
    run.check()
    assert run.code == 0
    path = f"/{name}/x.lock"
    told = [line.get("progress", "") for line in run.lines]
    waiting = next(line for line in told if line.startswith("waiting"))
    place = re.escape(f"the holder of {path} to let go")
    assert re.fullmatch(
        rf"waiting for \d+ s for {place}, locks waited for so far: 1, lock files so far: [123]", waiting
    )
    gone = next(number for number, line in enumerate(run.lines) if line.get("path") == path and "waiting" not in line)
    assert not any(line.startswith("waiting") for line in told[gone:])
