# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job with the playbooks as they are: dev's values, the guard, held locks."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from integration.playbooks.operators import Operator

from sandbox import store
from sandbox.client import Sandbox

# The cleaner is registered before anything is stopped; the drain that serves nobody is shortened before the stop, and
# put back before the tag that tells it goes.
ROUND = [
    "RegisterTaskDefinition", "TagResource", "ModifyTargetGroupAttributes", "UpdateService", "RunTask", "UpdateService",
    "ModifyTargetGroupAttributes", "UntagResource",
]  # fmt: skip


def at(sandbox: Sandbox) -> dict[str, str]:
    return {"QDRANT_OPS_SANDBOX": str(sandbox.directory)}


def written(sandbox: Sandbox) -> list[str]:
    return [str(call["operation"]) for call in sandbox.writes()]


def forced_deployments(sandbox: Sandbox) -> list[dict[str, Any]]:
    return [call for call in sandbox.writes() if call["params"].get("forceNewDeployment")]


def report(operator: Operator) -> dict[str, Any]:
    newest = max(operator.reports.glob("*-unlock-*.json"), key=lambda path: path.stat().st_mtime)
    result: dict[str, Any] = json.loads(newest.read_text())
    return result


def store_root(sandbox: Sandbox) -> Path:
    return Path(sandbox.state["efs"]["fs-00b8168893587fd61"]) / "wwhd-dev"


@pytest.mark.either_isolation
def test_dev_needs_nothing_but_an_endpoint_and_a_reachable_health_address(operator: Operator, sandbox: Sandbox) -> None:
    sandbox.break_("stale-lock", lease_real=25.0)
    aws = {name: value for name, value in sandbox.environment().items() if name.startswith("AWS_")}
    played = operator.play(
        "unlock", "-e", f"qdrant_unlock_health_url={sandbox.state['health_url']}", environment=aws, env="dev"
    )
    assert played.code == 0, played.output
    assert written(sandbox) == ROUND
    assert sandbox.status()["healthy"]
    assert report(operator)["outcome"] == "unlocked"
    assert "The points were not counted: set qdrant_unlock_qdrant_url" in played.text
    # The cleaner mounted what the service mounts, not the file system's root as the runbook has it.
    registered = next(call for call in sandbox.calls() if call["operation"] == "RegisterTaskDefinition")["params"]
    volume = registered["volumes"][0]["efsVolumeConfiguration"]
    assert volume["authorizationConfig"] == {"accessPointId": "fsap-0a1b2c3d4e5f60718", "iam": "ENABLED"}
    assert registered["containerDefinitions"][0]["image"] == "alpine:latest"

    sandbox.reset()
    played = operator.play("unlock", environment=aws, env="dev")
    assert played.code != 0
    assert (
        "The health address http://wwhd-alb-1530831557.us-west-2.elb.amazonaws.com/health cannot be reached"
        in played.text
    )
    assert written(sandbox) == []


@pytest.mark.either_isolation
def test_a_lock_that_a_live_process_holds_survives_an_unlock(operator: Operator, sandbox: Sandbox) -> None:
    foreign = store_root(sandbox) / "import.lock"
    foreign.touch()
    inode = foreign.stat().st_ino
    (holder,) = store.hold_stale([foreign], seconds=120)
    try:
        played = operator.play(
            "unlock", "-e", "qdrant_unlock_when=always", "-e", "qdrant_unlock_held_timeout=1", environment=at(sandbox)
        )
        assert store.is_held(foreign)
    finally:
        holder.release()
    assert played.code != 0
    assert "1 held and left alone: /import.lock" in played.text
    assert "The service is restored: desired count 1" in played.text
    assert foreign.stat().st_ino == inode
    assert [lock["path"] for lock in report(operator)["locks"]["held"]] == ["/import.lock"]
    status = sandbox.status()
    assert status["service"]["desiredCount"] == 1
    assert status["tags"] == []


@pytest.mark.either_isolation
def test_nothing_but_lock_files_changes_in_the_store(operator: Operator, sandbox: Sandbox) -> None:
    foreign = list(Path(sandbox.state["efs"]["fs-00b8168893587fd61"]).rglob("*.lock"))
    elsewhere = [path for path in foreign if store_root(sandbox) not in path.parents]
    assert elsewhere, "the sandbox's file system has lock files of others, outside the access point"
    sandbox.break_("leftover")
    before = store.fingerprint(store_root(sandbox))
    # The cleaner alone: the store is looked at before Qdrant writes to it again.
    played = operator.play("unlock", "-e", "qdrant_unlock_mode=inspect", environment=at(sandbox))
    assert played.code == 0, played.output
    assert store.fingerprint(store_root(sandbox)) == before
    played = operator.play("unlock", environment=at(sandbox))
    assert played.code == 0, played.output
    assert all(path.exists() for path in elsewhere)
    assert report(operator)["verification"]["points"] == {"conversations": 60, "documents": 240}


def test_two_at_once_never_start_two(operator: Operator, sandbox: Sandbox) -> None:
    """Both pass the preflight; whoever finds the other's tags on the service leaves it alone."""
    with ThreadPoolExecutor(2) as pool:
        runs = [
            pool.submit(operator.play, "unlock", "-e", "qdrant_unlock_when=always", environment=at(sandbox))
            for _run in range(2)
        ]
        played = [run.result() for run in runs]
    assert sorted(run.code for run in played)[0] == 0, [run.output for run in played]
    starts = [
        c for c in sandbox.writes() if c["operation"] == "UpdateService" and c["params"].get("forceNewDeployment")
    ]
    ended_well = [run for run in played if run.code == 0]
    assert len(starts) == len(ended_well)
    status = sandbox.status()
    assert status["healthy"]
    assert status["service"]["desiredCount"] == 1
    assert status["tags"] == []


def test_a_count_that_somebody_raises_stops_the_run(operator: Operator, sandbox: Sandbox) -> None:
    """While the cleaner waits, a pipeline starts the service: no second Qdrant is started beside it."""
    sandbox.break_("stale-lock", lease_real=60.0)
    ecs = sandbox.boto3("ecs")

    def raise_count() -> None:
        deadline = time.monotonic() + 240
        while not any(call["operation"] == "RunTask" for call in sandbox.calls()):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        ecs.update_service(cluster="wwhd-cluster", service="wwhd-backend", desiredCount=1)

    with ThreadPoolExecutor(1) as pool:
        raised = pool.submit(raise_count)
        played = operator.play("unlock", "-e", "qdrant_unlock_held_locks=delete", environment=at(sandbox))
        raised.result()
    assert played.code != 0
    assert "FAILED at" in played.text
    starts = [
        c for c in sandbox.writes() if c["operation"] == "UpdateService" and c["params"].get("forceNewDeployment")
    ]
    assert starts == []


def test_the_service_does_not_start_beside_a_cleaner_that_lives(operator: Operator, sandbox: Sandbox) -> None:
    sandbox.break_("stale-lock", lease_real=120.0)

    def blind() -> None:
        deadline = time.monotonic() + 240
        while not any(call["operation"] == "RunTask" for call in sandbox.calls()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        sandbox.fault("access_denied", match={"operation": "DescribeTasks"}, count=1)

    with ThreadPoolExecutor(1) as pool:
        blinded = pool.submit(blind)
        played = operator.play("unlock", "-e", "qdrant_unlock_held_timeout=100", environment=at(sandbox))
        blinded.result()
    assert played.code != 0
    assert "The service is restored: desired count 1" in played.text
    calls = [call["operation"] for call in sandbox.writes()]
    assert calls.index("StopTask") < len(calls) - 1 - calls[::-1].index("UpdateService")
    assert not [
        t for t in sandbox.status()["tasks"] if t["family"] == "clear-qdrant-locks" and t["last_status"] == "RUNNING"
    ]


@pytest.mark.parametrize("leave", [False, True], ids=["restore", "leave_stopped"])
def test_a_deployment_that_fails_is_told_and_restored(operator: Operator, sandbox: Sandbox, leave: bool) -> None:
    """The store itself is broken here: unlocking cannot help, and must say so instead of waiting for the time-out."""
    manifest = next(store_root(sandbox).rglob("CURRENT"))
    sandbox.break_("stopped")
    whole = manifest.read_text()
    manifest.write_text("MANIFEST-999999\n")
    words = ["-e", "qdrant_unlock_on_failure=leave_stopped"] if leave else []
    played = operator.play("unlock", *words, environment=at(sandbox))
    assert played.code != 0
    assert "The unlock FAILED at: Start the service with a new deployment" in played.text, played.output
    status = sandbox.status()
    assert status["service"]["desiredCount"] == 0
    left = [tag["key"] for tag in status["tags"]]
    if leave:
        assert any(key.startswith("wwhd.qdrant_ops:claim:") for key in left)
        assert "The service is left stopped" in played.text
        manifest.write_text(whole)
        again = operator.play("unlock", environment=at(sandbox))
        assert again.code == 0, again.output
        assert "Finishing the run" in again.text
        assert report(operator)["resumed"]
        assert sandbox.status()["tags"] == []
    else:
        assert left == []
        assert "The service is restored: desired count 0" in played.text
