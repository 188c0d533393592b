# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one may ask of the sandbox itself, beside the AWS API: POST /_sandbox/<verb>."""

from __future__ import annotations

import dataclasses
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import applicationautoscaling_backends

from sandbox import incidents, world
from sandbox.calls import CallLog
from sandbox.cloud import Cloud
from sandbox.ecs import clusters, render, scheduler, service_api
from sandbox.ecs.engine import Engine
from sandbox.ecs.model import ACCOUNT, Service, Settings, Task
from sandbox.faults import Faults
from sandbox.server import ControlError
from sandbox.store import StaleLock, lock_files
from sandbox.store.locks import held
from sandbox.template import Template

_HEALTHY_WITHIN = 60.0
_SHOWN = ("serviceName", "status", "desiredCount", "runningCount", "pendingCount")


class Controller:
    """Holds the world together: seeds it, breaks it, tells about it."""

    def __init__(self, *, engine: Engine, cloud: Cloud, calls: CallLog, faults: Faults, state: Path,
                 end: Callable[[], None], lease: float, template: Template) -> None:  # fmt: skip
        self.engine, self.cloud, self.calls, self.faults, self.state = engine, cloud, calls, faults, state
        self._end, self.lease, self._template, self._group = end, lease, template, ""
        self._busy = threading.Lock()
        self.stale: list[StaleLock] = []
        self.points: dict[str, int] = {}
        self.listener = 0
        self.last_at = time.time()

    def __call__(self, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        self.last_at = time.time()
        verbs: dict[str, Callable[..., dict[str, Any]]] = {
            "ping": self.ping,
            "status": self.status, "reset": self.reset, "break": self.break_, "fault": self.fault,
            "clear_faults": self.clear_faults, "settings": self.settings, "logs": self.logs, "release": self.release,
            "down": self.down, "witness": self.witness,
        }  # fmt: skip
        if verb not in verbs:
            raise ControlError(f"unknown verb {verb!r}: use one of {', '.join(verbs)}")
        try:
            return verbs[verb](**body)
        except TypeError as error:
            raise ControlError(f"{verb}: {error}") from error

    @property
    def data(self) -> Path:
        """The folder behind the service's access point."""
        return self.cloud.efs_root / world.FILE_SYSTEM / world.ACCESS_POINT_PATH.strip("/")

    def service(self) -> Service:
        with self.engine.lock:
            found = self.engine.service(self.engine.cluster(world.REGION, world.CLUSTER), world.SERVICE)
        if found is None:
            raise ControlError(f"there is no service {world.SERVICE} any more: run `reset`")
        return found

    def reset(self, *, service: str = "running") -> dict[str, Any]:
        """The world as seeded. `service`: running (and healthy when this returns), stopped (desired 0)."""
        if service not in ("running", "stopped"):
            raise ControlError(f"reset: service must be running or stopped, not {service!r}")
        with self._busy:
            self.engine.call(self._rebuild)
            if service == "running":
                self.engine.call(lambda: self._create_service(desired=1))
                self.wait_healthy()
            else:
                self.engine.call(lambda: self._create_service(desired=0))
            with self.engine.lock:
                self.engine.settings = Settings()
            self.calls.clear()
        return {"points": self.points}

    def _rebuild(self) -> None:
        self.engine.reset()
        self._release()
        for stray in self.cloud.efs_root.glob("*"):
            shutil.rmtree(stray)
        self.points = self._template.copy_to(self.cloud.efs_root / world.FILE_SYSTEM)
        group = world.build(self.cloud)
        # moto would look for our services in its own ECS, which is empty.
        scaling = applicationautoscaling_backends[ACCOUNT][world.REGION]
        scaling._ecs_service_exists_for_target = self._service_exists  # type: ignore[method-assign,assignment]  # another name for its argument
        clusters.create(self.engine, world.REGION, {"clusterName": world.CLUSTER})
        self.engine.definitions_of(world.REGION).register(world.definition())
        self.listener = self.engine.targets.listener(world.REGION, group)
        self._group = group

    def _service_exists(self, resource: str) -> bool:
        _other, cluster, name = resource.split("/", 2)
        found = self.engine.service(self.engine.cluster(world.REGION, cluster), name)
        if found is None or found.status == "INACTIVE":
            raise AWSValidationException(f"ECS service doesn't exist: {resource}")
        return True

    def _create_service(self, *, desired: int) -> None:
        # The first start is not part of any story: it takes no AWS time.
        self.engine.settings = Settings(provisioning=0, pending=0, pulling=0, starting=0)
        service_api.create(self.engine, world.REGION, {**world.service(self._group), "desiredCount": desired})

    def wait_healthy(self, *, seconds: float = _HEALTHY_WITHIN) -> None:
        """Real seconds. Raises ControlError with the state seen last."""
        deadline = time.monotonic() + seconds
        while True:
            service = self.service()
            with self.engine.lock:
                if service.steady:
                    return
            if time.monotonic() > deadline:
                raise ControlError(f"the service was not healthy within {seconds:.0f} s: {self.told(service)}")
            time.sleep(0.02)

    def told(self, service: Service) -> str:
        with self.engine.lock:
            tasks = self.engine.tasks_of(service)
            lines = [f"{t.id} {t.last_status} {t.stopped_reason or ''}" for t in tasks[-3:]]
            tail = [line for task in tasks[-1:] for run in task.containers for line in list(run.lines)[-5:]]
        tasks_told = "; ".join(lines) or "none"
        return f"desired {service.desired}; tasks: {tasks_told}; last lines: {tail}; {self.engine.trouble[-1:]}"

    def ping(self) -> dict[str, Any]:
        """That this daemon lives, whatever its world is like."""
        return {"pid": os.getpid()}

    def status(self) -> dict[str, Any]:
        service = self.service()
        with self.engine.lock:
            tasks = self.engine.tasks_of(service)
            shown = render.service(service, tasks, self.engine.settings, tags=True)
            every = [self._task(task) for task in self.engine.tasks.values()]
            healthy = any(scheduler.is_healthy(self.engine, task) for task in tasks)
        files = lock_files(self.data) if self.data.exists() else []
        taken = set(held(files))
        targets = [dataclasses.asdict(target) for target in self.engine.targets.health(self._group)]
        return {
            "service": {key: shown[key] for key in _SHOWN},
            "deployments": shown["deployments"], "tags": shown["tags"], "events": shown["events"][:5], "tasks": every,
            "healthy": healthy, "targets": targets, "points": self.points, "trouble": self.engine.trouble,
            "locks": [{"path": str(path.relative_to(self.data)), "held": path in taken} for path in files],
            "stale": [
                {"path": str(lock.path), "pid": lock.pid, "ends_at": lock.ends_at} for lock in self.stale if lock.active
            ],
            "faults": self.faults.listed(), "settings": dataclasses.asdict(self.engine.settings),
        }  # fmt: skip

    def _task(self, task: Task) -> dict[str, Any]:
        return {
            "id": task.id, "group": task.group, "family": task.definition.family, "last_status": task.last_status,
            "desired_status": task.desired_status, "stop_code": task.stop_code, "stopped_reason": task.stopped_reason,
            "containers": [
                {"name": run.name, "last_status": run.last_status, "exit_code": run.exit_code,
                 "pid": run.process.pid if run.process else None, "lines": list(run.lines)[-5:]}
                for run in task.containers
            ],
        }  # fmt: skip

    def logs(self, *, lines: int = 50, all_tasks: bool = False) -> dict[str, Any]:
        """The last lines of the newest task of the service, or of every task."""
        service = self.service()
        with self.engine.lock:
            tasks = list(self.engine.tasks.values()) if all_tasks else self.engine.tasks_of(service)[-1:]
            return {
                "tasks": [
                    {"id": t.id, "family": t.definition.family,
                     "containers": {run.name: list(run.lines)[-lines:] for run in t.containers}}
                    for t in tasks
                ]
            }  # fmt: skip

    def fault(self, *, kind: str, **settings: Any) -> dict[str, Any]:
        return {"number": self.faults.add(kind, **settings).number}

    def witness(self) -> dict[str, Any]:
        """What was seen since the last reset (`ecs/witness.py`)."""
        return self.engine.call(self.engine.witness.report)

    def clear_faults(self) -> dict[str, Any]:
        self.faults.clear()
        return {}

    def settings(self, **changes: Any) -> dict[str, Any]:
        with self.engine.lock:
            self.engine.settings = dataclasses.replace(self.engine.settings, **changes)
            self.engine.logs.delay = self.engine.settings.log_delay
            return dataclasses.asdict(self.engine.settings)

    def release(self) -> dict[str, Any]:
        """Ends every stale lock's lease at once."""
        count = len([lock for lock in self.stale if lock.active])
        self.engine.call(self._release)
        return {"released": count}

    def _release(self) -> None:
        for lock in self.stale:
            lock.release()
        self.stale.clear()

    def break_(self, *, kind: str = "stale-lock", **options: Any) -> dict[str, Any]:
        with self._busy:
            return incidents.make(self, kind, **options)

    def down(self) -> dict[str, Any]:
        threading.Timer(0.05, self._end).start()
        return {}


__all__ = ["Controller"]
