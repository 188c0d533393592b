# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A load balancer of this machine that forwards and has AWS's target states."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TargetHealth:
    """One target as DescribeTargetHealth tells it; ``reason`` is empty when healthy."""

    target_id: str
    target_port: int
    state: str
    reason: str
    description: str


class LoadBalancer:
    def __init__(self, *, speed: float) -> None:
        raise NotImplementedError

    def add_target_group(
        self, arn: str, *, port: int, health_path: str, interval: float, timeout: float, healthy: int,
        unhealthy: int, matcher: str, deregistration_delay: float,
    ) -> None:  # fmt: skip
        raise NotImplementedError

    def set_deregistration_delay(self, arn: str, seconds: float) -> None:
        raise NotImplementedError

    def add_listener(self, target_group_arn: str) -> int:
        raise NotImplementedError

    def register(self, arn: str, *, target_id: str, target_port: int, address: tuple[str, int]) -> None:
        raise NotImplementedError

    def deregister(self, arn: str, *, target_id: str, target_port: int) -> None:
        raise NotImplementedError

    def targets(self, arn: str) -> list[TargetHealth]:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


__all__ = ["LoadBalancer", "TargetHealth"]
