# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run ends with: `qdrant_unlock_result`, from what the modules returned.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.claims import claims_in
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.masking import mask
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock import cleaner_log, phases, points
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.ending import Ending, Facts, ending_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.inspection import inspection_lines
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.plain import end_lines

__all__ = ["digest", "make_result", "shown_options"]

_SECRET = re.compile(r"key|secret|token|passw|header|credential|auth|^aws$", re.IGNORECASE)
_HIDDEN = "***"

Results = Mapping[str, Sequence["Mapping[str, Any] | None"]]


def make_result(raw: Mapping[str, Any]) -> dict[str, Any]:
    """`qdrant_unlock_result`, from one dict of what the phases registered.

    Keys of `raw`: `plan`, `phases` (phase name → list of results), `info`, `wait`, `holders` (who mounts the store),
    `deployment`, `health`, `collections_before`, `collections`, `expected` (counts by collection), `last` (the text
    that the last verified run kept), `asked` (bool: points are wanted), `failure`, `restore`, `restore_failure` (or
    None), `left_stopped`,
    `release` and `retreat` (what is released, and what a failed run has done with it), `check_mode`, `inspect`,
    `refused` (it failed before it had changed anything), `unfinished` (this is not the end yet), `service`,
    `environment`, `options` (the role's variables), `interrupted` (where a watchdog would write), `at`
    (when this was asked for, in UTC), `report` (the path of the report's files).
    """
    # What other phases have registered is an earlier run's, if this one never came to them.
    results: Results = raw.get("phases") or {}
    refused = bool(raw.get("refused"))
    if refused:
        results = {"preflight": results.get("preflight") or []}
        raw = {**raw, **dict.fromkeys(("wait", "deployment", "health", "collections", "restore", "restore_failure"))}
    plan: Mapping[str, Any] = raw.get("plan") or {}
    failure: Mapping[str, Any] | None = raw.get("failure") or None
    wait: Mapping[str, Any] = raw.get("wait") or {}
    lines = cleaner_log.lines_of(wait)
    report = cleaner_log.cleaner_report(lines)
    locks = cleaner_log.locks_of(report)
    exit_code = cleaner_log.exit_code_of(wait)
    before, now = points.points_of(raw.get("collections_before")), points.points_of(raw.get("collections"))
    last = points.last_verified(raw.get("last"))
    health: Mapping[str, Any] = raw.get("health") or {}
    verified = phases.ran([raw.get("health"), raw.get("collections")])
    deployment: Mapping[str, Any] = raw.get("deployment") or {}
    quiesce = (results.get("quiesce") or [None])[0]
    seconds = phases.downtime(quiesce, verified[0] if verified and not failure else None)
    inspect, check = bool(raw.get("inspect")), bool(raw.get("check_mode"))
    up_before = phases.was_up(raw)
    data, whole = points.data_sentence(
        now, before=before, expected=raw.get("expected") or {}, last=last, asked=bool(raw.get("asked"))
    )
    diagnosis = (raw.get("info") or {}).get("diagnosis")
    ending = ending_of(
        Facts(
            service=str(raw.get("service")),
            environment=str(raw.get("environment")),
            plan=plan,
            failure=failure,
            refused=refused,
            unfinished=bool(raw.get("unfinished")),
            restore=raw.get("restore"),
            restore_failure=raw.get("restore_failure") or None,
            left_stopped=bool(raw.get("left_stopped")),
            quiesce=quiesce,
            inspect=inspect,
            check=check,
            # All else in preflight only reads.
            registered=any(result.get("changed") for result in results.get("preflight") or [] if result),
            cleaned=bool(wait.get("tasks")),
            removed=len(locks["removed"]) if report["summary"] is not None else None,
            held=len(locks["held"]),
            failed_tasks=len(deployment.get("failures") or []),
            exit_code=cleaner_log.exit_code_sentence(exit_code),
            locks=cleaner_log.lock_sentences(locks, report, inspect),
            data=data,
            whole=whole,
            counted=now is not None,
            downtime=None if seconds is None else phases.downtime_sentence(seconds, was_up=up_before),
            diagnosis=diagnosis,
            release=plan.get("release") and raw.get("release"),
            retreat=raw.get("retreat") or None,
        )
    )
    summary = _summary(ending, raw)
    changed = any(result.get("changed") for name in phases.PHASES for result in results.get(name) or [] if result)
    stopped = bool(quiesce and quiesce.get("changed") and quiesce.get("claimed", True)) and not check
    began = phases.phases_of(results)
    return {
        "outcome": ending.outcome,
        "changed": changed,
        "needed": bool(plan.get("needed")),
        "why": list(plan.get("why") or []),
        "summary": summary,
        "lines": end_lines(ending, summary, name=f"{raw.get('service')} ({raw.get('environment')})"),
        "verdict": {
            "tone": ending.tone,
            "headline": ending.headline,
            "data": ending.data,
            "next": list(ending.next),
        },
        "environment": raw.get("environment"),
        "service": raw.get("service"),
        "run_id": plan.get("run_id"),
        "resumed": bool(plan.get("resumed")),
        "check_mode": check,
        "by": _who(plan),
        "started": began[0]["started"] if began else raw.get("at"),
        "options": shown_options(raw.get("options") or {}),
        "phases": began,
        "outage": phases.outage(quiesce, seconds, up_before=up_before, changed=stopped),
        "locks": locks,
        "cleaner": {
            "task_arn": cleaner_log.task_arn(wait),
            "exit_code": exit_code,
            "summary": report["summary"],
            "notes": report["notes"],
            "log": cleaner_log.log_shown(lines),
        },
        **({"inspection": _inspection(raw, locks, report)} if inspect and not check else {}),
        "release": _release(plan, raw),
        "deployment": deployment.get("deployment"),
        "deployment_events": [
            {"created_at": event.get("created_at"), "message": event.get("message")}
            for event in deployment.get("events") or []
        ],
        "deployment_failures": [_failed_task(task) for task in deployment.get("failures") or []],
        "verification": {
            "health": {key: health.get(key) for key in ("attempts", "successes", "last")}
            if health.get("started_at")
            else None,
            "points": now,
            "counted_at": (raw.get("collections") or {}).get("started_at"),
            "points_before": before,
            "counted_before_at": (raw.get("collections_before") or {}).get("started_at"),
            "points_last": last,
            "points_expected": dict(raw.get("expected") or {}),
            "data_whole": whole if ending.outcome == "unlocked" else None,
        },
        "diagnosis": diagnosis,
        "failure": dict(failure) if failure else None,
        "downtime_seconds": seconds,
        "interrupted": raw.get("interrupted") or None,
        "report": raw.get("report") or None,
    }


def digest(result: Mapping[str, Any]) -> dict[str, Any]:
    """The result in a few words and numbers: for `set_stats`, and for the index of several."""
    locks: Mapping[str, Sequence[Any]] = result.get("locks") or {}
    verdict: Mapping[str, Any] = result.get("verdict") or {}
    verification: Mapping[str, Any] = result.get("verification") or {}
    return {
        **{key: result.get(key) for key in ("outcome", "changed", "environment", "service", "run_id", "started")},
        "report": result.get("report"),
        "tone": verdict.get("tone"),
        "headline": verdict.get("headline"),
        "data_whole": verification.get("data_whole"),
        "downtime_seconds": result.get("downtime_seconds"),
        "locks": {kind: len(locks.get(kind) or []) for kind in ("found", "removed", "held", "kept")},
    }


def shown_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The variables for everybody to see: without what may be a secret, by name or as part of an address."""
    return {
        str(name): _HIDDEN if isinstance(value, str) and value and _SECRET.search(str(name)) else _shown(value)
        for name, value in sorted(options.items())
        if value is not None
    }


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return shown_options(value)
    return [_shown(item) for item in value] if isinstance(value, (list, tuple)) else value


def _summary(ending: Ending, raw: Mapping[str, Any]) -> list[str]:
    return [*ending.summary, *(str(warning) for warning in (raw.get("restore") or {}).get("warnings") or [])]


def _inspection(
    raw: Mapping[str, Any], locks: Mapping[str, Sequence[Mapping[str, Any]]], report: Mapping[str, Any]
) -> list[str]:
    info: Mapping[str, Any] = raw.get("info") or {}
    return inspection_lines(
        locks,
        report,
        said=cleaner_log.lock_sentences(locks, report, inspect=True),
        mounts=raw.get("holders") or {},
        volumes=info.get("volumes") or [],
    )


def _who(plan: Mapping[str, Any]) -> str | None:
    """Whose process or AWX job this is, as the claim on the service names it."""
    claims = claims_in(plan.get("claim") or {})
    return claims[0].owner.split("+", 1)[0] if claims else None


def _release(plan: Mapping[str, Any], raw: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is released, by `family:revision`; `action` is what a failed run has done with it, else null."""
    release: Mapping[str, Any] = (plan.get("release") and raw.get("release")) or {}
    if not release:
        return None
    shown = {key: release.get(key) for key in ("name", "previous", "changes", "way_back")}
    return {**shown, "action": (raw.get("retreat") or {}).get("action")}


def _failed_task(task: Mapping[str, Any]) -> dict[str, Any]:
    """Why a task of the deployment failed, without what only a program would ask for."""
    return {
        "task_arn": task.get("task_arn"),
        "stop_code": task.get("stop_code"),
        "stopped_reason": task.get("stopped_reason"),
        "hint": task.get("hint"),
        "containers": [
            {
                "name": container.get("name"),
                "exit_code": container.get("exit_code"),
                "logs": container.get("logs") or [],
            }
            for container in task.get("containers") or []
        ],
    }
