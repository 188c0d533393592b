# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read before an unlock of one service, and the plan that comes of it."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.owner import (
    AUTOSCALING,
    DESIRED_COUNT,
    new_claim,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.plan import make_plan

__all__ = ["HEALTHY", "INFO", "NOW", "OLD", "OPTIONS", "VOLUME", "claimed", "info", "plan"]

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
VOLUME = {
    "name": "data",
    "file_system_id": "fs-1",
    "access_point_id": "fsap-1",
    "root_directory": "/",
    "transit_encryption": "ENABLED",
    "iam": True,
    "containers": [
        {"name": "qdrant", "image": "qdrant/qdrant:v1.7.4", "container_path": "/qdrant/storage", "read_only": False}
    ],
}
INFO: dict[str, Any] = {
    "service": {
        "service_name": "backend",
        "service_arn": "arn:aws:ecs:us-west-2:1:service/c/backend",
        "status": "ACTIVE",
        "desired_count": 1,
        "scheduling_strategy": "REPLICA",
        "tags": {},
    },
    "task_definition": {"execution_role_arn": "arn:aws:iam::1:role/exec", "task_role_arn": "arn:aws:iam::1:role/task"},
    "volumes": [VOLUME],
    "network": {"subnets": ["subnet-1"], "security_groups": ["sg-1"], "assign_public_ip": True},
    "log_configurations": {"qdrant": {"group": "/ecs/backend", "prefix": "ecs", "region": "us-west-2"}},
    "tasks": [],
    "autoscaling": None,
    "healthy": False,
    "unhealthy_because": ["0 of 1 tasks run"],
}
OPTIONS: dict[str, Any] = {
    "region": "us-west-2",
    "cluster": "c",
    "service": "backend",
    "image": "alpine:3.20",
    "family": "clear-qdrant-locks",
    "cpu": 256,
    "memory": 512,
    "lock_patterns": ["LOCK", "*.lock"],
    "scan_path": "/",
    "held_locks": "wait",
    "held_timeout": 180,
    "when": "needed",
    "mode": "unlock",
}


def info(**changes: Any) -> dict[str, Any]:
    result = copy.deepcopy(INFO)
    service = changes.pop("service", {})
    result.update(changes)
    result["service"].update(service)
    return result


def plan(
    read: dict[str, Any] | None = None,
    *,
    health: dict[str, Any] | None = None,
    collections: dict[str, Any] | None = None,
    **options: Any,
) -> dict[str, Any]:
    return make_plan(
        read or info(),
        options={**OPTIONS, **options},
        health=health,
        collections=collections,
        script="#!/bin/sh",
        environment="dev",
        owner="ann@box/1",
        controller={"pid": 1, "place": "0"},
        run_id="unlock-new",
        now=NOW,
    )


HEALTHY = {"healthy": True, "unhealthy_because": []}
OLD = "unlock-20261123T110000Z-aaaaaa"


def claimed(owner: str = "ann@box/2", count: int = 1, name: str = OLD) -> dict[str, str]:
    claim = new_claim(claim_id=name, owner=owner, now=NOW, lease_seconds=600)
    return {
        claim.key: claim.value,
        DESIRED_COUNT: str(count),
        AUTOSCALING: "min=1 max=3 in=false out=true scheduled=false",
    }
