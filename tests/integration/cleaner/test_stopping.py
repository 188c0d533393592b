# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cleaner that is told to stop, or that dies: nothing is removed after that, and what was removed is told."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from integration.cleaner.harness import SCRIPT, Cleaner, bubblewrap, held

from sandbox.marks import marked

STEP = 0.02
SOON = 15.0
# Far more than can be removed in the time that a stop takes.
MANY = 1000


def until(happens: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SOON
    while not happens():
        assert time.monotonic() < deadline, f"{what}: not within {SOON:g} s"
        time.sleep(STEP)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    root = tmp_path / "many"
    root.mkdir()
    for number in range(MANY):
        (root / f"{number}.lock").touch()
    return root


def left(root: Path) -> int:
    return sum(1 for _path in root.iterdir())


def nobody_works_on(root: Path) -> bool:
    """Whether no process has this volume in its environment any more, as each of a cleaner's has."""
    return not marked(f"CLEANER_ROOT={root}")


def in_namespace(cleaner: Cleaner, info: int) -> None:
    """As in a container: the script is PID 1, to which a signal without a handler does nothing."""
    cleaner.within = [
        bubblewrap(), "--bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-pid", "--as-pid-1",
        "--die-with-parent", "--new-session", "--info-fd", str(info), "--",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("how", "sent"),
    [
        ("namespace", signal.SIGTERM),
        ("group", signal.SIGTERM),
        ("group", signal.SIGHUP),
        ("group", signal.SIGINT),
        ("no group", signal.SIGTERM),
    ],
)
def test_a_signal_stops_it_at_once_and_the_report_is_whole(
    cleaner: Cleaner, many: Path, how: str, sent: signal.Signals
) -> None:
    if how == "namespace":
        reader, writer = os.pipe()
        in_namespace(cleaner, writer)
        process = cleaner.start(many, pass_fds=(writer,))
        os.close(writer)
        with os.fdopen(reader) as told:
            pid = int(json.load(told)["child-pid"])
    else:
        process = cleaner.start(many, new_session=how == "group")
        pid = process.pid
    until(lambda: left(many) < MANY, "the first removal")
    os.kill(pid, sent)  # to this process and nobody else, as ECS does it
    run = cleaner.end(process)
    until(lambda: nobody_works_on(many), "the end of all that it started")
    rest = left(many)
    assert rest > MANY / 2, "it went on for long"
    assert run.code == 143
    assert run.summary["exit_code"] == 143
    assert "stopped before" in run.summary["error"]
    run.check()
    assert run.summary["removed"] == MANY - rest == [*run.actions().values()].count("removed")


@pytest.mark.parametrize("shell", ["dash", "bash"])  # BusyBox prefers its own find
def test_a_signal_that_reaches_nobody_else_stops_it_as_well(many: Path, tmp_path: Path, shell: str) -> None:
    """With bash, one in some hundreds got lost. Here all of them do: find's session is another one."""
    cleaner = Cleaner(shell, tmp_path / "tools")
    cleaner.replace("find", f'#!/bin/sh\nexec setsid {shutil.which("find")} "$@"\n')
    process = cleaner.start(many)
    until(lambda: left(many) < MANY, "the first removal")
    process.terminate()
    run = cleaner.end(process)
    assert left(many) > MANY / 2, "it went on for long"
    assert run.code == 143
    run.check()
    assert run.summary["removed"] == MANY - left(many)


@pytest.mark.parametrize("whole_group", [True, False])
def test_nothing_is_removed_once_the_shell_that_answers_is_dead(
    cleaner: Cleaner, many: Path, whole_group: bool
) -> None:
    """In a container the end of PID 1 is the end of all; elsewhere those it started must see to it themselves."""
    process = cleaner.start(many)
    until(lambda: left(many) < MANY, "the first removal")
    if whole_group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    until(lambda: nobody_works_on(many), "the end of all that it started")
    assert left(many) > 0, "it went on to the end"
    process.communicate()


def test_a_signal_ends_the_wait_for_a_held_lock(cleaner: Cleaner, store: Path) -> None:
    lock = store / "client" / ".lock"
    with held(lock):
        process = cleaner.start(store, scan="/client", held="wait", held_timeout="600")
        assert process.stdout is not None
        assert b'"waiting":true' in process.stdout.readline()
        process.terminate()
        since = time.monotonic()
        run = cleaner.end(process)
    assert time.monotonic() - since < SOON
    assert run.code == 143
    assert run.summary == {**run.summary, "exit_code": 143, "found": 0, "removed": 0}
    assert lock.exists()


def test_a_find_that_is_killed_is_an_error_not_an_end(store: Path, tmp_path: Path) -> None:
    cleaner = Cleaner("dash", tmp_path / "tools")
    cleaner.replace("find", "#!/bin/sh\nkill -KILL $$\n")
    run = cleaner(store)
    assert run.code == 4
    assert "part of the tree could not be read" in run.notes


def test_many_signals_are_one(cleaner: Cleaner, many: Path) -> None:
    process = cleaner.start(many)
    until(lambda: left(many) < MANY, "the first removal")
    over = threading.Event()

    def insist() -> None:
        while not over.wait(STEP / 4):
            process.send_signal(signal.SIGTERM)

    sender = threading.Thread(target=insist)
    sender.start()
    try:
        run = cleaner.end(process)
    finally:
        over.set()
        sender.join()
    run.check()
    assert run.code == 143
    assert run.summary["removed"] == MANY - left(many)


@pytest.mark.parametrize("code", [0, 3, 143])
def test_the_code_is_the_one_that_is_told_however_many_signals_come(cleaner: Cleaner, code: int) -> None:
    """The script's own end, behind a part that takes its time: bash's wait says -1 if a signal comes at that moment."""
    start = f"trap : TERM\nstopping=\n(trap '' TERM; sleep 0.02; exit {code}) &\necho ready\n"
    script = start + SCRIPT.read_text().rsplit("} &\n", 1)[1]
    for _time in range(10):
        with subprocess.Popen([cleaner.tools / "sh", "-c", script], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            while process.poll() is None:
                process.send_signal(signal.SIGTERM)
                time.sleep(STEP / 100)
        assert process.returncode == code


def test_a_search_that_is_over_at_once_is_not_held_up_by_who_tells_of_it(cleaner: Cleaner, store: Path) -> None:
    """dash and BusyBox lose a signal that comes between a fork and the child's first step; a busy machine shows it."""
    teller = 'progress "$searcher" >&4 &'
    text = SCRIPT.read_text()
    assert text.count(teller) == 1
    deaf = text.replace(teller, """{ trap '' TERM INT HUP; progress "$searcher"; } >&4 &""")
    run = cleaner(store, script=deaf)
    run.check()
    assert run.summary["removed"] == 2
