# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runbook's steps by bare boto3, one after the other, each awaited by a look every 50 ms, nothing checked.

No client that does these steps in sequence, and waits for STOPPED before the next, can be quicker. Not for use: looks
at this rate exhaust an account's read limits within seconds (facts.md D.1), and what is deleted here may be held.

Usage: python bare.py <the cleaner's definition, JSON> <health URL>
"""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

CLUSTER = "wwhd-cluster"
SERVICE = "wwhd-backend"
NETWORK = {
    "awsvpcConfiguration": {
        "subnets": ["subnet-677d281e"], "securityGroups": ["sg-0a75b2c312d17f654"], "assignPublicIp": "ENABLED",
    }
}  # fmt: skip
PAUSE = 0.05
PATIENCE = 900.0


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise SystemExit(f"gave up after {PATIENCE:.0f} s")
        time.sleep(PAUSE)


def main(definition: str, health: str) -> None:
    ecs: Any = boto3.client("ecs")

    def ended() -> bool:
        arns = [
            arn
            for desired in ("RUNNING", "STOPPED")
            for arn in ecs.list_tasks(cluster=CLUSTER, serviceName=SERVICE, desiredStatus=desired)["taskArns"]
        ]
        return not arns or all(
            task["lastStatus"] == "STOPPED" for task in ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"]
        )

    def deployed() -> bool:
        found = ecs.describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
        return bool(found["deployments"][0]["rolloutState"] == "COMPLETED" and found["runningCount"] == 1)

    def healthy() -> bool:
        try:
            with urllib.request.urlopen(health, timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    ecs.update_service(cluster=CLUSTER, service=SERVICE, desiredCount=0)
    until(ended)
    registered = ecs.register_task_definition(**json.loads(Path(definition).read_text()))
    cleaner = ecs.run_task(
        cluster=CLUSTER, taskDefinition=registered["taskDefinition"]["taskDefinitionArn"], launchType="FARGATE",
        networkConfiguration=NETWORK,
    )["tasks"][0]["taskArn"]  # fmt: skip
    until(lambda: ecs.describe_tasks(cluster=CLUSTER, tasks=[cleaner])["tasks"][0]["lastStatus"] == "STOPPED")
    ecs.update_service(cluster=CLUSTER, service=SERVICE, desiredCount=1, forceNewDeployment=True)
    until(deployed)
    until(healthy)


if __name__ == "__main__":
    main(*sys.argv[1:])
