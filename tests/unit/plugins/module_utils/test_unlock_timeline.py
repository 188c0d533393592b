# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a run: where everything stands."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.timeline import duration, timeline


def phase(name: str, at: int, seconds: float) -> dict[str, Any]:
    return {"name": name, "started": f"2026-11-23T12:{at // 60:02}:{at % 60:02}.000Z", "seconds": seconds}


PHASES = [phase("preflight", 0, 10.0), phase("quiesce", 10, 30.0), phase("verify", 90, 10.0)]


def test_phases_stand_where_and_as_long_as_they_were() -> None:
    made = timeline(PHASES, None)
    assert made
    assert [(row["name"], row["left"], row["width"]) for row in made["rows"]] == [
        ("preflight", 0, 10), ("quiesce", 10, 30), ("verify", 90, 10),
    ]  # fmt: skip
    assert [row["anchor"] for row in made["rows"]] == ["start", "start", "end"]
    assert made["rows"][2]["at"] == 100
    assert made["down"] is None
    # Room at the top is for the words on the downtime only.
    assert made["rows"][0]["y"] == 0
    assert [tick["text"] for tick in made["ticks"]] == ["0", "30 s", "60 s", "90 s"]
    assert made["title"] == "What the run did in 100 s"
    assert "quiesce from 10 s on, for 30 s" in made["description"]


@pytest.mark.parametrize(
    ("started", "seconds", "left", "right", "text"),
    [
        ("2026-11-23T12:00:10Z", 85.0, 10, 95, "down for 85 s"),
        (None, 85.0, 0, 95, "down before, healthy 85 s after the stop"),
        ("2026-11-23T12:00:10Z", None, 10, 100, "stopped, and not seen healthy again"),
        (None, None, 0, 100, "down, and not seen healthy again"),
    ],
)
def test_the_downtime_is_marked(started: str | None, seconds: float | None, left: int, right: int, text: str) -> None:
    made = timeline(PHASES, {"started": started, "stopped": "2026-11-23T12:00:10Z", "seconds": seconds})
    assert made
    down = made["down"]
    assert (down["left"], down["right"], down["text"]) == (left, right, text)
    assert down["stopped"] == 10
    assert f"The service: {text}." in made["description"]


def test_nothing_is_drawn_of_a_run_without_phases() -> None:
    assert timeline([], None) is None


@settings(max_examples=200, deadline=None, database=None)
@given(
    st.lists(st.tuples(st.integers(0, 3599), st.floats(0, 100_000)), min_size=1, max_size=8),
    st.one_of(st.none(), st.floats(0, 100_000)),
)
def test_nothing_leaves_the_picture(when: list[tuple[int, float]], seconds: float | None) -> None:
    phases = [phase("x", at, round(took, 1)) for at, took in when]
    made = timeline(phases, {"started": None, "stopped": phases[0]["started"], "seconds": seconds})
    assert made
    for drawn in (*made["rows"], made["down"]):
        assert drawn["left"] >= 0
        assert drawn["width"] > 0
        assert drawn["left"] + drawn["width"] <= 100.02
        assert 0 <= drawn["at"] <= 100
    assert 1 <= len(made["ticks"]) <= 7
    assert all(0 <= tick["at"] <= 100 for tick in made["ticks"])
    assert made["height"] > max(row["y"] for row in made["rows"]) + 30


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (4.25, "4.2 s"), (45.4, "45 s"), (119, "119 s"), (125, "2 min 5 s"), (180, "3 min"), (7200, "2 h"),
     (7500, "2 h 5 min")],
)  # fmt: skip
def test_a_duration_is_said_as_a_person_says_it(seconds: float, said: str) -> None:
    assert duration(seconds) == said
