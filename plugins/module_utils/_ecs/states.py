# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of tasks and services as lines for an operator who watches a wait.

Private to wwhd.qdrant_ops. Pure: AWS's answers in (camelCase), one line a thing out. A line that reads the same as at
the look before is not shown again, so nothing in it may change without meaning anything (no seconds, no counters).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import short_id

__all__ = ["missing_lines", "service_line", "task_line", "task_lines"]

# More tasks than these are told by how many are in which state.
_TASKS_NAMED = 5


def task_line(task: Mapping[str, Any]) -> str:
    """`task 0cb1c58f (clear-qdrant-locks:3): RUNNING, HEALTHY`, and how its containers ended."""
    status = str(task.get("lastStatus"))
    words = [status]
    over = status in ("STOPPED", "DELETED")
    if task.get("desiredStatus") == "STOPPED" and not over:
        words.append("to be stopped")
    if not over and task.get("healthStatus") in ("HEALTHY", "UNHEALTHY"):
        words.append(str(task["healthStatus"]))
    exits = [(c.get("name"), c["exitCode"]) for c in task.get("containers", []) if c.get("exitCode") is not None]
    words += [f"{name} ended with exit code {code}" for name, code in exits]
    well = bool(exits) and all(code == 0 for _name, code in exits)
    if over and not well and task.get("stoppedReason"):
        words.append(str(task["stoppedReason"]))
    definition = short_id(str(task.get("taskDefinitionArn", "")))
    return f"task {short_id(str(task.get('taskArn')))}{f' ({definition})' if definition else ''}: {', '.join(words)}"


def task_lines(tasks: Iterable[Mapping[str, Any]]) -> list[str]:
    """A line a task; of many, one line that counts them."""
    known = list(tasks)
    if len(known) <= _TASKS_NAMED:
        return [task_line(task) for task in known]
    states = Counter(str(task.get("lastStatus")) for task in known)
    return [f"{len(known)} tasks: {', '.join(f'{count} {state}' for state, count in sorted(states.items()))}"]


def missing_lines(names: Sequence[str]) -> list[str]:
    """Tasks that ECS does not know, or does not know yet."""
    if len(names) > _TASKS_NAMED:
        return [f"{len(names)} tasks are not known to ECS yet"]
    return [f"task {name}: not known to ECS yet" for name in names]


def service_line(service: Mapping[str, Any]) -> str:
    """`service wwhd-backend: 1 of 0 running`."""
    status = service.get("status")
    running, desired, pending = (int(service.get(f"{key}Count") or 0) for key in ("running", "desired", "pending"))
    words = [str(status)] if status not in (None, "ACTIVE") else []
    words += [f"{running} of {desired} running", *([f"{pending} pending"] if pending else [])]
    return f"service {service.get('serviceName')}: {', '.join(words)}"
