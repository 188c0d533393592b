# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who else mounts the store, and whether it is the same directory of the file system.

Private to wwhd.qdrant_ops. Pure. Takes what ecs_mounts_info and ecs_service_info return.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import short_id

__all__ = ["ALL", "SAME", "holder_text", "holders", "is_cleaner"]

SAME = "the same directory"
ALL = "the whole file system"
_OTHER = "through another access point or directory"
# How a run of this collection marks its cleaners (owner.new_run_id).
_CLEANER = re.compile(r"unlock-\d{8}T\d{6}Z-")


def is_cleaner(task: Mapping[str, Any]) -> bool:
    return bool(_CLEANER.match(str(task.get("started_by") or "")))


def _relation(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    point, their_point = ours.get("access_point_id"), theirs.get("access_point_id")
    root, their_root = (str(volume.get("root_directory") or "/").rstrip("/") for volume in (ours, theirs))
    if point == their_point and (point or root == their_root):
        return SAME
    if not their_point and not their_root:
        return ALL
    if not point and not their_point and f"{root}/".startswith(f"{their_root}/"):
        return SAME
    return _OTHER


def _nearest(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> str:
    found = {_relation(one, other) for one in ours for other in theirs}
    return next((relation for relation in (SAME, ALL) if relation in found), _OTHER)


def holders(
    mounts: Iterable[Mapping[str, Any]], volumes: Iterable[Mapping[str, Any]], *, own: str = ""
) -> list[dict[str, Any]]:
    """Every live task that may hold a lock: {task, owner, cluster, status, file_system_id, mounts, cleaner, own}.

    `mounts` are results of ecs_mounts_info, one a file system; `own` is the service's group, such as service:backend.
    """
    known = list(volumes)
    found = []
    for result in mounts:
        ours = [volume for volume in known if volume.get("file_system_id") == result.get("file_system_id")]
        for task in result.get("tasks") or []:
            if not task.get("live"):
                continue
            owner = str(task.get("group") or f"family:{task.get('family')}")
            found.append(
                {
                    "task": short_id(str(task["task_arn"])),
                    "owner": owner,
                    "cluster": task.get("cluster"),
                    "status": task.get("last_status"),
                    "file_system_id": result.get("file_system_id"),
                    "mounts": _nearest(ours, task.get("volumes") or []),
                    "cleaner": is_cleaner(task),
                    "own": owner == own,
                }
            )
    return found


def holder_text(holder: Mapping[str, Any]) -> str:
    return (
        f"Task {holder['task']} ({holder['owner']}, {holder['status']}, cluster {holder['cluster']}) mounts "
        f"{holder['file_system_id']}: {holder['mounts']}."
    )
