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
    ("taskRoleArn is new: arn:role", _set(["taskRoleArn"], "arn:role")),
    ("containerDefinitions[cleaner].image differs: alpine:latest → alpine:3", _set([*CLEANER, "image"], "alpine:3")),
    # The same length and the same words: what a comparison by length or as a set would miss.
    ("containerDefinitions[cleaner].command[2] differs: true → false", _set([*CLEANER, "command", 2], "false")),
    (
        "containerDefinitions[cleaner].command[1] differs: -c → true",
        _set([*CLEANER, "command"], ["sh", "true", "-c", "-c"]),
    ),
    (
        "containerDefinitions[cleaner].command[4] is new: x",
        _set([*CLEANER, "command"], ["sh", "-c", "true", "-c", "x"]),
    ),
    ("containerDefinitions[cleaner].command[3] is gone: -c", _set([*CLEANER, "command"], ["sh", "-c", "true"])),
    ("containerDefinitions[cleaner].command is gone", _set([*CLEANER, "command"], None)),
    ("containerDefinitions[cleaner].entryPoint is new", _set([*CLEANER, "entryPoint"], ["sh"])),
    ("containerDefinitions[cleaner].essential differs: True → False", _set([*CLEANER, "essential"], False)),
    ("containerDefinitions[cleaner].environment[A].value differs", _set([*CLEANER, "environment", 0, "value"], "two")),
    ("containerDefinitions[cleaner].environment[B] is gone", _set([*CLEANER, "environment", 1], None)),
    ("containerDefinitions[cleaner].environment[A] is gone", _set([*CLEANER, "environment"], None)),
    (
        "containerDefinitions[cleaner].mountPoints[/data].readOnly is new: True",
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
        "volumes[data].efsVolumeConfiguration.authorizationConfig.accessPointId is gone: fsap-1",
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


def test_of_a_script_the_first_line_that_differs_is_told() -> None:
    first, second = base(), base()
    first["containerDefinitions"][0]["command"][2] = "set -e\n  echo one\necho two"
    second["containerDefinitions"][0]["command"][2] = "set -e\n  echo 1\necho two\n"
    told = "containerDefinitions[cleaner].command[2] differs from line 2 on: echo one → echo 1"
    assert differences(first, second) == [told]
    second["containerDefinitions"][0]["command"][2] = "set -e\n" + "x" * 100
    assert differences(first, second) == ["containerDefinitions[cleaner].command[2] differs from line 2 on"]


def test_options_that_may_be_tokens_are_never_told() -> None:
    def logging_to(driver: str, token: str) -> Definition:
        whole = base()
        options = {"splunk-token": token, "splunk-url": "https://x"}
        whole["containerDefinitions"][0]["logConfiguration"] = {"logDriver": driver, "options": options}
        share = {"name": "share", "dockerVolumeConfiguration": {"driver": "local", "driverOpts": {"o": token}}}
        whole["volumes"].append(share)
        return whole

    before, after = logging_to("splunk", "s3cret-one"), logging_to("splunk", "s3cret-two")
    assert differences(before, after) == [
        "containerDefinitions[cleaner].logConfiguration.options.splunk-token differs",
        "volumes[share].dockerVolumeConfiguration.driverOpts.o differs",
    ]
    shown = masked(after, against=before)
    options = shown["containerDefinitions"]["cleaner"]["logConfiguration"]["options"]
    assert options == {"splunk-token": "(hidden, changed)", "splunk-url": "(hidden)"}
    told = [*differences(base(), after), *differences(after, base()), shown, masked(before)]
    assert "s3cret" not in str(told)


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


# What follows draws definitions as a whole, with every list of facts.md B.5, and treats them as ECS or a person would.

NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
TEXT = st.text(alphabet="abcxyz-/:. ", min_size=1, max_size=12)


def several(entry: st.SearchStrategy[dict[str, Any]], *members: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(entry, max_size=4, unique_by=lambda item: tuple(item.get(member) for member in members))


def records(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(members)


CONTAINERS = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES, "image": TEXT},
        optional={
            "cpu": st.integers(1, 4096),
            "memory": st.integers(6, 4096),
            "essential": st.booleans(),
            "command": st.lists(TEXT, min_size=1, max_size=4),
            "entryPoint": st.lists(TEXT, min_size=1, max_size=3),
            "workingDirectory": TEXT,
            "readonlyRootFilesystem": st.just(True),
            "environment": several(records(name=NAMES, value=TEXT), "name"),
            "secrets": several(records(name=NAMES, valueFrom=TEXT), "name"),
            "mountPoints": several(
                records(sourceVolume=NAMES, containerPath=TEXT, readOnly=st.booleans()), "containerPath"
            ),
            "volumesFrom": several(records(sourceContainer=NAMES), "sourceContainer"),
            "portMappings": several(
                records(containerPort=st.integers(1, 65535), protocol=st.sampled_from(["tcp", "udp"])),
                "containerPort",
                "protocol",
            ),
            "dependsOn": several(records(containerName=NAMES, condition=st.sampled_from(["START"])), "containerName"),
            "ulimits": several(records(name=NAMES, softLimit=st.integers(1, 9), hardLimit=st.integers(1, 9)), "name"),
            "systemControls": several(records(namespace=NAMES, value=TEXT), "namespace"),
            "healthCheck": records(command=st.lists(TEXT, min_size=1, max_size=3), retries=st.integers(1, 10)),
            "logConfiguration": records(logDriver=st.just("awslogs"), options=st.dictionaries(NAMES, TEXT, max_size=3)),
            "dockerLabels": st.dictionaries(NAMES, TEXT, min_size=1, max_size=3),
        },
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda container: container["name"],
)
VOLUMES = several(
    st.fixed_dictionaries(
        {"name": NAMES},
        optional={
            "efsVolumeConfiguration": st.fixed_dictionaries(
                {"fileSystemId": TEXT},
                optional={
                    "rootDirectory": st.sampled_from(["/", "/x"]),
                    "transitEncryption": st.sampled_from(["ENABLED", "DISABLED"]),
                    "authorizationConfig": records(accessPointId=TEXT, iam=st.sampled_from(["ENABLED", "DISABLED"])),
                },
            )
        },
    ),
    "name",
)
DEFINITIONS: st.SearchStrategy[Definition] = st.fixed_dictionaries(
    {"family": NAMES, "containerDefinitions": CONTAINERS},
    optional={
        "networkMode": st.sampled_from(["awsvpc", "bridge", "host"]),
        "requiresCompatibilities": st.lists(st.sampled_from(["FARGATE", "EC2"]), unique=True, min_size=1),
        "cpu": st.sampled_from(["256", "512"]),
        "memory": st.sampled_from(["512", "1024"]),
        "taskRoleArn": TEXT,
        "volumes": VOLUMES,
        "placementConstraints": several(records(type=st.just("memberOf"), expression=TEXT), "expression"),
    },
)
ORDER_FREE = {
    "containerDefinitions",
    "environment",
    "secrets",
    "mountPoints",
    "volumesFrom",
    "portMappings",
    "dependsOn",
    "ulimits",
    "systemControls",
    "volumes",
    "placementConstraints",
    "requiresCompatibilities",
}


def shuffled(value: Any, draw: Callable[[st.SearchStrategy[Any]], Any], name: str = "") -> Any:
    """The same with each order-free list in another order."""
    if isinstance(value, dict):
        return {key: shuffled(item, draw, key) for key, item in draw(st.permutations(list(value.items())))}
    if isinstance(value, list):
        inner = [shuffled(item, draw) for item in value]
        return draw(st.permutations(inner)) if name in ORDER_FREE else inner
    return value


def filled(whole: Definition) -> Definition:
    """What ECS gives back: its own members, and its defaults where nothing was said (facts.md B.5)."""
    result = copy.deepcopy(whole)
    result |= {"taskDefinitionArn": "arn:x", "revision": 9, "status": "ACTIVE", "registeredBy": "arn:me"}
    result.setdefault("volumes", [])
    result.setdefault("placementConstraints", [])
    result.setdefault("networkMode", "bridge")
    same_ports = result["networkMode"] in ("awsvpc", "host")
    for container in result["containerDefinitions"]:
        container.setdefault("cpu", 0)
        container.setdefault("essential", True)
        for empty in ("environment", "mountPoints", "volumesFrom", "portMappings", "systemControls"):
            container.setdefault(empty, [])
        for mapping in container["portMappings"]:
            mapping.setdefault("protocol", "tcp")
            mapping["hostPort"] = mapping["containerPort"] if same_ports else 0
        if "healthCheck" in container:
            container["healthCheck"] = {"interval": 30, "timeout": 5, **container["healthCheck"]}
    for volume in result["volumes"]:
        efs = volume.get("efsVolumeConfiguration")
        if efs:
            efs.setdefault("rootDirectory", "/")
            efs.setdefault("transitEncryption", "DISABLED")
        else:
            volume["host"] = {}
    return result


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    if isinstance(value, list):
        return [leaf for index, item in enumerate(value) for leaf in leaves(item, (*path, index))]
    return [path]


def at(whole: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        whole = whole[step]
    return whole


@given(whole=DEFINITIONS, data=st.data())
def test_neither_order_nor_defaults_make_a_difference(whole: Definition, data: st.DataObject) -> None:
    given_back = shuffled(filled(whole), data.draw)
    assert differences(given_back, whole) == []
    assert differences(whole, given_back) == []
    assert masked(given_back) == masked(whole)


@given(whole=DEFINITIONS, data=st.data())
def test_any_changed_value_is_a_difference_on_both_sides(whole: Definition, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(leaves(whole)))
    changed = copy.deepcopy(whole)
    old = at(whole, path)
    at(changed, path[:-1])[path[-1]] = (
        (not old) if isinstance(old, bool) else old + 1 if isinstance(old, int) else f"{old}!"
    )
    assert differences(shuffled(filled(whole), data.draw), changed) != []
    assert differences(changed, filled(whole)) != []


@given(whole=DEFINITIONS, data=st.data())
def test_any_member_or_entry_that_goes_is_a_difference(whole: Definition, data: st.DataObject) -> None:
    entries = [leaf[: size + 1] for leaf in leaves(whole) for size in range(len(leaf))]
    path = data.draw(st.sampled_from(sorted(set(entries), key=str)))
    less = copy.deepcopy(whole)
    del at(less, path[:-1])[path[-1]]
    if comparable(less) != comparable(whole):
        assert differences(whole, less) != []
        assert differences(less, whole) != []
    else:
        # What may go without a trace is what ECS would put there by itself, or what holds nothing.
        assert at(whole, path) in ([], {}, False, True, "DISABLED", "/", "bridge", "tcp", 3, ["FARGATE"], ["EC2"]) or (
            path[-1] in ("authorizationConfig", "requiresCompatibilities", "options")
        )


@given(whole=DEFINITIONS, data=st.data())
def test_commands_are_never_reordered(whole: Definition, data: st.DataObject) -> None:
    words = data.draw(st.lists(TEXT, min_size=2, max_size=5, unique=True))
    member = data.draw(st.sampled_from(["command", "entryPoint"]))
    other = data.draw(st.permutations(words).filter(lambda order: list(order) != words))
    first, second = copy.deepcopy(whole), copy.deepcopy(whole)
    first["containerDefinitions"][0][member] = words
    second["containerDefinitions"][0][member] = list(other)
    assert differences(first, second) != []
    for shown, wanted in ((masked(first), words), (masked(second), list(other))):
        container = shown["containerDefinitions"][whole["containerDefinitions"][0]["name"]]
        assert container[member] == wanted
