"""Who mounts a file system, where the hosts of a run look together: what each would see alone, with fewer calls."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils import _shared
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._shared import PLACE
from ansible_collections.wwhd.qdrant_ops.plugins.modules import ecs_mounts_info
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, run_module
from ansible_collections.wwhd.qdrant_ops.tests.unit.recorded_aws import Fault, RecordedAws, Script

TASK = "arn:aws:ecs:us-west-2:123456789012:task/c"
DEFINITION = "arn:aws:ecs:us-west-2:123456789012:task-definition"
HOSTS = 12


def system(number: int) -> str:
    return f"fs-{number:017x}"


def task(number: int, status: str = "RUNNING") -> dict[str, Any]:
    containers = [{"name": "qdrant", "lastStatus": status}]
    return {
        "taskArn": f"{TASK}/{number:032x}", "taskDefinitionArn": f"{DEFINITION}/env{number}:1", "lastStatus": status,
        "desiredStatus": status, "group": f"service:env{number}", "containers": containers, "clusterArn": "c",
    }  # fmt: skip


def definition(params: dict[str, Any]) -> dict[str, Any]:
    family = params["taskDefinition"].rsplit("/", 1)[1].split(":")[0]
    volume = {"name": "storage", "efsVolumeConfiguration": {"fileSystemId": system(int(family.removeprefix("env")))}}
    container = {
        "name": "qdrant", "image": "i", "mountPoints": [{"sourceVolume": "storage", "containerPath": "/qdrant"}],
        "environment": [{"name": "PASSWORD", "value": "a-secret-of-somebody-else"}],
    }  # fmt: skip
    return {
        "taskDefinition": {
            "taskDefinitionArn": params["taskDefinition"], "family": family, "volumes": [volume],
            "containerDefinitions": [container],
        }
    }  # fmt: skip


def world(tasks: list[dict[str, Any]]) -> Script:
    def listed(params: dict[str, Any]) -> dict[str, Any]:
        return {"taskArns": [t["taskArn"] for t in tasks if t["desiredStatus"] == params["desiredStatus"]]}

    def described(params: dict[str, Any]) -> dict[str, Any]:
        return {"tasks": [t for t in tasks if t["taskArn"] in params["tasks"]], "failures": []}

    return {"ecs:ListTasks": [listed], "ecs:DescribeTasks": [described], "ecs:DescribeTaskDefinition": [definition]}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(PLACE, str(tmp_path))
    return tmp_path


def look(aws: RecordedAws, number: int, clock: FakeClock, **more: Any) -> dict[str, Any]:
    arguments = {"file_system_id": system(number), "clusters": ["c"], **more}
    return run_module(ecs_mounts_info.main, arguments, aws=aws, clock=clock).result


def test_each_sees_what_it_would_see_alone(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [task(number, "STOPPED" if number % 3 else "RUNNING") for number in range(HOSTS)]
    with RecordedAws(world(tasks)) as aws:
        together = [look(aws, number, FakeClock()) for number in range(HOSTS)]
        monkeypatch.delenv(PLACE)
        alone = [look(aws, number, FakeClock()) for number in range(HOSTS)]
    for one, other in zip(together, alone, strict=True):
        for result in (one, other):
            result.pop("started_at", None), result.pop("elapsed", None)
        assert one == other
    assert [[t["task_arn"] for t in result["tasks"]] for result in together] == [[t["taskArn"]] for t in tasks]


def test_definitions_are_read_once_for_all_and_who_is_gone_is_described_once(place: Path) -> None:
    tasks = [task(number, "STOPPED" if number % 3 else "RUNNING") for number in range(HOSTS)]
    clock = FakeClock()
    with RecordedAws(world(tasks)) as aws:
        for number in range(HOSTS):
            look(aws, number, clock)
    assert aws.operations.count("ecs:DescribeTaskDefinition") == HOSTS
    described = Counter(arn for params in aws.params("ecs:DescribeTasks") for arn in params["tasks"])
    assert {described[t["taskArn"]] for t in tasks if t["lastStatus"] == "STOPPED"} == {1}
    # These looks came one after the other, so that each is one of its own.
    assert {described[t["taskArn"]] for t in tasks if t["lastStatus"] == "RUNNING"} == {HOSTS}


def test_a_task_that_came_after_another_hosts_look_is_seen(place: Path) -> None:
    tasks = [task(0)]
    clock = FakeClock()
    with RecordedAws(world(tasks)) as aws:
        assert look(aws, 1, clock)["live"] == 0
        tasks.append(task(1))
        assert look(aws, 1, clock)["live"] == 1


def test_a_task_that_is_missing_is_waited_for(place: Path) -> None:
    tasks, seen = [task(1)], Counter[str]()

    def described(params: dict[str, Any]) -> dict[str, Any]:
        seen["looks"] += 1
        missing = [{"arn": arn, "reason": "MISSING"} for arn in params["tasks"]]
        return {"tasks": [], "failures": missing} if seen["looks"] < 3 else {"tasks": tasks, "failures": []}

    with RecordedAws({**world(tasks), "ecs:DescribeTasks": [described]}) as aws:
        assert look(aws, 1, FakeClock())["live"] == 1
    assert seen["looks"] == 3


def test_a_failure_is_nobody_elses(place: Path) -> None:
    refused = Fault("AccessDeniedException", "not authorized")
    script = {**world([task(1)]), "ecs:ListTasks": [refused, *world([task(1)])["ecs:ListTasks"]]}
    clock = FakeClock()
    with RecordedAws(script) as aws:
        assert "ecs:ListTasks" in look(aws, 1, clock)["msg"]
        assert look(aws, 1, clock)["live"] == 1


def test_no_secret_of_a_definition_is_written_down(place: Path) -> None:
    with RecordedAws(world([task(1)])) as aws:
        look(aws, 1, FakeClock())
    written = b"".join(path.read_bytes() for path in place.iterdir())
    assert b"qdrant" in written
    assert b"a-secret-of-somebody-else" not in written
    assert _shared._load(next(path for path in place.iterdir() if path.suffix != ".lock"))
