# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TagResource, UntagResource, ListTagsForResource."""

from __future__ import annotations

from typing import Any

from sandbox.ecs.definitions import as_list
from sandbox.ecs.engine import Engine
from sandbox.ecs.errors import AwsError, cluster_not_found, invalid_parameter, service_not_found
from sandbox.ecs.validation import check_tags, tags_of


def tag(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    held = _tags(engine, region, str(params["resourceArn"]))
    added = tags_of(params)
    check_tags(added, existing=held)
    held.update(added)
    return {}


def untag(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    held = _tags(engine, region, str(params["resourceArn"]))
    for key in params["tagKeys"]:
        held.pop(key, None)
    return {}


def list_(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"tags": as_list(_tags(engine, region, str(params["resourceArn"])))}


def _tags(engine: Engine, region: str, arn: str) -> dict[str, str]:
    kind = arn.split(":", 5)[-1].split("/", 1)[0] if arn.startswith("arn:") else ""
    if kind == "service":
        service = next((s for s in engine.services.values() if s.arn == arn and s.status != "INACTIVE"), None)
        if service is None:
            raise service_not_found()
        return service.tags
    if kind == "cluster":
        cluster = next((c for c in engine.clusters.values() if c.arn == arn), None)
        if cluster is None:
            raise cluster_not_found()
        return cluster.tags
    if kind == "task":
        task = engine.tasks.get(arn)
        if task is None:
            raise invalid_parameter("The specified task is not found.")
        return task.tags
    if kind == "task-definition":
        definition = engine.definitions_of(region).find(arn)
        if definition is None:
            raise invalid_parameter("The specified task definition is not found.")
        return definition.tags
    raise AwsError("InvalidParameterException", f"The ARN {arn!r} is not of a resource that can be tagged.")


__all__ = ["list_", "tag", "untag"]
