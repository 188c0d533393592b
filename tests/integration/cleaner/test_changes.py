# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and folders that change while the cleaner looks at them, each at exactly the moment that is meant.

A stand-in for flock makes the change right after it took the lock: of the file being probed, which so changes between
probe and removal, or of another one that find has named already, which so changes between find and its own probe.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.cleaner.harness import Cleaner, tree

# Where the change's code finds things: the volume has one/LOCK and two/LOCK, each beside a CURRENT; `outside` is a
# folder beside the volume with a LOCK and a CURRENT of its own, `away` a name there that is free.
WORLD = """
import os, pathlib, subprocess, sys, time
outside = pathlib.Path({outside!r})
away = outside / "away"
root = pathlib.Path({root!r})
other = root / ("two" if target.parent.name == "one" else "one") / "LOCK"
"""
HOLD = """
holder = subprocess.Popen([sys.executable, "-IS", "-c", {code!r}, str(other)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
holder.stdout.readline()
"""
# Ends by itself when the test has taken its folder away, whatever became of the test.
HOLDER = """
import fcntl, os, sys, time
lock = open(sys.argv[1], "r+")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
while os.path.exists(sys.argv[1]):
    time.sleep(0.05)
"""
TRY = """
import fcntl
with open(target, "r+") as file:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        away.write_text("taken")
    except BlockingIOError:
        away.write_text("refused")
"""

AFTER_PROBE = [
    ("target.unlink()", "vanished"),
    ("target.rename(away); target.touch()", "replaced"),
    ("target.rename(away); os.link(outside / 'LOCK', target)", "replaced"),
    ("target.rename(away); target.symlink_to(away)", "it is a link"),
    ("target.rename(away); target.symlink_to(outside / 'LOCK')", "it is a link"),
    ("target.rename(away); target.symlink_to('/nowhere')", "it is a link"),
    ("target.rename(away); target.mkdir()", "not a regular file"),
    ("target.rename(away); os.mkfifo(target)", "not a regular file"),
    ("os.link(target, away)", "more than one name"),
    ("target.write_text('data')", "it has content"),
    ("(target.parent / 'CURRENT').unlink()", "no CURRENT"),
    ("(target.parent / 'CURRENT').rename(away); (target.parent / 'CURRENT').symlink_to(away)", "no CURRENT"),
    ("(target.parent / 'CURRENT').unlink(); (target.parent / 'CURRENT').mkdir()", "no CURRENT"),
    ("target.parent.rename(away)", "folder was moved"),
    ("target.parent.rename(away); target.parent.symlink_to(away)", "folder was moved"),
    ("target.parent.rename(away); target.parent.symlink_to(outside)", "folder was moved"),
    ("p = target.parent; p.rename(away); p.mkdir(); target.touch(); (p / 'CURRENT').touch()", "replaced"),
    ("target.parent.rename(away); target.parent.touch()", "folder was moved"),
]  # fmt: skip
AFTER_FIND = [
    ("other.unlink()", "vanished"),
    ("other.rename(away); other.symlink_to(away)", "it is a link"),
    ("other.rename(away); other.symlink_to('/nowhere')", "it is a link"),
    ("other.rename(away); other.mkdir()", "not a regular file"),
    ("other.rename(away); os.mkfifo(other)", "not a regular file"),
    ("os.link(other, away)", "more than one name"),
    ("other.write_text('data')", "it has content"),
    ("(other.parent / 'CURRENT').unlink()", "no CURRENT"),
    ("other.parent.rename(away)", "folder was moved"),
    ("other.parent.rename(away); other.parent.symlink_to(away)", "folder was moved"),
    ("other.parent.rename(away); other.parent.symlink_to(outside)", "folder was moved"),
    ("other.parent.rename(away); other.parent.touch()", "folder was moved"),
]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Path]:
    for folder in ("volume/one", "volume/two", "outside"):
        (tmp_path / folder).mkdir(parents=True)
        for name in ("LOCK", "CURRENT"):
            (tmp_path / folder / name).touch()
    # While it is open, no new file gets the number of one that went.
    kept = [os.open(path, os.O_RDONLY) for path in tmp_path.glob("*/**/[LC]*")]
    yield tmp_path / "volume"
    for descriptor in kept:
        os.close(descriptor)


def change(cleaner: Cleaner, root: Path, code: str) -> None:
    """What the code does is also what the tree must look like afterwards, but for the lock that was free."""
    world = WORLD.format(root=str(root), outside=str(root.parent / "outside"))
    cleaner.at_probe(f"{world}\n{code}\n(outside / 'probed').write_text(target.parent.name)", root.parent / "called")


def probed_first(root: Path) -> str:
    return (root.parent / "outside" / "probed").read_text()


@pytest.mark.parametrize(("code", "said"), AFTER_PROBE)
def test_what_changes_between_probe_and_removal_is_kept(cleaner: Cleaner, pair: Path, code: str, said: str) -> None:
    change(cleaner, pair, code)
    before = inodes(pair.parent)
    run = cleaner(pair)
    run.check()
    first = probed_first(pair)
    other = {"one": "two", "two": "one"}[first]
    assert run.actions() == {f"/{first}/LOCK": "kept", f"/{other}/LOCK": "removed"}
    assert said in run.why(f"/{first}/LOCK")
    assert run.code == 0
    gone = {before[f"volume/{other}/LOCK"]}
    if "target.unlink" in code:
        gone.add(before[f"volume/{first}/LOCK"])
    if "CURRENT').unlink" in code:
        gone.add(before[f"volume/{first}/CURRENT"])
    assert set(before.values()) - set(inodes(pair.parent).values()) == gone
    assert not Path("/nowhere").exists()


@pytest.mark.parametrize(("code", "said"), AFTER_FIND)
def test_what_changes_between_find_and_its_probe_is_kept(cleaner: Cleaner, pair: Path, code: str, said: str) -> None:
    change(cleaner, pair, code)
    before = inodes(pair.parent)
    run = cleaner(pair)
    first = probed_first(pair)
    other = {"one": "two", "two": "one"}[first]
    run.check()
    assert run.actions() == {f"/{first}/LOCK": "removed", f"/{other}/LOCK": "kept"}
    assert said in run.why(f"/{other}/LOCK")
    gone = {before[f"volume/{first}/LOCK"]}
    if "other.unlink" in code:
        gone.add(before[f"volume/{other}/LOCK"])
    if "CURRENT').unlink" in code:
        gone.add(before[f"volume/{other}/CURRENT"])
    assert set(before.values()) - set(inodes(pair.parent).values()) == gone
    assert not Path("/nowhere").exists()


def test_what_becomes_held_between_find_and_its_probe_is_held(cleaner: Cleaner, pair: Path) -> None:
    change(cleaner, pair, HOLD.format(code=HOLDER))
    try:
        run = cleaner(pair)
        run.check()
        other = {"one": "two", "two": "one"}[probed_first(pair)]
        assert run.code == 3
        assert run.actions()[f"/{other}/LOCK"] == "held"
        assert (pair / other / "LOCK").exists()
    finally:
        for path in pair.glob("*/LOCK"):
            path.unlink()


def test_nobody_can_take_a_lock_between_its_probe_and_its_removal(cleaner: Cleaner, pair: Path) -> None:
    change(cleaner, pair, TRY)
    run = cleaner(pair)
    run.check()
    assert run.code == 0
    assert (pair.parent / "outside" / "away").read_text() == "refused"
    assert not list(pair.glob("*/LOCK"))


def test_a_lock_that_is_replaced_while_it_is_waited_for_is_not_waited_for_any_more(
    cleaner: Cleaner, pair: Path
) -> None:
    """Its holder holds a file that nobody finds any more: what is there now is another lock, for the next run."""
    with subprocess.Popen(
        [sys.executable, "-IS", "-c", HOLDER, str(pair / "one" / "LOCK")], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        (pair / "two" / "LOCK").unlink()
        change(cleaner, pair, "target.rename(away); target.touch()")
        run = cleaner(pair, held="wait", held_timeout="50")
        (pair / "one").rename(pair / "gone")
        holder.wait(timeout=10)
    run.check()
    assert run.actions() == {"/one/LOCK": "kept"}
    assert "replaced" in run.why("/one/LOCK")
    assert run.summary["seconds"] < 40
    assert tree(pair) >= {"gone/LOCK"}


def inodes(root: Path) -> dict[str, int]:
    return {str(path.relative_to(root)): path.lstat().st_ino for path in root.rglob("*") if not path.is_dir()} | {
        str(path.relative_to(root)): os.lstat(path).st_ino for path in root.rglob("*/")
    }
