# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/prevent.yml as docs/howto/prevent.md has it: its commands, with its variables, against the sandbox."""

from __future__ import annotations

import re
from pathlib import Path

from integration.playbooks.operators import ROOT, Operator

from sandbox import world
from sandbox.client import Sandbox

PAGE = (ROOT / "docs" / "howto" / "prevent.md").read_text()
COMMAND = re.compile(r"^\$ ansible-playbook playbooks/prevent\.yml -e env=dev ?(.*)$", re.MULTILINE)


def test_the_commands_of_the_page(operator: Operator, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.boto3("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=f"service/{world.CLUSTER}/{world.SERVICE}",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=1,
        MaxCapacity=3,
    )
    ecs = sandbox.boto3("ecs")
    # Tags of a definition are to be kept.
    ecs.tag_resource(
        resourceArn=ecs.describe_task_definition(taskDefinition=world.FAMILY)["taskDefinition"]["taskDefinitionArn"],
        tags=[{"key": "owner", "value": "wwhd"}],
    )
    task = sandbox.status()["tasks"][0]["id"]
    before = len(sandbox.writes())
    commands = [words.split() for words in COMMAND.findall(PAGE)]
    assert commands == [["--check", "--diff"], []]
    at = {"QDRANT_OPS_SANDBOX": str(sandbox.directory)}
    variables = []
    for index, block in enumerate(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)):
        (tmp_path / f"{index}.yml").write_text(block)
        variables += ["-e", f"@{tmp_path / f'{index}.yml'}"]

    predicted = operator.play("prevent", *commands[0], environment=at)
    assert predicted.code == 0, predicted.output
    assert len(sandbox.writes()) == before
    # One line a measure, whatever the width of the terminal.
    assert re.search(r"^exclusive rollout +\| 100/200 %.*\| would be changed$", predicted.output, re.MULTILINE)
    assert re.search(r"^\+ .*maximum_percent\W+100\b", predicted.output, re.MULTILINE)

    played = operator.play("prevent", *commands[1], *variables, environment=at)
    assert played.code == 0, played.output
    assert [str(call["operation"]) for call in sandbox.writes()[before:]] == [
        "UpdateService", "ModifyTargetGroupAttributes", "RegisterScalableTarget", "CreateAccessPoint",
        "RegisterTaskDefinition",
    ]  # fmt: skip
    assert "What this cannot fix" in played.text
    [service] = ecs.describe_services(cluster=world.CLUSTER, services=[world.SERVICE])["services"]
    percentages = service["deploymentConfiguration"]
    assert (percentages["minimumHealthyPercent"], percentages["maximumPercent"]) == (0, 100)
    latest = ecs.describe_task_definition(taskDefinition=world.FAMILY, include=["TAGS"])
    assert latest["tags"] == [{"key": "owner", "value": "wwhd"}]
    assert latest["taskDefinition"]["taskDefinitionArn"] != service["taskDefinition"]
    assert f"waits in {world.FAMILY}:2" in played.text
    # The task that ran goes on running.
    assert [found["id"] for found in sandbox.status()["tasks"] if found["last_status"] == "RUNNING"] == [task]
