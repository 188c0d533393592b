# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything stands in the picture of a run: numbers and texts, from `phases` and `outage` of the result.

Private to wwhd.qdrant_ops. Pure. Across, all is in percent, so that one picture fits a phone and a desk; texts and
heights are in pixels, so that a phone does not shrink them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.phases import moment

__all__ = ["duration", "timeline"]

ROW, BAR, HEAD, FOOT = 40, 12, 34, 30
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
_TICKS = 5
# A phase of no length is still to be seen.
_LEAST_WIDTH = 0.6


def duration(seconds: float) -> str:
    """`4.2 s`, `45 s`, `2 min 5 s`, `1 h 3 min`: as a person says it."""
    if seconds < 10:
        return f"{round(seconds, 1):g} s"
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 120:
        return f"{minutes} min" + (f" {rest} s" if rest else "")
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h" + (f" {minutes} min" if minutes else "")


def timeline(phases: Sequence[Mapping[str, Any]], outage: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The picture, or None where there is nothing to draw.

    `height` in pixels; `rows` (`name`, `text`, `left`, `width`, `y`, `at` and `anchor` of its text), `ticks` (`at`,
    `anchor`, `text`), `down` (`left`, `width`, `text`, …) or None; `title` and `description` for those who hear it.
    """
    if not phases:
        return None
    first = min(_seconds(phase["started"]) for phase in phases)
    last = max(_seconds(phase["started"]) + float(phase["seconds"]) for phase in phases)
    span = max(last - first, 1.0)
    down = _down(outage, first, span)
    head = HEAD if down else 0
    rows = [_row(phase, head + ROW * index, first, span) for index, phase in enumerate(phases)]
    told = [f"{row['name']} from {duration(row['after'])} on, for {duration(row['seconds'])}" for row in rows]
    return {
        "height": head + ROW * len(rows) + FOOT,
        "head": head,
        "bar": BAR,
        "floor": head + ROW * len(rows),
        "rows": rows,
        "ticks": _ticks(span),
        "down": down,
        "title": f"What the run did in {duration(last - first)}",
        "description": f"{'; '.join(told)}." + (f" The service: {down['text']}." if down else ""),
    }


def _seconds(text: str) -> float:
    return moment(text).timestamp()


def _percent(part: float, span: float) -> float:
    return round(min(100.0, max(0.0, part / span * 100)), 2)


def _row(phase: Mapping[str, Any], y: int, first: float, span: float) -> dict[str, Any]:
    after, seconds = _seconds(phase["started"]) - first, float(phase["seconds"])
    width = max(_percent(seconds, span), _LEAST_WIDTH)
    left = min(_percent(after, span), 100 - width)
    return {
        "name": str(phase["name"]),
        "after": after,
        "seconds": seconds,
        "text": duration(seconds),
        "left": round(left, 2),
        "width": round(width, 2),
        "y": y,
        **_beside(left, left + width),
    }


def _beside(left: float, right: float) -> dict[str, Any]:
    """Where a text of a bar begins or ends: on the side that has the room."""
    if left <= 50:
        return {"at": round(left, 2), "anchor": "start"}
    return {"at": round(right, 2), "anchor": "end"}


def _down(outage: Mapping[str, Any] | None, first: float, span: float) -> dict[str, Any] | None:
    """The band behind the phases that says while the service was down."""
    if not outage:
        return None
    before, seconds = outage.get("started") is None, outage.get("seconds")
    stopped = _seconds(outage["stopped"]) - first
    left = 0.0 if before else _percent(stopped, span)
    right = 100.0 if seconds is None else _percent(stopped + float(seconds), span)
    return {
        "left": left,
        "width": round(max(right - left, _LEAST_WIDTH), 2),
        "right": right,
        "stopped": _percent(stopped, span),
        "before": before,
        "open": seconds is None,
        "text": _down_text(before, seconds),
        **_beside(left, right),
    }


def _down_text(before: bool, seconds: float | None) -> str:
    if seconds is None:
        return "down, and not seen healthy again" if before else "stopped, and not seen healthy again"
    return f"down before, healthy {duration(seconds)} after the stop" if before else f"down for {duration(seconds)}"


def _ticks(span: float) -> list[dict[str, Any]]:
    step = next((step for step in _STEPS if span / step <= _TICKS), _STEPS[-1])
    ticks = []
    for seconds in range(0, int(span) + 1, step):
        at = _percent(seconds, span)
        anchor = "start" if at < 5 else "end" if at > 92 else "middle"
        ticks.append({"at": at, "anchor": anchor, "text": duration(seconds) if seconds else "0"})
    return ticks
