# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load balancer's view of a service's tasks.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.draining import read_delay
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import short_id

__all__ = [
    "addresses_of",
    "group_name",
    "read_health",
    "read_targets",
    "refreshed_targets",
    "target_group_arns",
    "unhealthy_targets",
    "unread_targets",
]

# Targets in these states are leaving: they say nothing about the tasks that run now (facts.md I).
_LEAVING = frozenset({"draining", "unhealthy.draining"})


def target_group_arns(service: Mapping[str, Any]) -> list[str]:
    """The target groups that the service registers its tasks in, each once."""
    arns = [entry.get("targetGroupArn") for entry in service.get("loadBalancers", [])]
    return list(dict.fromkeys(arn for arn in arns if arn))


def addresses_of(tasks: Iterable[Mapping[str, Any]]) -> set[str]:
    """The private addresses of the tasks that are meant to run; Fargate tasks are registered by them."""
    found = set()
    for task in tasks:
        if task.get("desiredStatus") != "RUNNING":
            continue
        for attachment in task.get("attachments", []):
            for detail in attachment.get("details", []):
                if detail.get("name") == "privateIPv4Address":
                    found.add(str(detail.get("value")))
        for container in task.get("containers", []):
            for interface in container.get("networkInterfaces", []):
                if interface.get("privateIpv4Address"):
                    found.add(str(interface["privateIpv4Address"]))
    return found


def read_health(aws: Aws, *, arn: str) -> list[dict[str, Any]]:
    """The targets of one group: {id, port, state, reason, description}."""
    answer = aws.call(
        "elbv2", "DescribeTargetHealth", doing=f"read the health of the targets in {arn}", TargetGroupArn=arn
    )
    return [
        {
            "id": entry["Target"]["Id"],
            "port": entry["Target"].get("Port"),
            "state": entry.get("TargetHealth", {}).get("State"),
            "reason": entry.get("TargetHealth", {}).get("Reason"),
            "description": entry.get("TargetHealth", {}).get("Description"),
        }
        for entry in answer.get("TargetHealthDescriptions", [])
    ]


def read_targets(aws: Aws, *, service: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every target group of the service: {target_group_arn, problem, health_check, deregistration_delay, targets}.

    A group that was deleted is told in `problem`: the service then has no healthy target, which a diagnosis must say
    rather than fail on. `deregistration_delay` is in seconds, null where these credentials may not read it.
    """
    groups = unread_targets(service)
    for entry in groups:
        arn = entry["target_group_arn"]
        try:
            entry["health_check"] = _health_check(aws, arn=arn)
            entry["targets"] = read_health(aws, arn=arn)
        except OperationFailed as error:
            if error.code != "TargetGroupNotFound":
                raise
            entry["problem"] = f"target group {arn} does not exist"
            continue
        entry["deregistration_delay"] = read_delay(aws, arn=arn)
    return groups


def unread_targets(service: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The service's target groups as `read_targets` gives them, with nothing known of them yet."""
    return [
        {"target_group_arn": arn, "problem": None, "health_check": None, "deregistration_delay": None, "targets": []}
        for arn in target_group_arns(service)
    ]


def refreshed_targets(aws: Aws, groups: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Groups as `read_targets` or `unread_targets` gave them, with the health of now: one call a group."""
    fresh = []
    for group in groups:
        try:
            fresh.append({**group, "problem": None, "targets": read_health(aws, arn=group["target_group_arn"])})
        except OperationFailed as error:
            if error.code != "TargetGroupNotFound":
                raise
            problem = f"target group {group['target_group_arn']} does not exist"
            fresh.append({**group, "problem": problem, "targets": []})
    return fresh


def group_name(arn: str) -> str:
    """The name in a target group's ARN."""
    return arn.rsplit(":targetgroup/", maxsplit=1)[-1].split("/", maxsplit=1)[0]


def _health_check(aws: Aws, *, arn: str) -> dict[str, Any] | None:
    answer = aws.call("elbv2", "DescribeTargetGroups", doing=f"describe target group {arn}", TargetGroupArns=[arn])
    for group in answer.get("TargetGroups", []):
        return {
            "path": group.get("HealthCheckPath"),
            "port": group.get("HealthCheckPort"),
            "protocol": group.get("HealthCheckProtocol"),
        }
    return None


def unhealthy_targets(groups: Iterable[Mapping[str, Any]], *, addresses: set[str]) -> list[str]:
    """Why not all is well at the load balancer, in sentences; none for a service without a load balancer.

    Groups may be shared between services: where the addresses of the service's tasks are known only those count.
    """
    sentences = []
    for group in groups:
        name = group_name(group["target_group_arn"])
        if group.get("problem"):
            sentences.append(f"{group['problem']}.")
            continue
        staying = [target for target in group["targets"] if target["state"] not in _LEAVING]
        own = [target for target in staying if target["id"] in addresses] if addresses else staying
        sentences.extend(
            f"target {target['id']}:{target['port']} of {name} is {target['state']}"
            + (f" ({target['reason']})." if target.get("reason") else ".")
            for target in own
            if target["state"] != "healthy"
        )
        if not own:
            sentences.append(
                f"target group {name or short_id(group['target_group_arn'])} has no target of this service."
            )
    return sentences
