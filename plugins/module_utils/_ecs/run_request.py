# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What RunTask is asked for: read from the user's words and from a service, and judged before anything starts.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.definitions import tag_list
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import Guard
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.marks import started_by
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import find_service, primary_deployment
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.shapes import conform, input_shape, joined, nearest

__all__ = ["OneOff", "as_the_service", "parameters_of"]

_OVERRIDES_LIMIT = 8192
_FARGATE_PROVIDERS = frozenset({"FARGATE", "FARGATE_SPOT"})


@dataclass(frozen=True)
class OneOff:
    """Tasks to run, in AWS's words; `overrides` and `volume_configurations` as the user wrote them (either case).

    `count` may be any number. With `network_from_service`, `as_the_service` fills in what is left out.
    """

    cluster: str
    task_definition: str
    network: Mapping[str, Any] | None = None
    network_from_service: str | None = None
    launch_type: str | None = None
    capacity_provider_strategy: Sequence[Mapping[str, Any]] = ()
    platform_version: str | None = None
    placement_constraints: Sequence[Mapping[str, Any]] = ()
    placement_strategy: Sequence[Mapping[str, Any]] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)
    volume_configurations: Sequence[Mapping[str, Any]] = ()
    run_id: str | None = None
    tags: Mapping[str, Any] = field(default_factory=dict)
    propagate_tags: str | None = None
    enable_ecs_managed_tags: bool = False
    enable_execute_command: bool = False
    group: str | None = None
    count: int = 1
    capacity_timeout: float = 120
    guard: Guard | None = None

    @property
    def what(self) -> str:
        return f"{self.task_definition} in cluster {self.cluster}"


def as_the_service(aws: Aws, task: OneOff) -> OneOff:
    """`task` with the network of its service and, where the user left them out, what its tasks are launched on.

    Its newest deployment says it, as for the task that the service would start next. Raises OperationFailed for a
    service that does not exist or is not active. A task that names no service comes back as it is, on Fargate by
    default.
    """
    if not task.network_from_service:
        fargate = not task.launch_type and not task.capacity_provider_strategy
        return dataclasses.replace(task, launch_type="FARGATE") if fargate else task
    service = find_service(aws, cluster=task.cluster, service=task.network_from_service)
    if service.get("status") != "ACTIVE":
        raise OperationFailed(
            f"Could not run {task.what}: the service {task.network_from_service}, whose network it was to have, is "
            f"{service.get('status')}. Name an active service, or give network_configuration."
        )
    primary = primary_deployment(service) or {}

    def told(member: str) -> Any:
        return primary.get(member) or service.get(member)

    strategy = task.capacity_provider_strategy
    launch_type = task.launch_type
    if not strategy and not launch_type:
        strategy = told("capacityProviderStrategy") or ()
        launch_type = None if strategy else told("launchType")
    platform = task.platform_version
    if _on_fargate(launch_type, strategy):
        platform = platform or told("platformVersion")
    return dataclasses.replace(
        task,
        network=(told("networkConfiguration") or {}).get("awsvpcConfiguration"),
        launch_type=launch_type,
        capacity_provider_strategy=strategy,
        platform_version=platform,
    )


def _on_fargate(launch_type: str | None, strategy: Sequence[Mapping[str, Any]]) -> bool:
    return launch_type == "FARGATE" or any(item.get("capacityProvider") in _FARGATE_PROVIDERS for item in strategy)


def parameters_of(aws: Aws, task: OneOff, definition: Mapping[str, Any] | None) -> dict[str, Any]:
    """RunTask's parameters but for count and token; raises OperationFailed that names what is wrong with them."""
    overrides, problems = conform(dict(task.overrides), input_shape(aws, "RunTask", "overrides"), path="overrides")
    volumes, of_volumes = conform(
        list(task.volume_configurations),
        input_shape(aws, "RunTask", "volumeConfigurations"),
        path="volume_configurations",
    )
    problems += of_volumes
    if not problems and definition is not None:
        problems = _mistakes(task, overrides, volumes, definition)
    if not problems and len(json.dumps(overrides)) > _OVERRIDES_LIMIT:
        problems = [f"overrides is longer than ECS takes ({_OVERRIDES_LIMIT} characters as JSON)"]
    if problems:
        raise OperationFailed(f"Could not run {task.what}: {'; '.join(problems)}. Correct it and run again.")
    network = task.network
    if task.network_from_service and definition is not None and definition.get("networkMode", "awsvpc") != "awsvpc":
        # A task that shares its host's network has none of its own to be put into.
        network = None
    optional: dict[str, Any] = {
        "networkConfiguration": {"awsvpcConfiguration": dict(network)} if network else None,
        "launchType": task.launch_type,
        "capacityProviderStrategy": [dict(item) for item in task.capacity_provider_strategy],
        "platformVersion": task.platform_version,
        "placementConstraints": [dict(item) for item in task.placement_constraints],
        "placementStrategy": [dict(item) for item in task.placement_strategy],
        "overrides": overrides,
        "volumeConfigurations": volumes,
        "tags": tag_list(task.tags),
        "propagateTags": task.propagate_tags,
        "enableECSManagedTags": task.enable_ecs_managed_tags,
        "enableExecuteCommand": task.enable_execute_command,
        "group": task.group,
        "startedBy": started_by(task.run_id) if task.run_id else None,
    }
    return {
        "cluster": task.cluster,
        "taskDefinition": task.task_definition,
        **{name: value for name, value in optional.items() if value},
    }


def _mistakes(
    task: OneOff,
    overrides: Mapping[str, Any],
    volumes: Sequence[Mapping[str, Any]],
    definition: Mapping[str, Any],
) -> list[str]:
    """What ECS would refuse, seen in the definition."""
    problems = []
    if definition.get("status") not in (None, "ACTIVE"):
        problems.append(f"the task definition is {definition['status']}: give an active revision")
    problems += _network_mistakes(task, definition)
    compatible = definition.get("compatibilities") or []
    if task.launch_type in ("FARGATE", "EC2", "EXTERNAL") and compatible and task.launch_type not in compatible:
        problems.append(
            f"the task definition can't run on {task.launch_type} (it can on {joined(compatible)}): give another "
            "launch_type, or correct its requiresCompatibilities"
        )
    if (task.placement_constraints or task.placement_strategy) and _on_fargate(
        task.launch_type, task.capacity_provider_strategy
    ):
        problems.append("Fargate has no placement: leave out placement_constraints and placement_strategy")
    known = [str(container["name"]) for container in definition.get("containerDefinitions", [])]
    named = [str(override.get("name")) for override in overrides.get("containerOverrides", [])]
    problems += _unknown(named, known, what="overrides name the container")
    at_launch = [str(volume["name"]) for volume in definition.get("volumes", []) if volume.get("configuredAtLaunch")]
    problems += _unknown(
        [str(volume.get("name")) for volume in volumes],
        at_launch,
        what="volume_configurations name the volume",
        which=" as configuredAtLaunch",
    )
    return problems


def _network_mistakes(task: OneOff, definition: Mapping[str, Any]) -> list[str]:
    mode = definition.get("networkMode")
    if mode == "awsvpc" and not task.network:
        if task.network_from_service:
            return [
                f"its networkMode is awsvpc, but the tasks of service {task.network_from_service} have no network of "
                "their own: name another service, or give network_configuration"
            ]
        return ["its networkMode is awsvpc, so network_configuration must give subnets (or network_from_service)"]
    if mode not in (None, "awsvpc") and task.network and not task.network_from_service:
        return [f"its networkMode is {mode}, which takes no network_configuration: leave it out"]
    return []


def _unknown(names: Sequence[str], known: Sequence[str], *, what: str, which: str = "") -> list[str]:
    problems = []
    for name in names:
        if name not in known:
            guess = nearest(name, known)
            question = f"did you mean {guess}?" if guess else f"it has: {joined(known)}"
            problems.append(f"{what} {name}, which the definition does not have{which} ({question})")
    return problems
