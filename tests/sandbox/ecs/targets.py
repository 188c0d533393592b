# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks as targets: between ECS's tasks, moto's target groups and the load balancer that really forwards."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox.cloud import Cloud
from sandbox.ecs.model import Service, Task
from sandbox.loadbalancer import HealthCheck, LoadBalancer, TargetHealth


class Targets:
    def __init__(self, *, cloud: Cloud, balancer: LoadBalancer) -> None:
        self._cloud, self._balancer = cloud, balancer
        self._listeners: dict[str, int] = {}

    def listener(self, region: str, group: str) -> int:
        """The port of 127.0.0.1 that forwards to this target group; opened at first use."""
        if group not in self._listeners:
            found = self._cloud.target_group(region, group)
            self._balancer.add_target_group(
                group, port=found.port, health_path=found.health_path, interval=found.interval, timeout=found.timeout,
                healthy=found.healthy, unhealthy=found.unhealthy, matcher=found.matcher,
                deregistration_delay=found.delay,
            )  # fmt: skip
            self._listeners[group] = self._balancer.add_listener(group)
        return self._listeners[group]

    def known(self, group: str) -> bool:
        return group in self._listeners

    def _take_over(self, region: str, group: str) -> None:
        """ModifyTargetGroup works on targets that are registered already."""
        now = self._cloud.target_group(region, group)
        self._balancer.set_health_check(
            group, HealthCheck(now.health_path, now.interval, now.timeout, now.healthy, now.unhealthy, now.matcher)
        )

    def register(self, service: Service, task: Task) -> None:
        for entry in service.load_balancers:
            group, port = str(entry["targetGroupArn"]), int(entry["containerPort"])
            if port in task.ports:
                self.listener(service.region, group)
                self._balancer.register(
                    group, target_id=task.network.address, target_port=port, address=("127.0.0.1", task.ports[port])
                )
                task.registered.append((group, port))

    def deregister(self, task: Task) -> float:
        """Takes the task out of its groups. Returns how many AWS seconds its targets go on draining."""
        longest = 0.0
        for group, port in task.registered:
            delay = self._cloud.target_group(task.region, group).delay
            self._balancer.set_deregistration_delay(group, delay)
            self._balancer.deregister(group, target_id=task.network.address, target_port=port)
            longest = max(longest, delay)
        return longest

    def states(self, task: Task) -> list[str]:
        """The states of the task's targets, one a group."""
        found = []
        for group, port in task.registered:
            self._take_over(task.region, group)
            state = [
                target.state
                for target in self._balancer.targets(group)
                if (target.target_id, target.target_port) == (task.network.address, port)
            ]
            found.append(state[-1] if state else "unused")
        return found

    def health(self, group: str) -> list[TargetHealth]:
        return self._balancer.targets(group)

    def drop(self, tasks: Iterable[Task]) -> None:
        """Deregisters at once, without a delay: for a world that is being reset."""
        for task in tasks:
            for group, port in task.registered:
                address = task.network.address
                self._balancer.set_deregistration_delay(group, 0)
                self._balancer.deregister(group, target_id=address, target_port=port)
                if any(t.target_id == address for t in self._balancer.targets(group)):
                    # It drains already, with the delay of that time: a new registration ends that.
                    self._balancer.register(
                        group, target_id=address, target_port=port, address=("127.0.0.1", task.ports[port])
                    )
                    self._balancer.deregister(group, target_id=address, target_port=port)


__all__ = ["Targets"]
