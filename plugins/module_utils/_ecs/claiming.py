# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claiming a service for one run, so that two who start at the same moment never both go on.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.claims import CLAIM_PREFIX, Claim, claims_in
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import (
    find_service,
    remove_tags,
    tags_of,
    write_tags,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock, Pace, TimedOut, poll

__all__ = ["claim_exclusively"]

# Two who start at the same moment see each other: the later one withdraws, and the earlier one waits for that (s). If
# the other stays, it had looked before the earlier one's tag was there, and is at work.
_WITHDRAWAL = 6.0
_PACE = Pace(quick=0.5, slow=1.0)


def _others(tags: Mapping[str, str], *, own: str, known: Iterable[str]) -> list[Claim]:
    return [claim for claim in claims_in(tags) if claim.key != own and claim.key not in known]


def claim_exclusively(
    aws: Aws,
    *,
    cluster: str,
    found: Mapping[str, Any],
    tags: Mapping[str, str],
    takes_over: Sequence[str],
    clock: Clock,
) -> dict[str, Any] | None:
    """Write `tags`, among them one claim, and come back only if no other claim stands beside it.

    Returns the service as the last call has shown it; None where another call came after that look.

    `found` is the service as DescribeServices has just given it.
    `takes_over` are the keys of earlier claims whose runs are over: they are allowed to be there, and are removed once
    this one stands. Raises OperationFailed, which names who was first and since when; its own claim is withdrawn then,
    whatever went wrong, or `claim_left` is true in the details.
    """
    own = next(key for key in tags if key.startswith(CLAIM_PREFIX))
    arn, service = str(found["serviceArn"]), str(found["serviceName"])
    doing = f"claim service {service} in cluster {cluster}"

    seen: dict[str, Any] = {}

    def read() -> dict[str, str]:
        nonlocal seen
        seen = find_service(aws, cluster=cluster, service=service)
        return tags_of(seen)

    current = tags_of(found)
    first = _others(current, own=own, known=takes_over)
    if first:
        raise _taken(doing, first)
    gone = [key for key in takes_over if key not in current]
    if gone:
        raise OperationFailed(
            f"Could not {doing}: {', '.join(gone)}, which it was to take over, is there no more: somebody else has done"
            " that meanwhile. Nothing was changed; run this again."
        )
    written = False
    try:
        write_tags(aws, cluster=cluster, service=service, arn=arn, tags=tags)
        written = True
        _require_alone(read, own=own, takes_over=takes_over, doing=doing, clock=clock)
        if takes_over:
            remove_tags(aws, cluster=cluster, service=service, arn=arn, keys=takes_over)
            return None
    except OperationFailed as error:
        if written or error.transient:
            try:
                remove_tags(aws, cluster=cluster, service=service, arn=arn, keys=[own])
            except OperationFailed:
                # It stays then: the next run removes it.
                error.details = {**error.details, "claim_left": True}
        raise
    return seen


def _require_alone(
    read: Callable[[], dict[str, str]], *, own: str, takes_over: Sequence[str], doing: str, clock: Clock
) -> None:
    """Raises OperationFailed if another claim stands beside ours, or if nobody can tell."""

    def decided(seen: Mapping[str, str]) -> bool:
        if own not in seen:
            # AWS's reads follow its writes with a delay (facts.md B.3).
            return False
        beside = _others(seen, own=own, known=takes_over)
        return not beside or (beside[0].since, beside[0].id) < _ticket(seen, own)

    try:
        seen = poll(read, done=decided, timeout=_WITHDRAWAL, pace=_PACE, clock=clock).value
    except TimedOut as error:
        seen = error.observation.value
    beside = _others(seen, own=own, known=takes_over)
    if beside or own not in seen:
        raise _taken(doing, beside)


def _ticket(tags: Mapping[str, str], own: str) -> tuple[str, str]:
    """By what two claims are ordered; `own` is among the tags."""
    return next((claim.since, claim.id) for claim in claims_in(tags) if claim.key == own)


def _taken(doing: str, others: Sequence[Claim]) -> OperationFailed:
    who = "; ".join(claim.who for claim in others) or "somebody who removed this run's tag"
    return OperationFailed(
        f"Could not {doing}: another run is under way: {who}. Wait for it, then run this again.",
        details={"claimed_by": [claim.id for claim in others]},
    )
