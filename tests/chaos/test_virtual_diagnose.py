# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Diagnosis and inspection as the role plays them, in virtual time: what they say, and that they only look."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chaos.virtual.controller import Controller, controller
from chaos.virtual.role import Played, words
from chaos.virtual.transport import Call

from sandbox.permissions import INSPECT, READ_ONLY, actions_of, allowed


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Controller]:
    with controller(tmp_path) as made:
        made.world.seed()
        made.world.calls.clear()
        yield made
        assert made.world.witness.broken == []
        assert made.world.engine.trouble == []


def calls(operator: Controller) -> list[dict[str, Any]]:
    return [json.loads(line) for line in operator.world.calls.path.read_text().splitlines()]


def diagnosed(operator: Controller, **variables: Any) -> tuple[Played, dict[str, Any]]:
    """The answer, after it was seen that nothing but reading calls of the read-only policy were made."""
    operator.world.calls.clear()
    played = operator.unlock("1", entry="diagnose", **variables)
    made = calls(operator)
    assert len(made) > 4
    assert [call["operation"] for call in made if call["writes"]] == []
    assert {action for call in made for action in actions_of(call)} - allowed(READ_ONLY) == set()
    answer: dict[str, Any] = played.facts["qdrant_unlock_diagnosis"]
    return played, answer


def test_from_healthy_to_stuck_to_stopped(operator: Controller) -> None:
    """One service's day, asked at each turn."""
    played, answer = diagnosed(operator, diagnose_fail=True)
    assert not played.failed, played.msg
    assert (answer["outcome"], answer["locks"], answer["next"]) == ("healthy", "no", "Nothing needs to be done.")

    operator.world.break_stale(lease=7200)
    played, answer = diagnosed(operator)
    assert not played.failed, played.msg
    assert (answer["verdict"], answer["cause"], answer["confidence"]) == ("locks_held", "dead_lease", "likely")
    assert "While lock file" in " ".join(answer["evidence"])
    assert "InfrastructureHealth" in answer["evidence"][0]
    assert answer["command"] == "ansible-playbook playbooks/unlock.yml -e env=virtual"
    assert answer["lines"][0] == "wwhd-backend (virtual): NOT HEALTHY. Is it the locks? Yes."

    played, _answer = diagnosed(operator, diagnose_fail=True)
    assert played.failed
    assert "wwhd-backend is not healthy (dead_lease)." in played.msg
    assert "Nothing was changed." in played.msg

    played = operator.unlock("1", held_locks="fail", on_failure="leave_stopped")
    assert played.failed
    _played, answer = diagnosed(operator)
    assert (answer["cause"], answer["also"][0]) == ("unlock_left_unfinished", "stopped_by_hand")
    assert "finishes what the other run has left" in answer["next"]


def test_a_service_that_is_stopped_by_hand(operator: Controller) -> None:
    operator.world.raise_count(0)
    operator.world.until(lambda: not operator.world.live_tasks(), "its task has gone")
    _played, answer = diagnosed(operator)
    assert (answer["cause"], answer["locks"]) == ("stopped_by_hand", "no")
    assert answer["command"].startswith("ansible-playbook playbooks/unlock.yml")


@pytest.mark.parametrize(
    ("kind", "settings", "cause", "evidence"),
    [
        ("mount", {"variant": "denied"}, "mount_denied", "access denied by server"),
        ("pull", {"variant": "missing"}, "image_missing", "not found"),
        ("capacity", {}, "no_capacity", "Capacity is unavailable"),
    ],
)
def test_what_is_no_lock_is_told_apart(
    operator: Controller, kind: str, settings: dict[str, Any], cause: str, evidence: str
) -> None:
    operator.world.faults.add(kind, **settings)
    operator.world.lose_host(lease=0)
    operator.world.advance(240)
    _played, answer = diagnosed(operator)
    assert (answer["cause"], answer["locks"]) == (cause, "no"), answer["lines"]
    assert evidence in " ".join(answer["evidence"])


def test_what_may_not_be_read_is_named_with_its_right(operator: Controller) -> None:
    operator.world.faults.add("access_denied", match={"operation": "DescribeServices"})
    played = operator.unlock("1", entry="diagnose")
    assert played.failed
    assert "The service could not be looked at." in played.msg
    assert "Missing right: ecs:DescribeServices" in played.msg
    assert played.facts["qdrant_unlock_diagnosis"]["outcome"] == "not_seen"


def test_without_the_right_to_look_at_others_the_rest_is_told(operator: Controller) -> None:
    operator.world.break_stale(lease=7200)
    operator.world.faults.add("access_denied", match={"operation": "ListTasks"}, skip=2)
    _played, answer = diagnosed(operator)
    assert answer["cause"] == "dead_lease"
    assert any("ecs:ListTasks" in line for line in answer["not_seen"])
    assert "no other live task" not in answer["because"]


def test_an_inspection_lists_each_lock_and_who_may_hold_it(operator: Controller) -> None:
    played = operator.unlock("1", mode="inspect", fast_drain="always")
    assert not played.failed, played.msg
    assert not any("shortened" in word for _task, result in played.results for word in words(result))
    lines = played.facts["qdrant_unlock_result"]["inspection"]
    assert "Nothing in the store was changed, and nothing was stopped." in lines[0]
    assert any(line.startswith("Held: ") for line in lines)
    assert any(line.strip().startswith("- /") for line in lines)
    assert "(service:wwhd-backend, RUNNING, cluster wwhd-cluster)" in lines[-1]
    assert "clear-qdrant-locks" not in " ".join(lines)
    made = calls(operator)
    assert {call["operation"] for call in made if call["writes"]} == {"RegisterTaskDefinition", "RunTask"}
    assert {action for call in made for action in actions_of(call)} - allowed(INSPECT) == set()


def test_ctrl_c_leaves_no_cleaner_of_an_inspection(operator: Controller) -> None:
    """Ansible passes the signal on to the module, which is all that can end its cleaner: nobody watches over it."""
    world = operator.world
    signalled: list[str] = []

    def interrupt(call: Call) -> None:
        cleaners = [
            task for task in world.engine.tasks.values() if task.definition.family.startswith("clear-qdrant-locks")
        ]
        if call.name == "ecs:DescribeTasks" and waits() and cleaners and not signalled:
            signalled.append(cleaners[0].id)
            signal.raise_signal(signal.SIGINT)

    modules: list[str] = []
    operator.step = modules.append

    def waits() -> bool:
        return modules[-1:] == ["wwhd.qdrant_ops.ecs_run_oneoff"]

    operator.around(before=interrupt)
    played = operator.unlock("1", mode="inspect")
    assert signalled
    assert played.failed
    assert "Told to end by SIGINT" in played.msg
    assert "StopTask" in {call["operation"] for call in calls(operator)}
    world.advance(120)
    assert all(task.over for task in world.engine.tasks.values() if task.id in signalled)
    assert world.service.steady
