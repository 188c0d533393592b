# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to break the service, each as it happens in life."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sandbox import world
from sandbox.ecs import lifecycle, scheduler, task_api
from sandbox.ecs.model import Task
from sandbox.server import ControlError
from sandbox.store import hold_stale, lock_files

if TYPE_CHECKING:
    from sandbox.control import Controller

_PATIENCE = 60.0
SECOND_FAMILY = "wwhd-report"


def make(control: Controller, kind: str, **options: Any) -> dict[str, Any]:
    """Does it and returns what was done. Raises ControlError for an unknown kind or option."""
    kinds: dict[str, Callable[..., dict[str, Any]]] = {
        "stale-lock": stale_lock, "leftover": leftover, "stopped": stopped, "second-task": second_task,
        "healthy": healthy,
    }  # fmt: skip
    if kind not in kinds:
        raise ControlError(f"unknown way to break the service {kind!r}: use one of {', '.join(kinds)}")
    return kinds[kind](control, **options)


def stale_lock(
    control: Controller, *, lease: float | None = None, lease_real: float | None = None, wait: bool = True
) -> dict[str, Any]:
    """The task's host vanishes, and the file server keeps its locks until the lease ends. `lease` in AWS seconds,
    `lease_real` in real ones. With `wait`, returns when the first new task has failed on the locks."""
    seconds = control.engine.clock.real(lease or control.lease) if lease_real is None else float(lease_real)
    service = control.service()
    if any(lock.active for lock in control.stale):
        raise ControlError("the service's locks are stale already: wait for their lease, or run `reset`")

    def vanish() -> tuple[Task, set[str]]:
        live = next((t for t in control.engine.tasks_of(service) if t.wanted and t.last_status == "RUNNING"), None)
        if live is None:
            raise ControlError("no task of the service is running: run `reset` first")
        lifecycle.lose_host(control.engine, live)
        locks = hold_stale(lock_files(control.data), seconds=seconds)
        control.stale += locks
        control.engine.witness.watch(locks)
        return live, {task.id for task in control.engine.tasks_of(service)}

    lost, before = control.engine.call(vanish)
    paths = [str(lock.path.relative_to(control.data)) for lock in control.stale if lock.active]
    done: dict[str, Any] = {
        "kind": "stale-lock", "lost_task": lost.id, "held": paths, "lease_seconds": seconds, "failed_task": None,
    }  # fmt: skip
    if wait and service.desired > 0:
        failed = _first_failure(control, before)
        with control.engine.lock:
            done["failed_task"] = failed.id
            done["exit_codes"] = {run.name: run.exit_code for run in failed.containers}
            done["lines"] = {run.name: list(run.lines)[-6:] for run in failed.containers}
    return done


def _first_failure(control: Controller, before: set[str]) -> Task:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with control.engine.lock:
            for task in control.engine.tasks_of(control.service()):
                if task.id not in before and task.stop_code == "EssentialContainerExited" and task.all_ended():
                    return task
        time.sleep(0.05)
    raise ControlError(f"no task failed within {_PATIENCE:.0f} s: {control.told(control.service())}")


def stopped(control: Controller) -> dict[str, Any]:
    """Somebody set the desired count to 0 and let the tasks end."""
    service = control.service()

    def stop() -> None:
        scheduler.set_desired(control.engine, service, 0)
        for task in control.engine.tasks_of(service):
            # It happened a while ago: nobody waits here for the load balancer.
            lifecycle.begin_stop(
                control.engine, task, code="ServiceSchedulerInitiated",
                reason=f"Scaling activity initiated by (deployment {task.started_by})", drain=False,
            )  # fmt: skip
            control.engine.targets.drop([task])

    control.engine.call(stop)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with control.engine.lock:
            if all(task.over for task in control.engine.tasks_of(service)):
                return {"kind": "stopped", "desired": 0}
        time.sleep(0.05)
    raise ControlError(f"the service did not stop within {_PATIENCE:.0f} s: {control.told(service)}")


def leftover(control: Controller) -> dict[str, Any]:
    """Stopped, and lock files that nobody holds lie about: the server's and the runbook's names."""
    done = stopped(control)
    extra = []
    for name in ("collections/documents/0/data.mdb.lock", "stale.lock"):
        path = control.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        extra.append(path)
    files = sorted({*lock_files(control.data), *extra})
    return {**done, "kind": "leftover", "files": [str(path.relative_to(control.data)) for path in files]}


def second_task(control: Controller) -> dict[str, Any]:
    """A live task of another family mounts the same file system and holds a lock of its own there."""
    definition = world.definition()
    definition |= {"family": SECOND_FAMILY, "cpu": "256", "memory": "512"}
    definition["containerDefinitions"] = [
        {
            "name": "report",
            "image": "alpine:3.20",
            "essential": True,
            "command": ["sh", "-c", "mkdir -p /data/reports; exec 9<>/data/reports/report.lock; flock -n 9; "
                        "echo 'report is running'; while :; do sleep 1; done"],
            "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}],
            "logConfiguration": definition["containerDefinitions"][0]["logConfiguration"],
        }
    ]  # fmt: skip

    def run() -> str:
        control.engine.definitions_of(world.REGION).register(definition)
        answer = task_api.run(
            control.engine, world.REGION,
            {"cluster": world.CLUSTER, "taskDefinition": SECOND_FAMILY, "launchType": "FARGATE", "count": 1,
             "networkConfiguration": world.network_configuration(), "startedBy": "reporting"},
        )  # fmt: skip
        return str(answer["tasks"][0]["taskArn"])

    arn = control.engine.call(run)
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with control.engine.lock:
            task = control.engine.tasks.get(arn)
            if task is not None and task.last_status == "RUNNING" and any(run_.lines for run_ in task.containers):
                return {"kind": "second-task", "task": arn, "family": SECOND_FAMILY}
            if task is None or task.over:
                raise ControlError(f"the second task ended: {task.stopped_reason if task else 'gone'}")
        time.sleep(0.05)
    raise ControlError(f"the second task did not run within {_PATIENCE:.0f} s")


def healthy(control: Controller) -> dict[str, Any]:
    """The locks are let go and the service runs again."""
    for lock in control.stale:
        lock.release()
    control.stale.clear()
    service = control.service()
    control.engine.call(lambda: scheduler.set_desired(control.engine, service, 1))
    control.wait_healthy()
    return {"kind": "healthy"}


__all__ = ["SECOND_FAMILY", "make"]
