# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sandbox's ECS asks of the rest of AWS: moto's own stores, read and written under one lock."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.core.exceptions import ServiceException
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.efs.models import efs_backends
from moto.elbv2.models import elbv2_backends
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends

from sandbox.ecs.errors import AwsError, client_error, invalid_parameter
from sandbox.ecs.model import ACCOUNT

ASSUME_ROLE_TEXT = (
    "ECS was unable to assume the role '{role}' that was provided for this task. Please verify that the role being "
    "passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role."
)
_EFS_FAILED = "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: "


class MountFailed(Exception):
    """A volume cannot be mounted; the text is the task's `stoppedReason`."""


@dataclass(frozen=True)
class TargetGroup:
    arn: str
    port: int
    health_path: str
    interval: float
    timeout: float
    healthy: int
    unhealthy: int
    matcher: str
    delay: float


class Cloud:
    """moto's backends of the sandbox's account. `lock` guards them: moto itself is not thread-safe."""

    def __init__(self, *, efs_root: Path) -> None:
        self.lock = threading.RLock()
        self.efs_root = efs_root

    def zone(self, region: str, subnet: str) -> str:
        """The availability zone of a subnet. Raises InvalidParameterException with ECS's words if it is unknown."""
        with self.lock:
            try:
                return str(ec2_backends[ACCOUNT][region].get_subnet(subnet).availability_zone)
            except EC2ClientError as error:
                raise invalid_parameter(
                    f"Error retrieving subnet information for [{subnet}]: {_message(error)} "
                    f"(ErrorCode: InvalidSubnetID.NotFound)"
                ) from error

    def check_security_group(self, region: str, group: str) -> None:
        with self.lock:
            known = {found.id for found in ec2_backends[ACCOUNT][region].describe_security_groups()}
        if group not in known:
            raise invalid_parameter(
                f"Error retrieving security group information for [{group}]: The security group '{group}' does not "
                "exist (ErrorCode: InvalidGroup.NotFound)"
            )

    def check_network(self, region: str, network: dict[str, Any]) -> None:
        """Raises as ECS does if the awsvpc configuration names what is not there."""
        settings = network.get("awsvpcConfiguration") or {}
        subnets = settings.get("subnets") or []
        if not subnets:
            raise invalid_parameter("subnets can not be empty.")
        if len(subnets) > 16:
            raise invalid_parameter("Too many subnets: at most 16 can be given.")
        if len(settings.get("securityGroups") or []) > 5:
            raise invalid_parameter("Too many security groups: at most 5 can be given.")
        for subnet in subnets:
            self.zone(region, subnet)
        for group in settings.get("securityGroups") or []:
            self.check_security_group(region, group)

    def check_roles(self, *roles: str | None) -> None:
        """Raises ECS's ClientException if a role cannot be assumed, i.e. is not there."""
        with self.lock:
            known = {role.arn for role in iam_backends[ACCOUNT]["aws"].get_roles()}
        for role in roles:
            if role and role not in known:
                raise client_error(ASSUME_ROLE_TEXT.format(role=role))

    def has_log_group(self, region: str, group: str) -> bool:
        with self.lock:
            return group in logs_backends[ACCOUNT][region].groups

    def has_log_stream(self, region: str, group: str, stream: str) -> bool:
        with self.lock:
            return stream in logs_backends[ACCOUNT][region].groups[group].streams

    def write_log(self, region: str, group: str, stream: str, events: list[dict[str, Any]]) -> None:
        """Makes the stream if needed and appends; does nothing if the group has been deleted meanwhile."""
        with self.lock:
            backend = logs_backends[ACCOUNT][region]
            if group not in backend.groups:
                return
            backend.ensure_log_stream(group, stream)
            if events:
                backend.put_log_events(group, stream, events)

    def volume_folder(self, region: str, efs: dict[str, Any], *, zone: str) -> Path:
        """The folder of this machine that stands for an EFS volume. Raises MountFailed as Fargate words it."""
        file_system = str(efs["fileSystemId"])
        access_point = (efs.get("authorizationConfig") or {}).get("accessPointId")
        with self.lock:
            backend = efs_backends[ACCOUNT][region]
            found = backend.file_systems_by_id.get(file_system)
            targets = [] if found is None else [t.availability_zone_name for t in found.iter_mount_targets()]
            point = backend.access_points.get(access_point) if access_point else None
        if found is None or zone not in targets:
            raise MountFailed(unresolved(region, file_system))
        root = self.efs_root / file_system
        root.mkdir(parents=True, exist_ok=True)
        if not access_point:
            return self._existing(root, file_system, str(efs.get("rootDirectory") or "/"))
        if point is None or point.file_system_id != file_system:
            raise MountFailed(f"{_EFS_FAILED}b'mount.nfs4: access denied by server while mounting 127.0.0.1:/' "
                              ": unsuccessful EFS utils command execution; code: 32")  # fmt: skip
        path = str(point.root_directory.get("Path") or "/")
        if point.root_directory.get("CreationInfo"):
            (root / path.strip("/")).mkdir(parents=True, exist_ok=True)
        return self._existing(root, file_system, path)

    def _existing(self, root: Path, file_system: str, path: str) -> Path:
        folder = root / path.strip("/")
        if not folder.is_dir():
            raise MountFailed(
                f"{_EFS_FAILED}b'mount.nfs4: mounting {file_system}:{path} failed, reason given by server: "
                "No such file or directory' : unsuccessful EFS utils command execution; code: 32"
            )
        return folder

    def target_group(self, region: str, arn: str) -> TargetGroup:
        """Raises InvalidParameterException if there is no such target group."""
        with self.lock:
            group = elbv2_backends[ACCOUNT][region].target_groups.get(arn)
            if group is None:
                raise invalid_parameter(f"The specified target group does not exist: {arn}")
            delay = str(group.attributes.get("deregistration_delay.timeout_seconds", 300))
            return TargetGroup(
                arn=arn, port=int(group.port), health_path=str(group.health_check_path or "/"),
                interval=float(group.health_check_interval_seconds), timeout=float(group.health_check_timeout_seconds),
                healthy=int(group.healthy_threshold_count), unhealthy=int(group.unhealthy_threshold_count),
                matcher=str((group.matcher or {}).get("HttpCode", "200")), delay=float(delay),
            )  # fmt: skip

    def scalable_target(self, region: str, resource: str) -> tuple[int, int, dict[str, Any]] | None:
        """(min, max, suspended state) of an ECS service's scalable target."""
        with self.lock:
            targets = applicationautoscaling_backends[ACCOUNT][region].targets
            target: Any = targets.get("ecs:service:DesiredCount", {}).get(resource)
            if target is None:
                return None
            return int(target.min_capacity), int(target.max_capacity), dict(target.suspended_state or {})


def unresolved(region: str, file_system: str) -> str:
    """The mount failure of a file system without a mount target in the task's zone."""
    return (
        f'{_EFS_FAILED}b\'Failed to resolve "{file_system}.efs.{region}.amazonaws.com" - check that your file '
        "system ID is correct, and ensure that the VPC has an EFS mount target for this file system ID. See "
        "https://docs.aws.amazon.com/console/efs/mount-dns-name for more detail.' : unsuccessful EFS utils command "
        "execution; code: 1"
    )


def mount_failure(variant: str, *, region: str, file_system: str) -> str:
    """Fargate's text for a mount that fails for a reason that the sandbox's world does not have by itself."""
    texts = {
        "timeout": "b'mount.nfs4: Connection timed out' : unsuccessful EFS utils command execution; code: 32",
        "denied": "b'mount.nfs4: access denied by server while mounting 127.0.0.1:/' : unsuccessful EFS utils command "
        "execution; code: 32",
        "missing": f"b'mount.nfs4: mounting {file_system}:/missing failed, reason given by server: No such file or "
        "directory' : unsuccessful EFS utils command execution; code: 32",
        "reset": "b'mount.nfs4: Connection reset by peer' : unsuccessful EFS utils command execution; code: 32",
    }
    if variant == "unresolved":
        return unresolved(region, file_system)
    if variant not in texts:
        raise AwsError("ValidationError", f"unknown mount failure {variant!r}: use unresolved, {', '.join(texts)}")
    return _EFS_FAILED + texts[variant]


def _message(error: Exception) -> str:
    return str(error.message) if isinstance(error, ServiceException) or hasattr(error, "message") else str(error)


__all__ = ["ASSUME_ROLE_TEXT", "Cloud", "MountFailed", "TargetGroup", "mount_failure"]
