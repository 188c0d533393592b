# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A load balancer that holds tasks for 300 s: shortened where nobody is served, and put back whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chaos.virtual.controller import Controller, controller
from chaos.virtual.transport import Call

DELAY = 300
MODIFY = {"service": "elbv2", "operation": "ModifyTargetGroupAttributes"}


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Controller]:
    with controller(tmp_path) as made:
        # ECS itself must not stop the task whose target is unhealthy.
        made.world.seed(deregistration_delay=DELAY, healthCheckGracePeriodSeconds=7200)
        yield made
        assert made.world.witness.broken == []
        assert made.world.engine.trouble == []


class Run:
    """One unlock, watched: when it stopped the service and ran the cleaner, and which delays it set."""

    def __init__(self, operator: Controller, *, silent: bool, name: str = "1", **options: Any) -> None:
        """`silent`: the task that is to stop answers no health check."""
        self.operator = operator
        self.at: dict[str, float] = {}
        self.delays: list[str] = []
        balancer = operator.world.balancer
        answers = balancer._answers
        if silent:
            balancer._answers = lambda port: False
            operator.world.until(lambda: self.states() == ["unhealthy"], "its target is unhealthy")

        def before(call: Call) -> None:
            self.at.setdefault(call.operation, operator.world.clock.now())
            if call.operation == "RunTask":
                balancer._answers = answers
            if call.operation == MODIFY["operation"]:
                self.delays.append(call.params["Attributes.member.1.Value"])

        operator.around(before=before)
        self.played = operator.unlock(name, when="always", **options)
        operator.around()
        balancer._answers = answers
        result = self.played.facts.get("qdrant_unlock_result") or {}
        self.outcome, self.summary = result.get("outcome"), " ".join(result.get("summary", []))

    def states(self) -> list[str]:
        group = str(self.operator.world.service.load_balancers[0]["targetGroupArn"])
        return [target.state for target in self.operator.world.engine.targets.health(group)]

    @property
    def quiesced_in(self) -> float:
        """Seconds from the count of 0 to the cleaner."""
        return self.at["RunTask"] - self.at["UpdateService"]

    def left_as_it_was(self) -> bool:
        world = self.operator.world
        return (world.service.desired, world.drain(), world.tags_left()) == (1, DELAY, [])


def test_nobody_waits_for_a_drain_where_no_target_is_healthy(operator: Controller) -> None:
    run = Run(operator, silent=True)
    assert run.outcome == "unlocked", run.played.msg
    assert run.delays == ["0", "300"]
    assert run.quiesced_in < 60
    assert run.left_as_it_was()


@pytest.mark.parametrize(
    ("silent", "how", "delays", "drained"),
    [(False, "auto", [], DELAY), (False, "always", ["10", "300"], 10), (True, "never", [], DELAY)],
)
def test_what_is_healthy_drains_as_its_owner_wants_unless_told_otherwise(
    operator: Controller, silent: bool, how: str, delays: list[str], drained: float
) -> None:
    run = Run(operator, silent=silent, fast_drain=how)
    assert run.outcome == "unlocked", run.played.msg
    assert run.delays == delays
    assert drained <= run.quiesced_in < drained + 60
    assert run.left_as_it_was()


@pytest.mark.parametrize("fault", [{"kind": "throttle", "count": 2}, {"kind": "reset_after", "count": 1}])
def test_a_call_that_fails_or_is_lost_is_made_again(operator: Controller, fault: dict[str, Any]) -> None:
    operator.world.faults.add(**fault, match=MODIFY)
    run = Run(operator, silent=True)
    assert run.outcome == "unlocked", run.played.msg
    assert run.quiesced_in < 60
    assert run.left_as_it_was()


def test_without_the_right_to_shorten_it_the_run_waits_and_says_why(operator: Controller) -> None:
    operator.world.faults.add("access_denied", match=MODIFY)
    run = Run(operator, silent=True)
    assert run.outcome == "unlocked", run.played.msg
    assert run.quiesced_in > DELAY
    assert run.left_as_it_was()


def test_a_failed_run_puts_it_back_as_well(operator: Controller) -> None:
    operator.world.faults.add("run_task_failures", match={"family": "clear-qdrant-locks"}, reason="ACCESS")
    run = Run(operator, silent=True)
    assert run.outcome == "failed"
    assert run.delays == ["0", "300"]
    assert run.left_as_it_was()


def test_where_it_cannot_be_put_back_all_else_is_and_the_next_run_does_it(operator: Controller) -> None:
    operator.world.faults.add("access_denied", match=MODIFY, skip=1)
    run = Run(operator, silent=True)
    assert run.outcome == "failed"
    assert "deregistration delay" in run.played.msg
    world = operator.world
    assert (world.service.desired, world.service.steady, world.drain()) == (1, True, 0)
    world.faults.clear()
    again = Run(operator, silent=False, name="2")
    assert again.outcome == "unlocked", again.played.msg
    assert again.left_as_it_was()
