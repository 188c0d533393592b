# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Task definitions: each registration a new revision, with ECS's defaults filled in."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from sandbox.ecs.errors import AwsError, client_error, invalid_parameter
from sandbox.ecs.model import ACCOUNT, Definition, arn
from sandbox.ecs.paging import page
from sandbox.ecs.validation import check_definition, cpu_units, memory_mib, tags_of

_REGISTERED_BY = f"arn:aws:iam::{ACCOUNT}:user/sandbox"
_PASSED_ON = (
    "taskRoleArn", "executionRoleArn", "networkMode", "runtimePlatform", "requiresCompatibilities", "pidMode",
    "ipcMode", "proxyConfiguration", "ephemeralStorage", "inferenceAccelerators", "enableFaultInjection",
)  # fmt: skip


class Definitions:
    """All task definitions of one region."""

    def __init__(self, *, region: str, wall: Callable[[], float]) -> None:
        self.region = region
        self._wall = wall
        self._families: dict[str, list[Definition]] = {}

    def register(self, params: dict[str, Any]) -> dict[str, Any]:
        check_definition(params)
        tags = tags_of(params)
        family = str(params["family"])
        known = self._families.setdefault(family, [])
        revision = len(known) + 1
        body = normalised(params)
        body |= {
            "taskDefinitionArn": arn(self.region, "task-definition", f"{family}:{revision}"),
            "revision": revision,
            "status": "ACTIVE",
            "registeredAt": self._wall(),
            "registeredBy": _REGISTERED_BY,
        }
        known.append(Definition(body=body, tags=tags))
        return {"taskDefinition": body, "tags": as_list(tags)}

    def find(self, name: str) -> Definition | None:
        """By ARN, family:revision, or family (the latest active one); None if there is none."""
        short = name.split(":task-definition/", 1)[-1] if name.startswith("arn:") else name
        if name.startswith("arn:") and f":ecs:{self.region}:{ACCOUNT}:" not in name:
            return None
        family, _other, revision = short.partition(":")
        known = [item for item in self._families.get(family, []) if item.body["status"] != "DELETED"]
        if revision:
            return next((item for item in known if str(item.body["revision"]) == revision), None)
        return next((item for item in reversed(known) if item.active), None)

    def get(self, name: str) -> Definition:
        found = self.find(name)
        if found is None:
            raise client_error("Unable to describe task definition.")
        return found

    def runnable(self, name: str, *, error: Callable[[str], AwsError] = client_error) -> Definition:
        """One that tasks may be started from; `error` makes the exception for an inactive one."""
        found = self.find(name)
        if found is None:
            raise client_error("TaskDefinition not found.")
        if not found.active:
            raise error("TaskDefinition is inactive")
        return found

    def describe(self, params: dict[str, Any]) -> dict[str, Any]:
        found = self.get(str(params["taskDefinition"]))
        answer: dict[str, Any] = {"taskDefinition": found.body}
        if "TAGS" in (params.get("include") or []):
            answer["tags"] = as_list(found.tags)
        return answer

    def deregister(self, params: dict[str, Any]) -> dict[str, Any]:
        name = str(params["taskDefinition"])
        if ":" not in name:
            raise invalid_parameter("Invalid revision number. Number: null")
        found = self.find(name)
        if found is None:
            raise client_error("The specified task definition does not exist.")
        if found.active:
            found.body |= {"status": "INACTIVE", "deregisteredAt": self._wall()}
        return {"taskDefinition": found.body}

    def delete(self, params: dict[str, Any]) -> dict[str, Any]:
        names = list(params["taskDefinitions"])
        if not 1 <= len(names) <= 10:
            raise invalid_parameter("The number of task definitions must be between 1 and 10.")
        deleted, failures = [], []
        for name in names:
            found = self.find(name)
            if found is None:
                failures.append({"arn": name, "reason": "MISSING"})
            elif found.active:
                failures.append({"arn": found.arn, "reason": "The specified task definition is still in ACTIVE status. "
                                 "Please deregister the target and try again."})  # fmt: skip
            else:
                found.body |= {"status": "DELETE_IN_PROGRESS", "deleteRequestedAt": self._wall()}
                deleted.append(found.body)
        return {"taskDefinitions": deleted, "failures": failures}

    def list(self, params: dict[str, Any]) -> dict[str, Any]:
        status = params.get("status") or "ACTIVE"
        prefix = params.get("familyPrefix")
        found = [
            item.arn
            for family in sorted(self._families)
            if prefix in (None, family)
            for item in self._families[family]
            if item.body["status"] == status
        ]
        if params.get("sort") == "DESC":
            found.reverse()
        return _paged("taskDefinitionArns", found, params)

    def families(self, params: dict[str, Any]) -> dict[str, Any]:
        status = params.get("status") or "ALL"
        prefix = params.get("familyPrefix") or ""
        names = []
        for family in sorted(self._families):
            active = any(item.active for item in self._families[family])
            if family.startswith(prefix) and status in ("ALL", "ACTIVE" if active else "INACTIVE"):
                names.append(family)
        return _paged("families", names, params)


def _paged(key: str, found: list[str], params: dict[str, Any]) -> dict[str, Any]:
    chosen, token = page(found, max_results=params.get("maxResults"), token=params.get("nextToken"))
    return {key: chosen} if token is None else {key: chosen, "nextToken": token}


def normalised(params: dict[str, Any]) -> dict[str, Any]:
    """The registered form of a definition: defaults filled as ECS fills them, compatibilities worked out."""
    fargate = "FARGATE" in (params.get("requiresCompatibilities") or [])
    body: dict[str, Any] = {key: copy.deepcopy(params[key]) for key in _PASSED_ON if params.get(key) is not None}
    body["family"] = params["family"]
    if params.get("cpu"):
        body["cpu"] = str(cpu_units(params["cpu"]))
    if params.get("memory"):
        body["memory"] = str(memory_mib(params["memory"]))
    awsvpc = params.get("networkMode") == "awsvpc"
    body["containerDefinitions"] = [_container(item, awsvpc=awsvpc) for item in params["containerDefinitions"]]
    body["volumes"] = [_volume(item) for item in params.get("volumes") or []]
    body["placementConstraints"] = copy.deepcopy(params.get("placementConstraints") or [])
    body["compatibilities"] = ["EC2", "FARGATE"] if fargate else ["EC2"]
    body["requiresAttributes"] = _attributes(body)
    return body


def _container(given: dict[str, Any], *, awsvpc: bool) -> dict[str, Any]:
    filled = copy.deepcopy(given)
    filled.setdefault("cpu", 0)
    filled.setdefault("essential", True)
    for member in ("environment", "mountPoints", "volumesFrom", "portMappings", "systemControls"):
        filled[member] = filled.get(member) or []
    for mapping in filled["portMappings"]:
        mapping.setdefault("protocol", "tcp")
        if awsvpc:
            mapping["hostPort"] = mapping["containerPort"]
    logs = filled.get("logConfiguration")
    if logs is not None:
        logs.setdefault("options", {})
        logs.setdefault("secretOptions", [])
    return filled


def _volume(given: dict[str, Any]) -> dict[str, Any]:
    filled = copy.deepcopy(given)
    efs = filled.get("efsVolumeConfiguration")
    if efs is not None:
        efs["rootDirectory"] = efs.get("rootDirectory") or "/"
        if "authorizationConfig" in efs:
            efs["authorizationConfig"].setdefault("iam", "DISABLED")
    else:
        filled.setdefault("host", {})
    return filled


def _attributes(body: dict[str, Any]) -> list[dict[str, str]]:
    names = []
    if any("logConfiguration" in item for item in body["containerDefinitions"]):
        names += ["com.amazonaws.ecs.capability.logging-driver.awslogs", "ecs.capability.execution-role-awslogs"]
    if body.get("taskRoleArn"):
        names.append("com.amazonaws.ecs.capability.task-iam-role")
    if body.get("networkMode") == "awsvpc":
        names.append("ecs.capability.task-eni")
    if any("efsVolumeConfiguration" in item for item in body["volumes"]):
        names += ["ecs.capability.efsAuth", "ecs.capability.efs"]
    names.append("com.amazonaws.ecs.capability.docker-remote-api.1.19")
    return [{"name": name} for name in names]


def as_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


__all__ = ["Definitions", "as_list", "normalised"]
