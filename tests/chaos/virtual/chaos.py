# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets a story happen, lets one more operator come undisturbed, and tells what was not as it must be."""

from __future__ import annotations

import faulthandler
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.virtual.controller import Controller, controller
from chaos.virtual.operators import Killed
from chaos.virtual.role import Played
from chaos.virtual.stories import KILLS, Story, Trouble
from chaos.virtual.transport import Call
from chaos.virtual.works import Before, images, untrue, work_of

from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import Outcome
from sandbox.ecs.model import Service

# Longer than a claim's lease and any stale lock's: whoever comes then may finish what was left.
MUCH_LATER = 3 * 3600.0
# A test of thousands of stories takes longer than pytest's own limit for one test; a story takes a second or two.
_STORY_LIMIT = 240.0
# What qdrant_prevent sets by default.
PREVENTED_DRAIN = 10.0
_LAST_OPTIONS: dict[str, Any] = {"held_locks": "wait", "held_timeout": 300}


@dataclass
class Ending:
    """`broken` has a sentence for each invariant that did not hold. `prevented`: a prevent said that all is set;
    `released`: what a run said that it had released, the last one; `images`: what there was before."""

    broken: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    calls: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    prevented: bool = False
    released: dict[str, str] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)


class _Trouble:
    """What is planned for this call; each of it happens once."""

    def __init__(self, operator: Controller, troubles: tuple[Trouble, ...], ending: Ending) -> None:
        self._operator, self._left, self._ending = operator, list(troubles), ending
        self._seen: Counter[str] = Counter()
        self._after: list[Trouble] = []

    def before(self, call: Call) -> None:
        self._ending.calls.append(call.name)
        self._seen.update(("", call.name))
        for trouble in [one for one in self._left if self._seen[one.operation] == one.at]:
            if trouble.operation in ("", call.name):
                self._left.remove(trouble)
                self._ending.told.append(f"{trouble.kind} at call {len(self._ending.calls)} {call.name}")
                self._ending.counts["kills" if trouble.kind in KILLS else "faults"] += 1
                self._strike(trouble, call)

    def after(self, _call: Call) -> None:
        if self._after:
            self._after.clear()
            raise Killed

    def step(self, name: str) -> None:
        """Before each module: a controller that is dead starts no other."""
        self._ending.counts["steps"] += 1
        if self._operator.operators.current in self._operator.dead:
            raise Killed(name)

    def _strike(self, trouble: Trouble, call: Call) -> None:
        world, place = self._operator.world, {"service": call.service, "operation": call.operation}
        match trouble.kind:
            case "kill_before":
                raise Killed
            case "kill_after":
                self._after.append(trouble)
            case "kill_controller":
                self._operator.dead.add(self._operator.operators.current)
            case "slow":
                self._operator.operators.pause(trouble.seconds)
            case "pipeline":
                world.raise_count()
            case "lose_host":
                if any(task.last_status == "RUNNING" for task in world.live_tasks()):
                    world.lose_host(lease=trouble.seconds)
            case "expired":
                message = "The security token included in the request is expired"
                world.faults.add("error", code="ExpiredTokenException", message=message, status=400)
            case kind:
                world.faults.add(kind, count=1, match=place)


def happen(folder: Path, story: Story, *, seed: int = 0) -> Ending:
    """The story, time, and one more run that nothing disturbs."""
    ending = Ending()
    faulthandler.dump_traceback_later(_STORY_LIMIT, exit=True, file=sys.__stderr__ or sys.stderr)
    with controller(folder, seed=seed) as operator:
        story.build(operator.world)
        before = operator.world.scaling(), operator.world.drain()
        ending.images = images(operator)
        operator.watched = story.watched
        trouble = _Trouble(operator, story.troubles, ending)
        operator.around(before=trouble.before, after=trouble.after)
        operator.step = trouble.step
        _disturbed(operator, story, ending)
        operator.around()
        operator.step = lambda name: ending.counts.update(["steps"])
        operator.world.faults.clear()
        _afterwards(operator, story, ending)
        ending.broken += operator.world.witness.broken
        ending.broken += [f"the sandbox itself failed: {text}" for text in operator.world.engine.trouble]
        ending.broken += list(_not_restored(operator, story, before, ending))
        ending.counts["cleaners"] = operator.world.witness.cleaners
        ending.counts["foreign_overlaps"] = operator.world.witness.foreign_overlaps
    faulthandler.cancel_dump_traceback_later()
    return ending


def _disturbed(operator: Controller, story: Story, ending: Ending) -> None:
    ending.counts["faults"] += len(story.faults) + story.autoscaler
    works = {
        f"{number}": _judged(operator, story, ending, f"{number}", options)
        for number, options in enumerate(story.options, start=1)
    }
    for name, outcome in operator.run(works).items():
        ending.counts["runs"] += name in works
        if isinstance(outcome, Killed):
            ending.told.append(f"operator {name} was killed")
        elif isinstance(outcome, Played):
            _tell(ending, name, outcome)
            _note(ending, outcome, story.options[int(name) - 1])
        elif isinstance(outcome, Outcome):
            ending.counts["watchdogs"] += 1
            ending.counts[f"watchdogs {outcome.result.get('outcome')}"] += 1
            ending.told.append(f"{name}: {outcome.result.get('outcome')} {outcome.result.get('said', outcome.msg)}")
        else:
            raise outcome


def _judged(
    operator: Controller, story: Story, ending: Ending, name: str, options: dict[str, Any]
) -> Callable[[], Played]:
    """The work, and where he is alone, whether what he was told is so."""
    work = work_of(operator, name, options)
    world = operator.world
    before = Before(world.service.desired, world.scaling(), world.drain())

    def run() -> Played:
        played = work()
        if story.undisputed and options.get("work") != "prevent":
            ending.counts["judged"] += 1
            ending.broken += [
                f"operator {name}: {sentence}" for sentence in untrue(operator, played, options=options, before=before)
            ]
        return played

    world.calls.clear()
    return run


def _afterwards(operator: Controller, story: Story, ending: Ending) -> None:
    world = operator.world
    if story.impatient:
        # Somebody comes at once: either nothing was left, or they are told who is at work.
        ending.counts["runs"] += 1
        _tell(ending, "impatient", operator.unlock("8", **_LAST_OPTIONS))
    world.advance(MUCH_LATER, tick=30.0)
    played = operator.unlock("9", **_LAST_OPTIONS)
    ending.counts["runs"] += 1
    _tell(ending, "last", played)
    if played.failed and story.breaks and "goes back from" in played.msg:
        # It has finished an unfinished release of an image that there is not: once more, without that.
        played = operator.unlock("10", **_LAST_OPTIONS)
        ending.counts["runs"] += 1
        _tell(ending, "very last", played)
    if played.failed:
        ending.broken.append(f"the undisturbed run failed: {played.msg}")
    world.advance(120.0)


def _tell(ending: Ending, name: str, played: Played) -> None:
    ending.told.append(f"operator {name}: {'failed: ' if played.failed else ''}{played.msg or _summary(played)}")


def _note(ending: Ending, played: Played, options: dict[str, Any]) -> None:
    if options.get("work") == "prevent":
        rows = (played.facts.get("qdrant_prevent_result") or {}).get("measures") or []
        states = {row["name"]: row["state"] for row in rows}
        done = all(states.get(name) in ("changed", "kept") for name in ("deregistration_delay", "autoscaling"))
        ending.counts["prevents"] += 1
        ending.prevented |= not played.failed and not options.get("check") and done
    elif (played.facts.get("qdrant_unlock_result") or {}).get("outcome") == "unlocked":
        ending.released |= options.get("images") or {}


def _summary(played: Played) -> str:
    result: dict[str, Any] = played.facts.get("qdrant_unlock_result") or {}
    return " ".join(result.get("summary", []))


def _not_restored(operator: Controller, story: Story, before: tuple[Any, float], ending: Ending) -> Iterator[str]:
    world = operator.world
    service: Service = world.service
    if service.desired != 1:
        yield f"the desired count is {service.desired} in the end"
    if not service.steady:
        yield f"the service is not healthy in the end: {world.told()}"
    now = world.scaling(), world.drain()
    prevented = _bounded(before[0]), min(before[1], PREVENTED_DRAIN)
    if ending.prevented and now != prevented:
        yield f"prevent said that it had set {prevented}, and it is {now}"
    either = (before[0], prevented[0]), (before[1], prevented[1])
    if not (now[0] in either[0] and now[1] in either[1] if story.prevents else now == before):
        yield f"autoscaling and deregistration delay were {before} and are {now}"
    if world.tags_left():
        yield f"tags are left: {', '.join(world.tags_left())}"
    if story.releases == [] and images(operator) != ending.images:
        yield f"nobody has released anything, and the images were {ending.images} and are {images(operator)}"
    if ending.released and any(images(operator).get(name) != image for name, image in ending.released.items()):
        yield f"{ending.released} was released, and the service has {images(operator)}"


def _bounded(scaling: tuple[int, int, dict[str, bool]] | None) -> tuple[int, int, dict[str, bool]] | None:
    return None if scaling is None else (min(scaling[0], 1), min(scaling[1], 1), scaling[2])


__all__ = ["Ending", "happen"]
