# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for tasks: until they run, or until the containers that matter have ended, and how they ended.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.endings import (
    has_ended,
    succeeded,
    verdict,
    with_tails,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.logs import LogReader, drain
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.reasons import hint_for_task
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import (
    is_gone,
    short_id,
    task_fingerprint,
    task_text,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.watching import Listener, Look, WaitFor, Watch
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._interrupts import Interrupted, Interrupts
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import (
    Clock,
    Hopeless,
    Observation,
    Pace,
    TimedOut,
    poll,
)

__all__ = ["Listener", "WaitFor", "has_ended", "stop_tasks", "succeeded", "verdict", "wait_for_tasks"]

# A task may be MISSING for a while right after RunTask (facts.md B.3).
_MISSING_GRACE = 30.0
# stopTimeout is at most 120 s on Fargate; the rest is for the task's way through its last states.
_STOP_TIMEOUT = 150.0
_QUICK, _SLOW, _GROWTH = 0.5, 2.5, 1.6
# Seconds between two looks while every task is in these states: an interface is attached, a place is found, images are
# pulled, all of which takes seconds in which no container runs (facts.md A.4). One that fails is over within one.
_WHILE_PREPARED = (
    (frozenset({"PROVISIONING"}), 5.0),
    (frozenset({"PROVISIONING", "PENDING"}), 4.0),
    (frozenset({"PROVISIONING", "PENDING", "ACTIVATING"}), 3.0),
)
# DescribeTasks takes so many a call: a look at more of them costs more calls, and comes less often.
_TASKS_A_CALL = 100
# A sentence each; of more failures, their number.
_FAILURES_TOLD = 10


def wait_for_tasks(
    aws: Aws,
    *,
    spec: WaitFor,
    region: str | None,
    clock: Clock | None = None,
    listener: Listener | None = None,
    definitions: Mapping[str, dict[str, Any]] | None = None,
    guarded_at: float | None = None,
    answered: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Wait, read the logs, judge. Raises OperationFailed with the same details beside the message.

    `definitions`, by ARN, are those that the caller has read; `guarded_at` is when its last look at the guard was.
    `answered` are all the tasks, where AWS has just told the caller of them: that is the first look.
    Returns tasks, logs (by container), logs_complete, log_notes, stopped (ARNs that were stopped at the time-out).
    """
    watch = Watch(aws, spec, clock or Clock(), region=region, listener=listener, definitions=dict(definitions or {}))
    watch.guarded_at = watch.guarded_whole_at = guarded_at
    watch.answered = list(answered)
    if not spec.stop_on_interrupt:
        return _wait(watch)
    with Interrupts() as interrupts:
        watch.clock = interrupts.clock_of(watch.clock)
        try:
            return _wait(watch)
        except Interrupted as told:
            raise _interrupted(watch, str(told)) from told


def _pace(spec: WaitFor) -> Pace:
    return Pace(quick=_QUICK, growth=_GROWTH, slow=_SLOW * max(1, math.ceil(len(spec.tasks) / _TASKS_A_CALL)))


def _pace_at(spec: WaitFor) -> Callable[[Look], Pace]:
    """By what is seen: where every task is only being prepared, none can end at once."""
    pace = _pace(spec)

    def chosen(look: Look) -> Pace:
        states = {task.get("lastStatus") for task in look.tasks.values()}
        seconds = next((seconds for those, seconds in _WHILE_PREPARED if states <= those), None)
        if seconds is None or not states or spec.state != "stopped":
            return pace
        # A look at so many tasks that it takes several calls comes less often.
        steady = max(seconds, pace.slow if pace.slow > _SLOW else 0.0)
        return replace(pace, quick=steady, slow=steady)

    return chosen


def _wait(watch: Watch) -> dict[str, Any]:
    spec = watch.spec
    done, hopeless = _predicates(watch)
    try:
        seen: Observation[Look] = poll(
            watch.look,
            done=done,
            hopeless=hopeless,
            fingerprint=lambda look: tuple(task_fingerprint(task) for task in look.tasks.values()),
            timeout=spec.timeout,
            pace=_pace_at(spec),
            clock=watch.clock,
        )
    except OperationFailed as error:
        if not error.transient or (spec.guard is None and not spec.stop_on_timeout):
            raise
        raise _unseen(watch, error) from error
    except TimedOut as error:
        raise _timed_out(watch, error.observation) from error
    except Hopeless as error:
        if error.observation.value.violation:
            raise _violated(watch, error.observation.value) from error
        result = _result(watch, error.observation.value, complete=False)
        raise OperationFailed(with_tails(str(error), result, spec.log_lines), details=result) from error
    look = seen.value
    result = _result(watch, look, complete=True)
    failed = [task for task in look.tasks.values() if watch.ended(task) and _failed(watch, task)]
    if failed:
        raise OperationFailed(with_tails(_failures(watch, failed), result, spec.log_lines), details=result)
    return result


def _failures(watch: Watch, failed: Sequence[Mapping[str, Any]]) -> str:
    sentences = [
        f"Task {short_id(task['taskArn'])} ({short_id(str(task.get('taskDefinitionArn')))}) in cluster "
        f"{watch.spec.cluster} failed: {verdict(task, watch.names(task), watch.spec.success_codes)}"
        for task in failed[:_FAILURES_TOLD]
    ]
    more = len(failed) - len(sentences)
    sentences += [f"{more} more of {len(watch.spec.tasks)} tasks failed; see tasks."] if more else []
    return " ".join(sentences)


def _failed(watch: Watch, task: Mapping[str, Any]) -> bool:
    if watch.spec.state == "running" and task.get("lastStatus") == "RUNNING":
        return False
    return not succeeded(task, watch.names(task), watch.spec.success_codes)


def _predicates(watch: Watch) -> tuple[Callable[[Look], bool], Callable[[Look], str | None]]:
    """When the wait is over, and when it has become pointless."""
    spec = watch.spec

    def settled(task: Mapping[str, Any]) -> bool:
        # A task that is too quick to be seen running did run, or else `_failed` says so.
        return (spec.state == "running" and task.get("lastStatus") == "RUNNING") or watch.ended(task)

    def done(look: Look) -> bool:
        # One that has failed will not run any more, whatever becomes of the others.
        lost = spec.state == "running" and any(
            watch.ended(task) and _failed(watch, task) for task in look.tasks.values()
        )
        return lost or (not look.missing_for and all(settled(task) for task in look.tasks.values()))

    def hopeless(look: Look) -> str | None:
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


def _timed_out(watch: Watch, observation: Observation[Look]) -> OperationFailed:
    spec = watch.spec
    look = observation.value
    states = [task_text(task) for task in look.tasks.values() if not watch.ended(task) or len(look.tasks) == 1]
    states += [f"{name} (MISSING)" for name in look.missing_for]
    if len(states) > _FAILURES_TOLD:
        states[_FAILURES_TOLD:] = [f"and {len(states) - _FAILURES_TOLD} more"]
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
    result = {**_result(watch, look, complete=False), "stopped": stopped, "changed": bool(stopped)}
    for view in result["tasks"]:
        if view["task_arn"] in stopped:
            view["hint"] = "This module stopped the task, because its time was over. Raise timeout if it needs longer."
    return OperationFailed(with_tails(message, result, spec.log_lines), details=result)


def _unseen(watch: Watch, error: OperationFailed) -> OperationFailed:
    """AWS could not be asked for too long. Whoever wants the task stopped in the end wants it stopped now, too."""
    stopped, said = stop_tasks(
        watch.aws, spec=watch.spec, arns=watch.spec.tasks, because="could not see any more how it went"
    )
    return OperationFailed(f"{error} {said}", details={**error.details, "stopped": stopped, "changed": bool(stopped)})


def _interrupted(watch: Watch, name: str) -> OperationFailed:
    """This process was told to end, and whoever told it may not wait for long: stop first, and ask little more."""
    spec = watch.spec
    watch.stopping = True
    known = watch.last.tasks if watch.last else {}
    alive = [arn for arn in spec.stop_on_interrupt if not is_gone(known.get(short_id(arn), {}))]
    stopped, said = stop_tasks(watch.aws, spec=spec, arns=alive, because=f"was told to end ({name})")
    said = said or "Nothing was left to stop."
    if watch.listener:
        watch.listener.on_change(f"told to end by {name}. {said}")
    message = f"Told to end by {name} while waiting in cluster {spec.cluster} for {len(spec.tasks)} task(s). {said}"
    try:
        look = watch.look()
        result = _result(watch, look, complete=False)
    except OperationFailed:
        return OperationFailed(message, details={"stopped": stopped, "changed": bool(stopped)})
    for view in result["tasks"]:
        if view["task_arn"] in stopped:
            view["hint"] = f"This module stopped the task, because it was told to end itself ({name})."
    details = {**result, "stopped": stopped, "changed": bool(stopped)}
    return OperationFailed(with_tails(message, result, spec.log_lines), details=details)


def stop_tasks(aws: Aws, *, spec: WaitFor, arns: Sequence[str], because: str) -> tuple[list[str], str]:
    """(the ARNs that ECS was asked to stop, what to tell of each). One that can't be stopped hinders no other."""
    stopped: list[str] = []
    said = []
    for arn in arns:
        try:
            _call_stop(aws, spec, arn, because=because)
            stopped.append(arn)
            said.append(f"Asked ECS to stop task {short_id(arn)}.")
        except OperationFailed as refused:
            said.append(f"Could not stop task {short_id(arn)} either ({refused}): stop it before you go on.")
    return stopped, " ".join(said)


def _call_stop(aws: Aws, spec: WaitFor, arn: str, *, because: str) -> None:
    aws.call(
        "ecs",
        "StopTask",
        doing=f"stop task {short_id(arn)} in cluster {spec.cluster}",
        cluster=spec.cluster,
        task=arn,
        reason=f"wwhd.qdrant_ops.{spec.who} {because}",
    )


def _violated(watch: Watch, look: Look) -> OperationFailed:
    """The guard found something: what still runs is stopped, whatever it was doing."""
    spec = watch.spec
    violation = look.violation
    unfinished = [task for task in look.tasks.values() if not is_gone(task)]
    stopped, look, said = _stop(
        watch, unfinished, look, because="stopped it: its guard found that something had changed"
    )
    names = ", ".join(short_id(arn) for arn in spec.tasks)
    result = {**_result(watch, look, complete=False), "stopped": stopped, "changed": bool(stopped)}
    message = f"Did not let task {names} in cluster {spec.cluster} go on: {violation} {said}"
    return OperationFailed(with_tails(message, result, spec.log_lines), details={**result, "guard": violation})


def _stop(
    watch: Watch, unfinished: Sequence[dict[str, Any]], look: Look, *, because: str
) -> tuple[list[str], Look, str]:
    """Stop what still runs and see it gone: a caller that goes on must not meet it again."""
    watch.stopping = True
    stopped = []
    for task in unfinished:
        _call_stop(watch.aws, watch.spec, str(task["taskArn"]), because=because)
        stopped.append(str(task["taskArn"]))
    names = {short_id(arn) for arn in stopped}
    try:
        seen = poll(
            watch.look,
            done=lambda now: all(is_gone(task) for name, task in now.tasks.items() if name in names),
            timeout=_STOP_TIMEOUT,
            pace=_pace(watch.spec),
            clock=watch.clock,
        )
    except TimedOut as error:
        alive = [task_text(task) for name, task in error.observation.value.tasks.items() if name in names]
        said = f"Asked ECS to stop it, but it was not gone {_STOP_TIMEOUT:.0f} s later: {'; '.join(alive)}."
        return stopped, error.observation.value, f"{said} Make sure that it ends before you go on."
    said = f"Stopped it; it was gone {seen.elapsed:.0f} s later."
    return stopped, seen.value if seen.value.tasks else look, said


def _result(watch: Watch, look: Look, *, complete: bool) -> dict[str, Any]:
    """The module's result. With `complete`, logs are drained; otherwise read once, for the message's sake."""
    spec = watch.spec
    readers = {name: watch.readers(task) for name, task in look.tasks.items()} if spec.logs else {}
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


def _read_logs(watch: Watch, look: Look, readers: Mapping[str, Mapping[str, LogReader]], *, wait: bool) -> bool:
    awaited: list[LogReader] = []
    others: list[LogReader] = []
    expected = True
    for name, task in look.tasks.items():
        # What never started has printed nothing: there is nothing to wait for.
        ended = {c.get("name") for c in task.get("containers", []) if c.get("exitCode") is not None}
        names = watch.names(task)
        expected = expected and succeeded(task, names, watch.spec.success_codes)
        for container, reader in readers.get(name, {}).items():
            if wait and container in ended:
                (awaited if container in names else others).append(reader)
            else:
                reader.read(watch.aws)
    if not awaited and not others:
        return False
    drained = drain(
        watch.aws,
        readers=awaited,
        others=others,
        log_end=watch.spec.log_end,
        expected=expected,
        clock=watch.clock,
    )
    return drained and bool(awaited)


def _view(watch: Watch, task: Mapping[str, Any], readers: Mapping[str, LogReader]) -> dict[str, Any]:
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
