# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last lines of a run on a terminal: what happened, whether the data is whole, what to do next.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.ending import Ending

__all__ = ["end_lines"]

# What a message goes on with on further lines, such as a container's log, cannot be taken for a sentence of ours.
_INDENT = "   "


def end_lines(ending: Ending, summary: Sequence[str], *, name: str) -> list[str]:
    """`name` is the service with its environment: runs of several services end on one terminal."""
    if ending.outcome not in ("failed", "refused"):
        return list(summary)
    headline = ending.headline if name in ending.headline else f"{name}: {ending.headline}"
    lines = [headline]
    for said in summary:
        if said != ending.headline:
            first, *rest = str(said).splitlines() or [""]
            lines += [first, *(f"{_INDENT}{line}" for line in rest)]
    if ending.data not in summary:
        lines.append(ending.data)
    return [*lines, "Next:", *(f"{_INDENT}- {step}" for step in ending.next)]
