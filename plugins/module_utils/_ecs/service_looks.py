# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a wait for a service's count looks at, and what it makes of that.

Private to wwhd.qdrant_ops. The waits: emptying.py, count_waits.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import task_view
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.states import service_line, task_lines
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import is_gone, task_fingerprint, task_text
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock, Hopeless, TimedOut

__all__ = ["ServiceLook", "Settling", "failed", "is_empty", "somebody_else"]

# AWS's reads follow its writes with a delay (facts.md B.3): seconds until an old answer is believed after all.
_SETTLING = 30.0


@dataclass(frozen=True)
class ServiceLook:
    """One look at a service: itself, its tasks, and the tasks that ECS lists but does not know (MISSING).

    `calm`: how many looks in a row it has been empty; `awaited`: every task that was seen alive since the wait began.
    `settled`: our change of the count is visible in what AWS answers (its reads follow its writes with a delay).
    `listed`: the tasks were looked at, too. `complete`: no task can be missing among them, but for one that somebody
    else has had started since.
    """

    service: dict[str, Any]
    tasks: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    calm: int = 0
    awaited: frozenset[str] = frozenset()
    protected: list[dict[str, Any]] = field(default_factory=list)
    settled: bool = True
    listed: bool = True
    complete: bool = False

    @property
    def live(self) -> list[dict[str, Any]]:
        return [task for task in self.tasks if not is_gone(task)]

    def fingerprint(self) -> object:
        counts = tuple(self.service.get(key) for key in ("desiredCount", "runningCount", "pendingCount"))
        return counts, tuple(sorted(map(repr, map(task_fingerprint, self.tasks)))), tuple(self.missing)

    def told(self) -> list[str]:
        awaited = [task for task in self.tasks if task["taskArn"] in self.awaited]
        return [service_line(self.service), *task_lines(awaited)]


def _summary(look: ServiceLook) -> str:
    service = look.service
    counts = f"desired {service.get('desiredCount')}, running {service.get('runningCount')}, "
    tasks = "; ".join(map(task_text, look.live)) or ("no live task" if look.listed else "its tasks were not looked at")
    unknown = f"; {len(look.missing)} task(s) that AWS lists but cannot describe" if look.missing else ""
    return f"{counts}pending {service.get('pendingCount')}; {tasks}{unknown}"


def failed(error: TimedOut[ServiceLook] | Hopeless[ServiceLook], *, doing: str, advice: str) -> OperationFailed:
    look = error.observation.value
    return OperationFailed(
        f"Could not {doing}: {error}. Last seen: {_summary(look)}. {advice}",
        details={
            "tasks": [task_view(task) for task in look.tasks],
            "desired_count": look.service.get("desiredCount"),
            "running_count": look.service.get("runningCount"),
            "elapsed": error.observation.elapsed,
        },
    )


@dataclass
class Settling:
    """Whether AWS's answers show our change of the desired count yet; after a grace period they are believed anyway."""

    expected: int
    clock: Clock
    until: float = field(init=False)
    settled: bool = False

    def __post_init__(self) -> None:
        self.until = self.clock.monotonic() + _SETTLING

    def sees(self, service: Mapping[str, Any]) -> bool:
        shown = service.get("desiredCount") == self.expected
        self.settled = self.settled or shown or self.clock.monotonic() >= self.until
        return self.settled


def somebody_else(look: ServiceLook, *, expected: int) -> str | None:
    """A change of the service that no wait of ours can succeed against."""
    status = look.service.get("status")
    if status != "ACTIVE":
        return f"the service became {status} meanwhile"
    desired = look.service.get("desiredCount")
    if look.settled and desired != expected:
        return f"somebody else changed the desired count to {desired} meanwhile (we had set {expected})"
    return None


def is_empty(service: Mapping[str, Any]) -> bool:
    """Whether ECS counts no task, which does not mean that none lives."""
    return not service.get("runningCount") and not service.get("pendingCount")
