# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waits for its turn where AWS limits the rate of calls, longer than botocore does.

Private to wwhd.qdrant_ops. The limits are those of an account and region (facts.md D.1): RegisterTaskDefinition is
answered once a second after a burst of 20, so that the last of a hundred environments of one run has to wait 80 s for
it, while botocore gives up after some 15. A call that was throttled has done nothing: it can be made again, whatever
it is.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, MutableMapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import THROTTLING_CODES
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._progress import say

__all__ = ["wait_for_its_turn"]

# Seconds, all three; the first since a call was throttled for the first time.
_PATIENCE = 300.0
_TOLD_AFTER = 10.0
_PAUSE = (1.0, 3.0)
# Of one call, in the context that botocore keeps of it.
_SINCE, _TOLD = "qdrant_ops_throttled_since", "qdrant_ops_throttled_told"


def wait_for_its_turn(
    response: tuple[Any, dict[str, Any]] | None,
    operation: Any,
    request_dict: MutableMapping[str, Any],
    monotonic: Callable[[], float] = time.monotonic,
    **_more: Any,
) -> float | None:
    """botocore's event `needs-retry`: the seconds until the call is made again, or None for not at all.

    Whoever has answered the event before comes first: for as long as botocore's own retries last, they decide.
    """
    code = response[1].get("Error", {}).get("Code") if response else None
    if code not in THROTTLING_CODES:
        return None
    context, now = request_dict["context"], monotonic()
    waited = now - float(context.setdefault(_SINCE, now))
    if waited >= _PATIENCE:
        return None
    if waited >= _TOLD_AFTER and not context.get(_TOLD):
        context[_TOLD] = True
        say(f"AWS limits how often an account may call {operation.name}: waiting for a turn")
    # At random, or all that wait would come back together; and less often the longer the queue seems to be.
    return (1 + waited / _TOLD_AFTER) * random.uniform(*_PAUSE)  # noqa: S311  nothing secret depends on it
