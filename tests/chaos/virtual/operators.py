# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators that take turns: each is a thread, only the one with the baton runs, and time passes when all sleep."""

from __future__ import annotations

import faulthandler
import random
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils import _internal, basic
from chaos.virtual.world import VirtualWorld

# What a module's process has of its own, and what operators in one process must not share across a switch.
_OWN = ((sys, "stdout"), (basic, "_ANSIBLE_ARGS"), (basic, "_ANSIBLE_PROFILE"), (_internal, "is_controller"))
_TURN_LIMIT = 120.0
_SHORTEST = 0.001


class Killed(BaseException):
    """SIGKILL of the controller: nothing that it had still meant to do happens."""


@dataclass
class _Operator:
    name: str
    work: Callable[[], Any]
    turn: threading.Event = field(default_factory=threading.Event)
    wakes: float = 0.0
    over: bool = False
    outcome: Any = None
    thread: threading.Thread | None = None


class Operators:
    """`run` lets them all work to their ends; `pause` and `switch` are called by whoever has the baton."""

    def __init__(self, world: VirtualWorld, *, choose: random.Random | None = None) -> None:
        self._world, self._choose = world, choose or random.Random(0)
        self._all: list[_Operator] = []
        self._now: _Operator | None = None
        self._base: list[Any] = []

    @property
    def current(self) -> str:
        return self._now.name if self._now is not None else "operator"

    @property
    def slot(self) -> int:
        """Which of them works now, by number."""
        return 0 if self._now is None else self._all.index(self._now)

    def run(self, works: dict[str, Callable[[], Any]]) -> dict[str, Any]:
        """What each returned, or the exception that ended it."""
        self._base = _own()
        self._all = [_Operator(name, work, wakes=self._world.clock.now()) for name, work in works.items()]
        for one in self._all:
            self._begin(one)
        self._hand_over(None)
        # Those who join on the way are appended while we wait.
        for one in self._all:
            assert one.thread is not None
            one.thread.join(_TURN_LIMIT)
            if one.thread.is_alive():
                faulthandler.dump_traceback(file=sys.__stderr__ or sys.stderr)
                raise AssertionError(
                    f"{one.name} did not come back within {_TURN_LIMIT:.0f} s: it is the turn of {self.current} at "
                    f"{self._world.clock.now():.0f} s; {self._world.told()}"
                )
        _restore(self._base)
        return {one.name: one.outcome for one in self._all}

    @property
    def many(self) -> bool:
        """Whether they are at work in threads, so that another may join."""
        return self._now is not None

    def join(self, name: str, work: Callable[[], Any]) -> None:
        """Another one begins to work beside them, now; `run` waits for it as well."""
        joined = _Operator(name, work, wakes=self._world.clock.now())
        self._all.append(joined)
        self._begin(joined)

    def lives(self, name: str) -> bool:
        return any(one.name == name and not one.over for one in self._all)

    def pause(self, seconds: float) -> None:
        """Sleep: the others may work meanwhile, and if none of them can, time passes."""
        if seconds > 0:
            # A rest of a deadline may be so short that adding it moves no float; a real clock moves even then.
            seconds = max(seconds, _SHORTEST)
        me = self._now
        if me is None:
            self._world.advance(seconds)
            return
        me.wakes = self._world.clock.now() + seconds
        self._hand_over(me)

    def switch(self) -> None:
        """A moment at which another operator may come first."""
        if self._now is not None and len(self._all) > 1:
            self.pause(0.0)

    def _begin(self, one: _Operator) -> None:
        one.thread = threading.Thread(target=self._live, args=(one,), daemon=True)
        one.thread.start()

    def _live(self, me: _Operator) -> None:
        me.turn.wait()
        _restore(self._base)
        try:
            me.outcome = me.work()
        except BaseException as error:  # noqa: BLE001  whoever ran them judges it, a kill above all
            me.outcome = error
        me.over = True
        self._hand_over(None)

    def _hand_over(self, me: _Operator | None) -> None:
        following = self._next()
        if following is not None and following is me:
            return
        if me is not None:
            me.turn.clear()
            own = _own()
        self._now = following
        if following is not None:
            following.turn.set()
        if me is not None:
            if not me.turn.wait(_TURN_LIMIT):
                raise AssertionError(f"the operator {me.name} waited for its turn for {_TURN_LIMIT:.0f} s")
            _restore(own)

    def _next(self) -> _Operator | None:
        left = [one for one in self._all if not one.over]
        if not left:
            return None
        wakes = min(one.wakes for one in left)
        if wakes > self._world.clock.now():
            self._world.advance(wakes - self._world.clock.now())
        ready = [one for one in left if one.wakes <= self._world.clock.now() + 1e-9]
        return ready[0] if len(ready) == 1 else self._choose.choice(ready)


def _own() -> list[Any]:
    return [getattr(place, name) for place, name in _OWN]


def _restore(values: list[Any]) -> None:
    for (place, name), value in zip(_OWN, values, strict=True):
        setattr(place, name, value)


__all__ = ["Killed", "Operators"]
