# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a service is stuck, from facts that were read before: pure functions and one table of verdicts.

Private to wwhd.qdrant_ops. `facts` is a dict in snake_case, as ecs_service_info collects it; symptoms.py says what
is in it. What speaks for a verdict is in evidence.py; causes.py and lock_causes.py narrow it down to one cause.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs import causes, evidence
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.lock_causes import UNLOCK, whose_lock
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.narrowing import CERTAIN, Narrowed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.symptoms import (
    Facts,
    lock_lines,
    unhealthy_because,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.unfinished import unfinished_unlock, whose_unlock

__all__ = ["VERDICTS", "Verdict", "diagnose", "findings_of", "lock_lines", "unhealthy_because"]


def _as_it_is(_facts: Facts) -> Narrowed:
    return Narrowed()


@dataclass(frozen=True)
class Verdict:
    """One row: `evidence` gives the facts that speak for it (none: it does not hold), `next` what to do.

    `narrow` says which of its causes it is. `beside_healthy`: it is worth saying of a healthy service, too.
    """

    name: str
    evidence: Callable[[Facts], list[str]]
    summary: str
    next: str
    narrow: Callable[[Facts], Narrowed] = _as_it_is
    beside_healthy: bool = False


# The first that holds is the verdict: what explains most stands first.
VERDICTS: tuple[Verdict, ...] = (
    Verdict("healthy", evidence.healthy, "The service is healthy.", "Nothing needs to be done."),
    Verdict(
        "unlock_unfinished",
        unfinished_unlock,
        "An unlock of this service has not come to its end.",
        "Run the unlock playbook: it finishes what is left.",
        whose_unlock,
        beside_healthy=True,
    ),
    Verdict(
        "service_ending",
        evidence.ending,
        "The service is being deleted, or was.",
        "Create it again: no unlock can start a service that is not ACTIVE.",
    ),
    Verdict(
        "stopped_by_hand",
        evidence.stopped_by_hand,
        "The service is stopped: its desired count is 0.",
        "Start it again by the unlock playbook, or by setting the desired count.",
        causes.stopped_by_hand,
    ),
    Verdict(
        "locks_held",
        evidence.locks_held,
        "The store cannot open its files: a lock on them is held, or cannot be taken.",
        UNLOCK,
        whose_lock,
    ),
    Verdict(
        "storage",
        evidence.storage,
        "The store cannot work, and no lock is the reason.",
        "Read what its log says: no unlocking helps.",
        causes.storage,
    ),
    Verdict(
        "stopped_by_user",
        evidence.by_kind("stopped_by_user"),
        "Somebody stopped its tasks (StopTask).",
        "Ask who did, and why: the reason quoted is theirs (CloudTrail has the name, event StopTask).",
        causes.stopped_by_user,
    ),
    Verdict(
        "memory",
        evidence.memory,
        "Its containers run out of memory.",
        "Give the task more memory, or let Qdrant keep vectors and payloads on disk.",
        causes.memory,
    ),
    Verdict(
        "image",
        evidence.by_kind("image"),
        "An image cannot be pulled.",
        "Correct the image's name or tag, or the registry's limits and permissions.",
        causes.image,
    ),
    Verdict(
        "mount",
        evidence.mount,
        "The file system cannot be mounted, or cannot lock files.",
        "Check mount targets, security groups (TCP 2049), access point and the task role's permissions.",
        causes.mount,
    ),
    Verdict(
        "logging",
        evidence.by_kind("logging"),
        "A container cannot start because its log group cannot be written.",
        "Create the log group, or give the execution role the permission to write to it.",
        causes.logging,
    ),
    Verdict(
        "health_check",
        evidence.health_check,
        "Its tasks run, but fail their health checks.",
        "Check the health check's path and port, the security groups, and that the grace period covers the load time.",
        causes.health_check,
    ),
    Verdict(
        "capacity",
        evidence.by_kind("capacity"),
        "AWS has no place to run its tasks.",
        "Try again in some minutes, or give subnets in more availability zones.",
        causes.capacity,
    ),
    Verdict(
        "network",
        evidence.by_kind("network"),
        "Its tasks have no working network.",
        "Check subnets, public address or NAT gateway, VPC endpoints and security groups.",
        causes.network,
    ),
    Verdict(
        "permission",
        evidence.by_kind("permission"),
        "A role lacks a permission, or a secret is missing.",
        "Give the role that the text names what it lacks, or correct the secret's name.",
        causes.permission,
    ),
    Verdict(
        "paused",
        evidence.paused,
        "Its deployment is paused at a lifecycle hook, and waits for somebody's word.",
        "Let it go on, or roll it back, by the command that is quoted.",
        causes.paused,
    ),
    Verdict(
        "deploying",
        evidence.deploying,
        "A deployment is under way and nothing has failed so far.",
        "Wait until it has ended, and look again.",
    ),
    Verdict(
        "app_error",
        evidence.app_error,
        "Its containers start and end by themselves with an error.",
        "Read the last log lines of the containers: the program says there what is wrong.",
        causes.app_error,
    ),
    Verdict(
        "given_up",
        evidence.given_up,
        "ECS has given its deployment up, and starts no more tasks of it.",
        "Start a new deployment once the cause is put right (wwhd.qdrant_ops.ecs_service_redeploy).",
        causes.given_up,
        beside_healthy=True,
    ),
    Verdict(
        "many_writers",
        evidence.many_writers,
        "Several tasks of the service are alive on one store.",
        "See that there is only one.",
        causes.many_writers,
        beside_healthy=True,
    ),
)
_UNKNOWN = Verdict(
    "unknown",
    unhealthy_because,
    "The service is not healthy, and nothing that was read says why.",
    "Read the service's events and its containers' logs in the console; the newest are returned beside this.",
    causes.unknown,
)
# Verdicts of which the cause's own sentence is only the second half.
_IN_TWO_SENTENCES = ("locks_held", "storage")


def _hints(facts: Facts, kind: str) -> list[str]:
    """What reasons.py advises for the tasks that speak for a verdict: narrower than the verdict's own advice."""
    hints = [task["hint"] for task in evidence.ended(facts) if evidence.task_kind(task) == kind and task["hint"]]
    return list(dict.fromkeys(hints))[:1]


def _finding(verdict: Verdict, seen: list[str], facts: Facts) -> dict[str, Any]:
    narrowed = verdict.narrow(facts)
    halves = [verdict.summary, narrowed.summary] if verdict.name in _IN_TWO_SENTENCES else [narrowed.summary]
    steps = [narrowed.next] if narrowed.next else [verdict.next, *_hints(facts, verdict.name)]
    return {
        "verdict": verdict.name,
        "cause": narrowed.cause or verdict.name,
        "summary": " ".join(filter(None, halves)) or verdict.summary,
        "confidence": narrowed.confidence or CERTAIN,
        "because": narrowed.because or "AWS says so itself",
        "evidence": list(dict.fromkeys([*narrowed.evidence, *seen])),
        "next": " ".join(steps),
        "command": narrowed.command,
    }


def findings_of(facts: Facts) -> list[dict[str, Any]]:
    """Everything that holds, the cause first. A healthy service's past troubles are over, and are left out."""
    found = [(verdict, seen) for verdict in VERDICTS for seen in [verdict.evidence(facts)] if seen]
    if not found:
        found = [(_UNKNOWN, _UNKNOWN.evidence(facts))]
    if found[0][0].name == "healthy":
        found = [entry for entry in found if entry[0].name == "healthy" or entry[0].beside_healthy]
    findings = [_finding(verdict, seen, facts) for verdict, seen in found]
    if facts["service"].get("desired_count"):
        # What an unlock has left behind keeps no task from starting: what does comes first.
        findings.sort(key=lambda finding: finding["cause"] == "unlock_left_unfinished")
    return findings


def not_seen(facts: Facts) -> list[str]:
    """What could not be read, and would have been of use."""
    lines = [
        line[1:-1]
        for task in facts.get("tasks", [])
        for container in task["containers"]
        for line in container.get("logs") or []
        if line.startswith("(Could not") and line.endswith(")")
    ]
    return list(dict.fromkeys(lines))


def diagnose(facts: Facts) -> dict[str, Any]:
    """What ecs_service_info returns as `diagnosis`: the first finding, the evidence of all, and the findings each."""
    findings = findings_of(facts)
    first = findings[0]
    return {
        **{key: first[key] for key in ("verdict", "cause", "summary", "confidence", "because", "next", "command")},
        "evidence": list(dict.fromkeys(line for finding in findings for line in finding["evidence"])),
        "also": [finding["verdict"] for finding in findings[1:]],
        "findings": findings,
        "not_seen": not_seen(facts),
    }
