# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The three rulebooks differ in where events come from and in what they start, and in nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
RULEBOOKS = {path.stem: path for path in (ROOT / "extensions/eda/rulebooks").glob("*.yml")}
PAGE = (ROOT / "docs/howto/eda.md").read_text()
# What AWS calls them in the sources' own options (ansible.eda 2, ansible-rulebook 1.3).
SOURCES = {
    "ansible.eda.aws_sqs_queue": {"name", "region", "delay_seconds"},
    "eda.builtin.webhook": {"host", "port", "token"},
}


def ruleset(name: str) -> dict[str, Any]:
    (found,) = yaml.safe_load(RULEBOOKS[name].read_text())
    return found


def actions(rule: dict[str, Any]) -> list[dict[str, Any]]:
    return rule.get("actions") or [rule["action"]]


def abstract(rule: dict[str, Any]) -> dict[str, Any]:
    """The rule with its playbook or job template reduced to the variables that it gets."""
    reduced = []
    for action in actions(rule):
        ((kind, given),) = action.items()
        if kind in {"run_playbook", "run_job_template"}:
            variables = given.get("extra_vars") or given["job_args"]["extra_vars"]
            # Where reports go is a question only where no AWX keeps them.
            reduced.append({"run": {name: variables[name] for name in set(variables) - {"qdrant_unlock_report_dir"}}})
        else:
            reduced.append(action)
    return {key: value for key, value in rule.items() if key not in {"action", "actions"}} | {"actions": reduced}


def test_the_rules_are_the_same() -> None:
    assert set(RULEBOOKS) == {"qdrant_unlock", "qdrant_unlock_webhook", "qdrant_unlock_awx"}
    first, *others = ([abstract(rule) for rule in ruleset(name)["rules"]] for name in sorted(RULEBOOKS))
    assert all(rules == first for rules in others)
    unlock = actions(ruleset("qdrant_unlock")["rules"][-1])[0]["run_playbook"]
    assert unlock["extra_vars"]["qdrant_unlock_report_dir"] == "{{ qdrant_eda_report_dir }}"
    assert ruleset("qdrant_unlock")["rules"] == ruleset("qdrant_unlock_webhook")["rules"]
    assert ruleset("qdrant_unlock_awx")["sources"] == ruleset("qdrant_unlock_webhook")["sources"]


@pytest.mark.parametrize("name", sorted(RULEBOOKS))
def test_every_event_goes_through_our_filter_and_no_run_is_confirmed(name: str) -> None:
    for source in ruleset(name)["sources"]:
        assert source["filters"] == [{"wwhd.qdrant_ops.ecs_stopped_task": None}]
        (kind,) = set(source) - {"name", "filters"}
        assert set(source[kind]) == SOURCES[kind]
    # Everything that starts something is held back, for each service by itself.
    runs = [rule for rule in ruleset(name)["rules"] if "run" in str(abstract(rule)["actions"])]
    assert [rule["throttle"]["once_within"] for rule in runs] == ["10 minutes", "60 minutes"]
    assert all(rule["throttle"]["group_by_attributes"][0].endswith(".service_arn") for rule in runs)
    assert "confirm" not in RULEBOOKS[name].read_text()


@pytest.mark.parametrize("name", sorted(RULEBOOKS))
def test_every_variable_is_on_the_page_and_every_playbook_exists(name: str) -> None:
    text = RULEBOOKS[name].read_text()
    variables = set(re.findall(r"qdrant_eda_\w+", text))
    assert variables
    names = [row.split(" | ")[0] for row in PAGE.splitlines() if row.startswith("| `qdrant_eda_")]
    table = set(re.findall(r"qdrant_eda_\w+", " ".join(names)))
    assert variables <= table
    for playbook in re.findall(r"default\('wwhd\.qdrant_ops\.(\w+)'\)", text):
        assert (ROOT / "playbooks" / f"{playbook}.yml").is_file()
