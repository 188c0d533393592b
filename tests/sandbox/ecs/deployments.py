# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments of a service: how they begin, complete, fail, and roll back."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from sandbox.ecs.model import Definition, Deployment, Pause, Service, Task, deployment_id

if TYPE_CHECKING:
    from sandbox.ecs.engine import Engine

# AWS seconds for which a deployment that the circuit breaker ended can still be seen.
FAILED_SHOWN = 120.0


def event(engine: Engine, service: Service, text: str) -> None:
    """A service event; the newest is first."""
    service.events.appendleft(
        {
            "id": engine.next_uuid(),
            "createdAt": engine.clock.wall(),
            "message": f"(service {service.name}) {text}",
        }
    )


def begin(engine: Engine, service: Service, definition: Definition) -> Deployment:
    """A new PRIMARY deployment; the one before becomes ACTIVE and wants no tasks any more."""
    now = engine.clock.wall()
    for old in service.deployments:
        old.status, old.desired, old.updated_at = "ACTIVE", 0, now
    deployment = Deployment(
        id=deployment_id(),
        definition=definition,
        created_at=now,
        updated_at=now,
        desired=service.desired,
        network=service.network,
        launch_type=service.launch_type,
        capacity=service.capacity,
        platform_version=service.platform_version,
    )
    deployment.reason = f"ECS deployment {deployment.id} in progress."
    service.deployments.insert(0, deployment)
    service.history.append(deployment)
    service.definition = definition
    service.steady = False
    return deployment


def may_pass(engine: Engine, service: Service, deployment: Deployment, stage: str) -> bool:
    """Whether no pause hook of that stage holds the deployment up; one that was waited for too long acts by itself."""
    if deployment.rollout != "IN_PROGRESS" or stage in deployment.passed:
        return True
    hooks = service.strategy.get("lifecycleHooks") or []
    hook = next((h for h in hooks if h.get("targetType") == "PAUSE" and stage in h.get("lifecycleStages", [])), None)
    if hook is None:
        return True
    if deployment.pause is None:
        limit = hook.get("timeoutConfiguration") or {}
        seconds = 60.0 * float(limit.get("timeoutInMinutes") or 1440)
        deployment.pause = Pause(
            hook=f"ecs-pause-{deployment.key}-{stage}",
            stage=stage,
            due=engine.clock.now() + seconds,
            expires_at=engine.clock.wall() + seconds,
            action=limit.get("action") or "ROLLBACK",
        )
    elif engine.clock.now() >= deployment.pause.due:
        if deployment.pause.action == "CONTINUE":
            go_on(deployment)
            return True
        roll_back(engine, service, deployment, reason="Lifecycle hook timed out.")
    return False


def go_on(deployment: Deployment) -> None:
    """Past the hook at which it stands."""
    if deployment.pause is not None:
        deployment.passed.add(deployment.pause.stage)
        deployment.pause = None


def threshold(service: Service) -> int:
    """After how many failed tasks the circuit breaker acts."""
    custom: dict[str, Any] = service.breaker.get("thresholdConfiguration") or {}
    if custom.get("type") == "COUNT":
        return max(1, int(custom["value"]))
    share = float(custom.get("value", 50)) / 100
    count = math.ceil(share * service.desired)
    return max(1, count) if custom.get("type") == "UNBOUNDED_PERCENT" else min(max(count, 3), 200)


def count_start_failures(engine: Engine, service: Service, tasks: list[Task]) -> None:
    """Tasks that never reached RUNNING count against their deployment and slow the next start down."""
    for task in tasks:
        deployment = task.deployment
        if task.counted or task.wanted or deployment is None:
            continue
        task.counted = True
        if task.reached_running:
            deployment.next_start = max(deployment.next_start, engine.clock.now() + engine.settings.reaction)
        elif task.stop_code == "TaskFailedToStart":
            start_failed(engine, service, deployment)


def start_failed(engine: Engine, service: Service, deployment: Deployment) -> None:
    deployment.failed += 1
    deployment.start_failures += 1
    deployment.updated_at = engine.clock.wall()
    slow = deployment.start_failures - 3
    if slow < 0:
        delay = engine.settings.reaction
    else:
        delay = min(engine.settings.start_backoff_cap, 10.0 * 2**slow)
        if slow == 0:
            event(engine, service, "is unable to consistently start tasks successfully.")
    deployment.next_start = engine.clock.now() + delay


def advance(engine: Engine, service: Service, tasks: list[Task], *, healthy: int) -> None:
    """Completes, fails or rolls back the PRIMARY deployment, and drops those that are done with."""
    primary = service.primary
    if primary is None:
        return
    wanted = [task for task in tasks if task.wanted]
    only_primary = all(task.deployment is primary for task in wanted)
    if healthy:
        primary.failed = primary.start_failures = 0
    if primary.rollout == "IN_PROGRESS" and only_primary and healthy == len(wanted) == service.desired:
        if may_pass(engine, service, primary, "POST_SCALE_UP"):
            _complete(engine, service, primary)
    elif primary.rollout == "IN_PROGRESS" and service.breaker.get("enable") and primary.failed >= threshold(service):
        _break(engine, service, primary)
    steady = primary.rollout == "COMPLETED" and only_primary and healthy == len(wanted) == service.desired
    if steady and not service.steady:
        event(engine, service, "has reached a steady state.")
    service.steady = steady
    _drop_finished(service, wanted, now=engine.clock.now())


def _complete(engine: Engine, service: Service, primary: Deployment) -> None:
    primary.rollout = "COMPLETED"
    primary.reason = f"ECS deployment {primary.id} completed."
    primary.updated_at = engine.clock.wall()
    service.last_good = primary
    event(engine, service, f"(deployment {primary.id}) deployment completed.")


def _break(engine: Engine, service: Service, primary: Deployment) -> None:
    reason = "ECS deployment circuit breaker: tasks failed to start."
    _fail(engine, primary, reason)
    event(engine, service, f"(deployment {primary.id}) deployment failed: tasks failed to start.")
    if service.breaker.get("rollback"):
        _go_back(engine, service, primary, why="ECS deployment circuit breaker: rolling back to deploymentId {0}.")


def roll_back(engine: Engine, service: Service, primary: Deployment, *, reason: str) -> None:
    """What somebody's word does: the deployment ends, and what ran before comes back."""
    _fail(engine, primary, reason)
    _go_back(engine, service, primary, why="ECS deployment rolling back to deploymentId {0}.")


def _fail(engine: Engine, primary: Deployment, reason: str) -> None:
    primary.rollout, primary.reason, primary.pause = "FAILED", reason, None
    primary.updated_at = engine.clock.wall()
    primary.halted = True
    primary.shown_until = engine.clock.now() + FAILED_SHOWN


def _go_back(engine: Engine, service: Service, primary: Deployment, *, why: str) -> None:
    good = service.last_good
    if good is None or good is primary:
        return
    primary.back_to = good
    good.passed |= {"PRE_SCALE_UP", "POST_SCALE_UP"}
    event(engine, service, f"rolling back to deployment {good.id}.")
    primary.status, primary.desired = "ACTIVE", 0
    service.deployments = [d for d in service.deployments if d is not good]
    service.deployments.insert(0, good)
    good.status, good.desired, good.rollout = "PRIMARY", service.desired, "IN_PROGRESS"
    good.reason = why.format(good.id)
    good.updated_at, good.failed, good.start_failures, good.halted = engine.clock.wall(), 0, 0, False
    service.definition = good.definition


def _drop_finished(service: Service, wanted: list[Task], *, now: float) -> None:
    primary = service.primary
    busy = {id(task.deployment) for task in wanted}
    done = primary is not None and primary.rollout == "COMPLETED"
    service.deployments = [
        d for d in service.deployments
        if d is primary or id(d) in busy or (d.rollout == "FAILED" and not (done and now >= d.shown_until))
    ]  # fmt: skip


__all__ = [
    "advance", "begin", "count_start_failures", "event", "go_on", "may_pass", "roll_back", "start_failed", "threshold",
]  # fmt: skip
