# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pair of tools/matrix.py: the oldest ansible-core that we support, with modules on the oldest Python."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from integration.plays import configuration

from sandbox.client import Sandbox

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))
import matrix


@pytest.mark.outside_iam("a target uses more of the modules than the playbooks do")
def test_the_oldest_of_both(sandbox_session: Sandbox) -> None:
    try:
        oldest = matrix.core(matrix.CORES[0])
        matrix.module_python(matrix.PYTHONS[0])
    except matrix.MissingError as error:
        pytest.skip(f"not tried: {error}")
    pair = matrix.attempt(
        oldest, matrix.PYTHONS[0], targets=matrix.DEFAULT_TARGETS, settings=configuration(sandbox_session), doc=True
    )
    assert pair.word == "works"


def test_a_pair_or_a_core_can_be_named() -> None:
    assert matrix.chosen(["2.17/3.9", "2.17/3.10", "2.18"]) == [("2.17", ("3.9", "3.10")), ("2.18", matrix.PYTHONS)]
    assert [minor for minor, _pythons in matrix.chosen([])] == list(matrix.CORES)


def test_the_table_says_what_was_not_tried() -> None:
    core = matrix.Core("2.17.14", "3.12", Path(), ("3.9",))
    (_head, _line, row) = matrix.table([matrix.Pair(core, "3.9", "works"), matrix.Pair(core, "3.13", "unsupported")])
    assert row == "| 2.17.14 (3.12) | works | not tried | not tried | not tried | unsupported |"
