# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Amazon ECS's operations, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.calls import writes
from sandbox.ecs import clusters, service_api, service_deployments, tags, task_api
from sandbox.ecs.definitions import Definitions
from sandbox.ecs.engine import Engine
from sandbox.ecs.validation import check_shape, known_operation

Handler = Callable[[Engine, str, dict[str, Any]], dict[str, Any]]


def _of_definitions(method: Callable[[Definitions, dict[str, Any]], dict[str, Any]]) -> Handler:
    return lambda engine, region, params: method(engine.definitions_of(region), params)


OPERATIONS: dict[str, Handler] = {
    "CreateCluster": clusters.create,
    "DescribeClusters": clusters.describe,
    "ListClusters": clusters.list_,
    "UpdateCluster": clusters.update,
    "UpdateClusterSettings": clusters.update,
    "DeleteCluster": clusters.delete,
    "RegisterTaskDefinition": _of_definitions(Definitions.register),
    "DescribeTaskDefinition": _of_definitions(Definitions.describe),
    "DeregisterTaskDefinition": _of_definitions(Definitions.deregister),
    "DeleteTaskDefinitions": _of_definitions(Definitions.delete),
    "ListTaskDefinitions": _of_definitions(Definitions.list),
    "ListTaskDefinitionFamilies": _of_definitions(Definitions.families),
    "RunTask": task_api.run,
    "StopTask": task_api.stop,
    "DescribeTasks": task_api.describe,
    "ListTasks": task_api.list_,
    "UpdateTaskProtection": task_api.update_protection,
    "GetTaskProtection": task_api.get_protection,
    "CreateService": service_api.create,
    "UpdateService": service_api.update,
    "DeleteService": service_api.delete,
    "DescribeServices": service_api.describe,
    "ListServices": service_api.list_,
    "ListServiceDeployments": service_deployments.list_,
    "DescribeServiceDeployments": service_deployments.describe,
    "ContinueServiceDeployment": service_deployments.proceed,
    "StopServiceDeployment": service_deployments.stop,
    "TagResource": tags.tag,
    "UntagResource": tags.untag,
    "ListTagsForResource": tags.list_,
}
# These write, so that moto's own stores, which know nothing of our services, must not answer them.
ABSENT = (
    "DescribeServiceRevisions", "StartTask", "CreateTaskSet", "UpdateTaskSet", "DeleteTaskSet",
    "UpdateServicePrimaryTaskSet", "ExecuteCommand",
)  # fmt: skip


def handles(operation: str) -> bool:
    return operation in OPERATIONS


def absent(operation: str) -> bool:
    return operation in ABSENT or not known_operation(operation)


def call(engine: Engine, region: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    """Answers one request. Raises AwsError."""
    check_shape(operation, params)
    with engine.lock:
        answer = OPERATIONS[operation](engine, region, params)
    if writes("ecs", operation):
        engine.wake()
    return answer


__all__ = ["OPERATIONS", "absent", "call", "handles"]
