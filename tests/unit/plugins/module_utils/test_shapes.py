"""What a user wrote, as AWS's parameters, by botocore's own model."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.shapes import conform, joined, nearest

MODEL = botocore.session.get_session().get_service_model("ecs")
REGISTER = MODEL.operation_model("RegisterTaskDefinition").input_shape
OVERRIDES = MODEL.operation_model("RunTask").input_shape.members["overrides"]


def definition(**more: Any) -> dict[str, Any]:
    return {"family": "f", "containerDefinitions": [{"name": "c", "image": "i"}], **more}


def test_snake_and_camel_case_are_the_same() -> None:
    snake = {
        "family": "f",
        "execution_role_arn": "r",
        "container_definitions": [
            {
                "name": "c",
                "image": "i",
                "mount_points": [{"source_volume": "v", "container_path": "/d"}],
                "log_configuration": {"log_driver": "awslogs", "options": {"awslogs-group": "g"}},
                "docker_labels": {"My_Label": "x", "other-label": "y"},
            }
        ],
        "volumes": [{"name": "v", "efs_volume_configuration": {"file_system_id": "fs-1"}}],
    }
    camel, problems = conform(snake, REGISTER, path="definition")
    assert problems == []
    assert camel["executionRoleArn"] == "r"
    container = camel["containerDefinitions"][0]
    assert container["mountPoints"] == [{"sourceVolume": "v", "containerPath": "/d"}]
    assert container["dockerLabels"] == {"My_Label": "x", "other-label": "y"}
    assert camel["volumes"][0]["efsVolumeConfiguration"] == {"fileSystemId": "fs-1"}
    assert conform(camel, REGISTER, path="definition") == (camel, [])


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"cpu": 256}, {"cpu": "256"}),
        ({"cpu": None}, {}),
        ({"enableFaultInjection": "yes"}, {"enableFaultInjection": True}),
        ({"ephemeralStorage": {"sizeInGiB": "30"}}, {"ephemeralStorage": {"sizeInGiB": 30}}),
        ({"ephemeral_storage": {"size_in_gib": 30}}, {"ephemeralStorage": {"sizeInGiB": 30}}),
    ],
)
def test_scalars_take_the_type_of_the_model(given: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert conform(definition(**given), REGISTER, path="definition") == (definition(**wanted), [])


def test_maps_hold_text() -> None:
    container = {
        "name": "c",
        "image": "i",
        "logConfiguration": {"logDriver": "x", "options": {"a": True, "n": 3, "z": None}},
    }
    result, problems = conform(definition(containerDefinitions=[container]), REGISTER, path="definition")
    assert problems == []
    assert result["containerDefinitions"][0]["logConfiguration"]["options"] == {"a": "true", "n": "3"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"comand": []}, "definition.comand is not known to ECS"),
        ({"netwrokMode": "awsvpc"}, "definition.netwrokMode is not known to ECS (did you mean networkMode?)"),
        ({"network_mod": "awsvpc"}, "definition.network_mod is not known to ECS (did you mean networkMode?)"),
        ({"NetworkMode": "awsvpc"}, "definition.NetworkMode is not known to ECS (did you mean networkMode?)"),
        ({"taskRoleArn": "a", "task_role_arn": "b"}, "definition.task_role_arn gives taskRoleArn a second time"),
        ({"volumes": {"name": "v"}}, "definition.volumes must be a list, not a dictionary"),
        ({"volumes": ["v"]}, "definition.volumes[0] must be a dictionary, not the value 'v'"),
        ({"cpu": [1]}, "definition.cpu must be a text, not a list"),
        (
            {"enableFaultInjection": "maybe"},
            "definition.enableFaultInjection must be true or false, not the value 'maybe'",
        ),
        (
            {"ephemeralStorage": {"sizeInGiB": "many"}},
            "definition.ephemeralStorage.sizeInGiB must be a whole number, not the value 'many'",
        ),
        (
            {"ephemeralStorage": {"sizeInGiB": True}},
            "definition.ephemeralStorage.sizeInGiB must be a whole number, not the value True",
        ),
        ({"family": None}, "definition.family is missing"),
        (
            {"containerDefinitions": [{"name": "c", "image": "i", "dockerLabels": {"a": ["b"]}}]},
            "definition.containerDefinitions[0].dockerLabels.a must be a text",
        ),
        (
            {"containerDefinitions": [{"name": "c", "image": "i", "dockerLabels": "a"}]},
            "definition.containerDefinitions[0].dockerLabels must be a dictionary, not the value 'a'",
        ),
        (
            {"containerDefinitions": [{"name": "c", "image": "i", "command": [None]}]},
            "definition.containerDefinitions[0].command[0] must be a text, not empty",
        ),
    ],
)
def test_mistakes_are_named(given: dict[str, Any], sentence: str) -> None:
    _result, problems = conform(definition(**given), REGISTER, path="definition")
    assert any(problem.startswith(sentence) for problem in problems), problems


def test_every_mistake_is_told_at_once() -> None:
    _result, problems = conform({"nonsense": 1, "cpu": {}}, REGISTER, path="definition")
    assert len(problems) == 4


def test_overrides() -> None:
    result, problems = conform(
        {"container_overrides": [{"name": "c", "command": ["x"]}], "cpu": 512}, OVERRIDES, path="overrides"
    )
    assert problems == []
    assert result == {"containerOverrides": [{"name": "c", "command": ["x"]}], "cpu": "512"}


def test_nearest_and_joined() -> None:
    assert nearest("qdrnt", ["fastapi", "qdrant"]) == "qdrant"
    assert nearest("zzz", ["fastapi", "qdrant"]) is None
    assert joined(["b", "a"]) == "a, b"
    assert joined([]) == "none"
