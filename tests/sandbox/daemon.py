# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The background process: everything of one sandbox in one place, from start to end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any, Literal

from sandbox import world
from sandbox.calls import CallLog
from sandbox.clock import Clock
from sandbox.cloud import Cloud
from sandbox.control import Controller
from sandbox.ecs.engine import Engine
from sandbox.ecs.model import ACCOUNT
from sandbox.ecs.targets import Targets
from sandbox.faults import Faults
from sandbox.loadbalancer import LoadBalancer
from sandbox.runtime import Runtime
from sandbox.server import Server
from sandbox.template import Template

STATE_FILE = "state.json"


def run(
    *,
    state: Path,
    speed: float,
    isolation: Literal["auto", "namespace", "path"],
    idle: float,
    lease: float,
    template: Template,
) -> None:
    """Serves until told to end, by `down`, SIGTERM, SIGINT, or `idle` seconds without a request.

    `speed` is how many AWS seconds pass in one; stale locks live `lease` AWS seconds unless told otherwise.
    """
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    state.mkdir(parents=True, exist_ok=True)
    (state / STATE_FILE).unlink(missing_ok=True)
    shutil.rmtree(state / "run", ignore_errors=True)
    clock = Clock(speed=speed)
    faults = Faults()
    calls = CallLog(state / "calls.jsonl")
    cloud = Cloud(efs_root=state / "efs")
    runtime = Runtime(isolation=isolation, workdir=state / "run", speed=speed)
    balancer = LoadBalancer(speed=speed)
    targets = Targets(cloud=cloud, balancer=balancer)
    engine = Engine(clock=clock, cloud=cloud, runtime=runtime, targets=targets, faults=faults, workdir=state / "run")
    control = Controller(
        engine=engine,
        cloud=cloud,
        calls=calls,
        faults=faults,
        state=state,
        end=ended.set,
        lease=lease,
        template=template,
    )
    server = Server(engine=engine, cloud=cloud, calls=calls, faults=faults, control=control)
    try:
        engine.start()
        threading.Thread(target=server.serve, name="http", daemon=True).start()
        control.reset()
        _write_state(state, server=server, control=control, runtime=runtime, speed=speed)
        for note in runtime.notes:
            print(note, flush=True)
        while not ended.wait(1.0):
            if time.time() - max(calls.last_at, control.last_at) > idle:
                print(f"no request for {idle:.0f} s: this sandbox ends", flush=True)
                break
    finally:
        (state / STATE_FILE).unlink(missing_ok=True)
        server.shutdown()
        engine.close()
        for lock in control.stale:
            lock.release()
        runtime.close()
        balancer.close()
        server.close()


def _write_state(state: Path, *, server: Server, control: Controller, runtime: Runtime, speed: float) -> None:
    url = f"http://127.0.0.1:{control.listener}"
    content: dict[str, Any] = {
        "endpoint_url": f"http://127.0.0.1:{server.port}",
        "region": world.REGION,
        "account_id": ACCOUNT,
        "access_key": "AKIASANDBOX000000000",
        "secret_key": "sandbox-secret-key",
        "pid": os.getpid(),
        "speed": speed,
        "isolation": runtime.isolation,
        "notes": list(runtime.notes),
        "health_url": f"{url}/health",
        "qdrant_url": url,
        "efs": {world.FILE_SYSTEM: str(control.cloud.efs_root / world.FILE_SYSTEM)},
        "data": str(control.data),
        "points": control.points,
        "calls": str(control.calls.path),
        "cluster": world.CLUSTER,
        "service": world.SERVICE,
    }
    draft = state / f"{STATE_FILE}.new"
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(content, indent=2) + "\n")
    draft.rename(state / STATE_FILE)


__all__ = ["STATE_FILE", "run"]
