# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deployment is to bring, compared with what is there, and the one call that starts it.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.definitions import (
    describe_definition,
    ensure_present,
    find_definition,
    read_definition,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.exactly_once import exactly_once
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import Guard
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import (
    efs_volumes,
    find_service,
    primary_deployment,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import short_id
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

__all__ = ["Release", "differences", "newer_revision", "prepare", "prepared_view", "start"]


@dataclass(frozen=True)
class Release:
    """What is to run: `task_definition` is an ARN, None where it stays; `images` are {container: (before, after)}.

    `registered`: a revision was made for it (in check mode: would be, and its number is a guess). `definition` is what
    it will be, as AWS gives it.
    """

    desired_count: int | None = None
    task_definition: str | None = None
    images: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    registered: bool = False
    definition: Mapping[str, Any] = field(default_factory=dict)


def prepare(
    aws: Aws,
    *,
    cluster: str,
    service: str,
    before: Mapping[str, Any],
    desired_count: int | None,
    task_definition: str | None,
    images: Mapping[str, str],
    check_mode: bool,
    clock: Clock,
) -> Release:
    """The release that was asked for, its task definition resolved, and registered where `images` differ from it."""
    if task_definition is None and not images:
        return Release(desired_count)
    base = task_definition or str((primary_deployment(before) or {}).get("taskDefinition") or before["taskDefinition"])
    definition = _found(aws, cluster=cluster, service=service, name=base, tags=bool(images))
    arn = str(definition["taskDefinitionArn"])
    given = {str(c["name"]): str(c.get("image")) for c in definition.get("containerDefinitions", [])}
    unknown = sorted(set(images) - set(given))
    if unknown:
        raise OperationFailed(
            f"Could not redeploy service {service} in cluster {cluster}: task definition {short_id(arn)} has no "
            f"container {', '.join(unknown)} (it has {', '.join(given)}). Nothing was changed. Correct images."
        )
    moved = {name: (given[name], image) for name, image in images.items() if given[name] != image}
    if not moved:
        if task_definition is not None and arn != before.get("taskDefinition"):
            _require_active(definition, cluster=cluster, service=service)
        return Release(desired_count, arn, definition=definition)
    wanted = {key: value for key, value in definition.items() if key != "tags"}
    wanted["containerDefinitions"] = [
        {**container, "image": images.get(str(container["name"]), container.get("image"))}
        for container in definition["containerDefinitions"]
    ]
    # Tags that begin with aws: are AWS's own, and it refuses to be given them.
    tags = {tag["key"]: tag.get("value", "") for tag in definition["tags"] if not tag["key"].startswith("aws:")}
    made = ensure_present(aws, definition=read_definition(wanted, aws=aws), tags=tags, check=check_mode, clock=clock)
    return Release(desired_count, made["task_definition_arn"], moved, registered=made["registered"], definition=wanted)


def _require_active(definition: Mapping[str, Any], *, cluster: str, service: str) -> None:
    status = definition.get("status", "ACTIVE")
    if status != "ACTIVE":
        name = short_id(str(definition["taskDefinitionArn"]))
        raise OperationFailed(
            f"Could not redeploy service {service} in cluster {cluster} with task definition {name}: it is {status},"
            " and ECS starts nothing new from it. Nothing was changed. Name a revision that is ACTIVE (aws ecs"
            f" list-task-definitions --family-prefix {name.rsplit(':', 1)[0]}), or register it again."
        )


def prepared_view(before: Mapping[str, Any], release: Release) -> dict[str, Any]:
    """What a release will bring, for those who look before it starts; `changes` has a clause for each difference."""
    containers = release.definition.get("containerDefinitions", [])
    return {
        "changes": differences(before, release),
        "images": {str(container["name"]): container.get("image") for container in containers},
        "volumes": efs_volumes(release.definition),
    }


def newer_revision(aws: Aws, before: Mapping[str, Any], release: Release) -> str | None:
    """The family's newest revision, if the service does not run it and the release, which is made from what the service
    runs, would come after it: whatever somebody meant to deploy with it would be left aside."""
    if not release.registered:
        return None
    found = find_definition(aws, name=str(release.definition.get("family")))
    if found is None or int(found["revision"]) <= int(release.definition.get("revision") or 0):
        return None
    newest = str(found["taskDefinitionArn"])
    return None if newest == before.get("taskDefinition") else short_id(newest)


def _found(aws: Aws, *, cluster: str, service: str, name: str, tags: bool) -> dict[str, Any]:
    """A family, `family:revision` or ARN, described; an unknown one is told before anything is changed."""
    try:
        return describe_definition(aws, name=name, tags=tags)
    except OperationFailed as error:
        raise OperationFailed(
            f"Could not redeploy service {service} in cluster {cluster} with task definition {name}: "
            f"{error} Nothing was changed. Check its family and revision (aws ecs list-task-definitions).",
            code=error.code,
            details=error.details,
        ) from error


def differences(service: Mapping[str, Any], release: Release) -> list[str]:
    """What the service has otherwise than the release wants it: one clause each; none means that it is there."""
    found = []
    desired = service.get("desiredCount")
    if release.desired_count is not None and release.desired_count != desired:
        found.append(f"desired count {desired} -> {release.desired_count}")
    current = service.get("taskDefinition")
    if release.task_definition is not None and release.task_definition != current:
        found.append(f"task definition {short_id(str(current))} -> {short_id(release.task_definition)}")
        # What the definitions differ in is news only where the service does not run the wanted one already.
        found += [f"image of {name} {before} -> {after}" for name, (before, after) in release.images.items()]
    return found


def start(
    aws: Aws,
    *,
    cluster: str,
    service: str,
    before: Mapping[str, Any],
    release: Release,
    force: bool,
    guard: Guard | None,
    clock: Clock,
) -> dict[str, Any]:
    """One UpdateService: guarded each time that it is tried, and one deployment even if its answer is lost."""
    params: dict[str, Any] = {"cluster": cluster, "service": service, "forceNewDeployment": force}
    if release.desired_count is not None:
        params["desiredCount"] = release.desired_count
    if release.task_definition is not None:
        params["taskDefinition"] = release.task_definition
    doing = f"start a deployment of service {service} in cluster {cluster}"
    known = {deployment.get("id") for deployment in before.get("deployments", [])}

    # Where nothing was called since, the first try need not look at the service again.
    seen = [] if release.task_definition or release.images else [before]

    def update() -> dict[str, Any]:
        if guard is not None:
            guard.require(aws, doing=doing, clock=clock, seen=seen.pop() if seen else None)
        after: dict[str, Any] = aws.call_once("ecs", "UpdateService", doing=doing, **params)["service"]
        return after

    def updated() -> dict[str, Any] | None:
        found = find_service(aws, cluster=cluster, service=service)
        fresh = (primary_deployment(found) or {}).get("id") not in known
        as_asked = not differences(found, Release(release.desired_count, release.task_definition))
        # Without force, asking twice does nothing twice.
        return found if as_asked and (fresh or not force) else None

    after = exactly_once(update, effect=updated, clock=clock)
    primary = primary_deployment(after)
    if force and primary is not None and primary.get("id") in known:
        raise OperationFailed(
            f"Could not {doing}: AWS accepted it, but its PRIMARY deployment is still {primary.get('id')}, which was "
            "there before. Look whether somebody else is deploying it, and run it again."
        )
    return after
