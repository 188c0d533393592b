# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything about one service that an operator, or an unlock, wants to know: collected by reads only.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs import autoscaling, diagnosis
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, snake
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.arguments import timed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.definitions import describe_definition
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.mounts import find_mounts
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.protection import protected_tasks
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
    name_of,
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
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import census, group_of_service, is_gone
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock, utc_text

__all__ = ["Neighbours", "collect"]


@dataclass(frozen=True)
class Neighbours:
    """Who else mounts the service's file systems is asked, too: in `clusters`, and `always`, or of a service that is
    not healthy. The service's own tasks are not told."""

    clusters: Sequence[str]
    always: bool = False


def collect(
    aws: Aws,
    *,
    cluster: str,
    service: str,
    clock: Clock,
    stopped: int = 5,
    log_lines: int = 20,
    events: int = 20,
    neighbours: Neighbours | None = None,
) -> dict[str, Any]:
    """What ecs_service_info returns. Raises OperationFailed, also for a cluster or service that does not exist."""
    now = clock.utcnow()
    found = find_service(aws, cluster=cluster, service=service)
    primary = primary_deployment(found) or {}
    definition_arn = str(primary.get("taskDefinition") or found.get("taskDefinition") or "")
    definition = describe_definition(aws, name=definition_arn) if definition_arn else {}
    # Where all tasks of the cluster are asked for anyway, the service's are among them.
    early = neighbours and (neighbours.always or diagnosis.unhealthy_because({"service": snake(found), "tasks": []}))
    listed: dict[str, list[dict[str, Any]]] = {}
    mounts = _mounts(aws, found, definition, neighbours, listed=listed, clock=clock) if neighbours and early else []
    if name_of(cluster) in listed:
        own = [
            task
            for task in listed[name_of(cluster)]
            if task.get("group") == group_of_service(str(found["serviceName"]))
        ]
    else:
        own = census(aws, cluster=cluster, serviceName=service).tasks
    tasks = newest_first(own)
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
    if neighbours and problems and not early:
        listed = {name_of(cluster): own}
        mounts = _mounts(aws, found, definition, neighbours, listed=listed, clock=clock)
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
        "mounts": mounts,
        "healthy": not problems,
        "unhealthy_because": problems,
        "diagnosis": diagnosis.diagnose(facts),
    }


def _mounts(
    aws: Aws,
    service: Mapping[str, Any],
    definition: dict[str, Any],
    asked: Neighbours,
    *,
    listed: dict[str, list[dict[str, Any]]],
    clock: Clock,
) -> list[dict[str, Any]]:
    """What ecs_mounts_info says of each file system; none where that cannot be told, which it says better by itself.

    Tasks in `listed`, by cluster, are not described again; those of each cluster that was looked at are added.
    """
    own = f"{name_of(str(service['clusterArn']))}/{service['serviceName']}"
    definitions: dict[str, Mapping[str, Any] | None] = (
        {str(definition["taskDefinitionArn"]): definition} if definition else {}
    )
    told = []
    for file_system in dict.fromkeys(str(volume["file_system_id"]) for volume in efs_volumes(definition)):
        look = functools.partial(
            find_mounts,
            aws,
            file_system_id=file_system,
            clusters=asked.clusters,
            exclude=[own],
            definitions=definitions,
            over={str(task["taskArn"]): task for tasks in listed.values() for task in tasks},
            listed=listed,
            clock=clock,
        )
        try:
            told.append(timed(look, clock=clock))
        except OperationFailed:
            return []
    return told


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
    read = with_tails(
        aws,
        tasks=[task for task in kept if task["taskArn"] in explained],
        newest=stopped,
        lines=log_lines,
        definitions=definitions,
        tells_all=_names_a_lock,
    )
    tails = {view["task_arn"]: view for view in read}
    views = [tails.get(task["taskArn"]) or task_view(task) for task in kept]
    for view in views:
        view["protected"] = None if guarded is None else view["task_arn"] in guarded
    return views
