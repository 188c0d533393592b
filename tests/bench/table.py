# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's figures as a table, each beside its ratio to the reference of the same round. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

# Name of a figure, its heading, what it is divided by for people, and its decimals.
FIGURES = (
    ("wall", "wall, s", 1, 1),
    ("downtime", "downtime, s", 1, 1),
    ("calls", "API calls", 1, 0),
    ("processor", "processor, s", 1, 1),
    ("memory", "memory, MB", 1_000_000, 0),
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """One contender's run in one round. `whole`: it ended with 0, the service is healthy, no point is lost."""

    state: str
    contender: str
    round: int
    wall: float
    downtime: float
    calls: int
    processor: float
    memory: int
    whole: bool

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def ratios(runs: Sequence[Run], *, figure: str, reference: str) -> dict[str, list[float]]:
    """Contender to the ratios of its figure to the reference's, a ratio a round in which both have run."""
    base = {run.round: getattr(run, figure) for run in runs if run.contender == reference}
    found: dict[str, list[float]] = {}
    for run in runs:
        if base.get(run.round):
            found.setdefault(run.contender, []).append(getattr(run, figure) / base[run.round])
    return found


def _spread(values: Sequence[float], decimals: int) -> str:
    middle = f"{median(values):.{decimals}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.{decimals}f} to {max(values):.{decimals}f})"


def _cell(runs: Sequence[Run], figure: str, unit: float, decimals: int, compared: Sequence[float]) -> str:
    shown = _spread([getattr(run, figure) / unit for run in runs], decimals)
    return f"{shown}: **{_spread(compared, 2)}**" if compared else shown


def rows(runs: Sequence[Run], *, reference: str) -> list[list[str]]:
    """A row a contender, in the order in which they first ran: median (least to most): ratio (least to most)."""
    compared = {name: ratios(runs, figure=name, reference=reference) for name, *_rest in FIGURES}
    made = []
    for contender in dict.fromkeys(run.contender for run in runs):
        own = [run for run in runs if run.contender == contender]
        broken = sum(not run.whole for run in own)
        cells = [
            _cell(own, name, unit, decimals, compared[name].get(contender, []))
            for name, _heading, unit, decimals in FIGURES
        ]
        made.append([contender + (f" ({broken} of {len(own)} FAILED)" if broken else ""), *cells])
    return made


def markdown(runs: Sequence[Run], *, reference: str) -> str:
    """A table a state."""
    parts = []
    for state in dict.fromkeys(run.state for run in runs):
        own = [run for run in runs if run.state == state]
        heading = ["", *(heading for _name, heading, *_rest in FIGURES)]
        lines = [heading, ["---"] * len(heading), *rows(own, reference=reference)]
        rounds = len({run.round for run in own})
        parts.append(
            f"A service that is {state}, {rounds} round(s):\n\n"
            + "\n".join("| " + " | ".join(line) + " |" for line in lines)
        )
    return "\n\n".join(parts) + "\n"


def read(entries: Sequence[Mapping[str, Any]]) -> list[Run]:
    return [Run(**entry) for entry in entries]


__all__ = ["FIGURES", "Run", "markdown", "ratios", "read", "rows"]
