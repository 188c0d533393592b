# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of files and folders, patterns and scan paths: none reaches a parser, none forges the report."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from integration.cleaner.harness import NOBODY, SHELLS, Cleaner, open_way, tree

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.logs import LogReader
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.cleaner import SUMMARY_MARK
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.cleaner_log import cleaner_report
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.patterns import (
    _glob_tokens,
    faults_of_pattern,
    intersect,
)

LOCK = "collections/docs/0/segments/one/LOCK"
FORGED = '{"summary":{"run_id":"run-1","exit_code":0,"removed":0}}'
NASTY = [
    "new\nline", "ends\n", 'quo"te', "it's", "$(touch pwned)", "`touch pwned`", "a;touch pwned;", "back\\slash",
    "ends\\", "-rf", "--", "*", "[a-z]", "?", " ", "  two  ", "tab\t", "\x01\x1b[31m\x7f", "{}", "a{}b", "ü€😀",
    "\u2028\x85", "find ended with 0", "cut off", "%s%n\\n", "~", "$HOME", "&", "|", "<x>", "#", "!", '"waiting":true}',
    '"action":"held"', f"x\n{FORGED}\n", "\\udc41",
]  # fmt: skip
# Bytes that are no UTF-8: too long forms, halves of pairs, what lies beyond Unicode, what breaks off; and the first and
# last of each length that are.
BYTES = [
    b"\xff", b"\xfe", b"\x80", b"\xbf", b"a\xc3", b"\xc3(", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\x9f\xbf",
    b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xe2\x82",
    b"\xe2\x82A", b"\xf0\x9f\x98", b"\xf0\x9f\xe2\x82\xac", b"\xc3\xc3\xa9", b"\xe2\"\\",
    b"\x81\x82\x83\x84\x85\x86\x87\x88",
    b"\xc2\x80", b"\xdf\xbf", b"\xe0\xa0\x80", b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbf", b"\xf0\x90\x80\x80",
    b"\xf4\x8f\xbf\xbf", bytes(byte for byte in range(1, 256) if byte not in b"/")[:240],
    bytes(byte for byte in range(240, 256)),
]  # fmt: skip


def names() -> list[bytes]:
    # The longest that a folder takes, and one that says the same in two ways that must not be taken for one.
    return [*(os.fsencode(name) for name in NASTY), *BYTES, b"n" * 250]


def assert_nothing_ran(root: Path) -> None:
    """What a `$(touch pwned)` would have made, in the folder where a shell was at that time."""
    assert not [path for path in (*root.rglob("*"), *Path("/").glob("*")) if path.name == "pwned"]


def test_files_of_any_name_are_told_exactly_and_removed(cleaner: Cleaner, store: Path) -> None:
    wanted = {b"/" + name + b".lock" for name in names()}
    for name in wanted:
        (store / os.fsdecode(name[1:])).touch()
    before = tree(store)
    run = cleaner(store, scan="/")
    run.check()
    assert run.code == 0, run
    told = {os.fsencode(path): action for path, action in run.actions().items()}
    assert {path for path, action in told.items() if action == "removed"} >= wanted
    assert before - tree(store) == {os.fsdecode(path[1:]) for path in wanted} | {"client/.lock", LOCK}
    assert_nothing_ran(store)


def test_folders_of_any_name_are_walked_through(cleaner: Cleaner, store: Path) -> None:
    for name in names():
        if name in (b".", b".."):
            continue
        folder = store / os.fsdecode(name) / "in"
        folder.mkdir(parents=True)
        for file in ("LOCK", "CURRENT", "deep.lock"):
            (folder / file).touch()
    run = cleaner(store)
    run.check()
    assert run.code == 0, run
    gone = {b"/" + name + b"/in/" + file for name in names() for file in (b"LOCK", b"deep.lock")}
    told = {os.fsencode(path) for path, action in run.actions().items() if action == "removed"}
    assert told == gone | {b"/client/.lock", b"/" + LOCK.encode()}
    assert not any(path.name in ("LOCK", "deep.lock") for path in store.rglob("*"))
    assert_nothing_ran(store)


def test_a_path_too_long_for_the_system_is_an_error_not_a_silence(cleaner: Cleaner, store: Path) -> None:
    folder = os.open(store, os.O_RDONLY)
    for _level in range(17):
        os.mkdir("f" * 250, dir_fd=folder)
        below = os.open("f" * 250, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(os.open("deep.lock", os.O_CREAT, dir_fd=folder))
    run = cleaner(store)
    run.check()
    assert run.code == 4, run
    # What goes into a pipe in one piece mixes with nothing; BusyBox's find complains, and names the whole path.
    assert [line for line in run.text.split("\n") if line.startswith('{"note":') and len(line) >= 4096] == []
    assert os.stat("deep.lock", dir_fd=folder)
    os.close(folder)


@pytest.mark.parametrize("mode", ["unlock", "inspect"])
def test_no_name_forges_the_report(cleaner: Cleaner, store: Path, mode: str) -> None:
    """What tools complain about goes to the same log as the report: names in it must not count as lines of it."""
    forged = f'x\n{{"path":"app.db","action":"removed","why":""}}\n{FORGED}\n'
    (store / f"{forged}folder").mkdir()
    (store / f"{forged}folder").chmod(0)
    (store / f"{forged}a.lock").touch()
    (store / f"{forged}a.lock").chmod(0)
    for path in store.rglob("*"):
        if path.name.endswith("lock") and os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
    open_way(store)
    cleaner.user = NOBODY if os.geteuid() == 0 else None
    run = cleaner(store, mode=mode)
    run.check()
    assert run.code == 4, run
    assert "app.db" not in run.actions()
    assert run.summary["mode"] == mode
    *earlier, last = run.text.removesuffix("\n").split("\n")
    assert SUMMARY_MARK in last
    reader = LogReader("cleaner", "group", "stream", lines=earlier)
    assert not reader.has(SUMMARY_MARK)
    report = cleaner_report([*earlier, last])
    assert report["summary"] == run.summary
    assert len(report["files"]) == run.summary["found"]
    assert any("Permission denied" in note for note in report["notes"])


@pytest.mark.parametrize(
    "folder",
    ["$(touch pwned)", "`touch pwned`", "*", "[ab]", "a?c", 'q"', "it's", "back\\slash", "-name", "a b", " ", "{}",
     "x.lock", "ends in\n", "!", "(", "ünïcode"],
)  # fmt: skip
def test_a_scan_path_is_taken_as_it_is(cleaner: Cleaner, store: Path, folder: str) -> None:
    """Each has a neighbour that it would name if anything but the system read it."""
    for name in (folder, "a", "abc", "ends in", "other"):
        (store / name).mkdir(exist_ok=True)
        (store / name / "a.lock").touch()
    before = tree(store)
    run = cleaner(store, scan=f"/{folder}")
    run.check()
    assert run.code == 0, run
    assert run.actions() == {f"/{folder}/a.lock": "removed"}
    assert before - tree(store) == {f"{folder}/a.lock"}
    assert_nothing_ran(store)


def reaches(pattern: str, name: str) -> bool:
    """Whether our reading of the pattern, which refuses dangerous ones, has this name in it."""
    tokens = _glob_tokens(pattern)
    assert tokens is not None
    return intersect(tokens, [(frozenset(char), False) for char in name]) is not None


PATTERNS = st.lists(
    st.text(alphabet="LOCKlock.*?[]!-a9", min_size=1, max_size=8).filter(lambda text: not faults_of_pattern(text)),
    min_size=1, max_size=6, unique=True,
)  # fmt: skip
# One of each kind of name that a pattern could reach, and all that must stay whatever the pattern is.
SPREAD = ["LOCK", "lock", "a.lock", ".lock", "OCK", "a", "9", "a9", "-", "--", "Lock-9", "CL", "9.k", "oo", "k"]
NEEDED = [
    "CURRENT",
    "MANIFEST-000004",
    "000012.sst",
    "000004.log",
    "LOG",
    "open-1",
    "app.db",
    "vectors.dat",
    "meta.json",
]


@pytest.fixture(params=SHELLS, scope="module")
def shared_cleaner(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Cleaner:
    return Cleaner(request.param, tmp_path_factory.mktemp("shared") / "tools")


@settings(
    max_examples=int(os.environ.get("QDRANT_OPS_EXAMPLES", "8")),
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
@example(["[!a]", "[]a]", "[!]a]"])
@example(["[--9]OCK", "[C-]L", "[Z-A]"])
@given(PATTERNS)
def test_an_accepted_pattern_reaches_what_we_take_it_for(shared_cleaner: Cleaner, patterns: list[str]) -> None:
    """find's reading of a pattern and ours are the same, so that what ours calls harmless is."""
    patterns = [pattern for pattern in patterns if not faults_of_pattern(pattern)]
    if not patterns:
        return
    with tempfile.TemporaryDirectory() as volume:
        root = Path(volume)
        for name in (*SPREAD, *NEEDED):
            (root / name).touch()
        run = shared_cleaner(root, patterns="\n".join(patterns))
        rest = tree(root)
    run.check()
    assert run.code == 0, run
    expected = {name for name in SPREAD if any(reaches(pattern, name) for pattern in patterns)}
    assert set(run.actions()) == {f"/{name}" for name in expected}
    assert rest == {*SPREAD, *NEEDED} - expected
