# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Breaking the service the way it breaks in life, and a world that is new again afterwards."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from sandbox.client import SandboxError
from sandbox.store import is_held, lock_files

pytestmark = pytest.mark.either_isolation

MESSAGE = "RocksDB open error: IO error: While lock file: "


def health(world: Any) -> int:
    try:
        with urllib.request.urlopen(world.sandbox.state["health_url"], timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)


def count(world: Any, collection: str) -> int:
    url = f"{world.sandbox.state['qdrant_url']}/collections/{collection}/points/count"
    request = urllib.request.Request(url, b'{"exact": true}', {"Content-Type": "application/json"}, method="POST")
    with urllib.request.urlopen(request, timeout=5) as answer:
        return int(json.load(answer)["result"]["count"])


def test_stale_locks_make_each_new_task_exit_101_until_the_lease_ends(world: Any) -> None:
    assert (count(world, "documents"), count(world, "conversations")) == (240, 60)
    lost = world.tasks()[0]["taskArn"]
    done = world.sandbox.break_("stale-lock", lease_real=8)
    assert done["exit_codes"]["qdrant"] == 101
    assert any(MESSAGE in line and "Resource temporarily unavailable" in line for line in done["lines"]["qdrant"])
    task = world.task(lost)
    assert task["stopCode"] == "InfrastructureHealth"
    assert all("exitCode" not in container for container in task["containers"])
    assert all(is_held(path) for path in lock_files(Path(world.sandbox.state["data"])))
    assert health(world) in (502, 503)
    crashed = world.until(
        lambda: [t for t in world.tasks(desired="STOPPED") if t["stopCode"] == "EssentialContainerExited"], "a crash"
    )
    assert {c["name"]: c.get("exitCode") for c in crashed[0]["containers"]}["qdrant"] == 101
    world.until(lambda: health(world) == 200, "healthy once the lease has ended", 40)
    assert count(world, "documents") == 240


def test_a_lease_can_end_early_and_the_service_recovers_by_itself(world: Any) -> None:
    world.sandbox.break_("stale-lock", lease_real=300)
    assert world.sandbox.status()["stale"]
    assert world.sandbox.control("release")["released"] > 0
    world.until(lambda: health(world) == 200, "healthy", 30)


def test_a_service_stopped_by_hand_leaves_files_that_nobody_holds(world: Any) -> None:
    done = world.sandbox.break_("leftover")
    assert world.service()["desiredCount"] == 0
    assert world.tasks() == []
    data = Path(world.sandbox.state["data"])
    files = [data / name for name in done["files"]]
    assert files
    assert all(path.is_file() for path in files)
    assert not any(is_held(path) for path in files)
    world.sandbox.break_("healthy")
    assert health(world) == 200


@pytest.mark.sandbox_service("stopped")
def test_a_second_task_of_another_family_mounts_the_same_file_system(world: Any) -> None:
    done = world.sandbox.break_("second-task")
    task = world.task(done["task"])
    definition = world.ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
    assert definition["volumes"][0]["efsVolumeConfiguration"]["fileSystemId"] == "fs-00b8168893587fd61"
    assert task["lastStatus"] == "RUNNING"
    assert is_held(Path(world.sandbox.state["data"]) / "reports" / "report.lock")


def test_reset_brings_everything_back(world: Any) -> None:
    data = Path(world.sandbox.state["data"])
    address = world.sandbox.state["health_url"]
    world.sandbox.break_("stale-lock", lease_real=300)
    world.sandbox.fault("throttle")
    (data / "wwhd_v3.db").unlink()
    foreign = data.parent / "analytics" / "jobs" / "nightly.lock"
    foreign.unlink()
    world.sandbox.reset()
    assert (data / "wwhd_v3.db").is_file()
    assert foreign.is_file()
    assert world.sandbox.calls() == []
    assert world.sandbox.state["health_url"] == address
    assert health(world) == 200
    assert len(world.sandbox.status()["targets"]) == 1
    assert world.sandbox.status()["stale"] == []
    assert world.service()["tags"] == [] if "tags" in world.service() else True


@pytest.mark.sandbox_service("stopped")
def test_a_reset_copies_the_stores_holes_as_holes(world: Any) -> None:
    files = [path.stat() for path in Path(world.sandbox.state["data"]).rglob("*") if path.is_file()]
    assert sum(file.st_size for file in files) > 200 * 2**20
    assert sum(file.st_blocks for file in files) * 512 < 10 * 2**20


def test_an_unknown_incident_is_refused_by_name(world: Any) -> None:
    with pytest.raises(SandboxError, match="unknown way to break the service 'flood'"):
        world.sandbox.break_("flood")
