# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting one deployment of a service, and following that very one to its end.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, snake
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.definitions import describe_definition
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.exactly_once import exactly_once
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import Guard
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import (
    find_service,
    new_events,
    primary_deployment,
    task_view,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.states import (
    deployment_line,
    target_lines,
    task_lines,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tails import newest_first, with_tails
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.targets import (
    addresses_of,
    read_targets,
    unhealthy_targets,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import (
    census,
    describe,
    is_gone,
    list_arns,
    short_id,
    task_fingerprint,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock, Hopeless, Pace, TimedOut, poll

__all__ = [
    "Goal",
    "Look",
    "arrived",
    "ended_badly",
    "failure_count",
    "hopeless_because",
    "needs_deployment",
    "redeploy",
]

_PACE = Pace(quick=0.5, slow=3.0)
# AWS's reads follow its writes with a delay (facts.md B.3): seconds until an old answer is believed after all.
_SETTLING = 30.0
# An error that quotes more tasks than this is not read to its end.
_TASKS_QUOTED = 3
_LOG_LINES_QUOTED = 5
_EVENTS_QUOTED = 5


@dataclass(frozen=True)
class Goal:
    """What the deployment has to come to."""

    deployment_id: str
    desired_count: int
    max_failed_tasks: int
    # Failures from before our call, where it started no new deployment.
    failed_before: int = 0


@dataclass(frozen=True)
class Look:
    """One look at the service, the tasks of the deployment that is followed, and the load balancer.

    `targets` is None as long as it is too early to ask. `settled`: our call is visible in what AWS answers; before
    that an old state may come back, which must be taken neither for success nor for somebody else's doing.
    """

    service: dict[str, Any]
    tasks: list[dict[str, Any]] = field(default_factory=list)
    targets: list[dict[str, Any]] | None = None
    settled: bool = True

    def deployment(self, deployment_id: str) -> dict[str, Any] | None:
        return next((d for d in self.service.get("deployments", []) if d.get("id") == deployment_id), None)

    def fingerprint(self) -> object:
        deployments = tuple(
            tuple(d.get(key) for key in ("id", "status", "rolloutState", "runningCount", "pendingCount", "failedTasks"))
            for d in self.service.get("deployments", [])
        )
        targets = tuple((target["id"], target["state"]) for group in self.targets or [] for target in group["targets"])
        return deployments, tuple(sorted(map(repr, map(task_fingerprint, self.tasks)))), targets

    def told(self, deployment_id: str) -> list[str]:
        deployment = deployment_line(self.deployment(deployment_id), deployment_id=deployment_id)
        return [deployment, *task_lines(self.tasks), *target_lines(self.targets or [])]


def needs_deployment(
    service: Mapping[str, Any], *, desired_count: int | None, task_definition: str | None, force: bool
) -> bool:
    """Whether UpdateService has anything to do; `task_definition` is an ARN."""
    if force or (desired_count is not None and desired_count != service.get("desiredCount")):
        return True
    return task_definition is not None and task_definition != service.get("taskDefinition")


def ended_badly(task: Mapping[str, Any]) -> bool:
    """Whether a service's task ended by its own fault.

    Any end of an essential container is one: a service's task is not meant to end. The circuit breaker does not count
    a task that reached RUNNING and then ended, as Qdrant does when it panics on a lock (facts.md C.4); we do.
    """
    if task.get("stopCode") in ("TaskFailedToStart", "EssentialContainerExited"):
        return True
    return "health checks" in str(task.get("stoppedReason", ""))


def failure_count(look: Look, goal: Goal) -> int:
    """How many tasks of the deployment have failed: what ECS counts, or what we see, whichever is more."""
    deployment = look.deployment(goal.deployment_id) or {}
    counted = int(deployment.get("failedTasks") or 0) - goal.failed_before
    return max(counted, sum(map(ended_badly, look.tasks)))


def _lost(look: Look, goal: Goal) -> str | None:
    """Whether ECS itself has given the deployment up."""
    deployment = look.deployment(goal.deployment_id)
    if deployment and deployment.get("rolloutState") == "FAILED":
        return f"ECS gave it up ({deployment.get('rolloutStateReason') or 'no reason given'})"
    primary = primary_deployment(look.service)
    if primary and primary.get("id") != goal.deployment_id:
        why = primary.get("rolloutStateReason") or "no reason given"
        return f"another deployment, {primary.get('id')}, took its place: a rollback, or somebody else's ({why})"
    return None if deployment else "ECS does not list it any more"


def hopeless_because(look: Look, goal: Goal) -> str | None:
    """Why the deployment can't succeed any more; None while it can."""
    status = look.service.get("status")
    if status != "ACTIVE":
        return f"the service became {status} meanwhile"
    if not look.settled:
        return None
    desired = int(look.service.get("desiredCount", 0))
    if desired < goal.desired_count:
        return f"somebody else lowered the desired count to {desired} meanwhile (we had {goal.desired_count})"
    failed = failure_count(look, goal)
    if failed >= goal.max_failed_tasks:
        return f"{failed} of its tasks failed, and {goal.max_failed_tasks} is the limit (max_failed_tasks)"
    return _lost(look, goal)


def _completed(look: Look, goal: Goal) -> bool:
    deployment = look.deployment(goal.deployment_id)
    if not deployment or deployment.get("status") != "PRIMARY":
        return False
    if deployment.get("rolloutState", "COMPLETED") != "COMPLETED":
        return False
    counts_meet = deployment.get("runningCount") == deployment.get("desiredCount") == look.service.get("desiredCount")
    return counts_meet and look.service.get("runningCount") == look.service.get("desiredCount")


def arrived(look: Look, goal: Goal) -> bool:
    """Whether the deployment is COMPLETED, all of its tasks run, and the load balancer finds them healthy."""
    if not look.settled or not _completed(look, goal):
        return False
    if not look.service.get("desiredCount"):
        return True
    return look.targets is not None and not unhealthy_targets(look.targets, addresses=addresses_of(look.tasks))


@dataclass
class _Following:
    aws: Aws
    cluster: str
    service: str
    goal: Goal
    known_events: set[str]
    clock: Clock
    ignored: frozenset[str] = frozenset()
    settled: bool = False
    give_up_settling: float = 0.0
    # Tasks that ECS forgets while we wait (an hour after their end) still count.
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)

    def look(self) -> Look:
        found = find_service(self.aws, cluster=self.cluster, service=self.service)
        arns = list_arns(self.aws, cluster=self.cluster, serviceName=self.service)
        unfinished = [
            arn for arn in arns if arn not in self.ignored and not (arn in self.tasks and is_gone(self.tasks[arn]))
        ]
        for task in describe(self.aws, cluster=self.cluster, arns=unfinished).tasks:
            if task.get("startedBy") == self.goal.deployment_id:
                self.tasks[task["taskArn"]] = task
        look = Look(found, list(self.tasks.values()))
        visible = look.deployment(self.goal.deployment_id) is not None
        self.settled = (
            self.settled
            or (visible and int(found.get("desiredCount", 0)) >= self.goal.desired_count)
            or self.clock.monotonic() >= self.give_up_settling
        )
        targets = read_targets(self.aws, service=found) if _completed(look, self.goal) else None
        return replace(look, targets=targets, settled=self.settled)

    def failures(self, log_lines: int) -> list[dict[str, Any]]:
        bad = newest_first(task for task in self.tasks.values() if ended_badly(task))
        return with_tails(self.aws, tasks=bad, newest=_TASKS_QUOTED, lines=log_lines)

    def events(self, service: Mapping[str, Any]) -> list[dict[str, Any]]:
        return new_events(service, known=self.known_events)


def _task_sentence(task: Mapping[str, Any]) -> str:
    exits = ", ".join(f"{c['name']} exit {c['exit_code']}" for c in task["containers"] if c["exit_code"] is not None)
    # Where one container failed, the others' last words are about being stopped.
    failed = [c for c in task["containers"] if c["exit_code"]] or task["containers"]
    lines = [line for c in failed for line in (c.get("logs") or [])[-_LOG_LINES_QUOTED:]]
    parts = [
        f"Task {short_id(task['task_arn'])}: {task['stopped_reason'] or 'no reason given'}",
        f" ({exits})" if exits else "",
        f". {task['hint']}" if task["hint"] else ".",
        f" Last log lines: {' | '.join(line.strip() for line in lines)}." if lines else "",
    ]
    return "".join(parts)


def _told_apart(failures: Iterable[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], int]]:
    """The newest of each way to fail, and how many failed in that way: three equal stories read as one."""
    stories: dict[object, list[Mapping[str, Any]]] = {}
    for task in failures:
        worst = max(
            (c["exit_code"] for c in task["containers"] if c["exit_code"] not in (None, 137, 143)), default=None
        )
        stories.setdefault((task["stopped_reason"], worst), []).append(task)
    return [(tasks[0], len(tasks)) for tasks in stories.values()]


def failure_text(
    *, doing: str, why: str, failures: Iterable[Mapping[str, Any]], events: list[dict[str, Any]], targets: list[str]
) -> str:
    """The whole error of a deployment that did not succeed, as one text."""
    quoted = [
        _task_sentence(task) + (f" {count - 1} more of its tasks failed in the same way." if count > 1 else "")
        for task, count in _told_apart(failures)[:_TASKS_QUOTED]
    ]
    said = [str(event.get("message")) for event in events[-_EVENTS_QUOTED:]]
    sentences = [
        f"Could not {doing}: {why}.",
        *quoted,
        f"Load balancer: {' '.join(targets)}" if targets else "",
        f"Events: {' | '.join(said)}" if said else "",
        "Put the cause right and run it again; wwhd.qdrant_ops.ecs_service_info diagnoses the service.",
    ]
    return " ".join(filter(None, sentences))


def redeploy(
    aws: Aws,
    *,
    cluster: str,
    service: str,
    desired_count: int | None = None,
    task_definition: str | None = None,
    force: bool = True,
    guard: Guard | None = None,
    wait: bool = True,
    timeout: float = 900,
    max_failed_tasks: int = 3,
    log_lines: int = 20,
    check_mode: bool = False,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """One UpdateService, and the deployment that it started followed to COMPLETED and healthy targets (seconds).

    Returns what the module returns. Raises OperationFailed with the failed tasks' reasons, hints and log tails.
    """
    clock = clock or Clock()
    before = find_service(aws, cluster=cluster, service=service)
    if before.get("status") != "ACTIVE":
        raise OperationFailed(
            f"Could not redeploy service {service} in cluster {cluster}: it is {before.get('status')}, not ACTIVE. "
            "Create it again, or name another one.",
            details={"service_status": before.get("status")},
        )
    if task_definition is not None:
        task_definition = _resolved(aws, cluster=cluster, service=service, task_definition=task_definition)
    changed = needs_deployment(before, desired_count=desired_count, task_definition=task_definition, force=force)
    expected = int(before.get("desiredCount", 0)) if desired_count is None else desired_count
    if check_mode:
        return _predicted(before, changed=changed, desired_count=expected, task_definition=task_definition)
    ended_before = frozenset() if force else _ended(aws, cluster=cluster, service=service)
    after = before
    if changed:
        after = _start(
            aws,
            cluster=cluster,
            service=service,
            before=before,
            desired_count=desired_count,
            task_definition=task_definition,
            force=force,
            guard=guard,
            clock=clock,
        )
    primary = primary_deployment(after)
    if primary is None:
        raise OperationFailed(
            f"Could not follow a deployment of service {service} in cluster {cluster}: AWS names none as PRIMARY "
            f"(its deployment controller is {after.get('deploymentController', {}).get('type', 'ECS')}). "
            "Only services under the ECS controller can be redeployed this way."
        )
    known = {deployment.get("id"): deployment for deployment in before.get("deployments", [])}
    ours = str(primary["id"])
    goal = Goal(ours, expected, max_failed_tasks, int(known.get(ours, {}).get("failedTasks") or 0))
    following = _Following(
        aws,
        cluster,
        service,
        goal,
        {str(event.get("id")) for event in before.get("events", [])},
        clock,
        ignored=ended_before if ours in known else frozenset(),
        give_up_settling=clock.monotonic() + _SETTLING,
    )
    if not wait:
        look = following.look()
        return _result(following, look, changed=changed, log_lines=log_lines, waited=0.0)
    try:
        observation = poll(
            following.look,
            done=lambda look: arrived(look, goal),
            hopeless=lambda look: hopeless_because(look, goal),
            fingerprint=Look.fingerprint,
            tell=lambda look: look.told(goal.deployment_id),
            timeout=timeout,
            pace=_PACE,
            clock=clock,
        )
    except (TimedOut, Hopeless) as error:
        raise _failed(following, error, changed=changed, log_lines=log_lines) from error
    return _result(
        following, observation.value, changed=changed, log_lines=log_lines, waited=round(observation.elapsed, 3)
    )


def _resolved(aws: Aws, *, cluster: str, service: str, task_definition: str) -> str:
    """The ARN of a family, `family:revision` or ARN; an unknown one is told before anything is changed."""
    try:
        return str(describe_definition(aws, name=task_definition)["taskDefinitionArn"])
    except OperationFailed as error:
        raise OperationFailed(
            f"Could not redeploy service {service} in cluster {cluster} with task definition {task_definition}: "
            f"{error} Nothing was changed. Check its family and revision (aws ecs list-task-definitions).",
            code=error.code,
            details=error.details,
        ) from error


def _ended(aws: Aws, *, cluster: str, service: str) -> frozenset[str]:
    known = census(aws, cluster=cluster, serviceName=service)
    return frozenset(task["taskArn"] for task in known.tasks if is_gone(task))


def _start(
    aws: Aws,
    *,
    cluster: str,
    service: str,
    before: Mapping[str, Any],
    desired_count: int | None,
    task_definition: str | None,
    force: bool,
    guard: Guard | None,
    clock: Clock,
) -> dict[str, Any]:
    """One UpdateService: guarded each time that it is tried, and one deployment even if its answer is lost."""
    params: dict[str, Any] = {"cluster": cluster, "service": service, "forceNewDeployment": force}
    if desired_count is not None:
        params["desiredCount"] = desired_count
    if task_definition is not None:
        params["taskDefinition"] = task_definition
    doing = f"start a deployment of service {service} in cluster {cluster}"
    known = {deployment.get("id") for deployment in before.get("deployments", [])}

    def update() -> dict[str, Any]:
        if guard is not None:
            guard.require(aws, doing=doing, clock=clock)
        after: dict[str, Any] = aws.call_once("ecs", "UpdateService", doing=doing, **params)["service"]
        return after

    def updated() -> dict[str, Any] | None:
        found = find_service(aws, cluster=cluster, service=service)
        fresh = (primary_deployment(found) or {}).get("id") not in known
        as_asked = not needs_deployment(
            found, desired_count=desired_count, task_definition=task_definition, force=False
        )
        # Without force, asking twice does nothing twice.
        return found if as_asked and (fresh or not force) else None

    after = exactly_once(update, effect=updated, clock=clock)
    primary = primary_deployment(after)
    if force and primary is not None and primary.get("id") in known:
        raise OperationFailed(
            f"Could not {doing}: AWS accepted it, but its PRIMARY deployment is still {primary.get('id')}, which was "
            "there before. Look whether somebody else is deploying it, and run it again."
        )
    return after


def _predicted(
    before: Mapping[str, Any], *, changed: bool, desired_count: int, task_definition: str | None
) -> dict[str, Any]:
    deployment = snake(primary_deployment(before) or {})
    if changed:
        deployment.update(desired_count=desired_count, rollout_state="IN_PROGRESS")
        deployment.pop("id", None)
        if task_definition is not None:
            deployment["task_definition"] = task_definition
    return {
        "changed": changed,
        "deployment": deployment,
        "events": [],
        "failures": [],
        "targets": [],
        "tasks": [],
        "waited": 0.0,
    }


def _result(following: _Following, look: Look, *, changed: bool, log_lines: int, waited: float) -> dict[str, Any]:
    return {
        "changed": changed,
        "deployment": snake(look.deployment(following.goal.deployment_id) or {}),
        "events": following.events(look.service),
        "failures": following.failures(log_lines),
        "targets": look.targets or [],
        "tasks": [task_view(task) for task in newest_first(look.tasks) if not is_gone(task)],
        "waited": waited,
    }


def _failed(
    following: _Following, error: TimedOut[Look] | Hopeless[Look], *, changed: bool, log_lines: int
) -> OperationFailed:
    look = error.observation.value
    goal = following.goal
    targets = look.targets
    if targets is None and look.service.get("desiredCount"):
        # What can't be read must not hide why the deployment failed.
        with contextlib.suppress(OperationFailed):
            targets = read_targets(following.aws, service=look.service)
    unhealthy = unhealthy_targets(targets or [], addresses=addresses_of(look.tasks))
    look = replace(look, targets=targets)
    result = _result(following, look, changed=changed, log_lines=log_lines, waited=round(error.observation.elapsed, 3))
    state = (look.deployment(goal.deployment_id) or {}).get("rolloutState", "unknown")
    counts = f"rollout {state}, running {look.service.get('runningCount')} of {look.service.get('desiredCount')}"
    text = failure_text(
        doing=f"complete deployment {goal.deployment_id} of service {following.service} in cluster {following.cluster}",
        why=f"{error}; {counts}",
        failures=result["failures"],
        events=result["events"],
        targets=unhealthy,
    )
    return OperationFailed(text, details={**result, "elapsed": error.observation.elapsed})
