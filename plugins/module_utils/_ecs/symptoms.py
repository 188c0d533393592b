# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a service is not as it should be, before anybody asks why: pure functions over facts.

Private to wwhd.qdrant_ops. `facts` is a dict in snake_case, as ecs_service_info collects it:
{service, tasks (views with logs, newest first), events (newest first), essential (set of names), target_problems,
pause ({text, advice} of the hook at which its deployment stands, or None)}; and, where they are known, history (views
of all its tasks), volumes, log_groups, target_groups, now (UTC text).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import short_id

__all__ = ["Facts", "is_essential", "lock_lines", "unhealthy_because"]

Facts = Mapping[str, Any]

# The engines' own words when a lock is in the way (facts.md F.6). "Operation not supported" is absent on purpose: that
# file system has no locks at all, and no unlocking helps.
_LOCK_TEXTS = tuple(
    re.compile(text)
    for text in (
        r"While lock file: .*(Resource temporarily unavailable|No locks available)",
        r"lock hold by current process.*LOCK",
        r"while open a file for lock: .*Permission denied",
        r"Can't init WAL.*(code: 11|WouldBlock)",
        r"Can't open Collections meta Wal.*(code: 11|WouldBlock|Resource temporarily unavailable)",
        r"is already accessed by another instance of Qdrant client",
    )
)


def lock_lines(lines: list[str]) -> list[str]:
    """The lines in which an engine says that a lock is in its way."""
    return [line for line in lines if any(pattern.search(line) for pattern in _LOCK_TEXTS)]


def unhealthy_because(facts: Facts) -> list[str]:
    """Every reason not to call the service healthy, in sentences; none for a healthy one."""
    service = facts["service"]
    desired = service.get("desired_count") or 0
    deployments = service.get("deployments") or []
    sentences = []
    if service.get("status") != "ACTIVE":
        sentences.append(f"The service is {service.get('status')}, not ACTIVE.")
    if desired < 1:
        sentences.append("Its desired count is 0: nothing is meant to run.")
    if service.get("running_count") != desired:
        sentences.append(f"{service.get('running_count')} of {desired} desired task(s) run.")
    if service.get("pending_count"):
        sentences.append(f"{service['pending_count']} task(s) are pending.")
    if len(deployments) > 1:
        sentences.append(f"{len(deployments)} deployments are under way at the same time.")
    for deployment in deployments[:1]:
        rollout = deployment.get("rollout_state")
        if rollout not in (None, "COMPLETED"):
            why = deployment.get("rollout_state_reason")
            sentences.append(f"Its deployment {deployment.get('id')} is {rollout}" + (f" ({why})" if why else "") + ".")
    if facts.get("pause"):
        sentences.append(f"Its deployment stands still: {facts['pause']['text']}.")
    sentences.extend(f"Load balancer: {problem}" for problem in facts.get("target_problems", []))
    for task in facts.get("tasks", []):
        if task["gone"] or task["desired_status"] != "RUNNING":
            continue
        sentences.extend(
            f"Container {container['name']} of task {short_id(task['task_arn'])} has ended"
            + (f" (exit {container['exit_code']})." if container["exit_code"] is not None else ".")
            for container in task["containers"]
            if container["last_status"] == "STOPPED" and is_essential(container["name"], facts)
        )
    return sentences


def is_essential(name: str, facts: Facts) -> bool:
    known = facts.get("essential")
    return not known or name in known
