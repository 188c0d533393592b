# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scale-in protection of tasks: it keeps one alive that its service is to stop.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, batches
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import short_id
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import utc_text

__all__ = ["outlasts", "protected_tasks", "protection_text"]

_PROTECTION_LIMIT = 100


def protected_tasks(aws: Aws, *, cluster: str, arns: Sequence[str]) -> list[dict[str, Any]] | None:
    """The tasks under scale-in protection, as GetTaskProtection gives them; None where that can't be asked."""
    found: list[dict[str, Any]] = []
    for batch in batches(list(arns), _PROTECTION_LIMIT):
        try:
            answer = aws.call(
                "ecs",
                "GetTaskProtection",
                doing=f"read the scale-in protection of {len(batch)} task(s) in cluster {cluster}",
                cluster=cluster,
                tasks=list(batch),
            )
        except OperationFailed:
            return None
        found.extend(entry for entry in answer.get("protectedTasks", []) if entry.get("protectionEnabled"))
    return found


def protection_text(entry: Mapping[str, Any], *, cluster: str) -> str:
    """Until when a task is protected, and how that is ended: an entry of `protected_tasks`, as a person reads it."""
    until = entry.get("expirationDate")
    task = short_id(str(entry["taskArn"]))
    moment = utc_text(until) if until else "an unknown time"
    return (
        f"task {task} is under scale-in protection until {moment}; end that with "
        f"'aws ecs update-task-protection --cluster {cluster} --tasks {task} --no-protection-enabled', or wait"
    )


def outlasts(entry: Mapping[str, Any], moment: datetime) -> bool:
    """Whether the protection lasts beyond a moment."""
    until = entry.get("expirationDate")
    return until is None or bool(until > moment)
