# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How tasks ended: when it is known, whether it is a success, and how a person is told.

Private to wwhd.qdrant_ops. Pure functions over tasks as DescribeTasks gives them (camelCase).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.reasons import hint_for_task

__all__ = ["OVER", "has_ended", "succeeded", "verdict", "with_tails"]

OVER = ("STOPPED", "DELETED")
# An error message is read on a terminal: so many containers' last lines, each line so long, and the rest is in `logs`.
_TAILS_SHOWN = 5
_LINE_SHOWN = 1000


def has_ended(task: Mapping[str, Any], names: Sequence[str]) -> bool:
    """Whether how the task ended is known: it is STOPPED, or each named container is, with its exit code.

    What comes after (the network interface is taken away) is 10 to 35 s that prove nothing more (facts.md A.4).
    """
    if task.get("lastStatus") in OVER:
        return True
    ended = {
        container.get("name")
        for container in task.get("containers", [])
        if container.get("lastStatus") == "STOPPED" and container.get("exitCode") is not None
    }
    return bool(names) and set(names) <= ended


def succeeded(task: Mapping[str, Any], names: Sequence[str], success_codes: Sequence[int]) -> bool:
    """Whether each named container ended with one of the codes. A code that is absent is never a success."""
    codes = {container.get("name"): container.get("exitCode") for container in task.get("containers", [])}
    return bool(names) and all(codes.get(name) in success_codes for name in names)


def verdict(task: Mapping[str, Any], names: Sequence[str], success_codes: Sequence[int]) -> str:
    """How the task ended, in words: which container, which exit code, the stopped reason, cause and remedy."""
    containers = {container.get("name"): container for container in task.get("containers", [])}
    wanted = " or ".join(str(code) for code in success_codes)
    parts = []
    for name in names:
        container = containers.get(name, {})
        code = container.get("exitCode")
        if code in success_codes:
            continue
        ended = "has no exit code" if code is None else f"ended with exit code {code}"
        reason = f" ({container['reason']})" if container.get("reason") else ""
        parts.append(f"container {name} {ended}{reason}, wanted {wanted}")
    stopped = [str(task[member]) for member in ("stopCode", "stoppedReason") if task.get(member)]
    text = "; ".join(parts) or "it has no container that could have succeeded"
    if stopped:
        text += f"; stopped: {', '.join(stopped)}"
    hint = hint_for_task(task)
    return f"{text.rstrip('.')}.{f' {hint}' if hint else ''}"


def with_tails(message: str, result: Mapping[str, Any], count: int) -> str:
    """The message with the last lines of each container that did not succeed, one line each, within bounds."""
    tails = []
    several = len(result["tasks"]) > 1
    for task in result["tasks"] if count else []:
        of_task = f" of task {str(task['task_arn']).rsplit('/', 1)[-1]}" if several else ""
        for container in task["containers"]:
            last = container["logs"][-count:]
            if last and not (task["success"] and container["exit_code"] == 0):
                title = f"Last {len(last)} line(s) of container {container['name']}{of_task}:"
                tails.append("\n".join([title, *map(_short, last)]))
    if len(tails) > _TAILS_SHOWN:
        tails[_TAILS_SHOWN:] = [f"The output of {len(tails) - _TAILS_SHOWN} more container(s) is in logs."]
    return "\n".join([message, *tails])


def _short(line: str) -> str:
    return line if len(line) <= _LINE_SHOWN else f"{line[:_LINE_SHOWN]}… ({len(line)} characters)"
