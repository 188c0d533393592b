# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cleaner's task definition and what one run of it is told.

Private to wwhd.qdrant_ops. Pure. The definition depends on the service and the inventory only, never on the run, so
that a second run registers nothing new; what differs from run to run goes into RunTask's overrides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["CONTAINER", "ROOT", "SUMMARY_MARK", "definition", "overrides"]

CONTAINER = "cleaner"
ROOT = "/data"
# The script's last line begins so: who reads the log to here has all of it.
SUMMARY_MARK = '{"summary":'
_VOLUME = "store"


def definition(
    *,
    script: str,
    family: str,
    image: str,
    cpu: int | str,
    memory: int | str,
    volume: Mapping[str, Any],
    read_only: bool,
    execution_role_arn: str | None,
    task_role_arn: str | None,
    log: Mapping[str, str] | None,
) -> dict[str, Any]:
    """The definition as RegisterTaskDefinition takes it.

    `volume` is one of ecs_service_info's `volumes`: the cleaner mounts exactly what the service mounts, through the
    same access point and with the same IAM setting, and so sees the same tree with the same uid. `log` has `group`,
    `region` and `prefix`, or is None for no log.
    """
    efs: dict[str, Any] = {"fileSystemId": volume["file_system_id"], "rootDirectory": volume["root_directory"] or "/"}
    if volume.get("transit_encryption") == "ENABLED":
        efs["transitEncryption"] = "ENABLED"
    authorization: dict[str, str] = {}
    if volume.get("access_point_id"):
        authorization["accessPointId"] = volume["access_point_id"]
    if volume.get("iam"):
        authorization["iam"] = "ENABLED"
    if authorization:
        efs["authorizationConfig"] = authorization
    container: dict[str, Any] = {
        "name": CONTAINER,
        "image": image,
        "essential": True,
        # The script comes through the environment, so that it can start itself again for find's batches.
        "command": ["sh", "-c", 'exec sh -c "$CLEANER_SCRIPT" cleaner'],
        "environment": [{"name": "CLEANER_SCRIPT", "value": script}, {"name": "CLEANER_ROOT", "value": ROOT}],
        "mountPoints": [{"sourceVolume": _VOLUME, "containerPath": ROOT, "readOnly": read_only}],
    }
    if log:
        container["logConfiguration"] = {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": log["group"],
                "awslogs-region": log["region"],
                "awslogs-stream-prefix": log["prefix"],
                # The log is the evidence of what was removed: the non-blocking default may lose lines.
                "mode": "blocking",
            },
        }
    result: dict[str, Any] = {
        "family": family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": str(cpu),
        "memory": str(memory),
        "containerDefinitions": [container],
        "volumes": [{"name": _VOLUME, "efsVolumeConfiguration": efs}],
    }
    if execution_role_arn:
        result["executionRoleArn"] = execution_role_arn
    if task_role_arn:
        result["taskRoleArn"] = task_role_arn
    return result


def overrides(
    *,
    scan_path: str,
    patterns: Sequence[str],
    mode: str,
    held: str,
    held_timeout: int,
    run_id: str,
    prune: Sequence[str] = (),
) -> dict[str, Any]:
    """RunTask's overrides: plain environment values, which the script never hands to a shell's parser."""
    values = {
        "CLEANER_SCAN": scan_path,
        "CLEANER_PATTERNS": "\n".join(patterns),
        "CLEANER_PRUNE": "\n".join(prune),
        "CLEANER_MODE": mode,
        "CLEANER_HELD": held,
        "CLEANER_HELD_TIMEOUT": str(held_timeout if held == "wait" else 0),
        "CLEANER_RUN_ID": run_id,
    }
    return {
        "containerOverrides": [
            {"name": CONTAINER, "environment": [{"name": name, "value": value} for name, value in values.items()]}
        ]
    }
