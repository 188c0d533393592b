# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls whose answer is lost are not made twice."""

from __future__ import annotations

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.exactly_once import exactly_once
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock

LOST = OperationFailed("the connection was reset", transient=True)
DENIED = OperationFailed("access denied")


class Thing:
    """Something that counts how often it was done; `script` says what each call does and whether it takes effect."""

    def __init__(self, *script: tuple[Exception | None, bool], seen_after: int = 0) -> None:
        self.script = list(script)
        self.done = self.calls = self.looks = 0
        self.seen_after = seen_after

    def call(self) -> str:
        self.calls += 1
        error, effect = self.script.pop(0)
        self.done += effect
        if error:
            raise error
        return "answer"

    def effect(self) -> str | None:
        self.looks += 1
        return "seen" if self.done and self.looks > self.seen_after else None


@pytest.mark.parametrize(
    ("thing", "result", "calls"),
    [
        (Thing((None, True)), "answer", 1),
        (Thing((LOST, True)), "seen", 1),
        (Thing((LOST, True), seen_after=3), "seen", 1),  # AWS's reads follow its writes with a delay
        (Thing((LOST, False), (None, True)), "answer", 2),
        (Thing((LOST, False), (LOST, False), (LOST, True)), "seen", 3),
    ],
)
def test_it_happens_once(thing: Thing, result: str, calls: int) -> None:
    assert exactly_once(thing.call, effect=thing.effect, clock=FakeClock().clock) == result
    assert (thing.done, thing.calls) == (1, calls)


def test_what_waiting_does_not_cure_is_told_at_once() -> None:
    thing = Thing((DENIED, False))
    with pytest.raises(OperationFailed, match="access denied"):
        exactly_once(thing.call, effect=thing.effect, clock=FakeClock().clock)
    assert (thing.calls, thing.looks) == (1, 0)


def test_it_is_given_up_after_a_while() -> None:
    thing = Thing(*[(LOST, False)] * 9)
    clock = FakeClock()
    with pytest.raises(OperationFailed, match="reset"):
        exactly_once(thing.call, effect=thing.effect, clock=clock.clock)
    assert thing.calls == 6
    assert clock.now < 90


def test_where_nobody_can_tell_it_is_not_made_again() -> None:
    thing = Thing((LOST, True), (None, True))

    def blind() -> str | None:
        raise LOST

    with pytest.raises(OperationFailed, match="reset"):
        exactly_once(thing.call, effect=blind, clock=FakeClock().clock)
    assert thing.calls == 1
