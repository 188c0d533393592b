# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a task once: never twice for the same run id, and never silent about what ECS refused.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, snake
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.definitions import (
    find_definition,
    without_environment,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.marks import client_token, started_by
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.run_request import (
    OneOff,
    as_the_service,
    parameters_of,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.starting import Starter, family_of, tasks_of_run
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.wait import (
    Listener,
    WaitFor,
    stop_tasks,
    wait_for_tasks,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._interrupts import Interrupted, Interrupts
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

__all__ = ["OneOff", "client_token", "presentable_task", "run_and_wait", "run_once", "started_by"]


def presentable_task(task: Mapping[str, Any]) -> dict[str, Any]:
    """A task as modules return it: snake_case, without values of environment variables in its overrides."""
    shown = dict(task)
    if shown.get("overrides"):
        overrides = dict(shown["overrides"])
        overrides["containerOverrides"] = [without_environment(c) for c in overrides.get("containerOverrides", [])]
        shown["overrides"] = overrides
    return snake(shown)


@dataclasses.dataclass
class _Run:
    """One call of the module: what it is to run, and, once it has begun to start tasks, how far that has come."""

    aws: Aws
    task: OneOff
    check: bool
    clock: Clock
    jitter: Callable[[], float]
    listener: Listener
    starter: Starter | None = None
    definition: dict[str, Any] | None = None
    notes: list[str] = dataclasses.field(default_factory=list)

    def once(self, deferred: Callable[[], contextlib.AbstractContextManager[None]]) -> dict[str, Any]:
        definition = self.definition = find_definition(self.aws, name=self.task.task_definition)
        if definition is None:
            missing = f"the task definition {self.task.task_definition} does not exist"
            if not self.check:
                raise OperationFailed(
                    f"Could not run a task in cluster {self.task.cluster}: {missing}. Check its name and revision "
                    "(aws ecs list-task-definitions), or register it first (wwhd.qdrant_ops.ecs_task_definition)."
                )
            self.notes.append(f"{missing}; outside of check mode the run fails unless an earlier task registers it")
        self.task = as_the_service(self.aws, self.task)
        self.starter = Starter(
            self.aws,
            self.task,
            parameters_of(self.aws, self.task, definition),
            str(definition["family"]) if definition else family_of(self.task.task_definition),
            clock=self.clock,
            jitter=self.jitter,
            deferred=deferred,
            on_change=self.listener.on_change,
        )
        self.starter.find_earlier(settle=not self.check)
        if self.check:
            if not self.starter.earlier:
                _require_cluster(self.aws, self.task.cluster)
            return {**self.answer(self.starter.result()), "changed": self.starter.lacking > 0}
        try:
            self.starter.run()
        except OperationFailed as error:
            if "tasks" in error.details:
                error.details = self.answer(error.details)
                error.details.pop("notes")
            raise
        return self.answer(self.starter.result())

    def answer(self, result: Mapping[str, Any]) -> dict[str, Any]:
        """The module's result for what the starter has."""
        tasks = result["tasks"]
        return {
            **result,
            "task_arn": tasks[0]["taskArn"] if tasks else None,
            "tasks": [presentable_task(task) for task in tasks],
            "started_by": started_by(self.task.run_id) if self.task.run_id else None,
            "notes": self.notes,
        }

    def interrupted(self, told: Interrupted, wait: WaitFor) -> OperationFailed:
        """Stop what this call has started, also where the answer that would have told of it was lost."""
        said = [f"Told to end by {told} while running {self.task.what}."]
        found: dict[str, Any] = {}
        if self.starter is not None:
            found = dict(self.starter.mine)
            if self.starter.unsure and self.task.run_id:
                with contextlib.suppress(OperationFailed):
                    seen = {str(t["taskArn"]): t for t in tasks_of_run(self.aws, self.task, self.starter.family)}
                    found.update({arn: item for arn, item in seen.items() if arn not in self.starter.earlier})
        stopped, of_each = stop_tasks(self.aws, spec=wait, arns=list(found), because=f"was told to end ({told})")
        said.append(of_each or "It had started nothing yet." if found or not self._earlier() else _GOES_ON)
        self.listener.on_change(" ".join(said))
        details = self.answer(self.starter.result()) if self.starter is not None else {}
        details.pop("notes", None)
        return OperationFailed(" ".join(said), details={**details, "changed": bool(found), "stopped": stopped})

    def _earlier(self) -> bool:
        return self.starter is not None and bool(self.starter.earlier)


_GOES_ON = "What an earlier run with this run_id had started goes on."


def run_once(
    aws: Aws,
    *,
    task: OneOff,
    check: bool = False,
    clock: Clock | None = None,
    jitter: Callable[[], float] = random.random,
    listener: Listener | None = None,
) -> dict[str, Any]:
    """Start the tasks, or find those that this run id has started already. Raises OperationFailed.

    Returns changed, task_arn, tasks, started, reattached, failures, started_by, and notes for the user.
    """
    run = _Run(aws, task, check, clock or Clock(), jitter, listener or Listener())
    return run.once(contextlib.nullcontext)


def run_and_wait(
    aws: Aws,
    *,
    task: OneOff,
    wait: WaitFor | None,
    region: str | None,
    stop_on_interrupt: bool = False,
    check: bool = False,
    clock: Clock | None = None,
    listener: Listener | None = None,
) -> dict[str, Any]:
    """`run_once`, then (unless `wait` is None) wait for the end of what was started; both results in one.

    `wait` says how; its tasks are filled in here. With `stop_on_interrupt`, what this call has started is stopped when
    the process is told to end; what an earlier call had started is not this one's to stop.
    """
    if wait is None or check:
        return run_once(aws, task=task, check=check, clock=clock, listener=listener)
    run = _Run(aws, task, check, clock or Clock(), random.random, listener or Listener())
    if not stop_on_interrupt:
        return _started_and_awaited(run, wait, region, listener, contextlib.nullcontext, stop=False)
    with Interrupts() as interrupts:
        run.clock = interrupts.clock_of(run.clock)
        try:
            return _started_and_awaited(run, wait, region, listener, interrupts.deferred, stop=True)
        except Interrupted as told:
            raise run.interrupted(told, wait) from told


def _started_and_awaited(
    run: _Run,
    wait: WaitFor,
    region: str | None,
    listener: Listener | None,
    deferred: Callable[[], contextlib.AbstractContextManager[None]],
    *,
    stop: bool,
) -> dict[str, Any]:
    started = run.once(deferred)
    spec = dataclasses.replace(
        wait,
        cluster=run.task.cluster,
        tasks=[str(item["task_arn"]) for item in started["tasks"]],
        guard=run.task.guard,
        stop_on_interrupt=started["started"] if stop else (),
    )
    try:
        waited = wait_for_tasks(
            run.aws,
            spec=spec,
            region=region,
            clock=run.clock,
            listener=listener,
            definitions={str(run.definition.get("taskDefinitionArn")): run.definition} if run.definition else {},
            guarded_at=run.starter.guarded_at if run.starter else None,
            # What RunTask has just said; an earlier call's tasks may be in any state by now.
            answered=list(run.starter.mine.values()) if run.starter and not run.starter.earlier else (),
        )
    except OperationFailed as error:
        shown = {name: value for name, value in started.items() if name != "notes"}
        error.details = {**shown, **error.details, "changed": started["changed"] or bool(error.details.get("stopped"))}
        raise
    return {**started, **waited, "changed": started["changed"]}


def _require_cluster(aws: Aws, cluster: str) -> None:
    answer = aws.call("ecs", "DescribeClusters", doing=f"describe the cluster {cluster}", clusters=[cluster])
    active = [item for item in answer.get("clusters", []) if item.get("status", "ACTIVE") == "ACTIVE"]
    if not active:
        raise OperationFailed(
            f"Could not run a task: there is no active cluster {cluster}. "
            "Check its name and the region (aws ecs list-clusters)."
        )
