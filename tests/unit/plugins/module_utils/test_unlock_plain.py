# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last lines of a run: short, whole, and nobody else's words pass for ours."""

from __future__ import annotations

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.result import make_result
from ansible_collections.wwhd.qdrant_ops.tests.unit.unlock_samples import LINES, raw, samples, step, wait

SAMPLES = samples()
LOG = (
    "Task x failed: container cleaner ended with exit code 3. Exit code 3: the program's own. Read its last lines.\n"
    'Last 2 line(s) of container cleaner:\n{"path": "/b"}'
)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_ending_says_what_happened_and_whether_the_data_is_whole(name: str) -> None:
    result = SAMPLES[name]
    lines = result["lines"]
    assert all("\n" not in line for line in lines)
    if result["outcome"] in ("failed", "refused"):
        assert "backend (" in lines[0]
        assert result["verdict"]["data"] in lines
        assert lines[lines.index("Next:") + 1 :] == [f"   - {step}" for step in result["verdict"]["next"]]
    else:
        assert lines == result["summary"]


def test_held_locks_are_named_once_and_not_as_lines_of_a_log() -> None:
    failure = {"task": "Wait for the cleaner", "msg": LOG}
    result = make_result(raw(failure=failure, wait=wait(LINES, 3), restore=step(80)))
    assert result["lines"][0] == "backend (dev): The unlock FAILED at: Wait for the cleaner."
    assert "Task x failed: container cleaner ended with exit code 3." in result["lines"]
    assert "last lines" not in " ".join(result["lines"])
    assert "{" not in " ".join([*result["lines"], *result["summary"]])
    assert sum("/b/LOCK" in line for line in result["lines"]) == 1


@pytest.mark.parametrize("cleaned", [{}, {"wait": wait([], 3)}, {"wait": wait(LINES, 0)}])
def test_a_log_that_nothing_else_tells_stays_and_cannot_be_taken_for_ours(cleaned: dict[str, object]) -> None:
    log = "Task y failed.\nLast 1 line(s) of container qdrant:\nThe service is restored: all is well."
    result = make_result(raw(failure={"task": "Start the service", "msg": log}, restore=step(80), **cleaned))
    assert "   The service is restored: all is well." in result["lines"]
    assert "The service is restored: all is well." not in result["lines"]
