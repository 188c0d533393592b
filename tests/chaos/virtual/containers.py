# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers that are objects: the store and the application in front of it, and the cleaner, which really runs."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from chaos.virtual.files import CLIENT_LOCK
from chaos.virtual.locks import HeldError, Lock, Locks

from sandbox.clock import Clock
from sandbox.runtime.images import resolve, runs_server
from sandbox.runtime.pathmap import PathMap
from sandbox.runtime.spec import ContainerSpec
from sandbox.store import texts

OnLine = Callable[[str, float], None]
_NEVER = float("inf")
_QDRANT_STARTS = 2.0
_STORE_FLUSHES = 3.0
_CLEANER_WORKS_AT = 1.0
_CLEANER_ENDS_AFTER = 1.0
_REAL_LIMIT = 30.0
PANICKED = 101


class Watcher(Protocol):
    """Who wants to know what containers do to the store."""

    def store_started(self, container: StoreContainer) -> None: ...
    def cleaner_started(self, container: CleanerContainer) -> None: ...
    def cleaner_works(self, container: CleanerContainer, work: Callable[[], None]) -> None: ...


class VirtualContainer:
    """What `sandbox.runtime.Container` is to the sandbox: it can be asked and signalled. `step` lets time act on it."""

    stops_within = 0.0

    def __init__(self, spec: ContainerSpec, on_line: OnLine, *, clock: Clock, pid: int) -> None:
        self.spec, self.pid = spec, pid
        self._on_line, self._clock = on_line, clock
        self.started = clock.now()
        self.locks: list[Lock] = []
        self._ends_at, self._code = _NEVER, 0
        self.ended = False
        self.ended_at: float | None = None

    @property
    def folder(self) -> Path:
        """The folder behind its first mount."""
        return self.spec.mounts[0].source

    @property
    def alive(self) -> bool:
        return not self.ended

    def say(self, text: str) -> None:
        for line in text.splitlines():
            self._on_line(line, self._clock.wall())

    def poll(self) -> int | None:
        return self._code if self.ended else None

    def terminate(self) -> None:
        if self._ends_at == _NEVER:
            self._end_in(self.stops_within, 128 + signal.SIGTERM)

    def kill(self) -> None:
        if not self.ended:
            self._ends_at, self._code = self._clock.now(), 128 + signal.SIGKILL
            self._end()

    def step(self) -> None:
        if not self.ended and self._clock.now() >= self._ends_at:
            self._end()

    def _end(self) -> None:
        self.ended, self.ended_at = True, self._clock.wall()

    def _end_in(self, seconds: float, code: int) -> None:
        self._ends_at, self._code = self._clock.now() + seconds, code


class StoreContainer(VirtualContainer):
    """Qdrant: takes every LOCK beside a CURRENT, panics if one is held, and writes to its files while it starts."""

    stops_within = _STORE_FLUSHES

    def start(self, locks: Locks) -> None:
        for current in sorted(self.folder.rglob("CURRENT")):
            path = current.with_name("LOCK")
            try:
                self.locks.append(locks.take(path))
            except HeldError as error:
                locks.release(self.locks)
                self.locks = []
                shard = Path("storage", *error.path.relative_to(self.folder).parts[:3])
                self.say(texts.rocksdb_failed(shard, texts.rocksdb_held(f"./storage/{error.path.parent.name}")))
                self._end_in(1.0, PANICKED)
                return
        with (self.folder / "collections/documents/0/wal/open-1").open("a") as out:
            out.write(f"opened at {self.started:.3f} by {self.spec.task_id}\n")

    @property
    def serves(self) -> bool:
        return self.alive and bool(self.locks) and self._clock.now() >= self.started + _QDRANT_STARTS


class BackendContainer(VirtualContainer):
    """The application: holds the client's lock once its store serves, and is healthy from then on."""

    stops_within = 1.0

    def serve(self, store: StoreContainer | None, locks: Locks) -> None:
        """Takes the client's lock when the store of its task has come up."""
        if self.alive and not self.locks and store is not None and store.serves:
            try:
                self.locks.append(locks.take(self.folder / CLIENT_LOCK))
            except HeldError:
                self.say(f"RuntimeError: {texts.client_held('/data/client_cache')}")
                self._end_in(0.0, 1)


class CleanerContainer(VirtualContainer):
    """A shell with a script: really run, at one moment, on the folder itself.

    A wait for locks is not slept through. The script runs when none of the files that it could remove is held any more,
    or when its patience ends, with no patience left: then it does at once what it would have done in the end.
    """

    def start(self, locks: Locks, watcher: Watcher) -> None:
        self._locks, self._watcher = locks, watcher
        environment = self.spec.environment
        patient = environment.get("CLEANER_HELD") == "wait" and environment.get("CLEANER_MODE") == "unlock"
        patience = float(environment.get("CLEANER_HELD_TIMEOUT") or 0) if patient else 0.0
        self._works_from = self.started + _CLEANER_WORKS_AT
        self._works_by = self._works_from + patience
        self._worked = False

    @property
    def deletes_held(self) -> bool:
        return self.spec.environment.get("CLEANER_HELD") == "delete"

    @property
    def inspects(self) -> bool:
        return self.spec.environment.get("CLEANER_MODE") != "unlock"

    def step(self) -> None:
        super().step()
        now = self._clock.now()
        if self.ended or self._worked or self._ends_at != _NEVER or now < self._works_from:
            return
        if now >= self._works_by or not any(lock.path.is_relative_to(self.folder) for lock in self._locks.held()):
            self._worked = True
            self._watcher.cleaner_works(self, self._work)

    def _work(self) -> None:
        paths = PathMap(self.spec.mounts)
        environment = {name: paths.to_host(value) for name, value in self.spec.environment.items()}
        environment |= {"PATH": os.environ["PATH"], "CLEANER_HELD_TIMEOUT": "0"}
        command = [*self.spec.entry_point, *(paths.to_host(word) for word in self.spec.command)]
        done = subprocess.run(
            command, env=environment, cwd=tempfile.gettempdir(), capture_output=True, text=True, timeout=_REAL_LIMIT,
            check=False,
        )  # fmt: skip
        self.say(paths.to_container(done.stdout + done.stderr))
        self._end_in(_CLEANER_ENDS_AFTER, done.returncode)


class VirtualRuntime:
    """The part of `sandbox.runtime.Runtime` that the sandbox's ECS uses."""

    isolation = "path"

    def __init__(self, *, clock: Clock, locks: Locks, watcher: Watcher) -> None:
        self._clock, self._locks, self._watcher = clock, locks, watcher
        self._pids = itertools.count(100)
        self.containers: list[VirtualContainer] = []

    def pull(self, image: str) -> None:
        """Raises PullError for an image that there is not."""
        resolve(image)

    def run(self, spec: ContainerSpec, on_line: OnLine) -> VirtualContainer:
        image = resolve(spec.image)
        pid = next(self._pids)
        server = runs_server(image, (*spec.entry_point, *spec.command))
        if server and image.kind == "qdrant":
            store = StoreContainer(spec, on_line, clock=self._clock, pid=pid)
            self._watcher.store_started(store)
            store.start(self._locks)
            self.containers.append(store)
            return store
        if server and image.kind == "backend":
            backend = BackendContainer(spec, on_line, clock=self._clock, pid=pid)
            self.containers.append(backend)
            return backend
        cleaner = CleanerContainer(spec, on_line, clock=self._clock, pid=pid)
        self._watcher.cleaner_started(cleaner)
        cleaner.start(self._locks, self._watcher)
        self.containers.append(cleaner)
        return cleaner

    def step(self) -> None:
        """Lets time act on every container; those that ended let go of what they held."""
        self._locks.step()
        for container in self.containers:
            container.step()
        self._bury()
        stores = {one.spec.task_id: one for one in self.stores()}
        for container in self.containers:
            if isinstance(container, BackendContainer):
                container.serve(stores.get(container.spec.task_id), self._locks)

    def _bury(self) -> None:
        for container in self.containers:
            if container.ended:
                # What a lost host held stays held until its lease ends.
                self._locks.release([lock for lock in container.locks if lock.ends_at is None])
        self.containers = [one for one in self.containers if one.alive]

    def stores(self) -> list[StoreContainer]:
        return [one for one in self.containers if isinstance(one, StoreContainer) and one.alive]

    def cleaners(self) -> list[CleanerContainer]:
        return [one for one in self.containers if isinstance(one, CleanerContainer) and one.alive]

    def answers(self, port: int) -> bool:
        """Whether the application behind a host port is healthy."""
        return any(
            isinstance(one, BackendContainer) and one.alive and bool(one.locks) and port in one.spec.ports.values()
            for one in self.containers
        )

    def lose(self, task_id: str, *, lease: float) -> None:
        """The host of a task is gone: its containers end unseen, and what they held stays held."""
        for container in self.containers:
            if container.spec.task_id == task_id:
                self._locks.orphan(container.locks, lease=lease)
                container.kill()


__all__ = [
    "PANICKED",
    "BackendContainer",
    "CleanerContainer",
    "StoreContainer",
    "VirtualContainer",
    "VirtualRuntime",
    "Watcher",
]
