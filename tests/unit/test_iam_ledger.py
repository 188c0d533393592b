# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of calls against docs/iam can fail, in both directions, and with xdist's workers as without."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox import permissions
from sandbox.permissions import INSPECT, OPERATOR, PREVENT, READ_ONLY, Ledger

pytest_plugins = ["pytester"]

OURS = "APN/1.0 Ansible/2.19.14 amazon.aws/10.1.2 Botocore/1.44.5"


def call(service: str, operation: str, agent: str = OURS, **params: Any) -> dict[str, Any]:
    return {"service": service, "operation": operation, "user_agent": agent, "params": params}


@pytest.mark.parametrize(
    ("made", "actions"),
    [
        (call("ecs", "UpdateService"), ["ecs:UpdateService"]),
        (call("elbv2", "DescribeTargetHealth"), ["elasticloadbalancing:DescribeTargetHealth"]),
        (call("efs", "DescribeMountTargets"), ["elasticfilesystem:DescribeMountTargets"]),
        (call("ecs", "RunTask"), ["ecs:RunTask", "iam:PassRole"]),
        (call("ecs", "RegisterTaskDefinition"), ["ecs:RegisterTaskDefinition"]),
        (call("ecs", "RegisterTaskDefinition", taskRoleArn="x"), ["ecs:RegisterTaskDefinition", "iam:PassRole"]),
        (call("ecs", "RegisterTaskDefinition", tags=[{}]), ["ecs:RegisterTaskDefinition", "ecs:TagResource"]),
    ],
)
def test_the_actions_of_a_call(made: dict[str, Any], actions: list[str]) -> None:
    assert permissions.actions_of(made) == actions


@pytest.mark.parametrize(
    ("agent", "ours"),
    [
        (OURS, True),
        ("Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux", False),
        ("aws-cli/1.46.3 md/Botocore#1.44.5", False),
        ("", False),
    ],
)
def test_only_modules_count(agent: str, ours: bool) -> None:
    assert permissions.is_ours(call("ecs", "RunTask", agent)) is ours


@pytest.mark.parametrize(
    ("playbook", "words", "policy"),
    [
        ("unlock", [], OPERATOR),
        ("unlock", ["-e", "x=1", "--check", "--diff"], READ_ONLY),
        ("unlock", ["-e", "qdrant_unlock_mode=inspect"], INSPECT),
        ("inspect", [], INSPECT),
        ("inspect", ["--check"], READ_ONLY),
        ("diagnose", ["-vvvv"], READ_ONLY),
        ("prevent", [], PREVENT),
        ("prevent", ["--check"], PREVENT),
    ],
)
def test_the_least_policy_of_a_run(playbook: str, words: list[str], policy: str) -> None:
    assert permissions.policy_for(playbook, words) == policy


def test_a_call_is_judged_by_the_policy_of_its_playbook_and_by_those_above() -> None:
    ledger = Ledger()
    ledger.enter(call("ecs", "UpdateService"), mode=OPERATOR)
    assert ledger.close() == []
    ledger.enter(call("ecs", "UpdateService"), mode=READ_ONLY)
    assert ledger.close() == [
        f"ecs:UpdateService needs ecs:UpdateService, which docs/iam/{policy}.json lacks"
        for policy in (READ_ONLY, INSPECT)
    ]
    ledger.enter(call("ecs", "DeleteService"), mode=INSPECT)
    assert len(ledger.close()) == 2
    assert ledger.close() == []


def test_a_playbook_beside_the_ladder_is_judged_by_its_own_policy_alone() -> None:
    ledger = Ledger()
    ledger.enter(call("efs", "CreateAccessPoint", Tags=[{}]), mode=PREVENT)
    assert ledger.close() == []
    assert ledger.used == {PREVENT: {"elasticfilesystem:CreateAccessPoint", "elasticfilesystem:TagResource"}}
    ledger.enter(call("ecs", "RunTask"), mode=PREVENT)
    assert ledger.close()[0] == "ecs:RunTask needs ecs:RunTask, which docs/iam/prevent.json lacks"


def test_what_nothing_has_called_is_told_by_policy() -> None:
    ledger, worker = Ledger(), Ledger()
    for policy in (OPERATOR, READ_ONLY, INSPECT, PREVENT):
        worker.used[policy] = set(permissions.allowed(policy))
    worker.used[READ_ONLY].remove("ecs:ListTasks")
    ledger.add(json.loads(json.dumps(worker.as_data())))
    assert ledger.unused() == ["docs/iam/operator-read-only.json allows ecs:ListTasks, which nothing has called"]


SUITE = """
from sandbox.permissions import LEDGER, INSPECT, OPERATOR, PREVENT, READ_ONLY, allowed

def test_one():
    for policy in (OPERATOR, READ_ONLY, INSPECT, PREVENT):
        LEDGER.add({policy: allowed(policy) - {LEFT}})
def test_two():
    pass
"""


@pytest.mark.parametrize("words", [[], ["-n", "2"]], ids=["alone", "xdist"])
@pytest.mark.parametrize(
    ("left", "more", "code"),
    [
        ("ecs:RunTask", [], 1),
        ("none", [], 0),
        # A part of the suite says nothing of what the whole would have called.
        ("ecs:RunTask", ["-k", "two"], 0),
    ],
    ids=["unused", "all used", "a part"],
)
def test_the_end_of_a_whole_session(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, words: list[str], left: str, more: list[str], code: int
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(permissions.CHECKOUT / "tests"))
    pytester.makepyfile(**{"tests/integration/test_x": f"LEFT = {left!r}\n{SUITE}"})
    pytester.makeconftest(
        "import pathlib, sandbox.pytest_plugin as plugin\n"
        "plugin._INTEGRATION = pathlib.Path(__file__).parent / 'tests' / 'integration'\n"
    )
    done = pytester.runpytest_subprocess(
        "-p", "sandbox.pytest_plugin", "-p", "xdist", *words, *more, "tests/integration"
    )
    assert done.ret == code
    told = "FAILED docs/iam/operator.json allows ecs:RunTask, which nothing has called"
    assert (told in done.outlines) is bool(code)


def test_the_folder_is_that_of_the_checkout() -> None:
    assert Path(__file__).parents[2] / "docs" / "iam" == permissions.POLICIES
