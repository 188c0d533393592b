# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Task definitions: read, register only on a difference, retire old revisions that nothing uses.

Private to wwhd.qdrant_ops. Definitions are dicts as AWS takes and gives them (camelCase); results are snake_case.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, batches, snake
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.equivalence import READ_ONLY, differences, masked
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.exactly_once import exactly_once
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.shapes import conform, input_shape
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import (
    describe,
    is_gone,
    list_arns,
    short_id,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

__all__ = [
    "all_clusters",
    "describe_definition",
    "ensure_absent",
    "ensure_present",
    "essential_containers",
    "find_definition",
    "presentable",
    "read_definition",
    "revisions_in_use",
    "tag_list",
    "without_environment",
]

_SERVICES_A_CALL = 10


def presentable(definition: Mapping[str, Any]) -> dict[str, Any]:
    """A definition as modules return it: snake_case, and of the environment only the names (values may be secrets)."""
    shown = copy.deepcopy(dict(definition))
    shown["containerDefinitions"] = [without_environment(item) for item in shown.get("containerDefinitions", [])]
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
    own = {key: value for key, value in definition.items() if str(key).replace("_", "").casefold() not in read_only}
    if "tags" in own:
        raise OperationFailed("The task definition holds tags: give them in the option tags, as a dictionary.")
    wanted, problems = conform(own, input_shape(aws, "RegisterTaskDefinition"), path="definition")
    if not problems:
        problems = _mistakes(wanted)
    if problems:
        raise OperationFailed(f"The task definition is not valid: {'; '.join(problems)}. Correct it and run again.")
    result: dict[str, Any] = wanted
    return result


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
    retired, in_use = _prune(aws, latest, keep=keep, clusters=clusters, check=check)
    return {
        "changed": bool(found or tags_changed or retired),
        "registered": bool(found),
        "task_definition_arn": latest.get("taskDefinitionArn"),
        "task_definition": presentable(latest),
        "differences": found + tags_changed,
        "deregistered": retired,
        "kept_in_use": in_use,
        "diff": {
            "before": masked(current) if current else {},
            "after": masked(definition, against=current) if found else masked(latest),
        },
    }


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


def ensure_absent(
    aws: Aws, *, family: str, clusters: Sequence[str] | None = None, check: bool = False
) -> dict[str, Any]:
    """Deregister every ACTIVE revision of the family. Refuses, before it acts, while one of them is in use."""
    revisions = _active_revisions(aws, family)
    in_use = revisions_in_use(aws, family=family, clusters=clusters) if revisions else {}
    used = [f"{short_id(arn)} (by {in_use[arn]})" for arn in revisions if arn in in_use]
    if used:
        raise OperationFailed(
            f"Could not deregister the task definition {family}: {', '.join(used)} in use. "
            "Stop what uses it, or give the services another definition, and run again.",
            details={"kept_in_use": [arn for arn in revisions if arn in in_use]},
        )
    _deregister(aws, revisions, check=check)
    return {
        "changed": bool(revisions),
        "registered": False,
        "task_definition_arn": None,
        "task_definition": None,
        "differences": [f"{short_id(arn)} is active" for arn in revisions],
        "deregistered": revisions,
        "kept_in_use": [],
        "diff": {"before": {"active": [short_id(arn) for arn in revisions]}, "after": {"active": []}},
    }


def _prune(
    aws: Aws,
    latest: Mapping[str, Any],
    *,
    keep: int | None,
    clusters: Sequence[str] | None,
    check: bool,
) -> tuple[list[str], list[str]]:
    """(deregistered ARNs, ARNs beyond `keep` that stay because they are in use), newest first."""
    if keep is None:
        return [], []
    family = str(latest["family"])
    newest = latest.get("taskDefinitionArn")
    older = [arn for arn in _active_revisions(aws, family) if arn != newest]
    surplus = older[keep - 1 :]
    in_use = revisions_in_use(aws, family=family, clusters=clusters) if surplus else {}
    retired = [arn for arn in surplus if arn not in in_use]
    _deregister(aws, retired, check=check)
    return retired, [arn for arn in surplus if arn in in_use]


def _deregister(aws: Aws, arns: Iterable[str], *, check: bool) -> None:
    for arn in () if check else arns:
        aws.call(
            "ecs",
            "DeregisterTaskDefinition",
            doing=f"deregister the task definition {short_id(arn)}",
            taskDefinition=arn,
        )


def _active_revisions(aws: Aws, family: str) -> list[str]:
    """The ARNs of the family's ACTIVE revisions, newest first."""
    arns = [
        str(arn)
        for page in aws.pages(
            "ecs",
            "ListTaskDefinitions",
            doing=f"list the task definitions of the family {family}",
            familyPrefix=family,
            status="ACTIVE",
            sort="DESC",
        )
        for arn in page.get("taskDefinitionArns", [])
    ]
    # The filter's name says prefix: another family that begins alike must never be deregistered.
    own = [arn for arn in arns if short_id(arn).rsplit(":", 1)[0] == family]
    return sorted(own, key=lambda arn: int(arn.rsplit(":", 1)[1]), reverse=True)


def all_clusters(aws: Aws) -> list[str]:
    """The ARNs of every cluster of the account in this region."""
    pages = aws.pages("ecs", "ListClusters", doing="list the clusters of this region")
    return [str(arn) for page in pages for arn in page.get("clusterArns", [])]


def revisions_in_use(aws: Aws, *, family: str, clusters: Sequence[str] | None = None) -> dict[str, str]:
    """Definition ARN to who uses it, over `clusters` (default: all of the region).

    A service uses what its own entry, its deployments and its task sets name, also at desired count 0. A task uses its
    definition until its processes are gone.
    """
    users: dict[str, str] = {}
    for cluster in clusters or all_clusters(aws):
        services = [
            str(arn)
            for page in aws.pages(
                "ecs", "ListServices", doing=f"list the services in cluster {short_id(cluster)}", cluster=cluster
            )
            for arn in page.get("serviceArns", [])
        ]
        for batch in batches(services, _SERVICES_A_CALL):
            answer = aws.call(
                "ecs",
                "DescribeServices",
                doing=f"describe {len(batch)} service(s) in cluster {short_id(cluster)}",
                cluster=cluster,
                services=list(batch),
            )
            for service in answer.get("services", []):
                for holder in (service, *service.get("deployments", []), *service.get("taskSets", [])):
                    if holder.get("taskDefinition"):
                        users.setdefault(str(holder["taskDefinition"]), f"service {service.get('serviceName')}")
        arns = list_arns(aws, cluster=cluster, family=family)
        for task in describe(aws, cluster=cluster, arns=arns).tasks:
            if not is_gone(task):
                users.setdefault(str(task.get("taskDefinitionArn")), f"task {short_id(task['taskArn'])}")
    return users
