# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each way in which a run can end has a verdict of its own."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.tests.unit.unlock_samples import samples

SAMPLES = samples()
# sample: outcome, tone, and words of the headline, of the data and of what to do next
VERDICTS: dict[str, tuple[str, str, str, str, str]] = {
    "unlocked": ("unlocked", "good", "healthy again", "The data is whole: 300 points", "Nothing has to be done now"),
    "up_before": ("unlocked", "good", "healthy again", "the same as before the run", "Nothing has to be done now"),
    "data_differs": ("unlocked", "warn", "healthy again", "gone: 7 before, none now", "restore the collection"),
    "not_counted": ("unlocked", "good", "healthy again", "were not counted", "set qdrant_unlock_qdrant_url"),
    "held": ("failed", "bad", "FAILED at: Wait for the cleaner", "No file but lock files", "Find who holds the locks"),
    "redeploy_failed": ("failed", "bad", "FAILED at: Start", "No file but lock files", "what made the new tasks fail"),
    "refused": ("refused", "bad", "stopped before it had changed anything", "Untouched", "Do what the message says"),
    "refused_at_once": ("refused", "bad", "before it had changed anything", "Untouched", "diagnose.yml -e env=dev"),
    "nothing_to_do": ("nothing_to_do", "good", "Nothing to do", "Untouched", "the cause is elsewhere"),
    "check": ("check", "neutral", "Check mode: wwhd-backend (dev) would be", "Untouched", "run it without --check"),
    "inspected": ("inspected", "neutral", "8 lock files found: 3 held, 4 free", "Untouched", "playbooks/unlock.yml"),
    "restored": ("restored", "good", "what an unfinished unlock had left", "Untouched", "Nothing has to be done"),
    "not_all_restored": ("failed", "warn", "not all that the run had changed", "whole", "Run this again"),
    "unfinished": ("unfinished", "warn", "has not come to its end", "Not known yet", "run the unlock again"),
    "interrupted": ("interrupted", "bad", "was interrupted", "Not verified", "Run the unlock again"),
}


def test_every_sample_has_its_verdict() -> None:
    assert set(VERDICTS) == set(SAMPLES)


@pytest.mark.parametrize("name", VERDICTS)
def test_the_verdict(name: str) -> None:
    result = SAMPLES[name]
    outcome, tone, headline, data, then = VERDICTS[name]
    verdict = result["verdict"]
    assert (result["outcome"], verdict["tone"]) == (outcome, tone)
    assert headline in verdict["headline"]
    assert data in verdict["data"]
    assert then in " ".join(verdict["next"])
    assert result["summary"]
    assert all(sentence.endswith((".", "*")) for sentence in (verdict["headline"], verdict["data"], *verdict["next"]))


def test_a_refusal_tells_the_message_once_and_shows_nothing_of_later_phases() -> None:
    result = SAMPLES["refused"]
    assert " ".join(result["summary"]).count("Nothing was changed.") == 1
    assert "pass -e confirm=prod" in result["summary"][0]
    assert [phase["name"] for phase in result["phases"]] == ["preflight"]
    assert result["changed"] is False
    assert result["locks"]["found"] == []
    assert result["deployment"] is None
    assert SAMPLES["refused_at_once"]["summary"][-1] == "Nothing was changed."


@pytest.mark.parametrize(
    ("name", "outage"),
    [
        ("unlocked", {"started": None, "stopped": "2026-11-23T12:00:05.000Z", "seconds": 64.0}),
        ("up_before", {"started": "2026-11-23T12:00:05.000Z", "stopped": "2026-11-23T12:00:05.000Z", "seconds": 64.0}),
        ("held", {"started": None, "stopped": "2026-11-23T12:00:05.000Z", "seconds": None}),
        ("check", None),
        ("refused", None),
        ("nothing_to_do", None),
        ("restored", None),
    ],
)
def test_what_is_marked_as_downtime(name: str, outage: dict[str, Any] | None) -> None:
    assert SAMPLES[name]["outage"] == outage


def test_what_the_watchdog_said_is_in_the_verdict_of_an_interrupted_run() -> None:
    assert SAMPLES["interrupted"]["summary"][-1].endswith("The service is restored: desired count 1.")
    assert SAMPLES["interrupted"]["run_id"] == SAMPLES["unfinished"]["run_id"]
