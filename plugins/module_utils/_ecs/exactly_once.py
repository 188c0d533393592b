# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that do something each time that they arrive, made so that a lost answer does not make them happen twice.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock, Pace, TimedOut, poll

__all__ = ["exactly_once"]

T = TypeVar("T")

_ATTEMPTS = 6
# AWS's reads follow its writes with a delay (facts.md B.3): seconds until a call that left no trace is made again.
_LOOK_FOR = 3.0
_PACE = Pace(quick=0.3, slow=2.0)


def exactly_once(call: Callable[[], T], *, effect: Callable[[], T | None], clock: Clock) -> T:
    """What `call` returns, or what came of it where its answer was lost.

    `call` must not be repeated by botocore (`Aws.call_once`). `effect` looks whether the call has happened, and
    returns what `call` would have; None means that it has not. Raises OperationFailed: what cannot be cured by waiting
    at once, the rest when `_ATTEMPTS` calls have failed, or when nobody can tell any more whether one took effect.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return call()
        except OperationFailed as error:
            if not error.transient:
                raise
            failed = error
        try:
            seen = poll(
                effect, done=lambda found: found is not None, timeout=_LOOK_FOR * attempt, pace=_PACE, clock=clock
            )
        except TimedOut:
            continue
        if seen.value is not None:
            return seen.value
    raise failed
