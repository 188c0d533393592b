# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run costs, counted: calls to AWS, and modules, each of which is a process of a second. docs/performance.md
explains the figures; one that rises has to be explained there first, one that falls is noted here."""

from __future__ import annotations

from pathlib import Path

import pytest
from chaos.virtual.controller import controller
from chaos.virtual.stories import Story
from chaos.virtual.transport import Call

# Every look takes no time here: on AWS, where each takes some, there are fewer.
COUNTS = {
    # state, deregistration delay, when: (calls, modules that make them)
    ("stuck", 10.0, "needed"): (63, 6),
    ("healthy", 10.0, "always"): (59, 6),
    ("healthy", 30.0, "always"): (62, 6),
    ("healthy", 300.0, "always"): (143, 6),
    ("healthy", 10.0, "needed"): (10, 1),
}


@pytest.mark.parametrize(("state", "delay", "when"), COUNTS)
def test_a_run_costs_no_more_than_it_did(tmp_path: Path, state: str, delay: float, when: str) -> None:
    calls: list[str] = []
    with controller(tmp_path) as operator:
        Story(state=state, delay=delay).build(operator.world)

        def before(call: Call) -> None:
            calls.append(call.name)

        operator.around(before=before)
        played = operator.unlock("1", when=when)
        operator.around()
        assert not played.failed, played.msg
        assert operator.world.witness.broken == []
    most_calls, modules = COUNTS[state, delay, when]
    assert sum(played.steps.values()) == modules, played.steps
    if when == "always":
        # Preflight's look at who else is there is not lost where no other one is needed.
        phases = [phase["name"] for phase in played.facts["qdrant_unlock_result"]["phases"]]
        assert phases[:4] == ["preflight", "quiesce", "guard", "clean"]
    assert most_calls * 0.9 <= len(calls) <= most_calls, {name: calls.count(name) for name in sorted(set(calls))}
