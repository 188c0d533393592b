# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything about one service that an operator, or an unlock, wants to know: collected by reads only.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs import autoscaling, diagnosis
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, snake
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.definitions import describe_definition
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.scaling import protected_tasks
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.service_deployments import (
    has_stages,
    pause_of,
    read_service_deployment,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import (
    efs_volumes,
    essential_containers,
    find_service,
    log_configurations,
    network_view,
    primary_deployment,
    task_view,
    without_values,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tails import newest_first, with_tails
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.targets import (
    addresses_of,
    read_targets,
    unhealthy_targets,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import census, is_gone
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import utc_text

__all__ = ["collect"]


def collect(
    aws: Aws, *, cluster: str, service: str, now: datetime, stopped: int = 5, log_lines: int = 20, events: int = 20
) -> dict[str, Any]:
    """What ecs_service_info returns. Raises OperationFailed, also for a cluster or service that does not exist."""
    found = find_service(aws, cluster=cluster, service=service)
    primary = primary_deployment(found) or {}
    definition_arn = str(primary.get("taskDefinition") or found.get("taskDefinition") or "")
    definition = describe_definition(aws, name=definition_arn) if definition_arn else {}
    tasks = newest_first(census(aws, cluster=cluster, serviceName=service).tasks)
    views = _task_views(
        aws,
        cluster=cluster,
        tasks=tasks,
        stopped=stopped,
        log_lines=log_lines,
        definitions={definition_arn: definition},
    )
    targets = read_targets(aws, service=found)
    shown = snake({**found, "events": found.get("events", [])[:events]})
    stages = _stages(aws, found)
    pause = pause_of(stages)
    facts = {
        "service": shown,
        "tasks": views,
        # Whoever wants to see few events wants the diagnosis from all of them nevertheless.
        "events": snake({"events": found.get("events", [])})["events"],
        "essential": essential_containers(definition),
        "target_problems": unhealthy_targets(targets, addresses=addresses_of(tasks)),
        "pause": pause and {"text": pause.text, "advice": pause.advice},
        # Whose a lock is, tasks of which no log is read tell as well.
        "history": [task_view(task) for task in tasks],
        "volumes": efs_volumes(definition),
        "log_groups": list(dict.fromkeys(log["group"] for log in log_configurations(definition).values())),
        "target_groups": [group["target_group_arn"] for group in targets],
        "now": utc_text(now),
    }
    problems = diagnosis.unhealthy_because(facts)
    return {
        "changed": False,
        "service": shown,
        "deployments": shown.get("deployments", []),
        "service_deployment": snake(stages) if stages else None,
        "task_definition": without_values(definition),
        "volumes": efs_volumes(definition),
        "network": network_view(found),
        "log_configurations": log_configurations(definition),
        "tasks": views,
        "autoscaling": autoscaling.read_state(aws, cluster=cluster, service=service),
        "targets": targets,
        "healthy": not problems,
        "unhealthy_because": problems,
        "diagnosis": diagnosis.diagnose(facts),
    }


def _stages(aws: Aws, service: Mapping[str, Any]) -> dict[str, Any] | None:
    """The service deployment of a service whose deployments have stages; what may not be read is left out."""
    arn = service.get("currentServiceDeployment")
    if not arn or not has_stages(service):
        return None
    try:
        return read_service_deployment(aws, arn=str(arn))
    except OperationFailed:
        return None


def _names_a_lock(lines: list[str]) -> bool:
    """Whether nothing that another container of the task printed could explain its end any better."""
    return bool(diagnosis.lock_lines(lines))


def _task_views(
    aws: Aws,
    *,
    cluster: str,
    tasks: list[dict[str, Any]],
    stopped: int,
    log_lines: int,
    definitions: dict[str, Any],
) -> list[dict[str, Any]]:
    """Every live task and the newest `stopped` ones that have ended or are ending, newest first.

    Log tails are read for those that have ended or are ending: a task may be DEACTIVATING for minutes after its
    container died.
    """
    ending = [task for task in tasks if is_gone(task) or task.get("stopCode") or task.get("desiredStatus") == "STOPPED"]
    explained = {task["taskArn"] for task in ending[:stopped]}
    kept = [task for task in tasks if task["taskArn"] in explained or not is_gone(task)]
    live = [task["taskArn"] for task in kept if not is_gone(task)]
    protected = protected_tasks(aws, cluster=cluster, arns=live)
    guarded = None if protected is None else {entry["taskArn"] for entry in protected}
    views = []
    for task in kept:
        newest = int(task["taskArn"] in explained)
        (view,) = with_tails(
            aws, tasks=[task], newest=newest, lines=log_lines, definitions=definitions, tells_all=_names_a_lock
        )
        view["protected"] = None if guarded is None else task["taskArn"] in guarded
        views.append(view)
    return views
