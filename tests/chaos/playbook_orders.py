# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done to a run: in which world, with which options, which faults, and whether and how it is killed.

`draw(seed, number)` is the random generator of both: the same two numbers give the same order, always.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from chaos.playbook_worlds import Scaling, World

# How a run may be ended from outside: signal and scope.
KILLS = {
    "machine dies": ("KILL", "tree"),
    "controller dies": ("KILL", "process"),
    "SIGTERM": ("TERM", "process"),
    "Ctrl-C": ("INT", "process"),
}
CALLS_OF_A_RUN = 125
FAMILY = "clear-qdrant-locks"
_OPERATIONS = (
    "DescribeServices", "ListTasks", "DescribeTasks", "DescribeTaskDefinition", "DescribeScalableTargets",
    "DescribeTargetHealth", "GetLogEvents", "TagResource", "UpdateService", "RegisterTaskDefinition", "RunTask",
    "UntagResource", "RegisterScalableTarget", "StopTask",
)  # fmt: skip
_DENIABLE = (*_OPERATIONS, "DescribeTargetGroups", "GetTaskProtection")
# Seconds, far below the role's defaults and far above what this AWS needs: a fault for good must end a run soon.
TIMEOUTS = {"quiesce": 40, "capacity": 6, "clean": 8, "redeploy": 40, "verify": 25}
HELD_TIMEOUT = 25


@dataclass(frozen=True)
class Fault:
    kind: str
    settings: dict[str, Any] = field(default_factory=dict)

    def told(self) -> str:
        return f"{self.kind} {json.dumps(self.settings, sort_keys=True)}" if self.settings else self.kind


@dataclass(frozen=True)
class Kill:
    """`how` is one of KILLS; `at` counts from 1: every call, or, with `writes`, the writing ones."""

    how: str
    at: int
    after: bool = False
    writes: bool = False

    def told(self) -> str:
        return f"{self.how} {'after' if self.after else 'before'} {'writing ' if self.writes else ''}call {self.at}"


@dataclass(frozen=True)
class Order:
    name: str
    world: World
    variables: dict[str, Any] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    kill: Kill | None = None
    plain: bool = False

    def all_variables(self) -> dict[str, Any]:
        return {"qdrant_unlock_timeouts": TIMEOUTS, "qdrant_unlock_held_timeout": HELD_TIMEOUT, **self.variables}

    def raises_the_count(self) -> bool:
        """Whether somebody else starts the service in the middle of the run."""
        return any(fault.kind in ("raise_count", "autoscaler") for fault in self.faults)

    def told(self) -> str:
        words = [f"world: {self.world.told()}"]
        if self.variables:
            words.append(
                "options: " + ", ".join(f"{k.removeprefix('qdrant_unlock_')}={v}" for k, v in self.variables.items())
            )
        words += [f"fault: {fault.told()}" for fault in self.faults]
        if self.kill:
            words.append(f"kill: {self.kill.told()}")
        return "; ".join(words) + ("; plain ansible-playbook" if self.plain else "")


def draw(seed: int, number: int, *, plain_every: int = 30) -> Order:
    dice = random.Random(f"{seed}:{number}")
    world = _world(dice)
    variables = _variables(dice, world)
    killed = dice.random() < 0.55
    faults = [_fault(dice) for _number in range(dice.choice((0, 1, 1, 2) if killed else (1, 1, 2, 3)))]
    kill = None
    if killed:
        writes = dice.random() < 0.4
        kill = Kill(
            how=dice.choice(list(KILLS)),
            at=dice.randint(1, 7 if writes else CALLS_OF_A_RUN),
            after=dice.random() < 0.5,
            writes=writes,
        )
    return Order(
        name=f"{seed}:{number}", world=world, variables=variables, faults=tuple(faults), kill=kill,
        plain=plain_every > 0 and number % plain_every == 0,
    )  # fmt: skip


def _world(dice: random.Random) -> World:
    kind = dice.choices(("stuck", "healthy", "stopped", "leftover"), (6, 3, 1, 1))[0]
    scaling = None
    if dice.random() < 0.5:
        low = 1 if kind in ("stuck", "healthy") else 0
        switches = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")
        scaling = Scaling(low, 1, tuple(sorted(dice.sample(switches, dice.randint(0, 2)))))
    return World(kind, lease=round(dice.uniform(6, 20), 1), scaling=scaling)


def _variables(dice: random.Random, world: World) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    if world.kind == "healthy" or dice.random() < 0.1:
        chosen["qdrant_unlock_when"] = "always"
    held = dice.choices(("wait", "fail", "delete"), (6, 1, 1))[0]
    if held != "wait":
        chosen["qdrant_unlock_held_locks"] = held
    if dice.random() < 0.2:
        chosen["qdrant_unlock_on_failure"] = "leave_stopped"
    return chosen


def _api(dice: random.Random) -> dict[str, Any]:
    """A few times, at one operation or at any; more often than botocore tries again now and then."""
    count = dice.choice((1, 2, 3, 8))
    if dice.random() < 0.5:
        return {"match": {"operation": dice.choice(_OPERATIONS)}, "skip": dice.randint(0, 3), "count": count}
    return {"skip": dice.randint(0, CALLS_OF_A_RUN), "count": count}


def _for_one_family(dice: random.Random) -> dict[str, Any]:
    family = dice.choice((FAMILY, "wwhd-backend"))
    return {"match": {"family": family}} | _often(dice)


def _often(dice: random.Random) -> dict[str, Any]:
    """Once, a few times, or for good."""
    count = dice.choice((1, 3, None))
    return {} if count is None else {"count": count}


_MOUNT = ("timeout", "denied", "missing", "unresolved", "reset")
_PULL = ("denied", "missing", "platform", "rate_limit", "no_route")
_RAISED_AT = ("UpdateService", "RunTask", "DescribeTaskDefinition", "GetLogEvents", "DescribeTasks")
_AT_THE_CLEANER: dict[str, Any] = {"match": {"family": FAMILY}}
# What can be drawn, and the settings of each.
_FAULTS: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "throttle": _api,
    "error": lambda dice: _api(dice) | {"status": dice.choice((500, 503))},
    "reset_before": _api,
    "reset_after": _api,
    "slow": lambda dice: _api(dice) | {"seconds": dice.choice((0.5, 2.0)), "count": dice.randint(1, 3)},
    "access_denied": lambda dice: {"match": {"operation": dice.choice(_DENIABLE)}},
    "expired": lambda dice: {"skip": dice.randint(0, CALLS_OF_A_RUN)},
    "run_task_failures": lambda dice: _AT_THE_CLEANER | _often(dice),
    "capacity": lambda dice: _AT_THE_CLEANER | _often(dice),
    "mount": lambda dice: _for_one_family(dice) | {"variant": dice.choice(_MOUNT)},
    "pull": lambda dice: _for_one_family(dice) | {"variant": dice.choice(_PULL)},
    "missing": lambda dice: {"polls": dice.randint(1, 5), "count": 1},
    "task_gone": lambda dice: _AT_THE_CLEANER,
    "logs_late": lambda dice: _AT_THE_CLEANER | {"seconds": dice.choice((60, 300))},
    "logs_never": lambda dice: _AT_THE_CLEANER,
    "no_exit_code": lambda dice: _AT_THE_CLEANER,
    "autoscaler": lambda dice: {"match": {"service": "wwhd-backend"}},
    "raise_count": lambda dice: {"count": 1, "match": {"operation": dice.choice(_RAISED_AT)}, "to": 1},
}


def _fault(dice: random.Random) -> Fault:
    kind = dice.choice(list(_FAULTS))
    return Fault(kind, _FAULTS[kind](dice))
