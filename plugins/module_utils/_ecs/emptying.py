# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting until no process of a service can be alive, after its desired count was set to 0.

Private to wwhd.qdrant_ops. Counters and `services-stable` say so minutes too early (facts.md A.3), therefore the tasks
themselves are looked at: desired RUNNING and STOPPED, each of them gone.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import find_service
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
# Seconds after which it has heard of it, and starts nothing any more that a list does not show.
_HEARD_AFTER = 4.0
# Seconds between two censuses while tasks that are known are alive; between them only those are looked at.
_CENSUS_EVERY = 30.0
# Every second is downtime; but a stop may last for minutes, in which nothing changes.
_PACE = Pace(quick=0.5, slow=5.0, growth=1.6)
# A load balancer holds a task in these states; only then ECS sends its containers a signal (facts.md A.1).
_HELD = frozenset({"ACTIVATING", "RUNNING", "DEACTIVATING"})
# So many looks at such a task while its drain lasts, since one may end early; the last comes when it should be over
# and the containers, too (s).
_LOOKS_A_DRAIN, _AFTER_DRAIN = 4, 2.0
# After a drain its looks are so much of it apart, at most so many seconds: closer ones would save little beside it.
_OF_DRAIN_AFTER, _AFTER_DRAIN_APART = 1 / 30, 1.0


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

    `answered` is the service as UpdateService has just given it, which is the first look at it; where it was not empty
    then, no task can have ended in the same moment, so they are not looked at yet. `look_again` sees it empty twice in
    a row. Without it one look has to do, and the tasks are not listed for that one where they were when the scheduler
    had heard of the count: the caller looks at all of them once more before anything that needs it. `drain_time` is
    for how many seconds a load balancer may hold a task, where that is known: it tells when to look.
    """
    deadline = clock.utcnow() + timedelta(seconds=timeout)
    settling = Settling(0, clock)
    emptying = _Emptying(aws, cluster, service, clock, settling, clock.monotonic(), answered, look_again=look_again)
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
            pace=lambda look: _pace(look, drain_time=drain_time),
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
    settling: Settling
    begun: float
    answered: Mapping[str, Any] | None = None
    look_again: bool = True
    last: ServiceLook | None = None
    # Tasks that were seen gone, by ARN: none comes back, so they are not described again.
    over: dict[str, dict[str, Any]] = field(default_factory=dict)
    listed: frozenset[str] = frozenset()
    counts: int = 0
    counted_at: float = 0.0

    def look(self) -> ServiceLook:
        last = self.last
        found = None
        if self.answered and not is_empty(self.answered):
            found, self.answered = ServiceLook(dict(self.answered), settled=False), None
        elif last and last.settled and not last.missing:
            found = self._at_those_that_live(last) or self._at_the_service(last)
        self.last = found or self._at_all()
        return self.last

    def _at_those_that_live(self, last: ServiceLook) -> ServiceLook | None:
        """A look at the tasks alone that are known to be ending; None where that does not tell that one lives.

        As long as one of them lives the wait cannot end, so that is all that has to be known.
        """
        due = self.clock.monotonic() >= self.counted_at + _CENSUS_EVERY
        if due or not last.live or any(task.get("desiredStatus") != "STOPPED" for task in last.live):
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
        if self.look_again or self.counted_at - self.begun < _HEARD_AFTER or len(gone) < len(last.tasks):
            return None
        found = find_service(self.aws, cluster=self.cluster, service=self.service)
        return replace(last, service=found, tasks=gone, calm=1) if is_empty(found) else None

    def _at_all(self) -> ServiceLook:
        last = self.last or ServiceLook({})
        self.counts += 1
        self.counted_at = self.clock.monotonic()
        answered, self.answered = self.answered, None
        found = dict(answered or find_service(self.aws, cluster=self.cluster, service=self.service))
        known = census(self.aws, cluster=self.cluster, over=self.over, serviceName=self.service)
        arns = frozenset(task["taskArn"] for task in known.tasks)
        live = [task for task in known.tasks if not is_gone(task)]
        quiet = not live and not known.missing and is_empty(found)
        calm = last.calm + 1 if quiet and (arns <= self.listed or not last.calm) else int(quiet)
        self.listed = arns
        kept = [task["taskArn"] for task in live if task.get("desiredStatus") == "RUNNING"]
        # A task that is still desired RUNNING at a second look is one that ECS does not mean to stop: ask why.
        protected = protected_tasks(self.aws, cluster=self.cluster, arns=kept) if kept and self.counts > 1 else None
        return ServiceLook(
            found,
            known.tasks,
            known.missing,
            calm,
            last.awaited | {task["taskArn"] for task in live},
            protected or [],
            self.settling.sees(found),
        )


def _pace(look: ServiceLook, *, drain_time: float) -> Pace:
    begins = not look.tasks and not is_empty(look.service)
    held = begins or (bool(look.live) and all(task.get("lastStatus") in _HELD for task in look.live))
    if held and drain_time:
        steady = max(_PACE.quick, min(_PACE.slow, drain_time / _LOOKS_A_DRAIN)) + (_AFTER_DRAIN if begins else 0.0)
        return Pace(quick=steady, slow=steady)
    return replace(_PACE, quick=max(_PACE.quick, min(_AFTER_DRAIN_APART, drain_time * _OF_DRAIN_AFTER)))
