# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a diagnosis answers: the service's own facts, with who else is on the store and what its health address says.

Private to wwhd.qdrant_ops. Pure. answer_text.py puts it into lines.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.answer_text import answer_lines
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.sharing import ALL, SAME, holder_text, holders

__all__ = ["HEALTHY", "NOT_SEEN", "SICK", "digest", "make_answer"]

HEALTHY, SICK, NOT_SEEN = "healthy", "sick", "not_seen"
# Which causes an unlock puts right.
_UNLOCKED = (
    "dead_lease",
    "local_client",
    "lock_of_another_user",
    "rolling_overlap",
    "same_machine",
    "stopped_by_hand",
    "unlock_left_unfinished",
)
_PREVENTED = ("overlap_now", "pipeline_stops_tasks", "rolling_overlap", "same_directory")
# As long as these are all that is known, it may be the locks or not.
_UNKNOWN = ("panic_unread", "unknown")
_RIGHTS = "docs/iam/operator-read-only.json has every right that a diagnosis needs."
_DIGEST = (
    "environment", "service", "outcome", "healthy", "locks", "verdict", "cause", "confidence", "summary", "next",
    "command", "also",
)  # fmt: skip


def make_answer(raw: Mapping[str, Any]) -> dict[str, Any]:
    """`qdrant_unlock_diagnosis`.

    Keys of `raw`: `info` (of ecs_service_info, or how it failed), `mounts` (of ecs_mounts_info, one a file system),
    `health` (of http_health; empty where none is asked), `service`, `cluster`, `region`, `environment`, `protected`.
    """
    info: Mapping[str, Any] = raw.get("info") or {}
    health = _shown_health(raw)
    if not info.get("diagnosis"):
        return _answer(raw, [_not_looked(info)], outcome=NOT_SEEN, not_seen=[], found=[], health=health)
    mounts: Sequence[Mapping[str, Any]] = raw.get("mounts") or []
    looked = [result for result in mounts if "tasks" in result]
    found = holders(looked, info.get("volumes") or [], own=f"service:{raw.get('service')}")
    findings = [dict(finding) for finding in info["diagnosis"]["findings"]]
    findings = _with_others(findings, found, looked, healthy=bool(info.get("healthy")))
    findings = _with_health(findings, health, healthy=bool(info.get("healthy")))
    not_seen = [
        *info["diagnosis"].get("not_seen", []),
        *(str(result.get("msg")) for result in mounts if "tasks" not in result and not result.get("skipped")),
    ]
    return _answer(
        raw,
        [_with_playbook(finding, raw) for finding in findings],
        outcome=HEALTHY if findings[0]["verdict"] == HEALTHY else SICK,
        not_seen=list(dict.fromkeys(not_seen)),
        found=found,
        health=health,
    )


def _answer(
    raw: Mapping[str, Any],
    findings: Sequence[Mapping[str, Any]],
    *,
    outcome: str,
    not_seen: Sequence[str],
    found: Sequence[Mapping[str, Any]],
    health: Mapping[str, Any],
) -> dict[str, Any]:
    first = findings[0]
    verdicts = [str(finding["verdict"]) for finding in findings]
    unknown = outcome == NOT_SEEN or any(finding["cause"] in _UNKNOWN for finding in findings)
    whole: dict[str, Any] = {
        **{key: raw.get(key) for key in ("service", "cluster", "region", "environment")},
        "outcome": outcome,
        "healthy": None if outcome == NOT_SEEN else outcome == HEALTHY,
        "locks": "yes" if "locks_held" in verdicts else "unknown" if unknown else "no",
        **{key: first[key] for key in ("verdict", "cause", "summary", "confidence", "because", "next", "command")},
        "evidence": list(dict.fromkeys(line for finding in findings for line in finding["evidence"])),
        "also": verdicts[1:],
        "findings": list(findings),
        "not_seen": list(not_seen),
        "holders": list(found),
        "health": dict(health),
    }
    return {**whole, "lines": answer_lines(whole)}


def _finding(verdict: str, cause: str, summary: str, **others: Any) -> dict[str, Any]:
    return {
        "verdict": verdict,
        "cause": cause,
        "summary": summary,
        "confidence": "certain",
        "because": "AWS says so itself",
        "evidence": [],
        "next": "",
        "command": None,
        **others,
    }


def _not_looked(info: Mapping[str, Any]) -> dict[str, Any]:
    """The one finding that says nothing of the service."""
    said = str(info.get("msg") or "Nothing was read, and nothing says why.")
    action = info.get("action")
    denied = bool(action) and "AccessDenied" in str(info.get("error_code"))
    return _finding(
        NOT_SEEN,
        "right_missing" if denied else "not_looked_at",
        "The service could not be looked at.",
        because="the call was refused" if denied else "the call failed",
        evidence=[said, *([f"Missing right: {action}"] if denied else [])],
        next=f"Give whoever runs this the right {action}. {_RIGHTS}" if denied else "Put that right, and look again.",
    )


def _with_others(
    findings: list[dict[str, Any]],
    found: Sequence[Mapping[str, Any]],
    looked: Sequence[Mapping[str, Any]],
    *,
    healthy: bool,
) -> list[dict[str, Any]]:
    """With what is known of everybody else on the file system."""
    foreign = [holder for holder in found if not holder["own"] and not holder["cleaner"]]
    near = [holder for holder in foreign if holder["mounts"] in (SAME, ALL)]
    clusters = ", ".join(dict.fromkeys(str(name) for result in looked for name in result.get("clusters") or []))
    joined = []
    for finding in findings:
        unsure = finding["verdict"] == "locks_held" and finding["cause"] in ("dead_lease", "held_elsewhere")
        if unsure and near:
            joined.append({**finding, **_held_by_others(finding, near)})
        elif unsure and clusters and not foreign:
            told = f"{finding['because']}; no other live task mounts the file system (clusters looked at: {clusters})"
            joined.append({**finding, "because": told})
        else:
            joined.append(finding)
    cleaners = [holder for holder in found if holder["cleaner"]]
    if cleaners:
        joined.insert(1 if healthy else 0, _cleaning(cleaners))
    if foreign:
        joined.append(_shared(foreign, near))
    return joined


def _held_by_others(finding: Mapping[str, Any], near: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "cause": "held_by_other_task",
        "confidence": "likely",
        "because": "another live task mounts the same directory, or all of the file system, and no other task of this "
        "service was alive",
        "summary": "The store cannot open its files: a task of somebody else has them open.",
        "evidence": [*finding["evidence"], *map(holder_text, near)],
        "next": "End that task first, by its own service's desired count if it has one. An unlock refuses to work "
        "beside it, and would be wrong to.",
    }


def _cleaning(cleaners: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return _finding(
        "unlock_unfinished",
        "cleaner_alive",
        "A cleaner of this collection is at work on the store: an unlock or an inspection is under way.",
        because="its task is alive",
        evidence=[holder_text(cleaner) for cleaner in cleaners],
        next="Wait until it has ended, and look again.",
    )


def _shared(foreign: Sequence[Mapping[str, Any]], near: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if near:
        return _finding(
            "shared_file_system",
            "same_directory",
            "Others mount the same directory as this service, or all of the file system.",
            because="their task definitions say so",
            evidence=[holder_text(holder) for holder in foreign],
            next="Give each environment an access point of its own. Until then, whatever is written or unlocked here "
            "may be in use there.",
        )
    return _finding(
        "shared_file_system",
        "other_directory",
        "Several environments share the file system, each through its own access point or directory.",
        confidence="possible",
        because="where their access points lead was not read; two may have the same directory",
        evidence=[holder_text(holder) for holder in foreign],
        next="Compare the root directories of the access points. If they differ, nothing needs to be done.",
    )


def _shown_health(raw: Mapping[str, Any]) -> dict[str, Any]:
    result: Mapping[str, Any] = raw.get("health") or {}
    asked = bool(result) and not result.get("skipped")
    well = asked and bool(result.get("successes"))
    return {
        "asked": asked,
        "well": well if asked else None,
        "said": str(result.get("msg") or "It did not answer as expected.") if asked and not well else None,
    }


def _with_health(findings: list[dict[str, Any]], health: Mapping[str, Any], *, healthy: bool) -> list[dict[str, Any]]:
    """What ECS calls healthy is not, for those who use it, as long as its address does not answer."""
    if not health["asked"]:
        return findings
    if health["well"]:
        if healthy:
            first, *others = findings
            return [{**first, "evidence": [*first["evidence"], "Its health address answers as it should."]}, *others]
        return findings
    if not healthy:
        finding = _finding(
            "health_address",
            "health_address_fails",
            "Its health address does not answer as it should.",
            because="it was asked",
            evidence=[health["said"]],
            next="Nothing of its own: it will answer when the cause above is gone.",
        )
        return [*findings, finding]
    finding = _finding(
        "health_address",
        "health_address_fails",
        "ECS calls the service healthy, but its health address does not.",
        confidence="likely",
        because="the address was asked from where this runs, which may not be where its clients are",
        evidence=[health["said"]],
        next="Ask the address from where the clients are; look at the container's log, and at the load balancer's "
        "rules and security groups.",
    )
    return [finding, *(other for other in findings if other["verdict"] != HEALTHY)]


def _with_playbook(finding: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    """With the playbook that puts it right, instead of a command that only looks."""
    changed = dict(finding)
    environment = shlex.quote(str(raw.get("environment")))
    if finding["cause"] in _UNLOCKED:
        confirm = f" -e confirm={environment}" if raw.get("protected") else ""
        changed["command"] = f"ansible-playbook playbooks/unlock.yml -e env={environment}{confirm}"
    if finding["cause"] in _PREVENTED:
        changed["next"] = f"{finding['next']} For good: playbooks/prevent.yml -e env={environment}."
    return changed


def digest(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The answer in a few words: for `set_stats`."""
    return {key: answer.get(key) for key in _DIGEST}
