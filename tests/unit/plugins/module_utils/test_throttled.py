"""A call that AWS throttles waits for its turn, and says so."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import botocore.endpoint
import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs import throttled
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.throttled import wait_for_its_turn
from ansible_collections.wwhd.qdrant_ops.plugins.modules import ecs_mounts_info, ecs_task_definition
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, run_module
from ansible_collections.wwhd.qdrant_ops.tests.unit.recorded_aws import Fault, RecordedAws

RATE = Fault("ThrottlingException", "Rate exceeded")
DEFINITION = {"family": "f", "containerDefinitions": [{"name": "c", "image": "i", "memory": 128}]}
MOUNTS = {"file_system_id": "fs-0123456789abcdef0", "clusters": ["c"]}


def answer(code: str) -> tuple[Any, dict[str, Any]]:
    return SimpleNamespace(status_code=400), {"Error": {"Code": code}}


class Call:
    def __init__(self) -> None:
        self.clock, self.context = FakeClock(), {"context": {}}

    def throttled(self, code: str = "ThrottlingException") -> float | None:
        return wait_for_its_turn(
            answer(code),
            SimpleNamespace(name="RegisterTaskDefinition"),
            self.context,
            lambda: self.clock.now,
            attempts=3,
        )


@pytest.mark.parametrize(
    "response",
    [None, (None, {}), answer("AccessDeniedException"), answer("ServerException"), answer("LimitExceededException")],
    ids=["lost", "good", "denied", "server", "limit of another kind"],
)
def test_only_a_throttled_call_waits(response: Any) -> None:
    assert wait_for_its_turn(response, SimpleNamespace(name="RunTask"), {"context": {}}) is None


def test_it_waits_for_minutes_and_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    call, said, pauses = Call(), [], []
    monkeypatch.setattr(throttled, "say", said.append)
    while (pause := call.throttled()) is not None:
        pauses.append(pause)
        call.clock.now += pause
    assert throttled._PATIENCE <= call.clock.now < throttled._PATIENCE * 2
    assert throttled._PAUSE[0] <= pauses[0] <= throttled._PAUSE[1]
    assert pauses[-1] > 5 * throttled._PAUSE[1]
    assert said == ["AWS limits how often an account may call RegisterTaskDefinition: waiting for a turn"]


def test_a_short_throttle_is_not_worth_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    call, said = Call(), []
    monkeypatch.setattr(throttled, "say", said.append)
    call.throttled()
    call.clock.now += throttled._TOLD_AFTER / 2
    call.throttled()
    assert said == []


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """botocore's pauses, which last no time."""
    slept: list[float] = []
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=slept.append))
    return slept


def test_a_module_outlasts_more_throttling_than_botocore_does(pauses: list[float]) -> None:
    answers = {"ecs:ListTasks": [*[RATE] * 12, {"taskArns": []}]}
    with RecordedAws(answers) as aws:
        outcome = run_module(ecs_mounts_info.main, {**MOUNTS, "aws_config": {}}, aws=aws)
    assert not outcome.failed, outcome.msg
    assert len(aws.operations) == 12 + 2
    assert len(pauses) == 12


def test_a_call_that_is_never_repeated_blindly_is_repeated_when_it_was_throttled(pauses: list[float]) -> None:
    """It has done nothing: nobody need look what came of it."""
    absent = Fault("ClientException", "Unable to describe task definition.")
    made = {"taskDefinition": {**DEFINITION, "taskDefinitionArn": "arn:aws:ecs:us-west-2:1:task-definition/f:1"}}
    answers = {"ecs:DescribeTaskDefinition": [absent], "ecs:RegisterTaskDefinition": [*[RATE] * 8, made]}
    with RecordedAws(answers) as aws:
        outcome = run_module(ecs_task_definition.main, {"definition": DEFINITION, "aws_config": {}}, aws=aws)
    assert outcome.changed, outcome.msg
    assert aws.operations.count("ecs:RegisterTaskDefinition") == 9
    assert aws.operations.count("ecs:DescribeTaskDefinition") == 1
    assert len(pauses) == 8


def test_who_sets_the_number_of_attempts_gets_that_number(pauses: list[float]) -> None:
    with RecordedAws({"ecs:ListTasks": [RATE]}) as aws:
        config = {"retries": {"mode": "standard", "total_max_attempts": 3}}
        outcome = run_module(ecs_mounts_info.main, {**MOUNTS, "aws_config": config}, aws=aws, clock=FakeClock())
    assert outcome.failed
    assert len(aws.operations) % 3 == 0
