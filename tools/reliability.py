# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of docs/reliability.md: kept in docs/reliability.json by the tools that measured them, shown in the page.

The page has a place for each: `<!-- random.runs -->300<!-- / -->`. `tools/reliability.py` fills them again from the
JSON; `--check` says whether they agree.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from environment import ROOT

PAGE = ROOT / "docs" / "reliability.md"
FIGURES = ROOT / "docs" / "reliability.json"
_PLACE = re.compile(r"<!-- ([a-z_]+(?:\.[A-Za-z_ -]+)+) -->(.*?)<!-- / -->", re.DOTALL)
UNMEASURED = "not measured yet"


def filled(page: str, figures: dict[str, Any]) -> str:
    """The page with each place showing its figure."""

    def figure(place: re.Match[str]) -> str:
        found: Any = figures
        for part in place[1].split("."):
            found = found.get(part) if isinstance(found, dict) else None
        return f"<!-- {place[1]} -->{shown(found)}<!-- / -->"

    return _PLACE.sub(figure, page)


def shown(figure: Any) -> str:
    if figure is None:
        return UNMEASURED
    if isinstance(figure, dict):
        return ", ".join(f"{name}: {shown(value)}" for name, value in figure.items())
    return "; ".join(map(shown, figure)) if isinstance(figure, list) else str(figure)


def read_figures() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    return found


def record_figures(name: str, figures: dict[str, Any]) -> None:
    """Keep what was measured under `name`, and show it in the page."""
    FIGURES.write_text(json.dumps({**read_figures(), name: figures}, indent=2, sort_keys=True) + "\n")
    PAGE.write_text(filled(PAGE.read_text(), read_figures()))


def main() -> int:
    page = PAGE.read_text()
    wanted = filled(page, read_figures())
    if "--check" not in sys.argv:
        PAGE.write_text(wanted)
        return 0
    if page != wanted:
        print("docs/reliability.md shows other figures than docs/reliability.json: run tools/reliability.py")
    return int(page != wanted)


if __name__ == "__main__":
    sys.exit(main())
