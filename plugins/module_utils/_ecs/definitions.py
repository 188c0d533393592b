# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Task definitions: read, and register only on a difference.

Private to wwhd.qdrant_ops. Definitions are dicts as AWS takes and gives them (camelCase); results are snake_case.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, snake
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.equivalence import READ_ONLY, differences, masked
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.exactly_once import exactly_once
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.revisions import prune
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.shapes import conform, input_shape
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import short_id
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

__all__ = [
    "describe_definition",
    "ensure_present",
    "essential_containers",
    "find_definition",
    "presentable",
    "read_definition",
    "tag_list",
    "tags_within",
    "without_environment",
]


def presentable(definition: Mapping[str, Any]) -> dict[str, Any]:
    """A definition as modules return it: snake_case, and only the names of what may have secrets for values.

    That is the environment, and the options of log drivers other than awslogs, which may be tokens.
    """
    shown = copy.deepcopy(dict(definition))
    shown["containerDefinitions"] = [without_environment(item) for item in shown.get("containerDefinitions", [])]
    for container in shown["containerDefinitions"]:
        logging = container.get("logConfiguration") or {}
        if logging.get("logDriver", "awslogs") != "awslogs" and "options" in logging:
            logging["optionNames"] = sorted(logging.pop("options") or {})
    return snake(shown)


def without_environment(container: Mapping[str, Any]) -> dict[str, Any]:
    """A container (of a definition, or of overrides) with `environmentNames` in the place of `environment`."""
    shown = {key: value for key, value in container.items() if key != "environment"}
    shown["environmentNames"] = sorted(str(pair.get("name")) for pair in container.get("environment") or [])
    return shown


def essential_containers(definition: Mapping[str, Any]) -> list[str]:
    """The containers whose end ends the task; every container is essential unless it says otherwise."""
    return [str(item["name"]) for item in definition.get("containerDefinitions", []) if item.get("essential", True)]


def tag_list(tags: Mapping[str, Any]) -> list[dict[str, str]]:
    """Tags as ECS takes them; boto3's usual Key and Value are lower case here."""
    return [{"key": str(key), "value": str(value)} for key, value in tags.items()]


def read_definition(definition: Mapping[str, Any], *, aws: Aws) -> dict[str, Any]:
    """The user's definition as RegisterTaskDefinition takes it. Raises OperationFailed that names every mistake."""
    read_only = {member.casefold() for member in READ_ONLY}
    read_only.add("tags")
    own = {key: value for key, value in definition.items() if str(key).replace("_", "").casefold() not in read_only}
    wanted, problems = conform(own, input_shape(aws, "RegisterTaskDefinition"), path="definition")
    if not problems:
        problems = _mistakes(wanted)
    if problems:
        raise OperationFailed(f"The task definition is not valid: {'; '.join(problems)}. Correct it and run again.")
    result: dict[str, Any] = wanted
    return result


def tags_within(definition: Mapping[str, Any]) -> dict[str, str]:
    """The tags that a definition brings along, as a dictionary or as RegisterTaskDefinition takes them."""
    tags = definition.get("tags") or {}
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    pairs = tags if isinstance(tags, (list, tuple)) else [tags]
    if not all(isinstance(pair, Mapping) and "key" in pair for pair in pairs):
        raise OperationFailed(
            "The task definition is not valid: definition.tags must be a dictionary, or a list of dictionaries with "
            "key and value. Correct it and run again."
        )
    return {str(pair["key"]): str(pair.get("value", "")) for pair in pairs}


def _mistakes(definition: Mapping[str, Any]) -> list[str]:
    """What AWS would refuse only later, or with less of a sentence."""
    problems = [] if definition["family"] else ["definition.family is empty"]
    containers = definition["containerDefinitions"]
    if not containers:
        problems.append("definition.containerDefinitions is empty")
    for index, container in enumerate(containers):
        problems += [
            f"definition.containerDefinitions[{index}].{member} is missing"
            for member in ("name", "image")
            if not container.get(member)
        ]
    names = [container.get("name") for container in containers]
    problems += [f"two containers are named {name}" for name in sorted({n for n in names if n and names.count(n) > 1})]
    volumes = {volume.get("name") for volume in definition.get("volumes", [])}
    problems += [
        f"container {container.get('name')} mounts volume {mount['sourceVolume']}, which the definition does not have"
        for container in containers
        for mount in container.get("mountPoints", [])
        if mount.get("sourceVolume") and mount["sourceVolume"] not in volumes
    ]
    return problems


def describe_definition(aws: Aws, *, name: str, tags: bool = False) -> dict[str, Any]:
    """One definition by family (its latest ACTIVE revision), `family:revision` or ARN.

    With `tags`, its tags are inside as a list; AWS keeps them outside (facts.md B.5).
    """
    include = {"include": ["TAGS"]} if tags else {}
    answer = aws.call(
        "ecs", "DescribeTaskDefinition", doing=f"describe the task definition {name}", taskDefinition=name, **include
    )
    return {**answer["taskDefinition"], **({"tags": answer.get("tags", [])} if tags else {})}


def find_definition(aws: Aws, *, name: str) -> dict[str, Any] | None:
    """`describe_definition`, or None where there is none. Only AWS's sentence for absence counts as absence."""
    try:
        return describe_definition(aws, name=name, tags=True)
    except OperationFailed as error:
        if error.code == "ClientException" and "unable to describe task definition" in str(error).casefold():
            return None
        raise


def ensure_present(
    aws: Aws,
    *,
    definition: Mapping[str, Any],
    tags: Mapping[str, Any] | None = None,
    keep: int | None = None,
    clusters: Sequence[str] | None = None,
    schedules: bool = True,
    check: bool = False,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Register the definition if the family's latest ACTIVE revision differs; then retire revisions beyond `keep`.

    `definition` is what `read_definition` gave. With `check`, the same answer without a writing call.
    """
    family = str(definition["family"])
    current = _latest_active(aws, family)
    found = differences(current, definition) if current else [f"family {family} has no active task definition"]
    tags_changed: list[str] = []
    if current is None or found:
        latest = _register(aws, definition, tags, current, check=check, clock=clock or Clock())
    else:
        latest = current
        tags_changed = _tag(aws, current, tags or {}, check=check)
    retired, in_use = prune(aws, latest, keep=keep, clusters=clusters, schedules=schedules, check=check)
    return {
        "changed": bool(found or tags_changed or retired),
        "registered": bool(found),
        "task_definition_arn": latest.get("taskDefinitionArn"),
        "task_definition": presentable(latest),
        "differences": found + tags_changed,
        "deregistered": retired,
        "kept_in_use": in_use,
        "diff": _diff(current, definition if found else latest, latest, found + tags_changed, retired),
    }


def _diff(
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
    latest: Mapping[str, Any],
    reasons: Sequence[str],
    retired: Sequence[str],
) -> dict[str, Any]:
    """Both definitions side by side, and below them, path by path, why they are not the same."""
    lines = [*reasons, *(f"{short_id(arn)} is deregistered" for arn in retired)]
    diff: dict[str, Any] = {
        "before_header": _title(before) if before else "no active task definition",
        "after_header": _title(latest),
        "before": masked(before) if before else {},
        "after": masked(after, against=before),
    }
    if lines:
        diff["prepared"] = "".join(f"  {line}\n" for line in lines)
    return diff


def _title(definition: Mapping[str, Any]) -> str:
    return short_id(str(definition.get("taskDefinitionArn") or f"{definition['family']} (new)"))


def _latest_active(aws: Aws, family: str) -> dict[str, Any] | None:
    found = find_definition(aws, name=family)
    return found if found is not None and found.get("status") == "ACTIVE" else None


def _register(
    aws: Aws,
    definition: Mapping[str, Any],
    tags: Mapping[str, Any] | None,
    current: Mapping[str, Any] | None,
    *,
    check: bool,
    clock: Clock,
) -> dict[str, Any]:
    family = definition["family"]
    tagging = {"tags": tag_list(tags)} if tags else {}
    if check:
        # The next number is a guess that holds unless somebody else registers: numbers are never used twice.
        guess: dict[str, Any] = {}
        if current:
            revision = int(current["revision"]) + 1
            prefix = str(current["taskDefinitionArn"]).rsplit("/", 1)[0]
            guess = {"taskDefinitionArn": f"{prefix}/{family}:{revision}", "revision": revision}
        return {**definition, **tagging, **guess, "status": "ACTIVE"}

    def register() -> dict[str, Any]:
        answer = aws.call_once(
            "ecs",
            "RegisterTaskDefinition",
            doing=f"register the task definition {family}",
            **{**definition, **tagging},
        )
        return {**answer["taskDefinition"], "tags": answer.get("tags", [])}

    def registered() -> dict[str, Any] | None:
        # Every registration makes a revision, also of what is there already (facts.md B.5).
        latest = _latest_active(aws, family)
        return None if latest is None or differences(latest, definition) else latest

    return exactly_once(register, effect=registered, clock=clock)


def _tag(aws: Aws, current: dict[str, Any], tags: Mapping[str, Any], *, check: bool) -> list[str]:
    """Add tags that lack or differ, in place: a tag is no reason for a new revision."""
    known = {tag["key"]: tag["value"] for tag in current.get("tags", [])}
    wanted = {tag["key"]: tag["value"] for tag in tag_list(tags)}
    lacking = {key: value for key, value in wanted.items() if known.get(key) != value}
    if not lacking:
        return []
    arn = str(current["taskDefinitionArn"])
    if not check:
        aws.call(
            "ecs",
            "TagResource",
            doing=f"tag the task definition {short_id(arn)} with {', '.join(sorted(lacking))}",
            resourceArn=arn,
            tags=tag_list(lacking),
        )
    current["tags"] = tag_list({**known, **lacking})
    return [f"tags[{key}] {'differs' if key in known else 'is new'}" for key in lacking]
