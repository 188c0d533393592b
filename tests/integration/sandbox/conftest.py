# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sandbox's own tests share: clients, definitions, and waiting with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.client import Sandbox

SUBNETS = ["subnet-677d281e", "subnet-5498bc0e", "subnet-18ddaa53"]
NETWORK = {"awsvpcConfiguration": {"subnets": SUBNETS, "securityGroups": ["sg-0a75b2c312d17f654"]}}
EXECUTION_ROLE = "arn:aws:iam::018025611404:role/wwhd-dev-ecs-execution-role"
CLUSTER = "wwhd-cluster"
SERVICE = "wwhd-backend"
FILE_SYSTEM = "fs-00b8168893587fd61"


class World:
    """The sandbox through boto3, with defaults for what the tests do not care about."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.ecs = sandbox.boto3("ecs")

    def register(self, family: str = "one-off", *, script: str = "echo done", image: str = "alpine:3.20",
                 **changes: Any) -> str:  # fmt: skip
        """A Fargate definition with one container that runs a shell script; its ARN."""
        container: dict[str, Any] = {
            "name": "main",
            "image": image,
            "command": ["sh", "-c", script],
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": "/ecs/wwhd-backend",
                    "awslogs-region": "us-west-2",
                    "awslogs-stream-prefix": family,
                },
            },
        }
        container |= changes.pop("container", {})
        parameters = {
            "family": family, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
            "memory": "512", "executionRoleArn": EXECUTION_ROLE, "containerDefinitions": [container], **changes,
        }  # fmt: skip
        answer = self.ecs.register_task_definition(**parameters)
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def with_volume(self, **efs: Any) -> dict[str, Any]:
        """Changes to `register` that mount an EFS volume at /data."""
        configuration = {"fileSystemId": FILE_SYSTEM, "transitEncryption": "ENABLED", **efs}
        return {
            "container": {"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]},
            "volumes": [{"name": "data", "efsVolumeConfiguration": configuration}],
        }

    def run(self, definition: str, **more: Any) -> dict[str, Any]:
        parameters = {
            "cluster": CLUSTER, "taskDefinition": definition, "launchType": "FARGATE", "networkConfiguration": NETWORK,
        }  # fmt: skip
        answer: dict[str, Any] = self.ecs.run_task(**(parameters | more))
        return answer

    def run_one(self, definition: str, **more: Any) -> str:
        answer = self.run(definition, **more)
        assert not answer["failures"], answer
        return str(answer["tasks"][0]["taskArn"])

    def task(self, arn: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ecs.describe_tasks(cluster=CLUSTER, tasks=[arn])["tasks"][0]
        return found

    def until_stopped(self, arn: str) -> dict[str, Any]:
        self.until(lambda: self.task(arn)["lastStatus"] == "STOPPED", f"{arn} STOPPED")
        return self.task(arn)

    def service(self, name: str = SERVICE) -> dict[str, Any]:
        found: dict[str, Any] = self.ecs.describe_services(cluster=CLUSTER, services=[name])["services"][0]
        return found

    def create_service(self, name: str, definition: str, **more: Any) -> dict[str, Any]:
        parameters = {
            "cluster": CLUSTER, "serviceName": name, "taskDefinition": definition, "desiredCount": 1,
            "launchType": "FARGATE", "networkConfiguration": NETWORK,
        }  # fmt: skip
        answer: dict[str, Any] = self.ecs.create_service(**(parameters | more))["service"]
        return answer

    def update(self, name: str = SERVICE, **changes: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.ecs.update_service(cluster=CLUSTER, service=name, **changes)["service"]
        return answer

    def tasks(self, name: str = SERVICE, desired: str = "RUNNING") -> list[dict[str, Any]]:
        arns = self.ecs.list_tasks(cluster=CLUSTER, serviceName=name, desiredStatus=desired)["taskArns"]
        found: list[dict[str, Any]] = self.ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"] if arns else []
        return found

    def rollout(self, name: str = SERVICE) -> str:
        return str(self.service(name)["deployments"][0]["rolloutState"])

    @staticmethod
    def until(test: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
        """Polls until `test` is true; fails with `what` after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            found = test()
            if found:
                return found
            assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
            time.sleep(0.03)


@pytest.fixture
def world(sandbox: Sandbox) -> World:
    return World(sandbox)
