# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The definition that a service runs, with a few members of its containers and volumes changed.

Private to wwhd.qdrant_ops. Definitions are dicts as AWS gives and takes them (camelCase).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.definitions import (
    describe_definition,
    ensure_present,
    find_definition,
    presentable,
    read_definition,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.equivalence import differences
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import find_service, primary_deployment
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.shapes import conform, input_shape, joined
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import short_id
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

__all__ = ["amend", "amended"]

_LISTS = {"containers": "containerDefinitions", "volumes": "volumes"}


def amended(
    definition: Mapping[str, Any], changes: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> tuple[dict[str, Any], list[str]]:
    """The definition with `changes` ({member: {name: {member of it: value}}}), and what is wrong with them."""
    result = {key: value for key, value in definition.items() if key != "tags"}
    problems = []
    for member, by_name in changes.items():
        entries = definition.get(member) or []
        unknown = sorted(set(by_name) - {str(entry.get("name")) for entry in entries})
        problems += [
            f"there is no {name} among its {member} ({joined(str(entry.get('name')) for entry in entries)})"
            for name in unknown
        ]
        result[member] = [{**entry, **by_name.get(str(entry.get("name")), {})} for entry in entries]
    return result, problems


def _read_changes(aws: Aws, given: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """The user's words as AWS spells them. Raises OperationFailed that names every mistake."""
    changes: dict[str, dict[str, dict[str, Any]]] = {}
    problems: list[str] = []
    for option, member in _LISTS.items():
        shape = input_shape(aws, "RegisterTaskDefinition", member).member
        for name, wanted in (given.get(option) or {}).items():
            value, found = conform(wanted, shape, path=f"{option}.{name}")
            problems += found
            if isinstance(value, dict) and value.get("name", name) != name:
                problems.append(f"{option}.{name}.name cannot be changed")
            changes.setdefault(member, {})[str(name)] = value if isinstance(value, dict) else {}
    if problems:
        raise OperationFailed(f"Nothing was done: {'; '.join(problems)}. Correct it and run again.")
    return changes


def amend(
    aws: Aws, *, cluster: str, service: str, given: Mapping[str, Any], check: bool, clock: Clock
) -> dict[str, Any]:
    """See that a revision with these changes exists, made from the one that the service runs or goes to.

    Raises OperationFailed, above all where the family has a newer revision that the service does not run: what came
    after it would hide that release from whoever deploys the latest one.
    """
    changes = _read_changes(aws, given)
    found = find_service(aws, cluster=cluster, service=service)
    base_arn = str((primary_deployment(found) or {}).get("taskDefinition") or found.get("taskDefinition"))
    doing = f"amend the task definition {short_id(base_arn)} of service {service} in cluster {cluster}"
    base = describe_definition(aws, name=base_arn, tags=True)
    merged, problems = amended(base, changes)
    if problems:
        raise OperationFailed(f"Could not {doing}: {'; '.join(problems)}. Nothing was changed. Correct the names.")
    wanted = read_definition(merged, aws=aws)
    reasons = differences(base, wanted)
    told = {"base_task_definition_arn": base_arn, "differences": reasons}
    if not reasons:
        shown = presentable(base)
        return {
            **told, "changed": False, "registered": False, "task_definition_arn": base_arn, "task_definition": shown,
            "diff": {"before": {}, "after": {}},
        }  # fmt: skip
    latest = find_definition(aws, name=str(base["family"]))
    if latest is not None and int(latest["revision"]) > int(base["revision"]) and differences(latest, wanted):
        newer = short_id(str(latest["taskDefinitionArn"]))
        raise OperationFailed(
            f"Could not {doing}: its family has the newer revision {newer}, which the service does not run, and a"
            f" revision made from {short_id(base_arn)} would come after it and hide it. Nothing was changed. Deploy"
            f" {newer}, or deregister it, then run this again.",
            details={"newer_task_definition_arn": latest["taskDefinitionArn"]},
        )
    # Tags that begin with aws: are AWS's own, and it refuses to be given them.
    tags = {tag["key"]: tag.get("value", "") for tag in base["tags"] if not tag["key"].startswith("aws:")}
    made = ensure_present(aws, definition=wanted, tags=tags, check=check, clock=clock)
    names = ("changed", "registered", "task_definition_arn", "task_definition", "diff")
    return {**told, **{name: made[name] for name in names}}
