# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a load balancer holds a task that is to stop: its target groups' deregistration delays.

Private to wwhd.qdrant_ops. A task stays DEACTIVATING, its containers alive, until its target has drained (facts.md
A.1): 300 s by default, although a target that is not healthy has no requests to finish.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed

__all__ = ["DELAY_LIMIT", "delay_problems", "differing_delays", "read_delay", "write_delay"]

_ATTRIBUTE = "deregistration_delay.timeout_seconds"
# Seconds; what ModifyTargetGroupAttributes takes (facts.md I).
DELAY_LIMIT = 3600


def read_delay(aws: Aws, *, arn: str) -> int | None:
    """The deregistration delay of target group `arn`, in seconds; None where these credentials may not read it."""
    try:
        answer = aws.call(
            "elbv2",
            "DescribeTargetGroupAttributes",
            doing=f"read the deregistration delay of target group {arn}",
            TargetGroupArn=arn,
        )
    except OperationFailed:
        return None
    values = {entry["Key"]: entry["Value"] for entry in answer.get("Attributes", [])}
    delay = values.get(_ATTRIBUTE)
    return int(delay) if delay is not None else None


def differing_delays(
    aws: Aws, wanted: Mapping[str, int], *, known: Mapping[str, int] | None = None
) -> Iterator[tuple[str, int | None, int]]:
    """(target group, its delay, the wanted one) of those that are not so yet; each is read when its turn comes, unless
    it is `known`."""
    known = known or {}
    for arn, seconds in wanted.items():
        before = known[arn] if arn in known else read_delay(aws, arn=arn)
        if before != seconds:
            yield arn, before, seconds


def write_delay(aws: Aws, *, arn: str, seconds: int) -> None:
    """Set the deregistration delay. To write it twice does no harm. Raises OperationFailed."""
    aws.call(
        "elbv2",
        "ModifyTargetGroupAttributes",
        doing=f"set the deregistration delay of target group {arn} to {seconds} s",
        TargetGroupArn=arn,
        Attributes=[{"Key": _ATTRIBUTE, "Value": str(seconds)}],
    )


def delay_problems(delays: Mapping[str, Any]) -> list[str]:
    """What AWS would refuse in {target group ARN: seconds}, one sentence each."""
    found = []
    for arn, seconds in delays.items():
        if ":targetgroup/" not in str(arn):
            found.append(f"deregistration_delays has {arn!r}, which is not the ARN of a target group.")
        if isinstance(seconds, bool) or not str(seconds).isdigit() or int(seconds) > DELAY_LIMIT:
            found.append(
                f"The deregistration delay of {arn} must be 0 to {DELAY_LIMIT} whole seconds, not {seconds!r}."
            )
    return found
