# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the README's playbook of ten lines, exactly as it stands there."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.plays import SECONDS, end, play, starting

from sandbox import world
from sandbox.client import Sandbox

README = (Path(__file__).parents[2] / "README.md").read_text()
OUTSIDE = pytest.mark.outside_iam("the playbook reads the service's network for a task of its own")
LOGS = {"awslogs-group": world.LOG_GROUP, "awslogs-region": world.REGION, "awslogs-stream-prefix": "migrate"}


def playbook() -> str:
    """The one block of YAML that is a playbook."""
    blocks = [block.split("```", 1)[0] for block in README.split("```yaml\n")[1:]]
    (found,) = [block for block in blocks if block.startswith("- hosts:")]
    return found


def register(sandbox: Sandbox, script: str) -> None:
    """What the playbook runs; the root of the file system is its /data."""
    sandbox.boto3("ecs").register_task_definition(
        family="wwhd-migrate",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        executionRoleArn=world.EXECUTION_ROLE,
        containerDefinitions=[
            {
                "name": "migrate",
                "image": "alpine:3.20",
                "command": ["sh", "-c", script],
                "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}],
                "logConfiguration": {"logDriver": "awslogs", "options": LOGS},
            }
        ],
        volumes=[
            {
                "name": "data",
                "efsVolumeConfiguration": {"fileSystemId": world.FILE_SYSTEM, "transitEncryption": "ENABLED"},
            }
        ],
    )


def runs(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [call["params"] for call in sandbox.calls() if call["operation"] == "RunTask"]


def test_it_has_ten_lines() -> None:
    assert len(playbook().splitlines()) == 10
    (play,) = yaml.safe_load(playbook())
    assert play["hosts"] == "localhost"


@OUTSIDE
@pytest.mark.sandbox_service("stopped")
def test_a_migration_that_fails_shows_its_output_and_its_exit_code(sandbox: Sandbox, tmp_path: Path) -> None:
    register(
        sandbox,
        "echo applying 001_users; until [ -e /data/go ]; do sleep 0.1; done; "
        "echo applying 002_orders; echo ERROR: relation users does not exist >&2; exit 3",
    )
    lines: list[str] = []
    with starting(playbook(), place=tmp_path, variables={"release": 42}, environment=sandbox.environment()) as process:
        # The task goes on only once its first line has been seen here: shown later, it would never be seen.
        guard = threading.Timer(SECONDS / 2, end, [process])
        guard.start()
        for line in process.stdout or ():
            lines.append(line.rstrip())
            if "applying 001_users" in line:
                (Path(sandbox.state["efs"][world.FILE_SYSTEM]) / "go").touch()
        process.wait()
        guard.cancel()
    output = "\n".join(lines)
    assert process.returncode == 2, output
    shown, _fatal, told = output.partition("fatal: [localhost]")
    assert "applying 001_users" in shown
    assert "applying 002_orders" in shown
    assert "exit code 3" in told
    assert "ERROR: relation users does not exist" in told
    assert len(runs(sandbox)) == 1
    network = runs(sandbox)[0]["networkConfiguration"]
    assert network == world.network_configuration()


@OUTSIDE
@pytest.mark.sandbox_service("stopped")
def test_a_release_is_migrated_once(sandbox: Sandbox, tmp_path: Path) -> None:
    register(sandbox, "echo nothing to do")
    for _time in range(2):
        played = play(playbook(), place=tmp_path, variables={"release": 43}, environment=sandbox.environment())
        assert played.returncode == 0, played.stdout
    assert len(runs(sandbox)) == 1
