# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A runtime of each isolation, a seeded store, and a service's task on it."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest

from sandbox import store
from sandbox.runtime import Container, ContainerSpec, Mount, Runtime, free_port
from sandbox.runtime.namespace import bubblewrap, why_not

SPEED = 50.0
WAIT = 10.0
T = TypeVar("T")


@dataclass(frozen=True)
class Reply:
    """An HTTP answer; ``json`` is None where the body is none."""

    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Output:
    """The lines of one container."""

    lines: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    seen: threading.Event = field(default_factory=threading.Event)

    def __call__(self, text: str, at: float) -> None:
        self.lines.append(text)
        self.times.append(at)
        self.seen.set()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@dataclass(frozen=True)
class Task:
    """The two containers of wwhd-backend."""

    qdrant: Container
    fastapi: Container
    qdrant_output: Output
    fastapi_output: Output
    qdrant_port: int
    fastapi_port: int


def until(what: str, read: Callable[[], T], *, seconds: float = WAIT) -> T:
    """The first true answer of ``read``; fails with its last answer."""
    deadline = time.monotonic() + seconds
    while not (value := read()):
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not happen within {seconds:g} s; last seen: {value!r}")
        time.sleep(0.02)
    return value


def call(port: int, path: str, body: object = None, *, method: str | None = None, **headers: str) -> Reply:
    """One request to 127.0.0.1."""
    data = None if body is None else json.dumps(body).encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=data, method=method, headers=names)
    try:
        with urllib.request.urlopen(request, timeout=WAIT) as answer:
            return Reply(answer.status, answer.read())
    except urllib.error.HTTPError as error:
        return Reply(error.code, error.read())


def answers(port: int, path: str) -> bool:
    """Whether something answers 200 there now."""
    try:
        return call(port, path).status == 200
    except OSError:
        return False


class Service:
    """Starts tasks on one storage folder, as a task definition would."""

    def __init__(self, runtime: Runtime, storage: Path) -> None:
        self.runtime = runtime
        self.storage = storage
        self._count = 0

    def start(
        self,
        *,
        entry_point: tuple[str, ...] = (),
        image: str = "qdrant/qdrant:v1.7.4",
        environment: dict[str, str] | None = None,
    ) -> Task:
        """Start both containers; they share their ports as containers of a task share a network."""
        self._count += 1
        ports = {6333: free_port(), 8000: free_port()}
        shared = {"SANDBOX_PORTS": ",".join(f"{inside}={outside}" for inside, outside in ports.items())}
        shared |= environment or {}
        outputs = Output(), Output()
        qdrant = self.runtime.run(
            self._spec("qdrant", image, entry_point, shared, "/qdrant/storage", ports), outputs[0]
        )
        fastapi = self.runtime.run(self._spec("fastapi", "wwhd/backend:dev", (), shared, "/data", ports), outputs[1])
        return Task(qdrant, fastapi, *outputs, ports[6333], ports[8000])

    def ready(self, **options: Any) -> Task:
        """Start a task and wait until it is healthy and holds every lock."""
        task = self.start(**options)
        until("the task's start", lambda: "startup complete" in task.fastapi_output.text)
        assert answers(task.fastapi_port, "/health")
        return task

    def _spec(
        self, name: str, image: str, entry: tuple[str, ...], env: dict[str, str], target: str, ports: dict[int, int]
    ) -> ContainerSpec:
        mounts = (Mount(self.storage, target),)
        return ContainerSpec(f"task{self._count}", name, image, entry, (), env, mounts, ports)


def stop(task: Task) -> None:
    """SIGKILL both containers, as the end of their host does."""
    for container in (task.qdrant, task.fastapi):
        container.kill()
        assert container.wait(WAIT) is not None


def runtime_of(isolation: Literal["namespace", "path"], folder: Path) -> Runtime:
    """A runtime; skips with the reason where namespaces can't be had."""
    if isolation == "namespace" and (reason := why_not(bubblewrap())):
        pytest.skip(f"no containers with namespaces on this machine: {reason}")
    return Runtime(isolation=isolation, workdir=folder, speed=SPEED)


@pytest.fixture(params=["namespace", "path"])
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    """A runtime of each isolation in turn."""
    made = runtime_of(request.param, tmp_path / "runtime")
    yield made
    made.close()


@pytest.fixture
def any_runtime(tmp_path: Path) -> Iterator[Runtime]:
    """A runtime of the best isolation that this machine has, where the isolation does not matter."""
    made = Runtime(isolation="auto", workdir=tmp_path / "runtime", speed=SPEED)
    yield made
    made.close()


@pytest.fixture
def storage(tmp_path: Path) -> Path:
    """A seeded storage folder."""
    root = tmp_path / "efs" / "wwhd-dev"
    store.seed(root)
    return root


@pytest.fixture
def service(any_runtime: Runtime, storage: Path) -> Service:
    """The service on the seeded storage."""
    return Service(any_runtime, storage)
