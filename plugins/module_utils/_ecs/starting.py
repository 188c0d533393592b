# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting as many tasks as are wanted, in batches, each once: also where AWS has no room, or its answer is lost.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import contextlib
import random
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, snake
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed, error_code
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import refuse
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.marks import client_token, started_by
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.reasons import reason_for, reason_for_failure
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.run_request import OneOff
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import name_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import describe, list_arns, short_id
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock, Pace, TimedOut, poll

__all__ = ["Starter", "family_of", "tasks_of_run"]

# RunTask starts at most so many a call (facts.md B.1).
_BATCH = 10
_LONGEST_PAUSE = 15.0
# A pause too short for a float to be added to the clock would never come to its deadline.
_SHORTEST_PAUSE = 0.01
# AWS's lists follow its writes with a delay (facts.md B.3). Part of a batch may be one that is not shown whole yet.
_SETTLES_IN = 6.0
_NAMED = 10


@dataclass
class Starter:
    """One call's way to `task.count` tasks. `earlier` were started by another call of this run, `mine` by this one."""

    aws: Aws
    task: OneOff
    parameters: Mapping[str, Any]
    family: str
    clock: Clock = field(default_factory=Clock)
    jitter: Callable[[], float] = random.random
    # Entered around each RunTask: an end in its middle would leave a task that nobody knows of.
    deferred: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
    on_change: Callable[[str], None] = lambda text: None
    earlier: dict[str, dict[str, Any]] = field(default_factory=dict)
    mine: dict[str, dict[str, Any]] = field(default_factory=dict)
    # Whether a RunTask may have started what is not in `mine`, because its answer was lost.
    unsure: bool = False
    # When the guard was looked at last, on the clock.
    guarded_at: float | None = None
    # What it said, where nothing has been asked since: the next attempt need not look again.
    _guard_said: tuple[str | None] | None = None
    _failures: list[dict[str, Any]] = field(default_factory=list)
    _refusal: OperationFailed | None = None
    _told: str = ""

    @property
    def lacking(self) -> int:
        return self.task.count - len(self.earlier) - len(self.mine)

    def find_earlier(self, *, settle: bool) -> None:
        """Whatever this run id has started already. With `settle`, what may be part of a batch is looked at again."""
        if not self.task.run_id:
            return
        found = self._among_the_guarded() if settle else None
        if found is None or _in_mid_batch(len(found), self.task.count):
            self._guard_said = None
            found = self._settled() if settle else tasks_of_run(self.aws, self.task, self.family)
        self.earlier = {str(item["taskArn"]): item for item in found}

    def _among_the_guarded(self) -> list[dict[str, Any]] | None:
        """The tasks of this run among all those that the guard looks at before the first attempt; None if it does not
        look at their cluster, or cannot."""
        guard = self.task.guard
        if guard is None or not guard.lists(self.task.cluster):
            return None
        now = self.clock.monotonic()
        listed: dict[str, list[dict[str, Any]]] = {}
        try:
            said = guard.violation(self.aws, clock=self.clock, listed=listed)
        except OperationFailed:
            # It is looked at again where anything is to be started. What runs already is for the wait to judge.
            return None
        if name_of(self.task.cluster) not in listed:
            return None
        # Where all is started already, it is the wait that stops what the guard is against.
        self.guarded_at = None if said else now
        self._guard_said = (said,)
        return _of_run(listed[name_of(self.task.cluster)], self.task, self.family)

    def _settled(self) -> list[dict[str, Any]]:
        """The tasks of this run; what may be part of a batch only after it has stayed so for a while."""

        def look() -> list[dict[str, Any]]:
            return tasks_of_run(self.aws, self.task, self.family)

        try:
            return poll(
                look,
                done=lambda seen: not _in_mid_batch(len(seen), self.task.count),
                timeout=_SETTLES_IN,
                pace=Pace(quick=1.0, slow=2.0),
                clock=self.clock,
            ).value
        except TimedOut as error:
            seen: list[dict[str, Any]] = error.observation.value
            return seen

    def run(self) -> None:
        """Call RunTask until there are enough, it says what waiting won't cure, or nothing has come for too long.

        Raises OperationFailed; what was started all the same is in its details.
        """
        # Without a run id nothing is found again by another call, but this one must not start anything twice.
        name = self.task.run_id or uuid.uuid4().hex
        since = self.clock.monotonic()
        attempt = 1
        looks = 0
        while self.lacking > 0:
            looks += 1
            first = self.task.count - self.lacking
            self._guard()
            answered = self._ask(name, first=first, attempt=attempt)
            if self.task.count - self.lacking > first:
                since, attempt, looks = self.clock.monotonic(), 1, 0
                if not self._failures:
                    continue
            elif answered:
                attempt += 1
            elapsed = self.clock.monotonic() - since
            if elapsed >= self.task.capacity_timeout:
                raise self._refused(elapsed=elapsed)
            pause = min(_LONGEST_PAUSE, 1.6 ** min(max(looks, 1), 10)) * (0.5 + self.jitter() / 2)
            self._tell(f"no room yet for {self.task.what}: {self._said().rstrip('.')}; trying again")
            self.clock.sleep(min(pause, max(_SHORTEST_PAUSE, self.task.capacity_timeout - elapsed)))

    def _tell(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self.on_change(text)

    def _guard(self) -> None:
        if self.task.guard is None:
            return
        doing = f"run {self.task.what}"
        said, self._guard_said = self._guard_said, None
        if said is not None:
            refuse(*said, doing=doing)
            return
        # Room may come after minutes: what was looked at before the first attempt says nothing any more.
        self.guarded_at = self.clock.monotonic()
        self.task.guard.require(self.aws, doing=doing, clock=self.clock)

    def _ask(self, name: str, *, first: int, attempt: int) -> bool:
        """One RunTask; whether ECS answered it. Raises OperationFailed for what waiting won't cure."""
        size = min(_BATCH - first % _BATCH, self.lacking)
        self._failures, self._refusal = [], None
        try:
            with self.deferred():
                self.unsure = True
                answer = self.aws.call(
                    "ecs",
                    "RunTask",
                    doing=f"run {self.task.what}",
                    **self.parameters,
                    count=size,
                    clientToken=client_token(name, attempt, first=first),
                )
                self._take(answer.get("tasks", []))
        except OperationFailed as error:
            self._not_answered(error, size=size)
            return False
        self._failures = answer.get("failures", [])
        worth = self._failures and all(_failure_may_pass(failure) for failure in self._failures)
        if len(answer.get("tasks", [])) < size and not worth:
            raise self._refused()
        return True

    def _take(self, started: Sequence[dict[str, Any]]) -> None:
        self.unsure = False
        new = {str(item["taskArn"]): item for item in started if str(item["taskArn"]) not in self.earlier}
        # The token's own answer for tasks that have ended meanwhile has no more than ARN and state (facts.md B.1).
        replayed = [arn for arn, item in new.items() if "taskDefinitionArn" not in item]
        self.mine.update({arn: item for arn, item in new.items() if arn not in replayed})
        self.earlier.update({arn: new[arn] for arn in replayed})
        if replayed:
            described = describe(self.aws, cluster=self.task.cluster, arns=replayed).tasks
            self.earlier.update({str(item["taskArn"]): item for item in described})

    def _not_answered(self, error: OperationFailed, *, size: int) -> None:
        """What an error of RunTask means: tasks of somebody who was quicker, a lost answer, or no room for now."""
        if error.code == "ConflictException" and self.task.run_id:
            self.unsure = False
            self.earlier.update({arn: item for arn, item in self._holders(error).items() if arn not in self.mine})
            return
        self.unsure = error.transient
        if error.transient and self.task.run_id:
            # It may have started all the same: its answer may be what was lost. Where only a part of the batch is to be
            # seen, the same call again is what tells how many there are.
            known = {**self.earlier, **self.mine}
            found = {str(item["taskArn"]): item for item in tasks_of_run(self.aws, self.task, self.family)}
            new = {arn: item for arn, item in found.items() if arn not in known}
            if len(new) >= size:
                self.mine.update(new)
        if not (error.transient or _may_pass(str(error))):
            if self.mine or self.earlier:
                raise self._refused(refusal=error) from error
            raise error
        self._refusal = error

    def _holders(self, error: OperationFailed) -> dict[str, dict[str, Any]]:
        """The tasks that hold the token which ECS says is taken: somebody ran this run id between our look and call."""
        found = self._settled()
        response = getattr(error.__cause__, "response", None)
        named = response.get("resourceIds") if isinstance(response, dict) else None
        known = {**self.earlier, **self.mine}
        if named and not any(str(item["taskArn"]) not in known for item in found):
            holders = describe(self.aws, cluster=self.task.cluster, arns=[str(name) for name in named]).tasks
            mark = started_by(str(self.task.run_id))
            found = [holder for holder in holders if holder.get("startedBy") == mark]
        new = {str(item["taskArn"]): item for item in found if str(item["taskArn"]) not in known}
        if not new:
            raise OperationFailed(
                f"{error} The run id {self.task.run_id} was used for another task, which has gone, or with other "
                "options: give another run id.",
                code=error_code(error.__cause__) if error.__cause__ else error.code,
                details=self.result(),
            ) from error
        return new

    def _said(self) -> str:
        said = "; ".join(dict.fromkeys(map(_failure_text, self._failures)))
        return said or (str(self._refusal) if self._refusal else "") or "it gave no reason"

    def _refused(self, *, elapsed: float | None = None, refusal: OperationFailed | None = None) -> OperationFailed:
        """The error for what was not started; with what was."""
        task = self.task
        self._refusal = refusal or self._refusal
        said = self._said()
        hints = [reason_for_failure(str(failure.get("reason"))) for failure in self._failures] or [reason_for(said)]
        hint = next((row.hint for row in hints if row), "")
        some = [*self.mine, *self.earlier]
        what = f"only {len(some)} of {task.count} tasks" if some else "no task"
        goes_on = ""
        if some:
            names = ", ".join(short_id(arn) for arn in some[:_NAMED])
            more = f" and {len(some) - _NAMED} more" if len(some) > _NAMED else ""
            again = (
                "Run it again with the same run_id, and only the rest is started."
                if task.run_id
                else "Stop them, or wait for their end, before you run it again; with a run_id only the rest would be."
            )
            goes_on = f"Those that were started go on: {names}{more}. {again}"
        sentences = [
            f"ECS started {what} of {task.what}"
            + (f" within {elapsed:.0f} s" if elapsed is not None else "")
            + f": {said.rstrip('.')}.",
            hint or ("Read the reason, correct it and run again." if self._failures else ""),
            "A longer capacity_timeout waits longer." if elapsed is not None else "",
            goes_on,
        ]
        return OperationFailed(
            " ".join(sentence for sentence in sentences if sentence),
            code=self._refusal.code if self._refusal else None,
            details={**(self.result() if some else {}), "failures": _distinct(self._failures)},
        )

    def result(self) -> dict[str, Any]:
        """`changed`, `started`, and the tasks as AWS gave them, those of this call first, under `raw`."""
        return {
            "changed": bool(self.mine),
            "started": list(self.mine),
            "reattached": bool(self.earlier),
            "tasks": [*self.mine.values(), *self.earlier.values()],
            "failures": [],
        }


def _in_mid_batch(number: int, wanted: int) -> bool:
    return 0 < number < wanted and number % _BATCH != 0


def family_of(name: str) -> str:
    """The family in a definition's ARN or in `family:revision`."""
    return short_id(name).split(":", 1)[0]


def tasks_of_run(aws: Aws, task: OneOff, family: str) -> list[dict[str, Any]]:
    """The tasks that this run id has started, alive or ended lately, the newest first.

    Raises OperationFailed where they are of another family: then the run id was used for something else.
    """
    mark = started_by(str(task.run_id))
    try:
        arns = list_arns(aws, cluster=task.cluster, startedBy=mark)
    except OperationFailed as error:
        # Sources disagree on whether startedBy goes together with desiredStatus (facts.md A.2).
        if error.code != "InvalidParameterException":
            raise
        arns = list_arns(aws, cluster=task.cluster, family=family)
    return _of_run(describe(aws, cluster=task.cluster, arns=arns).tasks, task, family)


def _of_run(known: Iterable[dict[str, Any]], task: OneOff, family: str) -> list[dict[str, Any]]:
    """Those of this run id, as `tasks_of_run` gives them."""
    mark = started_by(str(task.run_id))
    tasks = [found for found in known if found.get("startedBy") == mark]
    other = [found for found in tasks if family_of(str(found["taskDefinitionArn"])) != family]
    if other:
        raise OperationFailed(
            f"Could not run {task.what}: the run id {task.run_id} has already "
            f"started task {short_id(other[0]['taskArn'])} of {short_id(str(other[0]['taskDefinitionArn']))}. "
            "Give each kind of task of a run its own run id."
        )
    return sorted(tasks, key=lambda found: str(found.get("createdAt", "")), reverse=True)


def _failure_text(failure: Mapping[str, Any]) -> str:
    """One entry of `failures`: reason, detail, and the resource if ECS named one."""
    words = [str(failure.get("reason", "no reason given"))]
    words += [f"({failure['detail']})"] if failure.get("detail") else []
    words += [f"for {failure['arn']}"] if failure.get("arn") else []
    return " ".join(words)


def _distinct(failures: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    by_text = {_failure_text(failure): snake(dict(failure)) for failure in failures}
    return list(by_text.values())


def _may_pass(text: str) -> bool:
    """Whether the same call may succeed a little later, because AWS has no room now."""
    row = reason_for(text)
    return row is not None and row.kind == "capacity"


def _failure_may_pass(failure: Mapping[str, Any]) -> bool:
    row = reason_for_failure(str(failure.get("reason"))) or reason_for(_failure_text(failure))
    return row is not None and row.kind == "capacity"
