# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs playbooks of docs/examples that release, as they stand there; docs/howto/release.md shows them.

release_with_unlock.yml runs in virtual time: tests/chaos/test_virtual_release.py.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.plays import Played, play

from sandbox import world
from sandbox.client import CHECKOUT, Sandbox

EXAMPLES = CHECKOUT / "docs" / "examples"
POINTS = {"conversations": 60, "documents": 240}


def host(sandbox: Sandbox, **more: Any) -> dict[str, Any]:
    """An inventory host that stands for the sandbox's service, as group_vars of an environment would make it."""
    state = sandbox.state
    return {
        "ansible_connection": "local",
        "qdrant_unlock_region": state["region"],
        "qdrant_unlock_aws": {name: state[name] for name in ("endpoint_url", "access_key", "secret_key")},
        "qdrant_unlock_cluster": state["cluster"],
        "qdrant_unlock_service": state["service"],
        "qdrant_unlock_health_url": state["health_url"],
        "qdrant_unlock_qdrant_url": state["qdrant_url"],
        **more,
    }


def run(name: str, groups: dict[str, Any], place: Path, **variables: Any) -> Played:
    given = {**variables, "qdrant_unlock_report_dir": str(place / "reports")}
    inventory = yaml.safe_dump({"all": {"children": groups}}, sort_keys=False)
    return play((EXAMPLES / f"{name}.yml").read_text(), place=place, variables=given, inventory=inventory)


def reports(place: Path) -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in (place / "reports").glob("*-unlock-*.json")]
    return sorted(found, key=lambda report: str(report["started"]))


def image(sandbox: Sandbox) -> str:
    ecs = sandbox.boto3("ecs")
    (service,) = ecs.describe_services(cluster=world.CLUSTER, services=[world.SERVICE])["services"]
    definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    return str(definition["containerDefinitions"][0]["image"])


@pytest.mark.outside_iam("the playbook runs a task of its own between the stop and the start")
def test_a_service_is_stopped_migrated_and_started(sandbox: Sandbox, tmp_path: Path) -> None:
    service = world.definition()
    service.update(family="wwhd-migrate")
    migrate, _qdrant = service["containerDefinitions"]
    migrate.update(name="migrate", image="alpine:3.20", command=["sh", "-c", "echo moving; ls /data"], portMappings=[])
    service["containerDefinitions"] = [migrate]
    sandbox.boto3("ecs").register_task_definition(**service)
    groups = {"dev": {"hosts": {"backend.dev": host(sandbox)}}}
    played = run("stop_then_start", groups, tmp_path, env="dev", release=2)
    assert played.returncode == 0, played.stdout
    assert image(sandbox) == "wwhd/backend:2"
    stopped, started = reports(tmp_path)
    assert (stopped["outcome"], started["outcome"]) == ("stopped", "unlocked")
    assert started["run_id"] == stopped["run_id"]
    assert stopped["verification"]["points_before"] == POINTS
    assert started["release"]["changes"][-1] == "image of fastapi wwhd/backend:dev -> wwhd/backend:2"
    assert "the same as in the last verified run" in started["verdict"]["data"]
    assert started["verification"]["points"] == POINTS
    assert sandbox.status()["tags"] == []
    # Nobody had the store open while the migration ran.
    order = [str(call["operation"]) for call in sandbox.writes() if call["operation"] in ("UpdateService", "RunTask")]
    assert order == ["UpdateService", "RunTask", "RunTask", "UpdateService"]


def test_a_rolling_release_goes_no_further_when_the_first_environment_fails(sandbox: Sandbox, tmp_path: Path) -> None:
    groups = {
        "rolling": {
            "children": {
                "staging": {"hosts": {"backend.staging": host(sandbox, qdrant_unlock_service="not-there")}},
                "prod": {"hosts": {"backend.prod": host(sandbox)}},
            }
        }
    }
    played = run("rolling_release", groups, tmp_path, release=2)
    assert played.returncode != 0, played.stdout
    assert "AWS knows no service not-there" in played.stdout
    assert "backend.prod" not in re.sub(r"^PLAY RECAP.*", "", played.stdout, flags=re.DOTALL | re.MULTILINE)
    assert [report["outcome"] for report in reports(tmp_path)] == ["refused"]
    assert sandbox.writes() == []
    assert image(sandbox) == "wwhd/backend:dev"
