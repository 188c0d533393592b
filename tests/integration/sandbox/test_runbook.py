# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook's own commands, by the AWS CLI, as they stand in its text: they run here, and do what they do on AWS."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sandbox.store import is_held, lock_files
from sandbox.template import FOREIGN_LOCKS

TEXT = (Path(__file__).parent / "data" / "runbook.md").read_text()
WRITE, REGISTER_AND_RUN, START = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
CLEANER = "clear-qdrant-locks"


class Operator:
    """Somebody at a shell, with the AWS CLI and the runbook."""

    def __init__(self, world: Any, folder: Path) -> None:
        self.world = world
        self.folder = folder

    def types(self, commands: str) -> str:
        environment = {
            **os.environ, **self.world.sandbox.environment(), "AWS_PAGER": "",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }  # fmt: skip
        done = subprocess.run(
            ["bash", "-e", "-c", commands],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def cleans(self) -> dict[str, Any]:
        """Steps 1 to 3; the cleaner's task when it is over."""
        self.types(WRITE)
        self.types(REGISTER_AND_RUN)
        found: list[str] = []
        for desired in ("RUNNING", "STOPPED"):
            found += self.world.ecs.list_tasks(cluster="wwhd-cluster", family=CLEANER, desiredStatus=desired)[
                "taskArns"
            ]
        task: dict[str, Any] = self.world.until_stopped(found[0])
        return task


@pytest.fixture
def operator(world: Any, tmp_path: Path) -> Operator:
    return Operator(world, tmp_path)


def foreign(world: Any) -> list[Path]:
    root = Path(world.sandbox.state["data"]).parent
    return [root / name for name in FOREIGN_LOCKS]


def files(data: Path) -> set[Path]:
    """All but what a store rewrites each time it tries to start."""
    return {path for path in data.rglob("*") if path.is_file() and not path.name.startswith("LOG")}


def test_on_a_stuck_service_it_deletes_what_is_not_qdrants_and_leaves_what_is(operator: Operator) -> None:
    world = operator.world
    data = Path(world.sandbox.state["data"])
    world.sandbox.break_("stale-lock", lease_real=120)
    before = files(data)
    assert all(path.exists() for path in foreign(world))
    task = operator.cleans()
    assert task["containers"][0]["exitCode"] == 0
    # Other teams' lock files, on the whole file system, are gone ...
    assert not any(path.exists() for path in foreign(world))
    # ... and the locks that keep Qdrant from starting are all still there, and still held.
    left = lock_files(data)
    assert {path.name for path in left} == {"LOCK"}
    assert all(is_held(path) for path in left)
    assert before - files(data) == {data / "client_cache" / ".lock"}
    operator.types(START)
    crashed = world.until(
        lambda: [t for t in world.tasks(desired="STOPPED") if t["stopCode"] == "EssentialContainerExited"], "a crash"
    )
    assert 101 in [container.get("exitCode") for container in crashed[-1]["containers"]]
    assert world.service()["runningCount"] in (0, 1)
    assert world.sandbox.status()["healthy"] is False


def test_on_a_live_service_it_removes_a_lock_that_is_held_and_starts_a_second_qdrant_beside_the_first(
    operator: Operator,
) -> None:
    world = operator.world
    data = Path(world.sandbox.state["data"])
    client_lock = data / "client_cache" / ".lock"
    assert is_held(client_lock)
    first = world.tasks()[0]["taskArn"]
    operator.cleans()
    # The holder lives, and nothing keeps the next one out any more.
    assert world.task(first)["lastStatus"] == "RUNNING"
    assert not client_lock.exists() or not is_held(client_lock)
    operator.types(START)
    both = world.until(lambda: len(world.tasks()) == 2 and world.tasks(), "a second task beside the first")
    assert first in [task["taskArn"] for task in both]
    second = next(task["taskArn"] for task in both if task["taskArn"] != first)
    # The overlap is what makes the lock conflict in the first place.
    over = world.until_stopped(second)
    assert 101 in [container.get("exitCode") for container in over["containers"]]


@pytest.mark.sandbox_service("stopped")
def test_its_second_run_starts_the_first_revision_again(operator: Operator) -> None:
    operator.types(WRITE)
    operator.types(REGISTER_AND_RUN)
    operator.types((REGISTER_AND_RUN).replace("run-task", "run-task --output json"))
    calls = [call for call in operator.world.sandbox.calls() if call["operation"] == "RunTask"]
    assert [call["params"]["taskDefinition"] for call in calls] == [f"{CLEANER}:1", f"{CLEANER}:1"]
    described = operator.world.ecs.describe_task_definition(taskDefinition=CLEANER)["taskDefinition"]
    assert described["revision"] == 2
    assert "aws-cli" in calls[0]["user_agent"]
