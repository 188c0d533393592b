# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for tasks: until they run, or until the containers that matter have ended, and how they ended.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.definitions import (
    describe_definition,
    essential_containers,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import Guard
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.logs import LogReader, drain, streams_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.reasons import hint_for_task
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.shapes import joined, nearest
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.states import missing_lines, task_lines
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import (
    describe,
    is_gone,
    short_id,
    task_fingerprint,
    task_text,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import (
    Clock,
    Hopeless,
    Observation,
    Pace,
    TimedOut,
    poll,
)

__all__ = ["WaitFor", "has_ended", "succeeded", "verdict", "wait_for_tasks"]

# A task may be MISSING for a while right after RunTask (facts.md B.3).
_MISSING_GRACE = 30.0
# stopTimeout is at most 120 s on Fargate; the rest is for the task's way through its last states.
_STOP_TIMEOUT = 150.0
_PACE = Pace(quick=0.5, slow=2.0)
_OVER = ("STOPPED", "DELETED")
# A guard is looked at in these states, each once, and every so many seconds: a task may act from RUNNING on.
_ABOUT_TO_ACT = frozenset({"ACTIVATING", "RUNNING"})
_GUARD_EVERY = 5.0


@dataclass(frozen=True)
class WaitFor:
    """What to wait for. `containers` None means the essential ones, by each task's own definition."""

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
    guard: Guard | None = None


@dataclass(frozen=True)
class _Look:
    """One look at all tasks: those that AWS knew, by short id, and for how long (s) the others have been MISSING.

    `violation` is what the guard found, where it was looked at.
    """

    tasks: Mapping[str, dict[str, Any]]
    missing_for: Mapping[str, float]
    violation: str | None = None


@dataclass
class _Watch:
    """What is known about the tasks beyond one look: definitions read once, names awaited, log readers."""

    aws: Aws
    spec: WaitFor
    clock: Clock
    missing_since: dict[str, float] = field(default_factory=dict)
    definitions: dict[str, dict[str, Any]] = field(default_factory=dict)
    readers: dict[str, dict[str, LogReader]] = field(default_factory=dict)
    guarded_at: float | None = None
    guarded_states: frozenset[str] = frozenset()
    stopping: bool = False

    def look(self) -> _Look:
        described = describe(self.aws, cluster=self.spec.cluster, arns=self.spec.tasks)
        tasks = {short_id(task["taskArn"]): task for task in described.tasks}
        now = self.clock.monotonic()
        absent = [short_id(arn) for arn in self.spec.tasks if short_id(arn) not in tasks]
        self.missing_since = {name: self.missing_since.get(name, now) for name in absent}
        for task in tasks.values():
            self._check_names(task)
        missing_for = {name: now - since for name, since in self.missing_since.items()}
        return _Look(tasks, missing_for, self._violation(list(tasks.values()), now))

    def _violation(self, tasks: Sequence[Mapping[str, Any]], now: float) -> str | None:
        """What the guard finds: looked at when a task comes to where its containers start, and now and then."""
        states = frozenset(str(task.get("lastStatus")) for task in tasks)
        due = self.guarded_at is None or now - self.guarded_at >= _GUARD_EVERY
        near = (states - self.guarded_states) & _ABOUT_TO_ACT
        if self.spec.guard is None or self.stopping or not (due or near) or all(map(self.ended, tasks)):
            return None
        self.guarded_at, self.guarded_states = now, self.guarded_states | states
        try:
            return self.spec.guard.violation(self.aws, clock=self.clock)
        except OperationFailed as error:
            if error.transient:
                raise
            return f"It cannot be told whether all is still as it must be: {error}"

    def definition(self, task: Mapping[str, Any]) -> dict[str, Any]:
        arn = str(task["taskDefinitionArn"])
        if arn not in self.definitions:
            self.definitions[arn] = describe_definition(self.aws, name=arn)
        return self.definitions[arn]

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
        return task.get("lastStatus") in _OVER or not any(
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


def has_ended(task: Mapping[str, Any], names: Sequence[str]) -> bool:
    """Whether how the task ended is known: it is STOPPED, or each named container is, with its exit code.

    What comes after (the network interface is taken away) is 10 to 35 s that prove nothing more (facts.md A.4).
    """
    if task.get("lastStatus") in _OVER:
        return True
    ended = {
        container.get("name")
        for container in task.get("containers", [])
        if container.get("lastStatus") == "STOPPED" and container.get("exitCode") is not None
    }
    return bool(names) and set(names) <= ended


def succeeded(task: Mapping[str, Any], names: Sequence[str], success_codes: Sequence[int]) -> bool:
    """Whether each named container ended with one of the codes. A code that is absent is never a success."""
    codes = {container.get("name"): container.get("exitCode") for container in task.get("containers", [])}
    return bool(names) and all(codes.get(name) in success_codes for name in names)


def verdict(task: Mapping[str, Any], names: Sequence[str], success_codes: Sequence[int]) -> str:
    """How the task ended, in words: which container, which exit code, the stopped reason, cause and remedy."""
    containers = {container.get("name"): container for container in task.get("containers", [])}
    wanted = " or ".join(str(code) for code in success_codes)
    parts = []
    for name in names:
        container = containers.get(name, {})
        code = container.get("exitCode")
        if code in success_codes:
            continue
        ended = "has no exit code" if code is None else f"ended with exit code {code}"
        reason = f" ({container['reason']})" if container.get("reason") else ""
        parts.append(f"container {name} {ended}{reason}, wanted {wanted}")
    stopped = [str(task[member]) for member in ("stopCode", "stoppedReason") if task.get(member)]
    text = "; ".join(parts) or "it has no container that could have succeeded"
    if stopped:
        text += f"; stopped: {', '.join(stopped)}"
    hint = hint_for_task(task)
    return f"{text.rstrip('.')}.{f' {hint}' if hint else ''}"


def wait_for_tasks(aws: Aws, *, spec: WaitFor, region: str | None, clock: Clock | None = None) -> dict[str, Any]:
    """Wait, read the logs, judge. Raises OperationFailed with the same details beside the message.

    Returns tasks, logs (by container), logs_complete, log_notes, stopped (ARNs that were stopped at the time-out).
    """
    clock = clock or Clock()
    watch = _Watch(aws, spec, clock)
    done, hopeless = _predicates(watch)
    try:
        seen: Observation[_Look] = poll(
            watch.look,
            done=done,
            hopeless=hopeless,
            fingerprint=lambda look: tuple(task_fingerprint(task) for task in look.tasks.values()),
            tell=_told,
            timeout=spec.timeout,
            pace=_PACE,
            clock=clock,
        )
    except OperationFailed as error:
        if not error.transient or (spec.guard is None and not spec.stop_on_timeout):
            raise
        raise _unseen(watch, error) from error
    except TimedOut as error:
        raise _timed_out(watch, error.observation, region) from error
    except Hopeless as error:
        if error.observation.value.violation:
            raise _violated(watch, error.observation.value, region) from error
        result = _result(watch, error.observation.value, region, complete=False)
        raise OperationFailed(_with_tails(str(error), result, spec.log_lines), details=result) from error
    look = seen.value
    result = _result(watch, look, region, complete=True)
    failed = [task for task in look.tasks.values() if _failed(watch, task)]
    if failed:
        sentences = [
            f"Task {short_id(task['taskArn'])} ({short_id(str(task.get('taskDefinitionArn')))}) in cluster "
            f"{spec.cluster} failed: {verdict(task, watch.names(task), spec.success_codes)}"
            for task in failed
        ]
        raise OperationFailed(_with_tails(" ".join(sentences), result, spec.log_lines), details=result)
    return result


def _told(look: _Look) -> list[str]:
    return [*task_lines(look.tasks.values()), *missing_lines(list(look.missing_for))]


def _failed(watch: _Watch, task: Mapping[str, Any]) -> bool:
    if watch.spec.state == "running" and task.get("lastStatus") == "RUNNING":
        return False
    return not succeeded(task, watch.names(task), watch.spec.success_codes)


def _predicates(watch: _Watch) -> tuple[Callable[[_Look], bool], Callable[[_Look], str | None]]:
    """When the wait is over, and when it has become pointless."""
    spec = watch.spec

    def settled(task: Mapping[str, Any]) -> bool:
        # A task that is too quick to be seen running did run, or else `_failed` says so.
        return (spec.state == "running" and task.get("lastStatus") == "RUNNING") or watch.ended(task)

    def done(look: _Look) -> bool:
        return not look.missing_for and all(settled(task) for task in look.tasks.values())

    def hopeless(look: _Look) -> str | None:
        if look.violation:
            return look.violation
        lost = [name for name, seconds in look.missing_for.items() if seconds > _MISSING_GRACE]
        if not lost:
            return None
        return (
            f"Could not wait for task {', '.join(lost)} in cluster {spec.cluster}: ECS does not know it (MISSING for "
            f"{_MISSING_GRACE:.0f} s). Check the ARN, the cluster and the region; ECS forgets a stopped task after "
            "about an hour."
        )

    return done, hopeless


def _timed_out(watch: _Watch, observation: Observation[_Look], region: str | None) -> OperationFailed:
    spec = watch.spec
    look = observation.value
    states = [task_text(task) for task in look.tasks.values()]
    states += [f"{name} (MISSING)" for name in look.missing_for]
    message = (
        f"Gave up after {observation.elapsed:.0f} s waiting in cluster {spec.cluster} for {len(spec.tasks)} task(s) to "
        f"be {spec.state}; last state: {'; '.join(states)}. "
    )
    unfinished = [task for task in look.tasks.values() if not watch.ended(task)]
    stopped: list[str] = []
    if spec.stop_on_timeout and unfinished:
        stopped, look, said = _stop(watch, unfinished, look, because=f"gave up after {spec.timeout:.0f} s")
        message += f"{said} Raise timeout if it needs longer, and run again."
    else:
        message += "Raise timeout, or look at the task's events and logs; the task goes on by itself."
    result = {**_result(watch, look, region, complete=False), "stopped": stopped, "changed": bool(stopped)}
    for view in result["tasks"]:
        if view["task_arn"] in stopped:
            view["hint"] = "This module stopped the task, because its time was over. Raise timeout if it needs longer."
    return OperationFailed(_with_tails(message, result, spec.log_lines), details=result)


def _unseen(watch: _Watch, error: OperationFailed) -> OperationFailed:
    """AWS could not be asked for too long. Whoever wants the task stopped in the end wants it stopped now, too."""
    spec = watch.spec
    said = []
    stopped: list[str] = []
    for arn in spec.tasks:
        try:
            _call_stop(watch, arn, because="could not see any more how it went")
            stopped.append(arn)
            said.append(f"Asked ECS to stop task {short_id(arn)}.")
        except OperationFailed as refused:
            said.append(f"Could not stop task {short_id(arn)} either ({refused}): stop it before you go on.")
    return OperationFailed(
        f"{error} {' '.join(said)}", details={**error.details, "stopped": stopped, "changed": bool(stopped)}
    )


def _call_stop(watch: _Watch, arn: str, *, because: str) -> None:
    watch.aws.call(
        "ecs",
        "StopTask",
        doing=f"stop task {short_id(arn)} in cluster {watch.spec.cluster}",
        cluster=watch.spec.cluster,
        task=arn,
        reason=f"wwhd.qdrant_ops.ecs_wait_task {because}",
    )


def _violated(watch: _Watch, look: _Look, region: str | None) -> OperationFailed:
    """The guard found something: what still runs is stopped, whatever it was doing."""
    spec = watch.spec
    violation = look.violation
    unfinished = [task for task in look.tasks.values() if not is_gone(task)]
    stopped, look, said = _stop(
        watch, unfinished, look, because="stopped it: its guard found that something had changed"
    )
    names = ", ".join(short_id(arn) for arn in spec.tasks)
    result = {**_result(watch, look, region, complete=False), "stopped": stopped, "changed": bool(stopped)}
    message = f"Did not let task {names} in cluster {spec.cluster} go on: {violation} {said}"
    return OperationFailed(_with_tails(message, result, spec.log_lines), details={**result, "guard": violation})


def _stop(
    watch: _Watch, unfinished: Sequence[dict[str, Any]], look: _Look, *, because: str
) -> tuple[list[str], _Look, str]:
    """Stop what still runs and see it gone: a caller that goes on must not meet it again."""
    watch.stopping = True
    stopped = []
    for task in unfinished:
        _call_stop(watch, str(task["taskArn"]), because=because)
        stopped.append(str(task["taskArn"]))
    names = {short_id(arn) for arn in stopped}
    try:
        seen = poll(
            watch.look,
            done=lambda now: all(is_gone(task) for name, task in now.tasks.items() if name in names),
            tell=_told,
            timeout=_STOP_TIMEOUT,
            pace=_PACE,
            clock=watch.clock,
        )
    except TimedOut as error:
        alive = [task_text(task) for name, task in error.observation.value.tasks.items() if name in names]
        said = f"Asked ECS to stop it, but it was not gone {_STOP_TIMEOUT:.0f} s later: {'; '.join(alive)}."
        return stopped, error.observation.value, f"{said} Make sure that it ends before you go on."
    said = f"Stopped it; it was gone {seen.elapsed:.0f} s later."
    return stopped, seen.value if seen.value.tasks else look, said


def _result(watch: _Watch, look: _Look, region: str | None, *, complete: bool) -> dict[str, Any]:
    """The module's result. With `complete`, logs are drained; otherwise read once, for the message's sake."""
    spec = watch.spec
    readers = {name: _readers(watch, task, region) for name, task in look.tasks.items()} if spec.logs else {}
    logs_complete = spec.logs and _read_logs(watch, look, readers, wait=complete and spec.state == "stopped")
    flat: dict[str, list[str]] = {}
    notes: list[str] = []
    for by_container in readers.values():
        for name, reader in by_container.items():
            flat.setdefault(name, []).extend(reader.lines)
            notes += [reader.note] if reader.note else []
    return {
        "changed": False,
        "tasks": [_view(watch, task, readers.get(name, {})) for name, task in look.tasks.items()],
        "missing": sorted(look.missing_for),
        "logs": flat,
        "logs_complete": logs_complete,
        "log_notes": notes,
        "stopped": [],
    }


def _readers(watch: _Watch, task: Mapping[str, Any], region: str | None) -> dict[str, LogReader]:
    if not task.get("taskDefinitionArn"):
        return {}
    return streams_of(watch.definition(task), task_arn=str(task["taskArn"]), region=region)


def _read_logs(watch: _Watch, look: _Look, readers: Mapping[str, Mapping[str, LogReader]], *, wait: bool) -> bool:
    awaited: list[LogReader] = []
    expected = True
    for name, task in look.tasks.items():
        started = {c.get("name") for c in task.get("containers", []) if c.get("exitCode") is not None}
        names = watch.names(task)
        expected = expected and succeeded(task, names, watch.spec.success_codes)
        for container, reader in readers.get(name, {}).items():
            # What never started has printed nothing: there is nothing to wait for.
            if wait and container in names and container in started:
                awaited.append(reader)
            else:
                reader.read(watch.aws)
    if not awaited:
        return False
    return drain(watch.aws, readers=awaited, log_end=watch.spec.log_end, expected=expected, clock=watch.clock)


def _view(watch: _Watch, task: Mapping[str, Any], readers: Mapping[str, LogReader]) -> dict[str, Any]:
    names = watch.names(task)
    return {
        "task_arn": task["taskArn"],
        "task_definition_arn": task.get("taskDefinitionArn"),
        "group": task.get("group"),
        "started_by": task.get("startedBy"),
        "last_status": task.get("lastStatus"),
        "desired_status": task.get("desiredStatus"),
        "stop_code": task.get("stopCode"),
        "stopped_reason": task.get("stoppedReason"),
        "hint": None if succeeded(task, names, watch.spec.success_codes) else hint_for_task(task),
        "success": succeeded(task, names, watch.spec.success_codes),
        "awaited": names,
        "containers": [
            {
                "name": container.get("name"),
                "last_status": container.get("lastStatus"),
                "exit_code": container.get("exitCode"),
                "reason": container.get("reason"),
                "logs": readers[str(container.get("name"))].lines if container.get("name") in readers else [],
            }
            for container in task.get("containers", [])
        ],
    }


def _with_tails(message: str, result: Mapping[str, Any], count: int) -> str:
    """The message with the last lines of each container that did not succeed, one line each."""
    tails = []
    for task in result["tasks"]:
        for container in task["containers"]:
            last = container["logs"][-count:] if count else []
            if last and not (task["success"] and container["exit_code"] == 0):
                tails.append("\n".join([f"Last {len(last)} line(s) of container {container['name']}:", *last]))
    return "\n".join([message, *tails])
