# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random trees of random names: what disappears is what the lock rule says, nothing else changes, the report agrees.

QDRANT_OPS_EXAMPLES=2000 tries more than the few that a normal run has time for.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from integration.cleaner.harness import SHELLS, Cleaner

NAMES = (
    st.one_of(
        st.sampled_from(
            [b"LOCK", b"LOCK", b"a.lock", b".lock", b"data.mdb.lock", b"CURRENT", b"CURRENT", b"lock", b"LOCK.lock"]
        ),
        st.builds(
            bytes.__add__,
            st.one_of(
                st.binary(min_size=1, max_size=12),
                st.text(max_size=6).map(lambda text: text.encode("utf-8", "surrogatepass")),
                st.sampled_from([b"$(touch pwned)", b"`id`", b"\n", b'"', b"\\", b"-", b"*", b"{}", b'{"summary":']),
            ),
            st.sampled_from([b"", b".lock"]),
        ),
    )
    .map(lambda name: name.replace(b"/", b"_").replace(b"\0", b"_"))
    .filter(lambda name: name not in (b"", b".", b".."))
)
KINDS = ["file", "file", "file", "full", "held", "folder", "link", "dangling", "link to folder", "fifo", "hard link"]
ENTRIES = st.lists(st.tuples(st.lists(NAMES, max_size=2), NAMES, st.sampled_from(KINDS)), min_size=1, max_size=14)


@dataclass(frozen=True)
class Entry:
    """All that must not change; a folder's own times may, when something in it goes."""

    mode: int
    inode: int
    names: int
    size: int
    mtime: int
    target: str
    content: bytes


def look(root: Path) -> dict[Path, Entry]:
    found = {}
    for folder, folders, files in os.walk(root):
        for path in (Path(folder, name) for name in (*folders, *files)):
            state = path.lstat()
            is_folder = stat.S_ISDIR(state.st_mode)
            found[path] = Entry(
                state.st_mode,
                state.st_ino,
                0 if is_folder else state.st_nlink,
                0 if is_folder else state.st_size,
                0 if is_folder else state.st_mtime_ns,
                str(path.readlink()) if stat.S_ISLNK(state.st_mode) else "",
                path.read_bytes() if stat.S_ISREG(state.st_mode) else b"",
            )
    return found


def make(path: Path, kind: str, outside: Path, holders: contextlib.ExitStack, held: set[int]) -> None:
    if kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to(outside / "a.lock")
    elif kind == "dangling":
        path.symlink_to("nowhere.lock")
    elif kind == "link to folder":
        path.symlink_to(outside)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "hard link":
        path.hardlink_to(outside / "LOCK")
    else:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o640)
        if kind == "full":
            os.write(descriptor, b"data")
        if kind == "held":
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            held.add(os.fstat(descriptor).st_ino)
            holders.callback(os.close, descriptor)
        else:
            os.close(descriptor)


def verdict(path: Path, tree: dict[Path, Entry], held: set[int]) -> str | None:
    """The lock rule, said once more: what becomes of this path; None if it is not even a candidate."""
    entry = tree[path]
    if path.name != "LOCK" and not path.name.endswith(".lock"):
        return None
    if not stat.S_ISREG(entry.mode):
        return "kept"
    if path.name == "LOCK":
        beside = tree.get(path.parent / "CURRENT")
        if beside is None or not stat.S_ISREG(beside.mode) or entry.size:
            return "kept"
    if entry.inode in held:
        return "held"
    return "removed" if entry.names == 1 else "kept"


@pytest.fixture(params=SHELLS, scope="module")
def shared_cleaner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Cleaner:
    return Cleaner(request.param, tmp_path_factory.mktemp("shared") / "tools")


@settings(
    max_examples=int(os.environ.get("QDRANT_OPS_EXAMPLES", "8")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(entries=ENTRIES)
def test_what_disappears_is_what_the_rule_says(
    shared_cleaner: Cleaner,
    entries: list[tuple[list[bytes], bytes, str]],
) -> None:
    held: set[int] = set()
    with tempfile.TemporaryDirectory() as world, contextlib.ExitStack() as holders:
        root, outside = Path(world, "volume"), Path(world, "outside")
        for folder in (root, outside):
            folder.mkdir()
        for name in ("a.lock", "LOCK", "CURRENT"):
            (outside / name).touch()
        for folders, name, kind in entries:
            folder = root.joinpath(*map(os.fsdecode, folders))
            # A name that is taken by something else: this entry is left out.
            with contextlib.suppress(OSError):
                folder.mkdir(parents=True, exist_ok=True)
                if folder.resolve() == folder:
                    make(folder / os.fsdecode(name), kind, outside, holders, held)
        before = look(Path(world))
        verdicts = {path: verdict(path, before, held) for path in before if path.is_relative_to(root)}
        run = shared_cleaner(root)
        after = look(Path(world))
    run.check()
    expected = {path: action for path, action in verdicts.items() if action}
    assert {root / path[1:]: action for path, action in run.actions().items()} == expected
    assert run.code == (3 if "held" in expected.values() else 0)
    assert before.keys() - after.keys() == {path for path, action in expected.items() if action == "removed"}
    assert {path: before[path] for path in after} == after
    assert not run.notes
    for action in set(expected.values()):
        event(action)
