# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A client dies at a call of its own: with or without the call's effect, alone or with all that came from it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from sandbox.client import CHECKOUT, SandboxError
from sandbox.marks import marked

pytestmark = pytest.mark.sandbox_service("stopped")
CLUSTER = "wwhd-cluster"
# Waits for a line, so that the fault can be ordered for its pid; then it calls, and says so if it lives on.
CLIENT = """
import signal, sys
import boto3
from botocore.config import Config
if "handler" in sys.argv:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: sys.exit(100 + number))
ecs = boto3.client("ecs", config=Config(retries={"total_max_attempts": 1}))
sys.stdin.readline()
ecs.list_clusters()
ecs.update_service(cluster="wwhd-cluster", service="wwhd-backend", healthCheckGracePeriodSeconds=77)
ecs.list_clusters()
"""


@pytest.fixture
def mark() -> Iterator[str]:
    """A mark of this test's own; what still bears it at the end is ended."""
    name = f"CHAOS_RUN={uuid.uuid4().hex}"
    yield name
    for pid in marked(name):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def start(world: Any, *argv: str, mark: str = "") -> subprocess.Popen[str]:
    environment = {**os.environ, **world.sandbox.environment()} | dict([mark.split("=")] if mark else [])
    return subprocess.Popen(argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def go(process: subprocess.Popen[str]) -> int:
    process.communicate("go\n", timeout=30)
    return process.returncode


@pytest.mark.parametrize(
    ("kind", "order", "code", "grace", "calls"),
    [
        ("kill_before", {"match": {"operation": "UpdateService"}}, -signal.SIGKILL, 600, 2),
        ("kill_after", {"match": {"operation": "UpdateService"}}, -signal.SIGKILL, 77, 2),
        ("kill_before", {"skip": 1}, -signal.SIGKILL, 600, 2),
        ("kill_after", {"skip": 0}, -signal.SIGKILL, 600, 1),
        ("kill_after", {"skip": 2}, -signal.SIGKILL, 77, 3),
        ("kill_after", {"match": {"writes": True}, "signal": "TERM"}, 100 + signal.SIGTERM, 77, 2),
        ("kill_before", {"match": {"writes": True}, "signal": "INT"}, 100 + signal.SIGINT, 600, 2),
        ("kill_after", {"match": {"writes": True}, "signal": "TERM", "scope": "tree"}, 100 + signal.SIGTERM, 77, 2),
        ("kill_after", {"match": {"writes": True}, "scope": "tree"}, -signal.SIGKILL, 77, 2),
    ],
)  # fmt: skip
def test_a_client_dies_at_its_call(
    world: Any, kind: str, order: dict[str, Any], code: int, grace: int, calls: int
) -> None:
    client = start(world, sys.executable, "-c", CLIENT, "handler")
    world.sandbox.fault(kind, count=1, pid=client.pid, **order)
    assert go(client) == code
    log = world.sandbox.calls()
    assert [call["fault"] for call in log] == [None] * (calls - 1) + [kind]
    assert log[-1]["status"] is None
    assert world.service()["healthCheckGracePeriodSeconds"] == grace


def test_a_tree_dies_with_its_sessions_and_its_daemons_and_nobody_else(world: Any, mark: str) -> None:
    # A child in a session of its own makes the call; another has left the tree, and only its mark tells.
    script = f"""
setsid sleep 300 &
(setsid sleep 300 &) &
setsid {sys.executable} -c '{CLIENT}' <&0 &
wait
"""
    container = world.run_one(world.register("bystander", script="sleep 300", container={
        "environment": [dict(zip(("name", "value"), mark.split("="), strict=True))]}))  # fmt: skip
    world.until(lambda: world.task(container)["lastStatus"] == "RUNNING", "a container that bears the mark")
    own = set(marked(mark))
    bystander = start(world, "sleep", "300")
    root = start(world, "bash", "-c", script, mark=mark)
    try:
        world.until(lambda: len(set(marked(mark)) - own) == 4, "the root and its three children")
        world.sandbox.fault("kill_before", count=1, match={"operation": "UpdateService"}, pid=root.pid, scope="tree",
                            mark=mark)  # fmt: skip
        assert go(root) == -signal.SIGKILL
        assert set(marked(mark)) == own
        assert len(own) > 0
        assert bystander.poll() is None
        assert world.task(container)["lastStatus"] == "RUNNING"
        assert world.sandbox.status()["trouble"] == []
    finally:
        bystander.kill()
        bystander.communicate()


def test_none_escapes_by_forking(world: Any, mark: str) -> None:
    root = start(world, "bash", "-c", "read; while :; do (setsid sleep 300 &) & done", mark=mark)
    assert root.stdin is not None
    world.sandbox.fault("kill_after", count=1, pid=root.pid, scope="tree", mark=mark)
    root.stdin.write("go\n")
    root.stdin.flush()
    world.until(lambda: len(marked(mark)) > 20, "a crowd")
    with pytest.raises(ConnectionClosedError):
        world.sandbox.boto3("ecs", retries={"total_max_attempts": 1}).list_clusters()
    assert marked(mark) == []
    assert root.wait(10) == -signal.SIGKILL


def test_whoever_strikes_is_spared_with_what_it_started(tmp_path: Path) -> None:
    # Here the striker is a child of the process to kill, as a sandbox is of the test that started it.
    striker = f"""
import os, subprocess, sys
sys.path.insert(0, {str(CHECKOUT / "tests")!r})
from sandbox import killing
own = subprocess.Popen(["sleep", "300"])
killing.strike(killing.target(pid=os.getppid(), scope="tree"))
alive = own.poll() is None
own.kill()
open({str(tmp_path / "told")!r}, "w").write(str(alive))
"""
    script = 'sleep 300 & echo $!; "$0" -c "$1"; wait'
    parent = subprocess.Popen(["bash", "-c", script, sys.executable, striker], stdout=subprocess.PIPE, text=True)
    output, _none = parent.communicate(timeout=30)
    assert parent.returncode == -signal.SIGKILL
    assert (tmp_path / "told").read_text() == "True"
    # A zombie, which only waits for its new parent, runs no program any more.
    assert not Path(f"/proc/{output.strip()}/exe").exists()


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ({"pid": "daemon"}, "is the sandbox's own"),
        ({"pid": 2**22 - 1}, "there is no process"),
        ({"signal": "HUP"}, "unknown signal 'HUP'"),
        ({"scope": "all"}, "unknown scope 'all'"),
        ({"mark": "abc", "scope": "tree"}, "must be NAME=value"),
        ({"mark": "A=b"}, "must be NAME=value, and the scope tree"),
    ],
)
def test_a_kill_that_cannot_be_meant_is_refused(world: Any, order: dict[str, Any], text: str) -> None:
    told = {"pid": os.getpid()} | order
    if told["pid"] == "daemon":
        told["pid"] = world.sandbox.state["pid"]
    with pytest.raises(SandboxError, match=text):
        world.sandbox.fault("kill_before", **told)


def test_a_container_cannot_be_aimed_at(world: Any) -> None:
    arn = world.run_one(world.register("aim", script="sleep 300"))
    world.until(lambda: world.task(arn)["lastStatus"] == "RUNNING", "RUNNING")
    pid = world.sandbox.status()["tasks"][-1]["containers"][0]["pid"]
    with pytest.raises(SandboxError, match="is the sandbox's own"):
        world.sandbox.fault("kill_before", pid=pid)
