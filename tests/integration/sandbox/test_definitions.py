# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Task definitions: what Fargate refuses, what ECS fills in, and revisions that never come back."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.world import definition

pytestmark = pytest.mark.sandbox_service("stopped")


def changed(path: str, value: Any) -> dict[str, Any]:
    """The world's own definition with one member changed, or left out where `value` is None."""
    body = copy.deepcopy(definition())
    body["family"] = "changed"
    place: Any = body
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    for part in parents:
        place = place[part]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return body


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("networkMode", "bridge", "Fargate only supports network mode 'awsvpc'."),
        ("cpu", None, "Fargate requires that 'cpu' be defined at the task level."),
        ("memory", None, "Fargate requires that 'memory' be defined at the task level."),
        ("memory", "512", "No Fargate configuration exists for given values: 1024 CPU, 512 memory."),
        ("executionRoleArn", None, "execution role ARN to support log driver awslogs."),
        ("containerDefinitions/0/name", "", "Container.name should not be null or empty."),
        ("containerDefinitions/0/mountPoints/0/sourceVolume", "other", "Unknown volume 'other'."),
        ("containerDefinitions/0/stopTimeout", 121, "between 2 and 120"),
        ("containerDefinitions/0/logConfiguration/options", {"awslogs-group": "/x"}, "awslogs-region"),
        ("volumes/0/efsVolumeConfiguration/transitEncryption", None, "Transit encryption must be enabled"),
        ("volumes/0/efsVolumeConfiguration/rootDirectory", "/deep", "Root directory must be omitted or set to /"),
        ("family", "a b", "Family contains invalid characters"),
    ],
)
def test_fargate_refuses(world: Any, path: str, value: Any, text: str) -> None:
    with pytest.raises(ClientError) as caught:
        world.ecs.register_task_definition(**changed(path, value))
    assert caught.value.response["Error"]["Code"] == "ClientException"
    assert text in caught.value.response["Error"]["Message"]


def test_ecs_fills_in_its_defaults(world: Any) -> None:
    body = changed("cpu", "1 vCPU") | {"memory": "2GB"}
    got = world.ecs.register_task_definition(**body)["taskDefinition"]
    assert (got["cpu"], got["memory"]) == ("1024", "2048")
    assert got["revision"] == 1
    assert got["compatibilities"] == ["EC2", "FARGATE"]
    assert got["placementConstraints"] == []
    assert {"name": "ecs.capability.efsAuth"} in got["requiresAttributes"]
    backend, qdrant = got["containerDefinitions"]
    assert backend["portMappings"] == [{"containerPort": 8000, "hostPort": 8000, "protocol": "tcp"}]
    assert (qdrant["cpu"], qdrant["essential"], qdrant["environment"], qdrant["volumesFrom"]) == (0, True, [], [])
    assert got["volumes"][0]["efsVolumeConfiguration"]["rootDirectory"] == "/"
    assert got["registeredBy"].startswith("arn:aws:iam::018025611404:")


def test_each_registration_is_a_new_revision_and_numbers_never_come_back(world: Any) -> None:
    arns = [world.register("rev") for _turn in range(3)]
    assert [arn.rsplit(":", 1)[1] for arn in arns] == ["1", "2", "3"]
    world.ecs.deregister_task_definition(taskDefinition="rev:3")
    described = world.ecs.describe_task_definition(taskDefinition="rev:3")["taskDefinition"]
    assert described["status"] == "INACTIVE"
    assert "deregisteredAt" in described
    assert world.ecs.describe_task_definition(taskDefinition="rev")["taskDefinition"]["revision"] == 2
    answer = world.ecs.delete_task_definitions(taskDefinitions=["rev:3", "rev:2"])
    assert [item["status"] for item in answer["taskDefinitions"]] == ["DELETE_IN_PROGRESS"]
    assert len(answer["failures"]) == 1
    assert world.register("rev").endswith(":4")


def test_listing(world: Any) -> None:
    arns = [world.register("listed") for _turn in range(3)]
    pages = world.ecs.get_paginator("list_task_definitions").paginate(
        familyPrefix="listed", sort="DESC", PaginationConfig={"PageSize": 2}
    )
    assert [arn for page in pages for arn in page["taskDefinitionArns"]] == arns[::-1]
    assert world.ecs.list_task_definition_families(familyPrefix="lis")["families"] == ["listed"]
    for arn in arns:
        world.ecs.deregister_task_definition(taskDefinition=arn)
    assert world.ecs.list_task_definitions(familyPrefix="listed")["taskDefinitionArns"] == []
    assert world.ecs.list_task_definitions(familyPrefix="listed", status="INACTIVE")["taskDefinitionArns"] == arns


def test_an_unknown_definition(world: Any) -> None:
    for name in ("none", "none:1", "wwhd-backend:9"):
        with pytest.raises(ClientError, match=r"Unable to describe task definition\."):
            world.ecs.describe_task_definition(taskDefinition=name)


def test_tags_come_outside_and_on_demand(world: Any) -> None:
    world.register("tagged", tags=[{"key": "a", "value": "b"}])
    assert "tags" not in world.ecs.describe_task_definition(taskDefinition="tagged")
    answer = world.ecs.describe_task_definition(taskDefinition="tagged", include=["TAGS"])
    assert answer["tags"] == [{"key": "a", "value": "b"}]
    assert "tags" not in answer["taskDefinition"]
