# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One difference between what was wanted of a collection and what is there: its kind, and its sentence.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed

__all__ = ["Difference", "checked_count", "count_difference", "missing"]


@dataclass(frozen=True)
class Difference:
    """`kind` is for programs, `text` is one sentence for people; `before` is what was wanted, `after` what is there."""

    kind: str
    collection: str | None
    text: str
    before: Any = None
    after: Any = None

    def described(self) -> dict[str, Any]:
        return asdict(self)


def missing(name: str, count: int | None, *, were: str) -> Difference:
    """A collection that is not there. `were` reads after "that"."""
    points = "" if count is None else f" (points that {were}: {count})"
    return Difference("missing_collection", name, f"The collection {name!r} is missing{points}.", before=count)


def count_difference(name: str, found: int | None, wanted: int, *, were: str) -> Difference:
    """Another number of points. `were` reads after the number."""
    if found is None:
        text = f"The collection {name!r} tells no number of points, but {wanted} {were}."
        return Difference("no_count", name, text, before=wanted)
    fewer = found < wanted
    change = f"{abs(found - wanted)} {'fewer' if fewer else 'more'}"
    text = f"The collection {name!r} has {found} points, but {wanted} {were} ({change})."
    return Difference("fewer_points" if fewer else "more_points", name, text, before=wanted, after=found)


def checked_count(value: Any, *, option: str, otherwise: str = "or null") -> int:
    """A number of points from an option. Raises OperationFailed."""
    # Templates of older Ansible turn numbers into text.
    if isinstance(value, str) and value.strip().isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise OperationFailed(f"{option} is {value!r}: give a number of points from 0 up, {otherwise}.")
    return value
