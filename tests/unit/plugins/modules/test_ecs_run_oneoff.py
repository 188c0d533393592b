"""The whole module through main(), against recorded answers, on a clock that only its own waiting moves."""

from __future__ import annotations

import functools
import itertools
import os
import signal
import string
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.oneoff import client_token, started_by
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.wait import Listener
from ansible_collections.wwhd.qdrant_ops.plugins.modules import ecs_run_oneoff
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, Outcome, run_module
from ansible_collections.wwhd.qdrant_ops.tests.unit.recorded_aws import Answer, Fault, RecordedAws

PREFIX = "arn:aws:ecs:us-west-2:018025611404"
ARN = f"{PREFIX}:task/wwhd-cluster/0cb1c58f1b5a4f2b8e0d4f0a2c6b7e11"
DEFINITION_ARN = f"{PREFIX}:task-definition/clear-qdrant-locks:3"
RUN_ID = "unlock-20261123T150000Z"
DEFINITION: dict[str, Any] = {
    "taskDefinition": {
        "taskDefinitionArn": DEFINITION_ARN,
        "family": "clear-qdrant-locks",
        "revision": 3,
        "status": "ACTIVE",
        "networkMode": "awsvpc",
        "containerDefinitions": [{"name": "cleaner", "image": "alpine"}],
    }
}
ABSENT = Fault("ClientException", "Unable to describe task definition.")
CAPACITY = {
    "reason": "Capacity is unavailable at this time. Please try again later or in a different availability zone."
}
ARGS: dict[str, Any] = {
    "cluster": "wwhd-cluster",
    "task_definition": "clear-qdrant-locks",
    "network_configuration": {
        "subnets": ["subnet-677d281e", "subnet-5498bc0e"],
        "security_groups": ["sg-0a75b2c312d17f654"],
        "assign_public_ip": True,
    },
}


def task(**more: Any) -> dict[str, Any]:
    return {
        "taskArn": ARN,
        "taskDefinitionArn": DEFINITION_ARN,
        "lastStatus": "PROVISIONING",
        "desiredStatus": "RUNNING",
        "startedBy": RUN_ID,
        "containers": [],
        **more,
    }


STARTED: dict[str, Any] = {"tasks": [task()], "failures": []}


def run(
    args: dict[str, Any] | None = None,
    *,
    clock: FakeClock | None = None,
    check: bool = False,
    **script: list[Answer],
) -> tuple[Outcome, RecordedAws]:
    """`script` by operation's name alone; an ECS call that is not named is one that must not happen."""
    answers: dict[str, list[Answer]] = {"DescribeTaskDefinition": [DEFINITION], **script}
    services = {"GetLogEvents": "logs"}
    with RecordedAws({f"{services.get(name, 'ecs')}:{name}": given for name, given in answers.items()}) as aws:
        given = {name: value for name, value in {**ARGS, **(args or {})}.items() if value is not None}
        outcome = run_module(ecs_run_oneoff.main, given, aws=aws, clock=clock or FakeClock(), check=check)
    return outcome, aws


def test_a_task_is_started_as_asked() -> None:
    outcome, aws = run(
        {
            "overrides": {
                "container_overrides": [{"name": "cleaner", "environment": [{"name": "KEY", "value": "s3cret"}]}]
            },
            "tags": {"owner": "wwhd"},
            "platform_version": "1.4.0",
            "propagate_tags": "TASK_DEFINITION",
            "enable_ecs_managed_tags": True,
            "group": "unlock",
        },
        RunTask=[
            lambda sent: {
                "tasks": [task(overrides=sent["overrides"], tags=sent["tags"], startedBy=None)],
                "failures": [],
            }
        ],
    )
    assert outcome.changed
    assert outcome.result["task_arn"] == ARN
    assert outcome.result["reattached"] is False
    assert outcome.result["failures"] == []
    assert outcome.result["started_by"] is None
    [sent] = aws.params("ecs:RunTask")
    # Without a run id botocore makes up a token, for its own retries.
    del sent["clientToken"]
    assert sent == {
        "cluster": "wwhd-cluster",
        "taskDefinition": "clear-qdrant-locks",
        "count": 1,
        "launchType": "FARGATE",
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": ["subnet-677d281e", "subnet-5498bc0e"],
                "securityGroups": ["sg-0a75b2c312d17f654"],
                "assignPublicIp": "ENABLED",
            }
        },
        "platformVersion": "1.4.0",
        "overrides": {"containerOverrides": [{"name": "cleaner", "environment": [{"name": "KEY", "value": "s3cret"}]}]},
        "tags": [{"key": "owner", "value": "wwhd"}],
        "propagateTags": "TASK_DEFINITION",
        "enableECSManagedTags": True,
        "group": "unlock",
    }
    [shown] = outcome.result["tasks"]
    assert shown["tags"] == {"owner": "wwhd"}
    assert shown["overrides"]["container_overrides"] == [{"name": "cleaner", "environment_names": ["KEY"]}]
    assert "s3cret" not in str(outcome.result)


def test_capacity_providers_take_the_place_of_the_launch_type() -> None:
    _outcome, aws = run({"capacity_provider_strategy": [{"capacity_provider": "FARGATE"}]}, RunTask=[STARTED])
    [sent] = aws.params("ecs:RunTask")
    assert "launchType" not in sent
    assert sent["capacityProviderStrategy"] == [{"capacityProvider": "FARGATE", "weight": 1, "base": 0}]


def test_a_run_id_marks_the_task() -> None:
    outcome, aws = run({"run_id": RUN_ID}, ListTasks=[{"taskArns": []}], RunTask=[STARTED])
    assert outcome.changed
    assert outcome.result["started_by"] == RUN_ID
    [sent] = aws.params("ecs:RunTask")
    assert (sent["startedBy"], sent["clientToken"]) == (RUN_ID, RUN_ID)
    assert [(p["startedBy"], p["desiredStatus"]) for p in aws.params("ecs:ListTasks")] == [
        (RUN_ID, "RUNNING"),
        (RUN_ID, "STOPPED"),
    ]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("last", ["RUNNING", "STOPPED"])
def test_what_the_run_id_has_started_is_found_again(last: str, check: bool) -> None:
    outcome, aws = run(
        {"run_id": RUN_ID},
        check=check,
        ListTasks=[{"taskArns": [ARN]}],
        DescribeTasks=[{"tasks": [task(lastStatus=last)]}],
    )
    assert not outcome.failed
    assert not outcome.changed
    assert outcome.result["reattached"] is True
    assert outcome.result["task_arn"] == ARN
    assert aws.writes == []


def test_where_started_by_is_refused_as_a_filter_the_family_is_asked() -> None:
    def listed(params: dict[str, Any]) -> Any:
        if "startedBy" in params:
            return Fault("InvalidParameterException", "cannot specify startedBy with other arguments")
        return {"taskArns": [ARN, "t/other"]}

    outcome, aws = run(
        {"run_id": RUN_ID},
        ListTasks=[listed],
        DescribeTasks=[{"tasks": [task(taskArn="t/other", startedBy="somebody"), task()]}],
    )
    assert outcome.result["reattached"] is True
    assert outcome.result["task_arn"] == ARN
    assert aws.params("ecs:ListTasks")[1]["family"] == "clear-qdrant-locks"


def test_a_run_id_that_stands_for_another_family_is_refused() -> None:
    other = task(taskDefinitionArn=f"{PREFIX}:task-definition/inspect:1")
    outcome, aws = run({"run_id": RUN_ID}, ListTasks=[{"taskArns": [ARN]}], DescribeTasks=[{"tasks": [other]}])
    assert outcome.failed
    assert "has already started task 0cb1c58f1b5a4f2b8e0d4f0a2c6b7e11 of inspect:1" in outcome.msg
    assert aws.writes == []


def test_a_conflict_of_the_token_reattaches() -> None:
    lists = itertools.count()
    outcome, aws = run(
        {"run_id": RUN_ID},
        # Two looks before the call see nothing yet; after the conflict the task is there.
        ListTasks=[lambda _params: {"taskArns": [ARN] if next(lists) >= 2 else []}],
        DescribeTasks=[{"tasks": [task()]}],
        RunTask=[Fault("ConflictException", "token in use", extra={"resourceIds": [ARN]})],
    )
    assert not outcome.failed
    assert not outcome.changed
    assert outcome.result["reattached"] is True
    assert len(aws.params("ecs:RunTask")) == 1


def test_a_conflict_that_no_list_shows_is_followed_by_its_resource_ids() -> None:
    outcome, aws = run(
        {"run_id": RUN_ID},
        ListTasks=[{"taskArns": []}],
        DescribeTasks=[{"tasks": [task()]}],
        RunTask=[Fault("ConflictException", "token in use", extra={"resourceIds": [ARN]})],
    )
    assert outcome.result["reattached"] is True
    assert aws.params("ecs:DescribeTasks")[0]["tasks"] == [ARN]


def test_a_conflict_with_a_task_that_has_gone_asks_for_another_run_id() -> None:
    outcome, _aws = run(
        {"run_id": RUN_ID}, ListTasks=[{"taskArns": []}], RunTask=[Fault("ConflictException", "token in use")]
    )
    assert outcome.failed
    assert "give another run id" in outcome.msg


def test_a_token_that_somebody_elses_task_holds_is_no_reattachment() -> None:
    outcome, _aws = run(
        {"run_id": RUN_ID},
        ListTasks=[{"taskArns": []}],
        DescribeTasks=[{"tasks": [task(startedBy="somebody")]}],
        RunTask=[Fault("ConflictException", "token in use", extra={"resourceIds": [ARN]})],
    )
    assert outcome.failed
    assert "give another run id" in outcome.msg


def test_a_replayed_answer_is_a_reattachment() -> None:
    outcome, _aws = run(
        {"run_id": RUN_ID},
        ListTasks=[{"taskArns": []}],
        RunTask=[{"tasks": [{"taskArn": ARN, "lastStatus": "STOPPED", "desiredStatus": "STOPPED"}], "failures": []}],
        DescribeTasks=[{"tasks": [task(lastStatus="STOPPED")]}],
    )
    assert not outcome.changed
    assert outcome.result["reattached"] is True
    assert outcome.result["tasks"][0]["task_definition_arn"] == DEFINITION_ARN


@pytest.mark.parametrize(
    "refusal",
    [
        {"tasks": [], "failures": [CAPACITY]},
        {"tasks": [], "failures": [{"reason": "RESOURCE:ENI", "arn": "arn:instance"}]},
        Fault("ClientException", CAPACITY["reason"]),
        Fault("ThrottlingException", "Rate exceeded"),
    ],
    ids=["failures", "resource", "exception", "throttled"],
)
def test_no_room_is_tried_again(refusal: Any) -> None:
    clock = FakeClock()
    outcome, aws = run({"run_id": RUN_ID}, clock=clock, ListTasks=[{}], RunTask=[refusal, refusal, refusal, STARTED])
    assert outcome.changed
    assert len(aws.params("ecs:RunTask")) == 4
    assert len(clock.sleeps) == 3
    assert clock.now <= 10


def test_an_answered_refusal_uses_its_token_up() -> None:
    refusal: dict[str, Any] = {"tasks": [], "failures": [CAPACITY]}
    throttled = Fault("ThrottlingException", "Rate exceeded")
    _outcome, aws = run({"run_id": RUN_ID}, ListTasks=[{}], RunTask=[throttled, refusal, refusal, STARTED])
    tokens = [sent["clientToken"] for sent in aws.params("ecs:RunTask")]
    assert tokens == [RUN_ID, RUN_ID, f"{RUN_ID}#2", f"{RUN_ID}#3"]


def test_no_room_for_too_long_tells_what_aws_said_last() -> None:
    clock = FakeClock()
    outcome, _aws = run({"capacity_timeout": 45}, clock=clock, RunTask=[{"tasks": [], "failures": [CAPACITY]}])
    assert outcome.failed
    assert clock.now == 45
    assert "ECS started no task of clear-qdrant-locks in cluster wwhd-cluster within 45 s" in outcome.msg
    assert "Capacity is unavailable at this time" in outcome.msg
    assert "more availability zones" in outcome.msg
    assert outcome.result["failures"] == [{"reason": CAPACITY["reason"]}]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            {"tasks": [], "failures": [{"reason": "MISSING", "arn": "arn:x", "detail": "gone"}]},
            "MISSING (gone) for arn:x",
        ),
        (
            {"tasks": [], "failures": [CAPACITY, {"reason": "ATTRIBUTE", "arn": "arn:y"}]},
            "ATTRIBUTE for arn:y",
        ),
        ({"tasks": [], "failures": []}, "it gave no reason"),
    ],
    ids=["one", "each of two", "none"],
)
def test_other_refusals_end_at_once_and_are_all_told(answer: dict[str, Any], words: str) -> None:
    clock = FakeClock()
    outcome, aws = run(clock=clock, RunTask=[answer])
    assert outcome.failed
    assert words in outcome.msg
    assert clock.now == 0
    assert len(aws.params("ecs:RunTask")) == 1
    assert len(outcome.result["failures"]) == len(answer["failures"])


def test_a_part_that_stays_refused_is_a_failure_that_tells_what_goes_on() -> None:
    clock = FakeClock()
    answers: list[Answer] = [{"tasks": [task()], "failures": [CAPACITY]}, {"tasks": [], "failures": [CAPACITY]}]
    outcome, aws = run({"count": 2, "capacity_timeout": 20}, clock=clock, RunTask=answers)
    assert outcome.failed
    assert outcome.changed
    assert "ECS started only 1 of 2 tasks of clear-qdrant-locks in cluster wwhd-cluster within 20 s" in outcome.msg
    assert f"Those that were started go on: {ARN.rsplit('/', 1)[-1]}." in outcome.msg
    assert outcome.result["started"] == [ARN]
    assert outcome.result["task_arn"] == ARN
    assert outcome.result["tasks"][0]["last_status"] == "PROVISIONING"
    assert outcome.result["failures"] == [{"reason": CAPACITY["reason"]}]
    assert clock.now == pytest.approx(20)
    assert [sent["count"] for sent in aws.params("ecs:RunTask")][:2] == [2, 1]


def test_a_part_that_was_refused_for_now_is_started_a_little_later() -> None:
    fleet = Fleet(refuse={1: 4})
    outcome, aws = run({"count": 10, "run_id": RUN_ID}, **fleet.script())
    assert not outcome.failed, outcome.msg
    assert len(outcome.result["started"]) == 10
    assert outcome.result["failures"] == []
    assert [(sent["count"], sent["clientToken"]) for sent in aws.params("ecs:RunTask")] == [
        (10, RUN_ID),
        (4, f"{RUN_ID}+6"),
    ]


class Fleet:
    """A cluster that starts what RunTask asks for; of its n-th call it refuses `refuse[n]`, and it knows its tokens."""

    def __init__(self, *, existing: int = 0, refuse: dict[int, int] | None = None, lag: int = 0) -> None:
        self.tasks = [self.task(number) for number in range(existing)]
        self.refuse = refuse or {}
        self.lag = lag
        self.calls = 0
        self.answers: dict[str, dict[str, Any]] = {}

    @staticmethod
    def task(number: int) -> dict[str, Any]:
        return task(taskArn=f"{PREFIX}:task/wwhd-cluster/{number:032x}")

    def run(self, sent: dict[str, Any]) -> dict[str, Any]:
        token = sent["clientToken"]
        if token not in self.answers:
            self.calls += 1
            refused = self.refuse.get(self.calls, 0)
            new = [self.task(len(self.tasks) + number) for number in range(sent["count"] - refused)]
            self.tasks += new
            self.answers[token] = {"tasks": new, "failures": [CAPACITY] * refused}
        return self.answers[token]

    def listed(self, params: dict[str, Any]) -> dict[str, Any]:
        if params["desiredStatus"] != "RUNNING":
            return {"taskArns": []}
        hidden, self.lag = self.lag, 0
        return {"taskArns": [item["taskArn"] for item in self.tasks][: len(self.tasks) - hidden]}

    def described(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"tasks": [item for item in self.tasks if item["taskArn"] in params["tasks"]], "failures": []}

    def script(self) -> dict[str, Any]:
        return {"RunTask": [self.run], "ListTasks": [self.listed], "DescribeTasks": [self.described]}


def test_any_number_is_started_in_batches_of_ten() -> None:
    fleet = Fleet()
    outcome, aws = run({"count": 25, "run_id": RUN_ID}, **fleet.script())
    assert not outcome.failed, outcome.msg
    assert [(sent["count"], sent["clientToken"]) for sent in aws.params("ecs:RunTask")] == [
        (10, RUN_ID),
        (10, f"{RUN_ID}+10"),
        (5, f"{RUN_ID}+20"),
    ]
    assert len(outcome.result["tasks"]) == len(set(outcome.result["started"])) == 25


@pytest.mark.parametrize(("existing", "sizes"), [(10, [10, 5]), (20, [5]), (17, [3, 5]), (25, []), (30, [])])
def test_a_run_that_died_between_two_batches_starts_only_the_rest(existing: int, sizes: list[int]) -> None:
    fleet = Fleet(existing=existing)
    outcome, aws = run({"count": 25, "run_id": RUN_ID}, **fleet.script())
    assert not outcome.failed, outcome.msg
    assert [sent["count"] for sent in aws.params("ecs:RunTask")] == sizes
    assert len(fleet.tasks) == len(outcome.result["tasks"]) == max(25, existing)
    assert len(outcome.result["started"]) == sum(sizes)
    assert outcome.changed is bool(sizes)
    assert outcome.result["reattached"] is True


def test_a_list_that_lags_behind_is_looked_at_again() -> None:
    """Eight of ten tasks look like a batch of which a part was refused; two more started now would be two too many."""
    fleet = Fleet(existing=10, lag=2)
    clock = FakeClock()
    outcome, aws = run({"count": 10, "run_id": RUN_ID}, clock=clock, **fleet.script())
    assert not outcome.changed
    assert aws.params("ecs:RunTask") == []
    assert len(outcome.result["tasks"]) == 10
    assert clock.now <= 6


@pytest.mark.parametrize("lag", [0, 2, 10], ids=["all seen", "a part seen", "none seen"])
def test_a_batch_whose_answer_was_lost_is_not_started_again_in_part(lag: int) -> None:
    fleet = Fleet()
    calls = itertools.count()

    def lost(sent: dict[str, Any]) -> Any:
        answer = fleet.run(sent)
        if next(calls):
            return answer
        fleet.lag = lag
        return Fault("ServerException", "nobody knows", 500)

    outcome, _aws = run({"count": 20, "run_id": RUN_ID}, **{**fleet.script(), "RunTask": [lost]})
    assert not outcome.failed, outcome.msg
    assert len(fleet.tasks) == len(outcome.result["started"]) == 20
    assert outcome.result["reattached"] is False


def test_check_mode_predicts_the_rest_of_a_run() -> None:
    fleet = Fleet(existing=10)
    outcome, aws = run({"count": 25, "run_id": RUN_ID}, check=True, **fleet.script())
    assert outcome.changed
    assert len(outcome.result["tasks"]) == 10
    assert aws.writes == []


def test_the_pauses_between_attempts_differ_from_process_to_process() -> None:
    """Many who were refused at the same moment must not all come back at the same moment."""
    pauses = []
    for _process in range(2):
        clock = FakeClock()
        run(clock=clock, RunTask=[{"tasks": [], "failures": [CAPACITY]}])
        pauses.append(clock.sleeps)
    assert pauses[0] != pauses[1]
    assert all(0.5 < pause <= 15 for pause in [*pauses[0][:-1], *pauses[1][:-1]])


SERVICE: dict[str, Any] = {
    "serviceName": "wwhd-backend",
    "status": "ACTIVE",
    "launchType": "FARGATE",
    "platformVersion": "1.4.0",
    "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-old"], "assignPublicIp": "DISABLED"}},
    "deployments": [
        {
            "id": "ecs-svc/1",
            "status": "PRIMARY",
            "launchType": "FARGATE",
            "platformVersion": "1.4.0",
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": ["subnet-new"],
                    "securityGroups": ["sg-new"],
                    "assignPublicIp": "ENABLED",
                }
            },
        }
    ],
}
FROM_SERVICE: dict[str, Any] = {"network_configuration": None, "network_from_service": "wwhd-backend"}


def without_deployment(**more: Any) -> dict[str, Any]:
    return {"services": [{**SERVICE, "deployments": [], **more}]}


def test_the_network_of_a_service_is_that_of_its_next_task() -> None:
    outcome, aws = run(FROM_SERVICE, DescribeServices=[{"services": [SERVICE]}], RunTask=[STARTED])
    assert not outcome.failed, outcome.msg
    [sent] = aws.params("ecs:RunTask")
    assert sent["networkConfiguration"] == SERVICE["deployments"][0]["networkConfiguration"]
    assert (sent["launchType"], sent["platformVersion"]) == ("FARGATE", "1.4.0")
    assert aws.params("ecs:DescribeServices")[0]["services"] == ["wwhd-backend"]


@pytest.mark.parametrize(
    ("given", "service", "launched"),
    [
        (
            {},
            without_deployment(launchType=None, capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT"}]),
            {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT"}], "platformVersion": "1.4.0"},
        ),
        ({}, without_deployment(launchType="EC2", platformVersion=None), {"launchType": "EC2"}),
        ({"launch_type": "EC2"}, without_deployment(), {"launchType": "EC2"}),
        (
            {"platform_version": "1.3.0"},
            without_deployment(),
            {"launchType": "FARGATE", "platformVersion": "1.3.0"},
        ),
        (
            {"capacity_provider_strategy": [{"capacity_provider": "mine"}]},
            without_deployment(),
            {"capacityProviderStrategy": [{"capacityProvider": "mine", "weight": 1, "base": 0}]},
        ),
    ],
    ids=["its providers", "its launch type", "own launch type", "own platform", "own providers"],
)
def test_what_is_given_goes_before_what_the_service_has(
    given: dict[str, Any], service: dict[str, Any], launched: dict[str, Any]
) -> None:
    outcome, aws = run({**FROM_SERVICE, **given}, DescribeServices=[service], RunTask=[STARTED])
    assert not outcome.failed, outcome.msg
    [sent] = aws.params("ecs:RunTask")
    names = ("launchType", "capacityProviderStrategy", "platformVersion")
    assert {name: sent[name] for name in names if name in sent} == launched
    assert sent["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == ["subnet-old"]


def test_a_task_in_its_hosts_network_takes_no_other_from_the_service() -> None:
    bridged = {"taskDefinition": {**DEFINITION["taskDefinition"], "networkMode": "bridge"}}
    outcome, aws = run(
        FROM_SERVICE,
        DescribeTaskDefinition=[bridged],
        DescribeServices=[without_deployment(launchType="EC2")],
        RunTask=[STARTED],
    )
    assert not outcome.failed, outcome.msg
    assert "networkConfiguration" not in aws.params("ecs:RunTask")[0]


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            {"services": [], "failures": [{"arn": "wwhd-backend", "reason": "MISSING"}]},
            "AWS knows no service wwhd-backend in cluster wwhd-cluster",
        ),
        (without_deployment(status="DRAINING"), "the service wwhd-backend, whose network it was to have, is DRAINING"),
        (
            without_deployment(networkConfiguration={}),
            "the tasks of service wwhd-backend have no network of their own",
        ),
    ],
    ids=["missing", "draining", "no network"],
)
def test_a_service_that_has_no_network_to_give(answer: dict[str, Any], sentence: str, check: bool) -> None:
    outcome, aws = run(
        FROM_SERVICE, check=check, DescribeServices=[answer], ListServices=[{"serviceArns": ["s/wwhd-backend-2"]}]
    )
    assert outcome.failed
    assert sentence in outcome.msg
    assert aws.writes == []


def test_placement_volumes_and_exec_are_passed_on() -> None:
    volume = {"name": "scratch", "configuredAtLaunch": True}
    definition = {"taskDefinition": {**DEFINITION["taskDefinition"], "volumes": [volume]}}
    outcome, aws = run(
        {
            "launch_type": "EC2",
            "placement_constraints": [
                {"type": "memberOf", "expression": "attribute:ecs.instance-type =~ t4.*"},
                {"type": "distinctInstance"},
            ],
            "placement_strategy": [{"type": "spread", "field": "attribute:ecs.availability-zone"}, {"type": "random"}],
            "enable_execute_command": True,
            "propagate_tags": "NONE",
            "volume_configurations": [
                {
                    "name": "scratch",
                    "managed_ebs_volume": {
                        "size_in_gib": "20",
                        "role_arn": "arn:x:role/ebs",
                        "encrypted": True,
                    },
                }
            ],
        },
        DescribeTaskDefinition=[definition],
        RunTask=[STARTED],
    )
    assert not outcome.failed, outcome.msg
    [sent] = aws.params("ecs:RunTask")
    assert sent["placementConstraints"] == [
        {"type": "memberOf", "expression": "attribute:ecs.instance-type =~ t4.*"},
        {"type": "distinctInstance"},
    ]
    assert sent["placementStrategy"] == [
        {"type": "spread", "field": "attribute:ecs.availability-zone"},
        {"type": "random"},
    ]
    assert sent["enableExecuteCommand"] is True
    assert sent["propagateTags"] == "NONE"
    assert sent["volumeConfigurations"] == [
        {
            "name": "scratch",
            "managedEBSVolume": {"sizeInGiB": 20, "roleArn": "arn:x:role/ebs", "encrypted": True},
        }
    ]


def test_what_aws_refuses_is_told() -> None:
    outcome, _aws = run(RunTask=[Fault("InvalidParameterException", "The subnet ID 'subnet-677d281e' does not exist")])
    assert outcome.failed
    assert "run clear-qdrant-locks in cluster wwhd-cluster" in outcome.msg
    assert "subnet-677d281e" in outcome.msg


def test_check_mode_predicts_and_starts_nothing() -> None:
    outcome, aws = run(
        {"run_id": RUN_ID, "wait": True},
        check=True,
        ListTasks=[{}],
        DescribeClusters=[{"clusters": [{"clusterName": "wwhd-cluster", "status": "ACTIVE"}]}],
    )
    assert outcome.changed
    assert outcome.result["tasks"] == []
    assert outcome.result["started_by"] == RUN_ID
    assert aws.writes == []


def test_check_mode_fails_on_a_cluster_that_is_not_there() -> None:
    outcome, _aws = run(check=True, DescribeClusters=[{"clusters": [], "failures": [{"reason": "MISSING"}]}])
    assert outcome.failed
    assert "no active cluster wwhd-cluster" in outcome.msg


def test_a_definition_that_is_not_there() -> None:
    outcome, aws = run(DescribeTaskDefinition=[ABSENT])
    assert outcome.failed
    assert "the task definition clear-qdrant-locks does not exist" in outcome.msg
    assert aws.writes == []
    outcome, _aws = run(
        check=True,
        DescribeTaskDefinition=[ABSENT],
        DescribeClusters=[{"clusters": [{"status": "ACTIVE"}]}],
    )
    assert outcome.changed
    assert "unless an earlier task registers it" in str(outcome.warnings)


ENDED = {
    "lastStatus": "STOPPED",
    "desiredStatus": "STOPPED",
    "stopCode": "EssentialContainerExited",
    "stoppedReason": "Essential container in task exited",
}


def end_of(code: int | None, name: str = "cleaner") -> dict[str, Any]:
    container = {"name": name, "lastStatus": "STOPPED", **({} if code is None else {"exitCode": code})}
    return task(**ENDED, containers=[container])


def test_the_wait_takes_the_options_of_the_waiting_module() -> None:
    clock = FakeClock()
    logged = {
        "name": "cleaner",
        "image": "alpine",
        "essential": False,
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {"awslogs-group": "g", "awslogs-region": "us-west-2", "awslogs-stream-prefix": "p"},
        },
    }
    definition = {"taskDefinition": {**DEFINITION["taskDefinition"], "containerDefinitions": [logged]}}
    args = {"wait": True, "containers": ["cleaner"], "success_codes": [3], "log_lines": 1, "log_end": "the end"}

    def output(params: dict[str, Any]) -> dict[str, Any]:
        lines = [] if "nextToken" in params else ["one", "the end"]
        return {"events": [{"message": line} for line in lines], "nextForwardToken": "f/1"}

    outcome, _aws = run(
        args,
        clock=clock,
        DescribeTaskDefinition=[definition],
        RunTask=[STARTED],
        DescribeTasks=[{"tasks": [end_of(3)]}],
        GetLogEvents=[output],
    )
    assert not outcome.failed, outcome.msg
    assert outcome.result["logs"] == {"cleaner": ["one", "the end"]}
    assert outcome.result["logs_complete"] is True
    # RunTask's own answer is the first look; one that fails at once is told of 5 s later.
    assert clock.now == 5
    outcome, _aws = run(
        args,
        DescribeTaskDefinition=[definition],
        RunTask=[STARTED],
        DescribeTasks=[{"tasks": [end_of(0)]}],
        GetLogEvents=[output],
    )
    assert "ended with exit code 0, wanted 3" in outcome.msg
    assert outcome.msg.endswith("Last 1 line(s) of container cleaner:\nthe end")
    outcome, aws = run(
        {**args, "logs": False},
        DescribeTaskDefinition=[definition],
        RunTask=[STARTED],
        DescribeTasks=[{"tasks": [end_of(3)]}],
    )
    assert "logs:GetLogEvents" not in aws.operations


def test_stop_on_timeout_stops_what_was_started() -> None:
    clock = FakeClock()

    def now(_params: dict[str, Any]) -> dict[str, Any]:
        return {"tasks": [task(lastStatus="RUNNING") if clock.now < 40 else end_of(137)]}

    outcome, aws = run(
        {"wait": True, "wait_timeout": 30, "stop_on_timeout": True},
        clock=clock,
        RunTask=[STARTED],
        DescribeTasks=[now],
        StopTask=[{}],
    )
    assert outcome.failed
    assert outcome.result["stopped"] == [ARN]
    assert aws.params("ecs:StopTask")[0]["reason"] == "wwhd.qdrant_ops.ecs_run_oneoff gave up after 30 s"


def test_told_to_end_it_stops_what_it_has_started() -> None:
    clock = FakeClock()
    clock.at(10, lambda: signal.raise_signal(signal.SIGTERM))
    outcome, aws = run(
        {"wait": True},
        clock=clock,
        RunTask=[STARTED],
        DescribeTasks=[{"tasks": [task(lastStatus="RUNNING")]}],
        StopTask=[{}],
    )
    assert outcome.failed
    assert "Told to end by SIGTERM" in outcome.msg
    assert outcome.result["stopped"] == [ARN]
    assert outcome.result["task_arn"] == ARN
    assert aws.params("ecs:StopTask")[0]["reason"] == "wwhd.qdrant_ops.ecs_run_oneoff was told to end (SIGTERM)"


def test_told_to_end_it_leaves_what_an_earlier_run_had_started() -> None:
    clock = FakeClock()
    clock.at(10, lambda: signal.raise_signal(signal.SIGINT))
    outcome, aws = run(
        {"wait": True, "run_id": RUN_ID},
        clock=clock,
        ListTasks=[{"taskArns": [ARN]}],
        DescribeTasks=[{"tasks": [task(lastStatus="RUNNING")]}],
    )
    assert outcome.failed
    assert "Told to end by SIGINT" in outcome.msg
    assert "What an earlier run with this run_id had started goes on" in outcome.msg
    assert not outcome.changed
    assert outcome.result["stopped"] == []
    assert aws.writes == []


def test_told_to_end_in_the_middle_of_a_start_it_stops_that_task() -> None:
    """The signal comes while RunTask is under way: its answer is waited for, since nobody else knows of the task."""

    def started(_sent: dict[str, Any]) -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.05)
        return STARTED

    outcome, aws = run({"wait": True}, RunTask=[started], StopTask=[{}])
    assert outcome.failed
    assert [params["task"] for params in aws.params("ecs:StopTask")] == [ARN]
    assert outcome.result["started"] == outcome.result["stopped"] == [ARN]
    assert outcome.changed


def test_told_to_end_while_there_is_no_room_it_stops_the_first_batches() -> None:
    fleet = Fleet(refuse={2: 10, 3: 10, 4: 10})
    clock = FakeClock()
    clock.at(2, lambda: signal.raise_signal(signal.SIGHUP))
    outcome, aws = run({"wait": True, "count": 20, "run_id": RUN_ID}, clock=clock, **fleet.script(), StopTask=[{}])
    assert outcome.failed
    assert len(aws.params("ecs:StopTask")) == 10
    assert len(outcome.result["stopped"]) == 10


def test_told_to_end_after_a_lost_answer_it_looks_for_what_came_of_it() -> None:
    clock = FakeClock()
    clock.at(1, lambda: signal.raise_signal(signal.SIGTERM))
    looks = itertools.count()
    outcome, aws = run(
        {"wait": True, "run_id": RUN_ID},
        clock=clock,
        RunTask=[Fault("ServerException", "nobody knows", 500)],
        # Neither the look before the call nor the one after it shows the task.
        ListTasks=[lambda _params: {"taskArns": [ARN] if next(looks) >= 4 else []}],
        DescribeTasks=[{"tasks": [task(lastStatus="RUNNING")]}],
        StopTask=[{}],
    )
    assert outcome.failed
    assert [params["task"] for params in aws.params("ecs:StopTask")] == [ARN]


def test_told_to_end_it_stops_nothing_where_it_may_not() -> None:
    clock = FakeClock()
    handlers: list[Any] = []
    clock.at(1, lambda: handlers.append(signal.getsignal(signal.SIGTERM)))
    outcome, aws = run(
        {"wait": True, "stop_on_interrupt": False, "wait_timeout": 2},
        clock=clock,
        RunTask=[STARTED],
        DescribeTasks=[{"tasks": [task(lastStatus="RUNNING")]}],
    )
    assert outcome.failed
    assert handlers == [signal.getsignal(signal.SIGTERM)]
    assert [call.operation for call in aws.writes] == ["ecs:RunTask"]


def test_a_listener_hears_of_no_room_and_of_the_task() -> None:
    said: list[str] = []
    script: dict[str, list[Answer]] = {
        "ecs:DescribeTaskDefinition": [DEFINITION],
        "ecs:RunTask": [{"tasks": [], "failures": [CAPACITY]}, {"tasks": [], "failures": [CAPACITY]}, STARTED],
        "ecs:DescribeTasks": [{"tasks": [end_of(0)]}],
    }
    with RecordedAws(script) as aws:
        outcome = run_module(
            functools.partial(ecs_run_oneoff.main, listener=Listener(on_change=said.append)),
            {**ARGS, "wait": True},
            aws=aws,
            clock=FakeClock(),
        )
    assert not outcome.failed, outcome.msg
    assert len(said) == 3
    assert said[0].startswith("no room yet for clear-qdrant-locks in cluster wwhd-cluster: Capacity is unavailable")
    assert "PROVISIONING" in said[1]
    assert "STOPPED" in said[2]


@pytest.mark.parametrize("code", [0, 1])
def test_wait_judges_the_end(code: int) -> None:
    end = task(**ENDED, containers=[{"name": "cleaner", "lastStatus": "STOPPED", "exitCode": code}])
    outcome, _aws = run(
        {"wait": True},
        RunTask=[STARTED],
        DescribeTasks=[{"tasks": [], "failures": [{"arn": ARN, "reason": "MISSING"}]}, {"tasks": [end]}],
    )
    assert outcome.failed is bool(code)
    assert outcome.changed
    assert outcome.result["task_arn"] == ARN
    assert outcome.result["reattached"] is False
    assert outcome.result["tasks"][0]["success"] is (code == 0)
    assert outcome.result["tasks"][0]["containers"][0]["exit_code"] == code
    assert "logs_complete" in outcome.result


def network(**more: Any) -> dict[str, Any]:
    return {"network_configuration": {**ARGS["network_configuration"], **more}}


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"count": 0}, "count must be 1 or more, not 0."),
        ({"capacity_timeout": -5}, "capacity_timeout must be 0 or more, not -5.0."),
        ({"wait_timeout": -5}, "wait_timeout must be 0 or more, not -5.0."),
        ({"log_lines": -5}, "log_lines must be 0 or more, not -5."),
        ({"success_codes": []}, "success_codes is empty"),
        ({"containers": []}, "containers is empty"),
        ({"log_end": ""}, "log_end is empty"),
        ({"network_configuration": None, "network_from_service": ""}, "network_from_service is empty"),
        ({"network_from_service": "x"}, "mutually exclusive: network_configuration|network_from_service"),
        ({"placement_constraints": [{"type": "memberOf"}]}, "expression"),
        ({"placement_strategy": [{"type": "binpack"}]}, "field"),
        ({"propagate_tags": "SERVICE"}, "value of propagate_tags must be one of"),
        (network(subnets=[]), "network_configuration.subnets is empty"),
        (network(subnets=["subnet-1", ""]), "network_configuration.subnets is empty"),
        (network(subnets=[f"subnet-{n}" for n in range(17)]), "has 17 entries: ECS takes 16"),
        (network(security_groups=[f"sg-{n}" for n in range(6)]), "has 6 entries: ECS takes 5"),
        ({"run_id": ""}, "run_id is empty"),
        ({"cluster": ""}, "cluster is empty"),
        ({"task_definition": ""}, "task_definition is empty"),
        (
            {"launch_type": "FARGATE", "capacity_provider_strategy": [{"capacity_provider": "FARGATE"}]},
            "mutually exclusive: launch_type|capacity_provider_strategy",
        ),
    ],
)
def test_bad_arguments_are_named_before_any_call(args: dict[str, Any], sentence: str) -> None:
    outcome, aws = run(args)
    assert outcome.failed
    assert sentence in outcome.msg
    assert aws.calls == []


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"network_configuration": None}, "networkMode is awsvpc, so network_configuration must give subnets"),
        (
            {"overrides": {"containerOverrides": [{"name": "claener"}]}},
            "overrides name the container claener, which the definition does not have (did you mean cleaner?)",
        ),
        (
            {"placement_strategy": [{"type": "random"}]},
            "Fargate has no placement: leave out placement_constraints and placement_strategy",
        ),
        (
            {"volume_configurations": [{"name": "scratch"}]},
            "volume_configurations name the volume scratch, which the definition does not have as configuredAtLaunch",
        ),
        ({"volume_configurations": [{"nmae": "x"}]}, "volume_configurations[0].nmae is not known to ECS"),
        ({"overrides": {"containerOverride": []}}, "overrides.containerOverride is not known to ECS"),
        (
            {"overrides": {"containerOverrides": [{"name": "cleaner", "command": ["x" * 9000]}]}},
            "overrides is longer than ECS takes",
        ),
    ],
)
def test_mistakes_are_seen_in_the_definition_before_anything_starts(
    args: dict[str, Any], sentence: str, check: bool
) -> None:
    outcome, aws = run(args, check=check)
    assert outcome.failed
    assert sentence in outcome.msg
    assert aws.writes == []


@pytest.mark.parametrize(
    ("args", "more", "sentence"),
    [
        ({}, {"networkMode": "bridge"}, "its networkMode is bridge, which takes no network_configuration"),
        ({}, {"compatibilities": ["EC2"]}, "the task definition can't run on FARGATE (it can on EC2)"),
    ],
)
def test_what_does_not_go_together_with_the_definition(
    args: dict[str, Any], more: dict[str, Any], sentence: str
) -> None:
    outcome, aws = run(args, DescribeTaskDefinition=[{"taskDefinition": {**DEFINITION["taskDefinition"], **more}}])
    assert outcome.failed
    assert sentence in outcome.msg
    assert aws.writes == []


def test_an_inactive_definition_is_refused() -> None:
    inactive = {"taskDefinition": {**DEFINITION["taskDefinition"], "status": "INACTIVE"}}
    outcome, aws = run(DescribeTaskDefinition=[inactive])
    assert outcome.failed
    assert "the task definition is INACTIVE" in outcome.msg
    assert aws.writes == []


@given(run_id=st.text(min_size=1, max_size=300), attempt=st.integers(1, 40), first=st.integers(0, 5000))
def test_marks_and_tokens_are_what_aws_takes(run_id: str, attempt: int, first: int) -> None:
    mark, token = started_by(run_id), client_token(run_id, attempt, first=first)
    assert len(mark) <= 128
    assert set(mark) <= set(string.ascii_letters + string.digits + "-_/")
    assert 1 <= len(token) <= 64
    assert all(33 <= ord(letter) <= 126 for letter in token)
    assert started_by(run_id) == mark
    assert client_token(run_id, attempt, first=first) == token
    assert client_token(run_id, attempt, first=first + 10) != token
    assert client_token(run_id, attempt + 1, first=first) != token


@given(one=st.text(min_size=1, max_size=200), other=st.text(min_size=1, max_size=200))
def test_two_run_ids_never_share_a_mark_or_a_token(one: str, other: str) -> None:
    if one != other:
        assert started_by(one) != started_by(other)
        assert client_token(one) != client_token(other)


def test_run_ids_that_differ_only_at_their_end_or_in_a_sign_stay_apart() -> None:
    assert started_by("x" * 200 + "a") != started_by("x" * 200 + "b")
    assert started_by("a b") != started_by("a.b")
    assert client_token("y" * 70, 1) != client_token("y" * 70, 2)


def test_without_a_run_id_a_lost_answer_still_starts_nothing_twice() -> None:
    lost = Fault("ServerException", "nobody knows", 500)
    outcome, aws = run({"run_id": None}, RunTask=[lost, STARTED], ListTasks=[{"taskArns": []}])
    assert not outcome.failed, outcome.msg
    tokens = {call["clientToken"] for call in aws.params("ecs:RunTask")}
    assert len(aws.params("ecs:RunTask")) == 2
    assert len(tokens) == 1


def test_a_task_whose_answer_was_lost_is_one_that_this_call_started() -> None:
    started: list[str] = []

    def lost(params: dict[str, Any]) -> Fault:
        started.append(ARN)
        return Fault("ServerException", "nobody knows", 500)

    outcome, aws = run(
        {"run_id": RUN_ID},
        RunTask=[lost],
        ListTasks=[lambda params: {"taskArns": started if params["desiredStatus"] == "RUNNING" else []}],
        DescribeTasks=[{"tasks": [task(startedBy=RUN_ID)], "failures": []}],
    )
    assert not outcome.failed, outcome.msg
    assert (outcome.changed, outcome.result["reattached"]) == (True, False)
    assert len(aws.params("ecs:RunTask")) == 1
