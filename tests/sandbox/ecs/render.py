# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records as ECS's answers show them."""

from __future__ import annotations

from typing import Any

from sandbox.ecs.definitions import as_list
from sandbox.ecs.model import ACCOUNT, STARTING, Cluster, ContainerRun, Deployment, Service, Settings, Task


def task(item: Task, *, tags: bool = True) -> dict[str, Any]:
    """A Task; `tags` are shown where the request asks for them."""
    body: dict[str, Any] = {
        "taskArn": item.arn,
        "clusterArn": item.cluster.arn,
        "taskDefinitionArn": item.definition.arn,
        "group": item.group,
        "lastStatus": item.last_status,
        "desiredStatus": item.desired_status,
        "healthStatus": "UNKNOWN",
        "availabilityZone": item.network.zone,
        "attachments": [_attachment(item)],
        "attributes": [{"name": "ecs.cpu-architecture", "value": "x86_64"}],
        "containers": [_container(item, run) for run in item.containers],
        "cpu": item.overrides.get("cpu") or item.definition.body.get("cpu"),
        "memory": item.overrides.get("memory") or item.definition.body.get("memory"),
        "createdAt": item.created_at,
        "enableExecuteCommand": False,
        "overrides": _overrides(item),
        "platformVersion": item.platform_version,
        "platformFamily": "Linux",
        "ephemeralStorage": {"sizeInGiB": 20},
        "version": item.version,
        "tags": as_list(item.tags) if tags else [],
        **item.times,
    }
    if item.network.status != "PRECREATED":
        body["connectivity"] = "CONNECTED"
    optional = {
        "startedBy": item.started_by or None,
        "launchType": item.launch_type,
        "capacityProviderName": item.capacity_provider,
        "stopCode": item.stop_code,
        "stoppedReason": item.stopped_reason,
    }
    return body | {key: value for key, value in optional.items() if value is not None}


def _attachment(item: Task) -> dict[str, Any]:
    network = item.network
    details = [{"name": "subnetId", "value": network.subnet}]
    if network.status != "PRECREATED":
        details += [
            {"name": "networkInterfaceId", "value": network.interface},
            {"name": "macAddress", "value": network.mac},
            {
                "name": "privateDnsName",
                "value": f"ip-{network.address.replace('.', '-')}.{item.region}.compute.internal",
            },
            {"name": "privateIPv4Address", "value": network.address},
        ]
    return {
        "id": network.attachment_id, "type": "ElasticNetworkInterface", "status": network.status, "details": details,
    }  # fmt: skip


def _container(item: Task, run: ContainerRun) -> dict[str, Any]:
    body: dict[str, Any] = {
        "containerArn": run.arn,
        "taskArn": item.arn,
        "name": run.name,
        "image": run.definition["image"],
        "lastStatus": run.last_status,
        "networkBindings": [],
        "networkInterfaces": [{"attachmentId": item.network.attachment_id, "privateIpv4Address": item.network.address}],
        "healthStatus": "UNKNOWN",
        "cpu": str(run.definition.get("cpu", 0)),
    }
    if run.definition.get("memory"):
        body["memory"] = str(run.definition["memory"])
    if run.process is not None:
        body["runtimeId"] = run.runtime_id
    if run.exit_code is not None:
        body["exitCode"] = run.exit_code
    if run.reason:
        body["reason"] = run.reason
    return body


def _overrides(item: Task) -> dict[str, Any]:
    given = {entry["name"]: entry for entry in item.overrides.get("containerOverrides") or []}
    body = {key: value for key, value in item.overrides.items() if key != "containerOverrides"}
    body["containerOverrides"] = [given.get(run.name, {"name": run.name}) for run in item.containers]
    body.setdefault("inferenceAcceleratorOverrides", [])
    return body


def counts(tasks: list[Task], settings: Settings) -> tuple[int, int]:
    """(running, pending) as ECS counts them: a task that is on its way out counts for neither."""
    running_states = ("RUNNING", "DEACTIVATING") if settings.deactivating_counts_as_running else ("RUNNING",)
    running = sum(1 for item in tasks if item.last_status in running_states)
    pending = sum(1 for item in tasks if item.last_status in STARTING)
    return running, pending


def deployment(item: Deployment, tasks: list[Task], settings: Settings) -> dict[str, Any]:
    running, pending = counts([found for found in tasks if found.deployment is item], settings)
    body: dict[str, Any] = {
        "id": item.id,
        "status": item.status,
        "taskDefinition": item.definition.arn,
        "desiredCount": item.desired,
        "pendingCount": pending,
        "runningCount": running,
        "failedTasks": item.failed,
        "createdAt": item.created_at,
        "updatedAt": item.updated_at,
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "networkConfiguration": item.network,
        "rolloutState": item.rollout,
        "rolloutStateReason": item.reason,
    }
    if item.capacity:
        body["capacityProviderStrategy"] = item.capacity
    else:
        body["launchType"] = item.launch_type
    return body


def service(item: Service, tasks: list[Task], settings: Settings, *, tags: bool) -> dict[str, Any]:
    running, pending = counts(tasks, settings)
    body: dict[str, Any] = {
        "serviceArn": item.arn,
        "serviceName": item.name,
        "clusterArn": item.cluster.arn,
        "loadBalancers": item.load_balancers,
        "serviceRegistries": [],
        "status": item.status,
        "desiredCount": item.desired,
        "runningCount": running,
        "pendingCount": pending,
        "platformVersion": item.platform_version,
        "platformFamily": "Linux",
        "taskDefinition": item.definition.arn,
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": item.breaker or {"enable": False, "rollback": False},
            "maximumPercent": item.maximum_percent,
            "minimumHealthyPercent": item.minimum_percent,
            **item.strategy,
        },
        "deployments": [deployment(found, tasks, settings) for found in item.deployments],
        "events": list(item.events),
        "createdAt": item.created_at,
        "createdBy": f"arn:aws:iam::{ACCOUNT}:user/sandbox",
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
        "placementConstraints": [],
        "placementStrategy": [],
        "networkConfiguration": item.network,
        "healthCheckGracePeriodSeconds": int(item.grace),
        "schedulingStrategy": item.scheduling,
        "deploymentController": {"type": item.controller},
        "enableECSManagedTags": item.managed_tags,
        "propagateTags": item.propagate_tags,
        "enableExecuteCommand": False,
        "availabilityZoneRebalancing": item.az_rebalancing,
    }
    if item.capacity:
        body["capacityProviderStrategy"] = item.capacity
    else:
        body["launchType"] = item.launch_type
    if tags:
        body["tags"] = as_list(item.tags)
    return body


def cluster(item: Cluster, tasks: list[Task], services: list[Service], *, tags: bool) -> dict[str, Any]:
    running, pending = counts(tasks, Settings())
    body: dict[str, Any] = {
        "clusterArn": item.arn,
        "clusterName": item.name,
        "status": item.status,
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": running,
        "pendingTasksCount": pending,
        "activeServicesCount": sum(1 for found in services if found.status == "ACTIVE"),
        "statistics": [],
        "settings": item.created.get("settings") or [{"name": "containerInsights", "value": "disabled"}],
        "capacityProviders": item.created.get("capacityProviders") or [],
        "defaultCapacityProviderStrategy": item.created.get("defaultCapacityProviderStrategy") or [],
        "tags": as_list(item.tags) if tags else [],
    }
    return body


__all__ = ["cluster", "counts", "deployment", "service", "task"]
