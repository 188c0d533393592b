# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is the same around the work of the service modules: arguments refused together, and the time that it took.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

__all__ = ["below", "refuse", "timed"]


def below(minimum: int, **given: float | None) -> list[str]:
    """A sentence for each argument that is below `minimum`."""
    return [
        f"{name} must be {minimum} or more, not {value}."
        for name, value in given.items()
        if value is not None and value < minimum
    ]


def refuse(problems: Iterable[str]) -> None:
    """Raises OperationFailed with every problem at once; returns if there is none."""
    found = list(problems)
    if found:
        raise OperationFailed(f"Nothing was done: {' '.join(found)}", details={"problems": found})


def timed(clock: Clock, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The result of `work` with `started_at` (UTC text) and `elapsed` (seconds); a failure's details get them too."""
    started_at, start = clock.utc_text(), clock.monotonic()
    try:
        result = work()
    except OperationFailed as error:
        error.details = {**error.details, "started_at": started_at, "elapsed": round(clock.monotonic() - start, 3)}
        raise
    return {**result, "started_at": started_at, "elapsed": round(clock.monotonic() - start, 3)}
