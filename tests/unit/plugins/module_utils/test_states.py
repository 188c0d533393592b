"""The lines that an operator sees of a wait, and that nothing in them changes unless something has changed."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.states import (
    deployment_line,
    missing_lines,
    service_line,
    target_lines,
    task_line,
    task_lines,
)

ARN = "arn:aws:ecs:us-west-2:018025611404:task/wwhd-cluster/0cb1"
DEFINITION = "arn:aws:ecs:us-west-2:018025611404:task-definition/migrate:3"


def task(status: str, *, desired: str = "RUNNING", **more: Any) -> dict[str, Any]:
    return {
        "taskArn": ARN,
        "taskDefinitionArn": DEFINITION,
        "lastStatus": status,
        "desiredStatus": desired,
        "containers": [{"name": "app", "lastStatus": status}],
        **more,
    }


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (task("PENDING"), "PENDING"),
        (task("RUNNING", healthStatus="UNKNOWN"), "RUNNING"),
        (task("RUNNING", healthStatus="UNHEALTHY"), "RUNNING, UNHEALTHY"),
        (task("DEACTIVATING", desired="STOPPED"), "DEACTIVATING, to be stopped"),
        (
            task(
                "STOPPED",
                desired="STOPPED",
                containers=[{"name": "app", "exitCode": 0}],
                stoppedReason="Essential container in task exited",
            ),
            "STOPPED, app ended with exit code 0",
        ),
        (
            task(
                "STOPPED",
                desired="STOPPED",
                containers=[{"name": "app", "exitCode": 3}, {"name": "side"}],
                stoppedReason="Essential container in task exited",
            ),
            "STOPPED, app ended with exit code 3, Essential container in task exited",
        ),
        (
            task("STOPPED", desired="STOPPED", containers=[], stoppedReason="CannotPullContainerError: no such image"),
            "STOPPED, CannotPullContainerError: no such image",
        ),
    ],
)
def test_a_task(given: dict[str, Any], line: str) -> None:
    assert task_line(given) == f"task 0cb1 (migrate:3): {line}"


def test_a_replayed_task_may_have_no_definition() -> None:
    assert task_line({"taskArn": ARN, "lastStatus": "STOPPED"}) == "task 0cb1: STOPPED"


def test_many_tasks_are_counted() -> None:
    assert len(task_lines([task("PENDING")] * 5)) == 5
    assert task_lines([task("PENDING")] * 2 + [task("RUNNING")] * 5) == ["7 tasks: 2 PENDING, 5 RUNNING"]
    assert task_lines([]) == []


def test_tasks_that_ecs_does_not_know() -> None:
    assert missing_lines(["0cb1"]) == ["task 0cb1: not known to ECS yet"]
    assert missing_lines(list("abcdef")) == ["6 tasks are not known to ECS yet"]


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"rolloutState": "IN_PROGRESS", "desiredCount": 1}, "IN_PROGRESS, 0 of 1 running"),
        (
            {"rolloutState": "IN_PROGRESS", "desiredCount": 2, "runningCount": 1, "pendingCount": 1, "failedTasks": 2},
            "IN_PROGRESS, 1 of 2 running, 1 pending, 2 failed",
        ),
        (
            {"rolloutState": "FAILED", "rolloutStateReason": "tasks failed to start.", "desiredCount": 1},
            "FAILED, 0 of 1 running, tasks failed to start.",
        ),
        ({"status": "PRIMARY", "desiredCount": 1, "runningCount": 1}, "PRIMARY, 1 of 1 running"),
        (None, "not listed by ECS"),
    ],
)
def test_a_deployment(given: dict[str, Any] | None, line: str) -> None:
    assert deployment_line(given, deployment_id="ecs-svc/1") == f"deployment ecs-svc/1: {line}"


def test_a_service() -> None:
    counts = {"serviceName": "wwhd-backend", "desiredCount": 0, "runningCount": 1, "pendingCount": 0}
    assert service_line({**counts, "status": "ACTIVE"}) == "service wwhd-backend: 1 of 0 running"
    assert service_line({**counts, "status": "DRAINING"}) == "service wwhd-backend: DRAINING, 1 of 0 running"


def test_targets() -> None:
    groups = [
        {
            "targets": [
                {"id": "10.20.0.3", "port": 8000, "state": "initial", "reason": "Elb.RegistrationInProgress"},
                {"id": "10.20.0.4", "port": 8000, "state": "healthy", "reason": None},
            ]
        },
        {"problem": "target group x does not exist", "targets": []},
    ]
    assert target_lines(groups) == [
        "target 10.20.0.3:8000: initial (Elb.RegistrationInProgress)",
        "target 10.20.0.4:8000: healthy",
    ]
