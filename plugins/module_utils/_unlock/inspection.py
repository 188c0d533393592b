# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inspection found, file by file, as lines for a terminal: held, stale to all appearance, or no lock at all.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.sharing import holder_text, holders

__all__ = ["inspection_lines"]

# Each is in the report as well.
_FILES_SHOWN = 40
_GROUPS = (
    ("held", "Held: somebody has it open, or a dead client's lease has not ended. An unlock leaves it alone."),
    ("free", "Free: nobody holds it, so it looks stale. An unlock would remove it."),
    ("kept", "No lock by the rule: nothing ever removes it."),
    ("error", "Could not be looked at:"),
)


def inspection_lines(
    locks: Mapping[str, Sequence[Mapping[str, Any]]],
    report: Mapping[str, Any],
    *,
    said: Sequence[str],
    mounts: Mapping[str, Any],
    volumes: Sequence[Mapping[str, Any]],
) -> list[str]:
    """`said` is the sentence that counts them, `mounts` what ecs_mounts_info returned, or how it failed."""
    lines = list(said)
    if report["summary"] is None:
        return lines
    files: Sequence[Mapping[str, Any]] = report["files"]
    for action, title in _GROUPS:
        chosen = [file for file in files if file["action"] == action]
        if not chosen:
            continue
        lines.append(title)
        lines += [f"   - {_file(file)}" for file in chosen[:_FILES_SHOWN]]
        if len(chosen) > _FILES_SHOWN:
            lines.append(f"   - and {len(chosen) - _FILES_SHOWN} more, in the report")
    return [*lines, *_holder_lines(mounts, volumes, held=bool(locks["held"]))] if files else lines


def _file(file: Mapping[str, Any]) -> str:
    why = str(file.get("why") or "")
    return f"{file['path']} ({why})" if why else str(file["path"])


def _holder_lines(mounts: Mapping[str, Any], volumes: Sequence[Mapping[str, Any]], *, held: bool) -> list[str]:
    if "tasks" not in mounts:
        told = mounts.get("msg")
        return [f"Who may hold them could not be read: {told}"] if told else []
    found = [holder for holder in holders([mounts], volumes) if not holder["cleaner"]]
    clusters = ", ".join(map(str, mounts.get("clusters") or []))
    if found:
        return [
            f"Who may hold a lock: the live tasks that mount the file system (clusters looked at: {clusters}).",
            *(f"   - {holder_text(holder)}" for holder in found),
        ]
    nobody = f"No live task mounts the file system (clusters looked at: {clusters})."
    if not held:
        return [nobody]
    return [
        f"{nobody} What is held is a dead client's, whose lease has not ended, or that of a machine outside of ECS, "
        "such as an EC2 instance or a Lambda function."
    ]
