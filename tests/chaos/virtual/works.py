# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one operator of a story does, after so many seconds: an unlock, a release, a stop, a start, a prevent. And
whether what he was told at the end was so at that moment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chaos.virtual.controller import Controller
from chaos.virtual.role import Played

from sandbox import world as names

# Keys of a story's options that are not the role's.
_OWN = frozenset({"work", "after", "check"})
_RESTORED = re.compile(r"The service is restored: desired count (\d+), autoscaling and tags as they were\.")


@dataclass(frozen=True)
class Before:
    """What there was when the first operator came."""

    desired: int
    scaling: object
    drain: float


def work_of(operator: Controller, name: str, options: Mapping[str, Any]) -> Callable[[], Played]:
    """`work` is unlock (the default), stop, start or prevent; `after` how many seconds later he comes."""
    given = {key: value for key, value in options.items() if key not in _OWN}
    work, check = options.get("work", "unlock"), bool(options.get("check"))

    def run() -> Played:
        operator.clock.sleep(float(options.get("after", 0)))
        if work == "prevent":
            return operator.prevent(check=check, **given)
        return operator.unlock(name, entry="main" if work == "unlock" else work, check=check, **given)

    return run


def images(operator: Controller) -> dict[str, str]:
    """What the service has, by container."""
    world = operator.world
    body = world.engine.definitions_of(names.REGION).get(world.service.definition.arn).body
    return {container["name"]: container["image"] for container in body["containerDefinitions"]}


def untrue(operator: Controller, played: Played, *, options: Mapping[str, Any], before: Before) -> Iterator[str]:
    """What this run of the unlock has told and is not so; to be asked right at its end, and where he is alone."""
    world = operator.world
    result: dict[str, Any] = played.facts.get("qdrant_unlock_result") or {}
    outcome, told = result.get("outcome"), " ".join([*map(str, result.get("summary") or []), played.msg])
    desired = world.service.desired
    restored = _RESTORED.search(told)
    if outcome == "unlocked":
        yield from _not_unlocked(operator, options.get("images") or {})
    if outcome == "unlocked" or restored:
        if (world.scaling(), world.drain()) != (before.scaling, before.drain):
            yield f"it said that all is put back: {before} is {(world.scaling(), world.drain())}"
        if world.tags_left():
            yield f"it said that tags are as they were: {world.tags_left()}"
    if restored and desired != int(restored[1]):
        yield f"it said that the desired count is {restored[1]}: it is {desired}"
    if outcome == "stopped" and (world.live_tasks() or desired or not world.tags_left()):
        yield f"it said that the service is stopped: {world.told()}, {world.tags_left()}"
    if not desired and "goes on running" in told:
        yield f"it said that the service goes on running, at desired count 0: {told}"
    if not desired and before.desired and outcome == "failed" and "stopped" not in told and not restored:
        yield f"it has failed, and did not say that the service is stopped: {told}"
    written = [str(call["operation"]) for call in operator.calls() if call["writes"]]
    if written and outcome in ("refused", "nothing_to_do", "check"):
        yield f"it said that nothing was changed: {written}"


def _not_unlocked(operator: Controller, wanted: Mapping[str, str]) -> Iterator[str]:
    service = operator.world.service
    if not service.steady or service.desired < 1:
        yield f"it said that the service is healthy: {operator.world.told()}"
    lacking = {key: its for key, its in wanted.items() if images(operator).get(key) != its}
    if lacking:
        yield f"it said that it had released, and the service has no {lacking}"


__all__ = ["Before", "images", "untrue", "work_of"]
