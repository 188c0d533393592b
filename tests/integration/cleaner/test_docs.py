# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/cleaner.md: its variables are accepted, its command runs, and what it says of other defaults is so."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.inputs import DEFAULT_TIMEOUTS, faults_of_inputs

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "cleaner.md").read_text()
DEFAULTS = yaml.safe_load((ROOT / "roles" / "qdrant_unlock" / "defaults" / "main.yml").read_text())
KNOWN = yaml.safe_load((ROOT / "roles" / "qdrant_unlock" / "meta" / "argument_specs.yml").read_text())
REQUIRED = {"qdrant_unlock_region": "us-west-2", "qdrant_unlock_cluster": "c", "qdrant_unlock_service": "s"}


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    assert found
    return found


@pytest.mark.parametrize("block", blocks("yaml"))
def test_its_variables_are_accepted(block: str) -> None:
    given = yaml.safe_load(block)
    options = {name.removeprefix("qdrant_unlock_"): value for name, value in {**DEFAULTS, **REQUIRED, **given}.items()}
    known = KNOWN["argument_specs"]["main"]["options"]
    assert faults_of_inputs(options, given=given, known=known, where="") == []


@pytest.mark.parametrize("block", blocks("console"))
def test_its_command_runs(block: str) -> None:
    done = subprocess.run(
        block.removeprefix("$ ").split(), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"dash +cleaner +wall .* memory +\d.*", done.stdout), done.stdout


def test_what_it_says_of_the_time_is_so() -> None:
    assert f"{{clean: {DEFAULT_TIMEOUTS['clean']}}}" in TEXT
