# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role qdrant_prevent says in more than one place must be the same in each; and its page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._prevent import inputs, measure

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "qdrant_prevent"
PAGE = (ROOT / "docs" / "howto" / "prevent.md").read_text()


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


OPTIONS: dict[str, dict[str, Any]] = load(ROLE / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]
DEFAULTS: dict[str, Any] = load(ROLE / "defaults" / "main.yml")
# What the inventory says for qdrant_unlock, so that it has no literal default.
TAKEN_OVER = {f"qdrant_prevent_{name}" for name in ("region", "cluster", "service", "aws", "container", "protected")}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_defaults_and_argument_specs_are_in_step() -> None:
    described = {name: spec["default"] for name, spec in OPTIONS.items() if "default" in spec}
    assert set(OPTIONS) == set(DEFAULTS)
    assert set(DEFAULTS) - TAKEN_OVER == set(described)
    assert {name: DEFAULTS[name] for name in described} == described
    for name in TAKEN_OVER:
        assert name.replace("prevent", "unlock") in DEFAULTS[name]
        assert name.replace("prevent", "unlock") in str(OPTIONS[name]["description"])


def test_each_measure_is_described_with_its_default_in_the_specs_and_on_the_page() -> None:
    described = OPTIONS["qdrant_prevent_measures"]["options"]
    assert list(described) == list(inputs.MEASURES) == list(measure.TITLES)
    for name, on in inputs.MEASURES.items():
        text = " ".join(" ".join(described[name]["description"]).split())
        assert f"V({str(on).lower()}) if it is left out" in text
        assert re.search(rf"^\| `{name}` \| {'on' if on else 'off'} \|", PAGE, re.MULTILINE), name


def test_the_health_check_is_described_with_its_defaults() -> None:
    described = OPTIONS["qdrant_prevent_health_check"]["options"]
    assert set(described) == set(inputs.HEALTH_CHECK)
    for name, value in inputs.HEALTH_CHECK.items():
        assert f"{value} if it is left out" in described[name]["description"]


def test_the_exclusive_rollout_comes_before_what_may_be_deployed() -> None:
    text = (ROLE / "tasks" / "main.yml").read_text()
    assert re.findall(r"import_tasks: (\w+)\.yml", text) == [
        "preflight", "settings", "access_point", "definition", "deploy", "report",
    ]  # fmt: skip
    first = load(ROLE / "tasks" / "settings.yml")[0]["wwhd.qdrant_ops.ecs_service_settings"]
    assert first["deployment_configuration"] == {"minimum_healthy_percent": 0, "maximum_percent": 100}
    assert first["availability_zone_rebalancing"] is False


def test_no_variable_is_named_that_the_role_does_not_have() -> None:
    for text in (PAGE, (ROOT / "playbooks" / "prevent.yml").read_text()):
        assert set(re.findall(r"(?<![_\w])qdrant_prevent_\w+", text)) - {*OPTIONS, "qdrant_prevent_result"} == set()


@pytest.mark.parametrize("text", blocks("yaml"))
def test_a_block_of_the_page_is_what_the_role_takes(text: str) -> None:
    given = {name.removeprefix("qdrant_prevent_"): value for name, value in yaml.safe_load(text).items()}
    place = {"region": "us-west-2", "cluster": "c", "service": "s"}
    names = [f"qdrant_prevent_{name}" for name in given]
    assert inputs.faults_of_inputs({**place, **given}, given=names, known=list(OPTIONS), where="here") == []


def test_the_page_has_what_it_promises() -> None:
    # tests/integration/playbooks/test_prevent.py runs the commands.
    assert len(blocks("yaml")) >= 2
    assert blocks("console")
