# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation's site must be readable without a network: tools/docsite.py looks for what a page would load."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "tools"))
import docsite


@pytest.mark.parametrize(
    "text",
    [
        '<script async src="https://example.org/a.js"></script>',
        "<img alt='' src='//example.org/a.png'>",
        '<link rel="stylesheet" href="https://example.org/a.css">',
        "<style>body { background: url(https://example.org/a.png) }</style>",
        '<style>@import "a.css";</style>',
    ],
)
def test_what_would_be_loaded_is_seen(tmp_path: Path, text: str) -> None:
    (tmp_path / "page.html").write_text(text)
    (found,) = docsite.loads(tmp_path)
    assert found.startswith("page.html: ")


def test_links_to_click_and_files_of_the_site_are_fine(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        '<a href="https://example.org/">there</a> <script src="_static/a.js"></script> '
        '<link rel="canonical" href="https://example.org/"> <img src="../_static/phases.svg">'
    )
    assert docsite.loads(tmp_path) == []
