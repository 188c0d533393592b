# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment has come to: judgements of one look at it, all of them pure.

Private to wwhd.qdrant_ops. Services, deployments and tasks are dicts as AWS gives them (camelCase).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.service_deployments import pause_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import primary_deployment
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.targets import addresses_of, unhealthy_targets
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import is_gone, short_id, task_fingerprint

__all__ = [
    "Ending",
    "Goal",
    "Look",
    "ended_badly",
    "ending_of",
    "failure_count",
    "may_have_run",
    "rolled_out",
    "tasks_lacking",
    "waiting_for",
]

# AWS's answers may come from different ages (facts.md B.3): a deployment that is not listed is lost only if it was not
# listed so many times in a row.
_ABSENT_LOOKS = 2
_WHO = "CloudTrail (event UpdateService) says who"


@dataclass(frozen=True)
class Goal:
    """What the deployment has to come to."""

    deployment_id: str
    desired_count: int
    max_failed_tasks: int
    # Failures from before our call, where it started no new deployment.
    failed_before: int = 0
    # The deployments that were there before, with their task definitions: if one comes back, that is a rollback.
    earlier: Mapping[str, str] = field(default_factory=dict)
    # Whether one of them was COMPLETED: a rollback without one stalls (facts.md C.4).
    can_roll_back: bool = False
    wait_for_targets: bool = True
    wait_for_old_tasks: bool = False
    # Whether a pause hook, which waits for somebody's word, is to be waited for.
    wait_for_pause: bool = False


@dataclass(frozen=True)
class Look:
    """One look at the service, the tasks of the deployment that is followed, and the load balancer.

    `targets` and `old` (the service's other tasks that may be alive) are None as long as it is too early to ask;
    `service_deployment` is None for services that have no stages. `settled`: our call is visible in what AWS answers;
    before that an old state may come back, which must be taken neither for success nor for somebody else's doing.
    `begins`: this is what AWS has answered to our call.
    `absent`: in how many looks in a row the deployment was not listed. `said`: the service's events since our call.
    """

    service: dict[str, Any]
    tasks: list[dict[str, Any]] = field(default_factory=list)
    targets: list[dict[str, Any]] | None = None
    old: list[dict[str, Any]] | None = None
    service_deployment: dict[str, Any] | None = None
    settled: bool = True
    begins: bool = False
    absent: int = 0
    said: tuple[str, ...] = ()

    def deployment(self, deployment_id: str) -> dict[str, Any] | None:
        return next((d for d in self.service.get("deployments", []) if d.get("id") == deployment_id), None)

    def fingerprint(self) -> object:
        deployments = tuple(
            tuple(d.get(key) for key in ("id", "status", "rolloutState", "runningCount", "pendingCount", "failedTasks"))
            for d in self.service.get("deployments", [])
        )
        targets = tuple((target["id"], target["state"]) for group in self.targets or [] for target in group["targets"])
        stage = tuple((self.service_deployment or {}).get(key) for key in ("status", "lifecycleStage"))
        tasks = (*self.tasks, *(self.old or []))
        return deployments, tuple(sorted(map(repr, map(task_fingerprint, tasks)))), targets, stage


@dataclass(frozen=True)
class Ending:
    """How a deployment ended without success: `outcome` for playbooks, `why` (a clause) and `advice` for people."""

    outcome: str
    why: str
    advice: str


def ended_badly(task: Mapping[str, Any]) -> bool:
    """Whether a service's task ended by its own fault.

    Any end of an essential container is one: a service's task is not meant to end. The circuit breaker does not count
    a task that reached RUNNING and then ended, as Qdrant does when it panics on a lock (facts.md C.4); we do.
    """
    if task.get("stopCode") in ("TaskFailedToStart", "EssentialContainerExited"):
        return True
    return "health checks" in str(task.get("stoppedReason", ""))


def may_have_run(task: Mapping[str, Any]) -> bool:
    """Whether a container of the task may have run, also if that was stopped since by no fault of its own."""
    return bool(task.get("startedAt")) or any(
        container.get("exitCode") is not None or container.get("lastStatus") not in (None, "PENDING", "STOPPED")
        for container in task.get("containers") or []
    )


def failure_count(look: Look, goal: Goal) -> int:
    """How many tasks of the deployment have failed: what ECS counts, or what we see, whichever is more."""
    deployment = look.deployment(goal.deployment_id) or {}
    counted = int(deployment.get("failedTasks") or 0) - goal.failed_before
    return max(counted, sum(map(ended_badly, look.tasks)))


def rolled_out(look: Look, goal: Goal) -> bool:
    """Whether ECS calls the deployment COMPLETED, and the counts agree."""
    deployment = look.deployment(goal.deployment_id)
    if not deployment or deployment.get("status") != "PRIMARY":
        return False
    # A rolloutState is only told of rolling deployments; the others' counts agree long before traffic has moved.
    if deployment.get("rolloutState", "COMPLETED") != "COMPLETED":
        return False
    if look.service_deployment is not None and look.service_deployment.get("status") != "SUCCESSFUL":
        return False
    counts_meet = deployment.get("runningCount") == deployment.get("desiredCount") == look.service.get("desiredCount")
    return counts_meet and look.service.get("runningCount") == look.service.get("desiredCount")


def waiting_for(look: Look, goal: Goal) -> str | None:
    """The first thing that is still missing: `rollout`, `targets` or `old_tasks`; None once all is as it should be."""
    if not look.settled or not rolled_out(look, goal):
        return "rollout"
    if goal.wait_for_targets and look.service.get("desiredCount") and not _served(look):
        return "targets"
    if goal.wait_for_old_tasks and (look.old is None or look.old):
        return "old_tasks"
    return None


def tasks_lacking(look: Look) -> bool:
    """Whether fewer live tasks of the deployment are known than run: lists of tasks may be older than the counts."""
    return sum(not is_gone(task) for task in look.tasks) < int(look.service.get("desiredCount") or 0)


def _served(look: Look) -> bool:
    """Whether the load balancer finds the deployment's tasks healthy, all of which must be known to say so."""
    if look.targets is None or (look.targets and tasks_lacking(look)):
        return False
    return not unhealthy_targets(look.targets, addresses=addresses_of(look.tasks))


def ending_of(look: Look, goal: Goal) -> Ending | None:
    """Why the deployment can't succeed any more; None while it can."""
    return next((found for judge in _JUDGES for found in [judge(look, goal)] if found), None)


def _gone(look: Look, _goal: Goal) -> Ending | None:
    status = look.service.get("status")
    if status == "ACTIVE":
        return None
    return Ending(
        "service_gone",
        f"the service became {status} meanwhile",
        "Somebody deleted it (CloudTrail, event DeleteService): create it again before you deploy.",
    )


def _scaled_down(look: Look, goal: Goal) -> Ending | None:
    desired = int(look.service.get("desiredCount", 0))
    if not look.settled or desired >= goal.desired_count:
        return None
    return Ending(
        "scaled_down",
        f"somebody else lowered the desired count to {desired} meanwhile (we had {goal.desired_count})",
        f"Find out what did before you run it again: {_WHO}, or the service's scaling activities.",
    )


def _lost(look: Look, goal: Goal) -> Ending | None:
    """Whether ECS itself has given the deployment up, or another one has taken its place."""
    own = look.deployment(goal.deployment_id)
    primary = primary_deployment(look.service) or {}
    if not look.settled or (own is None and look.absent < _ABSENT_LOOKS):
        return None
    taken = primary.get("id") not in (None, goal.deployment_id)
    given_up = own is not None and own.get("rolloutState") == "FAILED"
    if taken and not _is_rollback(look, goal, primary, given_up=given_up):
        return _replaced(primary)
    if taken or (given_up and _rolls_back(look.service) and goal.can_roll_back):
        return _rolled_back(look, goal, primary if taken else {})
    if given_up:
        why = _reason(look, goal)
        outcome = "alarm" if "alarm" in why.casefold() else "circuit_breaker"
        return Ending(
            outcome,
            f"ECS gave it up ({why})",
            f"It starts no more tasks. Put the cause right and run it again{_or_back(look, goal)}.",
        )
    if own is None:
        return Ending(
            "lost",
            "ECS does not list it any more, and no other one is PRIMARY",
            "Look at the service's deployments and events (wwhd.qdrant_ops.ecs_service_info) before you run it again.",
        )
    return None


def _is_rollback(look: Look, goal: Goal, primary: Mapping[str, Any], *, given_up: bool) -> bool:
    words = (str(primary.get("rolloutStateReason") or ""), *look.said)
    return given_up or primary.get("id") in goal.earlier or any("rolling back to" in word for word in words)


def _rolls_back(service: Mapping[str, Any]) -> bool:
    configuration = service.get("deploymentConfiguration") or {}
    watchers = (configuration.get("deploymentCircuitBreaker") or {}, configuration.get("alarms") or {})
    return any(watcher.get("enable") and watcher.get("rollback") for watcher in watchers)


def _reason(look: Look, goal: Goal) -> str:
    """ECS's own words for the end of the deployment, from wherever it left them."""
    own = look.deployment(goal.deployment_id) or {}
    if own.get("rolloutState") == "FAILED" and own.get("rolloutStateReason"):
        return str(own["rolloutStateReason"]).rstrip(".")
    for text in look.said:
        if goal.deployment_id in text and "deployment failed" in text:
            return text.rstrip(".")
    stages = look.service_deployment or {}
    primary = primary_deployment(look.service) or {}
    return str(stages.get("statusReason") or primary.get("rolloutStateReason") or "no reason given").rstrip(".")


def _rolled_back(look: Look, goal: Goal, primary: Mapping[str, Any]) -> Ending:
    if not primary:
        state = "is rolling the service back"
    elif primary.get("rolloutState") == "COMPLETED":
        state = f"has rolled the service back to {_named(primary)}"
    else:
        state = f"is rolling the service back to {_named(primary)}"
    return Ending(
        "rolled_back",
        f"ECS gave it up ({_reason(look, goal)}) and {state}",
        "What ran before runs again, or will: put the cause right and run it again.",
    )


def _replaced(primary: Mapping[str, Any]) -> Ending:
    return Ending(
        "replaced",
        f"another deployment, {_named(primary)}, took its place, and it is no rollback: somebody else deployed",
        f"Find out who before you run it again ({_WHO}); with force_new_deployment: false you follow theirs.",
    )


def _named(deployment: Mapping[str, Any]) -> str:
    definition = short_id(str(deployment.get("taskDefinition") or "an unknown task definition"))
    return f"{deployment.get('id')} (with {definition})"


def _or_back(look: Look, goal: Goal) -> str:
    """An offer of the task definition from before, where that was another one."""
    ours = (look.deployment(goal.deployment_id) or {}).get("taskDefinition")
    before = [short_id(arn) for arn in goal.earlier.values() if arn and arn != ours]
    return f", or go back to {before[0]} by task_definition" if before else ""


def _stopped(look: Look, _goal: Goal) -> Ending | None:
    """What only the service deployment tells: somebody stopped it, or it goes back while ours is still PRIMARY."""
    stages = look.service_deployment or {}
    status = str(stages.get("status") or "")
    why = str(stages.get("statusReason") or "no reason given").rstrip(".")
    if status in ("STOP_REQUESTED", "STOPPED"):
        return Ending(
            "stopped",
            f"somebody stopped it ({status}: {why})",
            "CloudTrail (event StopServiceDeployment) says who: ask them, then run it again.",
        )
    if status.startswith("ROLLBACK"):
        return Ending(
            "rolled_back",
            f"ECS gave it up and rolls the service back ({status}: {why})",
            "What ran before runs again, or will: put the cause right and run it again.",
        )
    return None


def _failed_tasks(look: Look, goal: Goal) -> Ending | None:
    failed = failure_count(look, goal)
    if not look.settled or failed < goal.max_failed_tasks:
        return None
    return Ending(
        "failed_tasks",
        f"{failed} of its tasks failed, and {goal.max_failed_tasks} is the limit (max_failed_tasks)",
        f"ECS goes on starting tasks of it. Put the cause right and run it again{_or_back(look, goal)}; "
        "wwhd.qdrant_ops.ecs_service_info diagnoses the service.",
    )


def _paused(look: Look, goal: Goal) -> Ending | None:
    pause = None if goal.wait_for_pause else pause_of(look.service_deployment)
    if pause is None:
        return None
    return Ending("paused", pause.text, f"{pause.advice} With on_pause: wait this module waits for that word.")


# The first that holds is told: what explains most stands first.
_JUDGES: tuple[Callable[[Look, Goal], Ending | None], ...] = (
    _gone,
    _scaled_down,
    _lost,
    _stopped,
    _failed_tasks,
    _paused,
)
