# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The judgement of a run: each invariant has a story that breaks it, so that none of them can only ever hold."""

from __future__ import annotations

from typing import Any

import pytest
from chaos import playbook_judgement as judgement
from chaos.playbook_orders import FAMILY, Fault, Kill, Order
from chaos.playbook_runs import Played
from chaos.playbook_worlds import State, World

SCALING = {"MinCapacity": 1, "MaxCapacity": 1, "SuspendedState": {"ScheduledScalingSuspended": True}}
FOUND = State(1, SCALING, ())
CLEANER = {
    "id": "c1",
    "family": FAMILY,
    "last_status": "RUNNING",
    "containers": [{"last_status": "RUNNING"}],
}
GONE = {**CLEANER, "last_status": "STOPPED"}
KILLED = Order("x", World("healthy"), kill=Kill("SIGTERM", 1))
POINTS = {"documents": 240}


@pytest.mark.parametrize(
    ("now", "tasks", "broken"),
    [
        (FOUND, [GONE], []),
        (State(0, SCALING, ()), [], ["the service is worse"]),
        (State(1, None, ()), [], ["the service is worse"]),
        (State(1, SCALING, ("wwhd.qdrant_ops:run_id",)), [], ["the service is worse"]),
        (FOUND, [CLEANER], ["the cleaner c1 is alive"]),
    ],
)
def test_after_a_kill(now: State, tasks: list[dict[str, Any]], broken: list[str]) -> None:
    check(judgement.of_a_killed_run(KILLED, found=FOUND, now=now, tasks=tasks), broken)


def test_what_keeps_a_killed_run_from_restoring_is_no_fault_of_it() -> None:
    denied = Order("x", World(), faults=(Fault("expired", {"skip": 3}),), kill=Kill("SIGTERM", 1))
    assert judgement.of_a_killed_run(denied, found=FOUND, now=State(0, None, ("tag",)), tasks=[]) == []


@pytest.mark.parametrize(
    ("code", "output", "now", "wrote", "broken"),
    [
        (0, "", FOUND, True, []),
        (0, "", State(1, None, ()), True, ["the disturbed run succeeded, but"]),
        (2, "msg: No. The service is restored.", FOUND, True, []),
        (2, "msg: No. The service is restored.", State(0, SCALING, ()), True, ["said that nothing is left, but"]),
        (2, "msg: No. Run this again.", State(0, SCALING, ()), True, []),
        (2, "msg: It failed.", State(0, SCALING, ()), True, ["did not say what is left"]),
        (2, "msg: Not like that.", FOUND, False, []),
        (2, "nothing to see", FOUND, False, ["failed without a message"]),
        (2, "msg: x. Traceback (most recent call last)", FOUND, False, ["printed a traceback"]),
        (-11, "", FOUND, False, ["it ended by signal SIGSEGV"]),
    ],
)
def test_after_an_end_of_its_own(code: int, output: str, now: State, wrote: bool, broken: list[str]) -> None:
    played = Played(code, output, 1.0)
    order = Order("x", World("healthy"))
    check(judgement.of_an_ended_run(order, played, found=FOUND, now=now, wrote=wrote, tasks=[]), broken)


@pytest.mark.parametrize(
    ("now", "healthy", "points", "broken"),
    [
        (FOUND, True, POINTS, []),
        (State(0, SCALING, ()), True, POINTS, ["the desired count is 0, not 1"]),
        (State(1, None, ()), True, POINTS, ["autoscaling is None"]),
        (State(1, SCALING, ("tag",)), True, POINTS, ["there are still the tags ['tag']"]),
        (FOUND, False, POINTS, ["the service is not healthy"]),
        (FOUND, True, {"documents": 239}, ["the points are"]),
        (FOUND, True, "ConnectionRefusedError", ["the points are"]),
    ],
)
def test_in_the_end(now: State, healthy: bool, points: dict[str, int] | str, broken: list[str]) -> None:
    said = judgement.of_the_end(found=FOUND, now=now, healthy=healthy, points=points, seeded=POINTS, tasks=[])
    check(said, broken)


def task(name: str, role: str, started: float = 0.0) -> dict[str, Any]:
    return {"task": name, "role": role, "family": role, "started": started}


def call(at: float, operation: str, **params: Any) -> dict[str, Any]:
    return {"at": at, "operation": operation, "writes": True, "params": params, "status": 200, "fault": None}


def seen(*overlaps: tuple[dict[str, Any], dict[str, Any], float], **more: Any) -> dict[str, Any]:
    told = [{"started": started, "beside": [beside], "at": at} for started, beside, at in overlaps]
    tasks = [started for started, _beside, _at in overlaps]
    return {
        "overlaps": told,
        "tasks": tasks,
        "removed_while_held": [],
        "changed_by_cleaner": [],
        "vanished": [],
        **more,
    }


STOP, START = call(10, "UpdateService", desiredCount=0), call(20, "UpdateService", desiredCount=1)


@pytest.mark.parametrize(
    ("story", "broken"),
    [
        (seen((task("s2", "store", 5), task("s1", "store"), 5)), []),
        (seen((task("s2", "store", 15), task("s1", "store"), 15)), []),
        (seen((task("s2", "store", 21), task("s1", "store"), 21)), ["a store (s2) started beside store s1"]),
        (seen((task("c2", "cleaner", 15), task("c1", "cleaner"), 15)), ["a cleaner (c2) started beside cleaner c1"]),
        (seen((task("c1", "cleaner", 15), task("s1", "store"), 15)), ["a cleaner (c1) started beside store s1"]),
        (seen((task("s1", "store", 15), task("c1", "cleaner"), 15)), ["a store (s1) started beside cleaner c1"]),
        (seen((task("o1", "other", 15), task("s1", "store"), 15)), []),
        (seen(removed_while_held=[{"path": "LOCK"}]), ["removed while held"]),
        (seen(changed_by_cleaner=[{"path": "raft_state.json"}]), ["changed by a cleaner"]),
        (seen(vanished=["fs/a/LOCK", "fs/a/b.lock"]), []),
        (seen(vanished=["fs/a/CURRENT"]), ["no lock files: ['fs/a/CURRENT']"]),
    ],
)
def test_what_a_witness_saw(story: dict[str, Any], broken: list[str]) -> None:
    said = judgement.of_witness(story, calls=[STOP, START], raised=False, may_delete_held=False)
    check(said, broken)


def test_a_service_that_somebody_else_starts_is_not_our_doing() -> None:
    story = seen((task("s1", "store", 15), task("c1", "cleaner"), 15))
    assert judgement.of_witness(story, calls=[STOP], raised=True, may_delete_held=False) == []
    two = seen((task("c2", "cleaner", 15), task("c1", "cleaner"), 15))
    assert judgement.of_witness(two, calls=[STOP], raised=True, may_delete_held=False)


def check(said: list[str], wanted: list[str]) -> None:
    assert len(said) == len(wanted), said
    for sentence, part in zip(said, wanted, strict=True):
        assert part in sentence
