# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting a service back as a run had found it: at the run's end, or because the playbook that ran it has died.

Private to wwhd.qdrant_ops. Ansible runs no rescue after Ctrl-C, SIGTERM, SIGKILL or a closed terminal, and a module
that it had started may live on for a while.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.claims import Claim, claims_in
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.draining import differing_delays, write_delay
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.scaling import AS_GOOD_AS_NEW, scale
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import (
    Expected,
    find_service,
    peek_service,
    tags_of,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import (
    Described,
    census,
    is_gone,
    short_id,
    task_fingerprint,
    task_text,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock, Pace, TimedOut, poll, utc_text
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._processes import name_of

__all__ = ["Restoration", "claim_first", "restore", "restore_if_it_dies"]

_HEARTBEAT = Pace(quick=0.25, slow=0.25)
# Where the end of the playbook ends the sleep.
_SLOW_HEARTBEAT = Pace(quick=5.0, slow=5.0)
# Seconds between two looks at the claim while the playbook lives: until it was seen, then until it is gone, as when the
# run is over. What a playbook still does after that need not be watched, but it harms nobody.
_LOOK_EVERY = 15.0
_LOOK_AGAIN_EVERY = 120.0
# A module that outlives its playbook may write the claim a little later: looks, so many seconds apart.
_LATE_CLAIM_LOOKS = 3
_LATE_CLAIM_PAUSE = 2.0
# Stopping a task takes up to its stopTimeout, 120 s, and its way through the last states.
_END_TIMEOUT = 180.0
_CALM_LOOKS = 2
_PACE = Pace(quick=0.5, slow=2.0)
# Seconds for which a watchdog goes on where AWS cannot be asked, and between two tries.
_PERSISTENCE = 1800.0
_TRY_AGAIN = 5.0
# Seconds beyond its time-outs after which a watchdog counts as dead where nobody can see its process.
_LEASE_MARGIN = 300.0


@dataclass(frozen=True)
class Restoration:
    """What to put back, and on what condition.

    `claim`: tags that the service must carry, or it is not this run's to touch. `own` is how the `startedBy` of the
    run's one-off tasks of `family` begins: they are ended first. `desired_count` None leaves the count, `autoscaling`
    None the autoscaling. `deregistration_delays` are seconds by target group. `remove_tags` are removed in the end.
    `timeout`: seconds until all tasks that are ending must have ended, before the service is started again.
    `task_definition` is what the service had then, `family:revision`: it is not put back, but another one is told.
    `only_from_zero`: a service that has been started again, which may be healthy and serve by now, keeps its count.
    """

    cluster: str
    service: str
    claim: Mapping[str, str]
    own: str | None = None
    family: str | None = None
    desired_count: int | None = None
    autoscaling: Mapping[str, Any] | None = None
    deregistration_delays: Mapping[str, int] = field(default_factory=dict)
    remove_tags: Sequence[str] = field(default_factory=list)
    timeout: float = 600.0
    task_definition: str | None = None
    only_from_zero: bool = False

    @property
    def name(self) -> str:
        return f"service {self.service} in cluster {self.cluster}"

    @property
    def done(self) -> str:
        """What is so when all is put back, in a sentence."""
        if self.desired_count is None:
            rest = "autoscaling and tags are as they were" if self.remove_tags else "its tags are kept for the next run"
            return f"The service had been started again already, and was left so; {rest}."
        if self.remove_tags:
            return f"The service is restored: desired count {self.desired_count}, autoscaling and tags as they were."
        return (
            f"The service is left at desired count {self.desired_count}; its tags are kept, so that the next run"
            " finishes this one."
        )


def _silent(text: str) -> None:
    """For a caller whose result says it all."""


def restore(
    aws: Aws,
    *,
    wanted: Restoration,
    clock: Clock,
    say: Callable[[str], None] = _silent,
    check_mode: bool = False,
) -> dict[str, Any]:
    """End the run's one-off tasks, then put count, autoscaling and tags back. Returns what `scale` does, `stopped`, and
    `done`: what is so now, in a sentence.

    Raises OperationFailed; the service is not started beside a task that could not be seen to end.
    """
    at_once = not (wanted.own or wanted.only_from_zero or wanted.desired_count)
    # Where nothing is to be waited for, all that is only read comes first: the look at the claim then serves the first
    # write, too.
    delays = list(differing_delays(aws, wanted.deregistration_delays)) if at_once else None
    found = find_service(aws, cluster=wanted.cluster, service=wanted.service)
    seen_at = clock.monotonic()
    Expected(wanted.claim).require(found, doing=f"restore {wanted.name}")
    stopped = _end_tasks(aws, wanted=wanted, say=say, clock=clock) if wanted.own and not check_mode else []
    if wanted.only_from_zero and not check_mode:
        # Read again: what has outlived the playbook may have had one call left.
        now = find_service(aws, cluster=wanted.cluster, service=wanted.service)
        wanted = replace(wanted, desired_count=None if now.get("desiredCount") else wanted.desired_count)
    if wanted.only_from_zero and wanted.desired_count is None and _released(found, wanted):
        # Nobody has seen how that release ends: the next run finishes it, and goes back if it fails.
        wanted = replace(wanted, remove_tags=[])
    if wanted.desired_count and int(found.get("desiredCount", 0)) < wanted.desired_count and not check_mode:
        _await_ending(aws, wanted=wanted, say=say, clock=clock)
    delayed, kept_short = _lengthen_drain(aws, wanted=wanted, delays=delays, check_mode=check_mode)
    if kept_short:
        # All else is put back; the tags stay, so that the next run puts back the rest.
        wanted = replace(wanted, remove_tags=[])
    result = scale(
        aws,
        cluster=wanted.cluster,
        service=wanted.service,
        desired_count=wanted.desired_count,
        suspend_autoscaling=None if wanted.autoscaling is None else False,
        autoscaling=wanted.autoscaling,
        remove_tags=wanted.remove_tags,
        expected=Expected(wanted.claim),
        look_around=False,
        # Where next to nothing was called since, it need not be looked at twice.
        found=found if at_once and clock.monotonic() - seen_at < AS_GOOD_AS_NEW else None,
        check_mode=check_mode,
        clock=clock,
    )
    if not wanted.remove_tags and not check_mode:
        _give_up(aws, wanted=wanted, arn=str(found["serviceArn"]))
    changed = bool(result["changed"] or stopped or delayed)
    if kept_short:
        raise OperationFailed(
            f"Could not restore {wanted.name} in all: {' '.join(map(str, kept_short))} Its tags stay: put that right,"
            " then run the playbook again.",
            details={"stopped": stopped, "changed": changed},
        )
    said = " ".join(filter(None, (wanted.done, _released(found, wanted))))
    return {**result, "deregistration_delays": delayed, "stopped": stopped, "changed": changed, "done": said}


def _released(found: Mapping[str, Any], wanted: Restoration) -> str:
    """What the service has otherwise than the run had found it, and what that means; empty where it has not."""
    now = short_id(str(found.get("taskDefinition")))
    earlier = wanted.task_definition and short_id(wanted.task_definition)
    if not earlier or now == earlier:
        return ""
    return (
        f"It has {now} now, and had {earlier} before the release, whose end nobody has seen: look at it"
        " (playbooks/diagnose.yml), and run the unlock again, which finishes it. To go back, unless a newer Qdrant has"
        f" opened the store, run it with -e qdrant_unlock_task_definition={earlier}."
    )


def _lengthen_drain(
    aws: Aws, *, wanted: Restoration, delays: Sequence[tuple[str, int | None, int]] | None, check_mode: bool
) -> tuple[dict[str, dict[str, int | None]], list[OperationFailed]]:
    """Put the deregistration delays back: what was changed ({before, after} by target group), and what could not be.

    `delays` are those that differ, where that, and then the claim, was read right before this.
    """
    just_seen = delays is not None
    changed: dict[str, dict[str, int | None]] = {}
    failed: list[OperationFailed] = []
    for arn, before, seconds in differing_delays(aws, wanted.deregistration_delays) if delays is None else delays:
        if not check_mode:
            # Minutes may have passed since the claim was looked at: the delay may be another run's by now.
            if not just_seen:
                found = find_service(aws, cluster=wanted.cluster, service=wanted.service)
                Expected(wanted.claim).require(found, doing=f"restore {wanted.name}")
            just_seen = False
            try:
                write_delay(aws, arn=arn, seconds=seconds)
            except OperationFailed as error:
                if error.code == "TargetGroupNotFound":
                    continue
                failed.append(error)
                continue
        changed[arn] = {"before": before, "after": seconds}
    return changed, failed


def _told(known: Described) -> str:
    unknown = [f"{short_id(arn)} (which AWS lists, but cannot describe)" for arn in known.missing]
    return "; ".join([*map(task_text, known.tasks), *unknown])


def _give_up(aws: Aws, *, wanted: Restoration, arn: str) -> None:
    """Say by the claim itself that its run is over: nobody has to wait for its lease, and no watchdog acts on it."""
    given_up = [replace(claim, until=claim.since) for claim in claims_in(wanted.claim)]
    if given_up:
        aws.call(
            "ecs",
            "TagResource",
            doing=f"give up the claim on {wanted.name}",
            resourceArn=arn,
            tags=[{"key": claim.key, "value": claim.value} for claim in given_up],
        )


def _end_tasks(aws: Aws, *, wanted: Restoration, say: Callable[[str], None], clock: Clock) -> list[str]:
    """Stop the run's tasks and see them gone: the store must not be opened beside one. Returns their ARNs."""
    calm = 0
    stopped: dict[str, None] = {}

    def read() -> Described:
        nonlocal calm
        known = census(aws, cluster=wanted.cluster, family=wanted.family)
        own = [task for task in known.tasks if str(task.get("startedBy") or "").startswith(str(wanted.own))]
        live = [task for task in own if not is_gone(task)]
        # One that AWS lists but cannot describe may be ours, and alive.
        calm = 0 if live or known.missing else calm + 1
        for arn in (str(task["taskArn"]) for task in live):
            if arn not in stopped:
                aws.call(
                    "ecs",
                    "StopTask",
                    doing=f"stop task {short_id(arn)} in cluster {wanted.cluster}",
                    cluster=wanted.cluster,
                    task=arn,
                    reason="wwhd.qdrant_ops.ecs_service_restore: the run that had started it is over",
                )
                stopped[arn] = None
                say(f"Stopped the run's task {short_id(arn)}.")
        return Described(live, known.missing)

    try:
        poll(read, done=lambda known: calm >= _CALM_LOOKS, timeout=_END_TIMEOUT, pace=_PACE, clock=clock)
    except TimedOut as error:
        alive = _told(error.observation.value)
        raise OperationFailed(
            f"Could not restore {wanted.name}: the run's own task did not end within {_END_TIMEOUT:.0f} s ({alive}),"
            " and the service must not start beside it. Stop that task, then run the playbook again.",
            details={"stopped": list(stopped)},
        ) from error
    return list(stopped)


def _await_ending(aws: Aws, *, wanted: Restoration, say: Callable[[str], None], clock: Clock) -> None:
    """Wait for the service's own tasks that are being stopped: ECS does not take that back, and the scheduler would
    start another one beside them at once (facts.md A.4), which is what makes locks, or two writers."""
    told = False

    def read() -> Described:
        nonlocal told
        known = census(aws, cluster=wanted.cluster, serviceName=wanted.service)
        tasks = [task for task in known.tasks if task.get("desiredStatus") == "STOPPED" and not is_gone(task)]
        ending = Described(tasks, known.missing)
        if tasks and not told:
            told = True
            say(f"Waiting for the end of {_told(ending)}: no other task may start beside it.")
        return ending

    try:
        poll(
            read,
            done=lambda ending: not ending.tasks and not ending.missing,
            fingerprint=lambda ending: tuple(map(task_fingerprint, ending.tasks)),
            timeout=wanted.timeout,
            pace=_PACE,
            clock=clock,
        )
    except TimedOut as error:
        alive = _told(error.observation.value)
        raise OperationFailed(
            f"Could not restore {wanted.name}: {alive} did not end within {wanted.timeout:.0f} s, and another task must"
            " not start beside it. Its desired count stays 0 and its tags stay: run the playbook again."
        ) from error


def restore_if_it_dies(
    aws: Aws,
    *,
    wanted: Restoration,
    alive: Callable[[], bool],
    lifetime: float,
    say: Callable[[str], None],
    clock: Clock,
    doze: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Come back when the claim has gone, or when the service has been put back because `alive` has become false.

    `doze` is a sleep that ends when that happens, if there is one.

    Returns `outcome`: released (the run is over), restored, failed (`said` has why), or expired (`lifetime` seconds).
    Everything that is worth a person's attention goes through `say`, too.
    """
    said: list[str] = []

    def tell(text: str) -> None:
        said.append(text)
        say(text)

    outcome = _await_end(aws, wanted=wanted, alive=alive, lifetime=lifetime, clock=clock, doze=doze)
    if outcome != "died":
        return {"changed": False, "outcome": outcome, "said": said}
    tell(f"The playbook that worked on {wanted.name} has ended before its time. Putting the service back.")
    taken_over: Restoration | None = None
    give_up = clock.monotonic() + _PERSISTENCE
    while True:
        try:
            taken_over = taken_over or _take_over(aws, wanted=wanted, clock=clock)
            if taken_over is None:
                tell("Its claim is gone: the run had ended, or another one has taken it over. Nothing was changed.")
                return {"changed": False, "outcome": "released", "said": said}
            result = restore(aws, wanted=taken_over, say=tell, clock=clock)
        except OperationFailed as error:
            # A lost connection is what playbooks die of: it may come back.
            if error.transient and clock.monotonic() < give_up:
                clock.sleep(_TRY_AGAIN)
                continue
            tell(f"{error} The service may still be stopped: run the playbook again, it finishes what was begun.")
            return {"changed": True, "outcome": "failed", "said": said}
        for warning in result["warnings"]:
            tell(warning)
        tell(str(result["done"]))
        return {"changed": True, "outcome": "restored", "said": said}


def _await_end(
    aws: Aws,
    *,
    wanted: Restoration,
    alive: Callable[[], bool],
    lifetime: float,
    clock: Clock,
    doze: Callable[[float], None] | None,
) -> str:
    """released, died, or expired."""
    looked_at = clock.monotonic()
    seen = False

    def look() -> str:
        nonlocal looked_at, seen
        lives = alive()
        if lives and clock.monotonic() - looked_at < (_LOOK_AGAIN_EVERY if seen else _LOOK_EVERY):
            return ""
        looked_at = clock.monotonic()
        there = _is_claimed(aws, wanted)
        if not lives:
            return "released" if seen and there is False else "died"
        released = seen and there is False
        seen = seen or bool(there)
        return "released" if released else ""

    try:
        waiting, pace = (replace(clock, sleep=doze), _SLOW_HEARTBEAT) if doze else (clock, _HEARTBEAT)
        ended = poll(look, done=bool, timeout=lifetime, pace=pace, clock=waiting).value
    except TimedOut:
        return "expired"
    if ended == "released" or seen:
        return ended
    for _look in range(_LATE_CLAIM_LOOKS):
        if _is_claimed(aws, wanted) is not False:
            return "died"
        clock.sleep(_LATE_CLAIM_PAUSE)
    return "released"


def _is_claimed(aws: Aws, wanted: Restoration) -> bool | None:
    """None where it can't be told."""
    try:
        found = peek_service(aws, cluster=wanted.cluster, service=wanted.service)
    except OperationFailed:
        return None
    return found is not None and wanted.claim.items() <= tags_of(found).items()


def _take_over(aws: Aws, *, wanted: Restoration, clock: Clock) -> Restoration | None:
    """What to restore under a claim of this process's own, which makes whatever has outlived the playbook stop; None
    where the playbook's claim is not there."""
    found = peek_service(aws, cluster=wanted.cluster, service=wanted.service)
    tags = {} if found is None else tags_of(found)
    earlier = [claim for claim in claims_in(tags) if wanted.claim.get(claim.key) == claim.value]
    if not earlier:
        return None
    now = clock.utcnow()
    until = now + timedelta(seconds=wanted.timeout + _END_TIMEOUT + _LEASE_MARGIN)
    own = Claim(f"{earlier[0].id}-{secrets.token_hex(3)}", name_of(os.getpid()), utc_text(now), utc_text(until))
    claimed = claim_first(
        aws, wanted=replace(wanted, claim={c.key: c.value for c in earlier}), own={own.key: own.value}, clock=clock
    )
    keys = [own.key, *wanted.remove_tags] if wanted.remove_tags else []
    return replace(claimed, remove_tags=keys, only_from_zero=True)


def claim_first(aws: Aws, *, wanted: Restoration, own: Mapping[str, str], clock: Clock) -> Restoration:
    """What to restore, under the claim `own` in the place of the one that it was under. Raises OperationFailed."""
    scale(
        aws,
        cluster=wanted.cluster,
        service=wanted.service,
        tags=own,
        takes_over=list(wanted.claim),
        expected=Expected(wanted.claim),
        clock=clock,
    )
    return replace(wanted, claim=own)
