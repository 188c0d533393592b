# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting one deployment of a service, and following that very one to its end.

Private to wwhd.qdrant_ops. What is to run: release.py; what is read while it comes: following.py; what that means:
rollout.py; how it is told: rollout_text.py.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs import release as releases
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, snake
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.following import Following, tasks_ended
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import Guard
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.protection import protected_tasks
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.release import Release
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.rollout import (
    Ending,
    Goal,
    Look,
    ending_of,
    may_have_run,
    waiting_for,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.rollout_text import failure_text, state_text
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.service_deployments import pause_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import (
    find_service,
    primary_deployment,
    task_view,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.symptoms import unhealthy_because
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tails import newest_first
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.targets import (
    addresses_of,
    read_targets,
    unhealthy_targets,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import is_gone, short_id
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock, Hopeless, Pace, TimedOut, poll

__all__ = ["Request", "redeploy", "silent"]

# A task takes some 20 s to start and more to be found healthy: the looks need not be close, and each is a call.
_PACE = Pace(quick=4.0, slow=5.0, growth=1.3)
_PACE_OF_STARTING = Pace(quick=5.0, slow=5.0)
# Right after our call no task has come further than to its image (facts.md A.4).
_PACE_OF_BEGINNING = Pace(quick=15.0, slow=15.0)

_WAITED_FOR = {
    "rollout": "the rollout is not complete",
    "targets": "the load balancer does not find its tasks healthy",
    "old_tasks": "tasks of the deployments before still live",
}
_STILL = "The deployment goes on without this module: follow it on with force_new_deployment: false, or raise timeout."
_STUCK_ADVICE = {
    "rollout": "wwhd.qdrant_ops.ecs_service_info diagnoses the service.",
    "targets": "Check the health check's path and port, the security groups, and what the tasks log.",
    "old_tasks": "A load balancer holds a task up to its deregistration delay, then its stopTimeout runs.",
}


def silent(text: str) -> None:
    """An `on_change` that tells nobody."""


@dataclass(frozen=True)
class Request:
    """What the module was asked for. Seconds; `images` maps a container to the image that it is to run.

    Without `deploy` the release is only looked at, and its revision registered where one is lacking.
    """

    cluster: str
    service: str
    desired_count: int | None = None
    task_definition: str | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    force: bool = True
    deploy: bool = True
    guard: Guard | None = None
    wait: bool = True
    wait_for_targets: bool = True
    wait_for_old_tasks: bool = False
    wait_for_pause: bool = False
    timeout: float = 900
    max_failed_tasks: int = 3
    log_lines: int = 20


def redeploy(
    aws: Aws,
    request: Request,
    *,
    check_mode: bool = False,
    clock: Clock | None = None,
    on_change: Callable[[str], None] = silent,
) -> dict[str, Any]:
    """One UpdateService, and the deployment that it started followed until everything asked for is there.

    `on_change` is told each change of state in a sentence while the deployment is followed. Returns what the module
    returns. Raises OperationFailed with the failed tasks' reasons, hints and log tails, and `outcome` in its details.
    """
    clock = clock or Clock()
    before = find_service(aws, cluster=request.cluster, service=request.service)
    if before.get("status") != "ACTIVE":
        raise OperationFailed(
            f"Could not redeploy service {request.service} in cluster {request.cluster}: it is "
            f"{before.get('status')}, not ACTIVE. Create it again, or name another one.",
            details={"service_status": before.get("status"), "outcome": "service_gone"},
        )
    release = releases.prepare(
        aws,
        cluster=request.cluster,
        service=request.service,
        before=before,
        desired_count=request.desired_count,
        task_definition=request.task_definition,
        images=request.images,
        check_mode=check_mode,
        clock=clock,
    )
    reasons = releases.differences(before, release)
    failed = (primary_deployment(before) or {}).get("rolloutState") == "FAILED"
    if failed:
        # ECS starts no task of a deployment that it has given up: only a new one can bring what is asked for.
        reasons.append(f"deployment {(primary_deployment(before) or {}).get('id')} FAILED")
    elif request.force and not reasons:
        reasons.append("force_new_deployment")
    facts = {
        "reasons": reasons,
        "task_definition_arn": release.task_definition or before.get("taskDefinition"),
        "registered": release.registered,
        "previous": _previous(before),
        "diff": _diff(before, release, begins=bool(request.force or failed or release.task_definition), why=reasons),
    }
    if not request.deploy:
        prepared = {
            **releases.prepared_view(before, release),
            "newer_task_definition": releases.newer_revision(aws, before, release) if check_mode else None,
        }
        untouched = _predicted(before, release=Release(), changed=False)
        return {**facts, **untouched, "outcome": "prepared", "changed": release.registered, "prepared": prepared}
    if check_mode:
        return {**facts, **_predicted(before, release=release, changed=bool(reasons))}
    ended_before = frozenset() if request.force else tasks_ended(aws, cluster=request.cluster, service=request.service)
    after = before
    if reasons:
        after = releases.start(
            aws,
            cluster=request.cluster,
            service=request.service,
            before=before,
            release=release,
            force=request.force or failed,
            guard=request.guard,
            clock=clock,
        )
    following = _following(
        aws, request, before=before, after=after, ignored=ended_before, clock=clock, on_change=on_change
    )
    return {**facts, **_follow(following, request, facts=facts, changed=bool(reasons))}


def _previous(service: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "deployment_id": (primary_deployment(service) or {}).get("id"),
        "task_definition_arn": service.get("taskDefinition"),
        "desired_count": service.get("desiredCount"),
    }


def _diff(before: Mapping[str, Any], release: Release, *, begins: bool, why: list[str]) -> dict[str, Any]:
    """What --diff shows: only what a release can change, and the deployment, which is a new one each time."""
    current = (primary_deployment(before) or {}).get("id")
    images = {"images": {name: old for name, (old, _new) in release.images.items()}} if release.images else {}
    wanted = {"images": {name: new for name, (_old, new) in release.images.items()}} if release.images else {}
    count = before.get("desiredCount")
    return {
        "before": {
            "deployment": current,
            "desired_count": count,
            "task_definition": short_id(str(before.get("taskDefinition"))),
            **images,
        },
        "after": {
            "deployment": "(a new one)" if begins and why else current,
            "desired_count": count if release.desired_count is None else release.desired_count,
            "task_definition": short_id(release.task_definition or str(before.get("taskDefinition"))),
            **wanted,
        },
    }


def _predicted(before: Mapping[str, Any], *, release: Release, changed: bool) -> dict[str, Any]:
    deployment = snake(primary_deployment(before) or {})
    if changed:
        count = before.get("desiredCount", 0) if release.desired_count is None else release.desired_count
        deployment.update(desired_count=count, rollout_state="IN_PROGRESS")
        deployment.pop("id", None)
        if release.task_definition is not None:
            deployment["task_definition"] = release.task_definition
    return {
        "changed": changed,
        "outcome": "predicted" if changed else "unchanged",
        "deployment": deployment,
        "service_deployment": None,
        "events": [],
        "failures": [],
        "has_run": False,
        "targets": [],
        "tasks": [],
        "old_tasks": [],
        "healthy": False,
        "unhealthy_because": [],
        "waited": 0.0,
        "warnings": [],
    }


def _following(
    aws: Aws,
    request: Request,
    *,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    ignored: frozenset[str],
    clock: Clock,
    on_change: Callable[[str], None],
) -> Following:
    primary = primary_deployment(after)
    if primary is None:
        raise OperationFailed(
            f"Could not follow a deployment of service {request.service} in cluster {request.cluster}: AWS names none "
            f"as PRIMARY (its deployment controller is {after.get('deploymentController', {}).get('type', 'ECS')}). "
            "Only services under the ECS controller can be redeployed this way."
        )
    known = {str(deployment.get("id")): deployment for deployment in before.get("deployments", [])}
    ours = str(primary["id"])
    count = before.get("desiredCount", 0) if request.desired_count is None else request.desired_count
    goal = Goal(
        ours,
        int(count),
        request.max_failed_tasks,
        failed_before=int(known.get(ours, {}).get("failedTasks") or 0),
        can_roll_back=any(entry.get("rolloutState") == "COMPLETED" for entry in known.values()),
        earlier={name: str(entry.get("taskDefinition") or "") for name, entry in known.items() if name != ours},
        wait_for_targets=request.wait_for_targets,
        wait_for_old_tasks=request.wait_for_old_tasks,
        wait_for_pause=request.wait_for_pause,
    )
    following = Following(
        aws,
        request.cluster,
        request.service,
        goal,
        clock,
        on_change,
        known_events=frozenset(str(event.get("id")) for event in before.get("events", [])),
        ignored=ignored if ours in known else frozenset(),
        stages_before=None if ours in known else before.get("currentServiceDeployment"),
    )
    if ours not in known and request.wait:
        following.expect_nothing_yet(after)
    return following


def _follow(following: Following, request: Request, *, facts: Mapping[str, Any], changed: bool) -> dict[str, Any]:
    goal = following.goal
    if not request.wait:
        outcome = "started" if changed else "unchanged"
        return _result(following, following.look(), request, outcome=outcome, changed=changed, waited=0.0)
    try:
        observation = poll(
            following.look,
            done=lambda look: waiting_for(look, goal) is None,
            hopeless=lambda look: getattr(ending_of(look, goal), "why", None),
            fingerprint=Look.fingerprint,
            timeout=request.timeout,
            pace=lambda look: _pace_at(look, goal),
            clock=following.clock,
        )
    except (TimedOut, Hopeless) as error:
        raise _failed(following, error, request, facts=facts, changed=changed) from error
    return _result(
        following,
        observation.value,
        request,
        outcome="completed" if changed else "unchanged",
        changed=changed,
        waited=round(observation.elapsed, 3),
    )


def _pace_at(look: Look, goal: Goal) -> Pace:
    if not _is_starting(look, goal):
        return _PACE
    return _PACE_OF_BEGINNING if look.begins else _PACE_OF_STARTING


def _is_starting(look: Look, goal: Goal) -> bool:
    """Whether fewer tasks of the deployment run than are wanted, so that its end is not near."""
    own = look.deployment(goal.deployment_id) or {}
    return look.service_deployment is None and int(own.get("runningCount") or 0) < goal.desired_count


def _health(look: Look) -> list[str] | None:
    """Every reason not to call the service healthy, by a look that has seen all of it; None where it has not."""
    if look.targets is None:
        return None
    pause = pause_of(look.service_deployment)
    tasks = [*look.tasks, *(look.old or [])]
    facts = {
        "service": snake(look.service),
        "tasks": [task_view(task) for task in tasks],
        "target_problems": unhealthy_targets(look.targets, addresses=addresses_of(tasks)),
        "pause": pause and {"text": pause.text, "advice": pause.advice},
    }
    return unhealthy_because(facts)


def _result(
    following: Following, look: Look, request: Request, *, outcome: str, changed: bool, waited: float
) -> dict[str, Any]:
    problems = _health(look)
    return {
        "changed": changed,
        "outcome": outcome,
        "deployment": snake(look.deployment(following.goal.deployment_id) or {}),
        "service_deployment": snake(look.service_deployment) if look.service_deployment else None,
        "events": following.events(look.service),
        "failures": following.failures(request.log_lines),
        "has_run": any(map(may_have_run, look.tasks)),
        "targets": look.targets or [],
        "tasks": [task_view(task) for task in newest_first(look.tasks) if not is_gone(task)],
        "old_tasks": [task_view(task) for task in newest_first(look.old or [])],
        "healthy": problems == [],
        "unhealthy_because": problems or [],
        "waited": waited,
        "warnings": following.warnings,
    }


def _timed_out(following: Following, look: Look, error: TimedOut[Look] | Hopeless[Look], *, lacking: str) -> Ending:
    pause = pause_of(look.service_deployment)
    if pause:
        return Ending("timed_out", f"{error} ({pause.text})", pause.advice)
    why = _WAITED_FOR[lacking]
    arns = [task["taskArn"] for task in look.old or []] if lacking == "old_tasks" else []
    protected = protected_tasks(following.aws, cluster=following.cluster, arns=arns) if arns else None
    if protected:
        names = " ".join(short_id(str(entry["taskArn"])) for entry in protected)
        advice = (
            f"Scale-in protection keeps {names}: end it with 'aws ecs update-task-protection --cluster "
            f"{following.cluster} --tasks {names} --no-protection-enabled', or wait until it ends."
        )
        return Ending("timed_out", f"{error} ({why})", f"{advice} {_STILL}")
    return Ending("timed_out", f"{error} ({why})", f"{_STUCK_ADVICE[lacking]} {_STILL}")


def _failed(
    following: Following,
    error: TimedOut[Look] | Hopeless[Look],
    request: Request,
    *,
    facts: Mapping[str, Any],
    changed: bool,
) -> OperationFailed:
    look = error.observation.value
    goal = following.goal
    lacking = waiting_for(look, goal) or "rollout"
    ending = ending_of(look, goal) or _timed_out(following, look, error, lacking=lacking)
    outcome: str | None = ending.outcome
    unread = ""
    try:
        look = following.up_to_date(look)
    except OperationFailed as refused:
        # Without an outcome nobody takes it for one of which everything is known. Nothing is started in a service that
        # is gone, and its tasks may not even be listed.
        outcome = ending.outcome if ending.outcome == "service_gone" else None
        unread = f" How its tasks are now could not be read: {refused}"
    if look.service.get("desiredCount"):
        # What can't be read must not hide why the deployment failed.
        with contextlib.suppress(OperationFailed):
            look = replace(look, targets=read_targets(following.aws, service=look.service))
    waited = round(error.observation.elapsed, 3)
    result = {**_result(following, look, request, outcome="", changed=changed, waited=waited), "outcome": outcome}
    unstuck = result["failures"] or ending.outcome != "timed_out" or lacking == "old_tasks"
    text = failure_text(
        doing=f"complete deployment {goal.deployment_id} of service {following.service} in cluster {following.cluster}",
        why=f"{ending.why}; {state_text(look, goal)}",
        failures=result["failures"],
        stuck=[] if unstuck else following.stuck(request.log_lines),
        old=look.old or [],
        events=result["events"],
        targets=unhealthy_targets(look.targets or [], addresses=addresses_of(look.tasks)),
        advice=f"{ending.advice}{unread}",
    )
    more = {"next": ending.advice, "waiting_for": lacking if ending.outcome == "timed_out" else None}
    return OperationFailed(text, details={**facts, **result, **more, "elapsed": error.observation.elapsed})
