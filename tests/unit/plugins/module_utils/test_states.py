"""The lines that an operator sees of a wait, and that nothing in them changes unless something has changed."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.states import (
    missing_lines,
    service_line,
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


def test_a_service() -> None:
    counts = {"serviceName": "wwhd-backend", "desiredCount": 0, "runningCount": 1, "pendingCount": 0}
    assert service_line({**counts, "status": "ACTIVE"}) == "service wwhd-backend: 1 of 0 running"
    assert service_line({**counts, "status": "DRAINING"}) == "service wwhd-backend: DRAINING, 1 of 0 running"
