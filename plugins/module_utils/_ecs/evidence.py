# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was seen, for each verdict, as sentences: pure functions over facts.

Private to wwhd.qdrant_ops. `facts` is a dict in snake_case, as ecs_service_info collects it; symptoms.py says what
is in it. A function that gives no sentence says that its verdict does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.reasons import kind_for, reason_for
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.storage_signs import sign_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.symptoms import (
    Facts,
    is_essential,
    lock_lines,
    unhealthy_because,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import short_id

__all__ = [
    "app_error",
    "by_kind",
    "deploying",
    "ended",
    "ending",
    "given_up",
    "health_check",
    "healthy",
    "locks_held",
    "many_writers",
    "memory",
    "mount",
    "paused",
    "primary",
    "rolled_back",
    "speaking_lines",
    "stopped_by_hand",
    "storage",
    "task_kind",
    "unread_logs",
    "writers",
]

_LINE_SHOWN = 600
_LAST_LINES = 3
# Kinds of reasons.REASONS -> our verdicts, where they are not the same word.
_VERDICT_OF_KIND = {"secret": "permission", "command": "app_error"}
# Where the scheduler says these, it does not speak of our tasks' own failures.
_BAD_ENDS = ("TaskFailedToStart", "EssentialContainerExited")
# The state of a service that nobody can bring back by an unlock.
_ENDING = ("DRAINING", "INACTIVE")


def primary(facts: Facts) -> Mapping[str, Any]:
    deployments = facts["service"].get("deployments") or []
    return next((d for d in deployments if d.get("status") == "PRIMARY"), {})


def ended(facts: Facts) -> list[Mapping[str, Any]]:
    """Tasks that ended, or are ending, by anything but the scheduler's own scaling.

    Those of the current deployment speak for the present trouble; older ones only where it has none.
    """
    found = [
        task
        for task in facts.get("tasks", [])
        if task["stop_code"] and kind_for(task["stop_code"], task["stopped_reason"]) != "scaling"
    ]
    current = [task for task in found if task["started_by"] and task["started_by"] == primary(facts).get("id")]
    return current or found


def _fresh_events(facts: Facts) -> list[str]:
    """Event texts since the service was last steady, newest first: older ones tell of troubles that are over."""
    texts: list[str] = []
    for event in facts.get("events", []):
        message = str(event.get("message", ""))
        if "has reached a steady state" in message:
            break
        texts.append(message)
    return texts


def task_kind(task: Mapping[str, Any]) -> str | None:
    kind = kind_for(task["stop_code"], task["stopped_reason"], [c["reason"] for c in task["containers"]])
    return _VERDICT_OF_KIND.get(kind, kind) if kind else None


def _why(task: Mapping[str, Any]) -> str:
    reasons = [task["stopped_reason"], *(c["reason"] for c in task["containers"])]
    exits = [f"{c['name']} exit {c['exit_code']}" for c in task["containers"] if c["exit_code"] is not None]
    said = "; ".join(dict.fromkeys(str(reason) for reason in reasons if reason)) or "no reason given"
    return f"Task {short_id(task['task_arn'])} ({task['stop_code']}): {said}" + (
        f" ({', '.join(exits)})" if exits else ""
    )


def by_kind(kind: str) -> Callable[[Facts], list[str]]:
    """Evidence in stop reasons, containers' reasons and fresh events, by the table in reasons.py."""

    def evidence(facts: Facts) -> list[str]:
        tasks = [_why(task) for task in ended(facts) if task_kind(task) == kind]
        events = []
        for message in _fresh_events(facts):
            row = reason_for(message)
            if row and _VERDICT_OF_KIND.get(row.kind, row.kind) == kind:
                events.append(f"Event: {message}")
        return tasks + events

    return evidence


def healthy(facts: Facts) -> list[str]:
    service = facts["service"]
    if unhealthy_because(facts):
        return []
    return [
        f"{service.get('running_count')} of {service.get('desired_count')} desired task(s) run, nothing else moves."
    ]


def ending(facts: Facts) -> list[str]:
    status = facts["service"].get("status")
    return [f"ECS says that the service is {status}."] if status in _ENDING else []


def stopped_by_hand(facts: Facts) -> list[str]:
    if facts["service"].get("desired_count"):
        return []
    live = sum(not task["gone"] for task in facts.get("tasks", []))
    return ["The desired count is 0" + (f"; {live} task(s) are still alive." if live else " and no task is alive.")]


def speaking_lines(facts: Facts) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any], str]]:
    """(task, container, line) of every log line that was read of a task which speaks for the present trouble."""
    speaking = {task["task_arn"] for task in ended(facts)}
    for task in facts.get("tasks", []):
        # A task that is still counted as running may have printed the error already.
        if task["gone"] and task["task_arn"] not in speaking:
            continue
        for container in task["containers"]:
            for line in container.get("logs") or []:
                yield task, container, line


def _quoted(task: Mapping[str, Any], container: Mapping[str, Any], line: str) -> str:
    return f"Task {short_id(task['task_arn'])}, container {container['name']}: {line.strip()[:_LINE_SHOWN]}"


def locks_held(facts: Facts) -> list[str]:
    return [_quoted(*entry) for entry in speaking_lines(facts) if lock_lines([entry[2]])]


def storage(facts: Facts) -> list[str]:
    return [_quoted(*entry) for entry in speaking_lines(facts) if sign_of(entry[2])]


def memory(facts: Facts) -> list[str]:
    found = by_kind("memory")(facts)
    for task in ended(facts):
        killed = [c["name"] for c in task["containers"] if c["exit_code"] == 137 and is_essential(c["name"], facts)]
        others = [c for c in task["containers"] if c["exit_code"] not in (None, 0, 137, 143)]
        # A container that is told to stop because another one failed may end by 137 as well.
        if task["stop_code"] == "EssentialContainerExited" and killed and not others and task_kind(task) is None:
            found.append(f"{_why(task)}: killed without being stopped, as happens when memory runs out")
    return found


def mount(facts: Facts) -> list[str]:
    found = by_kind("mount")(facts)
    for task in ended(facts):
        for container in task["containers"]:
            found.extend(
                _quoted(task, container, line)
                for line in container.get("logs") or []
                if "While lock file:" in line and "Operation not supported" in line
            )
    return found


def health_check(facts: Facts) -> list[str]:
    found = by_kind("health_check")(facts)
    if facts["service"].get("running_count"):
        found.extend(
            f"Load balancer: {problem}" for problem in facts.get("target_problems", []) if " is unhealthy" in problem
        )
    return found


def deploying(facts: Facts) -> list[str]:
    current = primary(facts)
    moving = current.get("rollout_state") == "IN_PROGRESS" or len(facts["service"].get("deployments") or []) > 1
    own = [task for task in ended(facts) if task["started_by"] == current.get("id")]
    # Where its tasks fail, the failure is the news, not the deployment.
    if not moving or current.get("failed_tasks") or any(task["stop_code"] in _BAD_ENDS for task in own):
        return []
    service = facts["service"]
    return [
        f"Deployment {current.get('id')} is {current.get('rollout_state')}: {service.get('running_count')} of "
        f"{service.get('desired_count')} task(s) run, {service.get('pending_count')} pending."
    ]


def paused(facts: Facts) -> list[str]:
    pause = facts.get("pause")
    return [f"Deployment {primary(facts).get('id')}: {pause['text']}. {pause['advice']}"] if pause else []


def rolled_back(facts: Facts) -> list[str]:
    """Evidence that ECS went, or goes, back to what ran before the newest deployment."""
    found = []
    for deployment in facts["service"].get("deployments") or []:
        reason = str(deployment.get("rollout_state_reason") or "")
        if "rolling back" in reason:
            found.append(f"Deployment {deployment.get('id')} is {deployment.get('rollout_state')} ({reason}).")
    current = str(primary(facts).get("id") or "none")
    for event in facts.get("events", []):
        message = str(event.get("message", ""))
        # Events stay for long: only one that names what runs now tells of now.
        if "rolling back to deployment" in message and f"{current}." in f"{message}.":
            found.append(f"Event: {message}")
            break
    return found


def given_up(facts: Facts) -> list[str]:
    current = primary(facts)
    if current.get("rollout_state") != "FAILED":
        return rolled_back(facts)
    return [
        f"Deployment {current.get('id')} is FAILED ({current.get('rollout_state_reason') or 'no reason given'}).",
        *rolled_back(facts),
    ]


def unread_logs(task: Mapping[str, Any]) -> bool:
    """Whether nothing is known of what the containers of a task printed."""
    return not any(
        line and not line.startswith("(") for container in task["containers"] for line in container.get("logs") or []
    )


def app_error(facts: Facts) -> list[str]:
    found = []
    for task in ended(facts):
        by_itself = task["stop_code"] == "EssentialContainerExited" and task_kind(task) is None
        lines = [line for container in task["containers"] for line in container.get("logs") or []]
        if lock_lines(lines) or any(map(sign_of, lines)):
            continue
        if by_itself or task_kind(task) == "app_error":
            last = [
                line.strip()[:_LINE_SHOWN] for c in task["containers"] for line in (c.get("logs") or [])[-_LAST_LINES:]
            ]
            found.append(" | ".join([_why(task), *filter(None, last)]))
    return found


def writers(facts: Facts) -> list[Mapping[str, Any]]:
    """The service's tasks that may write to the store at this moment."""
    return [
        task
        for task in facts.get("tasks", [])
        if not task["gone"]
        and task.get("started_at")
        and any(c["last_status"] != "STOPPED" and is_essential(c["name"], facts) for c in task["containers"])
    ]


def many_writers(facts: Facts) -> list[str]:
    found = writers(facts)
    if len(found) < 2 or not facts.get("volumes"):
        return []
    stores = ", ".join(dict.fromkeys(str(volume["file_system_id"]) for volume in facts["volumes"]))
    names = ", ".join(f"{short_id(task['task_arn'])} ({task['last_status']})" for task in found)
    return [f"{len(found)} tasks of the service are alive at the same time, all on {stores}: {names}."]
