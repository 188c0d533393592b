# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting until a service runs as many tasks as are desired. Until none can be alive: emptying.py.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.service_looks import (
    ServiceLook,
    Settling,
    failed,
    somebody_else,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import find_service
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import census, is_gone
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import (
    Clock,
    Hopeless,
    Observation,
    Pace,
    TimedOut,
    poll,
)

__all__ = ["wait_until_running"]

# Every second of this wait is downtime.
_PACE = Pace(quick=0.5, slow=2.5)


def _is_steady(service: Mapping[str, Any], *, desired: int) -> bool:
    """Whether the service is asked for `desired` tasks, runs as many, and has none pending."""
    counts = tuple(service.get(key) for key in ("desiredCount", "runningCount", "pendingCount"))
    return service.get("status") == "ACTIVE" and counts == (desired, desired, 0)


def wait_until_running(
    aws: Aws, *, cluster: str, service: str, desired_count: int, timeout: float, clock: Clock
) -> Observation[ServiceLook]:
    """Wait until as many tasks run as are desired, and none is pending. Raises OperationFailed with the last state."""
    settling = Settling(desired_count, clock)

    def read() -> ServiceLook:
        found = find_service(aws, cluster=cluster, service=service)
        known = census(aws, cluster=cluster, serviceName=service)
        live = frozenset(task["taskArn"] for task in known.tasks if not is_gone(task))
        return ServiceLook(found, known.tasks, known.missing, awaited=live, settled=settling.sees(found))

    try:
        return poll(
            read,
            done=lambda look: _is_steady(look.service, desired=desired_count),
            hopeless=lambda look: somebody_else(look, expected=desired_count),
            fingerprint=ServiceLook.fingerprint,
            tell=ServiceLook.told,
            timeout=timeout,
            pace=_PACE,
            clock=clock,
        )
    except (TimedOut, Hopeless) as error:
        raise failed(
            error,
            doing=f"see {desired_count} task(s) of service {service} in cluster {cluster} run",
            advice="wwhd.qdrant_ops.ecs_service_info says why its tasks do not stay up.",
        ) from error
