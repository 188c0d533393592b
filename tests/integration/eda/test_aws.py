# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page's AWS commands, by the AWS CLI against moto: which events then lie in the queue, and who may do what."""

from __future__ import annotations

import json
import runpy
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from awscli.clidriver import create_clidriver
from integration.eda import pages
from moto import mock_aws

from sandbox import world

PAGE = "eda.md"
FILES = pages.ROOT / "extensions" / "eda" / "aws"
REGION, ACCOUNT = world.REGION, world.ACCOUNT
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:qdrant-task-failures"
DETAIL = {
    "clusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/wwhd-cluster",
    "containers": [{"name": "qdrant", "exitCode": 101}],
    "group": "service:wwhd-backend",
    "lastStatus": "STOPPED",
    "stopCode": "EssentialContainerExited",
    "stoppedReason": "Essential container in task exited",
    "taskArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/wwhd-cluster/0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "taskDefinitionArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/wwhd-backend:7",
}
SENT: list[dict[str, Any]] = [
    {},
    {"stopCode": "TaskFailedToStart"},
    {"stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Task failed container health checks"},
]
KEPT_BACK: list[dict[str, Any]] = [
    {"lastStatus": "RUNNING"},
    {"stopCode": "UserInitiated"},
    {"stopCode": "SpotInterruption"},
    {"group": "family:clear-qdrant-locks"},
    {"group": "service:another"},
    {"clusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/another"},
]


@pytest.fixture
def filled_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Everything on the page up to the last `aws`, run as it stands there."""
    for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    shutil.copytree(FILES, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    with mock_aws():
        for line in pages.commands(PAGE):
            words = shlex.split(line)
            if words[0] == "sed":
                subprocess.run(words, check=True)
            if words[0] == "aws":
                assert create_clidriver().main(words[1:]) == 0, line
        yield tmp_path


def test_the_page_has_no_command_that_no_test_runs() -> None:
    told = [shlex.split(line)[0] for line in pages.commands(PAGE)]
    assert told == ["sed", "sed", "aws", "aws", "aws", "export", "ansible-rulebook", "ansible-playbook"]


def test_what_may_be_a_failure_lies_in_the_queue_and_what_happened_on_purpose_does_not(filled_in: Path) -> None:
    for path in filled_in.glob("*.json"):
        assert not any(word in path.read_text() for word in ("ACCOUNT_ID", "REGION", "CLUSTER", "SERVICE")), path.name
    entries = [
        {"Source": "aws.ecs", "DetailType": "ECS Task State Change", "Detail": json.dumps(DETAIL | change)}
        for change in (*SENT, *KEPT_BACK)
    ]
    boto3.client("events").put_events(Entries=entries)
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName="qdrant-task-failures")["QueueUrl"]
    bodies = [message["Body"] for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]]
    assert [json.loads(body)["detail"] for body in bodies] == [DETAIL | change for change in SENT]
    # What comes out of it is what the rulebook's filter takes for a failure.
    judge = runpy.run_path(str(FILES.parent / "plugins/event_filter/ecs_stopped_task.py"))["main"]
    assert all(judge({"body": body, "meta": {}})["ecs_stop"]["failed"] for body in bodies)


def test_the_queue_takes_from_one_rule_and_forgets_soon(filled_in: Path) -> None:
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName="qdrant-task-failures")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["MessageRetentionPeriod"] == "900"
    (statement,) = json.loads(attributes["Policy"])["Statement"]
    rule = boto3.client("events").describe_rule(Name="qdrant-task-failures")["Arn"]
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": rule}}
    assert (statement["Action"], statement["Resource"]) == ("sqs:SendMessage", QUEUE)
    (reader,) = json.loads((filled_in / "reader.json").read_text())["Statement"]
    # The calls of ansible.eda's aws_sqs_queue.
    assert set(reader["Action"]) == {"sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:DeleteMessage"}
    assert reader["Resource"] == QUEUE == attributes["QueueArn"]
