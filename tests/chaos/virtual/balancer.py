# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A load balancer without sockets: its targets are as healthy as the containers behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.clock import Clock
from sandbox.loadbalancer import HealthCheck, TargetHealth

_INITIAL = ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
_UNHEALTHY = ("unhealthy", "Target.FailedHealthChecks", "Health checks failed")
_DRAINING = ("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")


@dataclass
class _Target:
    identity: tuple[str, int]
    port: int
    next_check: float
    state: tuple[str, str, str] = _INITIAL
    passed: int = 0
    failed: int = 0
    gone_at: float | None = None


@dataclass
class _Group:
    interval: float
    healthy: int
    unhealthy: int
    delay: float
    targets: list[_Target] = field(default_factory=list)


class VirtualBalancer:
    """The part of `sandbox.loadbalancer.LoadBalancer` that the sandbox's `Targets` uses."""

    def __init__(self, *, clock: Clock, answers: Callable[[int], bool]) -> None:
        """`answers` tells whether the container behind a host port passes its health check now."""
        self._clock, self._answers = clock, answers
        self._groups: dict[str, _Group] = {}

    def add_target_group(self, arn: str, *, interval: float, healthy: int, unhealthy: int,
                         deregistration_delay: float, **_others: object) -> None:  # fmt: skip
        self._groups[arn] = _Group(interval, healthy, unhealthy, deregistration_delay)

    def set_health_check(self, arn: str, check: HealthCheck) -> None:
        group = self._groups[arn]
        group.interval, group.healthy, group.unhealthy = check.interval, check.healthy, check.unhealthy

    def add_listener(self, target_group_arn: str) -> int:
        return list(self._groups).index(target_group_arn) + 1

    def set_deregistration_delay(self, arn: str, seconds: float) -> None:
        self._groups[arn].delay = seconds

    def register(self, arn: str, *, target_id: str, target_port: int, address: tuple[str, int]) -> None:
        group = self._groups[arn]
        group.targets.append(_Target((target_id, target_port), address[1], self._clock.now() + group.interval / 2))

    def deregister(self, arn: str, *, target_id: str, target_port: int) -> None:
        group = self._groups[arn]
        for target in group.targets:
            if target.identity == (target_id, target_port) and target.gone_at is None:
                target.gone_at = self._clock.now() + group.delay
                target.state = _DRAINING
        self._drop(group)

    def targets(self, arn: str) -> list[TargetHealth]:
        group = self._groups[arn]
        self._drop(group)
        return [TargetHealth(*target.identity, *target.state) for target in group.targets]

    def step(self) -> None:
        """Every check that is due by now."""
        for group in self._groups.values():
            self._drop(group)
            for target in group.targets:
                while target.gone_at is None and self._clock.now() >= target.next_check:
                    target.next_check += group.interval
                    self._check(group, target)

    def _check(self, group: _Group, target: _Target) -> None:
        if self._answers(target.port):
            target.passed, target.failed = target.passed + 1, 0
            if target.passed >= group.healthy:
                target.state = ("healthy", "", "")
        else:
            target.passed, target.failed = 0, target.failed + 1
            if target.failed >= group.unhealthy:
                target.state = _UNHEALTHY

    def _drop(self, group: _Group) -> None:
        now = self._clock.now()
        group.targets = [one for one in group.targets if one.gone_at is None or now < one.gone_at]


__all__ = ["VirtualBalancer"]
