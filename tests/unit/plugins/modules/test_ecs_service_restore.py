# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ecs_service_restore as Ansible runs it: at a run's end, and as a watchdog over a playbook that dies."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.claims import claims_in
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._processes import place
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.owner import held_by_another
from ansible_collections.wwhd.qdrant_ops.plugins.modules import ecs_service_restore
from ansible_collections.wwhd.qdrant_ops.plugins.modules.ecs_service_restore import main
from ansible_collections.wwhd.qdrant_ops.tests.unit.aws_world import (
    GROUP,
    World,
    run_on,
    task,
    task_arn,
)
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, Outcome
from ansible_collections.wwhd.qdrant_ops.tests.unit.recorded_aws import Fault, RecordedAws

CLAIM = {
    "wwhd.qdrant_ops:claim:unlock-1": "ann@box/1+1+aa since 2026-11-23T15:00:00.000Z until 2026-11-23T16:00:00.000Z"
}
STATE = {"wwhd.qdrant_ops:desired_count": "1"}
KEYS = [*CLAIM, *STATE]
CLEANER = {"group": "family:clear-qdrant-locks", "started_by": "unlock-1"}


def tagged(*tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for one in tags for key, value in one.items()]


def claimed(world: World) -> World:
    world.service["tags"] = tagged(CLAIM, STATE, {"team": "search"})
    return world


def restore(world: World, clock: FakeClock | None = None, **args: Any) -> tuple[Outcome, RecordedAws]:
    return run_on(world, main, clock=clock, **{"claim": CLAIM, "remove_tags": KEYS, **args})


def writes(aws: RecordedAws) -> list[str]:
    return [call.operation.split(":")[1] for call in aws.writes]


def stoppable(world: World, clock: FakeClock) -> None:
    """StopTask works, and the task takes its time."""

    def stop(params: dict[str, Any]) -> dict[str, Any]:
        world.tasks = [task(9, last="STOPPING", desired="STOPPED", containers="RUNNING", **CLEANER)]
        clock.at(clock.now + 20, world.set_tasks(task(9, last="STOPPED", desired="STOPPED", **CLEANER)))
        return {"task": world.tasks[0]}

    world.overrides["ecs:StopTask"] = [stop]


@pytest.fixture
def dead() -> int:
    """The pid of a process that is no more."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_a_run_that_ended_well_gives_back_only_its_tags() -> None:
    world = claimed(World(tasks=[task(1)]))
    outcome, aws = restore(world)
    assert not outcome.failed, outcome.msg
    assert writes(aws) == ["UntagResource"]
    assert world.service["tags"] == tagged({"team": "search"})
    assert outcome.result["outcome"] == "restored"


def test_the_drain_is_put_back_before_the_tag_that_tells_it_goes() -> None:
    world = claimed(World(tasks=[task(1)]))
    world.delay = "0"
    outcome, aws = restore(world, deregistration_delays={GROUP: 300})
    assert not outcome.failed, outcome.msg
    assert writes(aws) == ["ModifyTargetGroupAttributes", "UntagResource"]
    assert world.delay == "300"
    assert outcome.result["deregistration_delays"] == {GROUP: {"before": 0, "after": 300}}
    assert aws.operations.count("ecs:DescribeServices") == 1


def test_a_claim_that_was_looked_at_a_while_ago_is_looked_at_again() -> None:
    world, clock = claimed(World(tasks=[task(1)])), FakeClock()
    world.delay = "0"
    modify: Any = world.script()["elbv2:ModifyTargetGroupAttributes"][0]

    def takes_its_time(params: dict[str, Any]) -> Any:
        clock.now += 2
        world.service = {**world.service, "tags": []}
        return modify(params)

    world.overrides["elbv2:ModifyTargetGroupAttributes"] = [takes_its_time]
    outcome, aws = restore(world, clock=clock, deregistration_delays={GROUP: 300})
    assert outcome.failed
    assert writes(aws) == ["ModifyTargetGroupAttributes"]


def test_where_the_drain_cannot_be_put_back_all_else_is_and_the_tags_stay() -> None:
    world = claimed(World(desired=0))
    world.delay = "0"
    world.overrides["elbv2:ModifyTargetGroupAttributes"] = [Fault("AccessDenied", "not authorized")]
    outcome, aws = restore(world, desired_count=1, deregistration_delays={GROUP: 300})
    assert outcome.failed
    assert f"set the deregistration delay of target group {GROUP} to 300 s" in outcome.msg
    assert "Its tags stay" in outcome.msg
    assert writes(aws)[1:] == ["UpdateService", "TagResource"]  # the claim is given up: the next run need not wait
    assert {tag["key"] for tag in world.service["tags"]} >= {*KEYS}


def test_a_target_group_that_was_deleted_has_nothing_to_put_back() -> None:
    world = claimed(World(tasks=[task(1)]))
    world.delay = "0"
    world.overrides["elbv2:ModifyTargetGroupAttributes"] = [Fault("TargetGroupNotFound", "not found")]
    outcome, aws = restore(world, deregistration_delays={GROUP: 300})
    assert not outcome.failed, outcome.msg
    assert writes(aws)[-1] == "UntagResource"


def test_what_is_not_ours_is_left_alone() -> None:
    world = World(desired=0)
    outcome, aws = restore(world, desired_count=1)
    assert outcome.failed
    assert "Somebody else changed the service meanwhile" in outcome.msg
    assert writes(aws) == []


def test_the_cleaner_ends_before_the_service_starts() -> None:
    world, clock = claimed(World(desired=0, tasks=[task(9, **CLEANER)])), FakeClock()
    stoppable(world, clock)
    outcome, aws = restore(world, clock, desired_count=1, own="unlock-1", family="clear-qdrant-locks")
    assert not outcome.failed, outcome.msg
    assert writes(aws) == ["StopTask", "UpdateService", "UntagResource"]
    assert outcome.result["stopped"] == [task_arn(9)]
    assert clock.now >= 20


def test_it_does_not_start_beside_a_cleaner_that_will_not_end() -> None:
    world, clock = claimed(World(desired=0, tasks=[task(9, **CLEANER)])), FakeClock()
    world.overrides["ecs:StopTask"] = [lambda params: {"task": world.tasks[0]}]
    outcome, aws = restore(world, clock, desired_count=1, own="unlock-1", family="clear-qdrant-locks")
    assert outcome.failed
    assert "the run's own task did not end" in outcome.msg
    assert writes(aws) == ["StopTask"]


@pytest.mark.parametrize(("ends", "failed"), [(40, False), (9999, True)])
def test_it_does_not_start_beside_a_task_that_is_still_ending(ends: float, failed: bool) -> None:
    """ECS would start the next one within a second (facts.md A.4): two writers on one store."""
    world, clock = claimed(World(desired=0, tasks=[task(1, last="DEACTIVATING", desired="STOPPED")])), FakeClock()
    clock.at(ends, world.set_tasks(task(1, last="STOPPED", desired="STOPPED")))
    outcome, aws = restore(world, clock, desired_count=1, timeout=300)
    assert outcome.failed is failed
    assert writes(aws) == ([] if failed else ["UpdateService", "UntagResource"])
    if failed:
        assert "another task must not start beside it" in outcome.msg


def test_a_service_that_is_left_stopped_is_free_for_the_next_run(dead: int) -> None:
    world = claimed(World(desired=0))
    outcome, aws = restore(world, desired_count=0, remove_tags=[])
    assert not outcome.failed, outcome.msg
    assert writes(aws) == ["TagResource"]
    (claim,) = claims_in({tag["key"]: tag["value"] for tag in world.service["tags"]})
    assert claim.given_up
    assert not held_by_another(claim, here="bob@far/1+1+bb", now=datetime(2026, 11, 23, 15, 1, tzinfo=UTC))
    # The watchdog of that run, which ends with its playbook, leaves it so.
    outcome, aws = watchdog(world, FakeClock(), dead)
    assert outcome.result["outcome"] == "released"
    assert writes(aws) == []


def watchdog(world: World, clock: FakeClock, pid: int, **args: Any) -> tuple[Outcome, RecordedAws]:
    count = args.pop("desired_count", 1)
    return restore(
        world,
        clock,
        desired_count=count,
        own="unlock-1",
        family="clear-qdrant-locks",
        after={"pid": pid, "place": place(), **args},
    )


def test_the_service_of_a_playbook_that_died_is_put_back(dead: int, tmp_path: Path) -> None:
    world, clock = claimed(World(desired=0, tasks=[task(9, **CLEANER)])), FakeClock()
    stoppable(world, clock)
    log = tmp_path / "reports" / "interrupted.txt"
    outcome, aws = watchdog(world, clock, dead, log_path=str(log))
    assert outcome.result["outcome"] == "restored"
    assert writes(aws) == ["TagResource", "UntagResource", "StopTask", "UpdateService", "UntagResource"]
    assert world.service["tags"] == tagged({"team": "search"})
    assert world.service["desiredCount"] == 1
    assert "has ended before its time" in log.read_text()
    assert "The service is restored: desired count 1" in log.read_text()


def test_it_claims_the_service_first_which_stops_what_has_outlived_the_playbook(dead: int) -> None:
    world = claimed(World(desired=0))
    _outcome, aws = watchdog(world, FakeClock(), dead)
    (tag,) = aws.params("ecs:TagResource")[0]["tags"]
    assert tag["key"].startswith("wwhd.qdrant_ops:claim:unlock-1-")
    assert aws.params("ecs:UntagResource")[0]["tagKeys"] == list(CLAIM)


def test_a_run_that_ended_before_its_playbook_needs_nothing(dead: int, tmp_path: Path) -> None:
    outcome, aws = watchdog(World(), FakeClock(), dead, log_path=str(tmp_path / "log"))
    assert outcome.result["outcome"] == "released"
    assert writes(aws) == []
    assert list(tmp_path.iterdir()) == []


def test_a_claim_that_a_module_writes_after_the_playbook_died_is_seen(dead: int) -> None:
    world, clock = World(desired=0), FakeClock()
    clock.at(1, lambda: claimed(world) and None)
    outcome, _aws = watchdog(world, clock, dead)
    assert outcome.result["outcome"] == "restored"


def test_it_ends_when_the_run_has_given_its_claim_back() -> None:
    world, clock = World(), FakeClock()
    clock.at(5, lambda: claimed(world) and None)
    clock.at(100, lambda: world._untag({"tagKeys": KEYS}) and None)
    outcome, aws = watchdog(world, clock, os.getpid())
    assert outcome.result["outcome"] == "released"
    assert 100 <= clock.now < 165
    assert writes(aws) == []
    assert len(aws.calls) < 12


def test_it_dozes_between_its_looks_at_the_claim_and_wakes_when_the_playbook_dies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, clock = claimed(World(desired=0)), FakeClock()
    lives, dozed = ["1"], []

    def doze(seconds: float) -> None:
        dozed.append(seconds)
        if len(dozed) == 20:
            lives.clear()
            seconds = 1.5
        clock.sleep(seconds)

    monkeypatch.setattr(ecs_service_restore, "Clock", lambda: clock.clock)
    monkeypatch.setattr(ecs_service_restore, "begun", lambda _pid: lives[0] if lives else None)
    monkeypatch.setattr(ecs_service_restore, "sleep_until_end_of", lambda _pid: doze)
    wanted = {"claim": CLAIM, "remove_tags": KEYS, "desired_count": 1, "own": "unlock-1", "family": "clear"}
    after = {"pid": os.getpid(), "place": place()}
    outcome, aws = run_on(world, lambda **_given: main(), after=after, **wanted)
    assert outcome.result["outcome"] == "restored"
    assert dozed == [5.0] * 20
    # Looked at after 15 s, as without it; not again within a minute; and when the playbook had died, after 96.5 s.
    looks = [call.operation for call in aws.calls]
    assert looks[:3] == ["ecs:DescribeServices"] * 3
    assert 96.5 <= clock.now < 100
    assert writes(aws)[-2:] == ["UpdateService", "UntagResource"]


def test_it_does_not_watch_for_ever_nor_from_elsewhere() -> None:
    clock = FakeClock()
    outcome, _aws = watchdog(claimed(World()), clock, os.getpid(), lifetime=60)
    assert outcome.result["outcome"] == "expired"
    outcome, aws = restore(World(), after={"pid": 1, "place": "elsewhere"})
    assert outcome.result["outcome"] == "elsewhere"
    assert aws.calls == []


def test_what_cannot_be_put_back_is_told_with_what_to_do(dead: int) -> None:
    world = claimed(World(desired=0))
    world.overrides["ecs:UpdateService"] = [Fault("AccessDeniedException", "no")]
    outcome, _aws = watchdog(world, FakeClock(), dead)
    assert outcome.result["outcome"] == "failed"
    assert "run the playbook again, it finishes what was begun" in outcome.result["said"][-1]


def test_a_service_that_has_been_started_again_is_left_running(dead: int) -> None:
    """The run was over but for its tags: what serves is not stopped, whatever was to be put back."""
    for wanted in (0, 3):
        world = claimed(World(desired=1, tasks=[task(1)]))
        outcome, aws = watchdog(world, FakeClock(), dead, desired_count=wanted)
        assert outcome.result["outcome"] == "restored"
        assert "ecs:UpdateService" not in aws.operations
        assert world.service["tags"] == tagged({"team": "search"})
        assert "had been started again already, and was left so" in outcome.result["said"][-1]


def test_it_does_not_restore_beside_another_run(dead: int) -> None:
    world = claimed(World(desired=0))
    other = {
        "wwhd.qdrant_ops:claim:other": "bob@far/2+2+bb since 2026-11-23T14:00:00.000Z until 2026-11-23T16:00:00.000Z"
    }
    world.service["tags"] += tagged(other)
    outcome, aws = watchdog(world, FakeClock(), dead)
    assert outcome.result["outcome"] == "failed"
    assert "another run is under way: other, by bob@far/2" in outcome.result["said"][-1]
    assert writes(aws) == []


def test_it_goes_on_while_aws_cannot_be_asked(dead: int) -> None:
    """A lost connection is what playbooks die of."""
    world, clock = claimed(World(desired=0)), FakeClock()
    up: list[bool] = []
    clock.at(120, lambda: up.append(True))
    describe = world.script()["ecs:DescribeServices"][0]

    def answer(params: dict[str, Any]) -> Any:
        return describe(params) if up else Fault("ServerException", "down", 503)  # type: ignore[operator]

    world.overrides["ecs:DescribeServices"] = [answer]
    outcome, _aws = watchdog(world, clock, dead)
    assert outcome.result["outcome"] == "restored"
    assert clock.now >= 120


def test_what_only_tidies_up_claims_first() -> None:
    world = claimed(World(tasks=[task(1)]))
    mine = {
        "wwhd.qdrant_ops:claim:mine": "eve@box/3+3+aa since 2026-11-23T15:30:00.000Z until 2026-11-23T16:30:00.000Z"
    }
    outcome, aws = restore(world, claim_as=mine, remove_tags=[*KEYS, *mine])
    assert not outcome.failed, outcome.msg
    assert writes(aws) == ["TagResource", "UntagResource", "UntagResource"]
    assert world.service["tags"] == tagged({"team": "search"})


def test_what_is_watched_must_be_a_claim() -> None:
    outcome, aws = restore(World(), claim={"team": "search"}, after={"pid": 1, "place": place()})
    assert outcome.failed
    assert "claim must be one tag whose key begins with wwhd.qdrant_ops:claim:" in outcome.msg
    assert aws.calls == []
