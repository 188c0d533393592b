# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Application Auto Scaling: what registering a target does to the desired count, and what suspending it prevents."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.client import SandboxError

pytestmark = pytest.mark.sandbox_service("stopped")
TARGET = {
    "ServiceNamespace": "ecs",
    "ResourceId": "service/wwhd-cluster/wwhd-backend",
    "ScalableDimension": "ecs:service:DesiredCount",
}
SUSPENDED = {
    "DynamicScalingInSuspended": True,
    "DynamicScalingOutSuspended": True,
    "ScheduledScalingSuspended": True,
}


def test_registering_moves_desired_into_the_range(world: Any) -> None:
    scaling = world.sandbox.boto3("application-autoscaling")
    assert world.service()["desiredCount"] == 0
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=1)
    assert world.service()["desiredCount"] == 1


def test_resuming_at_zero_lifts_desired_as_a_trap_and_suspending_does_not(world: Any) -> None:
    scaling = world.sandbox.boto3("application-autoscaling")
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=1)
    scaling.register_scalable_target(**TARGET, SuspendedState=SUSPENDED)
    world.update(desiredCount=0)
    scaling.register_scalable_target(**TARGET, SuspendedState=SUSPENDED)
    assert world.service()["desiredCount"] == 0
    found = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[TARGET["ResourceId"]])
    assert found["ScalableTargets"][0]["SuspendedState"] == SUSPENDED
    assert found["ScalableTargets"][0]["MinCapacity"] == 1
    scaling.register_scalable_target(**TARGET, SuspendedState=dict.fromkeys(SUSPENDED, False))
    assert world.service()["desiredCount"] == 1


@pytest.mark.parametrize(
    ("by", "suspended", "lifted"),
    [
        ("alarm", {}, True),
        ("schedule", {}, True),
        ("alarm", {"DynamicScalingOutSuspended": True}, False),
        ("alarm", {"DynamicScalingInSuspended": True, "ScheduledScalingSuspended": True}, True),
        ("schedule", {"ScheduledScalingSuspended": True}, False),
        ("schedule", {"DynamicScalingInSuspended": True, "DynamicScalingOutSuspended": True}, True),
        ("alarm", SUSPENDED, False),
        ("schedule", SUSPENDED, False),
    ],
)
def test_an_autoscaler_lifts_desired_unless_it_is_suspended(
    world: Any, by: str, suspended: dict[str, bool], lifted: bool
) -> None:
    scaling = world.sandbox.boto3("application-autoscaling")
    scaling.register_scalable_target(
        **TARGET, MinCapacity=1, MaxCapacity=1, SuspendedState=dict.fromkeys(SUSPENDED, False) | suspended
    )
    world.update(desiredCount=0)
    world.sandbox.control("settings", autoscaler_delay=1)
    world.sandbox.fault("autoscaler", by=by, match={"service": "wwhd-backend"})
    if lifted:
        world.until(lambda: world.service()["desiredCount"] == 1, "lifted")
    else:
        with pytest.raises(AssertionError):
            world.until(lambda: world.service()["desiredCount"] == 1, "lifted though suspended", 0.5)


@pytest.mark.parametrize(
    ("suspended", "setting", "desired", "then"),
    [
        ({}, False, 0, 1),
        ({}, False, 3, 2),
        ({"DynamicScalingOutSuspended": True}, False, 0, 0),
        ({"DynamicScalingOutSuspended": True}, False, 3, 2),
        ({"DynamicScalingInSuspended": True}, False, 0, 1),
        ({"DynamicScalingInSuspended": True}, False, 3, 3),
        ({"ScheduledScalingSuspended": True}, False, 0, 1),
        (SUSPENDED, False, 0, 0),
        (SUSPENDED, True, 0, 1),
        (SUSPENDED, True, 3, 2),
        ({}, True, 1, 1),
    ],
)  # fmt: skip
def test_registering_moves_the_count_only_in_a_direction_that_is_not_suspended(
    world: Any, suspended: dict[str, bool], setting: bool, desired: int, then: int
) -> None:
    world.create_service("scaled", world.register("scaled", script="sleep 60"), desiredCount=desired)
    world.sandbox.control("settings", register_target_moves_when_suspended=setting)
    scaling = world.sandbox.boto3("application-autoscaling")
    target = TARGET | {"ResourceId": "service/wwhd-cluster/scaled"}
    state = dict.fromkeys(SUSPENDED, False) | suspended
    scaling.register_scalable_target(**target, MinCapacity=1, MaxCapacity=2, SuspendedState=state)
    assert world.service("scaled")["desiredCount"] == then
    found = scaling.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[target["ResourceId"]])
    assert found["ScalableTargets"][0]["SuspendedState"] == state


@pytest.mark.parametrize(
    ("order", "counts"),
    [
        ({"to": 1, "match": {"operation": "RunTask"}}, [0, 0, 1, 1]),
        ({"to": 2, "match": {"operation": "RunTask"}, "skip": 1}, [0, 0, 0, 2]),
        ({"to": 1, "match": {"operation": "RunTask"}, "service": "other"}, [0, 0, 0, 0]),
        ({"to": 1, "match": {"writes": True}, "skip": 1}, [0, 0, 1, 1]),
    ],
)
def test_a_pipeline_raises_the_count_right_after_a_call(world: Any, order: dict[str, Any], counts: list[int]) -> None:
    definition = world.register(script="sleep 60")
    world.create_service("other", definition, desiredCount=0)
    world.sandbox.fault("raise_count", count=1, **order)
    found = []
    # A refused call has no effect, so nothing comes after it.
    with pytest.raises(ClientError):
        world.run("none:1")
    found.append(world.service()["desiredCount"])
    world.update(healthCheckGracePeriodSeconds=601)
    found.append(world.service()["desiredCount"])
    for _turn in range(2):
        world.run_one(definition)
        found.append(world.service()["desiredCount"])
    assert found == counts
    assert world.service("other")["desiredCount"] == (1 if "service" in order else 0)
    assert [call["operation"] for call in world.sandbox.writes()].count("UpdateService") == 1
    assert world.sandbox.status()["trouble"] == []


@pytest.mark.parametrize(
    ("kind", "order", "text"),
    [
        ("raise_count", {}, "raise_count needs the count"),
        ("raise_count", {"to": -1}, "raise_count needs the count"),
        ("raise_count", {"to": 1, "region": "x"}, "not .'region'."),
        ("autoscaler", {"by": "hand"}, "autoscaler is by alarm or by schedule, not by 'hand'"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(world: Any, kind: str, order: dict[str, Any], text: str) -> None:
    with pytest.raises(SandboxError, match=text):
        world.sandbox.fault(kind, **order)


def test_a_target_needs_its_service(world: Any) -> None:
    scaling = world.sandbox.boto3("application-autoscaling")
    missing = TARGET | {"ResourceId": "service/wwhd-cluster/none"}
    with pytest.raises(ClientError) as caught:
        scaling.register_scalable_target(**missing, MinCapacity=1, MaxCapacity=1)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
