# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment in sentences: its changes while it is followed, and the whole story of one that did not succeed.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.rollout import Goal, Look
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.service_deployments import pause_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.states import task_lines
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.targets import group_name
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import short_id, task_text

__all__ = ["TASKS_QUOTED", "changes", "failure_text", "state_text"]

# An error that quotes more tasks than this is not read to its end.
TASKS_QUOTED = 3
_LOG_LINES_QUOTED = 5
_EVENTS_QUOTED = 5


def state_text(look: Look, goal: Goal) -> str:
    """Where the deployment stands, as a clause."""
    own = look.deployment(goal.deployment_id) or {}
    counts = f"running {look.service.get('runningCount')} of {look.service.get('desiredCount')}"
    pending = f", pending {own['pendingCount']}" if own.get("pendingCount") else ""
    failed = f", failed {own['failedTasks']}" if own.get("failedTasks") else ""
    return f"rollout {own.get('rolloutState', 'unknown')}, {counts}{pending}{failed}"


def changes(before: Look | None, look: Look, goal: Goal) -> Iterator[str]:
    """What is new in `look`, one sentence a change, for whoever watches the wait."""
    known = len(before.said) if before else 0
    for message in look.said[known:]:
        yield f"ECS says: {message}"
    state = state_text(look, goal)
    if before is None or state != state_text(before, goal):
        yield f"Deployment {goal.deployment_id}: {state}."
    yield from _new(task_lines(before.tasks) if before else [], task_lines(look.tasks))
    yield from _new(_target_states(before), _target_states(look))
    stage = _stage(look)
    if stage and (before is None or stage != _stage(before)):
        yield stage
    left = _old_text(look)
    if left and (before is None or left != _old_text(before)):
        yield left


def _new(before: Sequence[str], now: Sequence[str]) -> Iterator[str]:
    yield from (text for text in now if text not in before)


def _target_states(look: Look | None) -> list[str]:
    return [
        f"Load balancer: target {target['id']}:{target['port']} of {group_name(group['target_group_arn'])} is "
        f"{target['state']}."
        for group in (look.targets if look else None) or []
        for target in group["targets"]
    ]


def _stage(look: Look) -> str | None:
    stages = look.service_deployment
    if stages is None:
        return None
    pause = pause_of(stages)
    if pause:
        return f"{pause.text[0].upper()}{pause.text[1:]}. {pause.advice}"
    stage = stages.get("lifecycleStage")
    return f"Service deployment {stages.get('status')}" + (f", stage {stage}." if stage else ".")


def _old_text(look: Look) -> str | None:
    if look.old is None:
        return None
    if not look.old:
        return "Every task of the deployments before has ended."
    return f"Tasks of the deployments before that may still have a process: {'; '.join(map(task_text, look.old))}."


def _task_sentence(task: Mapping[str, Any]) -> str:
    exits = ", ".join(f"{c['name']} exit {c['exit_code']}" for c in task["containers"] if c["exit_code"] is not None)
    # Where one container failed, the others' last words are about being stopped.
    failed = [c for c in task["containers"] if c["exit_code"]] or task["containers"]
    live = task["stop_code"] is None and not task["stopped_reason"]
    what = f"is {task['last_status']}, without success so far" if live else task["stopped_reason"] or "no reason given"
    parts = [
        f"Task {short_id(task['task_arn'])}{' ' if live else ': '}{what}",
        f" ({exits})" if exits else "",
        f". {task['hint']}" if task["hint"] else ".",
        _last_lines(failed),
    ]
    return "".join(parts)


def _last_lines(containers: Iterable[Mapping[str, Any]]) -> str:
    lines = [line for c in containers for line in (c.get("logs") or [])[-_LOG_LINES_QUOTED:]]
    return f" Last log lines: {' | '.join(line.strip() for line in lines)}." if lines else ""


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
    *,
    doing: str,
    why: str,
    failures: Iterable[Mapping[str, Any]],
    stuck: Iterable[Mapping[str, Any]],
    old: Sequence[dict[str, Any]],
    events: list[dict[str, Any]],
    targets: list[str],
    advice: str,
) -> str:
    """The whole error of a deployment that did not succeed, as one text."""
    quoted = [
        _task_sentence(task) + (f" {count - 1} more of its tasks failed in the same way." if count > 1 else "")
        for task, count in _told_apart(failures)[:TASKS_QUOTED]
    ]
    said = [str(event.get("message")) for event in events[-_EVENTS_QUOTED:]]
    sentences = [
        f"Could not {doing}: {why}.",
        *quoted,
        *map(_task_sentence, stuck),
        f"Old tasks that still live: {'; '.join(map(task_text, old[:TASKS_QUOTED]))}." if old else "",
        f"Load balancer: {' '.join(targets)}" if targets else "",
        f"Events: {' | '.join(said)}" if said else "",
        advice,
    ]
    return " ".join(filter(None, sentences))
