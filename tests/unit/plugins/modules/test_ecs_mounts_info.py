"""ecs_mounts_info as Ansible runs it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.modules.ecs_mounts_info import main
from ansible_collections.wwhd.qdrant_ops.tests.unit.aws_world import (
    CLUSTER,
    DEFINITION,
    SERVICE,
    World,
    definition,
    task,
    task_arn,
)
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, Outcome, run_module
from ansible_collections.wwhd.qdrant_ops.tests.unit.recorded_aws import Fault, RecordedAws

FILE_SYSTEM = "fs-00b8168893587fd61"
OTHER = DEFINITION.replace("wwhd-backend:7", "other:1")


def look(world: World, *, check: bool = False, **args: Any) -> tuple[Outcome, RecordedAws]:
    with RecordedAws(world.script()) as aws:
        options = {"file_system_id": FILE_SYSTEM, "clusters": [CLUSTER], **args}
        return run_module(main, options, aws=aws, clock=FakeClock(), check=check), aws


def another(number: int, **changes: Any) -> dict[str, Any]:
    return {**task(number, group="family:other", **changes), "taskDefinitionArn": OTHER}


def world_of(*tasks: dict[str, Any], volumes: list[dict[str, Any]] | None = None) -> World:
    world = World(tasks=tasks)
    world.definitions[OTHER] = {**definition(arn=OTHER, volumes=volumes), "family": "other"}
    return world


@pytest.mark.parametrize("check", [False, True])
def test_live_ones_come_first_and_each_definition_is_read_once(check: bool) -> None:
    world = world_of(
        task(3, last="STOPPED", desired="STOPPED"),
        task(1),
        task(2, last="DEPROVISIONING", desired="STOPPED", containers="STOPPED"),
        another(4, last="STOPPING", desired="STOPPED"),
    )
    outcome, aws = look(world, check=check)
    result = outcome.result
    assert not outcome.failed, outcome.msg
    assert not outcome.changed
    assert aws.writes == []
    assert [(entry["task_arn"], entry["live"]) for entry in result["tasks"]] == [
        (task_arn(4), True),
        (task_arn(1), True),
        (task_arn(3), False),
        (task_arn(2), False),
    ]
    assert (result["live"], result["tasks_seen"], result["definitions_read"], result["excluded"]) == (2, 4, 2, 0)
    assert result["clusters"] == [CLUSTER]
    first = result["tasks"][0]
    assert (first["family"], first["group"], first["cluster"]) == ("other", "family:other", CLUSTER)
    assert first["volumes"] == [{"name": "data", "access_point_id": "fsap-0a1b2c3d4e5f60718", "root_directory": "/"}]
    assert first["containers"][1] == {
        "name": "qdrant",
        "volume": "data",
        "container_path": "/qdrant/storage",
        "read_only": False,
    }


@pytest.mark.parametrize(
    "given",
    [
        FILE_SYSTEM,
        f"{FILE_SYSTEM}.efs.us-west-2.amazonaws.com",
        f"arn:aws:elasticfilesystem:us-west-2:018025611404:file-system/{FILE_SYSTEM}",
    ],
)
def test_the_file_system_may_be_named_in_any_of_its_ways(given: str) -> None:
    result = look(world_of(task(1)), file_system_id=given)[0].result
    assert (result["file_system_id"], result["live"]) == (FILE_SYSTEM, 1)


@pytest.mark.parametrize(
    ("volume", "mounts"),
    [
        ({"efsVolumeConfiguration": {"fileSystemId": FILE_SYSTEM, "rootDirectory": "/elsewhere"}}, True),
        ({"efsVolumeConfiguration": {"fileSystemId": f"{FILE_SYSTEM}.efs.us-west-2.amazonaws.com"}}, True),
        (
            {
                "efsVolumeConfiguration": {
                    "fileSystemId": f"arn:aws:elasticfilesystem:us-west-2:018025611404:file-system/{FILE_SYSTEM}"
                }
            },
            True,
        ),
        ({"dockerVolumeConfiguration": {"driverOpts": {"o": f"addr={FILE_SYSTEM}.efs.x.amazonaws.com"}}}, True),
        ({"efsVolumeConfiguration": {"fileSystemId": f"{FILE_SYSTEM}0"}}, False),
        ({"configuredAtLaunch": True}, False),
        ({"host": {}}, False),
    ],
)
def test_which_volumes_are_the_file_system(volume: dict[str, Any], mounts: bool) -> None:
    result = look(world_of(another(1), volumes=[{"name": "v", **volume}]))[0].result
    assert bool(result["tasks"]) is mounts
    assert result["tasks_seen"] == 1


@pytest.mark.parametrize("name", [SERVICE, f"{CLUSTER}/{SERVICE}", task_arn(1)])
def test_what_is_excluded_is_counted_only(name: str) -> None:
    result = look(world_of(task(1), another(2)), exclude=[name])[0].result
    assert [entry["task_arn"] for entry in result["tasks"]] == [task_arn(2)]
    assert (result["excluded"], result["tasks_seen"]) == (1, 2)


@pytest.mark.parametrize("name", ["other", f"elsewhere/{SERVICE}", "wwhd"])
def test_what_is_not_named_exactly_is_not_excluded(name: str) -> None:
    assert look(world_of(task(1), another(2)), exclude=[name])[0].result["live"] == 2


def test_all_means_every_cluster() -> None:
    outcome, aws = look(world_of(task(1)), clusters=["all"])
    assert outcome.result["clusters"] == ["other", CLUSTER]
    assert {params["cluster"] for params in aws.params("ecs:ListTasks")} == {"other", CLUSTER}


def test_a_live_task_that_cannot_be_judged_is_an_error() -> None:
    world = world_of(another(1))
    del world.definitions[OTHER]
    outcome, _aws = look(world)
    assert outcome.failed
    assert f"Could not judge whether task {1:032x} of family:other (RUNNING" in outcome.msg
    assert f"mounts {FILE_SYSTEM}" in outcome.msg
    assert OTHER in outcome.msg
    assert "Unable to describe task definition" in outcome.msg
    assert outcome.result["task_arn"] == task_arn(1)


def test_a_live_task_is_judged_even_after_an_ended_one_of_the_same_definition() -> None:
    world = world_of(another(1, last="STOPPED", desired="STOPPED"), another(2))
    del world.definitions[OTHER]
    outcome, _aws = look(world)
    assert outcome.failed
    assert task_arn(2) == outcome.result["task_arn"]


def test_an_ended_task_that_cannot_be_judged_is_only_named() -> None:
    world = world_of(another(1, last="STOPPED", desired="STOPPED"))
    del world.definitions[OTHER]
    outcome, _aws = look(world)
    assert not outcome.failed, outcome.msg
    assert outcome.result["unjudged"] == [task_arn(1)]
    assert outcome.result["tasks"] == []


def test_a_task_that_stays_missing_is_an_error() -> None:
    world = world_of(task(1))
    world.missing = [task_arn(9)]
    outcome, _aws = look(world)
    assert outcome.failed
    assert f"Could not judge 1 task(s) in cluster {CLUSTER}" in outcome.msg
    assert f"{9:032x}" in outcome.msg


def test_an_unknown_cluster_is_named_with_the_nearest_ones() -> None:
    world = world_of()
    world.overrides["ecs:ListTasks"] = [Fault("ClusterNotFoundException", "Cluster not found.")]
    outcome, _aws = look(world, clusters=["wwhd-clutter"])
    assert outcome.failed
    assert "there is no cluster wwhd-clutter" in outcome.msg
    assert "nearest first: wwhd-cluster, other." in outcome.msg


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"file_system_id": "my-files"}, "file_system_id 'my-files' is no EFS file system"),
        ({"file_system_id": "fsap-0a1b2c3d4e5f60718"}, "is no EFS file system"),
        ({"clusters": []}, "clusters is empty"),
        ({"clusters": [""]}, "has an empty name in it"),
    ],
)
def test_bad_arguments_are_refused_before_any_call(args: dict[str, Any], sentence: str) -> None:
    outcome, aws = look(world_of(), **args)
    assert outcome.failed
    assert sentence in outcome.msg
    assert aws.calls == []


def test_a_cluster_of_a_thousand_tasks_costs_its_pages_and_each_definition_once() -> None:
    """And the next look costs its pages only: what does not mount the file system never will."""
    world = World()
    revisions = [DEFINITION.replace("wwhd-backend:7", f"other{number}:1") for number in range(299)]
    world.definitions |= {arn: {**definition(arn=arn, volumes=[]), "family": arn} for arn in revisions}
    world.tasks = [
        *({**task(number), "taskDefinitionArn": revisions[number % 299]} for number in range(990)),
        *(task(number) for number in range(990, 1000)),
    ]
    outcome, aws = look(world)
    assert len(outcome.result["tasks"]) == 10
    # 1,000 running tasks are ten pages; that of the stopped ones is empty.
    assert Counter(aws.operations) == {"ecs:ListTasks": 11, "ecs:DescribeTasks": 10, "ecs:DescribeTaskDefinition": 300}
    assert outcome.result["not_mounting"] == sorted(revisions)
    again, aws = look(world, not_mounting=outcome.result["not_mounting"])
    assert again.result["tasks"] == outcome.result["tasks"]
    assert Counter(aws.operations) == {"ecs:ListTasks": 11, "ecs:DescribeTasks": 10, "ecs:DescribeTaskDefinition": 1}
