# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that fails, or dies on its way back: what the service has then, and what the operator is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.virtual.controller import Controller, controller
from chaos.virtual.operators import Killed
from chaos.virtual.transport import Call
from chaos.virtual.works import images

from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import Outcome
from sandbox import world as names

OLD = {"fastapi": "wwhd/backend:dev", "qdrant": "qdrant/qdrant:v1.7.4"}
BROKEN = {"fastapi": "wwhd/backend:missing"}


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Controller]:
    with controller(tmp_path) as made:
        made.world.seed(deregistration_delay=10)
        made.watched = True
        yield made
        assert made.world.witness.broken == []
        assert made.world.engine.trouble == []


def release_that_dies(operator: Controller, update: int) -> list[str]:
    """A release of a broken image, killed right after its n-th UpdateService: what its watchdog said."""
    seen: list[Call] = []

    def kill(call: Call) -> None:
        if call.operator == "1" and call.name == "ecs:UpdateService":
            seen.append(call)
            if len(seen) == update:
                raise Killed

    operator.around(after=kill)
    outcomes = operator.run({"1": lambda: operator.unlock("1", images=BROKEN, timeouts={"redeploy": 300})})
    operator.around()
    assert isinstance(outcomes["1"], Killed)
    (watchdog,) = [outcome for outcome in outcomes.values() if isinstance(outcome, Outcome)]
    assert watchdog.result["outcome"] == "restored", watchdog.result
    said: list[str] = watchdog.result["said"]
    return said


@pytest.mark.parametrize("update", [3, 4])
def test_whoever_is_killed_on_the_way_back_leaves_the_service_with_what_it_had(
    operator: Controller, update: int
) -> None:
    """1 stops the service, 2 starts the release; from the third call on it goes back."""
    said = release_that_dies(operator, update)
    assert images(operator) == OLD, said
    world = operator.world
    world.until(lambda: world.service.steady, "the service is steady")
    assert world.service.desired == 1
    assert world.tags_left() == []


def test_whoever_is_killed_in_a_release_is_told_what_the_service_has_now(operator: Controller) -> None:
    said = release_that_dies(operator, 2)
    assert "It has wwhd-backend:2 now, and had wwhd-backend:1 before" in " ".join(said)
    assert "qdrant_unlock_task_definition=wwhd-backend:1" in " ".join(said)
    # Whoever comes next knows of the release, and goes back from it.
    played = operator.unlock("2")
    assert "The service goes back from wwhd-backend:2 to wwhd-backend:1" in played.msg
    assert images(operator) == OLD
    assert operator.world.tags_left() == []


def test_a_release_says_which_newer_revision_it_leaves_aside(operator: Controller) -> None:
    assert not operator.prevent().failed
    played = operator.unlock("1", images={"fastapi": "wwhd/backend:2"})
    assert not played.failed, played.msg
    assert "Its family has the newer revision wwhd-backend:2, which is not in it" in str(played.results)
    both = operator.unlock("2", task_definition="wwhd-backend:2", images={"fastapi": "wwhd/backend:2"})
    assert not both.failed, both.msg
    assert "which is not in it" not in str(both.results)
    body = operator.world.engine.definitions_of(names.REGION).get(operator.world.service.definition.arn).body
    (qdrant,) = [container for container in body["containerDefinitions"] if container["name"] == "qdrant"]
    assert qdrant["stopTimeout"] == 120
