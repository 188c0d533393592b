# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at tasks again and again: what AWS knows of them, what changed, and what their containers print meanwhile.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.definitions import (
    describe_definition,
    essential_containers,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.endings import OVER, has_ended
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import Guard
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.logs import LogReader, streams_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.shapes import joined, nearest
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.states import missing_lines, task_lines
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import Described, describe, short_id
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._progress import Changes, is_heard, say

__all__ = ["Listener", "Look", "WaitFor", "Watch", "operator_who_listens", "text_of"]

# A guard is looked at in these states, each once, and every so many seconds: a task may act from RUNNING on.
_ABOUT_TO_ACT = frozenset({"ACTIVATING", "RUNNING"})
# The seconds between two looks bound only for how long a change goes unseen; what keeps a lock that somebody holds from
# being removed is the cleaner itself, which tests each of them in its container.
_GUARD_EVERY = 10.0
# Before that, one call shows whether the service was started; everything is looked at this often.
_GUARD_ALL_EVERY = 15.0
# CloudWatch answers some 25 GetLogEvents a second for a whole account; beside a wait, the streams take turns.
_STREAMS_A_LOOK = 8
_PAGES_A_LOOK = 4
# Who wants only what comes now and then need not be asked for at each look, nor before there can be anything.
_KEYED_EVERY = 10.0
_PRINTS_FROM = frozenset({"RUNNING", "STOPPED"})


@dataclass(frozen=True)
class Listener:
    """Who wants to know at once: `on_line(container, text)` gets each new line of output, once and in its order;
    `on_change(text)` each change of a task's state. Without a listener, output is read at the end only.

    Where several tasks are awaited, `container` is `<task id>/<container>`. Without `lines` the output is not read
    before the end. `every` is how many seconds pass before the first read of a stream and between two of them.
    """

    on_line: Callable[[str, str], None] = lambda container, text: None
    on_change: Callable[[str], None] = lambda text: None
    lines: bool = True
    every: float = 0.0


def operator_who_listens(*, lines: bool, key: str | None = None) -> Listener | None:
    """The operator of the playbook, where progress is shown; None where nobody would see it.

    With `key`, only lines that are JSON objects with a text of that name are shown, and of them the text.
    """
    if not is_heard():
        return None
    if not lines:
        return Listener(on_change=say, lines=False)

    def show(container: str, text: str) -> None:
        shown = text if key is None else text_of(text, key)
        if shown is not None:
            say(f"[{container}] {shown}", always=True)

    return Listener(on_line=show, on_change=say, every=0.0 if key is None else _KEYED_EVERY)


def text_of(line: str, key: str) -> str | None:
    """The text that a line of JSON has under `key`, if it is one and has it."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    found = entry.get(key) if isinstance(entry, dict) else None
    return found if isinstance(found, str) else None


@dataclass(frozen=True)
class WaitFor:
    """What to wait for. `containers` None means the essential ones, by each task's own definition.

    `stop_on_interrupt` are the tasks to stop when this process is told to end; with none, a signal ends it as ever.
    `who` is the module that gives its name as the reason of a stop.
    """

    cluster: str
    tasks: Sequence[str]
    state: str = "stopped"
    timeout: float = 600
    containers: Sequence[str] | None = None
    success_codes: Sequence[int] = (0,)
    logs: bool = True
    log_lines: int = 20
    log_end: str | None = None
    stop_on_timeout: bool = False
    stop_on_interrupt: Sequence[str] = ()
    guard: Guard | None = None
    who: str = "ecs_wait_task"


@dataclass(frozen=True)
class Look:
    """One look at all tasks: those that AWS knew, by short id, and for how long (s) the others have been MISSING.

    `violation` is what the guard found, where it was looked at.
    """

    tasks: Mapping[str, dict[str, Any]]
    missing_for: Mapping[str, float]
    violation: str | None = None


@dataclass
class Watch:
    """What is known about the tasks beyond one look: definitions read once, names awaited, log readers."""

    aws: Aws
    spec: WaitFor
    clock: Clock
    region: str | None = None
    listener: Listener | None = None
    last: Look | None = None
    missing_since: dict[str, float] = field(default_factory=dict)
    # Those that the caller has read; a revision never changes.
    definitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    guarded_at: float | None = None
    guarded_whole_at: float | None = None
    guarded_states: frozenset[str] = frozenset()
    stopping: bool = False
    # All the tasks, as another call has just told of them: the first look makes none.
    answered: list[dict[str, Any]] = field(default_factory=list)
    _readers: dict[str, dict[str, LogReader]] = field(default_factory=dict)
    _read_at: dict[str, float] = field(default_factory=dict)
    _changes: Changes | None = None

    def look(self) -> Look:
        answered, self.answered = self.answered, []
        described = (
            Described(answered) if answered else describe(self.aws, cluster=self.spec.cluster, arns=self.spec.tasks)
        )
        tasks = {short_id(task["taskArn"]): task for task in described.tasks}
        now = self.clock.monotonic()
        absent = [short_id(arn) for arn in self.spec.tasks if short_id(arn) not in tasks]
        self.missing_since = {name: self.missing_since.get(name, now) for name in absent}
        for task in tasks.values():
            self._check_names(task)
        missing_for = {name: now - since for name, since in self.missing_since.items()}
        if self.listener:
            self._changes = self._changes or Changes(self.listener.on_change)
            self._changes([*task_lines(tasks.values()), *missing_lines(absent)])
            if self.listener.lines:
                self._follow_output(tasks)
        self.last = Look(tasks, missing_for, self._violation(list(tasks.values()), now))
        return self.last

    def _follow_output(self, tasks: Mapping[str, dict[str, Any]]) -> None:
        """Read what the containers have printed since, those first whose turn is the longest ago."""
        if not self.spec.logs or self.stopping:
            return
        printing = [
            reader
            for task in tasks.values()
            for container in task.get("containers", [])
            if container.get("lastStatus") in _PRINTS_FROM
            for reader in [self.readers(task).get(str(container.get("name")))]
            if reader is not None and not reader.closed
        ]
        now = self.clock.monotonic()
        every = self.listener.every if self.listener else 0.0
        if every:
            printing = [reader for reader in printing if now - self._read_at.setdefault(reader.stream, now) >= every]
        printing.sort(key=lambda reader: self._read_at.get(reader.stream, 0.0))
        for reader in printing[:_STREAMS_A_LOOK]:
            self._read_at[reader.stream] = self.clock.monotonic()
            reader.read(self.aws, pages=_PAGES_A_LOOK)

    def _violation(self, tasks: Sequence[Mapping[str, Any]], now: float) -> str | None:
        """What the guard finds: looked at when a task comes to where its containers start, and now and then."""
        states = frozenset(str(task.get("lastStatus")) for task in tasks)
        due = self.guarded_at is None or now - self.guarded_at >= _GUARD_EVERY
        near = (states - self.guarded_states) & _ABOUT_TO_ACT
        if self.spec.guard is None or self.stopping or not (due or near) or all(map(self.ended, tasks)):
            return None
        acts = bool(states & _ABOUT_TO_ACT)
        whole = acts or self.guarded_whole_at is None or now - self.guarded_whole_at >= _GUARD_ALL_EVERY
        self.guarded_at, self.guarded_states = now, self.guarded_states | states
        self.guarded_whole_at = now if whole else self.guarded_whole_at
        try:
            return self.spec.guard.violation(self.aws, service_only=not whole, clock=self.clock, apart=self.spec.tasks)
        except OperationFailed as error:
            if error.transient:
                raise
            return f"It cannot be told whether all is still as it must be: {error}"

    def definition(self, task: Mapping[str, Any]) -> dict[str, Any]:
        arn = str(task["taskDefinitionArn"])
        if arn not in self.definitions:
            self.definitions[arn] = describe_definition(self.aws, name=arn)
        return self.definitions[arn]

    def readers(self, task: Mapping[str, Any]) -> dict[str, LogReader]:
        """Container to the one reader of its output: what has been read once is never read again."""
        name = short_id(str(task["taskArn"]))
        known = self._readers.setdefault(name, {})
        if not task.get("taskDefinitionArn"):
            return known
        found = streams_of(
            self.definition(task),
            task_arn=str(task["taskArn"]),
            region=self.region,
            containers=task.get("containers", []),
        )
        for container, reader in found.items():
            if container not in known:
                reader.on_line = self._teller(f"{name}/{container}" if len(self.spec.tasks) > 1 else container)
                known[container] = reader
        return known

    def _teller(self, label: str) -> Callable[[str], None]:
        on_line = (self.listener or Listener()).on_line
        return lambda line: on_line(label, line)

    def names(self, task: Mapping[str, Any]) -> list[str]:
        """The containers whose end counts."""
        if self.spec.containers:
            return list(self.spec.containers)
        return essential_containers(self.definition(task))

    def ended(self, task: Mapping[str, Any]) -> bool:
        """`has_ended`; but a container that ECS restarts inside its task has ended only with the task."""
        names = self.names(task)
        if not has_ended(task, names):
            return False
        return task.get("lastStatus") in OVER or not any(
            (container.get("restartPolicy") or {}).get("enabled")
            for container in self.definition(task).get("containerDefinitions", [])
            if container.get("name") in names
        )

    def _check_names(self, task: Mapping[str, Any]) -> None:
        known = [str(container.get("name")) for container in task.get("containers", [])]
        for name in self.spec.containers or [] if known else []:
            if name not in known:
                guess = nearest(name, known)
                raise OperationFailed(
                    f"Could not wait for container {name} of task {short_id(task['taskArn'])}: the task has no such "
                    f"container (it has: {joined(known)}).{f' Did you mean {guess}?' if guess else ''}"
                )
