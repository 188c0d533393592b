# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One act of chaos: a world is made, a run in it is disturbed as ordered, then an undisturbed run must mend it all."""

from __future__ import annotations

import dataclasses
import re
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from chaos import playbook_judgement as judgement
from chaos import playbook_worlds as worlds
from chaos.playbook_orders import KILLS, Order
from chaos.playbook_runs import Played, Player, await_quiet, end

from sandbox.client import Sandbox

# What a run that was told to end may take to put the service back: its time-outs, and its own watch over itself.
_QUIET_SECONDS = 150.0
# A killed tree is dying while its root is already buried; its watchdog would live on for longer.
_DEATH_SECONDS = 3.0


@dataclass
class Record:
    """What was ordered and what came of it; `broken` has a sentence for each invariant that did not hold."""

    name: str
    ordered: str
    plain: bool
    faults: int
    kill: str | None
    calls: int = 0
    killed_at: str | None = None
    first: str = ""
    second: str = ""
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)
    message: str = ""
    outputs: list[str] = field(default_factory=list)

    def line(self) -> str:
        verdict = "BROKEN: " + " | ".join(self.broken) if self.broken else "ok"
        struck = f" (struck at {self.killed_at})" if self.killed_at else ""
        return (
            f"{self.name}: {self.ordered}{struck}; first run: {self.first}; undisturbed run: {self.second}; {verdict}"
        )

    def as_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


class Stage:
    """A sandbox and a player of its own, in `directory`. Use as a context manager; ends both."""

    def __init__(self, directory: Path, *, idle: float = 900) -> None:
        self.directory = directory
        self._idle = idle
        self.sandbox = Sandbox(directory / "sandbox")
        self._player = Player(directory=directory / "runs", sandbox=self.sandbox.directory)

    def __enter__(self) -> Self:
        self.sandbox.start(speed=worlds.SPEED, idle=self._idle)
        return self

    def __exit__(self, *_error: object) -> None:
        self._player.__exit__()
        self.sandbox.stop()

    def perform(self, order: Order) -> Record:
        started = time.monotonic()
        record = Record(
            name=order.name, ordered=order.told(), plain=order.plain, faults=len(order.faults),
            kill=order.kill.how if order.kill else None,
        )  # fmt: skip
        found = worlds.make(self.sandbox, order.world)
        before = len(self.sandbox.calls())
        first = self._disturbed(order, found, record)
        self._undisturbed(order, found, record)
        record.broken += judgement.of_witness(
            self.sandbox.witness(), calls=self.sandbox.calls()[before:], raised=order.raises_the_count(),
            may_delete_held=order.variables.get("qdrant_unlock_held_locks") == "delete",
        )  # fmt: skip
        trouble = self.sandbox.status()["trouble"]
        if trouble:
            record.broken.append(f"the sandbox itself had trouble: {trouble[-1][-300:]}")
        record.message = _message(first)
        record.seconds = round(time.monotonic() - started, 1)
        return record

    def count_calls(self, order: Order) -> list[dict[str, Any]]:
        """The API calls of this order's run, which nothing may disturb. Raises RuntimeError if it fails."""
        worlds.make(self.sandbox, order.world)
        before = len(self.sandbox.calls())
        played = self._player.play(order.all_variables(), mark=_mark("count"), plain=order.plain)
        if played.code:
            raise RuntimeError(f"the run whose calls were to be counted failed: {_message(played)}")
        return self.sandbox.calls()[before:]

    def _disturbed(self, order: Order, found: worlds.State, record: Record) -> Played:
        before = len(self.sandbox.calls())
        mark = _mark("a")

        def strike(pid: int) -> None:
            # The kill first: a call that another fault answers must be counted too.
            if order.kill:
                signal, scope = KILLS[order.kill.how]
                self.sandbox.fault(
                    "kill_after" if order.kill.after else "kill_before", count=1, skip=order.kill.at - 1, pid=pid,
                    match={"writes": "true"} if order.kill.writes else {}, signal=signal, scope=scope,
                    **({"mark": f"CHAOS_RUN={mark}"} if scope == "tree" else {}),
                )  # fmt: skip
            for fault in order.faults:
                self.sandbox.fault(fault.kind, **fault.settings)

        played = self._player.play(order.all_variables(), mark=mark, plain=order.plain, order=strike)
        quiet = await_quiet(mark, seconds=_QUIET_SECONDS)
        # Whoever looks from here on must not be disturbed.
        self.sandbox.control("clear_faults")
        calls = self.sandbox.calls()[before:]
        record.calls = len(calls)
        struck = [call for call in calls if str(call.get("fault") or "").startswith("kill_")]
        record.killed_at = f"{struck[0]['n'] - before} {struck[0]['operation']}" if struck else None
        record.first = f"{played.how}, {played.seconds:.1f} s, {len(calls)} calls"
        record.outputs.append(played.output)
        if quiet is None:
            end(mark)
            record.broken.append(f"a process of the first run still lived {_QUIET_SECONDS:.0f} s after its end")
        now = worlds.look(self.sandbox)
        wrote = any(call["writes"] and call["status"] and call["status"] < 400 for call in calls)
        if struck and order.kill and order.kill.how == "machine dies":
            if quiet is None or quiet > _DEATH_SECONDS:
                raise RuntimeError(f"{order.name}: a process outlived its machine by {quiet} s")
            return played
        tasks = self.sandbox.status()["tasks"]
        if struck:
            record.broken += judgement.of_a_killed_run(order, found=found, now=now, tasks=tasks)
        else:
            record.broken += judgement.of_an_ended_run(order, played, found=found, now=now, wrote=wrote, tasks=tasks)
        return played

    def _undisturbed(self, order: Order, found: worlds.State, record: Record) -> None:
        mark = _mark("b")
        variables = {
            key: value for key, value in order.all_variables().items()
            if key in ("qdrant_unlock_timeouts", "qdrant_unlock_held_timeout")
        }  # fmt: skip
        played = self._player.play(variables, mark=mark, plain=order.plain)
        record.second = f"{played.how}, {played.seconds:.1f} s"
        record.outputs.append(played.output)
        if await_quiet(mark, seconds=_QUIET_SECONDS) is None:
            end(mark)
            record.broken.append(f"a process of the undisturbed run still lived {_QUIET_SECONDS:.0f} s after its end")
        if played.code:
            record.broken.append(f"the undisturbed run failed: {_message(played)}")
        healthy, points = worlds.healthy_points(self.sandbox)
        status = self.sandbox.status()
        record.broken += judgement.of_the_end(
            found=found, now=worlds.look(self.sandbox), healthy=healthy, points=points,
            seeded=status["points"], tasks=status["tasks"],
        )  # fmt: skip


def _mark(kind: str) -> str:
    return f"{kind}-{secrets.token_hex(8)}"


def _message(played: Played) -> str:
    """What a run said last, or why it failed."""
    failed = re.findall(r"\[ERROR\]: (.*?) Origin: ", played.text)
    return str(failed[-1] if failed else played.text[-400:])[:1500]
