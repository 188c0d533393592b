# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at services and tasks: each module's own, or, where one run works on very many hosts, one at those of several.

Private to wwhd.qdrant_ops. ECS allows 20 DescribeServices a second in an account and region, and 20 DescribeTasks and
ListTasks together (facts.md D.1): a hundred hosts that look 30 times each would wait minutes for their turn. Ten
services, or a hundred tasks, are one call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

__all__ = ["look_for"]

T = TypeVar("T")

# Calls a second of all hosts together, so that a few are left for others in the account.
_MOST_CALLS = 15
_LEAST_APART = 0.3
# So many looks a few seconds apart come near to the limit. Fewer are quicker alone: each reads no more than its own.
_ENOUGH = 30


def look_for(
    aws: Aws,
    name: str,
    wanted: Sequence[str],
    describe: Callable[[Sequence[str]], dict[str, T]],
    *,
    a_call: int,
) -> dict[str, T]:
    """What `describe` says of each that is wanted, never older than this call, whoever has called it.

    `name` is what all look for, as in "services of CLUSTER"; `describe` makes one call for `a_call` names or fewer.
    Of several it may leave some out, which are then looked for alone. Raises OperationFailed.
    """
    if aws.shared is None or name in aws.alone:
        return describe(wanted)
    try:
        seen = aws.shared.look_for(name, wanted, describe, size=a_call, enough=_ENOUGH, apart=_apart, clock=Clock())
    except OperationFailed as error:
        if error.transient:
            raise
        # It may be for another host's, which these credentials do not reach.
        aws.alone.add(name)
        return describe(wanted)
    # They may be too few, and whoever looked may not have known of these, should the folder that they share fail them.
    return seen if all(one in seen for one in wanted) else describe(wanted)


def _apart(calls: int) -> float:
    return max(_LEAST_APART, calls / _MOST_CALLS)
