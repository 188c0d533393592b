"""The whole module through main(), against recorded answers, on a clock that only its own waiting moves."""

from __future__ import annotations

import itertools
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.oneoff import client_token, started_by
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
        outcome = run_module(
            ecs_run_oneoff.main, {**ARGS, **(args or {})}, aws=aws, clock=clock or FakeClock(), check=check
        )
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


def test_a_part_that_was_refused_is_a_warning() -> None:
    outcome, _aws = run({"count": 2}, RunTask=[{"tasks": [task()], "failures": [CAPACITY]}])
    assert outcome.changed
    assert len(outcome.result["failures"]) == 1
    assert "1 of 2 tasks started" in str(outcome.warnings)


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
        ({"count": 0}, "count is 0: ECS starts 1 to 10 tasks a call"),
        ({"count": 11}, "count is 11"),
        ({"capacity_timeout": -5}, "capacity_timeout is -5.0: it must be 0 or more seconds"),
        ({"wait_timeout": -5}, "wait_timeout is -5.0"),
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


def test_an_inactive_definition_is_refused() -> None:
    inactive = {"taskDefinition": {**DEFINITION["taskDefinition"], "status": "INACTIVE"}}
    outcome, aws = run(DescribeTaskDefinition=[inactive])
    assert outcome.failed
    assert "the task definition is INACTIVE" in outcome.msg
    assert aws.writes == []


@given(run_id=st.text(min_size=1, max_size=300), attempt=st.integers(1, 40))
def test_marks_and_tokens_are_what_aws_takes(run_id: str, attempt: int) -> None:
    mark, token = started_by(run_id), client_token(run_id, attempt)
    assert len(mark) <= 128
    assert set(mark) <= set(string.ascii_letters + string.digits + "-_/")
    assert 1 <= len(token) <= 64
    assert all(33 <= ord(letter) <= 126 for letter in token)
    assert started_by(run_id) == mark
    assert client_token(run_id, attempt) == token


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
