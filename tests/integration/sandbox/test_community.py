# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""community.aws's ECS modules, which nobody here wrote, find the sandbox to be AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PLAYBOOK = Path(__file__).parent / "data" / "community.yml"


@pytest.mark.outside_iam("community.aws's modules")
def test_community_aws_registers_runs_creates_updates_and_reads(world: Any, tmp_path: Path) -> None:
    trees = [Path(path) for path in os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(":") if path]
    assert any((tree / "ansible_collections" / "community" / "aws").is_dir() for tree in trees), (
        f"community.aws is in none of {list(map(str, trees))}: run `make setup`, or set ANSIBLE_COLLECTIONS_PATH"
    )
    environment = {
        **os.environ, **world.sandbox.environment(), "ANSIBLE_LOCALHOST_WARNING": "false", "HOME": str(tmp_path),
        "ANSIBLE_INVENTORY": "localhost,", "ANSIBLE_PYTHON_INTERPRETER": sys.executable, "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), str(PLAYBOOK), "-e", f"out={tmp_path}/facts.json"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads((tmp_path / "facts.json").read_text())
    assert facts["registered_twice"] == [True, False]
    stopped = world.until_stopped(facts["task"]["taskArn"])
    assert (stopped["stopCode"], stopped["startedBy"]) == ("UserInitiated", "community")
    assert stopped["containers"][0]["exitCode"] == 0
    assert facts["service"]["serviceName"] == "plain"
    assert len(facts["service"]["deployments"]) >= 1
    assert world.service("plain")["status"] in ("DRAINING", "INACTIVE")
    calls = {call["operation"] for call in world.sandbox.calls() if call["service"] == "ecs"}
    assert {"RegisterTaskDefinition", "RunTask", "CreateService", "UpdateService", "DeleteService"} <= calls
    assert world.sandbox.status()["trouble"] == []
