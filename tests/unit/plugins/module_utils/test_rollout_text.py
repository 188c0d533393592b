"""A deployment in sentences: what is new since the last look, for whoever watches."""

from __future__ import annotations

from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.rollout import Goal, Look
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.rollout_text import changes
from ansible_collections.wwhd.qdrant_ops.tests.unit.aws_world import GROUP, task

ID = "ecs-svc/1"
GOAL = Goal(ID, 1, 3)


def look(*, running: int = 0, pending: int = 0, state: str = "IN_PROGRESS", **more: Any) -> Look:
    own = {"id": ID, "status": "PRIMARY", "rolloutState": state, "pendingCount": pending, "failedTasks": 0}
    return Look({"status": "ACTIVE", "desiredCount": 1, "runningCount": running, "deployments": [own]}, **more)


def targets(state: str) -> list[dict[str, Any]]:
    return [{"target_group_arn": GROUP, "targets": [{"id": "10.0.0.2", "port": 8000, "state": state}]}]


def new(before: Look | None, after: Look) -> list[str]:
    return list(changes(before, after, GOAL))


def test_the_first_look_says_where_it_stands() -> None:
    assert new(None, look()) == [f"Deployment {ID}: rollout IN_PROGRESS, running 0 of 1."]


def test_nothing_new_is_not_said_again() -> None:
    same = look(running=1, targets=targets("healthy"), old=[task(1)], said=("x",))
    assert new(same, same) == []


def test_each_change_is_one_sentence() -> None:
    before = look(pending=1, said=("one",))
    after = look(running=1, state="COMPLETED", said=("one", "two"), targets=targets("initial"))
    assert new(before, after) == [
        "ECS says: two",
        f"Deployment {ID}: rollout COMPLETED, running 1 of 1.",
        "Load balancer: target 10.0.0.2:8000 of wwhd-backend is initial.",
    ]
    assert new(after, look(running=1, state="COMPLETED", said=("one", "two"), targets=targets("healthy"))) == [
        "Load balancer: target 10.0.0.2:8000 of wwhd-backend is healthy."
    ]


def test_stages_and_pauses_are_said() -> None:
    stages = {"serviceDeploymentArn": "arn:x", "status": "IN_PROGRESS", "lifecycleStage": "SCALE_UP"}
    assert new(look(), look(service_deployment=stages)) == ["Service deployment IN_PROGRESS, stage SCALE_UP."]
    paused = {**stages, "lifecycleHookDetails": [{"hookId": "h", "status": "AWAITING_ACTION"}]}
    (said,) = new(look(service_deployment=stages), look(service_deployment=paused))
    assert said.startswith("It is paused at the lifecycle stage SCALE_UP")
    assert "--hook-id h" in said


def test_old_tasks_are_said_until_the_last_has_ended() -> None:
    ending = task(1, last="STOPPING", desired="STOPPED")
    (said,) = new(look(), look(old=[ending]))
    assert said.startswith("Tasks of the deployments before that may still have a process: ")
    assert "(STOPPING, desired STOPPED" in said
    assert new(look(old=[ending]), look(old=[])) == ["Every task of the deployments before has ended."]
