# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run ends with: `qdrant_unlock_result`, and the sentences for a person.

Private to wwhd.qdrant_ops. Pure: everything comes from what the modules returned.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock import cleaner

__all__ = ["PHASES", "cleaner_report", "make_result"]

PHASES = ("preflight", "quiesce", "guard", "clean", "redeploy", "verify", "restore")

_EXIT_CODE_MEANING = {
    2: "the cleaner was given something wrong; that is a fault of this collection",
    3: "locks are still held",
    4: "part of the store could not be read, probed or changed (owner, mode, or the access point's user)",
    5: "the cleaner's image lacks a tool that it needs (find, flock): choose another qdrant_unlock_image",
    143: "it was told to stop before it had looked at everything, and removed nothing after that",
}
# The cleaner writes a byte of a name that is no UTF-8 as half of a pair. Nothing that prints or stores text takes that.
_HALF = re.compile("[\ud800-\udfff]")


def cleaner_report(lines: Iterable[str]) -> dict[str, Any]:
    """The cleaner's log, read: `files` ({path, action, why, was_held}), its `summary` (None if the log is not whole),
    `waited` (the paths that were held at first and waited for), and `notes`, what its tools complained about. A log may
    deliver a line twice: the cleaner tells each file's end once."""
    files: list[dict[str, Any]] = []
    seen: set[str] = set()
    waited: dict[str, None] = {}
    notes: list[str] = []
    summary: dict[str, Any] | None = None
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if isinstance(entry, dict) and isinstance(entry.get("summary"), dict):
            summary = entry["summary"]
        elif isinstance(entry, dict) and "path" in entry and "action" in entry:
            entry = {key: _shown(value) for key, value in entry.items()}
            if entry.get("waiting"):
                waited[str(entry["path"])] = None
            elif line not in seen:
                files.append(entry)
            seen.add(line)
        elif isinstance(entry, dict) and isinstance(entry.get("note"), str):
            notes.append(_shown(entry["note"]))
        elif line.strip():
            notes.append(line)
    return {"files": files, "summary": summary, "waited": list(waited), "notes": notes}


def _shown(value: Any) -> Any:
    """A value of the report, with bytes that are no UTF-8 as \\xNN."""
    return _HALF.sub(lambda half: f"\\x{ord(half[0]) & 0xFF:02x}", value) if isinstance(value, str) else value


def _locks(files: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    def chosen(*actions: str) -> list[dict[str, Any]]:
        return [
            {"path": f["path"], "why": f.get("why", ""), "was_held": bool(f.get("was_held"))}
            for f in files
            if not actions or f["action"] in actions
        ]

    return {
        "found": chosen(),
        "removed": chosen("removed"),
        "held": chosen("held"),
        "kept": chosen("kept", "free", "error"),
    }


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _done(results: Iterable[Mapping[str, Any] | None]) -> list[Mapping[str, Any]]:
    """The results of tasks that really ran: a skipped task's has no start."""
    return [result for result in results if result and result.get("started_at")]


def _phase(name: str, results: Iterable[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    done = _done(results)
    if not done:
        return None
    first = _moment(done[0]["started_at"])
    last = max(_moment(result["started_at"]).timestamp() + float(result.get("elapsed") or 0) for result in done)
    return {"name": name, "started": done[0]["started_at"], "seconds": round(last - first.timestamp(), 1)}


def _last_verified(text: Any) -> dict[str, Any] | None:
    """What an earlier run kept: JSON of ours, or whatever has become of that file."""
    try:
        kept = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return None
    return kept if isinstance(kept, dict) and isinstance(kept.get("points"), dict) else None


def _points(result: Mapping[str, Any] | None) -> dict[str, int] | None:
    """Exact counts by collection, or None if they were not read."""
    if not result or result.get("failed") or "collections" not in result:
        return None
    return {str(c["name"]): int(c["points_count"]) for c in result["collections"] if c.get("points_count") is not None}


def _count_text(points: Mapping[str, int]) -> str:
    total = sum(points.values())
    return f"{total} points in {len(points)} collection{'' if len(points) == 1 else 's'}"


def _compare(now: Mapping[str, int], then: Mapping[str, int]) -> list[str]:
    return [
        f"{name}: {then.get(name, 'none')} before, {now.get(name, 'none')} now"
        for name in sorted({*now, *then})
        if now.get(name) != then.get(name)
    ]


def _data_sentence(
    now: Mapping[str, int] | None,
    *,
    before: Mapping[str, int] | None,
    expected: Mapping[str, Any],
    last: Mapping[str, Any] | None,
    asked: bool,
) -> tuple[str, bool | None]:
    """One sentence on the data, and whether it is whole: True, False, or None where nothing was there to compare."""
    if now is None:
        if asked:
            return "The points could not be counted.", None
        return "The points were not counted: set qdrant_unlock_qdrant_url to have them counted.", None
    text = _count_text(now)
    if before is not None:
        differences = _compare(now, before)
        if differences:
            return f"The data differs from before the run: {'; '.join(differences)}.", False
        return f"The data is whole: {text}, the same as before the run.", True
    if now and all(expected.get(name) is not None for name in now):
        return f"The data is whole: {text}, as expected.", True
    if last and last.get("points"):
        differences = _compare(now, last["points"])
        if differences:
            return (
                f"{text} now; this differs from the last verified run ({last.get('at')}): {'; '.join(differences)}."
                " Check whether it was written to since then.",
                None,
            )
        return f"The data is whole: {text}, the same as in the last verified run ({last.get('at')}).", True
    return f"{text[:1].upper()}{text[1:]}; there was no earlier count to compare with.", None


def _downtime(quiesce: Mapping[str, Any] | None, verified: Mapping[str, Any] | None) -> float | None:
    """From the first change of the desired count to the end of the check of the health address: never too short."""
    if not quiesce or not quiesce.get("started_at") or not verified or not verified.get("started_at"):
        return None
    end = _moment(verified["started_at"]).timestamp() + float(verified.get("elapsed") or 0)
    return round(max(0.0, end - _moment(quiesce["started_at"]).timestamp()), 1)


def _was_up(raw: Mapping[str, Any]) -> bool:
    """Whether the service served before the run, by ECS and, where it was asked, by its health address."""
    if not (raw.get("info") or {}).get("healthy"):
        return False
    asked = [result for result in (raw.get("phases") or {}).get("preflight") or [] if result and result.get("last")]
    return not any(result["last"].get("error") for result in asked)


def _downtime_sentence(seconds: float, *, was_up: bool) -> str:
    if was_up:
        return f"It was down for {seconds:.0f} s."
    return f"It was down before; from its stop to verified health this run took {seconds:.0f} s."


def _lock_sentences(
    locks: Mapping[str, Sequence[Mapping[str, Any]]], report: Mapping[str, Any], inspect: bool
) -> list[str]:
    if report["summary"] is None:
        return ["The cleaner's report did not arrive in its log, so the locks cannot be listed."]
    if inspect:
        free = [lock for lock in report["files"] if lock["action"] == "free"]
        kept = len(locks["found"]) - len(locks["held"]) - len(free)
        return [
            f"{len(locks['found'])} lock files found: {len(locks['held'])} held, {len(free)} free,"
            f" {kept} not lock files by the rule. Nothing in the store was changed, and nothing was stopped."
        ]
    removed = locks["removed"]
    forced = sum(1 for lock in removed if lock["was_held"])
    waited = sum(1 for lock in removed if lock["path"] in report["waited"])
    sentences = [
        f"{len(removed)} lock file{'' if len(removed) == 1 else 's'} removed"
        + (f" ({forced} of them held, by explicit word)" if forced else "")
        + (f" ({waited} of them only after the holder had let go)" if waited else "")
        + (f", {len(locks['kept'])} kept" if locks["kept"] else "")
        + "."
    ]
    counts = {"removed": len(removed), "held": len(locks["held"]), "found": len(locks["found"])}
    lost = [
        f"{counted} were {action}"
        for action, counted in ((action, report["summary"].get(action)) for action in counts)
        if counted is not None and counted != counts[action]
    ]
    if lost:
        sentences.append(f"The log lost lines: by the cleaner's own count {' and '.join(lost)}.")
    if locks["held"]:
        names = ", ".join(lock["path"] for lock in locks["held"][:5])
        sentences.append(
            f"{len(locks['held'])} held and left alone: {names}. Somebody has the store open, or the lease of a dead"
            " client has not ended. Find the holder (playbooks/diagnose.yml), or wait some minutes and run this again;"
            " -e qdrant_unlock_held_locks=delete removes them all the same, which can cost the data if the holder"
            " lives."
        )
    return sentences


def _failure_sentences(failure: Mapping[str, Any], *, restored: str) -> list[str]:
    step = failure.get("task") or "a step"
    return [f"The unlock FAILED at: {step}.", str(failure.get("msg") or "No message was given."), restored]


def _restored_sentence(
    plan: Mapping[str, Any],
    restore: Mapping[str, Any] | None,
    restore_failure: Mapping[str, Any] | None,
    left_stopped: bool,
    quiesce: Mapping[str, Any] | None,
) -> str:
    count = plan.get("desired_count_before")
    if restore_failure:
        return (
            f"Restoring failed too: {restore_failure.get('msg')} Run this again: the tags on the service say where it"
            f" was (desired count {count})."
        )
    if left_stopped:
        return (
            "The service is left stopped (desired count 0), as qdrant_unlock_on_failure says; its tags are kept, so"
            " that the next run finishes this one."
        )
    if restore and restore.get("started_at"):
        return f"The service is restored: desired count {count}, autoscaling and tags as they were."
    if quiesce and quiesce.get("failed"):
        if "claimed" not in quiesce:
            return (
                "How far it had come is not known. What it had changed is put back when this playbook has ended, or by"
                " running it again."
            )
        if quiesce.get("changed") and not quiesce["claimed"]:
            return "Nothing but a tag was left on the service; the next run removes it."
    return "Nothing had been changed."


def make_result(raw: Mapping[str, Any]) -> dict[str, Any]:
    """`qdrant_unlock_result`, from one dict of what the phases registered.

    Keys of `raw`: `plan`, `phases` (phase name → list of results), `info`, `wait`, `deployment`, `health`,
    `collections_before`, `collections`, `expected` (counts by collection), `last` (the text that the last verified
    run kept), `asked` (bool: points are wanted),
    `failure`, `restore`, `restore_failure` (or None), `left_stopped`, `check_mode`, `inspect` (bools), `service`,
    `environment`.
    """
    plan: Mapping[str, Any] = raw.get("plan") or {}
    failure: Mapping[str, Any] | None = raw.get("failure") or None
    results: Mapping[str, Sequence[Mapping[str, Any] | None]] = raw.get("phases") or {}
    phases = [phase for phase in (_phase(name, results.get(name) or []) for name in PHASES) if phase]
    changed = any(result.get("changed") for name in PHASES for result in results.get(name) or [] if result)
    wait: Mapping[str, Any] = raw.get("wait") or {}
    cleaned = bool(wait.get("tasks"))
    report = cleaner_report((wait.get("logs") or {}).get(cleaner.CONTAINER, []))
    locks = _locks(report["files"])
    exit_code = _exit_code(wait)
    before, now = _points(raw.get("collections_before")), _points(raw.get("collections"))
    health: Mapping[str, Any] = raw.get("health") or {}
    verified = _done([raw.get("health"), raw.get("collections")])
    deployment = (raw.get("deployment") or {}).get("deployment")
    downtime = _downtime((results.get("quiesce") or [None])[0], verified[0] if verified and not failure else None)
    inspect, check = bool(raw.get("inspect")), bool(raw.get("check_mode"))
    data, whole = _data_sentence(
        now,
        before=before,
        expected=raw.get("expected") or {},
        last=_last_verified(raw.get("last")),
        asked=bool(raw.get("asked")),
    )

    service = f"{raw.get('service')} ({raw.get('environment')})"
    if failure:
        outcome = "failed"
        restored = _restored_sentence(
            plan,
            raw.get("restore"),
            raw.get("restore_failure"),
            bool(raw.get("left_stopped")),
            (results.get("quiesce") or [None])[0],
        )
        summary = _failure_sentences(failure, restored=restored)
        if exit_code in _EXIT_CODE_MEANING:
            summary.insert(1, f"The cleaner ended with exit code {exit_code}: {_EXIT_CODE_MEANING[exit_code]}.")
        if cleaned:
            summary[-1:-1] = _lock_sentences(locks, report, inspect)
    elif raw.get("restore_failure"):
        outcome = "failed"
        summary = [
            f"{service} is healthy, but not all that the run had changed could be put back (tags, autoscaling):"
            f" {raw['restore_failure'].get('msg')}",
            "Run this again: it puts back what is left, and leaves the healthy service alone.",
            data,
        ]
    elif plan.get("restore_only"):
        outcome = "restored"
        summary = [
            f"{service} is healthy; the unlock {plan.get('run_id')} had not been finished, and what it had left behind"
            " (tags, autoscaling) was put back. Nothing was stopped."
        ]
    elif inspect:
        outcome, summary = "inspected", _lock_sentences(locks, report, True)
    elif not plan.get("needed"):
        outcome = "nothing_to_do"
        summary = [f"Nothing to do: {service}: {'; '.join(plan.get('why') or [])}. Nothing was changed."]
    elif check:
        outcome = "check"
        summary = [
            f"Check mode: {service} would be stopped, its locks cleared and started again with desired count"
            f" {plan.get('desired_count_after')}, because {'; '.join(plan.get('why') or [])}. Nothing was changed."
        ]
    else:
        outcome = "unlocked"
        summary = [f"{service} is healthy again.", *_lock_sentences(locks, report, False), data]
        if downtime is not None:
            summary.append(_downtime_sentence(downtime, was_up=_was_up(raw)))
    summary.extend(str(warning) for warning in (raw.get("restore") or {}).get("warnings") or [])
    return {
        "outcome": outcome,
        "changed": changed,
        "needed": bool(plan.get("needed")),
        "why": list(plan.get("why") or []),
        "summary": summary,
        "environment": raw.get("environment"),
        "service": raw.get("service"),
        "run_id": plan.get("run_id"),
        "resumed": bool(plan.get("resumed")),
        "phases": phases,
        "locks": locks,
        "cleaner": {
            "task_arn": _task_arn(wait),
            "exit_code": exit_code,
            "summary": report["summary"],
            "notes": report["notes"],
        },
        "deployment": deployment,
        "verification": {
            "health": {key: health.get(key) for key in ("attempts", "successes", "last")}
            if health.get("started_at")
            else None,
            "points": now,
            "points_before": before,
            "data_whole": whole if outcome == "unlocked" else None,
        },
        "diagnosis": (raw.get("info") or {}).get("diagnosis"),
        "failure": dict(failure) if failure else None,
        "downtime_seconds": downtime,
        "report": None,
    }


def _task_arn(wait: Mapping[str, Any]) -> str | None:
    tasks = wait.get("tasks") or []
    return str(tasks[0].get("task_arn")) if tasks else None


def _exit_code(wait: Mapping[str, Any]) -> int | None:
    for task in wait.get("tasks") or []:
        for container in task.get("containers") or []:
            if container.get("name") == cleaner.CONTAINER and container.get("exit_code") is not None:
                return int(container["exit_code"])
    return None
