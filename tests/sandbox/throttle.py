# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ECS's token buckets (per account and region), for tests that want the real rates."""

from __future__ import annotations

import threading

from sandbox.clock import Clock

# (capacity, refill per AWS second), facts D.1; "Modify" and "Read" of each noun.
_RATES = {
    "cluster-resource-modify": (100, 40),
    "cluster-resource-read": (100, 20),
    "service-modify": (50, 5),
    "service-read": (100, 20),
    "definition-modify": (20, 1),
    "definition-read": (50, 20),
    "definition-delete": (5, 1),
    "protection": (200, 80),
    "cluster-modify": (20, 1),
    "cluster-read": (50, 20),
    "tag-modify": (20, 10),
    "tag-read": (50, 20),
}
_BUCKETS = {
    "RunTask": "cluster-resource-modify", "StopTask": "cluster-resource-modify", "StartTask": "cluster-resource-modify",
    "DescribeTasks": "cluster-resource-read", "ListTasks": "cluster-resource-read",
    "CreateService": "service-modify", "UpdateService": "service-modify", "DeleteService": "service-modify",
    "DescribeServices": "service-read", "ListServices": "service-read",
    "RegisterTaskDefinition": "definition-modify", "DeregisterTaskDefinition": "definition-modify",
    "DeleteTaskDefinitions": "definition-delete",
    "DescribeTaskDefinition": "definition-read", "ListTaskDefinitions": "definition-read",
    "ListTaskDefinitionFamilies": "definition-read",
    "UpdateTaskProtection": "protection", "GetTaskProtection": "protection",
    "CreateCluster": "cluster-modify", "DeleteCluster": "cluster-modify", "UpdateCluster": "cluster-modify",
    "DescribeClusters": "cluster-read", "ListClusters": "cluster-read",
    "TagResource": "tag-modify", "UntagResource": "tag-modify", "ListTagsForResource": "tag-read",
}  # fmt: skip


class Buckets:
    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._level: dict[str, tuple[float, float]] = {}

    def take(self, service: str, operation: str, *, refill_factor: float = 1.0) -> bool:
        """Whether the call may pass; only ECS has buckets here. They fill `refill_factor` times as fast as AWS's."""
        name = _BUCKETS.get(operation) if service == "ecs" else None
        if name is None:
            return True
        capacity, refill = _RATES[name]
        now = self._clock.now()
        with self._lock:
            level, since = self._level.get(name, (float(capacity), now))
            level = min(float(capacity), level + (now - since) * refill * refill_factor)
            passed = level >= 1
            self._level[name] = (level - 1 if passed else level, now)
        return passed


__all__ = ["Buckets"]
