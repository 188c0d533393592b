# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kill table: the controller dies before and after each single call of the main job, one by one.

The normal suite takes the calls that write, of one world, and one way to die; `CHAOS_TABLE=all` is the whole table:

    CHAOS_TABLE=all .venv/bin/pytest tests/chaos/test_virtual_kills.py -s -n 2
    CHAOS_TABLE=writes ...                  # all worlds and ways to die, but only at calls that write
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chaos.virtual.chaos import happen
from chaos.virtual.stories import KILLS, WRITES, Story, Trouble

_CHOSEN = os.environ.get("CHAOS_TABLE")
_ALL = _CHOSEN in ("all", "writes")
_ALWAYS: tuple[dict[str, Any], ...] = ({"when": "always", "held_timeout": 120},)
_OPEN = (False, False, False)
_RELEASE = {**_ALWAYS[0], "images": {"fastapi": "wwhd/backend:2"}}
_BROKEN = {**_ALWAYS[0], "images": {"fastapi": "wwhd/backend:missing"}, "timeouts": {"redeploy": 300}}
_NEWER = {**_ALWAYS[0], "images": {"qdrant": "qdrant/qdrant:v1.8.0"}}
_PAUSE = ({"work": "stop"}, {"work": "start", "after": 150})
_PREVENT = ({"work": "prevent", "deploy": True}, {**_ALWAYS[0], "after": 3})
WORLDS = {
    "stuck": Story(state="stuck", lease=60.0, options=_ALWAYS),
    "stuck, scaled": Story(state="stuck", lease=60.0, options=_ALWAYS, scaling=(1, 3, _OPEN), autoscaler=True),
    "stuck, scaled, watched": Story(
        state="stuck", lease=60.0, options=_ALWAYS, scaling=(1, 3, _OPEN), autoscaler=True, watched=True
    ),
    "healthy, scaled in part": Story(state="healthy", options=_ALWAYS, scaling=(1, 2, (True, False, False))),
    "stopped, scaled": Story(state="stopped", options=_ALWAYS, scaling=(0, 2, _OPEN)),
    "stopped, all suspended": Story(state="stopped", options=_ALWAYS, scaling=(1, 2, (True, True, True))),
    "stuck, released": Story(state="stuck", lease=60.0, options=(_RELEASE,), scaling=(1, 3, _OPEN)),
    "healthy, newer Qdrant, watched": Story(state="healthy", options=(_NEWER,), watched=True),
    "healthy, broken release": Story(state="healthy", options=(_BROKEN,), scaling=(1, 2, _OPEN)),
    "healthy, broken release, watched": Story(state="healthy", options=(_BROKEN,), watched=True),
    "healthy, stopped and started": Story(
        state="healthy",
        options=({"work": "stop"}, {"work": "start", "after": 150}),
        scaling=(1, 2, _OPEN),
        watched=True,
    ),
    "healthy, prevented and unlocked": Story(
        state="healthy",
        options=({"work": "prevent", "deploy": True}, {**_ALWAYS[0], "after": 3}),
        scaling=(1, 3, _OPEN),
    ),
}
# A whole run writes at least as often as that.
_FEWEST = 7
_QUICK = ("stuck, scaled",)


@pytest.mark.parametrize("kind", KILLS if _ALL else ("kill_after",))
@pytest.mark.parametrize("world", [name for name in WORLDS if _ALL or name in _QUICK])
def test_a_run_that_is_killed_at_any_call_is_finished_by_the_next_one(world: str, kind: str, tmp_path: Path) -> None:
    story = WORLDS[world]
    calls = happen(_made(tmp_path / "whole"), story).calls
    assert {"ecs:UpdateService", "ecs:RunTask", "ecs:UntagResource"} <= set(calls)
    broken: list[str] = []
    cells = 0
    started = time.monotonic()
    for number, name in enumerate(calls, start=1):
        if _CHOSEN != "all" and name not in WRITES:
            continue
        ending = happen(_made(tmp_path / str(number)), replace(story, troubles=(Trouble(kind, number),)))
        assert ending.counts["kills"] == 1
        assert ending.calls[number - 1] == name, "the same world and seed must make the same calls"
        cells += 1
        broken += [f"{kind} {number} {name}: {sentence}" for sentence in ending.broken]
    print(f"\n{world}, {kind}: {cells} cells, {len(broken)} broken, {time.monotonic() - started:.1f} s")
    assert cells >= _FEWEST
    assert broken == []


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
