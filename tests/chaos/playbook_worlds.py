# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The worlds in which an unlock is disturbed, and what must be true of each of them in the end."""

from __future__ import annotations

import json
import time
import urllib.request
from dataclasses import dataclass
from typing import Any

from sandbox.client import Sandbox

CLUSTER, SERVICE = "wwhd-cluster", "wwhd-backend"
# How many AWS seconds pass in one of ours.
SPEED = 150.0
_TARGET = {
    "ServiceNamespace": "ecs",
    "ResourceId": f"service/{CLUSTER}/{SERVICE}",
    "ScalableDimension": "ecs:service:DesiredCount",
}
_SWITCHES = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
TAG_PREFIX = "wwhd.qdrant_ops:"
_PATIENCE = 30.0


@dataclass(frozen=True)
class Scaling:
    """A scalable target; `suspended` are the switches that somebody had thrown before."""

    low: int
    high: int
    suspended: tuple[str, ...] = ()


@dataclass(frozen=True)
class World:
    """`kind`: stuck (on stale locks, for `lease` real seconds), healthy, stopped (by hand), leftover (stopped, and lock
    files lie about)."""

    kind: str = "stuck"
    lease: float = 4.0
    scaling: Scaling | None = None

    @property
    def desired(self) -> int:
        return 0 if self.kind in ("stopped", "leftover") else 1

    def told(self) -> str:
        words = [self.kind]
        if self.kind == "stuck":
            words.append(f"lease {self.lease:g} s")
        if self.scaling:
            words.append(f"autoscaling {self.scaling.low}..{self.scaling.high}")
            words += self.scaling.suspended
        return ", ".join(words)


@dataclass(frozen=True)
class State:
    """What an unlock changes and must put back."""

    desired: int
    scaling: dict[str, Any] | None
    tags: tuple[str, ...]
    delay: str = ""

    def told(self) -> str:
        drain = f"deregistration delay {self.delay} s"
        return f"desired {self.desired}, autoscaling {self.scaling}, {drain}, tags {list(self.tags)}"


def make(sandbox: Sandbox, world: World) -> State:
    """The world as seeded, then broken as told; the state as an unlock will find it."""
    sandbox.reset()
    # A process that needs a real second to start needs minutes of this AWS: nobody's health check may count them.
    sandbox.boto3("ecs").update_service(cluster=CLUSTER, service=SERVICE, healthCheckGracePeriodSeconds=7200)
    sandbox.control("settings", stop_timeout=120.0)
    if world.scaling:
        sandbox.boto3("application-autoscaling").register_scalable_target(
            **_TARGET, MinCapacity=world.scaling.low, MaxCapacity=world.scaling.high,
            SuspendedState={switch: switch in world.scaling.suspended for switch in _SWITCHES},
        )  # fmt: skip
    if world.kind == "stuck":
        sandbox.break_("stale-lock", lease_real=world.lease)
    elif world.kind != "healthy":
        sandbox.break_(world.kind)
    state = look(sandbox)
    if state.desired != world.desired:
        raise RuntimeError(f"the world {world.told()} begins with {state.told()}")
    return state


def look(sandbox: Sandbox) -> State:
    service = sandbox.boto3("ecs").describe_services(cluster=CLUSTER, services=[SERVICE], include=["TAGS"])["services"][
        0
    ]
    targets = sandbox.boto3("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="ecs", ResourceIds=[_TARGET["ResourceId"]]
    )["ScalableTargets"]
    scaling = (
        {key: targets[0].get(key) for key in ("MinCapacity", "MaxCapacity", "SuspendedState")} if targets else None
    )
    tags = sorted(tag["key"] for tag in service.get("tags", []) if tag["key"].startswith(TAG_PREFIX))
    group = service["loadBalancers"][0]["targetGroupArn"]
    attributes = sandbox.boto3("elbv2").describe_target_group_attributes(TargetGroupArn=group)["Attributes"]
    delay = next((one["Value"] for one in attributes if one["Key"] == "deregistration_delay.timeout_seconds"), "")
    return State(int(service["desiredCount"]), scaling, tuple(tags), delay)


def healthy_points(sandbox: Sandbox) -> tuple[bool, dict[str, int] | str]:
    """Whether the service is healthy (some seconds are given to it), and its points by its own API, or what failed."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        healthy = bool(sandbox.status()["healthy"])
        try:
            points: dict[str, int] | str = _counts(str(sandbox.state["qdrant_url"]))
        except (OSError, ValueError, KeyError) as error:
            points = f"{type(error).__name__}: {error}"
        if (healthy and isinstance(points, dict)) or time.monotonic() > deadline:
            return healthy, points
        time.sleep(0.1)


def _counts(url: str) -> dict[str, int]:
    names = [entry["name"] for entry in _ask(f"{url}/collections")["result"]["collections"]]
    return {
        name: int(_ask(f"{url}/collections/{name}/points/count", {"exact": True})["result"]["count"])
        for name in sorted(names)
    }


def _ask(url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)
