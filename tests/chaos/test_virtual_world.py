# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual world itself: that the witness sees what it is there for, and that faults and kills are what they say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chaos.virtual.chaos import happen
from chaos.virtual.controller import Controller, controller
from chaos.virtual.files import LOCKS
from chaos.virtual.operators import Killed
from chaos.virtual.stories import Story, Trouble
from chaos.virtual.transport import CONNECTION, Call

from ansible_collections.wwhd.qdrant_ops.plugins.modules import ecs_service_scale
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import Outcome, run_module
from sandbox import world as names
from sandbox.ecs import scheduler, service_api, task_api


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Controller]:
    with controller(tmp_path) as made:
        yield made
        assert made.world.engine.trouble == []


def scale(operator: Controller, count: int, **more: Any) -> Outcome:
    arguments = {**CONNECTION, "cluster": names.CLUSTER, "service": names.SERVICE, "desired_count": count, **more}
    return run_module(ecs_service_scale.main, arguments, clock=operator.clock)


def run_script(operator: Controller, script: str, **environment: str) -> None:
    """A task of a family of its own, whose only container runs this on the store."""
    definition = names.definition() | {"family": "script", "cpu": "256", "memory": "512"}
    told = {"CLEANER_MODE": "unlock", "CLEANER_HELD": "fail", **environment}
    definition["containerDefinitions"] = [
        {
            "name": "script", "image": "alpine:3.20", "essential": True, "command": ["sh", "-c", script],
            "environment": [{"name": name, "value": value} for name, value in told.items()],
            "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}],
        }
    ]  # fmt: skip
    engine = operator.world.engine
    engine.definitions_of(names.REGION).register(definition)
    task_api.run(
        engine, names.REGION,
        {"cluster": names.CLUSTER, "taskDefinition": "script", "launchType": "FARGATE",
         "networkConfiguration": names.network_configuration()},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("script", "environment", "seen"),
    [
        (f"rm -f /data/{LOCKS[0]}", {}, "removed LOCK, which somebody held"),
        (f"rm -f /data/{LOCKS[0]}", {"CLEANER_HELD": "delete"}, ""),
        ("rm -f /data/stale.lock", {}, ""),
        ("rm -f /data/raft_state.json", {}, "changed raft_state.json"),
        ("echo x >> /data/app.db", {}, "changed app.db"),
        ("touch /data/new", {}, "changed new"),
        ("rm -f /data/stale.lock", {"CLEANER_MODE": "inspect"}, "changed stale.lock"),
    ],
)
def test_the_witness_sees_what_a_cleaner_does(
    operator: Controller, script: str, environment: dict[str, str], seen: str
) -> None:
    operator.world.seed()
    run_script(operator, script, **environment)
    operator.world.advance(60)
    told = " ".join(operator.world.witness.broken)
    assert seen in told
    assert bool(told) == bool(seen)


def test_the_witness_sees_two_cleaners_and_a_cleaner_beside_the_operators_store(operator: Controller) -> None:
    operator.world.seed(desired=0)
    operator.world.locks.take(operator.world.data / LOCKS[0])
    for _turn in range(2):
        run_script(operator, "true", CLEANER_HELD="wait", CLEANER_HELD_TIMEOUT="600")
    operator.world.advance(30)
    assert ["second cleaner" in told for told in operator.world.witness.broken] == [True]
    assert not scale(operator, 1, wait=False).failed
    operator.world.advance(30)
    assert "a store was started by an operator beside a live cleaner" in operator.world.witness.broken[1]


@pytest.mark.parametrize(("ours", "seen"), [(True, ["second store"]), (False, [])])
def test_the_witness_tells_our_second_store_from_that_of_others(
    operator: Controller, ours: bool, seen: list[str]
) -> None:
    world = operator.world
    world.seed(deregistration_delay=300)
    assert not scale(operator, 0, wait=False).failed
    world.advance(5)
    if ours:
        assert not scale(operator, 1, wait=False).failed
    else:
        world.raise_count()
    world.advance(60)
    assert ["second store" for told in world.witness.broken if "second store" in told][:1] == seen
    assert bool(world.witness.foreign_overlaps) is not ours


def test_a_service_knows_its_tasks_until_they_are_forgotten(operator: Controller) -> None:
    world = operator.world
    world.seed(deregistration_delay=1)
    world.engine.settings.stopped_kept = 60
    (task,) = world.engine.tasks_of(world.service)
    assert not scale(operator, 0, wait=False).failed
    world.advance(50)
    assert task.over and world.engine.tasks_of(world.service) == [task]
    world.advance(60)
    assert world.engine.tasks_of(world.service) == []
    assert task.arn not in world.engine.tasks


def test_a_store_that_meets_a_held_lock_panics_and_lets_go(operator: Controller) -> None:
    world = operator.world
    world.seed()
    world.break_stale(lease=600)
    failed = [task for task in world.engine.tasks.values() if task.stop_code == "EssentialContainerExited"]
    assert {run.exit_code for run in failed[0].containers if run.name == "qdrant"} == {101}
    assert "Resource temporarily unavailable" in " ".join(line for run in failed[0].containers for line in run.lines)
    assert {lock.ends_at is not None for lock in world.locks.held()} == {True}
    world.advance(900)
    assert world.service.steady


@pytest.mark.parametrize(
    ("kind", "requests", "desired", "failed"),
    [
        ("throttle", 2, 0, False),
        ("reset_before", 2, 0, False),
        ("reset_after", 1, 0, False),  # it took effect, is seen to have done so, and is not made again
        ("error", 2, 0, False),
        ("access_denied", 1, 1, True),
    ],
)
def test_a_fault_at_one_call_is_what_it_would_be_over_http(
    operator: Controller, kind: str, requests: int, desired: int, failed: bool
) -> None:
    world = operator.world
    world.seed()
    world.faults.add(kind, count=1, match={"operation": "UpdateService"})
    seen: list[str] = []
    operator.around(before=lambda call: seen.append(call.operation))
    outcome = scale(operator, 0, wait=False)
    assert (outcome.failed, seen.count("UpdateService"), world.service.desired) == (failed, requests, desired)


@pytest.mark.parametrize(("when", "desired"), [("before", 1), ("after", 0)])
def test_a_kill_comes_before_or_after_the_effect(operator: Controller, when: str, desired: int) -> None:
    operator.world.seed()

    def kill(call: Call) -> None:
        if call.operation == "UpdateService":
            raise Killed

    operator.around(**{when: kill})
    outcome = operator.run({"1": lambda: scale(operator, 0)})["1"]
    assert isinstance(outcome, Killed)
    assert operator.world.service.desired == desired


def test_operators_take_turns_and_time_passes_only_when_all_sleep(operator: Controller) -> None:
    order: list[tuple[str, float]] = []
    begun = operator.world.clock.now()

    def work(name: str, pause: float) -> None:
        for _turn in range(3):
            order.append((name, operator.world.clock.now() - begun))
            operator.operators.pause(pause)

    operator.run({"slow": lambda: work("slow", 10), "quick": lambda: work("quick", 4)})
    assert [entry for entry in order if entry[0] == "slow"] == [("slow", 0), ("slow", 10), ("slow", 20)]
    assert [entry for entry in order if entry[0] == "quick"] == [("quick", 0), ("quick", 4), ("quick", 8)]
    assert operator.world.clock.now() - begun == 30


def test_the_shortest_pause_moves_the_clock(operator: Controller) -> None:
    operator.world.advance(100_000)
    for work in (
        operator.operators.pause,
        lambda seconds: operator.run({"1": lambda: operator.operators.pause(seconds)}),
    ):
        before = operator.world.clock.now()
        work(1e-13)
        assert operator.world.clock.now() > before


def test_the_same_seed_tells_the_same_story(tmp_path: Path) -> None:
    story = Story(options=({"when": "always"}, {"when": "always"}), troubles=(Trouble("kill_after", 30),))
    calls = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        calls.append(happen(tmp_path / name, story, seed=7).calls)
    assert calls[0] == calls[1]
    assert len(calls[0]) > 70


def test_a_pipelines_count_is_not_an_operators(operator: Controller) -> None:
    operator.world.seed(desired=0)
    operator.world.raise_count()
    operator.world.advance(60)
    assert not operator.world.witness.operator_acts
    assert scheduler.is_healthy(operator.world.engine, operator.world.live_tasks()[0])
    assert service_api.get(operator.world.engine, operator.world.service.cluster, names.SERVICE).steady
