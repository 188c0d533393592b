# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says of an ECS "Task State Change" event whether a service's task ended by a failure, and nothing else of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

DOCUMENTATION = r"""
---
short_description: Say whether a service's task failed, from an ECS task state change
description:
  - Takes an event of EventBridge, as C(ansible.eda.aws_sqs_queue) gives it (under C(body)), as a webhook gives it
    (under C(payload)), or as it is, and replaces it by one dict, C(ecs_stop).
  - C(ecs_stop.failed) is true only for a task of a service that is STOPPED and that nobody stopped on purpose. A
    deployment, a change of the desired count, a StopTask of a user or of a pipeline, a reclaimed Spot task and AWS's
    own maintenance are no failures, and neither is any task that belongs to no service, as the cleaner's.
  - C(ecs_stop.why) says in one sentence why it was judged so.
  - C(ecs_stop.service_arn) and C(ecs_stop.task_arn) are there only where they look as ARNs do. No other text of the
    event is passed on, since what a rule hands to a playbook becomes a variable there.
options:
  ignored_families:
    description: Families of task definitions whose tasks never count, even where a service runs them.
    type: list
    elements: str
    default: [clear-qdrant-locks]
"""

EXAMPLES = r"""
- eda.builtin.webhook:
    port: 5000
  filters:
    - wwhd.qdrant_ops.ecs_stopped_task:
        ignored_families: [clear-qdrant-locks]
"""

_ARN = r"arn:aws[a-z-]*:ecs:[a-z0-9-]+:\d{12}"
_CLUSTER = re.compile(rf"({_ARN}):cluster/([A-Za-z0-9_-]{{1,255}})")
_TASK = re.compile(rf"{_ARN}:task/[A-Za-z0-9_-]{{1,255}}/[A-Za-z0-9]{{1,64}}")
_DEFINITION = re.compile(rf"{_ARN}:task-definition/([A-Za-z0-9_-]{{1,255}}):\d+")
_GROUP = re.compile(r"service:([A-Za-z0-9_-]{1,255})")

# The scheduler ends tasks for scaling, and for health checks that fail: only its words tell the two apart.
_HEALTH_CHECKS = re.compile(r"failed (ELB|container) health checks", re.IGNORECASE)
_ON_PURPOSE = {
    "UserInitiated": "Somebody, or a pipeline, stopped it on purpose.",
    "SpotInterruption": "AWS took its Spot capacity back.",
    "TerminationNotice": "Its container instance is being ended.",
    "InfrastructureHealth": "AWS replaced the host that it ran on.",
}
_FAILED = {
    "EssentialContainerExited": "An essential container ended by itself.",
    "TaskFailedToStart": "It could not be started.",
}


def main(event: dict[str, Any], ignored_families: list[str] | None = None) -> dict[str, Any]:
    """Returns a dict for each event, also for one that says nothing: some sources cannot take an empty list."""
    families = ["clear-qdrant-locks"] if ignored_families is None else ignored_families
    return {"ecs_stop": _judged(_unwrapped(event), families)}


def _unwrapped(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The event of EventBridge, whatever a source has put around it."""
    inner = event.get("body", event.get("payload", event))
    if isinstance(inner, str):
        try:
            inner = json.loads(inner)
        except ValueError:
            return {}
    return inner if isinstance(inner, Mapping) else {}


def _judged(event: Mapping[str, Any], ignored_families: list[str]) -> dict[str, Any]:
    detail = event.get("detail")
    if event.get("source") != "aws.ecs" or event.get("detail-type") != "ECS Task State Change":
        return _no("This is no ECS task state change.")
    if not isinstance(detail, Mapping):
        return _no("The event has no detail.")
    named = {
        name: pattern.fullmatch(str(detail.get(key) or ""))
        for name, key, pattern in (
            ("cluster", "clusterArn", _CLUSTER),
            ("task", "taskArn", _TASK),
            ("definition", "taskDefinitionArn", _DEFINITION),
            ("group", "group", _GROUP),
        )
    }
    group, cluster, task, definition = named["group"], named["cluster"], named["task"], named["definition"]
    if group is None:
        return _no("It belongs to no service.")
    if cluster is None or task is None or definition is None:
        return _no("Its cluster, task or task definition is no ARN of ECS.")
    arns = {
        "service_arn": f"{cluster[1]}:service/{cluster[2]}/{group[1]}",
        "task_arn": task[0],
    }
    if definition[1] in ignored_families:
        return _no("It is a task of a family that never counts.", **arns)
    if detail.get("lastStatus") != "STOPPED":
        return _no("It has not stopped yet.", **arns)
    failed, why = _ending(str(detail.get("stopCode") or ""), str(detail.get("stoppedReason") or ""))
    return {"failed": failed, "why": why, **arns}


def _ending(code: str, reason: str) -> tuple[bool, str]:
    if code == "ServiceSchedulerInitiated":
        if _HEALTH_CHECKS.search(reason):
            return True, "ECS ended it because its health checks failed."
        return False, "ECS ended it for a deployment or for the desired count."
    if code in _FAILED:
        return True, _FAILED[code]
    return False, _ON_PURPOSE.get(code, "ECS gave no code that tells of a failure.")


def _no(why: str, **arns: str) -> dict[str, Any]:
    return {"failed": False, "why": why, **arns}
