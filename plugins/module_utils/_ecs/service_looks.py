# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at a service: on its own, or, where one run works on many, ten of them in one call.

Private to wwhd.qdrant_ops. ECS allows 20 DescribeServices a second in an account and region (facts.md D.1): a hundred
hosts that look 30 times each would wait for their turn for two and a half minutes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._shared import Shared

__all__ = ["look_at_service"]

# AWS's limit.
_SERVICES_A_CALL = 10
# Calls a second of all hosts together, so that a few are left for others in the account.
_MOST_CALLS = 15
_LEAST_APART = 0.3
# By the name or ARN by which each was asked for; None where AWS says that it is MISSING.
_Seen = dict[str, "dict[str, Any] | None"]


def look_at_service(aws: Aws, *, cluster: str, service: str, clock: Clock | None = None) -> dict[str, Any] | None:
    """The service as DescribeServices gives it, with its tags; None where AWS says that it is MISSING.

    Never older than this call, whoever looked. Raises OperationFailed.
    """
    if aws.shared and cluster not in aws.alone:
        try:
            seen = _look_together(aws, aws.shared, cluster=cluster, service=service, clock=clock or Clock())
        except OperationFailed as error:
            if error.transient:
                raise
            # It may be for another one's service that these credentials do not reach.
            aws.alone.add(cluster)
        else:
            # Whoever looked may not have known of this one, where the folder that they share fails them.
            if service in seen:
                return seen[service]
    return _described(aws, cluster, [service])[service]


def _look_together(aws: Aws, shared: Shared, *, cluster: str, service: str, clock: Clock) -> _Seen:
    name = f"services of {cluster}"
    members = shared.join(name, service, clock=clock)
    number = members.index(service) // _SERVICES_A_CALL
    first = number * _SERVICES_A_CALL

    def read(_before: object) -> _Seen:
        # Whoever has joined by now: others ask for this look, too.
        joined = shared.join(name, service, clock=clock)
        return _described(aws, cluster, joined[first : first + _SERVICES_A_CALL])

    apart = max(_LEAST_APART, math.ceil(len(members) / _SERVICES_A_CALL) / _MOST_CALLS)
    return shared.look(f"{name} {number}", read, clock=clock, apart=apart)


def _described(aws: Aws, cluster: str, services: Sequence[str]) -> _Seen:
    which = f"service {services[0]}" if len(services) == 1 else f"services {', '.join(services)}"
    answer = aws.call(
        "ecs",
        "DescribeServices",
        doing=f"describe {which} in cluster {cluster}",
        cluster=cluster,
        services=list(services),
        include=["TAGS"],
    )
    found: list[dict[str, Any]] = answer.get("services", [])
    if len(services) == 1:
        return {services[0]: found[0] if found else None}
    named = {name: one for one in found for name in (one.get("serviceName"), one.get("serviceArn"))}
    return {asked: named.get(asked) for asked in services}
