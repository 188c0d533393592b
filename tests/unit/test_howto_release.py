# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/howto/release.md shows what docs/examples has, and names nothing that there is not.

The examples are run by tests/chaos/test_virtual_release.py and tests/integration/playbooks/test_release_examples.py.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.inputs import faults_of_inputs

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "howto" / "release.md").read_text()
EXAMPLES = {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / "docs" / "examples").glob("*.yml")}
MINE = {"release_with_unlock.yml", "stop_then_start.yml", "rolling_release.yml"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


def test_each_example_is_shown_as_it_is() -> None:
    shown = [yaml.safe_load(block) for block in blocks("yaml")]
    plays = [block for block in shown if isinstance(block, list)]
    assert all(play in EXAMPLES.values() for play in plays)
    assert all(EXAMPLES[name] in plays for name in MINE)
    (inventory,) = [block for block in shown if isinstance(block, dict)]
    assert list(inventory["all"]["children"]["rolling"]["children"]) == ["staging", "prod"]


def test_each_command_names_a_playbook_that_is_there_and_what_it_asks_for() -> None:
    commands = [line for block in blocks("console") for line in block.splitlines()]
    assert len(commands) == 4
    for line in commands:
        dollar, program, playbook, *words = shlex.split(line)
        assert (dollar, program) == ("$", "ansible-playbook")
        text = (ROOT / playbook).read_text()
        given = dict(word.split("=", 1) for word in words if "=" in word)
        own = {name for name in given if not name.startswith("qdrant_unlock_")}
        assert {name for name in ("env", "release") if f"{{{{ {name} " in text} == own
        options: dict[str, Any] = {"region": "us-west-2", "cluster": "c", "service": "s", "lock_patterns": ["LOCK"]}
        options |= {name.removeprefix("qdrant_unlock_"): value for name, value in given.items() if name not in own}
        assert faults_of_inputs({**options, "scan_path": "/"}, given=[], known={}, where="") == []
