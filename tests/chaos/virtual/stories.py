# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may happen: worlds, what operators ask for, and trouble; drawn at random, or written down by a test."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

from chaos.virtual.world import SWITCHES, VirtualWorld

KILLS = ("kill_before", "kill_after", "kill_controller")
AT_CALLS = (
    "throttle", "error", "access_denied", "reset_before", "reset_after", "slow", "expired", "pipeline", "lose_host",
)  # fmt: skip
IN_THE_WORLD = (
    "run_task_failures", "capacity", "mount", "task_gone", "missing", "logs_late", "logs_never", "no_exit_code",
)  # fmt: skip
WRITES = (
    "ecs:TagResource", "ecs:UpdateService", "ecs:RunTask", "ecs:RegisterTaskDefinition", "ecs:UntagResource",
    "application-autoscaling:RegisterScalableTarget", "elbv2:ModifyTargetGroupAttributes",
)  # fmt: skip
FAMILY = "clear-qdrant-locks"


@dataclass(frozen=True)
class Trouble:
    """At the `at`-th call (of `operation`, if that is given) of all operators together."""

    kind: str
    at: int
    operation: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class WorldFault:
    kind: str
    count: int | None
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Story:
    state: str = "stuck"
    lease: float = 30.0
    delay: float = 10.0
    scaling: tuple[int, int, tuple[bool, bool, bool]] | None = None
    autoscaler: bool = False
    propagate: bool = False
    options: tuple[dict[str, Any], ...] = ({},)
    troubles: tuple[Trouble, ...] = ()
    faults: tuple[WorldFault, ...] = ()
    impatient: bool = False
    watched: bool = False

    @property
    def prevents(self) -> bool:
        return any(given.get("work") == "prevent" for given in self.options)

    @property
    def releases(self) -> list[dict[str, str]]:
        """The images that are to be released."""
        return [given["images"] for given in self.options if given.get("images")]

    @property
    def breaks(self) -> bool:
        """Whether an image is to be released that cannot be pulled."""
        return any(image.endswith(":missing") for images in self.releases for image in images.values())

    @property
    def undisputed(self) -> bool:
        """Whether only one operator changes anything: what he is told in the end must be so then."""
        foreign = any(trouble.kind in ("pipeline", "lose_host") for trouble in self.troubles)
        return len(self.options) == 1 and not self.autoscaler and not foreign

    def build(self, world: VirtualWorld) -> None:
        """The world as it is when the first operator comes."""
        more: dict[str, Any] = {"propagateTags": "SERVICE"} if self.propagate else {}
        world.seed(desired=0 if self.state == "stopped" else 1, deregistration_delay=self.delay, **more)
        if self.scaling is not None:
            low, high, switches = self.scaling
            world.set_scaling(low, high, dict(zip(SWITCHES, switches, strict=True)))
        if self.state == "stuck":
            world.break_stale(lease=self.lease)
        if self.autoscaler:
            world.faults.add("autoscaler")
        for fault in self.faults:
            world.faults.add(fault.kind, count=fault.count, match={"family": FAMILY}, **fault.settings)


def draw(seed: int) -> Story:
    """The story of this seed."""
    dice = random.Random(f"story {seed}")
    state = dice.choice(("stuck", "stuck", "healthy", "stopped"))
    scaling = _scaling(dice, state)
    return Story(
        state=state,
        lease=dice.choice((40.0, 120.0, 600.0, 2000.0)),
        delay=dice.choice((0.0, 10.0, 60.0, 300.0)),
        scaling=scaling,
        autoscaler=scaling is not None and dice.random() < 0.3,
        propagate=dice.random() < 0.3,
        options=_works(dice),
        troubles=tuple(_trouble(dice) for _turn in range(dice.choice((0, 1, 1, 2, 3)))),
        faults=tuple(_fault(dice) for _turn in range(dice.choice((0, 0, 0, 1, 2)))),
        impatient=dice.random() < 0.3,
        watched=dice.random() < 0.5,
    )


def _scaling(dice: random.Random, state: str) -> tuple[int, int, tuple[bool, bool, bool]] | None:
    if dice.random() < 0.4:
        return None
    if state == "stopped":
        # A minimum of 1 would have lifted the count, unless everything is suspended.
        return dice.choice(((0, 2, (False, False, False)), (1, 3, (True, True, True)), (0, 1, (True, False, False))))
    switches = (dice.random() < 0.3, dice.random() < 0.3, dice.random() < 0.3)
    return dice.choice((0, 1)), dice.choice((1, 2, 4)), switches


def _works(dice: random.Random) -> tuple[dict[str, Any], ...]:
    """What the operators do. Half of the stories are of unlocks alone; a stop is mostly followed by something."""
    match dice.choice(("unlock", "unlock", "unlock", "release", "stop", "prevent")):
        case "release":
            works = [_release(dice)]
        case "stop":
            following = dice.choice(("start", "start", "unlock", "stop", "release"))
            works = [{**_options(dice), "work": "stop"}]
            if following == "release":
                works.append(_release(dice))
            else:
                works.append({**_options(dice), "work": following})
            if dice.random() < 0.3:
                works[0]["images"] = _images(dice)
        case "prevent":
            works = [{"work": "prevent", "deploy": dice.random() < 0.3}, dice.choice((_options, _release))(dice)]
            dice.shuffle(works)
        case _:
            works = [_options(dice)]
    if dice.random() < 0.25:
        works.append(dice.choice((_options, _options, _release))(dice))
    for work in works[1:]:
        # At the same moment, in the middle of it, or when it may be over.
        work["after"] = dice.choice((0, 0, 1, 7, 40, 90, 400))
    if dice.random() < 0.05:
        works[0]["check"] = True
    return tuple(works)


def _images(dice: random.Random) -> dict[str, str]:
    return dice.choice(
        ({"fastapi": "wwhd/backend:2"}, {"fastapi": "wwhd/backend:2"}, {"qdrant": "qdrant/qdrant:v1.8.0"},
         {"qdrant": "qdrant/qdrant:missing"}, {"fastapi": "wwhd/backend:missing"})
    )  # fmt: skip


def _release(dice: random.Random) -> dict[str, Any]:
    return {**_options(dice), "images": _images(dice)}


def _options(dice: random.Random) -> dict[str, Any]:
    options: dict[str, Any] = {
        "when": dice.choice(("needed", "always")),
        "held_locks": dice.choice(("wait", "wait", "wait", "fail", "delete")),
        "held_timeout": dice.choice((0, 30, 300, 900)),
    }
    if dice.random() < 0.15:
        options["on_failure"] = "leave_stopped"
    if dice.random() < 0.2:
        options["timeouts"] = {dice.choice(("quiesce", "clean", "redeploy", "verify")): dice.choice((5, 40, 120))}
    return options


def _trouble(dice: random.Random) -> Trouble:
    kind = dice.choice((*KILLS * 2, *AT_CALLS))
    seconds = dice.choice((2.0, 20.0, 55.0))
    if dice.random() < 0.4:
        return Trouble(kind, dice.choice((1, 1, 1, 2)), dice.choice(WRITES), seconds)
    return Trouble(kind, dice.randint(1, 160), seconds=seconds)


def _fault(dice: random.Random) -> WorldFault:
    kind = dice.choice(IN_THE_WORLD)
    forever = kind in ("task_gone", "logs_late", "logs_never")
    settings: dict[str, Any] = {}
    if kind == "logs_late":
        settings["seconds"] = dice.choice((5, 60, 400))
    if kind == "missing":
        settings["polls"] = dice.choice((1, 4))
    if kind == "mount":
        settings["variant"] = dice.choice(("timeout", "denied", "missing", "reset"))
    return WorldFault(kind, None if forever else dice.choice((1, 1, 3)), settings)


__all__ = ["AT_CALLS", "IN_THE_WORLD", "KILLS", "WRITES", "Story", "Trouble", "WorldFault", "draw"]
