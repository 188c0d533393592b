# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cleaner did, read from its log and its task: the locks, and the sentences on them.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock import cleaner

__all__ = [
    "cleaner_report",
    "exit_code_of",
    "exit_code_sentence",
    "lines_of",
    "lock_sentences",
    "locks_of",
    "log_shown",
    "task_arn",
]

# What a report keeps of a long log: how it began and how it ended. Each lock is in the report's own list anyway.
_FIRST_LINES, _LAST_LINES = 100, 300
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
        elif isinstance(entry, dict) and entry.keys() == {"progress"}:
            continue  # was for whoever watched
        elif isinstance(entry, dict) and isinstance(entry.get("note"), str):
            notes.append(_shown(entry["note"]))
        elif line.strip():
            notes.append(line)
    return {"files": files, "summary": summary, "waited": list(waited), "notes": notes}


def _shown(value: Any) -> Any:
    """A value of the report, with bytes that are no UTF-8 as \\xNN."""
    return _HALF.sub(lambda half: f"\\x{ord(half[0]) & 0xFF:02x}", value) if isinstance(value, str) else value


def lines_of(wait: Mapping[str, Any]) -> list[str]:
    """The cleaner's log, as the wait for its task returned it."""
    return [str(line) for line in (wait.get("logs") or {}).get(cleaner.CONTAINER, [])]


def log_shown(lines: Sequence[str]) -> list[str]:
    """The log for a report, without the middle of a long one."""
    shown = [str(_shown(line)) for line in lines]
    left_out = len(shown) - _FIRST_LINES - _LAST_LINES
    if left_out <= 0:
        return shown
    return [*shown[:_FIRST_LINES], f"... {left_out} lines left out ...", *shown[-_LAST_LINES:]]


def locks_of(report: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The lists of locks in the result, from `cleaner_report`."""
    files: Sequence[Mapping[str, Any]] = report["files"]
    waited = set(report["waited"])

    def chosen(*actions: str) -> list[dict[str, Any]]:
        return [
            {
                "path": f["path"],
                "why": f.get("why", ""),
                "was_held": bool(f.get("was_held")),
                "waited": f["path"] in waited,
            }
            for f in files
            if not actions or f["action"] in actions
        ]

    return {
        "found": chosen(),
        "removed": chosen("removed"),
        "held": chosen("held"),
        "kept": chosen("kept", "free", "error"),
    }


def lock_sentences(
    locks: Mapping[str, Sequence[Mapping[str, Any]]], report: Mapping[str, Any], inspect: bool
) -> list[str]:
    if report["summary"] is None:
        return ["The cleaner's report did not arrive in its log, so the locks cannot be listed."]
    if inspect:
        free = [lock for lock in report["files"] if lock["action"] == "free"]
        kept = len(locks["found"]) - len(locks["held"]) - len(free)
        return [
            f"{len(locks['found'])} lock files found: {len(locks['held'])} held, {len(free)} free,"
            f" {kept} not lock files by the rule. Nothing in the store was changed, and nothing was stopped.",
            *_pruned_sentences(report),
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
    sentences += _pruned_sentences(report)
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


def _pruned_sentences(report: Mapping[str, Any]) -> list[str]:
    """What was left out by the operator's word: of a lock in there nothing is known."""
    pruned = (report["summary"] or {}).get("pruned")
    if not isinstance(pruned, dict):
        return []
    names, folders = " or ".join(map(str, pruned.get("patterns", []))), pruned.get("folders")
    if not folders:
        return [f"No folder was called {names}, so qdrant_unlock_prune_patterns left nothing out."]
    what = "folder was" if folders == 1 else "folders were"
    return [f"{folders} {what} not looked into, being called {names}, as qdrant_unlock_prune_patterns says."]


def exit_code_sentence(exit_code: int | None) -> str | None:
    """What the cleaner's exit code means, if it means anything ill."""
    if exit_code not in _EXIT_CODE_MEANING:
        return None
    return f"The cleaner ended with exit code {exit_code}: {_EXIT_CODE_MEANING[exit_code]}."


def task_arn(wait: Mapping[str, Any]) -> str | None:
    tasks = wait.get("tasks") or []
    return str(tasks[0].get("task_arn")) if tasks else None


def exit_code_of(wait: Mapping[str, Any]) -> int | None:
    for task in wait.get("tasks") or []:
        for container in task.get("containers") or []:
            if container.get("name") == cleaner.CONTAINER and container.get("exit_code") is not None:
                return int(container["exit_code"])
    return None
