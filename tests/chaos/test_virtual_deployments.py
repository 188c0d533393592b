# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ecs_service_redeploy against the sandbox's own scheduler, in virtual time: what becomes of a deployment."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chaos.virtual.controller import Controller, controller
from chaos.virtual.transport import CONNECTION, Call

from ansible_collections.wwhd.qdrant_ops.plugins.modules import ecs_service_info, ecs_service_redeploy
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import Outcome, run_module
from sandbox import world as names
from sandbox.ecs import service_api, service_deployments

PLACE = {"cluster": names.CLUSTER, "service": names.SERVICE}
BAD = {"qdrant": "nobody/nothing:1"}
BREAKER = {"deploymentCircuitBreaker": {"enable": True, "rollback": False}}
ROLLBACK = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
PAUSE = {"lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]}]}


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Controller]:
    with controller(tmp_path) as made:
        yield made
        assert made.world.engine.trouble == []


def redeploy(operator: Controller, *, check: bool = False, **more: Any) -> Outcome:
    return run_module(ecs_service_redeploy.main, {**CONNECTION, **PLACE, **more}, clock=operator.clock, check=check)


def configure(operator: Controller, configuration: dict[str, Any]) -> None:
    service_api.update(operator.world.engine, names.REGION, {**PLACE, "deploymentConfiguration": configuration})


def primary(operator: Controller) -> str:
    found = operator.world.service.primary
    assert found is not None
    return found.id


def calls(operator: Controller) -> list[str]:
    return [json.loads(line)["operation"] for line in operator.world.calls.path.read_text().splitlines()]


def after(operator: Controller, seconds: float, act: Callable[[], Any]) -> None:
    """Somebody does this so many seconds after the deployment was started."""
    plan: dict[str, float] = {}

    def look(call: Call) -> None:
        if call.operation == "UpdateService":
            plan["at"] = operator.world.clock.now() + seconds
        elif "at" in plan and operator.world.clock.now() >= plan["at"]:
            del plan["at"]
            act()

    operator.around(after=look)


def test_a_start_is_followed_to_its_end_with_few_calls_and_a_second_one_is_none(operator: Controller) -> None:
    operator.world.seed(desired=0)
    operator.world.calls.clear()
    first = redeploy(operator, desired_count=1, force_new_deployment=False)
    assert not first.failed, first.msg
    assert (first.result["outcome"], first.changed) == ("completed", True)
    assert first.result["deployment"]["id"] == primary(operator)
    assert first.result["targets"][0]["targets"][0]["state"] == "healthy"
    assert len(calls(operator)) < 50
    operator.world.calls.clear()
    again = redeploy(operator, desired_count=1, force_new_deployment=False)
    assert (again.result["outcome"], again.changed, again.result["waited"]) == ("unchanged", False, 0.0)
    assert "UpdateService" not in calls(operator)
    assert len(calls(operator)) < 12


@pytest.mark.parametrize(
    ("configuration", "outcome", "text"),
    [
        ({}, "failed_tasks", "3 of its tasks failed"),
        (BREAKER, "circuit_breaker", "ECS deployment circuit breaker: tasks failed to start"),
        (ROLLBACK, "rolled_back", "is rolling the service back to ecs-svc/"),
    ],
)
def test_an_image_that_cannot_be_pulled(
    operator: Controller, configuration: dict[str, Any], outcome: str, text: str
) -> None:
    operator.world.seed(desired=0)
    configure(operator, configuration)
    before = operator.world.service.definition.arn
    found = redeploy(operator, desired_count=1, images=BAD)
    assert found.result["outcome"] == outcome, found.msg
    assert text in found.msg
    assert "CannotPullContainerError" in found.msg
    assert found.result["registered"] is True
    back = redeploy(operator, task_definition=found.result["previous"]["task_definition_arn"], force=False)
    assert not back.failed, back.msg
    assert operator.world.service.definition.arn == before
    assert operator.world.service.steady


def test_somebody_elses_deployment_takes_its_place(operator: Controller) -> None:
    operator.world.seed(desired=0)
    engine = operator.world.engine
    after(operator, 10, lambda: service_api.update(engine, names.REGION, {**PLACE, "forceNewDeployment": True}))
    found = redeploy(operator, desired_count=1)
    assert found.result["outcome"] == "replaced", found.msg
    assert primary(operator) in found.msg
    theirs = redeploy(operator, force_new_deployment=False)
    assert (theirs.result["outcome"], theirs.changed) == ("unchanged", False), theirs.msg
    assert theirs.result["deployment"]["id"] == primary(operator)


def test_a_pause_is_told_diagnosed_and_after_somebodys_word_followed_to_its_end(operator: Controller) -> None:
    operator.world.seed(desired=0)
    configure(operator, PAUSE)
    found = redeploy(operator, desired_count=1)
    assert found.result["outcome"] == "paused", found.msg
    info = run_module(ecs_service_info.main, {**CONNECTION, **PLACE}, clock=operator.clock).result
    assert info["diagnosis"]["verdict"] == "paused"
    told = found.result["service_deployment"]
    arn, hook = told["service_deployment_arn"], told["lifecycle_hook_details"][0]["hook_id"]
    assert f"--service-deployment-arn {arn} --hook-id {hook} --action CONTINUE" in found.result["next"]
    word = {"serviceDeploymentArn": arn, "hookId": hook, "action": "CONTINUE"}
    service_deployments.proceed(operator.world.engine, names.REGION, word)
    followed = redeploy(operator, force_new_deployment=False)
    assert (followed.result["outcome"], followed.changed) == ("unchanged", False), followed.msg


def test_a_deployment_that_somebody_stops_is_rolled_back(operator: Controller) -> None:
    operator.world.seed(desired=0)
    configure(operator, PAUSE)
    engine, service = operator.world.engine, operator.world.service

    def stop() -> None:
        arn = service_deployments.current(service)
        service_deployments.stop(engine, names.REGION, {"serviceDeploymentArn": arn, "stopType": "ROLLBACK"})

    after(operator, 10, stop)
    found = redeploy(operator, desired_count=1)
    assert found.result["outcome"] == "rolled_back", found.msg
    assert "Service deployment was stopped by a user" in found.msg
