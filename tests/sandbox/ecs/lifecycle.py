# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states of a task, moved on by the clock and by what its processes do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sandbox.cloud import MountFailed
from sandbox.ecs import launch
from sandbox.ecs.deployments import event
from sandbox.ecs.model import STARTING, ContainerRun, Task
from sandbox.runtime import PullError, StartError, pull_failure

if TYPE_CHECKING:
    from sandbox.ecs.engine import Engine

ESSENTIAL_EXITED = "Essential container in task exited"
START_FAILED = "CannotStartContainerError: failed to get container status: the container runtime did not answer"
HOST_LOST = "The host of this task was lost"


def step(engine: Engine, task: Task) -> None:
    """Moves the task on as far as it can go now."""
    poll(engine, task)
    handlers = {
        "PROVISIONING": _provisioning,
        "PENDING": _pending,
        "ACTIVATING": _activating,
        "RUNNING": _running,
        "DEACTIVATING": _deactivating,
        "STOPPING": _stopping,
        "DEPROVISIONING": _deprovisioning,
    }
    while task.last_status in handlers:
        before = task.last_status
        handlers[before](engine, task)
        if task.last_status == before:
            return


def poll(engine: Engine, task: Task) -> None:
    """Takes note of processes that have ended."""
    for run in task.containers:
        if run.live and run.process is not None:
            code = run.process.poll()
            if code is not None:
                run.last_status = "STOPPED"
                hidden = engine.faults.take("no_exit_code", family=task.definition.family)
                run.exit_code = None if hidden else code
                task.version += 1


def _provisioning(engine: Engine, task: Task) -> None:
    now = engine.clock.now()
    if now >= task.due:
        task.network.status = "ATTACHED"
        task.times["connectivityAt"] = engine.clock.wall()
        task.enter("PENDING", now=now, lasts=engine.settings.pending)


def _pending(engine: Engine, task: Task) -> None:
    now = engine.clock.now()
    if now < task.due:
        return
    try:
        launch.prepare(engine, task)
    except MountFailed as failure:
        fail_to_start(engine, task, str(failure))
        return
    task.times["pullStartedAt"] = engine.clock.wall()
    task.enter("ACTIVATING", now=now, lasts=engine.settings.pulling + engine.settings.starting)


def _activating(engine: Engine, task: Task) -> None:
    now = engine.clock.now()
    if "pullStoppedAt" not in task.times:
        if now < task.since + engine.settings.pulling:
            return
        fault = engine.faults.take("pull", family=task.definition.family)
        variant = None if fault is None else str(fault.settings.get("variant", "denied"))
        task.start_fails = variant == "start"
        for run in task.containers:
            image = str(run.definition["image"])
            try:
                if variant is not None and not task.start_fails:
                    raise PullError(pull_failure(variant, image))
                engine.runtime.pull(image)
            except PullError as error:
                run.reason = str(error)
                fail_to_start(engine, task, str(error))
                return
        task.times["pullStoppedAt"] = engine.clock.wall()
    if now < task.due:
        return
    try:
        if task.start_fails:
            raise StartError(START_FAILED)
        launch.start(engine, task)
    except (PullError, StartError) as error:
        broken = next(run for run in task.containers if run.process is None)
        broken.reason = str(error)
        fail_to_start(engine, task, str(error))
        return
    task.times["startedAt"] = engine.clock.wall()
    task.reached_running = True
    task.running_since = now
    if task.service is not None:
        engine.targets.register(task.service, task)
        _tell_targets(engine, task, "registered 1 targets in (target-group {group})")
    task.enter("RUNNING", now=now, lasts=0)


def _running(engine: Engine, task: Task) -> None:
    if task.essential_ended():
        begin_stop(engine, task, code="EssentialContainerExited", reason=ESSENTIAL_EXITED)


def _deactivating(engine: Engine, task: Task) -> None:
    crashed = task.essential_ended() and not engine.settings.crashed_task_waits_for_target
    if engine.clock.now() >= task.due or crashed:
        _enter_stopping(engine, task)


def _stopping(engine: Engine, task: Task) -> None:
    now = engine.clock.now()
    for run in task.containers:
        if run.live and run.process is not None and now >= task.since + _stop_timeout(engine, run):
            run.process.kill()
    if task.all_ended() and now >= task.due:
        _enter_deprovisioning(engine, task)


def _deprovisioning(engine: Engine, task: Task) -> None:
    now = engine.clock.now()
    if now >= task.due:
        task.network.status = "DELETED"
        task.times["stoppedAt"] = engine.clock.wall()
        task.expires = now + engine.settings.stopped_kept
        task.enter("STOPPED", now=now, lasts=0)


def begin_stop(engine: Engine, task: Task, *, code: str, reason: str, drain: bool = True) -> None:
    """The decision to stop. A task that already stops keeps its first reason; without `drain`, its targets do not
    hold it up."""
    if not task.wanted:
        return
    task.desired_status = "STOPPED"
    task.stop_code, task.stopped_reason = code, reason
    task.version += 1
    if task.last_status in STARTING:
        _enter_deprovisioning(engine, task)
        return
    draining = engine.targets.deregister(task)
    _tell_targets(engine, task, "deregistered 1 targets in (target-group {group})")
    if drain and draining and (not task.essential_ended() or engine.settings.crashed_task_waits_for_target):
        _tell_targets(engine, task, "(task {task}) has begun draining connections on 1 tasks.")
        task.enter("DEACTIVATING", now=engine.clock.now(), lasts=draining)
        if task.essential_ended():
            _terminate(task)
    else:
        _enter_stopping(engine, task)


def fail_to_start(engine: Engine, task: Task, reason: str) -> None:
    task.desired_status = "STOPPED"
    task.stop_code, task.stopped_reason = "TaskFailedToStart", reason
    kill_and_wait(task)
    _enter_deprovisioning(engine, task)


def lose_host(engine: Engine, task: Task) -> None:
    """The machine under a task vanishes: its processes are gone at once and nobody learns how they ended."""
    engine.targets.deregister(task)
    kill_and_wait(task)
    for run in task.containers:
        run.last_status, run.exit_code = "STOPPED", None
    task.desired_status = "STOPPED"
    task.stop_code, task.stopped_reason = "InfrastructureHealth", HOST_LOST
    _enter_deprovisioning(engine, task)


def kill_and_wait(task: Task, *, seconds: float = 5.0) -> None:
    """SIGKILLs the task's processes and waits, in real time, until they are gone."""
    for run in task.containers:
        if run.process is not None and run.process.poll() is None:
            run.process.kill()
    deadline = time.monotonic() + seconds
    while any(run.process is not None and run.process.poll() is None for run in task.containers):
        if time.monotonic() > deadline:
            raise RuntimeError(f"task {task.id}: its processes outlived SIGKILL for {seconds:.0f} s")
        time.sleep(0.005)


def _tell_targets(engine: Engine, task: Task, text: str) -> None:
    if task.service is not None:
        for group in dict.fromkeys(group for group, _other in task.registered):
            event(engine, task.service, text.format(group=group, task=task.id))


def _enter_stopping(engine: Engine, task: Task) -> None:
    task.times["stoppingAt"] = engine.clock.wall()
    _terminate(task)
    task.enter("STOPPING", now=engine.clock.now(), lasts=engine.settings.stopping)


def _terminate(task: Task) -> None:
    for run in task.containers:
        if run.live and run.process is not None:
            run.process.terminate()


def _enter_deprovisioning(engine: Engine, task: Task) -> None:
    wall = engine.clock.wall()
    task.times.setdefault("stoppingAt", wall)
    if task.reached_running:
        task.times["executionStoppedAt"] = wall
    for run in task.containers:
        run.last_status = "STOPPED"
    task.enter("DEPROVISIONING", now=engine.clock.now(), lasts=engine.settings.deprovisioning)


def _stop_timeout(engine: Engine, run: ContainerRun) -> float:
    return float(run.definition.get("stopTimeout") or engine.settings.stop_timeout)


__all__ = ["ESSENTIAL_EXITED", "begin_stop", "fail_to_start", "kill_and_wait", "lose_host", "poll", "step"]
