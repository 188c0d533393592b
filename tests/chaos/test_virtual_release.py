# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release that shares its stop with an unlock, and single phases of the role, in virtual time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from chaos.virtual.controller import Controller, controller
from chaos.virtual.operators import Killed
from chaos.virtual.role import ROOT, Played
from chaos.virtual.stories import WRITES
from chaos.virtual.transport import Call
from chaos.virtual.world import SWITCHES

from sandbox import world as names

NEW = {"fastapi": "wwhd/backend:2"}
OLD_IMAGES = {"fastapi": "wwhd/backend:dev", "qdrant": "qdrant/qdrant:v1.7.4"}
SCALING = (1, 3, dict.fromkeys(SWITCHES, False))


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Controller]:
    with controller(tmp_path) as made:
        made.world.seed()
        made.world.set_scaling(*SCALING)
        yield made
        assert made.world.witness.broken == []
        assert made.world.engine.trouble == []


def result(played: Played) -> dict[str, Any]:
    found: dict[str, Any] = played.facts["qdrant_unlock_result"]
    return found


def images(operator: Controller) -> dict[str, str]:
    """What the service has, by container."""
    definitions = operator.world.engine.definitions_of(names.REGION)
    body = definitions.get(operator.world.service.definition.arn).body
    return {container["name"]: container["image"] for container in body["containerDefinitions"]}


def as_it_was(operator: Controller) -> bool:
    world = operator.world
    world.until(lambda: world.service.steady, "the service is steady")
    return world.service.desired == 1 and world.tags_left() == [] and world.scaling() == SCALING


def example() -> dict[str, Any]:
    """The variables that docs/examples/release_with_unlock.yml gives to the role, with `release: 2`."""
    (played,) = yaml.safe_load((ROOT / "docs" / "examples" / "release_with_unlock.yml").read_text())
    role = played["tasks"][0]
    assert role["ansible.builtin.include_role"] == {"name": "wwhd.qdrant_ops.qdrant_unlock"}
    text = json.dumps(role["vars"]).replace("{{ release }}", "2")
    return {name.removeprefix("qdrant_unlock_"): value for name, value in json.loads(text).items()}


def test_a_release_of_an_image_is_one_stop_and_a_second_run_changes_nothing(operator: Controller) -> None:
    assert example() == {"images": NEW}
    played = operator.unlock("1", **example())
    assert not played.failed, played.msg
    assert result(played)["summary"][0] == "wwhd-backend (virtual) is healthy, and has wwhd-backend:2."
    assert images(operator) == {**OLD_IMAGES, **NEW}
    assert as_it_was(operator)
    assert operator.world.witness.stores == 2
    again = operator.unlock("2", images=NEW)
    assert result(again)["outcome"] == "nothing_to_do"
    assert "has the release that is asked for" in result(again)["summary"][0]


def test_a_release_that_fails_goes_back_and_says_so(operator: Controller) -> None:
    # Qdrant's own image, but it never came to run: nothing can have been written by it.
    played = operator.unlock("1", images={"qdrant": "qdrant/qdrant:missing"}, timeouts={"redeploy": 300})
    assert played.failed
    assert "The service goes back from wwhd-backend:2 to wwhd-backend:1" in played.msg
    assert "desired count 1, autoscaling and tags as they were" in played.msg
    assert images(operator) == OLD_IMAGES
    assert as_it_was(operator)


def test_a_newer_qdrant_that_has_run_is_not_followed_by_the_older_one(operator: Controller) -> None:
    played = operator.unlock("1", images={"qdrant": "qdrant/qdrant:v1.8.0"}, timeouts={"redeploy": 24})
    assert played.failed
    assert (
        "It was not taken back to wwhd-backend:1: the Qdrant of wwhd-backend:2 may have opened the store" in played.msg
    )
    assert "The service is left stopped (desired count 0); its tags are kept" in played.msg
    assert operator.world.live_tasks() == []
    # By explicit word it is.
    operator.world.witness.downgrade_meant = True
    played = operator.unlock("2", task_definition="wwhd-backend:1")
    assert not played.failed, played.msg
    assert images(operator) == OLD_IMAGES
    assert as_it_was(operator)


def test_a_failed_cleaning_leaves_the_service_as_it_was_without_the_release(operator: Controller) -> None:
    operator.world.break_stale(lease=7200)
    played = operator.unlock("1", images=NEW, held_locks="fail")
    assert played.failed
    assert "The release of wwhd-backend:2 did not happen: the service has wwhd-backend:1, as before." in played.msg
    assert images(operator) == OLD_IMAGES
    assert operator.world.service.desired == 1
    assert operator.world.tags_left() == []


def moved_store() -> dict[str, Any]:
    body = names.definition()
    body["volumes"][0]["efsVolumeConfiguration"]["authorizationConfig"]["accessPointId"] = "fsap-0123456789abcdef0"
    return body


def moved_folder() -> dict[str, Any]:
    body = names.definition()
    body["containerDefinitions"][1]["mountPoints"][0]["containerPath"] = "/elsewhere"
    return body


def test_a_release_that_would_lose_the_store_or_is_not_there_is_refused(operator: Controller) -> None:
    definitions = operator.world.engine.definitions_of(names.REGION)
    for body in (moved_store(), moved_folder(), names.definition()):
        definitions.register(body)
    definitions.deregister({"taskDefinition": "wwhd-backend:4"})
    operator.world.calls.clear()
    refused: list[tuple[dict[str, Any], str]] = [
        (
            {"task_definition": "wwhd-backend:2"},
            "Qdrant would start on another store, and look as if all data were",
        ),
        ({"task_definition": "wwhd-backend:3"}, "mounts the store in container qdrant at /elsewhere, until now at"),
        ({"task_definition": "wwhd-backend:4"}, "wwhd-backend:4: it is INACTIVE"),
        ({"task_definition": "wwhd-backend:9"}, "Unable to describe task definition"),
        ({"images": {"web": "wwhd/web:1"}}, "has no container web (it has fastapi, qdrant)"),
        ({"images": {"fastapi": "no image"}}, "qdrant_unlock_images has 'no image' for container fastapi"),
    ]
    for number, (options, told) in enumerate(refused, start=1):
        played = operator.unlock(str(number), **options)
        assert result(played)["outcome"] == "refused"
        assert told in played.msg
        assert "Nothing was changed" in played.msg
    operator.world.service.tags.update(
        {"wwhd.qdrant_ops:release": "wwhd-backend:4", "wwhd.qdrant_ops:earlier_release": "wwhd-backend:1 same"}
    )
    played = operator.unlock("9")
    assert "It is what an unfinished run was to release" in played.msg
    assert "pass -e qdrant_unlock_task_definition=wwhd-backend:1." in played.msg
    assert [call for call in operator.calls() if call["writes"]] == []


def test_a_service_is_stopped_for_something_else_and_started_by_another_run(operator: Controller) -> None:
    world = operator.world
    checked = operator.unlock("0", entry="stop", check=True)
    assert (
        "would be stopped, because the service is to be stopped. Nothing was changed." in result(checked)["summary"][0]
    )
    played = operator.unlock("1", entry="stop", images=NEW)
    assert not played.failed, played.msg
    assert result(played)["outcome"] == "stopped"
    assert played.steps["wwhd.qdrant_ops.ecs_run_oneoff"] == 0
    assert world.live_tasks() == []
    # No claim of a run that works is left, and nothing starts it: autoscaling is suspended.
    world.advance(600)
    assert world.live_tasks() == []
    # Somebody else, on another machine, who knows nothing of the release.
    played = operator.unlock("3", entry="start")
    assert not played.failed, played.msg
    assert result(played)["outcome"] == "unlocked"
    assert "The unfinished run was to release wwhd-backend:2, and this one does it." in str(played.results)
    assert images(operator) == {**OLD_IMAGES, **NEW}
    assert as_it_was(operator)


ALL = os.environ.get("CHAOS_TABLE") == "all"


@pytest.mark.parametrize("number", range(1, 10) if ALL else (7,))
def test_a_release_that_is_killed_after_any_write_is_finished_by_the_next_run(
    operator: Controller, number: int
) -> None:
    """4 is the call that stops the service, 7 the one that starts it with the release; `CHAOS_TABLE=all` has each."""
    writes: list[str] = []

    def kill(call: Call) -> None:
        if call.name in WRITES:
            writes.append(call.name)
            if len(writes) == number:
                raise Killed

    operator.around(after=kill)
    with pytest.raises(Killed):
        operator.unlock("1", images=NEW)
    operator.around()
    if number in (4, 7):
        assert writes[-1] == "ecs:UpdateService"
    # Nobody who comes after the stop has to know what was to be released.
    later: dict[str, Any] = {} if number >= 4 else {"images": NEW}
    played = operator.unlock("2", takeover=True, **later)
    assert not played.failed, played.msg
    assert images(operator) == {**OLD_IMAGES, **NEW}
    assert as_it_was(operator)
