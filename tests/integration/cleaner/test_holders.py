# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Locks that somebody holds, by each kind of lock: waited for, told, or removed by explicit word."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from integration.cleaner.harness import Cleaner, held

from sandbox.store import hold_stale

LOCK = "/collections/docs/0/segments/one/LOCK"
OTHER = "/client/.lock"
# What flock(1) does on an NFS mount (facts.md, E.1 and K.4): the kernel makes a byte-range lock of it, which meets the
# POSIX lock of RocksDB, and which for an exclusive lock takes a descriptor that is open for writing. F_OFD_SETLK makes
# such a lock, which belongs to the open file, as there.
NFS_FLOCK = f"""#!{sys.executable} -IS
import errno, fcntl, struct, sys
exclusive = "-s" not in sys.argv
lock = struct.pack("hhqqi4x", fcntl.F_WRLCK if exclusive else fcntl.F_RDLCK, 0, 0, 0, 0)
try:
    fcntl.fcntl(9, 37, lock)
except OSError as error:
    if error.errno not in (errno.EAGAIN, errno.EACCES):
        sys.exit(f"flock: 9: {{error.strerror}}")
    sys.exit(1)
"""


@pytest.fixture
def on_nfs(cleaner: Cleaner) -> Cleaner:
    if cleaner.own_flock:
        pytest.skip("this BusyBox prefers its own flock: it can't be given NFS's")
    cleaner.replace("flock", NFS_FLOCK)
    return cleaner


@pytest.mark.parametrize("mode", ["unlock", "inspect"])
def test_on_nfs_a_posix_lock_is_met_and_a_free_one_told_from_it(on_nfs: Cleaner, store: Path, mode: str) -> None:
    with held(store / LOCK[1:], "posix"):
        run = on_nfs(store, mode=mode)
    run.check()
    assert run.code == (3 if mode == "unlock" else 0), run
    assert run.actions() == {LOCK: "held", OTHER: "removed" if mode == "unlock" else "free"}


@pytest.mark.parametrize("kinds", [("flock",), ("flock", "posix")])
def test_a_held_lock_is_never_removed(cleaner: Cleaner, store: Path, kinds: tuple[str, ...]) -> None:
    inode = (store / LOCK[1:]).stat().st_ino
    with held(store / LOCK[1:], *kinds):
        run = cleaner(store)
    run.check()
    assert run.code == 3
    assert run.actions() == {LOCK: "held", OTHER: "removed"}
    assert (store / LOCK[1:]).stat().st_ino == inode


def test_a_held_lock_of_several_names_is_told_as_held(cleaner: Cleaner, store: Path) -> None:
    """It is kept in any case, but a holder is a sign of life that must stop the run."""
    (store / "second.lock").hardlink_to(store / LOCK[1:])
    with held(store / LOCK[1:]):
        assert cleaner(store).actions() == {LOCK: "held", "/second.lock": "held", OTHER: "removed"}
        assert cleaner(store, held="delete").actions() == {LOCK: "kept", "/second.lock": "kept"}
    assert cleaner(store).actions() == {LOCK: "kept", "/second.lock": "kept"}


def test_a_stale_lock_is_waited_for_until_its_lease_ends(cleaner: Cleaner, store: Path) -> None:
    """A dead client's lock ends by itself; nobody has to let go of it."""
    stale = hold_stale([store / LOCK[1:], store / OTHER[1:]], seconds=2.0)
    try:
        run = cleaner(store, held="wait", held_timeout="50")
    finally:
        for lock in stale:
            lock.release()
    run.check()
    assert run.code == 0, run
    assert run.actions() == {LOCK: "removed", OTHER: "removed"}
    assert any(line.get("waiting") for line in run.lines)


def test_waiting_lasts_until_the_holder_lets_go(cleaner: Cleaner, store: Path) -> None:
    with held(store / LOCK[1:]) as holder:
        process = cleaner.start(store, scan="/collections", held="wait", held_timeout="50")
        assert process.stdout is not None
        assert b'"waiting":true' in process.stdout.readline()
        assert (store / LOCK[1:]).exists()
        holder.kill()
        run = cleaner.end(process)
    run.check()
    assert run.code == 0, run
    assert run.actions() == {LOCK: "removed"}


def test_waiting_ends_at_one_deadline_for_all(cleaner: Cleaner, store: Path) -> None:
    with held(store / LOCK[1:]), held(store / OTHER[1:]):
        run = cleaner(store, held="wait", held_timeout="2")
    run.check()
    assert run.code == 3
    assert run.actions() == {LOCK: "held", OTHER: "held"}
    assert run.summary["seconds"] < 4


@pytest.mark.parametrize("mode", ["inspect", "unlock"])
def test_only_the_explicit_word_removes_a_held_lock_and_only_in_an_unlock(
    cleaner: Cleaner, store: Path, mode: str
) -> None:
    with held(store / LOCK[1:]):
        run = cleaner(store, mode=mode, held="delete")
    run.check()
    assert run.code == 0
    told = {line["path"]: line.get("was_held", False) for line in run.lines if "path" in line}
    assert told == {LOCK: mode == "unlock", OTHER: False}
    assert (store / LOCK[1:]).exists() == (mode == "inspect")


@pytest.mark.parametrize("says", ["flock: 9: No locks available", "flock: 9: Bad file descriptor", "flock: not found"])
@pytest.mark.parametrize("word", ["fail", "wait", "delete"])
def test_a_probe_that_fails_is_an_error_whatever_the_word(cleaner: Cleaner, store: Path, says: str, word: str) -> None:
    if cleaner.own_flock:
        pytest.skip("this BusyBox prefers its own flock: it can't be made to fail")
    cleaner.replace("flock", f"#!/bin/sh\necho '{says}' >&2\nexit 1\n")
    run = cleaner(store, held=word, held_timeout="50")
    run.check()
    assert run.code == 4, run
    assert run.actions() == {LOCK: "error", OTHER: "error"}
    assert says in run.why(LOCK)
