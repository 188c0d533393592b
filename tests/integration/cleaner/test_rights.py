# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trees that may not be read, entered or written, read-only mounts, and mounts within the volume."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.cleaner.harness import NOBODY, Cleaner, bubblewrap, held, open_way, tree

LOCK = "/collections/docs/0/segments/one/LOCK"
OTHER = "/client/.lock"


@pytest.fixture
def unprivileged(cleaner: Cleaner, store: Path) -> Iterator[Cleaner]:
    """The cleaner as one who owns nothing there, since root may do everything."""
    open_way(store)
    cleaner.user = NOBODY if os.geteuid() == 0 else None
    yield cleaner
    for path in (store, *store.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)


# What is done to the path, and by mode what is told of its lock (None: its name cannot be known).
@pytest.mark.parametrize(
    ("path", "rights", "mode", "told"),
    [
        ("/client", 0o000, "inspect", None),
        ("/client", 0o000, "unlock", None),
        ("/client", 0o444, "inspect", "its folder could not be entered"),
        ("/client", 0o444, "unlock", "its folder could not be entered"),
        ("/client", 0o555, "inspect", "nobody holds it"),
        ("/client", 0o555, "unlock", "it could not be removed"),
        ("/client", 0o333, "unlock", None),
        (OTHER, 0o000, "inspect", "it could not be opened for reading"),
        (OTHER, 0o000, "unlock", "it could not be opened for reading"),
        (OTHER, 0o444, "inspect", "nobody holds it"),
        (OTHER, 0o444, "unlock", "it could not be opened for writing"),
        (OTHER, 0o222, "unlock", "it could not be opened for reading"),
    ],
)
def test_what_may_not_be_looked_at_is_an_error_and_stays(
    unprivileged: Cleaner, store: Path, path: str, rights: int, mode: str, told: str | None
) -> None:
    for file in (LOCK, OTHER):
        (store / file[1:]).chmod(0o666)
    (store / path[1:]).chmod(rights)
    run = unprivileged(store, mode=mode)
    run.check()
    harmless = told == "nobody holds it"
    assert run.code == (0 if harmless else 4), run
    assert run.actions()[LOCK] == ("free" if mode == "inspect" else "removed")
    # Who may list a folder but not enter it sees names only: GNU's find tells them, BusyBox's fails at once.
    if told is None or (rights == 0o444 and path == "/client" and unprivileged.shell == "busybox"):
        assert OTHER not in run.actions()
        assert "part of the tree could not be read" in run.notes
        assert any("client" in note and "Permission denied" in note for note in run.notes)
    else:
        assert run.actions()[OTHER] == ("free" if harmless else "error")
        assert told in run.why(OTHER)
    (store / "client").chmod(0o755)
    assert (store / OTHER[1:]).exists()


def mounted(cleaner: Cleaner, *binds: str) -> Cleaner:
    cleaner.within = [bubblewrap(), "--bind", "/", "/", "--dev", "/dev", "--proc", "/proc", *binds, "--"]
    return cleaner


def test_a_read_only_mount_can_be_inspected(cleaner: Cleaner, store: Path) -> None:
    mounted(cleaner, "--ro-bind", str(store), str(store))
    with held(store / LOCK[1:], "flock"):
        run = cleaner(store, mode="inspect")
    run.check()
    assert run.code == 0, run
    assert run.actions() == {LOCK: "held", OTHER: "free"}


@pytest.mark.parametrize("held_locks", ["fail", "wait", "delete"])
def test_on_a_read_only_mount_nothing_is_called_removed(cleaner: Cleaner, store: Path, held_locks: str) -> None:
    before = tree(store)
    mounted(cleaner, "--ro-bind", str(store), str(store))
    run = cleaner(store, held=held_locks)
    run.check()
    assert run.code == 4, run
    assert run.actions() == {LOCK: "error", OTHER: "error"}
    assert "Read-only file system" in " ".join(run.notes)
    assert tree(store) == before


def test_what_is_mounted_within_the_volume_is_not_looked_at(cleaner: Cleaner, store: Path) -> None:
    (store / "tmpfs").mkdir()
    mounted(cleaner, "--tmpfs", str(store / "tmpfs"))
    # A lock file on the other file system, made there by the shell that starts the cleaner.
    inside = store / "tmpfs" / "a.lock"
    cleaner.within = [*cleaner.within, str(cleaner.tools / "sh"), "-c", f'>"{inside}" && "$@"; code=$?; '
                      f'[ -e "{inside}" ] || code=99; exit $code', "sh"]  # fmt: skip
    run = cleaner(store)
    run.check()
    assert run.code == 0, run
    assert run.actions() == {LOCK: "removed", OTHER: "removed"}


def test_a_mounted_lock_file_is_an_error_and_its_source_stays(cleaner: Cleaner, store: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.lock"
    outside.touch()
    (store / "mounted.lock").touch()
    mounted(cleaner, "--bind", str(outside), str(store / "mounted.lock"))
    run = cleaner(store)
    run.check()
    assert run.code == 4, run
    assert run.actions()["/mounted.lock"] == "error"
    assert outside.exists()
    assert (store / "mounted.lock").exists()
