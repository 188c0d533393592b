# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ECS's stop reasons and exit codes mean, and what to do about them.

Private to wwhd.qdrant_ops. Pure functions over the table of `_ecs/reason_table.py`; nothing here calls AWS.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.reason_table import FAILURES, REASONS, Reason

__all__ = [
    "REASONS",
    "Reason",
    "container_hint",
    "exit_code_meaning",
    "hint_for",
    "hint_for_task",
    "kind_for",
    "matches",
    "reason_for",
    "reason_for_failure",
]


# What a process's end says by itself (facts.md A.6). 0 is absent: it needs no hint.
_EXIT_CODES: Mapping[int, tuple[str, str]] = {
    1: ("the program reported an error", "Read its last log lines."),
    2: ("the program or its shell was called wrongly", "Read its last log lines and check the command."),
    101: (
        "a Rust program panicked (Qdrant does when it cannot load a collection, for example because a lock is held)",
        "Read the panic in its last log lines.",
    ),
    126: ("the command is not executable", "Check entryPoint and command against what is in the image."),
    127: ("the command was not found in the image", "Check entryPoint and command against what is in the image."),
    134: ("the program aborted", "Read its last log lines."),
    137: (
        "the process was killed (SIGKILL): out of memory, or it outlived its stopTimeout",
        "Look at the memory used; if it was being stopped, raise stopTimeout (at most 120 s on Fargate).",
    ),
    139: ("the program crashed (segmentation fault)", "Read its last log lines; check image and CPU architecture."),
    143: ("the process was told to end (SIGTERM)", "Nothing, if the task was being stopped."),
}


_STOP_CODES: Mapping[str, str] = {
    "TaskFailedToStart": "The task never started. Read its stopped reason, and its service's events if it has one.",
    "SpotInterruption": "AWS took the Spot capacity back. Run tasks that hold data on FARGATE, not on FARGATE_SPOT.",
    "TerminationNotice": "AWS took the host away. Run it again.",
    "InfrastructureHealth": "AWS took the host away. Run it again.",
}
_NO_EXIT_CODE = (
    "A container has no exit code: it never started, or was lost with its host. That is never a success. "
    "Read its reason, and run it again."
)

# Signals sent to the other containers of a task when one has failed: they speak only where nothing else does.
_CONSEQUENCES: Mapping[int, int] = {137: 1, 143: 2}


def matches(pattern: str, text: str) -> bool:
    """Whether the parts of `pattern` between its `…` occur in `text` in their order, in any case of letters."""
    position = 0
    folded = text.casefold()
    for part in pattern.casefold().split("…"):
        found = folded.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    return True


def reason_for(text: str | None) -> Reason | None:
    """The first row of the table that the text matches."""
    if not text:
        return None
    return next((row for row in REASONS if any(matches(pattern, text) for pattern in row.patterns)), None)


def reason_for_failure(reason: str) -> Reason | None:
    """The row for one `reason` of RunTask's `failures[]`."""
    return FAILURES.get(reason) or reason_for(reason)


def exit_code_meaning(code: int | None) -> str | None:
    """`Exit code 137: the process was killed … Look at …`; None for 0 and for no code."""
    if code is None or code == 0:
        return None
    if code in _EXIT_CODES:
        meaning, remedy = _EXIT_CODES[code]
        return f"Exit code {code}: {meaning}. {remedy}"
    if 128 < code < 160:
        return f"Exit code {code}: the process was ended by signal {code - 128}. Read its last log lines."
    return f"Exit code {code}: the program's own. Read its last log lines."


def _stopped_by_user(stopped_reason: str | None) -> str:
    said = f' and gave the reason "{stopped_reason}"' if stopped_reason else ""
    return f"Somebody stopped this task by StopTask{said}. Ask who did (CloudTrail, event StopTask), and run it again."


def hint_for(
    stop_code: str | None,
    stopped_reason: str | None,
    container_reasons: Iterable[str | None] = (),
    exit_codes: Iterable[int | None] = (),
) -> str | None:
    """Cause and remedy of a task's end in one or two sentences; None where it ended well or nothing is known.

    What a person did comes first (its exit codes are mere consequences, and its text is that person's own), then the
    table, over the containers' reasons too, then the exit codes: the worst one speaks.
    """
    if stop_code == "UserInitiated":
        return _stopped_by_user(stopped_reason)
    row = _narrowest(stopped_reason, *container_reasons)
    if row:
        return row.hint
    codes = list(exit_codes)
    bad = sorted((code for code in codes if code), key=lambda code: _CONSEQUENCES.get(code, 0))
    if bad:
        return exit_code_meaning(bad[0])
    return _STOP_CODES.get(stop_code or "") or (_NO_EXIT_CODE if None in codes else None)


def _narrowest(*texts: str | None) -> Reason | None:
    """The row that says most: that the scheduler stopped a task says nothing where another row matches too."""
    rows = [row for row in map(reason_for, texts) if row]
    return next((row for row in rows if row.kind != "scaling"), rows[0] if rows else None)


def kind_for(
    stop_code: str | None, stopped_reason: str | None, container_reasons: Iterable[str | None] = ()
) -> str | None:
    """The `kind` of the row that `hint_for` speaks from; `stopped_by_user` for a StopTask; None without a row."""
    if stop_code == "UserInitiated":
        return "stopped_by_user"
    row = _narrowest(stopped_reason, *container_reasons)
    return row.kind if row else None


def hint_for_task(task: Mapping[str, Any]) -> str | None:
    """`hint_for` of a task as DescribeTasks gives it; None while nothing of it has ended."""
    containers = task.get("containers", [])
    ended = any(container.get("exitCode") is not None for container in containers)
    if not task.get("stopCode") and task.get("lastStatus") != "STOPPED" and not ended:
        return None
    return hint_for(
        task.get("stopCode"),
        task.get("stoppedReason"),
        [container.get("reason") for container in containers],
        [container.get("exitCode") for container in containers],
    )


def container_hint(container: Mapping[str, Any]) -> str | None:
    """The hint for one container (its reason, then its exit code)."""
    row = reason_for(container.get("reason"))
    return row.hint if row else exit_code_meaning(container.get("exitCode"))
