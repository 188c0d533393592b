# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting until no process of a service can be alive, after its desired count was set to 0.

Private to wwhd.qdrant_ops. Counters and `services-stable` say so minutes too early (facts.md A.3), therefore the tasks
themselves are looked at: desired RUNNING and STOPPED, each of them gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.protection import (
    outlasts,
    protected_tasks,
    protection_text,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.service_looks import (
    ServiceLook,
    Settling,
    failed,
    is_empty,
    somebody_else,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import (
    find_service,
    new_events,
    tasks_started,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import census, describe, is_gone
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import (
    Clock,
    Hopeless,
    Observation,
    Pace,
    TimedOut,
    poll,
)

__all__ = ["wait_until_gone"]

# The scheduler may have started a task just before it heard of the new count: an empty service is believed only when
# it was seen empty this many times in a row.
_CALM_LOOKS = 2
# Seconds after which a list is taken to show all that the scheduler had started before it heard of the count. AWS
# promises no time: who relies on it (without `look_again`) looks at all tasks once more before it matters.
_HEARD_AFTER = 4.0
# Seconds between two lists of all tasks while some that are known are alive; between them only those are looked at.
_LIST_EVERY = 30.0
# Every second is downtime; but a stop may last for minutes, in which nothing changes.
_PACE = Pace(quick=0.5, slow=5.0, growth=1.6)
# A load balancer holds a task in these states; only then ECS sends its containers a signal (facts.md A.1).
_HELD = frozenset({"ACTIVATING", "RUNNING", "DEACTIVATING"})
# At least so many looks at a task while it is held, since a drain may end early.
_DRAIN_LOOKS = 3
# Seconds until ECS has begun a drain, and the containers have ended after it: a look then may be the last one.
_DRAIN_MARGIN = 2.0
# After a drain of 30 s and more, looks are a second apart where it is quick: closer ones would save little beside it.
_QUICK_AFTER_DRAIN, _LONG_DRAIN = 1.0, 30.0


def wait_until_gone(
    aws: Aws,
    *,
    cluster: str,
    service: str,
    timeout: float,
    clock: Clock,
    answered: Mapping[str, Any] | None = None,
    look_again: bool = True,
    drain_time: float = 0.0,
) -> Observation[ServiceLook]:
    """Wait until no process of the service can be alive. Raises OperationFailed with the last state.

    `answered` is the service as UpdateService has just given it, which is the first look at it; no task can have ended
    in the same moment, so they are not looked at yet. `look_again` sees the service empty twice in a row. Without it
    one look has to do, and the tasks are not listed for that one where an earlier list is complete: the caller looks at
    all of them once more before anything that needs it. `drain_time` is for how many seconds a load balancer may hold a
    task, where that is known: it tells when to look.
    """
    begun = clock.monotonic()
    deadline = clock.utcnow() + timedelta(seconds=timeout)
    emptying = _Emptying(aws, cluster, service, clock, begun, Settling(0, clock), answered, look_again=look_again)
    enough = _CALM_LOOKS if look_again else 1

    def hopeless(look: ServiceLook) -> str | None:
        lasting = [entry for entry in look.protected if outlasts(entry, deadline)]
        return somebody_else(look, expected=0) or (
            "; ".join(protection_text(entry, cluster=cluster) for entry in lasting) or None
        )

    try:
        return poll(
            emptying.look,
            done=lambda look: look.calm >= enough and look.service.get("desiredCount") == 0,
            hopeless=hopeless,
            fingerprint=ServiceLook.fingerprint,
            tell=ServiceLook.told,
            timeout=timeout,
            pace=lambda look: _pace(look, drain_time=drain_time, since=clock.monotonic() - begun),
            clock=clock,
        )
    except (TimedOut, Hopeless) as error:
        raise failed(
            error,
            doing=f"see every task of service {service} in cluster {cluster} end",
            advice="Nothing of its storage may be touched while a task lives. A load balancer holds a task up to its "
            "deregistration delay, then stopTimeout runs: raise the time-out, or see what is said above.",
        ) from error


@dataclass
class _Emptying:
    """`look` is one look, with as few calls as tell it; everything else is what earlier ones have shown."""

    aws: Aws
    cluster: str
    service: str
    clock: Clock
    begun: float
    settling: Settling
    answered: Mapping[str, Any] | None = None
    look_again: bool = True
    last: ServiceLook | None = None
    # Tasks that were seen gone, by ARN: none comes back, so they are not described again.
    over: dict[str, dict[str, Any]] = field(default_factory=dict)
    listed_at: float = 0.0
    listed_arns: frozenset[str] = frozenset()
    lists: int = 0

    def look(self) -> ServiceLook:
        last = self.last
        found = None
        if self.answered:
            found, self.answered = ServiceLook(dict(self.answered), settled=False, listed=False), None
        elif last and last.settled and last.live and not last.missing:
            found = self._at_those_that_live(last) or self._at_the_service(last)
        self.last = found or self._at_all()
        return self.last

    def _at_those_that_live(self, last: ServiceLook) -> ServiceLook | None:
        """A look at the tasks alone that are known to be ending; None where that does not tell that one lives.

        As long as one of them lives the wait cannot end, so that is all that has to be known.
        """
        due = self.clock.monotonic() >= self.listed_at + _LIST_EVERY
        if due or not _are_ending(last.live):
            return None
        described = describe(self.aws, cluster=self.cluster, arns=[task["taskArn"] for task in last.live])
        self.over.update({str(task["taskArn"]): task for task in described.tasks if is_gone(task)})
        if described.missing or all(map(is_gone, described.tasks)):
            return None
        fresh = {task["taskArn"]: task for task in described.tasks}
        return replace(last, tasks=[fresh.get(task["taskArn"], task) for task in last.tasks])

    def _at_the_service(self, last: ServiceLook) -> ServiceLook | None:
        """A look at the service alone, where each of its tasks was seen gone and that is all that the caller needs."""
        gone = [self.over[task["taskArn"]] for task in last.tasks if task["taskArn"] in self.over]
        if self.look_again or not last.complete or len(gone) < len(last.tasks):
            return None
        found = find_service(self.aws, cluster=self.cluster, service=self.service)
        known = [str(event.get("id")) for event in last.service.get("events", [])]
        said = [str(event.get("message")) for event in new_events(found, known=known)]
        if not is_empty(found) or any(tasks_started(message) is not None for message in said):
            return None
        return replace(last, service=found, tasks=gone, calm=1)

    def _at_all(self) -> ServiceLook:
        last = self.last or ServiceLook({})
        now = self.clock.monotonic()
        found = find_service(self.aws, cluster=self.cluster, service=self.service)
        known = census(self.aws, cluster=self.cluster, over=self.over, serviceName=self.service)
        arns = frozenset(task["taskArn"] for task in known.tasks)
        live = [task for task in known.tasks if not is_gone(task)]
        quiet = not live and not known.missing and is_empty(found)
        calm = last.calm + 1 if quiet and (arns <= self.listed_arns or not last.calm) else int(quiet)
        # Only now: a look that failed has shown nothing.
        self.listed_at, self.listed_arns, self.lists = now, arns, self.lists + 1
        heard = now - self.begun >= _HEARD_AFTER
        counted = int(found.get("runningCount") or 0) + int(found.get("pendingCount") or 0)
        kept = [task["taskArn"] for task in live if task.get("desiredStatus") == "RUNNING"]
        # A task that is still desired RUNNING then is one that ECS does not mean to stop: ask why.
        asks = bool(kept) and (heard or self.lists > 1)
        protected = protected_tasks(self.aws, cluster=self.cluster, arns=kept) if asks else None
        return ServiceLook(
            found,
            known.tasks,
            known.missing,
            calm,
            last.awaited | {task["taskArn"] for task in live},
            protected or [],
            self.settling.sees(found),
            complete=heard and counted <= len(live),
        )


def _are_ending(tasks: Sequence[Mapping[str, Any]]) -> bool:
    return all(task.get("desiredStatus") == "STOPPED" for task in tasks)


def _pace(look: ServiceLook, *, drain_time: float, since: float) -> Pace:
    """`since`: seconds since the wait began, and with it the drain."""
    left = drain_time + _DRAIN_MARGIN - since
    held = bool(look.live) and _are_ending(look.live) and all(task.get("lastStatus") in _HELD for task in look.live)
    if drain_time and left >= _PACE.quick and (held or not look.listed):
        # In equal steps, the last of which ends when the drain does.
        step = max(_PACE.quick, min(_PACE.slow, drain_time / _DRAIN_LOOKS))
        steady = left / max(1, int(left / step))
        return Pace(quick=steady, slow=steady)
    return replace(_PACE, quick=_QUICK_AFTER_DRAIN) if drain_time >= _LONG_DRAIN else _PACE
