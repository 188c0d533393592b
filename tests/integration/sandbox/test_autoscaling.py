# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Application Auto Scaling: what registering a target does to the desired count, and what suspending it prevents."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

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


def test_an_autoscaler_lifts_desired_unless_it_is_suspended(world: Any) -> None:
    scaling = world.sandbox.boto3("application-autoscaling")
    scaling.register_scalable_target(**TARGET, MinCapacity=1, MaxCapacity=1, SuspendedState=SUSPENDED)
    world.sandbox.fault("autoscaler", match={"service": "wwhd-backend"})
    world.sandbox.control("settings", autoscaler_delay=1)
    world.update(desiredCount=0)
    calls = len(world.sandbox.calls())
    assert calls
    with pytest.raises(AssertionError):
        world.until(lambda: world.service()["desiredCount"] == 1, "lifted though suspended", 0.5)
    scaling.register_scalable_target(**TARGET, SuspendedState=dict.fromkeys(SUSPENDED, False))
    world.update(desiredCount=0)
    world.until(lambda: world.service()["desiredCount"] == 1, "lifted")


def test_a_target_needs_its_service(world: Any) -> None:
    scaling = world.sandbox.boto3("application-autoscaling")
    missing = TARGET | {"ResourceId": "service/wwhd-cluster/none"}
    with pytest.raises(ClientError) as caught:
        scaling.register_scalable_target(**missing, MinCapacity=1, MaxCapacity=1)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
