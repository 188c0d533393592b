# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service scheduler: which tasks to stop, which to start, by desired count, health and percentages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sandbox.ecs import deployments, launch, lifecycle
from sandbox.ecs.errors import AwsError
from sandbox.ecs.launch import TaskRequest
from sandbox.ecs.model import STARTING, Deployment, Service, Task

if TYPE_CHECKING:
    from sandbox.ecs.engine import Engine

CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone."
BLOCKED = (
    "was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the "
    "minimumHealthyPercent or maximumPercent value and try again."
)


def reconcile(engine: Engine, service: Service) -> None:
    """One pass over one service."""
    if service.status == "INACTIVE" or service.controller != "ECS":
        return
    tasks = engine.tasks_of(service)
    _autoscale(engine, service)
    _rebalance(engine, service, tasks)
    _stop_unhealthy(engine, service, tasks)
    deployments.count_start_failures(engine, service, tasks)
    stopped = _stop_surplus(engine, service, tasks)
    started = _start_missing(engine, service, tasks)
    _tell_if_blocked(engine, service, tasks, moved=bool(stopped or started))
    current = engine.tasks_of(service)
    healthy = sum(1 for task in current if _of_primary(service, task) and is_healthy(engine, task))
    deployments.advance(engine, service, current, healthy=healthy)
    if service.status == "DRAINING" and not any(task.wanted for task in current):
        service.status = "INACTIVE"
        service.deployments.clear()


def is_healthy(engine: Engine, task: Task) -> bool:
    """RUNNING and, behind a load balancer, healthy there; without one, RUNNING for as long as AWS waits."""
    if task.last_status != "RUNNING" or not task.wanted:
        return False
    if task.registered:
        return all(state == "healthy" for state in engine.targets.states(task))
    return engine.clock.now() - task.running_since >= engine.settings.healthy_after


def protected(engine: Engine, task: Task) -> bool:
    return task.protection is not None and engine.clock.now() < task.protection.until


def _of_primary(service: Service, task: Task) -> bool:
    return task.deployment is not None and task.deployment is service.primary


def _autoscale(engine: Engine, service: Service) -> None:
    """The scale-out that an alarm or a schedule would do: below the minimum, desired is lifted to it."""
    fault = engine.faults.active("autoscaler", service=service.name)
    if not engine.settings.autoscaler_acts and fault is None:
        return
    scheduled = fault is not None and fault.settings.get("by") == "schedule"
    way = "ScheduledScalingSuspended" if scheduled else "DynamicScalingOutSuspended"
    target = engine.cloud.scalable_target(service.region, f"service/{service.cluster.name}/{service.name}")
    now = engine.clock.now()
    if target is None or service.desired >= target[0] or target[2].get(way):
        service.below_minimum_since = None
    elif service.below_minimum_since is None:
        service.below_minimum_since = now
    elif now - service.below_minimum_since >= engine.settings.autoscaler_delay:
        set_desired(engine, service, target[0])


def _rebalance(engine: Engine, service: Service, tasks: list[Task]) -> None:
    """What AWS does by itself when zones are out of balance: it starts a second task, and then stops the first."""
    if service.leaving is not None and (not service.leaving.wanted or not _of_primary(service, service.leaving)):
        service.leaving = None
    room = math.floor(service.desired * service.maximum_percent / 100) > service.desired
    fit = service.az_rebalancing == "ENABLED" and service.desired >= 1 and room and service.steady
    if service.leaving is not None or not fit or not engine.faults.take("rebalance", service=service.name):
        return
    service.leaving = min((t for t in tasks if t.wanted and not protected(engine, t)), default=None, key=_age)
    if service.leaving is not None:
        zone = service.leaving.network.zone
        deployments.event(
            engine, service, f"is not AZ balanced with {service.desired} tasks in {zone}. AZ Rebalancing in progress."
        )


def _age(task: Task) -> float:
    return task.created_at


def set_desired(engine: Engine, service: Service, desired: int) -> None:
    service.desired = desired
    service.below_minimum_since = None
    if service.primary is not None:
        service.primary.desired = desired
        service.primary.updated_at = engine.clock.wall()


def _stop_unhealthy(engine: Engine, service: Service, tasks: list[Task]) -> None:
    for task in tasks:
        if task.last_status != "RUNNING" or not task.wanted or task.running_since + service.grace > engine.clock.now():
            continue
        for (group, port), state in zip(task.registered, engine.targets.states(task), strict=True):
            if state != "unhealthy":
                continue
            deployments.event(
                engine, service,
                f"(port {port}) is unhealthy in (target-group {group}) due to (reason Health checks failed).",
            )  # fmt: skip
            lifecycle.begin_stop(
                engine, task, code="ServiceSchedulerInitiated",
                reason=f"Task failed ELB health checks in (target-group {group})",
            )  # fmt: skip
            if task.deployment is not None:
                task.deployment.failed += 1
            break


def _stop_surplus(engine: Engine, service: Service, tasks: list[Task]) -> list[Task]:
    primary = service.primary
    wanted = [task for task in tasks if task.wanted]
    keep = primary.desired if primary is not None else 0
    minimum = math.ceil(service.desired * service.minimum_percent / 100)
    healthy = sum(1 for task in wanted if is_healthy(engine, task))
    mine = sorted(
        (task for task in wanted if _of_primary(service, task) and task is not service.leaving),
        key=lambda t: _worth(engine, t),
    )
    surplus = mine[: max(0, len(mine) - keep)]
    if service.leaving is not None and sum(1 for task in mine if is_healthy(engine, task)) >= keep:
        surplus.append(service.leaving)
    paused = primary is not None and not deployments.may_pass(engine, service, primary, "PRE_SCALE_UP")
    old = [] if paused else [task for task in wanted if not _of_primary(service, task)]
    for task in sorted(old, key=lambda t: _worth(engine, t)):
        if is_healthy(engine, task):
            if healthy - 1 < minimum:
                continue
            healthy -= 1
        surplus.append(task)
    kept = [task for task in surplus if protected(engine, task)]
    if kept:
        _once(engine, service, "unable to scale in. Reason: The number of protected tasks are more than the desired "
              "count of tasks")  # fmt: skip
    stopped = [task for task in surplus if task not in kept]
    for task in stopped:
        owner = task.deployment.id if task.deployment is not None else ""
        lifecycle.begin_stop(
            engine, task, code="ServiceSchedulerInitiated",
            reason=f"Scaling activity initiated by (deployment {primary.id if primary is not None else owner})",
        )  # fmt: skip
    if stopped:
        names = " ".join(f"(task {task.id})" for task in stopped)
        deployments.event(engine, service, f"has stopped {len(stopped)} running tasks: {names}.")
        service.steady = False
        if primary is not None:
            primary.next_start = max(primary.next_start, engine.clock.now() + engine.settings.reaction)
    return stopped


def _worth(engine: Engine, task: Task) -> tuple[bool, bool, float]:
    """Sorts the tasks that AWS would stop first to the front."""
    return (task.last_status == "RUNNING", is_healthy(engine, task), task.created_at)


def _start_missing(engine: Engine, service: Service, tasks: list[Task]) -> list[Task]:
    primary = service.primary
    if primary is None or primary.halted or service.status != "ACTIVE" or engine.clock.now() < primary.next_start:
        return []
    if not deployments.may_pass(engine, service, primary, "PRE_SCALE_UP"):
        return []
    wanted = [task for task in tasks if task.wanted]
    missing = primary.desired - sum(1 for task in wanted if _of_primary(service, task) and task is not service.leaving)
    room = math.floor(service.desired * service.maximum_percent / 100) - len(wanted)
    started: list[Task] = []
    for _turn in range(min(missing, room)):
        task = _start(engine, service, primary)
        if task is None:
            break
        started.append(task)
    if started:
        names = " ".join(f"(task {task.id})" for task in started)
        deployments.event(engine, service, f"has started {len(started)} tasks: {names}.")
        service.steady = False
    return started


def _start(engine: Engine, service: Service, primary: Deployment) -> Task | None:
    definition = primary.definition
    if engine.faults.take("capacity", service=service.name, family=definition.family):
        _once(engine, service, f"was unable to place a task. Reason: {CAPACITY}")
        deployments.start_failed(engine, service, primary)
        return None
    try:
        engine.cloud.check_roles(definition.body.get("executionRoleArn"), definition.body.get("taskRoleArn"))
    except AwsError as error:
        _once(engine, service, f"failed to launch a task with (error {error.message}).")
        deployments.start_failed(engine, service, primary)
        return None
    return launch.create(engine, task_request(service, primary))


def task_request(service: Service, deployment: Deployment) -> TaskRequest:
    """What the scheduler asks for: the deployment's settings, and the tags that are passed on."""
    tags: dict[str, str] = {}
    if service.propagate_tags == "SERVICE":
        tags |= service.tags
    elif service.propagate_tags == "TASK_DEFINITION":
        tags |= deployment.definition.tags
    if service.managed_tags:
        tags |= {"aws:ecs:clusterName": service.cluster.name, "aws:ecs:serviceName": service.name}
    provider = deployment.capacity[0]["capacityProvider"] if deployment.capacity else None
    return TaskRequest(
        cluster=service.cluster,
        definition=deployment.definition,
        network=deployment.network,
        group=f"service:{service.name}",
        started_by=deployment.id,
        launch_type="FARGATE" if provider in (None, "FARGATE", "FARGATE_SPOT") else "EC2",
        capacity_provider=provider,
        tags=tags,
        service=service,
        deployment=deployment,
    )


def _tell_if_blocked(engine: Engine, service: Service, tasks: list[Task], *, moved: bool) -> None:
    primary = service.primary
    wanted = [task for task in tasks if task.wanted]
    if moved or primary is None or primary.rollout != "IN_PROGRESS" or primary.halted:
        return
    old = [task for task in wanted if not _of_primary(service, task)]
    starting = any(task.last_status in STARTING for task in wanted)
    room = math.floor(service.desired * service.maximum_percent / 100) - len(wanted)
    if old and not starting and room <= 0 and len(old) == len(wanted):
        _once(engine, service, BLOCKED)


def _once(engine: Engine, service: Service, text: str) -> None:
    """An event that is not repeated while it is the newest."""
    newest = service.events[0]["message"] if service.events else ""
    if not newest.endswith(text):
        deployments.event(engine, service, text)


__all__ = ["CAPACITY", "is_healthy", "protected", "reconcile", "set_desired", "task_request"]
