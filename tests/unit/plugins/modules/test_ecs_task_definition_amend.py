# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole module through main(), on a small world."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.modules import ecs_task_definition_amend
from ansible_collections.wwhd.qdrant_ops.tests.unit.aws_world import DEFINITION, World, definition, run_on
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import Outcome
from ansible_collections.wwhd.qdrant_ops.tests.unit.recorded_aws import RecordedAws

PREFIX = DEFINITION.rsplit(":", 1)[0]
CHANGE = {"containers": {"qdrant": {"stop_timeout": "120", "entry_point": ["/bin/bash", "-c", "exec ./qdrant"]}}}
TAGS = [{"key": "owner", "value": "wwhd"}, {"key": "aws:cloudformation:stack", "value": "x"}]


class Registry:
    """The family's revisions; the service runs the seventh."""

    def __init__(self) -> None:
        self.world = World()
        self.revisions = {7: {**definition(), "status": "ACTIVE"}}
        self.world.overrides = {
            "ecs:DescribeTaskDefinition": [self.describe], "ecs:RegisterTaskDefinition": [self.register],
        }  # fmt: skip

    def describe(self, params: dict[str, Any]) -> dict[str, Any]:
        name = str(params["taskDefinition"]).rsplit("/", 1)[-1]
        number = int(name.rsplit(":", 1)[1]) if ":" in name else max(self.revisions)
        return {"taskDefinition": self.revisions[number], "tags": TAGS}

    def register(self, params: dict[str, Any]) -> dict[str, Any]:
        number = max(self.revisions) + 1
        sent = {key: value for key, value in params.items() if key != "tags"}
        self.add(number, sent)
        return {"taskDefinition": self.revisions[number], "tags": params.get("tags", [])}

    def add(self, number: int, body: dict[str, Any]) -> None:
        self.revisions[number] = {
            **body, "revision": number, "taskDefinitionArn": f"{PREFIX}:{number}", "status": "ACTIVE",
        }  # fmt: skip

    def amend(self, *, check: bool = False, **args: Any) -> tuple[Outcome, RecordedAws]:
        return run_on(self.world, ecs_task_definition_amend.main, check=check, **args)


def test_only_what_is_named_changes_and_the_second_run_finds_what_waits() -> None:
    registry = Registry()
    predicted, aws = registry.amend(**CHANGE, check=True)
    assert aws.writes == []
    outcome, aws = registry.amend(**CHANGE)
    assert outcome.result["task_definition_arn"] == predicted.result["task_definition_arn"] == f"{PREFIX}:8"
    assert outcome.result["base_task_definition_arn"] == DEFINITION
    assert outcome.result["registered"] is predicted.result["registered"] is True
    [sent] = aws.params("ecs:RegisterTaskDefinition")
    before, after = definition()["containerDefinitions"], sent["containerDefinitions"]
    assert after[0] == before[0]
    assert after[1] == {**before[1], "stopTimeout": 120, "entryPoint": ["/bin/bash", "-c", "exec ./qdrant"]}
    assert sent["tags"] == [{"key": "owner", "value": "wwhd"}]
    assert "a-secret-value" not in str(outcome.result)
    again, aws = registry.amend(**CHANGE)
    assert (again.changed, aws.writes) == (False, [])
    assert again.result["task_definition_arn"] == f"{PREFIX}:8"
    assert len(again.result["differences"]) == 2


def test_what_the_service_runs_already_needs_no_revision_even_beside_a_newer_one() -> None:
    registry = Registry()
    registry.revisions[7]["containerDefinitions"][1]["stopTimeout"] = 120
    registry.add(9, {**definition(), "cpu": "512"})
    outcome, aws = registry.amend(containers={"qdrant": {"stopTimeout": 120}})
    assert (outcome.changed, aws.writes) == (False, [])
    assert outcome.result["task_definition_arn"] == DEFINITION


def test_a_newer_revision_that_the_service_does_not_run_is_not_hidden() -> None:
    registry = Registry()
    registry.add(9, {**definition(), "cpu": "512"})
    outcome, aws = registry.amend(**CHANGE)
    assert "newer revision wwhd-backend:9" in outcome.msg
    assert "Deploy wwhd-backend:9, or deregister it" in outcome.msg
    assert outcome.result["newer_task_definition_arn"] == f"{PREFIX}:9"
    assert aws.writes == []


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({}, "Give containers, volumes or both."),
        ({"containers": {"qdrnat": {"stop_timeout": 5}}}, "no qdrnat among its containerDefinitions (fastapi, qdrant)"),
        ({"containers": {"qdrant": {"stop_timout": 5}}}, "did you mean stopTimeout?"),
        ({"containers": {"qdrant": {"name": "other"}}}, "containers.qdrant.name cannot be changed"),
        ({"containers": {"qdrant": "x"}}, "must be a dictionary"),
        ({"volumes": {"store": {"host": {}}}}, "no store among its volumes (data)"),
    ],
)
def test_mistakes_are_told_by_name(args: dict[str, Any], told: str) -> None:
    outcome, aws = Registry().amend(**args)
    assert outcome.failed
    assert told in outcome.msg
    assert aws.writes == []
