# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many environments in one account: each a service with a task definition and a file system of its own, in one cluster.

They have no load balancer, since the sandbox has ports for one; everything else is as the seeded one has it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from sandbox import world
from sandbox.client import Sandbox

_PATIENCE = 600.0


def name(number: int) -> str:
    return f"env{number:03d}"


def create(sandbox: Sandbox, count: int) -> list[str]:
    """Creates the services and waits until each has come up; their names."""
    ecs, efs = sandbox.boto3("ecs"), sandbox.boto3("efs")
    names = [name(number) for number in range(count)]
    for service in names:
        system = efs.create_file_system(CreationToken=service)["FileSystemId"]
        for subnet in world.SUBNETS:
            efs.create_mount_target(FileSystemId=system, SubnetId=subnet, SecurityGroups=[world.SECURITY_GROUP])
        point = efs.create_access_point(
            ClientToken=service, FileSystemId=system, PosixUser={"Uid": 1000, "Gid": 1000},
            RootDirectory={"Path": "/qdrant", "CreationInfo": {"OwnerUid": 1000, "OwnerGid": 1000,
                                                               "Permissions": "0755"}},
        )["AccessPointId"]  # fmt: skip
        definition = {**world.definition(), "family": service}
        volume = definition["volumes"][0]["efsVolumeConfiguration"]
        volume["fileSystemId"], volume["authorizationConfig"]["accessPointId"] = system, point
        ecs.register_task_definition(**definition)
        ecs.create_service(
            cluster=world.CLUSTER, serviceName=service, taskDefinition=service, desiredCount=1, launchType="FARGATE",
            networkConfiguration=world.network_configuration(),
        )  # fmt: skip
    _until_steady(ecs, names)
    return names


def _until_steady(ecs: Any, names: Sequence[str]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while lacking := [service for service in names if not _steady(ecs, service)]:
        if time.monotonic() > deadline:
            raise SystemExit(f"{len(lacking)} of {len(names)} services did not come up in {_PATIENCE:.0f} s: {lacking}")
        time.sleep(0.5)


def _steady(ecs: Any, service: str) -> bool:
    found = ecs.describe_services(cluster=world.CLUSTER, services=[service])["services"][0]
    return bool(found["runningCount"] == 1 and found["deployments"][0]["rolloutState"] == "COMPLETED")


def inventory(folder: Path, sandbox: Sandbox, names: Sequence[str]) -> Path:
    """An inventory whose group `many` has a host a service."""
    state = sandbox.state
    shared = {
        "qdrant_unlock_region": state["region"],
        "qdrant_unlock_aws": {key: state[key] for key in ("endpoint_url", "access_key", "secret_key")},
        "qdrant_unlock_cluster": world.CLUSTER,
        "qdrant_unlock_health_url": "",
        "qdrant_unlock_qdrant_url": "",
    }
    hosts = {
        service: {"qdrant_unlock_service": service, "qdrant_unlock_family": f"clear-{service}"} for service in names
    }
    path = folder / "inventory.yml"
    path.write_text(yaml.safe_dump({"many": {"hosts": hosts, "vars": shared}}))
    return path


__all__ = ["create", "inventory", "name"]
