# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Service deployments: their states, pause hooks, and what continues or stops one."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

CLUSTER = "wwhd-cluster"
SLEEP = "trap 'exit 0' TERM; while :; do sleep 0.05; done"

pytestmark = pytest.mark.sandbox_service("stopped")


def hooked(stage: str, **limit: Any) -> dict[str, Any]:
    hook = {"targetType": "PAUSE", "lifecycleStages": [stage], **({"timeoutConfiguration": limit} if limit else {})}
    return {"lifecycleHooks": [hook]}


def steady(world: Any) -> str:
    """A service with one task; the id of its deployment."""
    world.create_service("app", world.register("app", script=SLEEP))
    world.until(lambda: world.rollout("app") == "COMPLETED", "COMPLETED")
    return str(world.service("app")["deployments"][0]["id"])


def told(world: Any, name: str = "app") -> dict[str, Any]:
    arn = world.service(name)["currentServiceDeployment"]
    answer = world.ecs.describe_service_deployments(serviceDeploymentArns=[arn])
    found: dict[str, Any] = answer["serviceDeployments"][0]
    return found


def paused(world: Any) -> dict[str, Any]:
    def look() -> Any:
        found = told(world)
        return found if found["lifecycleHookDetails"] else None

    found: dict[str, Any] = world.until(look, "a pause")
    return found


def test_each_deployment_is_told_and_kept(world: Any) -> None:
    steady(world)
    first = told(world)
    assert (first["status"], first["lifecycleStage"]) == ("SUCCESSFUL", "CLEAN_UP")
    world.update("app", forceNewDeployment=True)
    second = told(world)
    assert second["serviceDeploymentArn"] != first["serviceDeploymentArn"]
    assert second["status"] == "IN_PROGRESS"
    world.update("app", forceNewDeployment=True)
    listed = world.ecs.list_service_deployments(cluster=CLUSTER, service="app")["serviceDeployments"]
    assert [entry["status"] for entry in listed] == ["IN_PROGRESS", "STOPPED", "SUCCESSFUL"]
    only = world.ecs.list_service_deployments(cluster=CLUSTER, service="app", status=["SUCCESSFUL"])
    assert [entry["serviceDeploymentArn"] for entry in only["serviceDeployments"]] == [first["serviceDeploymentArn"]]
    gone = world.ecs.describe_service_deployments(serviceDeploymentArns=[f"{first['serviceDeploymentArn']}x"])
    assert [failure["reason"] for failure in gone["failures"]] == ["MISSING"]


@pytest.mark.parametrize("stage", ["PRE_SCALE_UP", "POST_SCALE_UP"])
def test_a_pause_holds_the_deployment_up_until_somebody_lets_it_go_on(world: Any, stage: str) -> None:
    steady(world)
    (old,) = world.tasks("app")
    world.update("app", forceNewDeployment=True, deploymentConfiguration=hooked(stage))
    found = paused(world)
    (hook,) = found["lifecycleHookDetails"]
    assert (found["lifecycleStage"], hook["status"], hook["timeoutAction"]) == (stage, "AWAITING_ACTION", "ROLLBACK")
    assert world.rollout("app") == "IN_PROGRESS"
    running = {task["taskArn"] for task in world.tasks("app")}
    assert (running == {old["taskArn"]}) is (stage == "PRE_SCALE_UP")
    arn = found["serviceDeploymentArn"]
    with pytest.raises(ClientError, match="not awaiting action"):
        world.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId="another")
    world.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook["hookId"], action="CONTINUE")
    world.until(lambda: world.rollout("app") == "COMPLETED", "COMPLETED")
    assert told(world)["status"] == "SUCCESSFUL"


@pytest.mark.parametrize("by", ["word", "time", "stop"])
def test_a_deployment_goes_back_to_what_ran_before(world: Any, by: str) -> None:
    first = steady(world)
    limit = {"timeoutInMinutes": 1, "action": "ROLLBACK"} if by == "time" else {}
    world.update("app", forceNewDeployment=True, deploymentConfiguration=hooked("PRE_SCALE_UP", **limit))
    found = paused(world)
    arn, hook = found["serviceDeploymentArn"], found["lifecycleHookDetails"][0]["hookId"]
    if by == "word":
        world.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook, action="ROLLBACK")
    elif by == "stop":
        world.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    world.until(lambda: told(world)["status"] == "ROLLBACK_SUCCESSFUL", "rolled back")
    assert world.service("app")["deployments"][0]["id"] == first
    assert told(world)["serviceDeploymentArn"] == arn
    with pytest.raises(ClientError) as caught:
        world.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
    assert caught.value.response["Error"]["Code"] == "ConflictException"


def test_a_pause_that_nobody_ends_may_go_on_by_itself(world: Any) -> None:
    steady(world)
    limited = hooked("PRE_SCALE_UP", timeoutInMinutes=1, action="CONTINUE")
    world.update("app", forceNewDeployment=True, deploymentConfiguration=limited)
    assert paused(world)["lifecycleHookDetails"][0]["timeoutAction"] == "CONTINUE"
    world.until(lambda: world.rollout("app") == "COMPLETED", "COMPLETED")
