# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every module's EXAMPLES against its own argument spec. tests/integration/test_examples.py runs them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

COLLECTION = "wwhd.qdrant_ops"
MODULES = sorted(path.stem for path in (Path(__file__).parents[2] / "plugins" / "modules").glob("*.py"))
# What amazon.aws adds to a module's spec; `region` is the only one of these that an example names.
AWS = {"region": {"type": "str"}}


class Captured(Exception):
    """What a module gives to AnsibleModule or AnsibleAWSModule."""

    def __init__(self, *_positional: Any, **keywords: Any) -> None:
        super().__init__()
        self.keywords = keywords


def spec_of(module: str) -> dict[str, Any]:
    found = importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.modules.{module}")
    if not hasattr(found, "main"):
        # An action without a module behind it: that file has its documentation only.
        action = importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.action.{module}")
        return {"argument_spec": action.ARGUMENTS}
    name = "AnsibleAWSModule" if hasattr(found, "AnsibleAWSModule") else "AnsibleModule"

    def capture(*positional: Any, **keywords: Any) -> None:
        raise Captured(*positional, **keywords)

    with mock.patch.object(found, name, capture), pytest.raises(Captured) as captured:
        found.main()
    keywords = captured.value.keywords
    if name == "AnsibleAWSModule":
        keywords["argument_spec"] = {**keywords["argument_spec"], **AWS}
    return keywords


def validator(keywords: dict[str, Any]) -> ArgumentSpecValidator:
    conditions = ("mutually_exclusive", "required_together", "required_one_of", "required_if", "required_by")
    return ArgumentSpecValidator(
        keywords["argument_spec"], **{name: keywords[name] for name in conditions if name in keywords}
    )


def examples_of(module: str) -> list[dict[str, Any]]:
    found = importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.modules.{module}")
    tasks: list[dict[str, Any]] = yaml.safe_load(found.EXAMPLES)
    return tasks


def flat(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in tasks:
        yield task
        for section in ("block", "rescue", "always"):
            yield from flat(task.get(section, []))


def uses(module: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The name of each task among the examples that is a module of ours, that module, and its arguments."""
    for task in flat(examples_of(module)):
        for key, value in task.items():
            if key.startswith(f"{COLLECTION}."):
                yield task["name"], key.removeprefix(f"{COLLECTION}."), value


def stand_in(option: dict[str, Any]) -> Any:
    """A value of the option's type, for one that is a template and known only when it runs."""
    if option.get("choices"):
        return option["choices"][0]
    inner = {name: stand_in(each) for name, each in option.get("options", {}).items() if each.get("required")}
    known = {"dict": inner, "list": [], "int": 1, "float": 1.0, "bool": True}
    return known.get(option.get("type", "str"), "text")


def without_templates(arguments: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    by_name = {**options, **{alias: option for option in options.values() for alias in option.get("aliases", [])}}
    return {
        name: stand_in(by_name.get(name, {})) if isinstance(value, str) and "{{" in value else value
        for name, value in arguments.items()
    }


CASES = [(module, *use) for module in MODULES for use in uses(module)]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_examples_of_itself_and_each_task_a_name(module: str) -> None:
    assert module in [used for _name, used, _arguments in uses(module)]
    assert [task for task in flat(examples_of(module)) if not task.get("name")] == []


@pytest.mark.parametrize(("module", "name", "used", "arguments"), CASES, ids=lambda value: str(value)[:60])
def test_an_example_is_what_the_module_takes(module: str, name: str, used: str, arguments: dict[str, Any]) -> None:
    keywords = spec_of(used)
    result = validator(keywords).validate(without_templates(arguments, keywords["argument_spec"]))
    assert result.error_messages == [], f"{module}: {name}"


def test_an_option_that_does_not_exist_is_seen() -> None:
    keywords = spec_of("http_health")
    result = validator(keywords).validate({"url": "http://localhost", "uri": "x"})
    assert any("uri" in message for message in result.error_messages)
