# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks: the census, and what a task's state proves.

Private to wwhd.qdrant_ops. Tasks are dicts as DescribeTasks gives them (camelCase).
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, batches
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.together import look_for

__all__ = [
    "Described",
    "census",
    "containers_ended",
    "describe",
    "group_of_service",
    "is_gone",
    "list_arns",
    "short_id",
    "task_fingerprint",
    "task_text",
]

# DescribeTasks takes at most 100 tasks a call (facts.md B.3).
_DESCRIBE_LIMIT = 100
_FEW = 10
# From DEPROVISIONING on only the network interface is being taken away (facts.md A.1).
_AFTER_THE_PROCESSES = frozenset({"DEPROVISIONING", "STOPPED", "DELETED"})


@dataclass(frozen=True)
class Described:
    """What DescribeTasks knew: the tasks, and the ARNs that it called MISSING (too new, or over an hour gone)."""

    tasks: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def short_id(arn: str) -> str:
    """The last part of an ARN: the id that AWS's console shows."""
    return arn.rsplit("/", 1)[-1]


def group_of_service(service: str) -> str:
    return f"service:{service}"


def containers_ended(task: dict[str, Any]) -> bool:
    """Whether every container is STOPPED. A task without containers never started one (facts.md A.6)."""
    return all(container.get("lastStatus") == "STOPPED" for container in task.get("containers", []))


def is_gone(task: dict[str, Any]) -> bool:
    """Whether no process of the task can be alive any more.

    STOPPED proves it by definition. DEPROVISIONING proves it together with each container's own STOPPED. No earlier
    state proves anything: a process lives on through DEACTIVATING and STOPPING (facts.md A.1, A.3).
    """
    status = task.get("lastStatus")
    if status in ("STOPPED", "DELETED"):
        return True
    return status in _AFTER_THE_PROCESSES and bool(task.get("containers")) and containers_ended(task)


def task_fingerprint(task: dict[str, Any]) -> tuple[Any, ...]:
    """What counts as a change of a task's state while it is awaited."""
    return (
        task.get("taskArn"),
        task.get("lastStatus"),
        task.get("desiredStatus"),
        tuple((c.get("name"), c.get("lastStatus"), c.get("exitCode")) for c in task.get("containers", [])),
    )


def task_text(task: dict[str, Any]) -> str:
    """One task as a person reads it: id, owner, state."""
    owner = task.get("group") or f"definition {short_id(task.get('taskDefinitionArn', 'unknown'))}"
    containers = ", ".join(
        f"{c.get('name')} {c.get('lastStatus')}" + (f" exit {c['exitCode']}" if c.get("exitCode") is not None else "")
        for c in task.get("containers", [])
    )
    states = f"{task.get('lastStatus')}, desired {task.get('desiredStatus')}"
    return f"{short_id(task['taskArn'])} of {owner} ({states}{'; ' + containers if containers else ''})"


def list_arns(aws: Aws, *, cluster: str, statuses: Sequence[str] = ("RUNNING", "STOPPED"), **filters: Any) -> list[str]:
    """The ARNs of the tasks whose *desired* status is one of `statuses`, over all pages, each once.

    Both statuses are needed for a census: a task that is being stopped has already left the RUNNING list while its
    processes live (facts.md A.2).
    """
    found: dict[str, None] = {}
    for status in statuses:
        for page in aws.pages(
            "ecs",
            "ListTasks",
            doing=f"list the tasks in cluster {cluster} with desired status {status}",
            cluster=cluster,
            desiredStatus=status,
            **filters,
        ):
            found.update(dict.fromkeys(page.get("taskArns", [])))
    return list(found)


def describe(aws: Aws, *, cluster: str, arns: Iterable[str]) -> Described:
    """Describe any number of tasks, in batches; an empty list makes no call."""
    wanted = list(arns)
    # Many at once are a look at a whole cluster, which is shared as such (_ecs/mounts.py).
    if aws.shared is None or not 0 < len(wanted) <= _FEW:
        return _described(aws, cluster, wanted)

    def each(names: Sequence[str]) -> dict[str, tuple[dict[str, Any] | None, bool]]:
        found = _described(aws, cluster, names)
        # Whoever asks may give an id, AWS answers with the ARN.
        tasks = {short_id(str(task["taskArn"])): task for task in found.tasks}
        missing = set(map(short_id, found.missing))
        return {name: (tasks.get(short_id(name)), short_id(name) in missing) for name in names}

    seen = look_for(aws, f"single tasks of {cluster}", wanted, each, a_call=_DESCRIBE_LIMIT)
    tasks = [task for arn in wanted if (task := seen[arn][0])]
    return Described(tasks, [arn for arn in wanted if seen[arn][1]])


def _described(aws: Aws, cluster: str, arns: Sequence[str]) -> Described:
    tasks: list[dict[str, Any]] = []
    missing: list[str] = []
    for batch in batches(arns, _DESCRIBE_LIMIT):
        answer = aws.call(
            "ecs",
            "DescribeTasks",
            doing=f"describe {len(batch)} task(s) in cluster {cluster} ({', '.join(map(short_id, batch[:3]))})",
            cluster=cluster,
            tasks=list(batch),
            include=["TAGS"],
        )
        tasks.extend(answer.get("tasks", []))
        missing.extend(str(failure.get("arn")) for failure in answer.get("failures", []))
    return Described(tasks, missing)


def census(
    aws: Aws,
    *,
    cluster: str,
    over: MutableMapping[str, dict[str, Any]] | None = None,
    apart: Iterable[str] = (),
    **filters: Any,
) -> Described:
    """Every task that may be alive or ended lately: desired RUNNING and STOPPED, described.

    `over`, by ARN, are tasks that an earlier census has seen gone: none comes back, so they are not described again.
    Those that this one sees gone are added. `apart` are ARNs of which the caller knows enough: they are left out.
    """
    over = {} if over is None else over
    known_well = set(apart)
    arns = [arn for arn in list_arns(aws, cluster=cluster, **filters) if arn not in known_well]
    described = describe(aws, cluster=cluster, arns=[arn for arn in arns if arn not in over])
    known = [over[arn] for arn in arns if arn in over]
    over.update({str(task["taskArn"]): task for task in described.tasks if is_gone(task)})
    return Described([*described.tasks, *known], described.missing)
