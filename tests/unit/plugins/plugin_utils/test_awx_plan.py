# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of qdrant_awx and an inventory come to: tables, no controller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.wwhd.qdrant_ops.plugins.filter import awx_plan as awx_filter
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.inputs import DEFAULT_TIMEOUTS
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._awx.plan import make_plan
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._awx.surveys import KINDS, survey

ROLES = Path(__file__).resolve().parents[4] / "roles"
DEFAULTS = yaml.safe_load((ROLES / "qdrant_awx" / "defaults" / "main.yml").read_text())
OPTIONS: dict[str, Any] = {
    **{name.removeprefix("qdrant_awx_"): value for name, value in DEFAULTS.items()},
    "scm_url": "https://git.example.org/x.git",
    "environments": ["dev", "prod"],
}
GROUPS = {"dev": ["b.dev"], "prod": ["b.prod"]}
NAME = "qdrant_unlock_protected"
HOSTVARS: dict[str, dict[str, Any]] = {"b.dev": {}, "b.prod": {NAME: True}}
# What an unlock by the defaults may take, and ten minutes.
SECONDS = sum(DEFAULT_TIMEOUTS.values()) + 2 * DEFAULT_TIMEOUTS["verify"] + 180 + 600


def plan(hostvars: dict[str, dict[str, Any]] | None = None, groups: Any = None, **options: Any) -> dict[str, Any]:
    return make_plan({**OPTIONS, **options}, groups=groups or GROUPS, hostvars=hostvars or HOSTVARS)


def present(made: dict[str, Any], kind: str = "templates") -> list[str]:
    return [row["name"] for row in made[kind] if row["state"] == "present"]


@pytest.mark.parametrize(
    ("said", "protected"),
    [
        ({}, ["prod"]),
        ({"hostvars": {"b.dev": {}, "b.prod": {}}}, []),
        ({"hostvars": {"b.dev": {NAME: "yes"}, "b.prod": {NAME: "no"}}}, ["dev"]),
        ({"protected": ["dev"]}, ["dev", "prod"]),
    ],
)  # fmt: skip
def test_the_inventory_says_what_is_protected_and_a_variable_more(said: dict[str, Any], protected: list[str]) -> None:
    assert plan(**said)["protected"] == protected


@pytest.mark.parametrize(
    ("options", "templates", "workflows"),
    [
        ({"environments": ["dev"]}, [f"Qdrant: {kind}" for kind in KINDS], []),
        (
            {"environments": ["prod"], "prefix": "EU"},
            [f"EU protected: {kind}" for kind in KINDS],
            ["EU protected: unlock with approval", "EU protected: prevent with approval"],
        ),
        ({"environments": ["prod"], "playbooks": ["unlock"]}, ["Qdrant protected: unlock"], []),
        ({"state": "absent"}, [], []),
    ],
)
def test_a_template_that_nobody_could_start_is_not_made(
    options: dict[str, Any], templates: list[str], workflows: list[str]
) -> None:
    made = plan(**options)
    assert present(made) == templates
    assert present(made, "workflows") == workflows


@pytest.mark.parametrize(
    ("variables", "hosts", "forks", "seconds"),
    [
        ({}, 1, 5, SECONDS),
        ({}, 6, 5, 2 * SECONDS),
        ({"qdrant_unlock_held_timeout": "300"}, 1, 5, SECONDS + 120),
        ({"qdrant_unlock_timeouts": {"quiesce": 1900, "verify": 220}}, 1, 5, SECONDS + 1000 + 3 * 100),
    ],
)
def test_a_job_has_the_time_that_an_unlock_may_take(
    variables: dict[str, Any], hosts: int, forks: int, seconds: int
) -> None:
    names = [f"host{number}" for number in range(hosts)]
    made = plan(
        environments=["dev"], forks=forks, groups={"dev": names}, hostvars=dict.fromkeys(names, variables),
        job_timeout=seconds - 1,
    )  # fmt: skip
    assert made["seconds"] == seconds
    assert f"Set it to {seconds} or more." in " ".join(made["faults"])
    for enough in (seconds, 0):
        assert not plan(
            environments=["dev"], forks=forks, groups={"dev": names}, hostvars=dict.fromkeys(names, variables),
            job_timeout=enough,
        )["faults"]  # fmt: skip


SLACK = {"type": "slack", "configuration": {"token": "x"}}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"scm_url": ""}, "qdrant_awx_scm_url is not set: give the address"),
        ({"environments": []}, "There is no environment in the inventory but local"),
        ({"environments": ["prd"]}, "qdrant_awx_environments has 'prd', which is no group with hosts"),
        ({"protected": ["qa"]}, "qdrant_awx_protected has 'qa', but the environments are: dev, prod."),
        ({"playbooks": ["unlok"]}, "qdrant_awx_playbooks has 'unlok': use diagnose, inspect, unlock, prevent."),
        ({"prefix": "a,b"}, "qdrant_awx_prefix is 'a,b': give a name without a comma."),
        ({"organization": ""}, "qdrant_awx_organization is '': give a name"),
        ({"schedule": "daily"}, "qdrant_awx_schedule is 'daily': AWX takes a rule such as DTSTART"),
        ({"execution_environment_image": "x"}, "but no name: set qdrant_awx_execution_environment as well"),
        ({"notification": {"type": "fax", "configuration": {}}}, "notification.type is 'fax': use slack"),
        ({"notification": SLACK}, "notification.configuration lacks channels, without which AWX takes no slack."),
        ({"new_credentials": [{"name": "x", "kind": "ssh"}]}, "has kind 'ssh' and name 'x': give"),
        ({"job_timeout": 60}, "AWX would kill it in the middle"),
        ({"forks": 0}, "qdrant_awx_forks is 0: give a whole number of at least 1."),
    ],
)  # fmt: skip
def test_faults_are_sentences_that_say_what_to_do(options: dict[str, Any], said: str) -> None:
    assert said in " ".join(plan(**options)["faults"])


@pytest.mark.parametrize(
    ("configuration", "update", "state"),
    [
        ({"token": "x"}, False, "exists"),
        ({"password": "x"}, False, "exists"),
        ({"password": "x"}, True, "present"),
        ({"url": "x", "password": ""}, False, "present"),
    ],
)
def test_a_notification_whose_secret_awx_hides_is_left_alone(
    configuration: dict[str, str], update: bool, state: str
) -> None:
    given = {"type": "webhook", "configuration": configuration}
    assert plan(notification=given, update_secrets=update)["notification_state"] == state


def test_there_is_nothing_against_the_defaults() -> None:
    assert plan()["faults"] == []


@pytest.mark.parametrize(
    ("name", "there"), [("awx.awx", True), ("awx.of_nobody", False), ("nobody_at_all.awx", False)]
)  # fmt: skip
def test_whether_a_collection_is_there_is_told(name: str, there: bool) -> None:
    assert awx_filter._is_installed(name) is there


def test_a_missing_collection_is_the_only_thing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awx_filter, "_is_installed", lambda name: name != "awx.awx")
    (fault,) = awx_filter.awx_plan({**OPTIONS, "scm_url": ""}, GROUPS, HOSTVARS)["faults"]
    assert "ansible-galaxy collection install awx.awx" in fault


def test_what_only_a_real_run_could_look_at() -> None:
    there = [row["key"] for row in plan()["objects"]]
    without_inventory = [key for key in there if not key.startswith("inventories/")]
    made = make_plan(OPTIONS, groups=GROUPS, hostvars=HOSTVARS, there=without_inventory)
    assert made["missing"] == ["inventories/Qdrant environments"]
    assert {key.split("/")[0] for key in made["beyond"]} == {"inventories", "inventory_sources", "job_templates"}
    assert make_plan(OPTIONS, groups=GROUPS, hostvars=HOSTVARS, there=there)["beyond"] == []


def test_each_object_is_made_after_what_it_needs() -> None:
    seen: set[str] = set()
    for row in plan(notification={"type": "webhook", "configuration": {"url": "x", "headers": {}}})["objects"]:
        assert set(row["needs"]) <= seen, row["key"]
        assert row["key"] not in seen
        seen.add(row["key"])


# --- Questions -------------------------------------------------------------------------------------------------------

ROLE_OPTIONS = yaml.safe_load((ROLES / "qdrant_unlock" / "meta" / "argument_specs.yml").read_text())["argument_specs"][
    "main"
]["options"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("protected", [False, True])
def test_each_answer_is_a_variable_that_the_playbook_takes(kind: str, protected: bool) -> None:
    for question in survey(kind, ["prod", "eu"], protected=protected)["spec"]:
        name = question["variable"]
        assert question["type"] in ("text", "multiplechoice"), "a secret has no place in a survey"
        assert question["required"]
        if name in ("env", "confirm"):
            assert question["default"] == ""
            continue
        option = ROLE_OPTIONS[name]
        wanted = option["choices"] if option["type"] != "bool" else ["false", "true"]
        assert question["choices"] == wanted
        assert question["default"] == str(option["default"]).lower()
    variables = [question["variable"] for question in survey(kind, ["prod"], protected=protected)["spec"]]
    assert ("confirm" in variables) is (protected and kind in ("unlock", "prevent"))
    assert variables[0] == "env"


def test_where_there_is_one_environment_it_is_chosen() -> None:
    assert survey("diagnose", ["prod"], protected=True)["spec"][0]["default"] == "prod"
