# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts of one service for the diagnosis, as ecs_service_info collects them: a service, its tasks, their last words."""

from __future__ import annotations

from typing import Any

__all__ = [
    "CAPACITY", "EFS", "EXITED", "LOGS", "NO_ROUTE", "PANIC", "PAUSE", "PULL", "ROLE", "down", "ended", "facts", "live",
    "service",
]  # fmt: skip

PANIC = (
    'Panic occurred: Failed to load local shard "./storage/collections/X/0": Service internal error: RocksDB open '
    "error: IO error: While lock file: ./storage/X/0/segments/U/LOCK: Resource temporarily unavailable"
)
EXITED = "Essential container in task exited"
EFS = (
    "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: "
    "b'mount.nfs4: Connection timed out' : unsuccessful EFS utils command execution; code: 32"
)
LOGS = (
    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to "
    "create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1"
)
PULL = (
    "CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref "
    "docker.io/library/X:latest: not found"
)
NO_ROUTE = "CannotPullContainerError: ref pull has been retried 1 time(s): dial tcp 1.2.3.4:443: i/o timeout"
CAPACITY = "(service X) was unable to place a task. Reason: Capacity is unavailable at this time. Try again"
PAUSE = {"text": "it is paused", "advice": "Let it go on by 'aws ecs continue-service-deployment'."}
ROLE = "ECS was unable to assume the role 'arn:aws:iam::018025611404:role/x' that was provided for this task."


def service(**changes: Any) -> dict[str, Any]:
    deployment = {"id": "ecs-svc/1", "status": "PRIMARY", "rollout_state": "COMPLETED", "failed_tasks": 0}
    base = {"status": "ACTIVE", "desired_count": 1, "running_count": 1, "pending_count": 0, "deployments": [deployment]}
    return {**base, **changes}


def down(**deployment: Any) -> dict[str, Any]:
    changed = {"id": "ecs-svc/1", "status": "PRIMARY", "rollout_state": "IN_PROGRESS", "failed_tasks": 0, **deployment}
    return service(running_count=0, deployments=[changed])


def ended(
    code: str = "EssentialContainerExited",
    reason: str | None = EXITED,
    *,
    exits: int | None = 1,
    because: str | None = None,
    logs: list[str] | None = None,
    started_by: str = "ecs-svc/1",
    **changes: Any,
) -> dict[str, Any]:
    container = {"name": "qdrant", "last_status": "STOPPED", "exit_code": exits, "reason": because, "logs": logs or []}
    return {
        "task_arn": "arn:aws:ecs:us-west-2:018025611404:task/c/abc",
        "gone": True,
        "desired_status": "STOPPED",
        "last_status": "STOPPED",
        "stop_code": code,
        "stopped_reason": reason,
        "hint": "a narrower hint.",
        "started_by": started_by,
        "containers": [container],
        **changes,
    }


def live(*, ended_container: bool = False, **changes: Any) -> dict[str, Any]:
    status = "STOPPED" if ended_container else "RUNNING"
    container = {"name": "qdrant", "last_status": status, "exit_code": None, "reason": None}
    task = ended(**changes)
    return {
        **task,
        "gone": False,
        "desired_status": "RUNNING",
        "last_status": "RUNNING",
        "started_at": "2026-11-23T14:00:00Z",
        "stop_code": None,
        "stopped_reason": None,
        "hint": None,
        "containers": [container],
    }


def facts(state: dict[str, Any], *tasks: dict[str, Any], events: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return {
        "service": state,
        "tasks": list(tasks),
        "events": [{"message": message} for message in events],
        "essential": {"qdrant"},
        "target_problems": [],
        **more,
    }
