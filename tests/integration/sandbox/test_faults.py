# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults on order, and the log that tells of every call."""

from __future__ import annotations

import contextlib
from typing import Any

import botocore.exceptions
import pytest
from botocore.exceptions import ClientError

from sandbox.calls import writes
from sandbox.client import SandboxError

pytestmark = pytest.mark.sandbox_service("stopped")
CLUSTER = "wwhd-cluster"
ECR = "018025611404.dkr.ecr.us-west-2.amazonaws.com/alpine:3.20"
ONCE = {"retries": {"total_max_attempts": 1}}


def test_every_call_is_logged_in_order(world: Any) -> None:
    world.ecs.describe_services(cluster=CLUSTER, services=["wwhd-backend"])
    world.sandbox.boto3("sts").get_caller_identity()
    world.sandbox.boto3("elbv2").describe_target_groups(Names=["wwhd-backend"])
    world.sandbox.boto3("efs").describe_mount_targets(FileSystemId="fs-00b8168893587fd61")
    world.sandbox.boto3("ec2").describe_subnets(SubnetIds=["subnet-677d281e"])
    world.sandbox.boto3("iam").get_role(RoleName="wwhd-dev-ecs-task-role")
    with pytest.raises(ClientError):
        world.update("none", desiredCount=0)
    calls = world.sandbox.calls()
    assert [call["n"] for call in calls] == list(range(1, 8))
    assert [(call["service"], call["operation"]) for call in calls] == [
        ("ecs", "DescribeServices"), ("sts", "GetCallerIdentity"), ("elbv2", "DescribeTargetGroups"),
        ("efs", "DescribeMountTargets"), ("ec2", "DescribeSubnets"), ("iam", "GetRole"), ("ecs", "UpdateService"),
    ]  # fmt: skip
    assert [call["writes"] for call in calls] == [False] * 6 + [True]
    assert calls[0]["params"] == {"cluster": CLUSTER, "services": ["wwhd-backend"]}
    assert calls[3]["params"] == {"FileSystemId": "fs-00b8168893587fd61"}
    assert (calls[0]["status"], calls[0]["error"]) == (200, None)
    assert (calls[6]["status"], calls[6]["error"]) == (400, "ServiceNotFoundException")
    assert "Boto3" in calls[0]["user_agent"]
    assert world.sandbox.writes() == [calls[6]]


@pytest.mark.parametrize(
    ("service", "operation", "answer"),
    [
        ("ecs", "DescribeServices", False), ("ecs", "ListTasks", False), ("ecs", "RunTask", True),
        ("ecs", "TagResource", True), ("sts", "GetCallerIdentity", False), ("logs", "FilterLogEvents", False),
        ("logs", "GetLogEvents", False), ("logs", "PutRetentionPolicy", True), ("ecs", "UpdateTaskProtection", True),
        ("application-autoscaling", "RegisterScalableTarget", True), ("ecs", "GetTaskProtection", False),
    ],
)  # fmt: skip
def test_what_writes(service: str, operation: str, answer: bool) -> None:
    assert writes(service, operation) is answer


def test_throttling_passes_with_botocores_retries(world: Any) -> None:
    world.sandbox.fault("throttle", count=2, match={"operation": "DescribeServices"})
    assert world.service()["serviceName"] == "wwhd-backend"
    calls = world.sandbox.calls()
    assert [call["error"] for call in calls] == ["ThrottlingException", "ThrottlingException", None]
    assert [call["fault"] for call in calls] == ["throttle", "throttle", None]


@pytest.mark.parametrize(
    ("order", "struck"),
    [
        ({"skip": 2, "count": 1}, [3]),
        ({"skip": 1, "count": 2}, [2, 3]),
        ({"skip": 3}, [4, 5, 6]),
        ({"skip": 1, "count": 1, "match": {"operation": "TagResource"}}, [6]),
        ({"count": 1, "match": {"writes": "true"}}, [3]),
        ({"skip": 1, "count": 1, "match": {"writes": True, "service": "ecs"}}, [6]),
        ({"skip": 2, "count": 1, "match": {"writes": "false"}}, [4]),
    ],
)  # fmt: skip
def test_a_fault_lets_the_first_calls_pass(world: Any, order: dict[str, Any], struck: list[int]) -> None:
    arn = world.service()["serviceArn"]
    world.sandbox.reset(service="stopped")
    once = world.sandbox.boto3("ecs", **ONCE)
    world.sandbox.fault("throttle", **order)
    for tags in (False, False, True, False, False, True):
        with contextlib.suppress(ClientError):
            if tags:
                once.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "b"}])
            else:
                once.list_clusters()
    assert [call["n"] for call in world.sandbox.calls() if call["fault"]] == struck


def test_two_faults_count_the_same_calls(world: Any) -> None:
    once = world.sandbox.boto3("ecs", **ONCE)
    world.sandbox.fault("throttle", skip=1, count=2)
    world.sandbox.fault("error", skip=2)
    codes = []
    for _turn in range(5):
        try:
            once.list_clusters()
            codes.append("")
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
    assert codes == ["", "ThrottlingException", "ThrottlingException", "ServerException", "ServerException"]


@pytest.mark.parametrize(
    ("kind", "order", "text"),
    [
        ("rain", {}, "unknown fault 'rain': use one of throttle"),
        ("throttle", {"match": {"opration": "RunTask"}}, "throttle cannot match 'opration': use service, operation"),
        ("mount", {"match": {"service": "x"}}, "mount cannot match 'service'"),
        ("logs_never", {"skip": 1}, "logs_never cannot skip 1"),
        ("pull", {"variant": "timeout"}, "pull has no variant 'timeout': use denied, missing"),
        ("mount", {"variant": "late"}, "mount has no variant 'late'"),
        ("throttle", {"variant": "slow"}, "throttle has no variant 'slow': use none"),
        ("throttle", {"skip": -1}, "throttle cannot skip -1"),
    ],
)
def test_a_fault_that_could_never_strike_is_refused(world: Any, kind: str, order: dict[str, Any], text: str) -> None:
    with pytest.raises(SandboxError, match=text):
        world.sandbox.fault(kind, **order)


def test_a_server_error_and_a_refusal(world: Any) -> None:
    once = world.sandbox.boto3("ecs", **ONCE)
    world.sandbox.fault("error", count=1, match={"operation": "ListServices"}, status=503)
    with pytest.raises(ClientError) as caught:
        once.list_services(cluster=CLUSTER)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    for service, call in (("ecs", "list_clusters"), ("elbv2", "describe_load_balancers"), ("ec2", "describe_vpcs")):
        world.sandbox.fault("access_denied", count=1, match={"service": service})
        with pytest.raises(ClientError, match="is not authorized to perform"):
            getattr(world.sandbox.boto3(service, **ONCE), call)()


@pytest.mark.parametrize(("kind", "scaled"), [("reset_before", 0), ("reset_after", 2)])
def test_a_lost_connection_before_or_after_the_effect(world: Any, kind: str, scaled: int) -> None:
    world.create_service("lost", world.register("lost", script="sleep 60"), desiredCount=0)
    world.sandbox.fault(kind, count=1, match={"operation": "UpdateService"})
    with pytest.raises(botocore.exceptions.ConnectionClosedError):
        world.sandbox.boto3("ecs", **ONCE).update_service(cluster=CLUSTER, service="lost", desiredCount=2)
    assert world.service("lost")["desiredCount"] == scaled
    logged = next(call for call in world.sandbox.calls() if call["fault"] == kind)
    assert logged["status"] is None


def test_a_run_task_that_is_lost_after_its_effect_is_not_run_twice(world: Any) -> None:
    definition = world.register(script="sleep 60")
    world.sandbox.fault("reset_after", count=1, match={"operation": "RunTask"})
    arn = world.run_one(definition)
    assert world.ecs.list_tasks(cluster=CLUSTER, family="one-off")["taskArns"] == [arn]


@pytest.mark.parametrize(
    ("kind", "settings", "reason"),
    [
        ("run_task_failures", {"reason": "RESOURCE:ENI"}, "RESOURCE:ENI"),
        ("capacity", {}, "Capacity is unavailable at this time."),
    ],
)
def test_run_task_may_answer_200_and_start_nothing(
    world: Any, kind: str, settings: dict[str, str], reason: str
) -> None:
    world.sandbox.fault(kind, count=1, **settings)
    definition = world.register()
    answer = world.run(definition)
    assert answer["tasks"] == []
    assert answer["failures"][0]["reason"].startswith(reason)
    assert world.run(definition)["tasks"]


@pytest.mark.parametrize(
    ("variant", "text"),
    [
        ("timeout", "mount.nfs4: Connection timed out"),
        ("denied", "mount.nfs4: access denied by server"),
        ("missing", "reason given by server: No such file or directory"),
        ("unresolved", "Failed to resolve"),
        ("reset", "mount.nfs4: Connection reset by peer"),
    ],
)
def test_mounts_fail_as_fargate_says_it(world: Any, variant: str, text: str) -> None:
    world.sandbox.fault("mount", count=1, variant=variant, match={"family": "one-off"})
    task = world.until_stopped(world.run_one(world.register(**world.with_volume())))
    assert task["stoppedReason"].startswith("ResourceInitializationError: failed to invoke EFS utils commands")
    assert text in task["stoppedReason"]


@pytest.mark.parametrize(
    ("image", "variant", "text"),
    [
        ("alpine:3.20", "denied", "ref docker.io/library/alpine:3.20: pull access denied, repository does not exist"),
        ("alpine:3.20", "missing", "docker.io/library/alpine:3.20: not found"),
        ("alpine:3.20", "platform", "does not contain descriptor matching platform 'linux/amd64'"),
        ("alpine:3.20", "rate_limit", "toomanyrequests: You have reached your"),
        ("alpine:3.20", "no_route", "i/o timeout"),
        (ECR, "no_route", f"The task cannot pull '{ECR}' from the Amazon ECR repository '{ECR.rsplit(':', 1)[0]}'."),
        ("alpine:3.20", "start", "CannotStartContainerError: failed to get container status: "),
    ],
)  # fmt: skip
def test_images_cannot_be_pulled_as_fargate_says_it(world: Any, image: str, variant: str, text: str) -> None:
    world.sandbox.fault("pull", count=1, variant=variant, match={"family": "one-off"})
    spared = world.run_one(world.register("another"))
    task = world.until_stopped(world.run_one(world.register(image=image)))
    assert task["stopCode"] == "TaskFailedToStart"
    assert text in task["stoppedReason"]
    (container,) = task["containers"]
    assert container["reason"] == task["stoppedReason"]
    assert "exitCode" not in container
    assert "startedAt" not in task
    assert ("pullStoppedAt" in task) is (variant == "start")
    assert world.until_stopped(spared)["containers"][0]["exitCode"] == 0


def test_a_task_is_missing_for_a_while_after_run_task(world: Any) -> None:
    world.sandbox.fault("missing", count=1, polls=2)
    arn = world.run_one(world.register(script="sleep 60"))
    answers = [world.ecs.describe_tasks(cluster=CLUSTER, tasks=[arn]) for _turn in range(3)]
    assert [len(answer["tasks"]) for answer in answers] == [0, 0, 1]
    assert answers[0]["failures"][0] == {"arn": arn, "reason": "MISSING"}


def test_an_exit_code_may_be_absent(world: Any) -> None:
    world.sandbox.fault("no_exit_code", count=1, match={"family": "one-off"})
    task = world.until_stopped(world.run_one(world.register()))
    assert "exitCode" not in task["containers"][0]
    assert task["stopCode"] == "EssentialContainerExited"


def test_logs_may_be_late_or_never_come(world: Any) -> None:
    logs = world.sandbox.boto3("logs")
    world.sandbox.fault("logs_never", match={"family": "silent"})
    arn = world.run_one(world.register("silent"))
    world.until_stopped(arn)
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.get_log_events(logGroupName="/ecs/wwhd-backend", logStreamName=f"silent/main/{arn.rsplit('/', 1)[1]}")
    world.sandbox.fault("logs_late", seconds=100, match={"family": "late"})
    arn = world.run_one(world.register("late"))
    name = {"logGroupName": "/ecs/wwhd-backend", "logStreamName": f"late/main/{arn.rsplit('/', 1)[1]}"}
    world.until(lambda: world.task(arn)["containers"][0]["lastStatus"] == "STOPPED", "the container's end")
    assert logs.get_log_events(**name)["events"] == []
    world.until(lambda: logs.get_log_events(**name)["events"], "the late line")


def test_token_buckets_refuse_a_burst(world: Any) -> None:
    world.sandbox.control("settings", token_buckets=True, token_refill=0.001)
    once = world.sandbox.boto3("ecs", **ONCE)
    refused = 0
    for _turn in range(25):
        try:
            once.deregister_task_definition(taskDefinition="none:1")
        except ClientError as error:
            refused += error.response["Error"]["Code"] == "ThrottlingException"
    assert refused == 5


def test_an_operation_that_nobody_knows_is_answered_as_aws_does(world: Any) -> None:
    with pytest.raises(ClientError) as caught:
        world.ecs.execute_command(cluster=CLUSTER, task="x", command="sh", interactive=True)
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"
    with pytest.raises(ClientError) as caught:
        world.sandbox.boto3("elbv2").describe_trust_store_associations(TrustStoreArn="arn:aws:x")
    assert caught.value.response["Error"]["Code"] == "InvalidAction"
    assert world.sandbox.status()["trouble"] == []


@pytest.mark.parametrize(
    ("service", "call", "code", "status"),
    [
        ("ecs", "list_clusters", "ExpiredTokenException", 400),
        ("logs", "describe_log_groups", "ExpiredTokenException", 400),
        ("application-autoscaling", "describe_scalable_targets", "ExpiredTokenException", 400),
        ("efs", "describe_file_systems", "ExpiredTokenException", 403),
        ("elbv2", "describe_load_balancers", "ExpiredToken", 403),
        ("sts", "get_caller_identity", "ExpiredToken", 403),
        ("iam", "list_roles", "ExpiredToken", 403),
        ("ec2", "describe_vpcs", "RequestExpired", 400),
    ],
)
def test_credentials_that_expire_on_the_way(world: Any, service: str, call: str, code: str, status: int) -> None:
    client = world.sandbox.boto3(service)
    arguments = {"ServiceNamespace": "ecs"} if service == "application-autoscaling" else {}
    world.sandbox.fault("expired", skip=1)
    getattr(client, call)(**arguments)
    for _turn in range(2):
        with pytest.raises(ClientError) as caught:
            getattr(client, call)(**arguments)
        answer = caught.value.response
        assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
        assert "expired" in answer["Error"]["Message"]
    # botocore does not try again what cannot come right.
    assert len(world.sandbox.calls()) == 3
