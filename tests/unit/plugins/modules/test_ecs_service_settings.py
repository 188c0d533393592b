# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole module through main(), on a small world."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.modules import ecs_service_settings
from ansible_collections.wwhd.qdrant_ops.tests.unit.aws_world import GROUP, World, run_on
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import Outcome
from ansible_collections.wwhd.qdrant_ops.tests.unit.recorded_aws import RecordedAws

EXCLUSIVE = {
    "deployment_configuration": {"minimum_healthy_percent": 0, "maximum_percent": 100},
    "availability_zone_rebalancing": False,
}
BREAKER = {"enable": True, "rollback": True}
CLAIM = {"key": "wwhd.qdrant_ops:claim:unlock-1", "value": "somebody since 2026-11-23T15:00:00Z until 2099"}


def world(**service: Any) -> World:
    made = World()
    made.service |= {
        "deploymentConfiguration": {
            "minimumHealthyPercent": 100, "maximumPercent": 200, "deploymentCircuitBreaker": BREAKER,
            "strategy": "ROLLING", "bakeTimeInMinutes": 0, "lifecycleHooks": [],
            "alarms": {"alarmNames": [], "enable": False, "rollback": False},
        },
        "availabilityZoneRebalancing": "ENABLED",
        **service,
    }  # fmt: skip

    def update(params: dict[str, Any]) -> None:
        made.service["deploymentConfiguration"] |= params.get("deploymentConfiguration", {})
        made.service["availabilityZoneRebalancing"] = params.get("availabilityZoneRebalancing", "ENABLED")

    made.on_update = update
    return made


def settings(made: World, **args: Any) -> tuple[Outcome, RecordedAws]:
    return run_on(made, ecs_service_settings.main, **args)


def test_percentages_and_rebalancing_go_in_one_call_with_all_else_that_was_there() -> None:
    made = world()
    outcome, aws = settings(made, **EXCLUSIVE)
    assert outcome.changed, outcome.msg
    [sent] = aws.params("ecs:UpdateService")
    assert sent["deploymentConfiguration"] == {
        "minimumHealthyPercent": 0, "maximumPercent": 100, "deploymentCircuitBreaker": BREAKER,
    }  # fmt: skip
    assert sent["availabilityZoneRebalancing"] == "DISABLED"
    assert set(sent) == {"cluster", "service", "deploymentConfiguration", "availabilityZoneRebalancing"}
    assert outcome.result["diff"]["before"]["maximum_percent"] == 200
    assert outcome.result["diff"]["after"]["maximum_percent"] == 100
    again, aws = settings(made, **EXCLUSIVE)
    assert not again.changed
    assert aws.writes == []
    assert again.result["changes"] == []


def test_a_service_that_never_had_rebalancing_is_not_asked_for_percentages_alone() -> None:
    made = world()
    del made.service["availabilityZoneRebalancing"]
    _outcome, aws = settings(made, **EXCLUSIVE)
    [sent] = aws.params("ecs:UpdateService")
    assert sent["availabilityZoneRebalancing"] == "DISABLED"


def test_delays_and_bounds_are_set_and_check_mode_predicts_them() -> None:
    made = world()
    made.scalable = {"MinCapacity": 1, "MaxCapacity": 4, "ScheduledActions": []}
    args = {**EXCLUSIVE, "deregistration_delays": {GROUP: 10}, "min_capacity": 1, "max_capacity": 1}
    predicted, aws = settings(made, **args, check=True)
    assert aws.writes == []
    outcome, aws = settings(made, **args)
    assert [call.operation for call in aws.writes] == [
        "ecs:UpdateService", "elbv2:ModifyTargetGroupAttributes", "application-autoscaling:RegisterScalableTarget",
    ]  # fmt: skip
    for name in ("changes", "previous", "settings", "diff"):
        assert predicted.result[name] == outcome.result[name]
    assert outcome.result["settings"]["deregistration_delays"] == {GROUP: 10}
    assert (made.delay, made.scalable["MinCapacity"], made.scalable["MaxCapacity"]) == ("10", 1, 1)
    [sent] = aws.params("application-autoscaling:RegisterScalableTarget")
    assert "MinCapacity" not in sent
    again, aws = settings(made, **args)
    assert (again.changed, aws.writes) == (False, [])


@pytest.mark.parametrize(
    ("service", "args", "told"),
    [
        ({"tags": [CLAIM]}, EXCLUSIVE, "an unlock has claimed it (unlock-1, by somebody"),
        ({"status": "DRAINING"}, EXCLUSIVE, "it is DRAINING, not ACTIVE"),
        ({}, {"min_capacity": 1}, "it has no scalable target"),
        ({}, {"deregistration_delays": {GROUP.replace("wwhd", "other"): 5}}, "does not register its tasks there"),
        ({}, {"deregistration_delays": {GROUP: 3601}}, "0 to 3600"),
        ({}, {"availability_zone_rebalancing": True, "deployment_configuration": {"maximum_percent": 100}}, "above"),
        ({}, {"deployment_configuration": {"minimum_healthy_percent": 100, "maximum_percent": 100}}, "never replace"),
        ({}, {"deployment_configuration": {"minimum_healthy_percent": 120, "maximum_percent": 110}}, "is above"),
        ({}, {"deployment_configuration": {"maximum_percent": 201}}, "0 to 200 percent"),
        ({}, {"min_capacity": 3, "max_capacity": 2}, "is above"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    service: dict[str, Any], args: dict[str, Any], told: str
) -> None:
    outcome, aws = settings(world(**service), **args)
    assert outcome.failed
    assert told in outcome.msg
    assert aws.writes == []


@pytest.mark.parametrize("desired", [0, 2])
def test_bounds_that_would_start_or_stop_a_task_are_refused(desired: int) -> None:
    made = world(desiredCount=desired)
    made.scalable = {"MinCapacity": 0, "MaxCapacity": 4}
    outcome, aws = settings(made, **EXCLUSIVE, min_capacity=1, max_capacity=1)
    assert f"its desired count is {desired}, and AWS would move it" in outcome.msg
    assert [call.operation for call in aws.writes] == ["ecs:UpdateService"]
    assert outcome.changed
    assert len(outcome.result["changes"]) == 3
