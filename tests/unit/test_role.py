# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role says in more than one place must be the same in each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock import cleaner, inputs

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "qdrant_unlock"


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


OPTIONS: dict[str, dict[str, Any]] = load(ROLE / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
DEFAULTS: dict[str, Any] = load(ROLE / "defaults" / "main.yml")


def test_defaults_and_argument_specs_are_in_step() -> None:
    described = {name: spec["default"] for name, spec in OPTIONS.items() if "default" in spec}
    computed = {"qdrant_unlock_report_dir"}  # depends on where Ansible runs, so that it has no literal default
    assert set(DEFAULTS) - computed == set(described)
    assert {name: DEFAULTS[name] for name in described} == described


def test_each_variable_has_the_prefix_and_a_description() -> None:
    for name, spec in OPTIONS.items():
        assert name.startswith("qdrant_unlock_")
        assert spec["description"], name
    required = {name for name, spec in OPTIONS.items() if spec.get("required")}
    assert required == {"qdrant_unlock_region", "qdrant_unlock_cluster", "qdrant_unlock_service"}


def test_timeouts_are_described_with_their_defaults() -> None:
    described = OPTIONS["qdrant_unlock_timeouts"]["options"]
    assert set(described) == set(inputs.DEFAULT_TIMEOUTS)
    for name, seconds in inputs.DEFAULT_TIMEOUTS.items():
        assert f"{seconds} if it is left out" in described[name]["description"]


def test_the_end_of_the_cleaners_report_is_what_the_wait_looks_for() -> None:
    wait = load(ROLE / "tasks" / "clean.yml")[-1]["wwhd.qdrant_ops.ecs_run_oneoff"]
    assert wait["log_end"] == cleaner.SUMMARY_MARK
    assert f"printf '{cleaner.SUMMARY_MARK}" in (ROLE / "files" / "cleaner.sh").read_text()


def test_the_table_of_contents_names_each_phase_in_its_order() -> None:
    text = (ROLE / "tasks" / "main.yml").read_text()
    named = re.findall(r"(?:import|include)_tasks: (\w+)\.yml", text)
    phases = ["preflight", "quiesce", "guard", "clean", "redeploy", "verify", "restore", "report"]
    assert named == [*phases[:1], "register", *phases[1:]]


@pytest.mark.parametrize("path", [ROOT / "README.md", *(ROOT / "playbooks").rglob("*.yml")], ids=lambda path: path.name)
def test_no_variable_is_named_that_the_role_does_not_have(path: Path) -> None:
    internal = r"(?<![_\w])qdrant_unlock_\w+"
    known = {*OPTIONS, "qdrant_unlock_result", "qdrant_unlock_diagnosis"}
    assert set(re.findall(internal, path.read_text())) - known == set()


def test_the_cleaners_script_fits_into_a_task_definition_and_its_values_into_overrides() -> None:
    assert len((ROLE / "files" / "cleaner.sh").read_bytes()) < 20_480  # of 64 KiB that a definition may have
    values = cleaner.overrides(
        scan_path="/" + "a" * 255,
        patterns=["x" * 60] * 40,
        mode="unlock",
        held="wait",
        held_timeout=180,
        run_id="unlock-20261123T120000Z-abcdef-abcdef",
        prune=["x" * 60] * 20,
    )
    assert len(str(values)) < 8192  # facts.md B.1
