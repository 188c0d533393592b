"""When two definitions are the same (facts.md B.5). Every change of the base definition below must be seen."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.equivalence import comparable, differences, masked

Definition = dict[str, Any]


def base() -> Definition:
    return {
        "family": "clear-qdrant-locks",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [
            {
                "name": "cleaner",
                "image": "alpine:latest",
                "command": ["sh", "-c", "true", "-c"],
                "environment": [{"name": "A", "value": "one"}, {"name": "B", "value": ""}],
                "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}],
                "portMappings": [{"containerPort": 6333}],
                "healthCheck": {"command": ["CMD", "true"]},
                "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g", "mode": "blocking"}},
            },
            {"name": "other", "image": "busybox", "essential": False},
        ],
        "volumes": [
            {
                "name": "data",
                "efsVolumeConfiguration": {
                    "fileSystemId": "fs-1",
                    "transitEncryption": "ENABLED",
                    "authorizationConfig": {"accessPointId": "fsap-1", "iam": "ENABLED"},
                },
            },
            {"name": "scratch"},
        ],
    }


def as_aws_returns_it() -> Definition:
    """The same, with what ECS fills in, in another order."""
    whole = base()
    cleaner, other = whole["containerDefinitions"]
    cleaner |= {
        "cpu": 0,
        "essential": True,
        "environment": cleaner["environment"][::-1],
        "mountPoints": [{"sourceVolume": "data", "containerPath": "/data", "readOnly": False}],
        "portMappings": [{"containerPort": 6333, "hostPort": 6333, "protocol": "tcp"}],
        "volumesFrom": [],
        "systemControls": [],
        "healthCheck": {"command": ["CMD", "true"], "interval": 30, "timeout": 5, "retries": 3},
    }
    other |= {"cpu": 0, "environment": [], "mountPoints": [], "portMappings": [], "volumesFrom": []}
    whole["containerDefinitions"] = [other, cleaner]
    whole["volumes"] = [{"name": "scratch", "host": {}}, whole["volumes"][0]]
    whole["volumes"][1]["efsVolumeConfiguration"]["rootDirectory"] = "/"
    return whole | {
        "taskDefinitionArn": "arn:aws:ecs:us-west-2:0:task-definition/clear-qdrant-locks:1",
        "revision": 1,
        "status": "ACTIVE",
        "requiresAttributes": [{"name": "x"}],
        "compatibilities": ["EC2", "FARGATE"],
        "registeredAt": datetime(2026, 1, 1, tzinfo=UTC),
        "registeredBy": "arn:x",
        "placementConstraints": [],
        "enableFaultInjection": False,
        "tags": [{"key": "a", "value": "b"}],
    }


def test_what_aws_returns_equals_what_was_registered() -> None:
    assert differences(as_aws_returns_it(), base()) == []
    assert comparable(as_aws_returns_it()) == comparable(base())


@pytest.mark.parametrize(
    ("member", "spelling"),
    [("cpu", ".25 vCPU"), ("cpu", "0.25 vcpu"), ("cpu", 256), ("memory", "0.5GB"), ("memory", 512)],
)
def test_units(member: str, spelling: object) -> None:
    assert differences(base(), {**base(), member: spelling}) == []


def _set(path: list[Any], value: Any) -> Callable[[Definition], None]:
    def change(whole: Definition) -> None:
        target: Any = whole
        for step in path[:-1]:
            target = target[step]
        if value is None:
            del target[path[-1]]
        else:
            target[path[-1]] = value

    return change


CLEANER = ["containerDefinitions", 0]
EFS = ["volumes", 0, "efsVolumeConfiguration"]
CHANGES = [
    ("cpu differs: 256 → 512", _set(["cpu"], "512")),
    ("taskRoleArn is new", _set(["taskRoleArn"], "arn:role")),
    ("containerDefinitions[cleaner].image differs: alpine:latest → alpine:3", _set([*CLEANER, "image"], "alpine:3")),
    # The same length and the same words: what a comparison by length or as a set would miss.
    ("containerDefinitions[cleaner].command[2] differs: true → false", _set([*CLEANER, "command", 2], "false")),
    (
        "containerDefinitions[cleaner].command[1] differs: -c → true",
        _set([*CLEANER, "command"], ["sh", "true", "-c", "-c"]),
    ),
    ("containerDefinitions[cleaner].command[4] is new", _set([*CLEANER, "command"], ["sh", "-c", "true", "-c", "x"])),
    ("containerDefinitions[cleaner].command[3] is gone", _set([*CLEANER, "command"], ["sh", "-c", "true"])),
    ("containerDefinitions[cleaner].command is gone", _set([*CLEANER, "command"], None)),
    ("containerDefinitions[cleaner].entryPoint is new", _set([*CLEANER, "entryPoint"], ["sh"])),
    ("containerDefinitions[cleaner].essential differs: True → False", _set([*CLEANER, "essential"], False)),
    ("containerDefinitions[cleaner].environment[A].value differs", _set([*CLEANER, "environment", 0, "value"], "two")),
    ("containerDefinitions[cleaner].environment[B] is gone", _set([*CLEANER, "environment", 1], None)),
    ("containerDefinitions[cleaner].environment[A] is gone", _set([*CLEANER, "environment"], None)),
    (
        "containerDefinitions[cleaner].mountPoints[/data].readOnly is new",
        _set([*CLEANER, "mountPoints", 0, "readOnly"], True),
    ),
    (
        "containerDefinitions[cleaner].logConfiguration.options.mode differs: blocking → non-blocking",
        _set([*CLEANER, "logConfiguration", "options", "mode"], "non-blocking"),
    ),
    (
        "containerDefinitions[cleaner].healthCheck.command[1] differs: true → false",
        _set([*CLEANER, "healthCheck", "command", 1], "false"),
    ),
    (
        "containerDefinitions[cleaner].portMappings[6333/tcp] is gone",
        _set([*CLEANER, "portMappings", 0, "protocol"], "udp"),
    ),
    ("containerDefinitions[other] is gone", _set(["containerDefinitions", 1], None)),
    ("volumes[data].efsVolumeConfiguration.rootDirectory differs: / → /x", _set([*EFS, "rootDirectory"], "/x")),
    (
        "volumes[data].efsVolumeConfiguration.transitEncryption differs: ENABLED → DISABLED",
        _set([*EFS, "transitEncryption"], None),
    ),
    (
        "volumes[data].efsVolumeConfiguration.authorizationConfig.iam differs: ENABLED → DISABLED",
        _set([*EFS, "authorizationConfig", "iam"], None),
    ),
    (
        "volumes[data].efsVolumeConfiguration.authorizationConfig.accessPointId is gone",
        _set([*EFS, "authorizationConfig", "accessPointId"], None),
    ),
    ("volumes[scratch] is gone", _set(["volumes", 1], None)),
    (
        "runtimePlatform.cpuArchitecture differs: X86_64 → ARM64",
        _set(["runtimePlatform"], {"cpuArchitecture": "ARM64"}),
    ),
]


@pytest.mark.parametrize(("sentence", "change"), CHANGES, ids=[sentence for sentence, _change in CHANGES])
def test_every_change_is_seen_and_told(sentence: str, change: Callable[[Definition], None]) -> None:
    changed = base()
    change(changed)
    assert sentence in differences(as_aws_returns_it(), changed)
    assert differences(changed, changed) == []


def test_environment_values_are_never_told() -> None:
    changed = base()
    changed["containerDefinitions"][0]["environment"][0]["value"] = "s3cret"
    shown = [*differences(base(), changed), masked(base()), masked(changed, against=base())]
    assert "s3cret" not in str(shown)
    assert "'one'" not in str(shown)
    assert masked(changed, against=base())["containerDefinitions"]["cleaner"]["environment"]["A"]["value"] == (
        "(hidden, changed)"
    )
    assert masked(changed, against=base())["containerDefinitions"]["cleaner"]["environment"]["B"]["value"] == "(hidden)"


def test_long_values_are_not_shown() -> None:
    changed = base()
    changed["containerDefinitions"][0]["command"][2] = "x" * 61
    assert differences(base(), changed) == ["containerDefinitions[cleaner].command[2] differs"]


def test_a_name_that_comes_twice_hides_nothing() -> None:
    first, second = base(), base()
    first["containerDefinitions"][0]["environment"] = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    second["containerDefinitions"][0]["environment"] = [{"name": "A", "value": "9"}, {"name": "A", "value": "2"}]
    assert differences(first, second) == ["containerDefinitions[cleaner].environment[A].value differs"]


def test_in_bridge_mode_the_host_port_is_any() -> None:
    whole = {
        "family": "f",
        "containerDefinitions": [{"name": "c", "image": "i", "portMappings": [{"containerPort": 80}]}],
    }
    given_back = copy.deepcopy(whole) | {"networkMode": "bridge"}
    given_back["containerDefinitions"][0]["portMappings"][0] |= {"hostPort": 0, "protocol": "tcp"}  # type: ignore[index] # base's type is a union
    assert differences(given_back, whole) == []


def test_nothing_is_mutated() -> None:
    first, second = base(), as_aws_returns_it()
    before = copy.deepcopy((first, second))
    differences(first, second)
    masked(first, against=second)
    assert (first, second) == before


WORDS = st.lists(st.sampled_from(["a", "b", "c", "-c", ""]), max_size=5)


@given(one=WORDS, other=WORDS)
def test_two_commands_are_equal_only_if_they_are_the_same(one: list[str], other: list[str]) -> None:
    def whole(command: list[str]) -> Definition:
        return {"family": "f", "containerDefinitions": [{"name": "c", "image": "i", "command": command}]}

    assert (differences(whole(one), whole(other)) == []) == (one == other)


@given(order=st.permutations(range(4)))
def test_the_order_of_the_environment_means_nothing(order: list[int]) -> None:
    variables = [{"name": f"V{number}", "value": str(number)} for number in range(4)]

    def whole(environment: list[dict[str, str]]) -> Definition:
        return {"family": "f", "containerDefinitions": [{"name": "c", "image": "i", "environment": environment}]}

    assert differences(whole(variables), whole([variables[place] for place in order])) == []
