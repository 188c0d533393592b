# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting until a service's processes have followed its desired count: until none can be alive, or all run.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.protection import (
    outlasts,
    protected_tasks,
    protection_text,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import find_service, task_view
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.states import service_line, task_lines
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import (
    census,
    describe,
    is_gone,
    task_fingerprint,
    task_text,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import (
    Clock,
    Hopeless,
    Observation,
    Pace,
    TimedOut,
    poll,
)

__all__ = ["ServiceLook", "wait_until_gone", "wait_until_running"]

# The scheduler may have started a task just before it heard of the new count: an empty service is believed only when
# it was seen empty this many times in a row.
_CALM_LOOKS = 2
# AWS's reads follow its writes with a delay (facts.md B.3): seconds until an old answer is believed after all.
_SETTLING = 30.0
# Every second of these waits is downtime.
_PACE = Pace(quick=0.5, slow=2.5)
# A drain lasts for minutes, in which nothing changes.
_PACE_OF_ENDING = Pace(quick=0.5, slow=5.0, growth=1.6)
# Seconds between two censuses while tasks that are known are alive; between them only those are looked at.
_CENSUS_EVERY = 30.0


@dataclass(frozen=True)
class ServiceLook:
    """One look at a service: itself, its tasks, and the tasks that ECS lists but does not know (MISSING).

    `calm`: how many looks in a row it has been empty; `awaited`: every task that was seen alive since the wait began.
    `settled`: our change of the count is visible in what AWS answers (its reads follow its writes with a delay).
    """

    service: dict[str, Any]
    tasks: list[dict[str, Any]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    calm: int = 0
    awaited: frozenset[str] = frozenset()
    protected: list[dict[str, Any]] = field(default_factory=list)
    settled: bool = True

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
    tasks = "; ".join(map(task_text, look.live)) or "no live task"
    unknown = f"; {len(look.missing)} task(s) that AWS lists but cannot describe" if look.missing else ""
    return f"{counts}pending {service.get('pendingCount')}; {tasks}{unknown}"


def _failed(error: TimedOut[ServiceLook] | Hopeless[ServiceLook], *, doing: str, advice: str) -> OperationFailed:
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
class _Settling:
    """Whether AWS's answers show our change of the desired count yet; after a grace period they are believed anyway."""

    expected: int
    until: float
    clock: Clock
    settled: bool = False

    def sees(self, service: Mapping[str, Any]) -> bool:
        shown = service.get("desiredCount") == self.expected
        self.settled = self.settled or shown or self.clock.monotonic() >= self.until
        return self.settled


def _somebody_else(look: ServiceLook, *, expected: int) -> str | None:
    """A change of the service that no wait of ours can succeed against."""
    status = look.service.get("status")
    if status != "ACTIVE":
        return f"the service became {status} meanwhile"
    desired = look.service.get("desiredCount")
    if look.settled and desired != expected:
        return f"somebody else changed the desired count to {desired} meanwhile (we had set {expected})"
    return None


def wait_until_gone(
    aws: Aws,
    *,
    cluster: str,
    service: str,
    timeout: float,
    clock: Clock,
    answered: Mapping[str, Any] | None = None,
    look_again: bool = True,
) -> Observation[ServiceLook]:
    """Wait until no process of the service can be alive (desired count 0 has been set).

    Counters and `services-stable` say so minutes too early (facts.md A.3), therefore the tasks themselves are looked
    at: desired RUNNING and STOPPED, each of them gone, twice in a row. Raises OperationFailed with the last state.
    `answered` is the service as UpdateService has just given it: where it was empty then, that is the first look at it,
    and where not, nothing can have ended in the same moment. Without `look_again` one look has to do: the caller looks
    at all tasks once more before anything that needs it.
    """
    enough = _CALM_LOOKS if look_again else 1
    deadline = clock.utcnow() + timedelta(seconds=timeout)
    if answered and not _is_empty(answered):
        answered = None
        clock.sleep(min(timeout, _PACE_OF_ENDING.quick))
    settling = _Settling(0, clock.monotonic() + _SETTLING, clock)
    calm, looks, counted_at = 0, 0, 0.0
    seen: frozenset[str] = frozenset()
    awaited: frozenset[str] = frozenset()
    last: ServiceLook | None = None
    over: dict[str, dict[str, Any]] = {}

    def read() -> ServiceLook:
        nonlocal last
        until = counted_at + _CENSUS_EVERY
        last = _at_those_that_live(aws, last, cluster=cluster, until=until, over=over, clock=clock) or count()
        return last

    def count() -> ServiceLook:
        nonlocal calm, seen, awaited, looks, counted_at
        looks += 1
        counted_at = clock.monotonic()
        found = dict(answered) if answered and looks == 1 else find_service(aws, cluster=cluster, service=service)
        known = census(aws, cluster=cluster, over=over, serviceName=service)
        arns = frozenset(task["taskArn"] for task in known.tasks)
        empty = all(map(is_gone, known.tasks)) and not known.missing
        quiet = empty and _is_empty(found)
        calm = calm + 1 if quiet and (arns <= seen or not calm) else int(quiet)
        seen = arns
        awaited |= {task["taskArn"] for task in known.tasks if not is_gone(task)}
        kept = [t["taskArn"] for t in known.tasks if not is_gone(t) and t.get("desiredStatus") == "RUNNING"]
        # A task that is still desired RUNNING at a second look is one that ECS does not mean to stop: ask why.
        protected = protected_tasks(aws, cluster=cluster, arns=kept) if kept and looks > 1 else None
        return ServiceLook(found, known.tasks, known.missing, calm, awaited, protected or [], settling.sees(found))

    def hopeless(look: ServiceLook) -> str | None:
        lasting = [entry for entry in look.protected if outlasts(entry, deadline)]
        return _somebody_else(look, expected=0) or (
            "; ".join(protection_text(entry, cluster=cluster) for entry in lasting) or None
        )

    try:
        return poll(
            read,
            done=lambda look: look.calm >= enough and look.service.get("desiredCount") == 0,
            hopeless=hopeless,
            fingerprint=ServiceLook.fingerprint,
            tell=ServiceLook.told,
            timeout=timeout,
            pace=_PACE_OF_ENDING,
            clock=clock,
        )
    except (TimedOut, Hopeless) as error:
        raise _failed(
            error,
            doing=f"see every task of service {service} in cluster {cluster} end",
            advice="Nothing of its storage may be touched while a task lives. A load balancer holds a task up to its "
            "deregistration delay, then stopTimeout runs: raise the time-out, or see what is said above.",
        ) from error


def _at_those_that_live(
    aws: Aws,
    last: ServiceLook | None,
    *,
    cluster: str,
    until: float,
    over: MutableMapping[str, dict[str, Any]],
    clock: Clock,
) -> ServiceLook | None:
    """A look at the tasks alone that are known to be ending; None where only a census tells.

    As long as one of them lives the wait cannot end, so that is all that has to be known. Its end proves nothing: that
    is for the census, which need not describe again what was seen gone here (`over`).
    """
    if last is None or not last.settled or last.missing or not last.live or clock.monotonic() >= until:
        return None
    if any(task.get("desiredStatus") != "STOPPED" for task in last.live):
        return None
    described = describe(aws, cluster=cluster, arns=[task["taskArn"] for task in last.live])
    over.update({str(task["taskArn"]): task for task in described.tasks if is_gone(task)})
    if described.missing or not any(not is_gone(task) for task in described.tasks):
        return None
    fresh = {task["taskArn"]: task for task in described.tasks}
    return replace(last, tasks=[fresh.get(task["taskArn"], task) for task in last.tasks])


def _is_empty(service: Mapping[str, Any]) -> bool:
    return not service.get("runningCount") and not service.get("pendingCount")


def _is_steady(service: Mapping[str, Any], *, desired: int) -> bool:
    """Whether the service is asked for `desired` tasks, runs as many, and has none pending."""
    counts = tuple(service.get(key) for key in ("desiredCount", "runningCount", "pendingCount"))
    return service.get("status") == "ACTIVE" and counts == (desired, desired, 0)


def wait_until_running(
    aws: Aws, *, cluster: str, service: str, desired_count: int, timeout: float, clock: Clock
) -> Observation[ServiceLook]:
    """Wait until as many tasks run as are desired, and none is pending. Raises OperationFailed with the last state."""
    settling = _Settling(desired_count, clock.monotonic() + _SETTLING, clock)

    def read() -> ServiceLook:
        found = find_service(aws, cluster=cluster, service=service)
        known = census(aws, cluster=cluster, serviceName=service)
        live = frozenset(task["taskArn"] for task in known.tasks if not is_gone(task))
        return ServiceLook(found, known.tasks, known.missing, awaited=live, settled=settling.sees(found))

    try:
        return poll(
            read,
            done=lambda look: _is_steady(look.service, desired=desired_count),
            hopeless=lambda look: _somebody_else(look, expected=desired_count),
            fingerprint=ServiceLook.fingerprint,
            tell=ServiceLook.told,
            timeout=timeout,
            pace=_PACE,
            clock=clock,
        )
    except (TimedOut, Hopeless) as error:
        raise _failed(
            error,
            doing=f"see {desired_count} task(s) of service {service} in cluster {cluster} run",
            advice="wwhd.qdrant_ops.ecs_service_info says why its tasks do not stay up.",
        ) from error
