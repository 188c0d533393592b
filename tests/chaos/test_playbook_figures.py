# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of figures: each place is filled from the JSON, and one that was written by hand is noticed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import reliability

PAGE = "Of <!-- random.runs -->7<!-- / --> runs <!-- random.kills -->x<!-- / --> were killed."
FIGURES = {"random": {"runs": 300, "kills": {"Ctrl-C": 3, "SIGTERM": 4}}}


def test_places_show_the_figures() -> None:
    page = reliability.filled(PAGE, FIGURES)
    assert (
        page
        == "Of <!-- random.runs -->300<!-- / --> runs <!-- random.kills -->Ctrl-C: 3, SIGTERM: 4<!-- / --> were killed."
    )
    assert reliability.filled(page, FIGURES) == page
    assert "<!-- random.runs -->not measured yet<!-- / -->" in reliability.filled(PAGE, {})


def test_a_figure_that_a_hand_changed_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reliability, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(reliability, "FIGURES", tmp_path / "figures.json")
    (tmp_path / "page.md").write_text(PAGE)
    reliability.record_figures("random", FIGURES["random"])
    monkeypatch.setattr(sys, "argv", ["reliability.py", "--check"])
    assert reliability.main() == 0
    page = tmp_path / "page.md"
    page.write_text(page.read_text().replace("300", "3000"))
    assert reliability.main() == 1
