# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The complete kill table: the machine dies at each single API call of a run, one run a call.

Rows `before:n` die at the n-th call, which has no effect; rows `after:k` die right after the k-th writing call took
effect. What comes after the last call of a run is told by a run that ends before it is struck.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from chaos.playbook_orders import Kill, Order
from chaos.playbook_stage import Record, Stage
from chaos.playbook_worlds import Scaling, World

# One switch was thrown before: only an exact restoration leaves it so, and the two others not.
_SCALING = Scaling(1, 1, ("ScheduledScalingSuspended",))
# The lease outlasts what comes before the cleaner also on a busy machine, or the service would heal by itself.
_LEASE = 12.0
WORLDS: Mapping[str, Order] = {
    "stuck": Order("", World("stuck", lease=_LEASE, scaling=_SCALING)),
    "healthy": Order("", World("healthy", scaling=_SCALING), {"qdrant_unlock_when": "always"}),
}
# How far the number of looks may differ from one run to the next.
_AT_LEAST = 0.75


def row(world: str, *, before: int | None = None, after: int | None = None) -> Order:
    base = WORLDS[world]
    if before is not None:
        kill, name = Kill("machine dies", before), f"{world}:before:{before}"
    else:
        assert after is not None
        kill, name = Kill("machine dies", after, after=True, writes=True), f"{world}:after:{after}"
    return Order(name, base.world, base.variables, kill=kill)


class Table:
    """Hands out the rows, and knows when each part is complete. Several threads ask it."""

    def __init__(self, worlds: Iterable[str] = tuple(WORLDS), *, done: Mapping[str, Record] | None = None) -> None:
        self._lock = threading.Lock()
        self._done = dict(done or {})
        # By world and kind of row: the next number, and the least number of rows (None: not counted yet).
        self._next = {(world, kind): 1 for world in worlds for kind in ("before", "after")}
        self._least: dict[tuple[str, str], int] = {}
        self._ended: set[tuple[str, str]] = set()

    def count(self, stage: Stage) -> None:
        """Learns from one undisturbed run in each world how many calls there are to die at."""
        for world in sorted({world for world, _kind in self._next}):
            calls = stage.count_calls(WORLDS[world])
            self._least[world, "before"] = len(calls)
            self._least[world, "after"] = sum(1 for call in calls if call["writes"])

    @property
    def least(self) -> int:
        return sum(self._least.values())

    def next(self) -> Order | None:
        """A row that is not done yet; None when the table is complete."""
        with self._lock:
            for part in self._next:
                while part not in self._ended:
                    number, world, kind = self._next[part], *part
                    self._next[part] += 1
                    order = row(world, **{kind: number})
                    if order.name not in self._done:
                        return order
                    self._learn(self._done[order.name])
        return None

    def done(self, record: Record) -> None:
        """Takes a row's record; marks it broken where the run was not struck though it should have been."""
        with self._lock:
            self._learn(record)

    def _learn(self, record: Record) -> None:
        world, kind, number = record.name.split(":")
        if record.killed_at is None:
            if int(number) <= self._least[world, kind] * (_AT_LEAST if kind == "before" else 1):
                record.broken.append(f"the run ended before it was struck, after {record.calls} calls")
            else:
                self._ended.add((world, kind))


def text(records: Iterable[Record]) -> str:
    """The table, one line a row that was struck, in the order of the calls."""

    def place(record: Record) -> tuple[str, str, int]:
        world, kind, number = record.name.split(":")
        return world, kind, int(number)

    lines = [f"{'row':<20} {'call':<32} {'undisturbed run':<22} verdict"]
    for record in sorted((record for record in records if record.killed_at), key=place):
        verdict = "; ".join(record.broken) or "ok"
        lines.append(f"{record.name:<20} {record.killed_at:<32} {record.second:<22} {verdict}")
    return "\n".join(lines) + "\n"
