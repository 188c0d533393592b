# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading what becomes of one deployment, with as few calls as tell it.

Private to wwhd.qdrant_ops. DescribeServices is asked at each look. Its answer shows when there is something new about
the tasks, and only then they are listed and described; targets and stages are read where there are any. As long as
nothing hints at a failure, those that have ended are not asked for: none of the deployment's own has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.rollout import (
    Goal,
    Look,
    ended_badly,
    rolled_out,
    tasks_lacking,
    waiting_for,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.rollout_text import TASKS_QUOTED, changes
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.service_deployments import (
    has_stages,
    read_service_deployment,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import (
    find_service,
    new_events,
    tasks_started,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tails import newest_first, with_tails
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.targets import refreshed_targets, unread_targets
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import census, describe, is_gone, list_arns
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

__all__ = ["SETTLING", "Following", "tasks_ended"]

# AWS's reads follow its writes with a delay (facts.md B.3): seconds until an old answer is believed after all.
SETTLING = 30.0
# Seconds after which the tasks are read again though nothing in the service has changed; and where one may have failed.
_TASKS_EVERY, _SUSPICIOUS_EVERY = 30.0, 15.0
# The same for stages, whose changes the service does not show.
_STAGES_EVERY = 5.0
# What ECS says of a deployment that comes as it should, beside that tasks started.
_AS_IT_SHOULD = re.compile(
    r"\bregistered \d+ targets\b"
    r"|\bhas reached a steady state\b"
    r"|\bdeployment completed\b"
)


def tasks_ended(aws: Aws, *, cluster: str, service: str) -> frozenset[str]:
    """The service's tasks that have ended already: they say nothing about what comes."""
    known = census(aws, cluster=cluster, serviceName=service)
    return frozenset(task["taskArn"] for task in known.tasks if is_gone(task))


def _is_meant_to_run(task: Mapping[str, Any]) -> bool:
    return task.get("desiredStatus") == "RUNNING" and not is_gone(dict(task))


@dataclass
class Following:
    """`look` is one look; everything else remembers what earlier ones have shown.

    `on_change` is told each change in a sentence. `stages_before`: the service deployment from before our call, which
    is not ours. `ignored`: tasks that had ended before. `known_events`: ids of events from before.
    """

    aws: Aws
    cluster: str
    service: str
    goal: Goal
    clock: Clock
    on_change: Callable[[str], None]
    known_events: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    stages_before: str | None = None
    warnings: list[str] = field(default_factory=list)
    # Tasks that ECS forgets while we wait (an hour after their end) still count.
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    _last: Look | None = None
    _mark: tuple[int, int, int, bool] | None = None
    # The service as UpdateService has just given it: that is the first look.
    _answered: Mapping[str, Any] | None = None
    # Whether anything may have failed. Of a deployment that had begun before, nobody knows.
    _suspicious: bool = True
    _tasks_at: float | None = None
    _stages_at: float | None = None
    _stages: dict[str, Any] | None = None
    _may_read_stages: bool = True
    _settled: bool = False
    _give_up_settling: float | None = None
    _absent: int = 0

    def expect_nothing_yet(self, service: Mapping[str, Any]) -> None:
        """A deployment that was begun by this very answer has no tasks: they need not be read before it changes."""
        self._answered = service
        self._suspicious = False
        self._mark = self._marked(service, done=False)
        self._tasks_at = self.clock.monotonic()

    def look(self) -> Look:
        answered, self._answered = self._answered, None
        found = dict(answered or find_service(self.aws, cluster=self.cluster, service=self.service))
        now = self.clock.monotonic()
        look = Look(found, service_deployment=self._read_stages(found, now))
        done = rolled_out(look, self.goal)
        mark = self._marked(found, done=done)
        if self._is_news(mark, now) or (done and tasks_lacking(replace(look, tasks=self._ours()))):
            # In the end all that failed on the way is to be known.
            self._read_tasks(whole=done and (self._suspicious or self.goal.wait_for_old_tasks), service=found)
            self._tasks_at = now
        self._mark = mark
        look = replace(
            look,
            tasks=self._ours(),
            # What AWS answers to our call says nothing about how old its next answers are.
            settled=not answered and self._has_settled(found, now),
            begins=answered is not None,
            absent=self._count_absent(look),
            said=tuple(str(event.get("message")) for event in self.events(found)),
        )
        if done:
            look = replace(look, targets=self._read_targets(found), old=self._read_old(fresh=self._tasks_at == now))
        if look.old == [] and self._tasks_at != now and waiting_for(look, self.goal) is None:
            # That no old task lives is told from a list of now, not from those that were known.
            self._read_tasks(whole=True, service=found)
            self._tasks_at = now
            look = replace(look, tasks=self._ours(), old=self._old_alive())
        for text in changes(self._last, look, self.goal):
            self.on_change(text)
        self._last = look
        return look

    def up_to_date(self, look: Look) -> Look:
        """`look` with all tasks as they are now. Where it failed, whoever would go back from it asks whether any of its
        containers has run, be it in the last second."""
        self._read_tasks(whole=True, service=look.service)
        return replace(look, tasks=self._ours(), old=None if look.old is None else self._old_alive())

    def failures(self, log_lines: int) -> list[dict[str, Any]]:
        """The views of this deployment's failed tasks, newest first, the newest with the ends of their logs."""
        bad = newest_first(filter(ended_badly, self._ours()))
        return with_tails(self.aws, tasks=bad, newest=TASKS_QUOTED, lines=log_lines)

    def stuck(self, log_lines: int) -> list[dict[str, Any]]:
        """The view of its newest live task, with the end of its logs: what to read where none has failed."""
        live = newest_first(task for task in self._ours() if not is_gone(task))
        return with_tails(self.aws, tasks=live[:1], newest=1, lines=log_lines)

    def events(self, service: Mapping[str, Any]) -> list[dict[str, Any]]:
        return new_events(service, known=self.known_events)

    def _ours(self) -> list[dict[str, Any]]:
        return [task for task in self.tasks.values() if self._is_ours(task)]

    def _is_ours(self, task: Mapping[str, Any]) -> bool:
        return task.get("startedBy") == self.goal.deployment_id

    def _marked(self, service: Mapping[str, Any], *, done: bool) -> tuple[int, int, int, bool]:
        own: dict[str, Any] = next(
            (d for d in service.get("deployments", []) if d.get("id") == self.goal.deployment_id), {}
        )
        return (
            int(own.get("failedTasks") or 0),
            int(own.get("runningCount") or 0),
            self._count_unusual(service),
            done,
        )

    def _count_unusual(self, service: Mapping[str, Any]) -> int:
        """How many of the events since our call may tell of a task that failed."""
        count = started = 0
        for event in self.events(service):
            message = str(event.get("message"))
            begun = tasks_started(message)
            if begun is None:
                count += _AS_IT_SHOULD.search(message) is None
                continue
            started += begun
            # More than are wanted replace some that failed.
            count += started > self.goal.desired_count
        return count

    def _is_news(self, mark: tuple[int, int, int, bool], now: float) -> bool:
        """Whether the tasks are worth reading: one failed or ended, ECS said something, the rollout is done."""
        if self._mark is None or self._tasks_at is None:
            return True
        failed, running, unusual, done = self._mark
        every = _SUSPICIOUS_EVERY if self._suspicious else _TASKS_EVERY
        hint = mark[0] > failed or mark[1] < running or mark[2] > unusual
        self._suspicious = self._suspicious or hint
        return hint or mark[3] != done or now - self._tasks_at >= every

    def _read_tasks(self, *, whole: bool, service: Mapping[str, Any]) -> None:
        """Whatever ECS lists; unless `whole`, only those that live, if they are as many as are wanted and still do.

        Those that are meant to end are listed only where one may have failed, or is not where it was.
        """
        alive = [task["taskArn"] for task in self._ours() if not is_gone(task)]
        wanted = max(self.goal.desired_count, int(service.get("desiredCount") or 0))
        if not whole and len(alive) >= wanted > 0:
            described = describe(self.aws, cluster=self.cluster, arns=alive)
            self.tasks.update({task["taskArn"]: task for task in described.tasks})
            if len(described.tasks) == len(alive) and all(map(_is_meant_to_run, described.tasks)):
                return
            self._suspicious = True
        if whole or self._suspicious:
            arns = list_arns(self.aws, cluster=self.cluster, serviceName=self.service)
        else:
            arns = list_arns(self.aws, cluster=self.cluster, statuses=["RUNNING"], serviceName=self.service)
            if not set(alive) <= set(arns):
                self._suspicious = True
                arns = list_arns(self.aws, cluster=self.cluster, serviceName=self.service)
        unfinished = [
            arn for arn in arns if arn not in self.ignored and not (arn in self.tasks and is_gone(self.tasks[arn]))
        ]
        for task in describe(self.aws, cluster=self.cluster, arns=unfinished).tasks:
            self.tasks[task["taskArn"]] = task

    def _old_alive(self) -> list[dict[str, Any]]:
        return [task for task in self.tasks.values() if not self._is_ours(task) and not is_gone(task)]

    def _read_old(self, *, fresh: bool) -> list[dict[str, Any]] | None:
        """The other tasks of the service that may be alive; they end one by one without a word in the service."""
        if not self.goal.wait_for_old_tasks:
            return None
        known = [] if fresh else [task["taskArn"] for task in self._old_alive()]
        described = describe(self.aws, cluster=self.cluster, arns=known)
        self.tasks.update({task["taskArn"]: task for task in described.tasks})
        for arn in described.missing:
            # ECS forgets a task an hour after its end; one that it lists all the same is found again by the list.
            del self.tasks[arn]
        return self._old_alive()

    def _read_targets(self, service: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        if not self.goal.wait_for_targets:
            return None
        # How they are checked is asked where that has to explain anything: after a failure.
        known = self._last.targets if self._last else None
        return refreshed_targets(self.aws, unread_targets(service) if known is None else known)

    def _read_stages(self, service: Mapping[str, Any], now: float) -> dict[str, Any] | None:
        arn = service.get("currentServiceDeployment")
        if not self._may_read_stages or not has_stages(service) or not arn or arn == self.stages_before:
            return self._stages
        ours = (self._stages or {}).get("serviceDeploymentArn")
        if ours not in (None, arn) or (self._stages_at is not None and now - self._stages_at < _STAGES_EVERY):
            # A later one is somebody else's, which the deployments themselves tell.
            return self._stages
        try:
            self._stages = read_service_deployment(self.aws, arn=str(arn)) or self._stages
        except OperationFailed as error:
            if error.transient:
                raise
            self._may_read_stages = False
            self.warnings.append(
                f"The stages of this deployment cannot be read: {error} A pause is not noticed, and success is judged "
                "by the counts of tasks alone."
            )
        self._stages_at = now
        return self._stages

    def _has_settled(self, service: Mapping[str, Any], now: float) -> bool:
        if self._give_up_settling is None:
            self._give_up_settling = now + SETTLING
        visible = any(d.get("id") == self.goal.deployment_id for d in service.get("deployments", []))
        shown = visible and int(service.get("desiredCount", 0)) >= self.goal.desired_count
        self._settled = self._settled or shown or now >= self._give_up_settling
        return self._settled

    def _count_absent(self, look: Look) -> int:
        self._absent = 0 if look.deployment(self.goal.deployment_id) else self._absent + 1
        return self._absent
