# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a service is stuck, from facts that were read before: pure functions and one table of verdicts.

Private to wwhd.qdrant_ops. `facts` is a dict in snake_case, as ecs_service_info collects it; symptoms.py says what
is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.reasons import kind_for, reason_for
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.symptoms import (
    Facts,
    is_essential,
    lock_lines,
    unhealthy_because,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import short_id

__all__ = ["VERDICTS", "Verdict", "diagnose", "lock_lines", "unhealthy_because"]

_LINE_SHOWN = 400
# Kinds of reasons.REASONS -> our verdicts, where they are not the same word.
_VERDICT_OF_KIND = {"secret": "permission", "command": "app_error"}
# Where the scheduler says these, it does not speak of our tasks' own failures.
_BAD_ENDS = ("TaskFailedToStart", "EssentialContainerExited")


def _primary(facts: Facts) -> Mapping[str, Any]:
    deployments = facts["service"].get("deployments") or []
    return next((d for d in deployments if d.get("status") == "PRIMARY"), {})


def _ended(facts: Facts) -> list[Mapping[str, Any]]:
    """Tasks that ended, or are ending, by anything but the scheduler's own scaling.

    Those of the current deployment speak for the present trouble; older ones only where it has none.
    """
    ended = [
        task
        for task in facts.get("tasks", [])
        if task["stop_code"] and kind_for(task["stop_code"], task["stopped_reason"]) != "scaling"
    ]
    current = [task for task in ended if task["started_by"] and task["started_by"] == _primary(facts).get("id")]
    return current or ended


def _fresh_events(facts: Facts) -> list[str]:
    """Event texts since the service was last steady, newest first: older ones tell of troubles that are over."""
    texts: list[str] = []
    for event in facts.get("events", []):
        message = str(event.get("message", ""))
        if "has reached a steady state" in message:
            break
        texts.append(message)
    return texts


def _task_kind(task: Mapping[str, Any]) -> str | None:
    kind = kind_for(task["stop_code"], task["stopped_reason"], [c["reason"] for c in task["containers"]])
    return _VERDICT_OF_KIND.get(kind, kind) if kind else None


def _why(task: Mapping[str, Any]) -> str:
    reasons = [task["stopped_reason"], *(c["reason"] for c in task["containers"])]
    exits = [f"{c['name']} exit {c['exit_code']}" for c in task["containers"] if c["exit_code"] is not None]
    said = "; ".join(dict.fromkeys(str(reason) for reason in reasons if reason)) or "no reason given"
    return f"Task {short_id(task['task_arn'])} ({task['stop_code']}): {said}" + (
        f" ({', '.join(exits)})" if exits else ""
    )


def _by_kind(kind: str) -> Callable[[Facts], list[str]]:
    """Evidence in stop reasons, containers' reasons and fresh events, by the table in reasons.py."""

    def evidence(facts: Facts) -> list[str]:
        tasks = [_why(task) for task in _ended(facts) if _task_kind(task) == kind]
        events = []
        for message in _fresh_events(facts):
            row = reason_for(message)
            if row and _VERDICT_OF_KIND.get(row.kind, row.kind) == kind:
                events.append(f"Event: {message}")
        return tasks + events

    return evidence


def _healthy(facts: Facts) -> list[str]:
    service = facts["service"]
    if unhealthy_because(facts):
        return []
    return [
        f"{service.get('running_count')} of {service.get('desired_count')} desired task(s) run, nothing else moves."
    ]


def _stopped_by_hand(facts: Facts) -> list[str]:
    if facts["service"].get("desired_count"):
        return []
    live = sum(not task["gone"] for task in facts.get("tasks", []))
    return ["The desired count is 0" + (f"; {live} task(s) are still alive." if live else " and no task is alive.")]


def _locks_held(facts: Facts) -> list[str]:
    found = []
    speaking = {task["task_arn"] for task in _ended(facts)}
    for task in facts.get("tasks", []):
        # A task that is still counted as running may have printed the error already.
        if task["gone"] and task["task_arn"] not in speaking:
            continue
        for container in task["containers"]:
            for line in lock_lines(container.get("logs") or []):
                found.append(
                    f"Task {short_id(task['task_arn'])}, container {container['name']}: {line.strip()[:_LINE_SHOWN]}"
                )
    return found


def _memory(facts: Facts) -> list[str]:
    found = _by_kind("memory")(facts)
    for task in _ended(facts):
        killed = [c["name"] for c in task["containers"] if c["exit_code"] == 137 and is_essential(c["name"], facts)]
        others = [c for c in task["containers"] if c["exit_code"] not in (None, 0, 137, 143)]
        # A container that is told to stop because another one failed may end by 137 as well.
        if task["stop_code"] == "EssentialContainerExited" and killed and not others and _task_kind(task) is None:
            found.append(f"{_why(task)}: killed without being stopped, as happens when memory runs out")
    return found


def _mount(facts: Facts) -> list[str]:
    found = _by_kind("mount")(facts)
    for task in _ended(facts):
        for container in task["containers"]:
            found.extend(
                f"Task {short_id(task['task_arn'])}, container {container['name']}: {line.strip()[:_LINE_SHOWN]}"
                for line in container.get("logs") or []
                if "While lock file:" in line and "Operation not supported" in line
            )
    return found


def _health_check(facts: Facts) -> list[str]:
    found = _by_kind("health_check")(facts)
    if facts["service"].get("running_count"):
        found.extend(
            f"Load balancer: {problem}" for problem in facts.get("target_problems", []) if " is unhealthy" in problem
        )
    return found


def _deploying(facts: Facts) -> list[str]:
    primary = _primary(facts)
    moving = primary.get("rollout_state") == "IN_PROGRESS" or len(facts["service"].get("deployments") or []) > 1
    own = [task for task in _ended(facts) if task["started_by"] == primary.get("id")]
    # Where its tasks fail, the failure is the news, not the deployment.
    if not moving or primary.get("failed_tasks") or any(task["stop_code"] in _BAD_ENDS for task in own):
        return []
    service = facts["service"]
    return [
        f"Deployment {primary.get('id')} is {primary.get('rollout_state')}: {service.get('running_count')} of "
        f"{service.get('desired_count')} task(s) run, {service.get('pending_count')} pending."
    ]


def _paused(facts: Facts) -> list[str]:
    pause = facts.get("pause")
    return [f"Deployment {_primary(facts).get('id')}: {pause['text']}. {pause['advice']}"] if pause else []


def _given_up(facts: Facts) -> list[str]:
    primary = _primary(facts)
    if primary.get("rollout_state") != "FAILED":
        return []
    return [f"Deployment {primary.get('id')} is FAILED ({primary.get('rollout_state_reason') or 'no reason given'})."]


def _app_error(facts: Facts) -> list[str]:
    found = []
    for task in _ended(facts):
        by_itself = task["stop_code"] == "EssentialContainerExited" and _task_kind(task) is None
        if any(lock_lines(container.get("logs") or []) for container in task["containers"]):
            continue
        if by_itself or _task_kind(task) == "app_error":
            last = [(c.get("logs") or [""])[-1].strip()[:_LINE_SHOWN] for c in task["containers"]]
            found.append(" | ".join([_why(task), *filter(None, last)]))
    return found


@dataclass(frozen=True)
class Verdict:
    """One row: `evidence` gives the facts that speak for it (none: it does not hold), `next` what to do."""

    name: str
    evidence: Callable[[Facts], list[str]]
    summary: str
    next: str


# The first that holds is the verdict: what explains most stands first.
VERDICTS: tuple[Verdict, ...] = (
    Verdict("healthy", _healthy, "The service is healthy.", "Nothing needs to be done."),
    Verdict(
        "stopped_by_hand",
        _stopped_by_hand,
        "The service is stopped: its desired count is 0.",
        "Start it again by the unlock playbook, or by setting the desired count.",
    ),
    Verdict(
        "locks_held",
        _locks_held,
        "The store cannot open its files: a lock on them is held, or cannot be taken.",
        "Run the unlock playbook: it stops every writer, proves that each is gone, and then clears the locks.",
    ),
    Verdict(
        "stopped_by_user",
        _by_kind("stopped_by_user"),
        "Somebody stopped its tasks (StopTask).",
        "Ask who did, and why: the reason quoted is theirs (CloudTrail has the name, event StopTask).",
    ),
    Verdict(
        "memory",
        _memory,
        "Its containers run out of memory.",
        "Give the task more memory, or let Qdrant keep vectors and payloads on disk.",
    ),
    Verdict(
        "image",
        _by_kind("image"),
        "An image cannot be pulled.",
        "Correct the image's name or tag, or the registry's limits and permissions.",
    ),
    Verdict(
        "mount",
        _mount,
        "The file system cannot be mounted, or cannot lock files.",
        "Check mount targets, security groups (TCP 2049), access point and the task role's permissions.",
    ),
    Verdict(
        "logging",
        _by_kind("logging"),
        "A container cannot start because its log group cannot be written.",
        "Create the log group, or give the execution role the permission to write to it.",
    ),
    Verdict(
        "health_check",
        _health_check,
        "Its tasks run, but fail their health checks.",
        "Check the health check's path and port, the security groups, and that the grace period covers the load time.",
    ),
    Verdict(
        "capacity",
        _by_kind("capacity"),
        "AWS has no place to run its tasks.",
        "Try again in some minutes, or give subnets in more availability zones.",
    ),
    Verdict(
        "network",
        _by_kind("network"),
        "Its tasks have no working network.",
        "Check subnets, public address or NAT gateway, VPC endpoints and security groups.",
    ),
    Verdict(
        "permission",
        _by_kind("permission"),
        "A role lacks a permission, or a secret is missing.",
        "Give the role that the text names what it lacks, or correct the secret's name.",
    ),
    Verdict(
        "paused",
        _paused,
        "Its deployment is paused at a lifecycle hook, and waits for somebody's word.",
        "Let it go on, or roll it back, by the command that is quoted.",
    ),
    Verdict(
        "deploying",
        _deploying,
        "A deployment is under way and nothing has failed so far.",
        "Wait until it has ended, and look again.",
    ),
    Verdict(
        "app_error",
        _app_error,
        "Its containers start and end by themselves with an error.",
        "Read the last log lines of the containers: the program says there what is wrong.",
    ),
    Verdict(
        "given_up",
        _given_up,
        "ECS has given its deployment up, and starts no more tasks of it.",
        "Start a new deployment once the cause is put right (wwhd.qdrant_ops.ecs_service_redeploy).",
    ),
)
_UNKNOWN = Verdict(
    "unknown",
    unhealthy_because,
    "The service is not healthy, and nothing that was read says why.",
    "Read the service's events and its containers' logs in the console; the newest are returned beside this.",
)


def _hints(facts: Facts, kind: str) -> list[str]:
    """What reasons.py advises for the tasks that speak for a verdict: narrower than the verdict's own advice."""
    hints = [task["hint"] for task in _ended(facts) if _task_kind(task) == kind and task["hint"]]
    return list(dict.fromkeys(hints))[:1]


def diagnose(facts: Facts) -> dict[str, Any]:
    """{verdict, summary, evidence, next, also}: the first verdict that holds, and the evidence of every one.

    `also` names the other verdicts that hold. A healthy service has no other verdicts: its past troubles are over.
    """
    found = [(verdict, evidence) for verdict in VERDICTS for evidence in [verdict.evidence(facts)] if evidence]
    if not found:
        found = [(_UNKNOWN, _UNKNOWN.evidence(facts))]
    first = found[0][0]
    holding = found[:1] if first.name == "healthy" else found
    lines = list(dict.fromkeys(line for _verdict, evidence in holding for line in evidence))
    return {
        "verdict": first.name,
        "summary": first.summary,
        "evidence": lines,
        "next": " ".join([first.next, *_hints(facts, first.name)]),
        "also": [verdict.name for verdict, _evidence in holding[1:]],
    }
