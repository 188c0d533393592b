# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that outlives whoever has started it; tests/integration/playbooks/test_forked.py has Ansible start one."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import pty
import select
import signal
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._detached import run_detached
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._module_process import Order

HERE = Path(__file__).parent
SECONDS = 20.0


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def read(descriptor: int) -> bytes:
    ready, _writable, _failed = select.select([descriptor], [], [], SECONDS)
    assert ready
    return os.read(descriptor, 1 << 16)


class Job:
    """A module that says at once what kind of process it is, and ends when it is let go."""

    def __init__(self, folder: Path) -> None:
        self.jobs = folder / "jobs"
        self._folder = folder
        self.pipes = {name: str(folder / name) for name in ("tell", "hold")}
        for path in self.pipes.values():
            os.mkfifo(path)
        # Each with both ends: nobody waits for the other to open it.
        self._tell, self._hold = (os.open(path, os.O_RDWR) for path in self.pipes.values())

    def order(self, **given: Any) -> Order:
        arguments = json.dumps({"ANSIBLE_MODULE_ARGS": {**self.pipes, **given}}).encode()
        return Order("forked_module", arguments, {"ANSIBLE_ASYNC_DIR": str(self.jobs)}, str(self._folder))

    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(read(self._tell))
        return found

    def let_go(self) -> None:
        os.write(self._hold, b"\n")

    def leave(self) -> None:
        for descriptor in (self._tell, self._hold):
            os.close(descriptor)

    def result(self) -> dict[str, Any]:
        """What its file says when it has ended."""
        (path,) = self.jobs.iterdir()

        def ended() -> dict[str, Any] | None:
            known: dict[str, Any] = json.loads(path.read_text())
            return None if "started" in known else known

        found: dict[str, Any] = until(ended)
        return found


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Job]:
    monkeypatch.syspath_prepend(str(HERE))
    found = Job(tmp_path)
    yield found
    found.leave()


class Starter:
    """A process that starts a job, at a terminal and in a group of its own, and then waits for its own end."""

    def __init__(self, order: Order) -> None:
        self.terminal, theirs = pty.openpty()
        told, telling = os.pipe()
        self.alive, self._living = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            with contextlib.suppress(BaseException):
                os.setsid()
                fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)
                for number in (0, 1, 2):
                    os.dup2(theirs, number)
                os.close(self.terminal)
                for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                    signal.signal(number, signal.SIG_DFL)
                os.write(telling, json.dumps(run_detached(order, limit=60)).encode())
                while True:
                    signal.pause()
            os._exit(99)
        for number in (theirs, telling, self._living):
            os.close(number)
        _code, out, _err = json.loads(read(told))
        os.close(told)
        self.answer: dict[str, Any] = json.loads(out)

    def end(self, how: str) -> int:
        """Its wait status."""
        if how == "terminal":
            # Its last end: the kernel tells the group by SIGHUP.
            os.close(self.terminal)
            self.terminal = os.open(os.devnull, os.O_RDONLY)
        else:
            os.killpg(self.pid, getattr(signal, how))
        return os.waitpid(self.pid, 0)[1]

    def leave(self) -> None:
        for descriptor in (self.terminal, self.alive):
            os.close(descriptor)


@pytest.fixture
def starter(job: Job) -> Iterator[Starter]:
    found = Starter(job.order())
    yield found
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.killpg(found.pid, signal.SIGKILL)
        os.waitpid(found.pid, 0)
    found.leave()


@pytest.mark.parametrize(
    ("how", "by"),
    [
        ("SIGINT", signal.SIGINT),
        ("SIGTERM", signal.SIGTERM),
        ("SIGKILL", signal.SIGKILL),
        ("terminal", signal.SIGHUP),
    ],
)
def test_it_outlives_its_starter_and_that_ones_group_and_terminal(
    job: Job, starter: Starter, how: str, by: signal.Signals
) -> None:
    said = job.said()
    assert os.WTERMSIG(starter.end(how)) == by
    # Nothing that the starter had open is open any more: who waits for the end of its pipes has waited.
    assert read(starter.alive) == b""
    job.let_go()
    result = job.result()
    assert (result["pid"], result["given"]) == (said["pid"], job.pipes)


def test_it_is_a_process_of_its_own(job: Job, starter: Starter) -> None:
    said = job.said()
    assert {said["session"], said["group"]}.isdisjoint({starter.pid, os.getsid(0), os.getpgrp()})
    assert said["handlers"] == {"SIGTERM": True, "SIGHUP": True}
    assert (said["open"]["0"], said["umask"]) == (os.devnull, 0o022)
    assert {target for number, target in said["open"].items() if int(number) > 2} <= {os.devnull}
    # Nobody who ends the starter by its name ends it.
    process = Path("/proc") / str(said["pid"])
    assert (process / "cmdline").read_bytes().rstrip(b"\0") == b"forked_module"
    assert (process / "comm").read_text().strip() == "forked_module"
    # The one that watches over it holds nothing, either.
    for watcher in (said["parent"], parent_of(said["parent"])):
        open_files = {str(entry.readlink()) for entry in (Path("/proc") / str(watcher) / "fd").iterdir()}
        assert {target for target in open_files if not target.startswith(("pipe:", "anon_inode:"))} <= {os.devnull}
    job.let_go()
    assert job.result()["pid"] == said["pid"]


def parent_of(pid: int) -> int:
    return int((Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[1])


def test_its_file_is_where_its_starter_was_told(job: Job, starter: Starter) -> None:
    answer = starter.answer
    name = answer["ansible_job_id"]
    assert answer["results_file"] == str(job.jobs / name)
    running = json.loads((job.jobs / name).read_text())
    assert (running["started"], running["finished"], running["ansible_job_id"]) == (1, 0, name)
    assert (answer["started"], answer["finished"], answer["failed"]) == (1, 0, 0)
    job.said()
    job.let_go()
    result = job.result()
    # What follows the result, as what it prints at its end, is told and not taken for it.
    assert (result["name"], "its own end" in str(result["warnings"])) == ("__main__", True)


def test_its_time_limit_ends_it(job: Job) -> None:
    run_detached(job.order(), limit=1)
    said = job.said()
    result = job.result()
    assert (result["failed"], result["msg"]) == (True, "Timeout exceeded")
    until(lambda: not (Path("/proc") / str(said["pid"])).exists())


def test_how_it_broke_is_in_its_file(job: Job) -> None:
    run_detached(job.order(how="raise"), limit=60)
    result = job.result()
    assert result["failed"]
    assert "LookupError: it broke" in result["stderr"]


@pytest.mark.parametrize("where", ["jobs", "/proc"])
def test_where_there_can_be_no_file_nothing_is_started_and_nothing_else_is_said(job: Job, where: str) -> None:
    """Ansible itself says "started" then."""
    job.jobs.write_text("")
    folder = str(job.jobs.parent / where)
    order = dataclasses.replace(job.order(), environment={"ANSIBLE_ASYNC_DIR": folder})
    _code, out, _err = run_detached(order, limit=60)
    answer = json.loads(out)
    assert answer["failed"]
    assert folder in answer["msg"]
