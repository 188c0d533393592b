# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of the sandbox's ECS and the one thread that moves it."""

from __future__ import annotations

import itertools
import queue
import shutil
import threading
import traceback
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from sandbox.clock import Clock
from sandbox.cloud import Cloud
from sandbox.ecs import lifecycle, scheduler
from sandbox.ecs.definitions import Definitions
from sandbox.ecs.errors import cluster_not_found
from sandbox.ecs.logs import LogDelivery
from sandbox.ecs.model import Cluster, Service, Settings, Task, arn
from sandbox.ecs.targets import Targets
from sandbox.ecs.witness import Witness
from sandbox.faults import Faults
from sandbox.runtime import Runtime

T = TypeVar("T")
# How often everything is looked at: fine enough for AWS's times, and no finer than a test at a high speed can use.
_TICK_AWS_SECONDS = 0.1
_SHORTEST_TICK, _LONGEST_TICK = 0.02, 0.1


class Engine:
    """`lock` guards everything here. Processes are started by the engine's own thread only: the kernel's
    parent-death signal belongs to the thread that forked, and a request's thread ends with the request."""

    def __init__(
        self, *, clock: Clock, cloud: Cloud, runtime: Runtime, targets: Targets, faults: Faults, workdir: Path
    ) -> None:
        self.clock, self.cloud, self.runtime = clock, cloud, runtime
        self.targets, self.faults, self.workdir = targets, faults, workdir
        self.lock = threading.RLock()
        self.witness = Witness(self)
        self.logs = LogDelivery(cloud=cloud, clock=clock, faults=faults)
        self.settings = Settings()
        self.definitions: dict[str, Definitions] = {}
        self.clusters: dict[tuple[str, str], Cluster] = {}
        self.services: dict[str, Service] = {}
        self.tasks: dict[str, Task] = {}
        self.tokens: dict[tuple[str, str, str], tuple[dict[str, Any], dict[str, Any]]] = {}
        self.trouble: list[str] = []
        self._addresses = itertools.count(10)
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        self._wake = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._loop, name="ecs-engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def call(self, work: Callable[[], T], *, timeout: float = 60.0) -> T:
        """Runs `work` on the engine's thread, with the lock held, and returns what it returns; on this one if the
        engine was not started, because then its owner moves it by `step`."""
        if self._thread.ident is None:
            with self.lock:
                return work()
        future: Future[T] = Future()
        self._jobs.put((work, future))
        self._wake.set()
        return future.result(timeout)

    def close(self) -> None:
        self._ending = True
        self._wake.set()
        self._thread.join(timeout=10)

    def reset(self) -> None:
        """Ends every task at once and forgets everything."""
        with self.lock:
            self.targets.drop(self.tasks.values())
            for task in self.tasks.values():
                for run in task.containers:
                    if run.process is not None and run.process.poll() is None:
                        run.process.kill()
            for task in self.tasks.values():
                lifecycle.kill_and_wait(task)
            self.faults.clear()
            self.witness.clear()
            self.logs.clear()
            self.settings = Settings()
            self.logs.delay = self.settings.log_delay
            for store in (self.definitions, self.clusters, self.services, self.tasks, self.tokens):
                store.clear()
            self.trouble.clear()
            shutil.rmtree(self.workdir / "ephemeral", ignore_errors=True)

    def cluster(self, region: str, name: str | None) -> Cluster:
        """By name or ARN. Raises ClusterNotFoundException."""
        short = str(name or "default").rsplit("/", 1)[-1]
        found = self.clusters.get((region, short))
        if found is None or found.status != "ACTIVE":
            raise cluster_not_found()
        return found

    def definitions_of(self, region: str) -> Definitions:
        return self.definitions.setdefault(region, Definitions(region=region, wall=self.clock.wall))

    def service(self, cluster: Cluster, name: str) -> Service | None:
        """By name or ARN, also one that is INACTIVE."""
        found = self.services.get(arn(cluster.region, "service", cluster.name, name.rsplit("/", 1)[-1]))
        return found if found is not None and found.cluster is cluster else None

    def tasks_of(self, service: Service) -> list[Task]:
        return list(service.tasks)

    def next_address(self) -> str:
        number = next(self._addresses)
        return f"10.20.{number // 250 % 250}.{number % 250 + 4}"

    def next_uuid(self) -> str:
        return str(uuid.uuid4())

    def _loop(self) -> None:
        tick = min(max(self.clock.real(_TICK_AWS_SECONDS), _SHORTEST_TICK), _LONGEST_TICK)
        while not self._ending:
            self._wake.wait(tick if self._moving() else _LONGEST_TICK)
            self._wake.clear()
            self.step()

    def step(self) -> None:
        """Moves everything on as far as it can go now."""
        with self.lock:
            self._run_jobs()
            self._tick()

    def _moving(self) -> bool:
        return any(not task.over for task in self.tasks.copy().values())

    def _run_jobs(self) -> None:
        while not self._jobs.empty():
            work, future = self._jobs.get()
            try:
                future.set_result(work())
            except Exception as error:  # noqa: BLE001  the caller's thread gets it, whatever it is
                future.set_exception(error)

    def _tick(self) -> None:
        for task in [task for task in self.tasks.values() if not task.over]:
            self._guarded(task.id, lambda task=task: lifecycle.step(self, task))  # type: ignore[misc]  # default binds
        for service in list(self.services.values()):
            self._guarded(service.name, lambda service=service: scheduler.reconcile(self, service))  # type: ignore[misc]
        self._guarded("logs", self.logs.deliver)
        self._forget()

    def _guarded(self, what: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # noqa: BLE001  one broken task must not stop the world; `status` shows the trouble
            text = f"{what}: {traceback.format_exc()}"
            if text not in self.trouble:
                self.trouble.append(text)
                print(text, flush=True)

    def _forget(self) -> None:
        now = self.clock.now()
        gone = [key for key, task in self.tasks.items() if task.expires is not None and now >= task.expires]
        for key in gone:
            task = self.tasks.pop(key)
            if task.service is not None:
                task.service.tasks.remove(task)


__all__ = ["Engine"]
