# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guard: what modules look at right before a step that cannot be taken back, and what they do if it is not so."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.modules import ecs_run_oneoff, ecs_wait_task
from ansible_collections.wwhd.qdrant_ops.tests.unit.aws_world import (
    CLUSTER,
    DEFINITION,
    SERVICE,
    World,
    definition,
    task,
    task_arn,
)
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, Outcome, run_module
from ansible_collections.wwhd.qdrant_ops.tests.unit.recorded_aws import Fault, RecordedAws

FILE_SYSTEM = "fs-00b8168893587fd61"
CLAIM = {"wwhd.qdrant_ops:claim:unlock-1": "ann"}
GUARD = {
    "service": SERVICE,
    "tags": CLAIM,
    "desired_count": 0,
    "file_system_id": FILE_SYSTEM,
    "clusters": [CLUSTER],
    "own": "unlock-1",
}
CLEANER: dict[str, Any] = {"group": "family:wwhd-backend", "started_by": "unlock-1-abc"}
NETWORK = {"subnets": ["subnet-677d281e"]}


def ours(*tasks: dict[str, Any], desired: int = 0) -> World:
    world = World(desired=desired, tasks=tasks, balanced=False)
    world.service["tags"] = [{"key": key, "value": value} for key, value in CLAIM.items()]
    return world


def somebody_raises(world: World) -> None:
    world.service["desiredCount"] = 1


def somebody_starts(world: World) -> None:
    world.tasks = [*world.tasks, task(5, group="family:backup", started_by="bob")]


def somebody_takes_over(world: World) -> None:
    world.service["tags"] = [{"key": "wwhd.qdrant_ops:claim:unlock-2", "value": "bob since x until y"}]


CHANGES = [
    (somebody_raises, "its desired count is 1, expected 0"),
    (somebody_starts, "Other live tasks mount the file system fs-00b8168893587fd61"),
    (somebody_takes_over, "is absent, expected ann; it is claimed by unlock-2, by bob, since x"),
]


def run_oneoff(world: World, clock: FakeClock | None = None, **args: Any) -> tuple[Outcome, RecordedAws]:
    world.overrides.setdefault("ecs:RunTask", [{"tasks": [task(9, last="PROVISIONING", **CLEANER)], "failures": []}])
    given = {"cluster": CLUSTER, "task_definition": DEFINITION, "network_configuration": NETWORK, "run_id": "unlock-1"}
    with RecordedAws(world.script()) as aws:
        return run_module(
            ecs_run_oneoff.main, {**given, "guard": GUARD, **args}, aws=aws, clock=clock or FakeClock()
        ), aws


def test_a_task_runs_where_all_is_as_it_must_be() -> None:
    """The run's own cleaner, and a task that has ended, are nobody else's."""
    outcome, aws = run_oneoff(ours(task(7, **CLEANER), task(8, last="STOPPED", desired="STOPPED")))
    assert not outcome.failed, outcome.msg
    assert [call.operation for call in aws.writes] == ["ecs:RunTask"]


def test_a_run_that_waits_looks_on_while_its_task_runs() -> None:
    world = ours(task(9, **CLEANER))
    clock = FakeClock()

    def stopped(params: dict[str, Any]) -> dict[str, Any]:
        world.tasks = [task(9, last="STOPPED", desired="STOPPED", exits={"fastapi": 137, "qdrant": 137}, **CLEANER)]
        return {}

    world.overrides["ecs:StopTask"] = [stopped]
    clock.at(8, lambda: somebody_raises(world))
    outcome, aws = run_oneoff(world, clock, wait=True)
    assert outcome.failed
    assert "its desired count is 1, expected 0" in outcome.msg
    assert outcome.result["stopped"] == [task_arn(9)]
    assert aws.params("ecs:StopTask")[0]["reason"].startswith("wwhd.qdrant_ops.ecs_run_oneoff stopped it")


@pytest.mark.parametrize(("change", "said"), CHANGES)
def test_a_task_is_not_run_where_anything_is_otherwise(change: Any, said: str) -> None:
    world = ours()
    change(world)
    outcome, aws = run_oneoff(world)
    assert outcome.failed
    assert "Did not run" in outcome.msg
    assert said in outcome.msg
    assert aws.writes == []


def test_it_is_looked_at_again_before_each_attempt() -> None:
    """Room came only after minutes, and meanwhile somebody started the service."""
    world, clock = ours(), FakeClock()
    world.overrides["ecs:RunTask"] = [{"tasks": [], "failures": [{"reason": "Capacity is unavailable at this time."}]}]
    clock.at(30, lambda: somebody_raises(world))
    outcome, aws = run_oneoff(world, clock, capacity_timeout=600)
    assert outcome.failed
    assert "its desired count is 1, expected 0" in outcome.msg
    assert 30 <= clock.now < 60
    assert len(aws.params("ecs:RunTask")) > 1


def wait(world: World, clock: FakeClock, stop: Fault | None = None, **args: Any) -> tuple[Outcome, RecordedAws]:
    def end(params: dict[str, Any]) -> dict[str, Any]:
        gone = task(9, last="STOPPED", desired="STOPPED", stopCode="UserInitiated", **CLEANER)
        world.tasks = [gone, *(t for t in world.tasks if t["taskArn"] != gone["taskArn"])]
        return {"task": gone}

    world.overrides["ecs:StopTask"] = [stop or end]
    given = {"cluster": CLUSTER, "tasks": [task_arn(9)], "guard": GUARD, "timeout": 300, "logs": False}
    with RecordedAws(world.script()) as aws:
        return run_module(ecs_wait_task.main, {**given, **args}, aws=aws, clock=clock), aws


@pytest.mark.parametrize("state", ["PROVISIONING", "PENDING", "ACTIVATING", "RUNNING"])
@pytest.mark.parametrize(("change", "said"), CHANGES)
def test_a_task_that_waits_or_works_is_stopped_when_anything_changes(change: Any, said: str, state: str) -> None:
    world, clock = ours(task(9, last=state, containers="PENDING", **CLEANER)), FakeClock()
    clock.at(60, lambda: change(world))
    outcome, aws = wait(world, clock)
    assert outcome.failed
    assert said in outcome.msg
    assert outcome.result["stopped"] == [task_arn(9)]
    assert [call.operation for call in aws.writes] == ["ecs:StopTask"]
    assert 60 <= clock.now < 75


def test_it_is_looked_at_right_before_the_containers_start() -> None:
    """Not only every few seconds: what began within the last one is seen before the cleaner may remove anything."""
    world, clock = ours(task(9, last="PENDING", containers="PENDING", **CLEANER)), FakeClock()

    def activate() -> None:
        somebody_raises(world)
        world.tasks = [task(9, last="ACTIVATING", containers="PENDING", **CLEANER)]

    clock.at(1.0, activate)
    outcome, _aws = wait(world, clock)
    assert outcome.failed
    assert clock.now <= 4


def test_a_definition_is_read_once_however_often_it_is_looked_at() -> None:
    world, clock = ours(task(9, last="RUNNING", **CLEANER)), FakeClock()
    done = task(9, last="STOPPED", desired="STOPPED", exits={"fastapi": 0, "qdrant": 0}, **CLEANER)
    clock.at(60, world.set_tasks(done))
    outcome, aws = wait(world, clock)
    assert not outcome.failed, outcome.msg
    # To know which containers are essential; the guard need not know what this run's own task mounts.
    assert aws.operations.count("ecs:DescribeTaskDefinition") == 1
    # At once, and each 10 s.
    assert aws.operations.count("ecs:DescribeServices") == 6


@pytest.mark.parametrize("refused", [False, True])
def test_a_task_that_nobody_can_look_at_any_more_is_stopped(refused: bool) -> None:
    """AWS answers nothing for longer than a wait tolerates: the call that stops it may still get through."""
    world, clock = ours(task(9, last="RUNNING", **CLEANER)), FakeClock()
    trouble = Fault("ThrottlingException", "it is too much")
    answer: Any = world.script()["ecs:DescribeTasks"][0]
    world.overrides["ecs:DescribeTasks"] = [lambda params: answer(params) if clock.now < 30 else trouble]
    outcome, aws = wait(world, clock, stop=trouble if refused else None)
    assert outcome.failed
    assert "it is too much" in outcome.msg
    assert outcome.result["stopped"] == ([] if refused else [task_arn(9)])
    assert ("Could not stop task" in outcome.msg) is refused
    assert {call.operation for call in aws.writes} == {"ecs:StopTask"}


def test_a_task_that_has_ended_is_not_held_against_the_guard() -> None:
    world = ours(task(9, last="STOPPED", desired="STOPPED", exits={"fastapi": 0, "qdrant": 0}, **CLEANER))
    somebody_raises(world)
    outcome, aws = wait(world, FakeClock())
    assert not outcome.failed, outcome.msg
    assert aws.writes == []


def test_a_look_without_a_claim_or_a_file_system_is_refused() -> None:
    outcome, aws = run_oneoff(ours(), guard={"own": "unlock-1"})
    assert outcome.failed
    assert "one of the following is required: service, file_system_id" in outcome.msg
    assert aws.calls == []


def test_the_worlds_definition_mounts_what_the_guard_looks_for() -> None:
    """Or else nothing here could be found."""
    assert FILE_SYSTEM in str(definition()["volumes"])


def test_the_first_look_after_a_start_is_not_the_one_before_it_again() -> None:
    """What was looked at right before RunTask is looked at again after a while, and before containers act."""
    world, clock = ours(task(9, last="PROVISIONING", **CLEANER)), FakeClock()
    clock.at(12, world.set_tasks(task(9, last="RUNNING", **CLEANER)))
    done = task(9, last="STOPPED", desired="STOPPED", exits={"fastapi": 0, "qdrant": 0}, **CLEANER)
    clock.at(16, world.set_tasks(done))
    outcome, aws = run_oneoff(world, clock, run_id="unlock-1-new", wait=True, logs=False)
    assert not outcome.failed, outcome.msg
    started = aws.operations.index("ecs:RunTask")
    assert aws.operations[started - 4 : started].count("ecs:ListTasks") == 2
    after = aws.operations[started + 1 :]
    assert after[:2] == ["ecs:DescribeTasks", "ecs:DescribeTasks"]
    # Its service at 10 s, and all of it when the task runs; of tasks it describes no more than its own.
    assert (after.count("ecs:DescribeServices"), after.count("ecs:ListTasks")) == (2, 2)
    assert all(params["tasks"] == [task_arn(9)] for params in aws.params("ecs:DescribeTasks")[-4:])


OWN = {**CLEANER, "started_by": "unlock-1"}


def test_what_a_run_has_started_is_found_among_what_the_guard_looks_at() -> None:
    """Its look at the whole cluster, right before anything is started, lists the run's own tasks as well."""
    world = ours(task(8, last="STOPPED", desired="STOPPED"))
    outcome, aws = run_oneoff(world)
    assert not outcome.failed, outcome.msg
    assert aws.operations[-5:] == [
        "ecs:DescribeServices", "ecs:ListTasks", "ecs:ListTasks", "ecs:DescribeTasks", "ecs:RunTask",
    ]  # fmt: skip
    assert [params for params in aws.params("ecs:ListTasks") if "startedBy" in params] == []
    outcome, aws = run_oneoff(ours(task(7, **OWN), task(8, last="STOPPED", desired="STOPPED")))
    assert not outcome.failed, outcome.msg
    assert (outcome.result["reattached"], outcome.result["task_arn"]) == (True, task_arn(7))
    assert aws.writes == []


def test_a_guard_that_does_not_look_at_the_tasks_own_cluster_finds_nothing_of_the_run() -> None:
    world = ours(task(7, **OWN))
    outcome, aws = run_oneoff(world, guard={**GUARD, "cluster": CLUSTER, "clusters": ["another"]})
    assert outcome.result["reattached"] is True, outcome.msg
    assert any("startedBy" in params for params in aws.params("ecs:ListTasks"))


@pytest.mark.parametrize("state", ["PROVISIONING", "RUNNING"])
@pytest.mark.parametrize("told", [True, False])
def test_what_was_started_already_is_stopped_where_the_guard_is_against_it(told: bool, state: str) -> None:
    """Not only left to go on beside a failed module: also where it cannot be told whether all is as it must be."""
    world, clock = ours(task(7, last=state, **OWN)), FakeClock()

    def end(params: dict[str, Any]) -> dict[str, Any]:
        world.tasks = [task(7, last="STOPPED", desired="STOPPED", stopCode="UserInitiated", **OWN)]
        return {"task": world.tasks[0]}

    world.overrides["ecs:StopTask"] = [end]
    if told:
        somebody_raises(world)
    else:
        world.overrides["ecs:DescribeServices"] = [Fault("AccessDeniedException", "not for you")]
    outcome, aws = run_oneoff(world, clock, wait=True, logs=False)
    assert outcome.failed
    assert clock.now < 1
    assert ("its desired count is 1, expected 0" if told else "not for you") in outcome.msg
    assert outcome.result["stopped"] == [task_arn(7)]
    assert [call.operation for call in aws.writes] == ["ecs:StopTask"]


def test_nothing_is_started_where_the_guard_cannot_look() -> None:
    world = ours()
    world.overrides["ecs:DescribeServices"] = [Fault("AccessDeniedException", "not for you")]
    outcome, aws = run_oneoff(world)
    assert outcome.failed
    assert "not for you" in outcome.msg
    assert aws.writes == []


def test_what_was_looked_at_before_a_batch_settled_is_looked_at_again() -> None:
    """One of three is there: the rest may be on its way, which takes seconds in which somebody may come."""
    world, clock = ours(task(7, **OWN)), FakeClock()
    clock.at(3, lambda: somebody_raises(world))
    outcome, aws = run_oneoff(world, clock, count=3)
    assert outcome.failed
    assert "its desired count is 1, expected 0" in outcome.msg
    assert aws.operations.count("ecs:DescribeServices") == 2
    assert aws.writes == []
