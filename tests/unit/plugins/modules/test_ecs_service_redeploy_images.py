"""ecs_service_redeploy releases images: a revision is registered from what runs, only where one differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.tests.unit.aws_world import DEFINITION, World, definition
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock
from ansible_collections.wwhd.qdrant_ops.tests.unit.rollout_world import completed, redeploy, rolling

NEXT = DEFINITION.replace(":7", ":8")
TAGS = [{"key": "team", "value": "search"}, {"key": "aws:cloudformation:stack-name", "value": "x"}]


def images_of(given: Mapping[str, Any]) -> dict[str, str]:
    return {container["name"]: container["image"] for container in given["containerDefinitions"]}


def registry(world: World) -> None:
    """DescribeTaskDefinition and RegisterTaskDefinition of one family, whose newest revision is the latest ACTIVE."""
    for number, entry in enumerate(world.definitions.values(), start=7):
        entry.update(status="ACTIVE", revision=number, registeredBy="arn:aws:iam::018025611404:user/x")

    def describe(params: dict[str, Any]) -> dict[str, Any]:
        wanted = params["taskDefinition"]
        newest = list(world.definitions.values())[-1]
        found = {**world.definitions, "wwhd-backend": newest}.get(wanted) or next(
            entry for arn, entry in world.definitions.items() if arn.endswith(f"/{wanted}")
        )
        return {"taskDefinition": found, "tags": TAGS if "include" in params else []}

    def register(params: dict[str, Any]) -> dict[str, Any]:
        tags = params.pop("tags", [])
        world.definitions[NEXT] = {**params, "taskDefinitionArn": NEXT, "revision": 8, "status": "ACTIVE"}
        return {"taskDefinition": world.definitions[NEXT], "tags": tags}

    world.overrides["ecs:DescribeTaskDefinition"] = [describe]
    world.overrides["ecs:RegisterTaskDefinition"] = [register]
    rolling(world)


def test_a_revision_is_made_from_what_runs_and_released() -> None:
    world, clock = World(desired=1), FakeClock()
    registry(world)
    clock.at(10, lambda: completed(world))
    found, aws = redeploy(world, clock=clock, images={"fastapi": "wwhd/backend:2"}, force_new_deployment=False)
    assert not found.failed, found.msg
    (made,) = aws.params("ecs:RegisterTaskDefinition")
    assert images_of(made) == {"fastapi": "wwhd/backend:2", "qdrant": "qdrant/qdrant:v1.7.4"}
    old, new = (dict(entry) for entry in (definition(), world.definitions[NEXT]))
    for container in (*old["containerDefinitions"], *new["containerDefinitions"]):
        del container["image"]
    assert new["containerDefinitions"] == old["containerDefinitions"]
    assert new["volumes"] == old["volumes"]
    # Tags of AWS's own can't be given.
    assert not [call for call in aws.writes if "aws:cloudformation" in str(call.params)]
    assert aws.params("ecs:UpdateService")[0]["taskDefinition"] == NEXT
    assert found.result["registered"] is True
    assert found.result["task_definition_arn"] == NEXT
    assert found.result["reasons"] == [
        "task definition wwhd-backend:7 -> wwhd-backend:8",
        "image of fastapi wwhd/backend:1 -> wwhd/backend:2",
    ]
    assert found.result["diff"]["after"]["images"] == {"fastapi": "wwhd/backend:2"}
    assert found.result["outcome"] == "completed"


def test_the_same_image_is_no_change() -> None:
    world = World(desired=1)
    registry(world)
    completed(world)
    world.service["deployments"][0]["id"] = "ecs-svc/2000000000000000002"
    found, aws = redeploy(world, images={"fastapi": "wwhd/backend:1"}, force_new_deployment=False)
    assert not found.failed, found.msg
    assert not found.changed
    assert found.result["outcome"] == "unchanged"
    assert aws.writes == []


def test_the_newest_revision_is_taken_if_it_is_the_wanted_one() -> None:
    """A run that had registered it and then failed is repeated."""
    world, clock = World(desired=1), FakeClock()
    newer = definition(arn=NEXT)
    newer["containerDefinitions"][0]["image"] = "wwhd/backend:2"
    world.definitions[NEXT] = newer
    registry(world)
    clock.at(10, lambda: completed(world))
    found, aws = redeploy(world, clock=clock, images={"fastapi": "wwhd/backend:2"})
    assert not found.failed, found.msg
    assert found.result["registered"] is False
    assert "ecs:RegisterTaskDefinition" not in aws.operations
    assert aws.params("ecs:UpdateService")[0]["taskDefinition"] == NEXT


def test_check_mode_registers_nothing() -> None:
    world = World(desired=1)
    registry(world)
    found, aws = redeploy(world, check=True, images={"fastapi": "wwhd/backend:2"})
    assert not found.failed, found.msg
    assert aws.writes == []
    assert found.result["registered"] is True
    assert found.result["deployment"]["task_definition"] == NEXT


@pytest.mark.parametrize(
    ("images", "text"),
    [
        ({"web": "x:1"}, "wwhd-backend:7 has no container web (it has fastapi, qdrant). Nothing was changed."),
        ({"fastapi": ""}, "images must name an image for container fastapi."),
        ({"fastapi": None}, "images must name an image for container fastapi."),
    ],
)
def test_bad_images_are_refused(images: dict[str, Any], text: str) -> None:
    world = World(desired=1)
    registry(world)
    found, aws = redeploy(world, images=images)
    assert found.failed
    assert text in found.msg
    assert aws.writes == []


def test_what_a_release_needs_is_made_ready_without_touching_the_service() -> None:
    world = World(desired=1)
    registry(world)
    looked, aws = redeploy(world, check=True, images={"fastapi": "wwhd/backend:2"}, deploy=False)
    assert not looked.failed, looked.msg
    assert aws.writes == []
    assert looked.changed
    found, aws = redeploy(world, images={"fastapi": "wwhd/backend:2"}, deploy=False)
    assert not found.failed, found.msg
    assert [call.operation for call in aws.writes] == ["ecs:RegisterTaskDefinition"]
    for result in (looked.result, found.result):
        assert result["outcome"] == "prepared"
        assert result["task_definition_arn"] == NEXT
        assert result["prepared"]["images"] == {"fastapi": "wwhd/backend:2", "qdrant": "qdrant/qdrant:v1.7.4"}
        assert [volume["name"] for volume in result["prepared"]["volumes"]] == [
            volume["name"] for volume in definition()["volumes"]
        ]
        assert result["prepared"]["changes"] == [
            "task definition wwhd-backend:7 -> wwhd-backend:8",
            "image of fastapi wwhd/backend:1 -> wwhd/backend:2",
        ]
    again, aws = redeploy(world, images={"fastapi": "wwhd/backend:2"}, deploy=False)
    assert not again.changed
    assert aws.writes == []
    nothing, _aws = redeploy(world, deploy=False)
    assert nothing.failed
    assert "give task_definition or images" in nothing.msg


@pytest.mark.parametrize("deploy", [True, False])
def test_a_revision_that_was_deregistered_is_refused_before_anything_happens(deploy: bool) -> None:
    world = World(desired=1)
    world.definitions[NEXT] = definition(arn=NEXT)
    registry(world)
    world.definitions[NEXT]["status"] = "INACTIVE"
    found, aws = redeploy(world, task_definition="wwhd-backend:8", deploy=deploy)
    assert found.failed
    assert "wwhd-backend:8: it is INACTIVE" in found.msg
    assert "Nothing was changed" in found.msg
    assert aws.writes == []
