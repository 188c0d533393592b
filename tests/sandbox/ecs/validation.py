# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ECS refuses at once: shapes that do not fit its model, tags, and Fargate's rules for task definitions."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import botocore.session
from botocore.validate import ParamValidator

from sandbox.ecs.errors import AwsError, client_error, invalid_parameter

_FARGATE_MEMORY = {
    256: (512, 1024, 2048),
    512: tuple(range(1024, 4097, 1024)),
    1024: tuple(range(2048, 8193, 1024)),
    2048: tuple(range(4096, 16385, 1024)),
    4096: tuple(range(8192, 30721, 1024)),
    8192: tuple(range(16384, 61441, 4096)),
    16384: tuple(range(32768, 122881, 8192)),
}
_TAG_TEXT = re.compile(r"[\w\s+\-=._:/@]*", re.UNICODE)
_FAMILY = re.compile(r"[A-Za-z0-9_-]{1,255}")
_STARTED_BY = re.compile(r"[A-Za-z0-9_/-]{1,128}")


@lru_cache(maxsize=1)
def _model() -> Any:
    return botocore.session.get_session().get_service_model("ecs")


def known_operation(operation: str) -> bool:
    return operation in _model().operation_names


def check_shape(operation: str, params: dict[str, Any]) -> None:
    """Raises ClientException where a required member is missing or of a wrong type, InvalidParameterException for a
    value that an enumeration does not have."""
    shape = _model().operation_model(operation).input_shape
    report = ParamValidator().validate(params, shape)
    if report.has_errors():
        raise client_error(report.generate_report().splitlines()[0])
    _check_enums(shape, params, "")


def _check_enums(shape: Any, value: Any, path: str) -> None:
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, member in shape.members.items():
            if name in value:
                _check_enums(member, value[name], f"{path}.{name}" if path else name)
    elif shape.type_name == "list" and isinstance(value, list):
        for number, item in enumerate(value):
            _check_enums(shape.member, item, f"{path}.{number + 1}.member")
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        raise invalid_parameter(
            f"1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: Member must "
            f"satisfy enum value set: [{', '.join(shape.enum)}]"
        )


def check_tags(tags: dict[str, str], *, existing: dict[str, str] | None = None) -> None:
    """Raises InvalidParameterException for tags that ECS does not take."""
    if len({**(existing or {}), **tags}) > 50:
        raise invalid_parameter("Too many tags: a resource can have at most 50 tags.")
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or not _TAG_TEXT.fullmatch(key):
            raise invalid_parameter(f"Invalid tag key {key!r}: 1 to 128 letters, digits, spaces and + - = . _ : / @")
        if key.lower().startswith("aws:"):
            raise invalid_parameter(f"Invalid tag key {key!r}: the prefix aws: is reserved")
        if len(value) > 256 or not _TAG_TEXT.fullmatch(value):
            raise invalid_parameter(
                f"Invalid value of tag {key!r}: up to 256 letters, digits, spaces and + - = . _ : / @"
            )


def tags_of(params: dict[str, Any]) -> dict[str, str]:
    """The request's tags as a mapping, checked."""
    tags = {str(tag["key"]): str(tag.get("value", "")) for tag in params.get("tags") or []}
    check_tags(tags)
    return tags


def check_started_by(text: str | None) -> None:
    if text and not _STARTED_BY.fullmatch(text):
        raise invalid_parameter("startedBy: up to 128 letters, digits, hyphens, underscores and slashes are allowed")


def cpu_units(value: str) -> int:
    """1024 for "1 vCPU" and for "1024". Raises ClientException."""
    text = value.strip().lower()
    try:
        return int(float(text.removesuffix("vcpu").strip()) * 1024) if text.endswith("vcpu") else int(text)
    except ValueError:
        raise client_error(f"Invalid 'cpu' setting for task: {value}") from None


def memory_mib(value: str) -> int:
    """2048 for "2 GB" and for "2048". Raises ClientException."""
    text = value.strip().lower()
    try:
        return int(float(text.removesuffix("gb").strip()) * 1024) if text.endswith("gb") else int(text)
    except ValueError:
        raise client_error(f"Invalid 'memory' setting for task: {value}") from None


def check_definition(params: dict[str, Any]) -> None:
    """Raises ClientException in ECS's words for a task definition that it does not register."""
    family = str(params.get("family") or "")
    if not _FAMILY.fullmatch(family):
        raise client_error(
            "Family contains invalid characters: up to 255 letters (uppercase and lowercase), numbers, underscores, "
            "and hyphens are allowed."
            if family
            else "Family should not be null or empty."
        )
    containers = params.get("containerDefinitions") or []
    if not containers:
        raise client_error("Container list cannot be empty.")
    _check_containers(containers)
    _check_volumes(params.get("volumes") or [], containers)
    if "FARGATE" in (params.get("requiresCompatibilities") or []):
        _check_fargate(params, containers)


def _check_containers(containers: list[dict[str, Any]]) -> None:
    names: set[str] = set()
    for container in containers:
        name = container.get("name")
        if not name:
            raise client_error("Container.name should not be null or empty.")
        if name in names:
            raise client_error(f"Container.name should be unique: {name}")
        names.add(name)
        if not container.get("image"):
            raise client_error("Container.image should not be null or empty.")
    if not any(container.get("essential", True) for container in containers):
        raise client_error("Invalid setting for container. At least one container should be essential.")


def _check_volumes(volumes: list[dict[str, Any]], containers: list[dict[str, Any]]) -> None:
    known = {volume.get("name") for volume in volumes}
    for container in containers:
        for mount in container.get("mountPoints") or []:
            if mount.get("sourceVolume") not in known:
                raise client_error(f"Unknown volume '{mount.get('sourceVolume')}'.")
            if not mount.get("containerPath"):
                raise client_error("Container path cannot be null or empty.")
    for volume in volumes:
        efs = volume.get("efsVolumeConfiguration")
        if efs:
            _check_efs(efs)


def _check_efs(efs: dict[str, Any]) -> None:
    authorization = efs.get("authorizationConfig") or {}
    point = authorization.get("accessPointId")
    if point and efs.get("rootDirectory", "/") not in ("", "/"):
        raise client_error("Root directory must be omitted or set to / when an access point is specified.")
    if (point or authorization.get("iam") == "ENABLED") and efs.get("transitEncryption") != "ENABLED":
        raise client_error("Transit encryption must be enabled when an access point or IAM authorization is used.")


def _check_fargate(params: dict[str, Any], containers: list[dict[str, Any]]) -> None:
    if params.get("networkMode") != "awsvpc":
        raise client_error("Fargate only supports network mode 'awsvpc'.")
    for member in ("cpu", "memory"):
        if not params.get(member):
            raise client_error(f"Fargate requires that '{member}' be defined at the task level.")
    cpu, memory = cpu_units(params["cpu"]), memory_mib(params["memory"])
    if memory not in _FARGATE_MEMORY.get(cpu, ()):
        raise client_error(f"No Fargate configuration exists for given values: {cpu} CPU, {memory} memory.")
    for container in containers:
        _check_fargate_container(params, container)
    storage = (params.get("ephemeralStorage") or {}).get("sizeInGiB")
    if storage is not None and not 21 <= storage <= 200:
        raise client_error("EphemeralStorage size must be between 21 and 200 GiB.")


def _check_fargate_container(params: dict[str, Any], container: dict[str, Any]) -> None:
    logs = container.get("logConfiguration") or {}
    role = params.get("executionRoleArn")
    if logs.get("logDriver") == "awslogs":
        if not role:
            raise client_error(
                "Fargate requires task definition to have execution role ARN to support log driver awslogs."
            )
        options = logs.get("options") or {}
        for option in ("awslogs-group", "awslogs-region", "awslogs-stream-prefix"):
            if not options.get(option):
                raise client_error(f"Log driver awslogs requires options: {option}")
    if ".dkr.ecr." in str(container["image"]) and not role:
        raise client_error("Fargate requires task definition to have execution role ARN to support ECR images.")
    timeout = container.get("stopTimeout")
    if timeout is not None and not 2 <= timeout <= 120:
        raise client_error("Stop timeout must be between 2 and 120 seconds on Fargate.")
    for mapping in container.get("portMappings") or []:
        if mapping.get("hostPort") not in (None, 0, mapping.get("containerPort")):
            raise client_error(
                "When networkMode=awsvpc, the host ports and container ports in port mappings must match."
            )


def too_many(name: str, items: list[Any], limit: int) -> None:
    if len(items) > limit:
        raise AwsError("InvalidParameterException", f"{name} can have at most {limit} items.")


__all__ = [
    "check_definition", "check_shape", "check_started_by", "check_tags", "cpu_units", "known_operation", "memory_mib",
    "tags_of", "too_many",
]  # fmt: skip
