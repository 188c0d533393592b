# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Application Auto Scaling of a service's desired count: read, suspend, resume.

Private to wwhd.qdrant_ops. A state is {min_capacity, max_capacity, suspended_state {dynamic_scaling_in_suspended,
dynamic_scaling_out_suspended, scheduled_scaling_suspended}}, or None for a service without a scalable target.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import name_of

__all__ = [
    "SWITCHES",
    "is_suspended",
    "merged",
    "problems_of",
    "read_state",
    "register_params",
    "with_switches",
    "write_state",
]

# Our name -> AWS's name.
SWITCHES = {
    "dynamic_scaling_in_suspended": "DynamicScalingInSuspended",
    "dynamic_scaling_out_suspended": "DynamicScalingOutSuspended",
    "scheduled_scaling_suspended": "ScheduledScalingSuspended",
}
_DIMENSION = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}


def _resource_id(*, cluster: str, service: str) -> str:
    return f"service/{name_of(cluster)}/{name_of(service)}"


def read_state(aws: Aws, *, cluster: str, service: str) -> dict[str, Any] | None:
    """The state now; None where the service is not scaled automatically."""
    answer = aws.call(
        "application-autoscaling",
        "DescribeScalableTargets",
        doing=f"read the autoscaling of service {service} in cluster {cluster}",
        ResourceIds=[_resource_id(cluster=cluster, service=service)],
        **_DIMENSION,
    )
    for target in answer.get("ScalableTargets", []):
        suspended = target.get("SuspendedState") or {}
        return {
            "min_capacity": target.get("MinCapacity"),
            "max_capacity": target.get("MaxCapacity"),
            "suspended_state": {ours: bool(suspended.get(theirs, False)) for ours, theirs in SWITCHES.items()},
        }
    return None


def is_suspended(state: Mapping[str, Any]) -> bool:
    """Whether nothing can move the desired count by itself."""
    return all(state["suspended_state"].values())


def with_switches(state: Mapping[str, Any], *, suspended: bool) -> dict[str, Any]:
    """The same state with all three switches set."""
    return {**state, "suspended_state": dict.fromkeys(SWITCHES, suspended)}


def merged(state: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """`state` with what `wanted` says; what it does not say stays, and the switches it leaves out are off."""
    switches = wanted.get("suspended_state") or {}
    return {
        "min_capacity": state["min_capacity"] if wanted.get("min_capacity") is None else wanted["min_capacity"],
        "max_capacity": state["max_capacity"] if wanted.get("max_capacity") is None else wanted["max_capacity"],
        "suspended_state": {switch: bool(switches.get(switch, False)) for switch in SWITCHES},
    }


def register_params(state: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What tells RegisterScalableTarget to go from `state` to `wanted`: only what differs; {} if nothing does."""
    params: dict[str, Any] = {}
    if wanted["min_capacity"] != state["min_capacity"]:
        params["MinCapacity"] = wanted["min_capacity"]
    if wanted["max_capacity"] != state["max_capacity"]:
        params["MaxCapacity"] = wanted["max_capacity"]
    if wanted["suspended_state"] != state["suspended_state"]:
        params["SuspendedState"] = {theirs: wanted["suspended_state"][ours] for ours, theirs in SWITCHES.items()}
    return params


def write_state(aws: Aws, *, cluster: str, service: str, state: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Bring the scalable target from `state` to `wanted`; whether anything was written. Never repeated by itself."""
    params = register_params(state, wanted)
    if not params:
        return False
    aws.call_once(
        "application-autoscaling",
        "RegisterScalableTarget",
        doing=f"change the autoscaling of service {service} in cluster {cluster}",
        ResourceId=_resource_id(cluster=cluster, service=service),
        **_DIMENSION,
        **params,
    )
    return True


def problems_of(wanted: Mapping[str, Any] | None) -> list[str]:
    """What is wrong with an `autoscaling` argument, in sentences."""
    if not wanted:
        return []
    problems = [
        f"autoscaling.{key} must be 0 or more, not {wanted[key]}."
        for key in ("min_capacity", "max_capacity")
        if wanted.get(key) is not None and wanted[key] < 0
    ]
    low, high = wanted.get("min_capacity"), wanted.get("max_capacity")
    if low is not None and high is not None and low > high:
        problems.append(f"autoscaling.min_capacity ({low}) is above autoscaling.max_capacity ({high}).")
    return problems
