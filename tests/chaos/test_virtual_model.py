# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Random stories, each reproducible by its seed.

CHAOS_STEPS=10000 .venv/bin/pytest tests/chaos/test_virtual_model.py -s        # as many modules as that, at least
CHAOS_SEED=17 .venv/bin/pytest tests/chaos/test_virtual_model.py -s            # one story, told
CHAOS_FIRST=5000 ...                                                           # other stories than the usual ones
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from pathlib import Path

from chaos.virtual.chaos import Ending, happen
from chaos.virtual.stories import draw

# A few seconds' worth of modules: this is the part of the normal suite.
_QUICK_STEPS = "120"
_FIRST = "1"
_TOLD_EVERY = 50
_FIGURES = (
    "stories",
    "runs",
    "steps",
    "kills",
    "faults",
    "watchdogs",
    "watchdogs restored",
    "judged",
    "prevents",
    "failures",
)


def _one(folder: Path, seed: int) -> Ending:
    place = folder / str(seed)
    place.mkdir()
    try:
        ending = happen(place, draw(seed), seed=seed)
    except BaseException as error:
        error.add_note(f"seed {seed}: {draw(seed)}")
        raise
    shutil.rmtree(place)
    return ending


def _figures(first: int, following: int, counts: Counter[str], started: float) -> str:
    told = ", ".join(f"{name} {counts[name]}" for name in _FIGURES)
    return f"seeds {first} to {following - 1}: {told}; {time.monotonic() - started:.1f} s"


def test_whatever_happens_nothing_is_lost_and_the_next_run_finishes(tmp_path: Path) -> None:
    chosen = os.environ.get("CHAOS_SEED")
    steps = int(os.environ.get("CHAOS_STEPS", _QUICK_STEPS))
    first = int(os.environ.get("CHAOS_SEED", os.environ.get("CHAOS_FIRST", _FIRST)))
    counts: Counter[str] = Counter()
    broken: list[str] = []
    started = time.monotonic()
    seed = first
    while counts["steps"] < (1 if chosen else steps):
        ending = _one(tmp_path, seed)
        counts += ending.counts
        counts["stories"] += 1
        if chosen:
            print(f"\nseed {seed}: {draw(seed)}", *ending.told, sep="\n  ")
        if ending.broken:
            counts["failures"] += 1
            broken += [f"seed {seed}: {sentence}" for sentence in ending.broken]
            print(f"\nseed {seed} broke:", *ending.broken, sep="\n  ", flush=True)
        seed += 1
        if counts["stories"] % _TOLD_EVERY == 0:
            print(_figures(first, seed, counts, started), flush=True)
    print(f"\n{_figures(first, seed, counts, started)}")
    assert counts["steps"] > 0
    assert broken == []
