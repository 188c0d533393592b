# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m sandbox`: starts once, tells plainly, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.client import CHECKOUT, Sandbox


def run(state: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "tests"), "QDRANT_OPS_SANDBOX": str(state)}
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *arguments], env=environment, capture_output=True, text=True, check=check,
        timeout=120,
    )  # fmt: skip


def processes(state: Path) -> list[str]:
    """Command lines of this machine's processes that name this state directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            text = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            work = str((entry / "cwd").readlink())
        except OSError:
            continue
        if str(state) in text or work.startswith(str(state)):
            found.append(text)
    return found


def children_of(pid: int) -> list[int]:
    """All descendants of a process."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError):
            continue
        parents.setdefault(parent, []).append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        mine = parents.get(todo.pop(), [])
        found += mine
        todo += mine
    return found


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 15
    while any(Path(f"/proc/{pid}").exists() and zombie(pid) is False for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    run(tmp_path / "state", "down", check=False)


def test_up_status_break_logs_down(state: Path) -> None:
    told = run(state, "up", "--speed", "50").stdout
    assert "50 times as fast" in told
    first = json.loads((state / "state.json").read_text())
    assert stat.S_IMODE((state / "state.json").stat().st_mode) == 0o600
    assert run(state, "up").stdout.startswith("The sandbox runs")
    assert json.loads((state / "state.json").read_text())["pid"] == first["pid"]
    assert "Service wwhd-backend: healthy" in run(state, "status").stdout
    # A daemon whose service was deleted is still the daemon of this directory.
    Sandbox(state).boto3("ecs").delete_service(cluster="wwhd-cluster", service="wwhd-backend", force=True)
    run(state, "up")
    assert json.loads((state / "state.json").read_text())["pid"] == first["pid"]
    run(state, "reset")
    assert "Qdrant" in run(state, "logs").stdout or "qdrant |" in run(state, "logs").stdout
    broken = run(state, "break", "--lease-real", "60").stdout
    assert "could not start" in broken
    assert "qdrant 101" in broken
    assert "While lock file" in broken
    assert "NOT healthy" in run(state, "status").stdout
    assert json.loads(run(state, "status", "--json").stdout)["stale"]
    assert "throttle" in run(state, "fault", "throttle", "operation=RunTask", "count=2").stdout
    (fault,) = json.loads(run(state, "status", "--json").stdout)["faults"]
    assert (fault["kind"], fault["left"], fault["match"]) == ("throttle", 2, {"operation": "RunTask"})
    run(state, "fault", "--clear")
    assert json.loads(run(state, "fault").stdout) == []
    assert "documents 240" in run(state, "reset").stdout
    children = children_of(first["pid"])
    assert children
    assert run(state, "down").stdout == "The sandbox has ended.\n"
    assert not (state / "state.json").exists()
    assert gone(children)
    assert processes(state) == []
    assert run(state, "down").stdout == "No sandbox was running.\n"


def test_a_daemon_that_is_killed_takes_its_containers_and_locks_with_it(state: Path) -> None:
    sandbox = Sandbox(state).start(speed=50)
    sandbox.break_("stale-lock", lease_real=600)
    pid = int(sandbox.state["pid"])
    children = children_of(pid)
    assert children
    os.kill(pid, signal.SIGKILL)
    assert gone([pid, *children])
    assert not sandbox.running
    again = run(state, "status", check=False)
    assert again.returncode == 1
    assert again.stderr.startswith("sandbox: ")
    # What is left of the dead one does not stand in the way of the next.
    assert Sandbox(state).start(speed=50).status()["healthy"]


def test_sigterm_ends_it_in_order_and_idle_ends_it_by_itself(state: Path) -> None:
    sandbox = Sandbox(state).start(speed=50)
    pid = int(sandbox.state["pid"])
    children = children_of(pid)
    os.kill(pid, signal.SIGTERM)
    assert gone([pid, *children])
    assert not (state / "state.json").exists()
    sandbox.start(speed=50, idle=2)
    pid = int(sandbox.state["pid"])
    assert gone([pid])
    assert "this sandbox ends" in (state / "daemon.log").read_text()


def test_without_a_sandbox_the_command_says_how_to_get_one(state: Path) -> None:
    told = run(state, "status", check=False)
    assert told.returncode == 1
    assert "start one with `python -m sandbox up`" in told.stderr
