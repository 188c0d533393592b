# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One AWS in this process: the seeded world, moved by hand."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast
from unittest import mock

from chaos.virtual.balancer import VirtualBalancer
from chaos.virtual.clock import VirtualClock
from chaos.virtual.containers import VirtualRuntime
from chaos.virtual.files import make_store
from chaos.virtual.locks import Locks
from chaos.virtual.witness import Witness
from moto.applicationautoscaling.models import applicationautoscaling_backends

from sandbox import world
from sandbox.calls import CallLog
from sandbox.cloud import Cloud
from sandbox.ecs import clusters, lifecycle, scheduler, service_api
from sandbox.ecs.engine import Engine
from sandbox.ecs.model import ACCOUNT, Service, Task
from sandbox.ecs.targets import Targets
from sandbox.faults import Faults
from sandbox.loadbalancer import LoadBalancer
from sandbox.runtime import Runtime
from sandbox.server import Server

TICK = 1.0
_PATIENCE = 900.0
TAG_PREFIX = "wwhd.qdrant_ops:"


class VirtualWorld:
    """`server` answers requests, `advance` lets time pass, `witness` has seen what happened."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self.locks = Locks(clock=self.clock)
        self.witness = Witness(clock=self.clock, locks=self.locks)
        self.runtime = VirtualRuntime(clock=self.clock, locks=self.locks, watcher=self.witness)
        self.witness.runtime = self.runtime
        self.faults = Faults()
        self.cloud = Cloud(efs_root=folder / "efs")
        self.balancer = VirtualBalancer(clock=self.clock, answers=self.runtime.answers)
        targets = Targets(cloud=self.cloud, balancer=cast(LoadBalancer, self.balancer))
        self.engine = Engine(
            clock=self.clock, cloud=self.cloud, runtime=cast(Runtime, self.runtime), targets=targets,
            faults=self.faults, workdir=folder / "run",
        )  # fmt: skip
        self.calls = CallLog(folder / "calls.jsonl")
        self.server = Server(
            engine=self.engine, cloud=self.cloud, calls=self.calls, faults=self.faults, control=lambda verb, body: {}
        )
        # Its port is not needed: requests are handed over as calls.
        self.server.close()

    @property
    def data(self) -> Path:
        """The folder behind the service's access point."""
        return self.cloud.efs_root / world.FILE_SYSTEM / world.ACCESS_POINT_PATH.strip("/")

    @property
    def service(self) -> Service:
        found = self.engine.service(self.engine.cluster(world.REGION, world.CLUSTER), world.SERVICE)
        assert found is not None
        return found

    def seed(self, *, desired: int = 1, deregistration_delay: float | None = None, **service: Any) -> None:
        """The world as new, its service steady; `service` are more of CreateService's parameters."""
        shutil.rmtree(self.cloud.efs_root, ignore_errors=True)
        make_store(self.data)
        group = world.build(self.cloud)
        scaling = applicationautoscaling_backends[ACCOUNT][world.REGION]
        # moto would look for our service in its own ECS, which is empty.
        scaling._ecs_service_exists_for_target = lambda resource: True  # type: ignore[method-assign,assignment]
        clusters.create(self.engine, world.REGION, {"clusterName": world.CLUSTER})
        self.engine.definitions_of(world.REGION).register(world.definition())
        if deregistration_delay is not None:
            self.target_group_attribute(group, "deregistration_delay.timeout_seconds", str(int(deregistration_delay)))
        service_api.create(self.engine, world.REGION, {**world.service(group), "desiredCount": desired, **service})
        self.until(lambda: self.service.steady, "the service is steady")

    def target_group_attribute(self, group: str, name: str, value: str) -> None:
        from moto.elbv2.models import elbv2_backends  # noqa: PLC0415  next to its only use

        elbv2_backends[ACCOUNT][world.REGION].target_groups[group].attributes[name] = value

    def advance(self, seconds: float, *, tick: float = TICK) -> None:
        ends = self.clock.now() + seconds
        while (left := ends - self.clock.now()) > 1e-9:
            self.clock.move(min(tick, left))
            self.settle()

    def settle(self) -> None:
        """Everything that can happen at this moment does."""
        self.runtime.step()
        self.balancer.step()
        self.engine.step()

    def until(self, done: Any, what: str, *, seconds: float = _PATIENCE) -> None:
        """Raises AssertionError if it has not come true after that time."""
        deadline = self.clock.now() + seconds
        while not done():
            assert self.clock.now() < deadline, f"{what}: not within {seconds:.0f} s; {self.told()}"
            self.advance(TICK)

    def told(self) -> str:
        service = self.service
        tasks = [f"{t.id[:6]} {t.last_status}/{t.desired_status} {t.stopped_reason or ''}"
                 for t in self.engine.tasks.values() if not t.over]  # fmt: skip
        return f"desired {service.desired}, steady {service.steady}, tasks {tasks}, {self.engine.trouble[-1:]}"

    def live_tasks(self) -> list[Task]:
        """The service's tasks that have a live process, or will have one."""
        return [task for task in self.engine.tasks_of(self.service) if _may_live(task)]

    def lose_host(self, *, lease: float) -> None:
        """The service's task vanishes with its machine; the file server keeps its locks until the lease ends."""
        task = next(t for t in self.live_tasks() if t.last_status == "RUNNING")
        self.runtime.lose(task.id, lease=lease)
        lifecycle.lose_host(self.engine, task)
        self.settle()

    def break_stale(self, *, lease: float) -> None:
        """Lost host, and the replacement that fails on the locks."""
        before = set(self.engine.tasks)
        self.lose_host(lease=lease)
        self.until(
            lambda: any(t.stop_code == "EssentialContainerExited" for t in self.engine.tasks.values()
                        if t.arn not in before),
            "a task fails on the stale locks",
        )  # fmt: skip

    def raise_count(self, desired: int = 1) -> None:
        """Somebody who is no operator of ours, such as a pipeline, sets the desired count."""
        if self.service.desired != desired:
            scheduler.set_desired(self.engine, self.service, desired)
            self.witness.operator_acts, self.witness.wished_at = False, self.clock.now()

    def drain(self) -> float:
        """The deregistration delay of the service's target group, in seconds."""
        group = str(self.service.load_balancers[0]["targetGroupArn"])
        return self.cloud.target_group(world.REGION, group).delay

    def scaling(self) -> tuple[int, int, dict[str, bool]] | None:
        found = self.cloud.scalable_target(world.REGION, f"service/{world.CLUSTER}/{world.SERVICE}")
        if found is None:
            return None
        switches = {name: bool(found[2].get(name)) for name in SWITCHES}
        return found[0], found[1], switches

    def set_scaling(self, low: int, high: int, switches: dict[str, bool]) -> None:
        backend: Any = applicationautoscaling_backends[ACCOUNT][world.REGION]
        backend.register_scalable_target(
            "ecs", f"service/{world.CLUSTER}/{world.SERVICE}", "ecs:service:DesiredCount", low, high, "", switches
        )

    def tags_left(self) -> list[str]:
        """Our tags on the service."""
        return sorted(name for name in self.service.tags if name.startswith(TAG_PREFIX))

    def close(self) -> None:
        self.locks.close()
        self.engine.reset()


SWITCHES = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")


def _may_live(task: Task) -> bool:
    """Whether it has a live process, or will have one."""
    return any(run.live for run in task.containers) or (task.wanted and not task.over)


@contextmanager
def opened(folder: Path) -> Iterator[VirtualWorld]:
    """A world that needs no ports: two tasks must never be given the same one, and nobody listens on any."""
    ports = itertools.count(20000)
    with ExitStack() as stack:
        stack.enter_context(mock.patch("sandbox.ecs.launch.free_port", lambda: next(ports)))
        made = VirtualWorld(folder)
        stack.callback(made.close)
        yield made


__all__ = ["SWITCHES", "TAG_PREFIX", "TICK", "VirtualWorld", "opened"]
