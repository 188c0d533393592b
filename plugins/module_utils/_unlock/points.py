# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data before and after a run, by exact counts: whether it is whole, and the sentence that says so.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["data_sentence", "last_verified", "points_of"]


def last_verified(text: Any) -> dict[str, Any] | None:
    """What an earlier run kept: JSON of ours, or whatever has become of that file."""
    try:
        kept = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return None
    return kept if isinstance(kept, dict) and isinstance(kept.get("points"), dict) else None


def points_of(result: Mapping[str, Any] | None) -> dict[str, int] | None:
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


def data_sentence(
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
