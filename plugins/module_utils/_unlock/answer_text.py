# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An answer of a diagnosis, and several of them, as lines for a terminal.

Private to wwhd.qdrant_ops. Pure. Whoever shows the lines breaks the long ones, but never a command, which begins
with `$ `.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["answer_lines", "table_lines"]

_COMMAND = "$ "
_EVIDENCE_SHOWN = 6
# Ids, times and numbers: a task that fails again and again says the same each time.
_VARYING = re.compile(r"\b[0-9a-f]{8}[0-9a-f-]*\b|[0-9]+")
_CELL = 44
_LOCKS = {"yes": "yes", "no": "no", "unknown": "cannot be told"}
_STATES = {"healthy": "healthy", "sick": "NOT HEALTHY", "not_seen": "COULD NOT LOOK"}
# What needs somebody stands at the top.
_ORDER = ("not_seen", "sick", "healthy")


def _finding_lines(finding: Mapping[str, Any]) -> list[str]:
    alike: dict[str, list[str]] = {}
    for line in finding["evidence"]:
        alike.setdefault(_VARYING.sub("#", line), []).append(line)
    shown = list(alike.values())[:_EVIDENCE_SHOWN]
    more = len(alike) - len(shown)
    lines = [f"   Cause: {finding['cause']} ({finding['confidence']}: {str(finding['because']).rstrip('.')})."]
    for same in shown:
        lines.append(f"   - {same[0]}" + (f" (and {len(same) - 1} more like this)" if len(same) > 1 else ""))
    if more > 0:
        lines.append(f"   - and {more} more")
    if finding["next"]:
        lines.append(f"   Next: {finding['next']}")
    if finding["command"]:
        lines.append(f"   {_COMMAND}{finding['command']}")
    return lines


def answer_lines(answer: Mapping[str, Any]) -> list[str]:
    """What the terminal says of one service."""
    findings: Sequence[Mapping[str, Any]] = answer["findings"]
    name = f"{answer.get('service')} ({answer.get('environment')})"
    lines = [f"{name}: {_STATES[answer['outcome']]}. Is it the locks? {_LOCKS[answer['locks']].capitalize()}."]
    for number, finding in enumerate(findings, start=1):
        lines.append(f"{number}. {finding['summary']}")
        lines += _finding_lines(finding)
    if answer["not_seen"]:
        lines.append("What could not be read, and may matter:")
        lines += [f"   - {line}" for line in answer["not_seen"]]
    return lines


def _cell(text: object) -> str:
    shown = str(text)
    return shown if len(shown) <= _CELL else f"{shown[: _CELL - 3]}..."


def table_lines(answers: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    """One row a host, the sick ones first. A host without an answer never came to be asked."""

    def place(entry: tuple[str, Mapping[str, Any] | None]) -> tuple[int, str]:
        return (_ORDER.index(entry[1]["outcome"]) if entry[1] else 0, entry[0])

    rows = [("host", "state", "is it the locks", "cause", "how sure")]
    for host, answer in sorted(answers.items(), key=place):
        if not answer:
            rows.append((host, "NOT ASKED", "-", "its own error stands above", "-"))
            continue
        sick = answer["outcome"] != "healthy"
        rows.append(
            (
                host,
                _STATES[answer["outcome"]],
                _LOCKS[answer["locks"]],
                str(answer["cause"]) if sick else "-",
                str(answer["confidence"]) if sick else "-",
            )
        )
    shown = [tuple(map(_cell, row)) for row in rows]
    widths = [max(len(row[column]) for row in shown) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in shown]
    well = sum((answer or {}).get("outcome") == "healthy" for answer in answers.values())
    return [*lines, f"{well} of {len(answers)} healthy."]
