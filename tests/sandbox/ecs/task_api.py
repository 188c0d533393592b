# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""RunTask, StopTask, DescribeTasks, ListTasks, and task protection."""

from __future__ import annotations

import json
from typing import Any

from sandbox.ecs import launch, lifecycle, render
from sandbox.ecs.engine import Engine
from sandbox.ecs.errors import AwsError, invalid_parameter, service_not_found
from sandbox.ecs.launch import TaskRequest
from sandbox.ecs.model import Cluster, Definition, Protection, Task, arn
from sandbox.ecs.paging import page
from sandbox.ecs.scheduler import CAPACITY, protected
from sandbox.ecs.validation import check_started_by, tags_of

_NO_NETWORK = "Network Configuration must be provided when networkMode 'awsvpc' is specified."


def run(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    cluster = engine.cluster(region, params.get("cluster"))
    token = params.get("clientToken")
    wish = {key: value for key, value in params.items() if key != "clientToken"}
    key = (region, cluster.name, str(token))
    if token:
        _check_token(str(token))
        if key in engine.tokens:
            return _replay(engine, *engine.tokens[key], wish=wish)
    request, count = _request(engine, region, cluster, params)
    answer = _start(engine, request, count)
    if token and answer["tasks"]:
        engine.tokens[key] = (wish, answer)
    return answer


def _check_token(token: str) -> None:
    if not 1 <= len(token) <= 64 or not all(33 <= ord(letter) <= 126 for letter in token):
        raise invalid_parameter("clientToken must be 1 to 64 ASCII characters between 33 and 126")


def _replay(engine: Engine, earlier: dict[str, Any], answer: dict[str, Any], *, wish: dict[str, Any]) -> dict[str, Any]:
    arns = [task["taskArn"] for task in answer["tasks"]]
    if wish != earlier:
        raise AwsError(
            "ConflictException", "The request's parameters differ from those of the earlier request with this token.",
            resourceIds=arns,
        )  # fmt: skip
    shown = []
    for task_arn in arns:
        task = engine.tasks.get(task_arn)
        if task is None or task.over:
            shown.append({"taskArn": task_arn, "lastStatus": "STOPPED", "desiredStatus": "STOPPED"})
        else:
            shown.append(render.task(task))
    return {"tasks": shown, "failures": []}


def _request(engine: Engine, region: str, cluster: Cluster, params: dict[str, Any]) -> tuple[TaskRequest, int]:
    count = int(params.get("count", 1))
    if not 1 <= count <= 10:
        raise invalid_parameter("count should be between 1 and 10")
    strategy = params.get("capacityProviderStrategy") or []
    if params.get("launchType") and strategy:
        raise invalid_parameter("Specifying both a launch type and capacity provider strategy is not supported.")
    definition = engine.definitions_of(region).runnable(str(params["taskDefinition"]), error=invalid_parameter)
    launch_type, provider = _placement(cluster, params.get("launchType"), strategy)
    if launch_type == "EC2":
        raise invalid_parameter("No Container Instances were found in your cluster.")
    if "FARGATE" not in definition.body["compatibilities"]:
        raise AwsError("InvalidParameterException",
                       "Task definition does not support launch_type FARGATE.")  # fmt: skip
    network = params.get("networkConfiguration") or {}
    if not network.get("awsvpcConfiguration"):
        raise invalid_parameter(_NO_NETWORK)
    engine.cloud.check_network(region, network)
    overrides = params.get("overrides") or {}
    _check_overrides(overrides, definition)
    check_started_by(params.get("startedBy"))
    roles = [overrides.get(name) or definition.body.get(name) for name in ("executionRoleArn", "taskRoleArn")]
    engine.cloud.check_roles(*roles)
    request = TaskRequest(
        cluster=cluster,
        definition=definition,
        network=network,
        group=str(params.get("group") or f"family:{definition.family}"),
        started_by=str(params.get("startedBy") or ""),
        launch_type=launch_type,
        capacity_provider=provider,
        overrides=overrides,
        tags=_tags(cluster, definition, params),
    )
    return request, count


def _placement(cluster: Cluster, launch_type: str | None, strategy: list[dict[str, Any]]) -> tuple[str, str | None]:
    chosen = strategy or ([] if launch_type else cluster.created.get("defaultCapacityProviderStrategy") or [])
    if chosen:
        provider = str(chosen[0]["capacityProvider"])
        return ("FARGATE" if provider.startswith("FARGATE") else "EC2"), provider
    return launch_type or "EC2", None


def _check_overrides(overrides: dict[str, Any], definition: Definition) -> None:
    if len(json.dumps(overrides)) > 8192:
        raise invalid_parameter("The overrides are longer than 8192 characters.")
    names = {container["name"] for container in definition.containers}
    for entry in overrides.get("containerOverrides") or []:
        if entry.get("name") not in names:
            raise invalid_parameter(f"Override for container named {entry.get('name')} is not a container in the "
                                    "TaskDefinition.")  # fmt: skip


def _tags(cluster: Cluster, definition: Definition, params: dict[str, Any]) -> dict[str, str]:
    passed = params.get("propagateTags") or "NONE"
    if passed == "SERVICE":
        raise invalid_parameter("Tags can only be propagated from a service when the task is started by a service.")
    tags = dict(definition.tags) if passed == "TASK_DEFINITION" else {}
    tags |= tags_of(params)
    if params.get("enableECSManagedTags"):
        tags["aws:ecs:clusterName"] = cluster.name
    return tags


def _start(engine: Engine, request: TaskRequest, count: int) -> dict[str, Any]:
    family = request.definition.family
    ordered = engine.faults.take("run_task_failures", family=family)
    reason = str(ordered.settings.get("reason", "RESOURCE:ENI")) if ordered is not None else None
    if reason is None and engine.faults.take("capacity", family=family):
        reason = CAPACITY
    if reason is not None:
        failure = {"reason": reason}
        if reason.startswith("RESOURCE:"):
            failure["arn"] = arn(request.cluster.region, "container-instance", request.cluster.name, "fargate")
        return {"tasks": [], "failures": [failure] * count}
    return {"tasks": [render.task(launch.create(engine, request)) for _turn in range(count)], "failures": []}


def find(engine: Engine, cluster: Cluster, name: str) -> Task | None:
    """By ARN or id, in this cluster only."""
    found = engine.tasks.get(arn(cluster.region, "task", cluster.name, name.rsplit("/", 1)[-1]))
    return found if found is not None and found.cluster is cluster else None


def stop(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    cluster = engine.cluster(region, params.get("cluster"))
    task = find(engine, cluster, str(params["task"]))
    if task is None:
        raise invalid_parameter("The referenced task was not found.")
    reason = str(params.get("reason") or "Task stopped by user")
    before = task.last_status
    lifecycle.begin_stop(engine, task, code="UserInitiated", reason=reason)
    # AWS deletes a task's tags when it is stopped by this call.
    task.tags.clear()
    shown = render.task(task)
    if before == "RUNNING" and not task.over:
        # The answer still shows the state from before the stop.
        shown["lastStatus"] = before
    return {"task": shown}


def describe(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    cluster = engine.cluster(region, params.get("cluster"))
    names = list(params["tasks"])
    if not names:
        raise invalid_parameter("Tasks cannot be empty.")
    if len(names) > 100:
        raise invalid_parameter("Tasks can have at most 100 items.")
    tags = "TAGS" in (params.get("include") or [])
    shown, failures = [], []
    for name in dict.fromkeys(names):
        task = find(engine, cluster, str(name))
        if task is None or _hidden(engine, task):
            full = name if str(name).startswith("arn:") else arn(region, "task", cluster.name, str(name))
            failures.append({"arn": full, "reason": "MISSING"})
        else:
            shown.append(render.task(task, tags=tags))
    return {"tasks": shown, "failures": failures}


def _hidden(engine: Engine, task: Task) -> bool:
    if engine.faults.active("task_gone", family=task.definition.family):
        return True
    if task.hide_polls > 0:
        task.hide_polls -= 1
        return True
    return engine.clock.now() < task.hide_until


def list_(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    cluster = engine.cluster(region, params.get("cluster"))
    given = [
        key for key in ("startedBy", "serviceName", "family", "containerInstance", "launchType") if params.get(key)
    ]
    for alone in ("startedBy", "serviceName"):
        if alone in given and set(given) - {alone} - ({"launchType"} if alone == "serviceName" else set()):
            raise invalid_parameter(f"cannot specify {alone} with other arguments")
    service = None
    if params.get("serviceName"):
        service = engine.service(cluster, str(params["serviceName"]))
        if service is None:
            raise service_not_found()
    desired = params.get("desiredStatus") or "RUNNING"
    found = [
        task.arn
        for task in engine.tasks.values()
        if task.cluster is cluster
        and task.desired_status == desired
        and (service is None or task.service is service)
        and params.get("family") in (None, task.definition.family)
        and params.get("startedBy") in (None, task.started_by)
        and params.get("launchType") in (None, task.launch_type)
        and not params.get("containerInstance")
    ]
    chosen, token = page(sorted(found), max_results=params.get("maxResults"), token=params.get("nextToken"))
    return {"taskArns": chosen} | ({"nextToken": token} if token else {})


def update_protection(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    cluster = engine.cluster(region, params.get("cluster"))
    minutes = int(params.get("expiresInMinutes") or 120)
    if not 1 <= minutes <= 2880:
        raise invalid_parameter("expiresInMinutes must be between 1 and 2880")
    shown, failures = [], []
    for name in params["tasks"]:
        task = find(engine, cluster, str(name))
        if task is None or task.service is None:
            failures.append({"arn": name, "reason": "MISSING" if task is None else "TASK_NOT_VALID"})
            continue
        task.protection = None
        if params["protectionEnabled"]:
            task.protection = Protection(
                until=engine.clock.now() + minutes * 60,
                until_at=engine.clock.wall() + engine.clock.real(minutes * 60),
            )
        shown.append(_protection(engine, task))
    return {"protectedTasks": shown, "failures": failures}


def get_protection(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    cluster = engine.cluster(region, params.get("cluster"))
    names = params.get("tasks") or [t.arn for t in engine.tasks.values() if t.cluster is cluster and t.service]
    shown, failures = [], []
    for name in names:
        task = find(engine, cluster, str(name))
        if task is None or task.service is None:
            failures.append({"arn": name, "reason": "MISSING" if task is None else "TASK_NOT_VALID"})
        else:
            shown.append(_protection(engine, task))
    return {"protectedTasks": shown, "failures": failures}


def _protection(engine: Engine, task: Task) -> dict[str, Any]:
    on = protected(engine, task)
    body: dict[str, Any] = {"taskArn": task.arn, "protectionEnabled": on}
    if on and task.protection is not None:
        body["expirationDate"] = task.protection.until_at
    return body


__all__ = ["describe", "find", "get_protection", "list_", "run", "stop", "update_protection"]
