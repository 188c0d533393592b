# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role qdrant_awx by its files: its variables, its modules' arguments, its credential types, its playbooks."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from jinja2 import StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._awx.plan import make_plan
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._awx.surveys import KINDS

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "qdrant_awx"
OPTIONS: dict[str, dict[str, Any]] = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())[
    "argument_specs"
]["main"]["options"]
DEFAULTS: dict[str, Any] = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
VARS: dict[str, Any] = DataLoader().load_from_file(str(ROLE / "vars" / "main.yml"))
SAMPLES: dict[str, Any] = {"bool": True, "int": 1, "float": 1.0, "list": [], "dict": {}, "raw": "x", "path": "x"}


def test_defaults_and_argument_specs_are_in_step() -> None:
    computed = {"qdrant_awx_environments"}  # from the inventory
    assert set(DEFAULTS) == set(OPTIONS)
    for name in set(DEFAULTS) - computed:
        assert OPTIONS[name]["default"] == DEFAULTS[name], name
        assert OPTIONS[name]["description"], name


def test_each_variable_has_a_use() -> None:
    text = "".join(path.read_text() for path in [*(ROLE / "tasks").glob("*.yml"), ROLE / "vars" / "main.yml"])
    assert set(re.findall(r"(?<!_)\bqdrant_awx_\w+", text)) == set(OPTIONS)


def test_what_the_page_has_to_copy_can_be_used() -> None:
    page = (ROOT / "docs" / "howto" / "awx.md").read_text()
    given: dict[str, Any] = {}
    for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        given |= yaml.safe_load(block)
    assert len(given) > 10
    assert list(ArgumentSpecValidator(OPTIONS).validate(given).error_messages) == []
    options = {name.removeprefix("qdrant_awx_"): value for name, value in {**DEFAULTS, **given}.items()}
    plan = make_plan({**options, "environments": ["dev"]}, groups={"dev": ["b"]}, hostvars={"b": {}})
    assert plan["faults"] == []
    # The table's names, without their prefix.
    for row in re.findall(r"^\| (`.*?) \|", page.split("## Options that matter")[1].split("\n## ")[0], re.MULTILINE):
        assert {f"qdrant_awx_{name}" for name in re.findall(r"`(\w+)`", row)} <= set(OPTIONS), row


# --- Arguments -------------------------------------------------------------------------------------------------------


def tasks_of(document: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in document:
        yield task
        for part in ("block", "rescue", "always"):
            yield from tasks_of(task.get(part, []))


CALLS = [
    (path.stem, task["name"], key, task[key])
    for path in sorted((ROLE / "tasks").glob("*.yml"))
    for task in tasks_of(yaml.safe_load(path.read_text()))
    for key in task
    if key.startswith("awx.awx.")
]


class Captured(Exception):
    """What a module of awx.awx gives to its base class."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__()
        self.keywords = keywords


def faults(module: str, arguments: dict[str, Any]) -> list[str]:
    """What the module's own argument spec has against them; a template stands for a value of the right kind."""
    found = importlib.import_module(f"ansible_collections.awx.awx.plugins.modules.{module.rsplit('.', 1)[-1]}")

    def capture(**keywords: Any) -> None:
        raise Captured(**keywords)

    with mock.patch.object(found, "ControllerAPIModule", capture), pytest.raises(Captured) as captured:
        found.main()
    keywords = captured.value.keywords
    spec: dict[str, dict[str, Any]] = keywords.pop("argument_spec")
    by_name = {name: one for key, one in spec.items() for name in (key, *one.get("aliases", []))}
    given = {}
    for name, value in arguments.items():
        one = by_name.get(name, {})
        templated = isinstance(value, str) and "{{" in value
        given[name] = one.get("choices", [SAMPLES.get(one.get("type", "str"), "x")])[0] if templated else value
    return list(ArgumentSpecValidator(spec, **keywords).validate(given).error_messages)


@pytest.mark.parametrize(("module", "arguments"), [row[2:] for row in CALLS], ids=[row[1] for row in CALLS])
def test_the_modules_take_these_arguments(module: str, arguments: dict[str, Any]) -> None:
    assert faults(module, arguments) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"survy_spec": {}}, "survy_spec"), ({"job_type": "dry"}, "value of job_type"), ({"name": None}, "name")],
)
def test_a_slip_would_be_seen(changed: dict[str, Any], said: str) -> None:
    (arguments,) = [row[3] for row in CALLS if row[1] == "Create the job templates"]
    given = {name: value for name, value in {**arguments, **changed}.items() if value is not None}
    assert any(said in fault for fault in faults("awx.awx.job_template", given))


# --- Credentials -----------------------------------------------------------------------------------------------------

FULL = {
    "region": "eu-central-1",
    "access_key": "AKIAEXAMPLE",
    "secret_key": "example/key+1",
    "role_arn": "arn:aws:iam::1:role/r",
}


def fields(name: str) -> dict[str, dict[str, Any]]:
    return {one["id"]: one for one in VARS[f"__qdrant_awx_{name}_inputs"]["fields"]}


@pytest.mark.parametrize("more", [{}, {"external_id": "e-1"}])
@pytest.mark.parametrize("role", [True, False])
def test_botocore_reads_the_file_that_awx_makes_of_a_credential(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, str], role: bool
) -> None:
    injectors = VARS["__qdrant_awx_aws_injectors"]
    given = {name: value for name, value in {**FULL, **more}.items() if role or name not in ("role_arn", "external_id")}
    # AWX renders with what was filled in, and leaves out the rest.
    awx = ImmutableSandboxedEnvironment(undefined=Undefined)
    place = tmp_path / "config"
    place.write_text(awx.from_string(str(injectors["file"]["template.config"])).render(given))
    env = {
        name: awx.from_string(str(value)).render(tower={"filename": {"config": str(place)}})
        for name, value in injectors["env"].items()
    }
    assert set(env) == {"AWS_CONFIG_FILE", "AWS_PROFILE"}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    session = boto3.Session(profile_name=env["AWS_PROFILE"])
    assert session.region_name == "eu-central-1"
    if not role:
        credentials = session.get_credentials()
        assert (credentials.access_key, credentials.secret_key) == (FULL["access_key"], FULL["secret_key"])
        return
    profiles = session._session.full_config["profiles"]
    assert profiles["qdrant"]["role_arn"] == FULL["role_arn"]
    assert profiles["qdrant"].get("external_id") == more.get("external_id")
    assert profiles[profiles["qdrant"]["source_profile"]] == {
        "aws_access_key_id": FULL["access_key"], "aws_secret_access_key": FULL["secret_key"],
    }  # fmt: skip
    assert session.get_credentials().method == "assume-role"


@pytest.mark.parametrize("name", ["aws", "key"])
def test_awx_takes_the_types_and_hides_their_secrets(name: str) -> None:
    """It renders each template of a type with all fields set, and refuses what it cannot render so."""
    described, injectors = VARS[f"__qdrant_awx_{name}_inputs"], VARS[f"__qdrant_awx_{name}_injectors"]
    strict = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    filled = {**dict.fromkeys(fields(name), "x"), "tower": {"filename": {"config": "x"}}}
    for templates in injectors.values():
        for template in templates.values():
            strict.from_string(str(template)).render(filled)
    assert set(described["required"]) <= set(fields(name))
    assert all(one["type"] == "string" for one in fields(name).values())
    secret = {field for field, one in fields(name).items() if one.get("secret")}
    assert secret == ({"secret_key"} if name == "aws" else {"api_key"})


def test_the_key_reaches_the_variable_that_the_role_takes() -> None:
    assert list(VARS["__qdrant_awx_key_injectors"]["extra_vars"]) == ["qdrant_unlock_qdrant_api_key"]


# --- What the jobs run -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_such_a_playbook(kind: str) -> None:
    path = ROOT / "playbooks" / f"{kind}.yml"
    assert any(play.get("ansible.builtin.import_playbook") == "check_environment.yml" for play in
               yaml.safe_load(path.read_text()))  # fmt: skip


def left_for_the_next_job() -> set[str]:
    """The names of all statistics. AWX hands those of a workflow's job to the jobs after it, as extra variables."""
    named = {"qdrant_unlocks", "qdrant_unlock_diagnoses"}
    for path in (ROOT / "roles").rglob("tasks/*.yml"):
        for task in tasks_of(yaml.safe_load(path.read_text()) or []):
            for key, value in task.items():
                if key == "ansible.builtin.set_stats":
                    named |= set(value["data"])
                elif key.startswith("wwhd.qdrant_ops.") and isinstance(value, dict):
                    named |= set(value.get("stats") or {})
    return named


@pytest.mark.parametrize("path", sorted((ROOT / "roles").glob("*/vars/main.yml")), ids=lambda path: path.parts[-3])
def test_no_role_takes_what_a_job_before_left_for_a_misspelt_variable(path: Path) -> None:
    for pattern in re.findall(r"varnames', '([^']+)'", path.read_text()):
        assert re.search(pattern, "qdrant_unlock_clustr") or re.search(pattern, "qdrant_prevent_clustr")
        assert [name for name in left_for_the_next_job() if re.search(pattern, name)] == []
