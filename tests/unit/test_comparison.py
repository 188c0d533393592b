# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/comparison.md: each row is filled here, and shown by a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "comparison.md").read_text()
WORDS = re.compile(r"yes|no|\?|partly \((\d+)\)")


def rows() -> list[list[str]]:
    lines = [line for line in TEXT.split("\n## ", 1)[0].splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return [row for row in cells if not row[0].startswith("**")]


ROWS = rows()
NOTES = {int(number) for number in re.findall(r"^(\d+)\. ", TEXT, re.MULTILINE)}


def shown(where: str) -> bool:
    """Whether it is a test function that is there, or a target."""
    path, _colons, name = where.partition("::")
    if name:
        return (ROOT / path).is_file() and f"\ndef {name}(" in (ROOT / path).read_text()
    return (ROOT / path / "tasks" / "main.yml").is_file()


def test_there_are_rows() -> None:
    assert len(ROWS) > 30
    assert {len(row) for row in ROWS} == {8}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_is_filled_here_and_shown_by_a_test(row: list[str]) -> None:
    _feature, here, *others, by = row
    assert here == "yes"
    tests = re.findall(r"`([^`]+)`", by)
    assert tests
    assert [test for test in tests if not shown(test)] == []
    assert [word for word in others if not WORDS.fullmatch(word)] == []


def test_notes_and_cells_belong_together() -> None:
    named = {int(found[1]) for row in ROWS for cell in row if (found := WORDS.fullmatch(cell)) and found[1]}
    assert named == NOTES


def test_a_test_that_is_not_there_is_seen() -> None:
    assert not shown("tests/unit/test_comparison.py::test_no_such_test")
    assert not shown("tests/integration/targets/no_such_target")
    assert shown("tests/unit/test_comparison.py::test_there_are_rows")
