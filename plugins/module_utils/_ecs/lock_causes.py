# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose the lock is that is in a store's way: a task that overlaps, a dead client's lease, or somebody else.

Private to wwhd.qdrant_ops. Pure. Neither AWS nor Qdrant tells who holds a lock (facts.md E.1, F.6): it is concluded
from which tasks were alive when the lock was in the way, and how those before them had ended.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.evidence import speaking_lines
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.narrowing import (
    CERTAIN,
    LIKELY,
    POSSIBLE,
    Narrowed,
    moment_of,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.symptoms import Facts, lock_lines
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import short_id

__all__ = ["UNLOCK", "whose_lock"]

UNLOCK = "Run the unlock playbook: it stops every writer, proves that each is gone, and then clears the locks."
_STOP_FIRST = (
    "Then make the rollout stop-first, so that it does not come back (minimum healthy percent 0, maximum percent 100)."
)
# EFS does not say how long a lease is; Linux's servers take 90 s (facts.md E.1). What lasts this long is no lease.
_NO_LEASE_LASTS = timedelta(minutes=15)
_HOST_LOST = ("InfrastructureHealth", "TerminationNotice", "SpotInterruption")
_LONG_AGO = datetime.fromtimestamp(0, tz=timezone.utc)

# Locks whose holder needs no search: the text says what it is.
_BY_TEXT: tuple[tuple[re.Pattern[str], Narrowed], ...] = (
    (
        re.compile(r"lock hold by current process"),
        Narrowed(
            cause="opened_twice",
            confidence=CERTAIN,
            because="RocksDB says that this very process holds the lock already",
            summary="Qdrant opens the same folder twice in one process.",
            next="Look for a collection that is listed twice, or a folder that was copied into another one. "
            "Unlocking does no harm, but does not mend this.",
        ),
    ),
    (
        re.compile(r"while open a file for lock: .*Permission denied"),
        Narrowed(
            cause="lock_of_another_user",
            confidence=CERTAIN,
            because="the file cannot even be opened: its owner or mode is not that of the task's user",
            summary="A lock file belongs to another user, and cannot be opened.",
            next=f"{UNLOCK} A lock file is made anew by the next start. If it stays so, the rest of the store has the "
            "wrong owner too: mount through the access point that made it.",
        ),
    ),
    (
        re.compile(r"is already accessed by another instance of Qdrant client"),
        Narrowed(
            cause="local_client",
            confidence=CERTAIN,
            because="it is the message of qdrant-client's local mode, which locks a folder for one process",
            summary="Two processes use qdrant-client's local mode on one folder.",
            next=f"{UNLOCK} To have several processes, let them ask a Qdrant server instead.",
        ),
    ),
    (
        re.compile(r"While lock file: .*No locks available"),
        Narrowed(
            cause="no_locks_left",
            confidence=LIKELY,
            because="the file system, not another process, refused the lock (ENOLCK)",
            summary="The file system gives no more locks: EFS has 512 a file and 65,536 a mount.",
            next="Unlocking does not mend this. Count the open segments, and start a new task: its mount begins anew.",
        ),
    ),
)
_WAL = re.compile(r"Can't (init WAL|open Collections meta Wal)")


def whose_lock(facts: Facts) -> Narrowed:
    """The narrowest cause that fits."""
    speaking = [(task, line) for task, _container, line in speaking_lines(facts) if lock_lines([line])]
    lines = [line for _task, line in speaking]
    if not any("Resource temporarily unavailable" in line or "WouldBlock" in line for line in lines):
        found = next((known for pattern, known in _BY_TEXT if any(map(pattern.search, lines))), None)
        if found:
            return found
    if lines and all(_WAL.search(line) for line in lines):
        return Narrowed(
            cause="same_machine",
            confidence=LIKELY,
            because="Qdrant locks a write-ahead log only against processes on the same machine: EFS does not carry it",
            summary="Two Qdrants on one machine, or in one task, use the same folder.",
            next=f"Look for a second Qdrant container in the task definition, or on the same instance. {UNLOCK}",
        )
    failing = _newest_first({task["task_arn"]: task for task, _line in speaking}.values())
    return _holder(facts, failing)


def _newest_first(tasks: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(tasks, key=lambda task: moment_of(task.get("created_at")) or _LONG_AGO, reverse=True)


def _began(task: Mapping[str, Any]) -> datetime | None:
    return moment_of(task.get("started_at"))


def _lost(task: Mapping[str, Any]) -> bool:
    """Whether a task that had run went away without anybody seeing how its containers ended."""
    if not task["gone"] or _began(task) is None:
        return False
    unseen = any(container["exit_code"] is None for container in task["containers"])
    return task["stop_code"] in _HOST_LOST or unseen


def _killed(task: Mapping[str, Any]) -> bool:
    return bool(task["gone"]) and any(container["exit_code"] == 137 for container in task["containers"])


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any], now: datetime) -> bool:
    """Whether both were alive at some moment. What is not known speaks against it."""
    began, others = _began(one) or moment_of(one.get("created_at")), _began(other)
    if began is None or others is None:
        return False
    until = moment_of(one.get("stopped_at")) or now
    others_until = moment_of(other.get("stopped_at")) or now
    return began < others_until and others < until


def _text(task: Mapping[str, Any]) -> str:
    return f"{short_id(task['task_arn'])} ({task['last_status']}" + (
        f", {task['stop_code']})" if task.get("stop_code") else ")"
    )


def _percentages(facts: Facts) -> list[str]:
    settings = facts["service"].get("deployment_configuration") or {}
    highest = settings.get("maximum_percent")
    if highest is None or highest <= 100:
        return []
    return [
        f"Its rollout is set to minimum {settings.get('minimum_healthy_percent')} %, maximum {highest} %: ECS starts "
        "the new task while the old one runs."
    ]


def _holder(facts: Facts, failing: list[Mapping[str, Any]]) -> Narrowed:
    now = moment_of(facts.get("now")) or datetime.now(timezone.utc)
    speaking = {task["task_arn"] for task in failing}
    newest = failing[0] if failing else {}
    # The task that ECS has started since holds nothing that was in the way before it.
    tried = moment_of(newest.get("created_at")) or now
    others = _newest_first(
        task
        for task in facts.get("history") or facts.get("tasks", [])
        if task["task_arn"] not in speaking and (moment_of(task.get("created_at")) or _LONG_AGO) < tried
    )
    alive = [task for task in others if not task["gone"] and _began(task)]
    if alive and newest:
        return Narrowed(
            cause="rolling_overlap",
            confidence=CERTAIN,
            because="another task of the same service is alive, and only one can have the store",
            summary="Two tasks of the service overlap: the older one still has the store open.",
            next=f"{UNLOCK} {_STOP_FIRST}",
            evidence=[f"Alive beside it: task {_text(alive[0])}.", *_percentages(facts)],
        )
    lost = [task for task in others if _lost(task)]
    if lost:
        return Narrowed(
            cause="dead_lease",
            confidence=LIKELY,
            because="the task before it vanished with its machine, and EFS keeps a dead client's locks until its lease "
            "ends",
            summary="The lock is a dead client's: the machine that held it is gone, its lease is not.",
            next=f"{UNLOCK} It waits for the lease; so may you, some minutes, if nothing else starts tasks meanwhile.",
            evidence=[f"Gone without an orderly end: task {_text(lost[0])}."],
        )
    beside = [task for task in others if newest and _overlap(newest, task, now)]
    if beside:
        return Narrowed(
            cause="rolling_overlap",
            confidence=LIKELY,
            because="another task of the same service was alive when the lock was in the way",
            summary="Two tasks of the service overlapped: the older one had the store open when the new one started.",
            next=f"{UNLOCK} {_STOP_FIRST}",
            evidence=[f"Alive at that time: task {_text(beside[0])}.", *_percentages(facts)],
        )
    times = [time for time in (_began(task) or moment_of(task.get("created_at")) for task in failing) if time]
    if times and max(times) - min(times) > _NO_LEASE_LASTS:
        minutes = int((max(times) - min(times)).total_seconds() // 60)
        return Narrowed(
            cause="held_elsewhere",
            confidence=POSSIBLE,
            because=f"the lock has been in the way for {minutes} minutes, longer than a lease lasts, and no other task "
            "of this service was alive",
            summary="Somebody outside of this service holds the lock.",
            next="Find who else mounts the file system: other services, EC2 instances, Lambda functions (CloudWatch "
            f"AWS/EFS ClientConnections counts them). End that holder first. {UNLOCK}",
        )
    killed = [task for task in others if _killed(task)]
    return Narrowed(
        cause="dead_lease",
        confidence=LIKELY if killed else POSSIBLE,
        because=(
            "the task before it was killed, and EFS keeps a lock until its client's lease ends"
            if killed
            else "no other task of the service was alive, as far as ECS tells: it forgets tasks an hour after their end"
        ),
        summary="The lock is most likely a dead client's, whose lease has not ended.",
        next=UNLOCK,
        evidence=[f"Killed before it: task {_text(killed[0])}."] if killed else [],
    )
