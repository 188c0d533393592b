# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tasks mount a file system: what the guard asks before anything on it is touched.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.definitions import describe_definition
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import (
    cluster_missing,
    name_of,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import (
    Described,
    census,
    is_gone,
    short_id,
    task_text,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock, Pace, TimedOut, poll

__all__ = ["ALL_CLUSTERS", "file_system_id_in", "find_mounts", "is_excluded", "is_own", "mounting_volumes"]

ALL_CLUSTERS = "all"
_FILE_SYSTEM_ID = re.compile(r"\bfs-[0-9a-f]{8,40}\b")
# AWS may answer MISSING for a task that it has just listed (facts.md B.3): seconds until that is an error.
_MISSING_GRACE = 30.0


def file_system_id_in(text: str) -> str | None:
    """The id in a file system's id, DNS name or ARN; None where there is none."""
    found = _FILE_SYSTEM_ID.search(text)
    return found.group(0) if found else None


def _texts(thing: object) -> Iterator[str]:
    if isinstance(thing, str):
        yield thing
    elif isinstance(thing, Mapping):
        for value in thing.values():
            yield from _texts(value)
    elif isinstance(thing, Sequence):
        for value in thing:
            yield from _texts(value)


def mounting_volumes(definition: Mapping[str, Any], *, file_system_id: str) -> list[dict[str, Any]]:
    """The volumes of a task definition that are this file system: {name, access_point_id, root_directory}.

    Any value of a volume may name it, not only efsVolumeConfiguration: a Docker volume with an NFS driver has the
    address among its options, and it mounts the same files.
    """
    found = []
    for volume in definition.get("volumes", []):
        values = {key: value for key, value in volume.items() if key != "name"}
        if not any(file_system_id in _FILE_SYSTEM_ID.findall(text) for text in _texts(values)):
            continue
        efs = volume.get("efsVolumeConfiguration", {})
        found.append(
            {
                "name": volume.get("name"),
                "access_point_id": efs.get("authorizationConfig", {}).get("accessPointId"),
                "root_directory": efs.get("rootDirectory", "/"),
            }
        )
    return found


def _containers(definition: Mapping[str, Any], volumes: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    names = {volume["name"] for volume in volumes}
    return [
        {
            "name": container.get("name"),
            "volume": mount["sourceVolume"],
            "container_path": mount.get("containerPath"),
            "read_only": bool(mount.get("readOnly", False)),
        }
        for container in definition.get("containerDefinitions", [])
        for mount in container.get("mountPoints", [])
        if mount.get("sourceVolume") in names
    ]


def is_own(started_by: object, own: str | None) -> bool:
    """Whether a task's `startedBy` says that the run `own` has started it."""
    return bool(own) and str(started_by or "").startswith(str(own))


def is_excluded(task: Mapping[str, Any], *, cluster: str, exclude: Sequence[str]) -> bool:
    """Whether `exclude` names the task: by its ARN, its service's name, or `cluster/service`."""
    if task["taskArn"] in exclude:
        return True
    group = str(task.get("group", ""))
    if not group.startswith("service:"):
        return False
    service = group[len("service:") :]
    return service in exclude or f"{name_of(cluster)}/{service}" in exclude


def _clusters(aws: Aws, wanted: Sequence[str]) -> list[str]:
    if ALL_CLUSTERS not in wanted:
        return list(dict.fromkeys(wanted))
    pages = aws.pages("ecs", "ListClusters", doing="list the clusters of this region")
    found = [name_of(arn) for page in pages for arn in page.get("clusterArns", [])]
    others = [cluster for cluster in wanted if cluster not in (ALL_CLUSTERS, *found)]
    return list(dict.fromkeys([*found, *others]))


def _tasks_of(
    aws: Aws, *, cluster: str, over: MutableMapping[str, dict[str, Any]] | None, apart: Collection[str], clock: Clock
) -> list[dict[str, Any]]:
    """Every task of a cluster that may be alive, and those that ended lately.

    A task that stays MISSING while it is listed is an error: it may be one that mounts the file system.
    """

    def read() -> Described:
        if aws.shared is None:
            return census(aws, cluster=cluster, over=over, apart=apart)
        everything = aws.shared.look(
            f"tasks of {cluster}", lambda before: _whole_census(aws, cluster, before), clock=clock
        )
        return _part_of(everything, over=over, apart=apart)

    try:
        observation = poll(
            read, done=lambda seen: not seen.missing, timeout=_MISSING_GRACE, pace=Pace(0.5, 4.0), clock=clock
        )
    except OperationFailed as error:
        if error.code == "ClusterNotFoundException":
            raise cluster_missing(aws, cluster=cluster, doing=f"look for tasks in cluster {cluster}") from error
        raise
    except TimedOut as error:
        missing = error.observation.value.missing
        raise OperationFailed(
            f"Could not judge {len(missing)} task(s) in cluster {cluster}: AWS lists them, but describes them as "
            f"MISSING for {_MISSING_GRACE:.0f} s ({', '.join(map(short_id, missing[:5]))}). They may mount the file "
            "system: run it again, and look at them with 'aws ecs describe-tasks' if it stays so.",
            details={"missing": missing},
        ) from error
    return observation.value.tasks


def _whole_census(aws: Aws, cluster: str, before: Described | None) -> Described:
    """All tasks of a cluster. `before` is what an earlier look has seen: who was gone then is not described again."""
    gone = {str(task["taskArn"]): task for task in before.tasks if is_gone(task)} if before else {}
    return census(aws, cluster=cluster, over=gone)


def _part_of(
    everything: Described, *, over: MutableMapping[str, dict[str, Any]] | None, apart: Collection[str]
) -> Described:
    """Of a look at all tasks what `census` gives with these."""
    tasks = [task for task in everything.tasks if task["taskArn"] not in apart]
    if over is not None:
        over.update({str(task["taskArn"]): task for task in tasks if is_gone(task)})
    return Described(tasks, [arn for arn in everything.missing if arn not in apart])


def _newest_first_live_first(entry: Mapping[str, Any]) -> tuple[bool, float]:
    created = entry.get("created_at")
    return (not entry["live"], -created.timestamp() if created else 0.0)


def find_mounts(
    aws: Aws,
    *,
    file_system_id: str,
    clusters: Sequence[str] = ("default",),
    exclude: Sequence[str] = (),
    definitions: dict[str, Mapping[str, Any] | None] | None = None,
    not_mounting: Collection[str] = (),
    live_only: bool = False,
    own: str | None = None,
    over: MutableMapping[str, dict[str, Any]] | None = None,
    apart: Collection[str] = (),
    listed: MutableMapping[str, list[dict[str, Any]]] | None = None,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Every task in `clusters` that mounts the file system, live ones first; what the module returns.

    `definitions`, by ARN, are those that an earlier look has read, since a revision never changes; new ones are added.
    `not_mounting` are the ARNs of those that an earlier look has found not to mount it.
    `live_only` leaves out tasks that are gone, and those whose `startedBy` begins with `own`: whoever asks who else may
    use the file system need not know what they mount. `over` are tasks that an earlier look has seen gone, and
    `apart` are left out altogether (`census`). `listed` is given all tasks of each cluster, by its name.
    A live task whose definition can't be described is an error, because it can't be judged. One that has ended
    holds nothing: it is only named in `unjudged`.
    """
    clock = clock or Clock()
    wanted = file_system_id_in(file_system_id)
    if wanted is None:
        raise OperationFailed(
            f"Could not look for mounts of {file_system_id}: that is no EFS file system id. Give one such as "
            "fs-00b8168893587fd61, or its DNS name or ARN."
        )
    definitions = {} if definitions is None else definitions
    others = set(not_mounting)
    tasks: list[dict[str, Any]] = []
    unjudged: list[str] = []
    seen = excluded = 0
    scanned = _clusters(aws, clusters)
    for cluster in scanned:
        found = _tasks_of(aws, cluster=cluster, over=over, apart=apart, clock=clock)
        if listed is not None:
            listed[name_of(cluster)] = found
        for task in found:
            seen += 1
            if live_only and (is_gone(task) or is_own(task.get("startedBy"), own)):
                continue
            if is_excluded(task, cluster=cluster, exclude=exclude):
                excluded += 1
                continue
            if task.get("taskDefinitionArn") in others:
                continue
            definition = _definition_of(
                aws, task=task, cluster=cluster, file_system_id=wanted, cache=definitions, clock=clock
            )
            if definition is None:
                unjudged.append(task["taskArn"])
                continue
            volumes = mounting_volumes(definition, file_system_id=wanted)
            if volumes:
                tasks.append(_mount_view(task, cluster=cluster, definition=definition, volumes=volumes))
            else:
                others.add(str(task["taskDefinitionArn"]))
    tasks.sort(key=_newest_first_live_first)
    return {
        "changed": False,
        "file_system_id": wanted,
        "tasks": tasks,
        "live": sum(task["live"] for task in tasks),
        "clusters": [name_of(cluster) for cluster in scanned],
        "tasks_seen": seen,
        "excluded": excluded,
        "definitions_read": sum(definition is not None for definition in definitions.values()),
        "unjudged": unjudged,
        "not_mounting": sorted(others),
    }


def _definition_of(
    aws: Aws,
    *,
    task: dict[str, Any],
    cluster: str,
    file_system_id: str,
    cache: dict[str, Mapping[str, Any] | None],
    clock: Clock,
) -> Mapping[str, Any] | None:
    arn = str(task.get("taskDefinitionArn"))
    if cache.get(arn) is not None:
        return cache[arn]
    if arn in cache and is_gone(task):
        return None
    try:
        cache[arn] = (
            describe_definition(aws, name=arn)
            if aws.shared is None
            else aws.shared.once(
                f"mounts of {arn}", lambda: _mounts_in(describe_definition(aws, name=arn)), clock=clock
            )
        )
    except OperationFailed as error:
        cache[arn] = None
        if is_gone(task):
            return None
        raise OperationFailed(
            f"Could not judge whether task {task_text(task)} in cluster {cluster} mounts {file_system_id}: {error} "
            "Stop that task, or name it in exclude if you know that it does not.",
            code=error.code,
            details={**error.details, "task_arn": task["taskArn"], "task_definition_arn": arn},
        ) from error
    return cache[arn]


def _mounts_in(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Of a definition what tells who mounts what: its environment, where secrets may be, is nobody else's business."""
    containers = definition.get("containerDefinitions", [])
    return {
        **{key: definition[key] for key in ("family", "volumes") if key in definition},
        "containerDefinitions": [
            {key: container[key] for key in ("name", "mountPoints") if key in container} for container in containers
        ],
    }


def _mount_view(
    task: dict[str, Any], *, cluster: str, definition: Mapping[str, Any], volumes: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "task_arn": task["taskArn"],
        "cluster": name_of(cluster),
        "group": task.get("group"),
        "family": definition.get("family"),
        "task_definition_arn": task.get("taskDefinitionArn"),
        "last_status": task.get("lastStatus"),
        "desired_status": task.get("desiredStatus"),
        "live": not is_gone(task),
        "started_by": task.get("startedBy"),
        "created_at": task.get("createdAt"),
        "volumes": volumes,
        "containers": _containers(definition, volumes),
    }
