# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks: their states in order, how they end, and what RunTask refuses."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

UNKNOWN_GROUP = {"awsvpcConfiguration": {"subnets": ["subnet-677d281e"], "securityGroups": ["sg-0"]}}
pytestmark = pytest.mark.sandbox_service("stopped")
ORDER = ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED"]


def test_a_task_passes_its_states_in_order_and_keeps_its_times(world: Any) -> None:
    # Slow enough for a client on a busy machine to see each state.
    world.sandbox.control(
        "settings", provisioning=20, pending=20, pulling=20, starting=5, stopping=20, deprovisioning=30
    )
    arn = world.run_one(
        world.register(script="sleep 0.5; echo done"), startedBy="me", tags=[{"key": "a", "value": "b"}]
    )
    seen: list[str] = []

    def over() -> bool:
        state = world.task(arn)["lastStatus"]
        if not seen or seen[-1] != state:
            seen.append(state)
        return bool(state == "STOPPED")

    world.until(over, "STOPPED")
    assert seen == [state for state in ORDER if state != "DEACTIVATING"]
    task = world.ecs.describe_tasks(cluster="wwhd-cluster", tasks=[arn], include=["TAGS"])["tasks"][0]
    order = ["createdAt", "connectivityAt", "pullStartedAt", "pullStoppedAt", "startedAt", "stoppingAt",
             "executionStoppedAt", "stoppedAt"]  # fmt: skip
    times = [task[name] for name in order]
    assert times == sorted(times)
    assert (task["stopCode"], task["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert task["containers"][0]["exitCode"] == 0
    assert task["startedBy"] == "me"
    assert task["group"] == "family:one-off"
    assert task["tags"] == [{"key": "a", "value": "b"}]
    assert task["platformVersion"] == "1.4.0"
    details = {item["name"]: item["value"] for item in task["attachments"][0]["details"]}
    assert details["privateIPv4Address"].startswith("10.20.")


def test_the_container_is_stopped_before_its_task(world: Any) -> None:
    world.sandbox.control("settings", deprovisioning=120)
    arn = world.run_one(world.register(script="exit 7"))
    world.until(lambda: world.task(arn)["containers"][0]["lastStatus"] == "STOPPED", "container STOPPED")
    task = world.task(arn)
    assert task["containers"][0]["exitCode"] == 7
    assert task["lastStatus"] in ("STOPPING", "DEPROVISIONING")
    assert task["desiredStatus"] == "STOPPED"


def test_stop_task_sends_sigterm_and_moves_the_task_to_the_stopped_list(world: Any) -> None:
    arn = world.run_one(world.register(script="trap 'echo asked; exit 3' TERM; echo up; while :; do sleep 0.05; done"))
    world.until(lambda: world.task(arn)["lastStatus"] == "RUNNING", "RUNNING")
    world.until(lambda: lines(world, arn) == ["up"], "first line")
    told = world.ecs.stop_task(cluster="wwhd-cluster", task=arn, reason="enough")["task"]
    assert (told["lastStatus"], told["desiredStatus"]) == ("RUNNING", "STOPPED")
    assert arn not in world.ecs.list_tasks(cluster="wwhd-cluster", family="one-off")["taskArns"]
    stopped = world.ecs.list_tasks(cluster="wwhd-cluster", family="one-off", desiredStatus="STOPPED")["taskArns"]
    assert stopped == [arn]
    task = world.until_stopped(arn)
    assert (task["stopCode"], task["stoppedReason"]) == ("UserInitiated", "enough")
    assert task["containers"][0]["exitCode"] == 3


def test_a_process_that_ignores_sigterm_is_killed_after_its_stop_timeout(world: Any) -> None:
    definition = world.register(script="trap '' TERM; while :; do sleep 0.05; done", container={"stopTimeout": 20})
    arn = world.run_one(definition)
    world.until(lambda: world.task(arn)["lastStatus"] == "RUNNING", "RUNNING")
    world.ecs.stop_task(cluster="wwhd-cluster", task=arn)
    assert world.until_stopped(arn)["containers"][0]["exitCode"] == 137


def lines(world: Any, arn: str) -> list[str]:
    logs = world.sandbox.boto3("logs")
    stream = f"one-off/main/{arn.rsplit('/', 1)[1]}"
    try:
        events = logs.get_log_events(logGroupName="/ecs/wwhd-backend", logStreamName=stream, startFromHead=True)[
            "events"
        ]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [event["message"] for event in events]


def test_output_arrives_in_cloudwatch_and_the_stream_begins_with_the_container(world: Any) -> None:
    arn = world.run_one(world.register(script="echo one; echo two >&2; echo three"))
    logs = world.sandbox.boto3("logs")
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.get_log_events(logGroupName="/ecs/wwhd-backend", logStreamName=f"one-off/main/{arn.rsplit('/', 1)[1]}")
    world.until_stopped(arn)
    assert world.until(lambda: len(lines(world, arn)) == 3, "three lines")
    assert set(lines(world, arn)) == {"one", "two", "three"}


@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"count": 11}, "InvalidParameterException", "count"),
        ({"networkConfiguration": {}}, "InvalidParameterException", "Network Configuration must be provided"),
        ({"cluster": "nowhere"}, "ClusterNotFoundException", "Cluster not found."),
        ({"taskDefinition": "unknown"}, "ClientException", "TaskDefinition not found."),
        ({"launchType": "MOON"}, "InvalidParameterException", "Value 'MOON' at 'launchType' failed"),
        ({"startedBy": "a b"}, "InvalidParameterException", "startedBy"),
        ({"propagateTags": "SERVICE"}, "InvalidParameterException", "propagated"),
        (
            {"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]},
            "InvalidParameterException",
            "both a launch type and capacity provider strategy",
        ),
        (
            {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-0"]}}},
            "InvalidParameterException",
            "Error retrieving subnet information for [subnet-0]: The subnet ID 'subnet-0' does not exist",
        ),
        (
            {"networkConfiguration": UNKNOWN_GROUP},
            "InvalidParameterException",
            "The security group 'sg-0' does not exist",
        ),
    ],
)  # fmt: skip
def test_run_task_refuses(world: Any, changes: dict[str, Any], code: str, text: str) -> None:
    definition = world.register()
    with pytest.raises(ClientError) as caught:
        world.run(changes.pop("taskDefinition", definition), **changes)
    assert caught.value.response["Error"]["Code"] == code
    assert text in caught.value.response["Error"]["Message"]


def test_run_task_refuses_a_role_that_is_not_there_and_an_inactive_definition(world: Any) -> None:
    unknown = world.register("roleless", taskRoleArn="arn:aws:iam::018025611404:role/nobody")
    with pytest.raises(ClientError, match="ECS was unable to assume the role 'arn:aws:iam::018025611404:role/nobody'"):
        world.run(unknown)
    gone = world.register("gone")
    world.ecs.deregister_task_definition(taskDefinition=gone)
    with pytest.raises(ClientError, match="TaskDefinition is inactive"):
        world.run(gone)


def test_the_same_token_gives_the_same_task_and_other_parameters_conflict(world: Any) -> None:
    definition = world.register(script="sleep 60")
    first = world.run_one(definition, clientToken="run-1")
    assert world.run_one(definition, clientToken="run-1") == first
    with pytest.raises(ClientError) as caught:
        world.run(definition, clientToken="run-1", startedBy="other")
    assert caught.value.response["Error"]["Code"] == "ConflictException"
    assert caught.value.response["resourceIds"] == [first]
    world.ecs.stop_task(cluster="wwhd-cluster", task=first)
    world.until_stopped(first)
    replay = world.run(definition, clientToken="run-1")["tasks"][0]
    assert replay == {"taskArn": first, "lastStatus": "STOPPED", "desiredStatus": "STOPPED"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image": "nobody/nothing:1"}, "CannotPullContainerError: pull image manifest has been retried"),
        ({"log_group": "/ecs/none"}, "The specified log group does not exist."),
        ({"volume": {"fileSystemId": "fs-00000000000000000"}}, "Failed to resolve \"fs-00000000000000000.efs.us-west"),
        ({"volume": {"rootDirectory": "/none"}}, ":/none failed, reason given by server: No such file"),
        ({"volume": {"authorizationConfig": {"accessPointId": "fsap-00000000000000000"}}}, "access denied by server"),
        ({"command": ["/no/such/binary"]}, "no such file or directory"),
    ],
)  # fmt: skip
def test_a_task_that_cannot_start_says_why(world: Any, changes: dict[str, Any], reason: str) -> None:
    more: dict[str, Any] = world.with_volume(**changes["volume"]) if "volume" in changes else {}
    container = more.setdefault("container", {})
    if "image" in changes:
        container["image"] = changes["image"]
    if "command" in changes:
        container["command"] = changes["command"]
    if "log_group" in changes:
        options = {"awslogs-group": changes["log_group"], "awslogs-region": "us-west-2", "awslogs-stream-prefix": "x"}
        container["logConfiguration"] = {"logDriver": "awslogs", "options": options}
    task = world.until_stopped(world.run_one(world.register(**more)))
    assert task["stopCode"] == "TaskFailedToStart"
    assert reason in task["stoppedReason"]
    assert "startedAt" not in task
    assert "exitCode" not in task["containers"][0]


def test_overrides_reach_the_container(world: Any) -> None:
    override = {
        "name": "main",
        "command": ["sh", "-c", "echo $WORD"],
        "environment": [{"name": "WORD", "value": "hello"}],
    }
    arn = world.run_one(world.register(), overrides={"containerOverrides": [override]})
    assert world.until_stopped(arn)["containers"][0]["exitCode"] == 0
    world.until(lambda: lines(world, arn) == ["hello"], "the override's output")


def test_describe_tasks_tells_absence_in_failures(world: Any) -> None:
    with pytest.raises(ClientError, match=r"Tasks cannot be empty\."):
        world.ecs.describe_tasks(cluster="wwhd-cluster", tasks=[])
    answer = world.ecs.describe_tasks(cluster="wwhd-cluster", tasks=["0" * 32])
    assert answer["tasks"] == []
    assert answer["failures"][0]["reason"] == "MISSING"
    with pytest.raises(ClientError, match="referenced task was not found"):
        world.ecs.stop_task(cluster="wwhd-cluster", task="0" * 32)


def test_list_tasks_pages_and_refuses_filters_that_exclude_each_other(world: Any) -> None:
    arns = sorted(world.run_one(world.register(script="sleep 60")) for _turn in range(5))
    pages = world.ecs.get_paginator("list_tasks").paginate(
        cluster="wwhd-cluster", family="one-off", PaginationConfig={"PageSize": 2}
    )
    got = [page["taskArns"] for page in pages]
    assert [len(page) for page in got] == [2, 2, 1]
    assert sorted(arn for page in got for arn in page) == arns
    for filters in ({"startedBy": "x", "family": "y"}, {"serviceName": "wwhd-backend", "family": "y"}):
        with pytest.raises(ClientError, match="with other arguments"):
            world.ecs.list_tasks(cluster="wwhd-cluster", **filters)


def test_stopped_tasks_are_forgotten_after_their_hour(world: Any) -> None:
    world.sandbox.control("settings", stopped_kept=20, deprovisioning=1)
    arn = world.run_one(world.register())
    world.until(lambda: world.ecs.describe_tasks(cluster="wwhd-cluster", tasks=[arn])["failures"], "MISSING")


def test_botocores_waiters_see_what_they_see_on_aws(world: Any) -> None:
    quick = {"Delay": 1, "MaxAttempts": 20}
    arn = world.run_one(world.register(script="sleep 60"))
    world.ecs.get_waiter("tasks_running").wait(cluster="wwhd-cluster", tasks=[arn], WaiterConfig=quick)
    world.ecs.stop_task(cluster="wwhd-cluster", task=arn)
    world.ecs.get_waiter("tasks_stopped").wait(cluster="wwhd-cluster", tasks=[arn], WaiterConfig=quick)
    with pytest.raises(WaiterError):
        world.ecs.get_waiter("tasks_running").wait(cluster="wwhd-cluster", tasks=[arn], WaiterConfig=quick)
