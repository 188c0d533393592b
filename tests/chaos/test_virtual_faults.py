# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each fault of AWS comes to: what can be retried is, without doing anything twice; the rest fails with its cause
and remedy, the service is put back, and the next run ends well."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chaos.virtual.controller import Controller, controller
from chaos.virtual.operators import Killed
from chaos.virtual.role import Played
from chaos.virtual.transport import Call
from chaos.virtual.world import SWITCHES

from sandbox.ecs import task_api

FAMILY = "clear-qdrant-locks"
SCALING = (1, 3, {**dict.fromkeys(SWITCHES, False), "ScheduledScalingSuspended": True})
WRITES = [
    "TagResource",
    "RegisterScalableTarget",
    "UpdateService",
    "RegisterTaskDefinition",
    "RunTask",
    "UntagResource",
]
SERVICES = {"RegisterScalableTarget": "application-autoscaling"}


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Controller]:
    with controller(tmp_path) as made:
        made.world.seed()
        made.world.set_scaling(*SCALING)
        yield made
        assert made.world.witness.broken == []
        assert made.world.engine.trouble == []


def outcome(played: Played) -> str:
    result: dict[str, Any] = played.facts.get("qdrant_unlock_result") or {}
    return str(result.get("outcome"))


def as_it_was(operator: Controller) -> bool:
    world = operator.world
    return (world.service.desired, world.scaling(), world.tags_left()) == (1, SCALING, [])


def ends_well(operator: Controller) -> None:
    """The next run, with nothing in its way."""
    operator.world.faults.clear()
    operator.world.advance(3 * 3600.0, tick=30.0)
    played = operator.unlock("next", when="always")
    assert outcome(played) == "unlocked", played.msg
    assert as_it_was(operator)
    assert operator.world.service.steady


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "throttle", "count": 2},
        {"kind": "error", "count": 2},
        {"kind": "reset_before", "count": 2},
        {"kind": "reset_after", "count": 1},
        {"kind": "reset_after", "count": 2},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault['count']}",
)
def test_a_call_that_fails_or_is_lost_is_made_again_and_happens_once(
    operator: Controller, operation: str, fault: dict[str, Any]
) -> None:
    operator.world.faults.add(**fault, match={"service": SERVICES.get(operation, "ecs"), "operation": operation})
    played = operator.unlock("1", when="always")
    assert outcome(played) == "unlocked", played.msg
    assert as_it_was(operator)
    # The seeded task and one more: no second deployment. One cleaner, of one revision.
    assert (operator.world.witness.stores, operator.world.witness.cleaners) == (2, 1)
    definitions = operator.world.engine.definitions_of("us-west-2")
    assert definitions.find(f"{FAMILY}:1") is not None
    assert definitions.find(f"{FAMILY}:2") is None


@pytest.mark.parametrize("fault", [{"kind": "error", "code": "ServerException"}, {"kind": "reset_before"}])
def test_an_outage_of_a_minute_is_waited_out_in_the_middle_of_every_wait(
    operator: Controller, fault: dict[str, Any]
) -> None:
    """Not one lost answer, but none for a while: longer than botocore itself tries."""
    began: dict[str, float] = {}

    def before(call: Call) -> None:
        world = operator.world
        if call.operation in ("UpdateService", "RunTask") and call.operation not in began:
            began[call.operation] = world.clock.now()
        start = max(began.values(), default=None)
        world.faults.clear()
        if start is not None and 2 < world.clock.now() - start < 60 and call.operation.startswith(("Describe", "List")):
            world.faults.add(**fault)

    operator.around(before=before)
    played = operator.unlock("1", when="always")
    operator.around()
    assert set(began) == {"UpdateService", "RunTask"}
    assert outcome(played) == "unlocked", played.msg
    assert as_it_was(operator)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            {"kind": "run_task_failures", "reason": "RESOURCE:ENI", "count": None},
            ["ECS started no task", "RESOURCE:ENI"],
        ),
        (
            {"kind": "run_task_failures", "reason": "AGENT", "count": None},
            ["ECS started no task", "AGENT"],
        ),
        (
            {"kind": "capacity", "count": None, "match": {"family": FAMILY}},
            ["Capacity is unavailable at this time", "availability zones", "capacity_timeout"],
        ),
        ({"kind": "mount", "variant": "timeout"}, ["Connection timed out", "2049"]),
        ({"kind": "mount", "variant": "denied"}, ["access denied by server", "task role"]),
        ({"kind": "mount", "variant": "missing"}, ["No such file or directory"]),
        ({"kind": "mount", "variant": "unresolved"}, ["mount target"]),
        ({"kind": "pull", "variant": "missing"}, ["CannotPullContainerError", "tag"]),
        ({"kind": "pull", "variant": "denied"}, ["CannotPullContainerError"]),
        ({"kind": "pull", "variant": "rate_limit"}, ["pull rate limit", "Mirror the image into ECR"]),
        ({"kind": "pull", "variant": "no_route"}, ["i/o timeout"]),
        ({"kind": "pull", "variant": "platform"}, ["linux/amd64"]),
        ({"kind": "no_exit_code", "count": None}, ["has no exit code"]),
    ],
    ids=lambda value: "-".join(str(v) for v in value.values() if isinstance(v, str)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_cured_fails_with_cause_and_remedy_and_the_service_is_put_back(
    operator: Controller, fault: dict[str, Any], said: list[str]
) -> None:
    operator.world.faults.add(**{"match": {"family": FAMILY}, **fault})
    played = operator.unlock("1", when="always")
    assert outcome(played) == "failed"
    for text in said:
        assert text in played.msg
    assert "The service is restored: desired count 1, autoscaling and tags as they were." in played.msg
    assert as_it_was(operator)
    ends_well(operator)


def test_room_that_comes_back_after_a_while_is_waited_for(operator: Controller) -> None:
    operator.world.faults.add("capacity", count=4, match={"family": FAMILY})
    assert outcome(operator.unlock("1", when="always")) == "unlocked"
    assert as_it_was(operator)


@pytest.mark.parametrize(
    ("service", "operation", "said"),
    [
        ("ecs", "TagResource", "Allow ecs:TagResource"),
        ("application-autoscaling", "RegisterScalableTarget", "Allow application-autoscaling:RegisterScalableTarget"),
        ("ecs", "UpdateService", "Allow ecs:UpdateService"),
        ("ecs", "RegisterTaskDefinition", "Allow ecs:RegisterTaskDefinition"),
        ("ecs", "RunTask", "Allow ecs:RunTask"),
        ("ecs", "UntagResource", "Allow ecs:UntagResource"),
        ("ecs", "ListTasks", "Allow ecs:ListTasks"),
    ],
)
def test_a_right_that_is_missing_is_named(operator: Controller, service: str, operation: str, said: str) -> None:
    operator.world.faults.add("access_denied", match={"service": service, "operation": operation})
    played = operator.unlock("1", when="always")
    assert outcome(played) == "failed" or played.failed
    assert said in played.msg
    ends_well(operator)


def test_a_cleaner_that_cannot_be_registered_stops_nothing(operator: Controller) -> None:
    made: list[str] = []

    def before(call: Call) -> None:
        made.append(call.operation)

    operator.world.faults.add("access_denied", match={"service": "ecs", "operation": "RegisterTaskDefinition"})
    operator.around(before=before)
    played = operator.unlock("1", when="always")
    operator.around()
    assert outcome(played) == "failed"
    assert "Nothing had been changed" in played.msg
    assert not {"UpdateService", "TagResource"} & set(made)
    assert as_it_was(operator)


def test_a_stopped_service_whose_cleaner_cannot_be_registered_is_put_back(operator: Controller) -> None:
    """What an earlier run has left stopped is this one's to put back, whatever it fails at."""
    assert not operator.unlock("1", entry="stop").failed
    operator.world.faults.add("access_denied", match={"service": "ecs", "operation": "RegisterTaskDefinition"})
    played = operator.unlock("2", entry="start", takeover=True)
    assert outcome(played) == "failed"
    assert "The service is restored" in played.msg
    assert as_it_was(operator)


@pytest.mark.parametrize("operation", ["UpdateService", "RunTask", "DescribeTasks"])
def test_credentials_that_expire_on_the_way_are_told_and_the_next_run_finishes(
    operator: Controller, operation: str
) -> None:
    def before(call: Call) -> None:
        if call.operation == operation and operator.world.service.desired == (1 if operation == "UpdateService" else 0):
            operator.world.faults.add("expired")

    operator.around(before=before)
    played = operator.unlock("1", when="always")
    operator.around()
    assert outcome(played) == "failed"
    assert "The credentials have expired: sign in again and repeat the run" in played.msg
    assert "Restoring failed too" in played.msg
    assert "Run this again" in played.msg
    ends_well(operator)


def test_a_task_that_is_gone_is_not_taken_for_a_success(operator: Controller) -> None:
    operator.world.faults.add("task_gone", match={"family": FAMILY})
    played = operator.unlock("1", when="always")
    assert outcome(played) == "failed"
    assert "MISSING" in played.msg
    ends_well(operator)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"kind": "logs_late", "seconds": 20}, "lock file"),
        ({"kind": "logs_never"}, "The cleaner's report did not arrive in its log, so the locks cannot be listed."),
    ],
)
def test_logs_that_come_late_or_never_decide_nothing(operator: Controller, fault: dict[str, Any], said: str) -> None:
    operator.world.faults.add(**fault, match={"family": FAMILY})
    played = operator.unlock("1", when="always")
    assert outcome(played) == "unlocked", played.msg
    assert said in " ".join(played.facts["qdrant_unlock_result"]["summary"])
    assert as_it_was(operator)


@pytest.mark.parametrize("moment", ["DescribeTaskDefinition", "RunTask", "GetLogEvents"])
def test_a_service_that_somebody_starts_in_the_middle_stops_the_run(operator: Controller, moment: str) -> None:
    """An alarm, or a pipeline: a cleaner that has not begun yet must not work beside a store."""
    raised: list[str] = []

    def after(call: Call) -> None:
        if call.operation == moment and operator.world.service.desired == 0 and not raised:
            raised.append(moment)
            operator.world.raise_count()

    operator.around(after=after)
    played = operator.unlock("1", when="always")
    operator.around()
    assert raised
    assert outcome(played) == "failed"
    assert "its desired count is 1, expected 0" in played.msg
    assert operator.world.service.desired == 1
    ends_well(operator)


def test_a_cleaner_that_was_told_to_stop_is_waited_for_and_not_taken_for_ones_own(operator: Controller) -> None:
    """The run that started it was killed, and somebody has stopped its cleaner, which has not ended yet."""

    def killed(call: Call) -> None:
        if call.operation == "RunTask":
            raise Killed

    operator.world.break_stale(lease=600.0)
    operator.around(after=killed)
    assert isinstance(operator.run({"1": lambda: operator.unlock("1", held_timeout=900)})["1"], Killed)
    operator.around()
    engine = operator.world.engine
    cleaner = next(task for task in engine.tasks.values() if task.definition.family == FAMILY)
    operator.world.until(lambda: cleaner.last_status == "RUNNING", "the cleaner waits for the lock")
    steps: list[str] = []

    def step(name: str) -> None:
        steps.append(name)
        # The guard's look once all has stopped; the one before that is the look at the service itself.
        if steps.count("wwhd.qdrant_ops.ecs_mounts_info") == 1 and not cleaner.stop_code:
            task_api.stop(engine, "us-west-2", {"cluster": cleaner.cluster.name, "task": cleaner.arn})

    operator.step = step
    played = operator.unlock("2", held_timeout=900, takeover=True)
    assert steps.count("wwhd.qdrant_ops.ecs_wait_task") == 1
    assert outcome(played) == "unlocked", played.msg
    assert operator.world.witness.cleaners == 2
    assert as_it_was(operator)


def test_of_two_who_start_at_the_same_moment_one_works_and_the_other_is_told(tmp_path: Path) -> None:
    """Whichever call of one meets whichever of the other: the order is drawn by the seed."""
    told = []
    for seed in range(12):
        (tmp_path / str(seed)).mkdir()
        with controller(tmp_path / str(seed), seed=seed) as operator:
            operator.world.seed()
            played = operator.run(
                {name: functools.partial(operator.unlock, name, when="always") for name in ("ann", "bob")}
            )
            assert operator.world.witness.broken == []
            outcomes = sorted((outcome(one), name) for name, one in played.items())
            assert outcomes[-1][0] == "unlocked", {name: one.msg for name, one in played.items()}
            loser = played[outcomes[0][1]]
            if loser.failed:
                told.append(loser.msg)
                assert f"by awx-job-{outcomes[-1][1]}, since 20" in loser.msg
            assert operator.world.tags_left() == []
            assert operator.world.service.desired == 1
    assert len(told) >= 6
