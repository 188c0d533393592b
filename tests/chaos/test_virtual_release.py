# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that shares its stop with an unlock, and single phases of the role, in virtual time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chaos.virtual.controller import Controller, controller
from chaos.virtual.role import Played
from chaos.virtual.world import SWITCHES

NEW = {"fastapi": "wwhd/backend:2"}


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Controller]:
    with controller(tmp_path) as made:
        yield made
        assert made.world.witness.broken == []
        assert made.world.engine.trouble == []


def result(played: Played) -> dict[str, Any]:
    found: dict[str, Any] = played.facts["qdrant_unlock_result"]
    return found


def runs(operator: Controller) -> dict[str, str]:
    """The image of each container that the service has."""
    world = operator.world
    definition = world.engine.definitions_of("us-west-2").find(world.service.task_definition)
    return {container["name"]: container["image"] for container in definition["containerDefinitions"]}


def test_a_release_of_an_image_is_one_stop_and_a_second_run_changes_nothing(operator: Controller) -> None:
    world = operator.world
    world.seed()
    played = operator.unlock("1", images=NEW)
    assert not played.failed, played.msg
    print(result(played)["summary"], result(played)["release"])
    assert world.service.steady
    assert world.tags_left() == []
    again = operator.unlock("2", images=NEW)
    assert result(again)["outcome"] == "nothing_to_do"
