# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world that a fresh sandbox holds: the dev environment of the runbook, with its names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.ec2.models import ec2_backends
from moto.ecs.models import ecs_backends
from moto.efs.models import efs_backends
from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.sts.models import sts_backends

from sandbox.cloud import Cloud
from sandbox.ecs.model import ACCOUNT
from sandbox.template import ACCESS_POINT_PATH

REGION = "us-west-2"
CLUSTER = "wwhd-cluster"
SERVICE = "wwhd-backend"
FAMILY = "wwhd-backend"
FILE_SYSTEM = "fs-00b8168893587fd61"
ACCESS_POINT = "fsap-0a1b2c3d4e5f60718"
SUBNETS = {"subnet-677d281e": "us-west-2a", "subnet-5498bc0e": "us-west-2b", "subnet-18ddaa53": "us-west-2c"}
SECURITY_GROUP = "sg-0a75b2c312d17f654"
EXECUTION_ROLE = f"arn:aws:iam::{ACCOUNT}:role/wwhd-dev-ecs-execution-role"
TASK_ROLE = f"arn:aws:iam::{ACCOUNT}:role/wwhd-dev-ecs-task-role"
LOG_GROUP = "/ecs/wwhd-backend"
LOAD_BALANCER = "wwhd-alb"
LOAD_BALANCER_DNS = "wwhd-alb-1530831557.us-west-2.elb.amazonaws.com"
TARGET_GROUP = "wwhd-backend"
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def build(cloud: Cloud) -> str:
    """Empties moto's stores and fills them with the world. Returns the ARN of the target group."""
    with cloud.lock:
        for backends in (
            applicationautoscaling_backends, ec2_backends, ecs_backends, efs_backends, elbv2_backends, iam_backends,
            logs_backends, sts_backends,
        ):  # fmt: skip
            _reset(backends)
        vpc = _network()
        _file_system()
        _roles()
        logs_backends[ACCOUNT][REGION].create_log_group(LOG_GROUP, {})
        return _load_balancer(vpc)


def _reset(backends: Any) -> None:
    for regions in backends.values():
        for backend in regions.values():
            backend.reset()


@contextmanager
def _ids(target: str, value: str) -> Iterator[None]:
    # moto draws its ids; the world's are known, so the draw is replaced for one call.
    with mock.patch(target, return_value=value):
        yield


def _network() -> str:
    ec2 = ec2_backends[ACCOUNT][REGION]
    vpc = str(ec2.create_vpc("10.20.0.0/16").id)
    for number, (subnet, zone) in enumerate(SUBNETS.items()):
        with _ids("moto.ec2.models.subnets.random_subnet_id", subnet):
            ec2.create_subnet(vpc, f"10.20.{number}.0/24", availability_zone=zone)
    with _ids("moto.ec2.models.security_groups.random_security_group_id", SECURITY_GROUP):
        ec2.create_security_group("wwhd-dev", "tasks and file system of wwhd dev", vpc_id=vpc)
    return vpc


def _file_system() -> None:
    efs = efs_backends[ACCOUNT][REGION]
    draw = "moto.efs.models.mock_random.get_random_hex"
    with _ids(draw, FILE_SYSTEM.removeprefix("fs-")):
        efs.create_file_system("wwhd-dev", "generalPurpose", True, "", "bursting", 0, "", False,
                               [{"Key": "Name", "Value": "wwhd-dev"}])  # fmt: skip
    with _ids(draw, ACCESS_POINT.removeprefix("fsap-")):
        efs.create_access_point(
            "wwhd-dev", [{"Key": "Name", "Value": "wwhd-dev"}], FILE_SYSTEM, {"Uid": 1000, "Gid": 1000},
            {"Path": ACCESS_POINT_PATH, "CreationInfo": {"OwnerUid": 1000, "OwnerGid": 1000, "Permissions": "0755"}},
        )  # fmt: skip
    for subnet in SUBNETS:
        efs.create_mount_target(FILE_SYSTEM, subnet, security_groups=[SECURITY_GROUP])


def _roles() -> None:
    iam = iam_backends[ACCOUNT]["aws"]
    for arn in (EXECUTION_ROLE, TASK_ROLE):
        iam.create_role(arn.rsplit("/", 1)[1], json.dumps(_TRUST), "/", None, "", [], None)


def _load_balancer(vpc: str) -> str:
    elb = elbv2_backends[ACCOUNT][REGION]
    balancer = elb.create_load_balancer(LOAD_BALANCER, [SECURITY_GROUP], list(SUBNETS))
    balancer.dns_name = LOAD_BALANCER_DNS
    # One ARN for every reset: its listener's port, which clients know, stays.
    with _ids("moto.elbv2.models.mock_random.get_random_hex", "6d0ecf831eec9f09"):
        group = elb.create_target_group(
            TARGET_GROUP, vpc_id=vpc, protocol="HTTP", port="8000", healthcheck_path="/health", target_type="ip",
            healthcheck_interval_seconds=10, healthy_threshold_count="2",
        )  # fmt: skip
    elb.create_listener(balancer.arn, "HTTP", "80", "", None, [{"Type": "forward", "TargetGroupArn": group.arn}])
    return str(group.arn)


def definition() -> dict[str, Any]:
    """The service's task definition, as a client would register it."""
    logs = {
        "logDriver": "awslogs",
        "options": {"awslogs-group": LOG_GROUP, "awslogs-region": REGION, "awslogs-stream-prefix": "ecs"},
    }
    return {
        "family": FAMILY,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "1024",
        "memory": "2048",
        "executionRoleArn": EXECUTION_ROLE,
        "taskRoleArn": TASK_ROLE,
        "containerDefinitions": [
            {
                "name": "fastapi",
                "image": "wwhd/backend:dev",
                "essential": True,
                "portMappings": [{"containerPort": 8000, "protocol": "tcp"}],
                "environment": [{"name": "QDRANT_URL", "value": "http://localhost:6333"}],
                "mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}],
                "logConfiguration": logs,
            },
            {
                "name": "qdrant",
                "image": "qdrant/qdrant:v1.7.4",
                "essential": True,
                "portMappings": [{"containerPort": 6333, "protocol": "tcp"}],
                "mountPoints": [{"sourceVolume": "data", "containerPath": "/qdrant/storage"}],
                "logConfiguration": logs,
            },
        ],
        "volumes": [
            {
                "name": "data",
                "efsVolumeConfiguration": {
                    "fileSystemId": FILE_SYSTEM,
                    "transitEncryption": "ENABLED",
                    "authorizationConfig": {"accessPointId": ACCESS_POINT, "iam": "ENABLED"},
                },
            }
        ],
    }


def network_configuration() -> dict[str, Any]:
    return {
        "awsvpcConfiguration": {
            "subnets": list(SUBNETS), "securityGroups": [SECURITY_GROUP], "assignPublicIp": "ENABLED",
        }
    }  # fmt: skip


def service(target_group: str) -> dict[str, Any]:
    """CreateService's parameters for the service."""
    return {
        "cluster": CLUSTER,
        "serviceName": SERVICE,
        "taskDefinition": FAMILY,
        "desiredCount": 1,
        "launchType": "FARGATE",
        "networkConfiguration": network_configuration(),
        "loadBalancers": [{"targetGroupArn": target_group, "containerName": "fastapi", "containerPort": 8000}],
        "healthCheckGracePeriodSeconds": 600,
        "availabilityZoneRebalancing": "DISABLED",
    }


__all__ = [
    "ACCESS_POINT", "ACCESS_POINT_PATH", "CLUSTER", "EXECUTION_ROLE", "FAMILY", "FILE_SYSTEM",
    "LOAD_BALANCER_DNS", "LOG_GROUP", "REGION", "SECURITY_GROUP", "SERVICE", "SUBNETS", "TARGET_GROUP", "TASK_ROLE",
    "build", "definition", "network_configuration", "service",
]  # fmt: skip
