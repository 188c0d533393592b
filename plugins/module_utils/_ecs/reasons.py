# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ECS's stop reasons and exit codes mean, and what to do about them.

Private to wwhd.qdrant_ops. A table and pure functions; nothing here calls AWS.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = [
    "REASONS",
    "Reason",
    "container_hint",
    "exit_code_meaning",
    "hint_for",
    "hint_for_task",
    "kind_for",
    "matches",
    "reason_for",
]


@dataclass(frozen=True)
class Reason:
    """One row: `patterns` (any of them suffices) mean `cause`, which `remedy` puts right.

    In a pattern, `…` stands for any text. AWS changes prefixes, quoting and retry counts over time, therefore patterns
    are searched for inside the text, in any case of letters, and never compared for equality (facts.md A.7).
    `kind` groups rows for programs: mount, image, logging, memory, network, permission, capacity, health_check,
    secret, command, runtime, infrastructure, scaling, stopped_by_user.
    """

    kind: str
    patterns: tuple[str, ...]
    cause: str
    remedy: str

    @property
    def hint(self) -> str:
        return f"{self.cause} {self.remedy}"


# The first row that matches wins: narrow rows stand above the wide ones of the same family.
REASONS: tuple[Reason, ...] = (
    # EFS mounts
    Reason(
        "mount",
        ('Failed to resolve "fs-', "ensure that the VPC has an EFS mount target", "efs/mount-dns-name"),
        "The name of the EFS file system did not resolve from the task's subnet.",
        "Check the file system id, that its VPC has DNS turned on, and that the subnet's availability zone has a mount "
        "target (a new one takes about 90 s to resolve).",
    ),
    Reason(
        "mount",
        ("mount.nfs4: access denied by server", "access denied by server while mounting"),
        "EFS refused the mount.",
        "Give the task role elasticfilesystem:ClientMount and ClientWrite, set iam: ENABLED in the volume's "
        "authorizationConfig, and mount through the access point that the file system's policy asks for.",
    ),
    Reason(
        "mount",
        ("reason given by server: No such file or directory", "mount…failed…No such file or directory"),
        "The directory to mount does not exist on the EFS file system.",
        "Correct rootDirectory, or create the directory (an access point creates its own only with CreationInfo).",
    ),
    Reason(
        "mount",
        (
            "mount.nfs4: Connection timed out",
            "Mount attempt…failed due to timeout",
            "EFS…Connection timed out",
        ),
        "The mount of the EFS file system timed out.",
        "Let the mount target's security group accept TCP 2049 from the task's security group, and check that the "
        "subnet's availability zone has a mount target.",
    ),
    Reason(
        "mount",
        (
            "mount.nfs4: Connection reset by peer",
            "mount.nfs4: Connection refused",
            "mount.nfs4: mount system call failed",
        ),
        "The encrypted connection to the EFS mount target broke.",
        "Check network ACLs and any proxy or mesh in the way of TCP 2049, and that transitEncryption suits the policy.",
    ),
    Reason(
        "mount",
        ("failed to invoke EFS utils", "unsuccessful EFS utils command", "CannotCreateVolumeError"),
        "A volume of the task could not be mounted.",
        "Read the text after stderr, and check the volume's file system, access point, directory and security group.",
    ),
    # Logging
    Reason(
        "logging",
        ("failed to validate logger args…log group does not exist", "The specified log group does not exist"),
        "The CloudWatch log group of the task definition does not exist.",
        "Create the log group (aws logs create-log-group), or set awslogs-create-group with the permission for it.",
    ),
    Reason(
        "logging",
        ("not authorized to perform: logs:", "failed to validate logger args…AccessDenied"),
        "The execution role may not write to the CloudWatch log group.",
        "Give the execution role logs:CreateLogStream and logs:PutLogEvents (logs:CreateLogGroup if it creates it).",
    ),
    Reason(
        "logging",
        ("failed to validate logger args",),
        "The log driver of a container could not start.",
        "Check the awslogs options (group, region, prefix), the execution role, and the route to CloudWatch Logs.",
    ),
    # Secrets and registry credentials
    Reason(
        "secret",
        (
            "unable to retrieve secret from asm…ResourceNotFoundException",
            "Secrets Manager can't find the specified secret",
            "Fetching secret data from AWS Secrets Manager…ResourceNotFoundException",
        ),
        "A secret that the task definition names was not found.",
        "Correct the secret's ARN and region in the task definition.",
    ),
    Reason(
        "permission",
        (
            "unable to retrieve ecr registry auth…AccessDenied",
            "unable to pull secrets or registry auth…AccessDenied",
            "execution resource retrieval failed…AccessDenied",
        ),
        "The execution role may not read the registry's credentials or the secrets.",
        "Give the execution role the actions that the text names (AmazonECSTaskExecutionRolePolicy, and the secrets).",
    ),
    Reason(
        "network",
        (
            "pull command failed: : signal: killed",
            "unable to pull secrets or registry auth",
            "There is a connection issue between the task and Amazon ECR",
            "The task cannot pull…from the Amazon ECR repository",
        ),
        "The task had no route to the registry or to Secrets Manager.",
        "Give the task a public IP in a public subnet, a NAT gateway, or VPC endpoints (ECR, S3, Secrets Manager).",
    ),
    # Images
    Reason(
        "image",
        ("does not contain descriptor matching platform", "no matching manifest for"),
        "The image does not exist for this CPU architecture.",
        "Set runtimePlatform.cpuArchitecture as the image has it, or build the image for this architecture.",
    ),
    Reason(
        "image",
        ("toomanyrequests", "pull rate limit", "httpReaderSeeker: failed open: unexpected status code"),
        "The registry limits how often images may be pulled.",
        "Mirror the image into ECR (a pull-through cache does it), or try again later.",
    ),
    Reason(
        "network",
        (
            "CannotPullContainerError…i/o timeout",
            "CannotPullContainerError…net/http: request canceled",
            "CannotPullContainerError…no such host",
            "CannotPullContainerError…context deadline exceeded",
        ),
        "The task could not reach the image registry.",
        "Give the task a public IP in a public subnet, a NAT gateway, or VPC endpoints for the registry.",
    ),
    Reason(
        "image",
        ("pull access denied", "repository does not exist or may require authorization", "insufficient_scope"),
        "The image's repository does not exist or is private.",
        "Correct the image's name, or give repositoryCredentials or ECR permissions to the execution role.",
    ),
    Reason(
        "image",
        ("failed to resolve ref…not found", "CannotPullContainerError…not found", "manifest unknown"),
        "The image has no such tag.",
        "Correct the image's tag or digest.",
    ),
    Reason(
        "image",
        ("CannotPullContainerError", "CannotPullImageManifestError", "CannotPullECRContainerError"),
        "The image could not be pulled.",
        "Check the image's name and tag, the execution role, and the task's route to the registry.",
    ),
    # Memory, health
    Reason(
        "memory",
        ("OutOfMemoryError", "container killed due to memory usage", "OutOfMemory: Container killed"),
        "The container used more memory than it is allowed.",
        "Raise memory in the task definition (for Qdrant also: quantise, or keep vectors and payloads on disk).",
    ),
    Reason(
        "health_check",
        ("Task failed ELB health checks", "failed ELB health checks", "(port…) is unhealthy in (target-group"),
        "The load balancer found the task unhealthy and ECS replaced it.",
        "Check the target group's path and port and the security groups, and raise healthCheckGracePeriodSeconds if "
        "the container needs long to load.",
    ),
    Reason(
        "health_check",
        ("failed container health checks",),
        "The container's own health check failed.",
        "Run the healthCheck command in the image by hand (Qdrant's image has no curl), and look at startPeriod.",
    ),
    # Networks, capacity, infrastructure
    Reason(
        "network",
        ("Timeout waiting for network interface provisioning",),
        "The network interface was not ready in time.",
        "Run it again; if it stays so, look for throttled EC2 calls in the account.",
    ),
    Reason(
        "network",
        ("Unexpected EC2 error while attempting to Create Network Interface", "InsufficientFreeAddressesInSubnet"),
        "EC2 could not create the task's network interface.",
        "Use another subnet (this one may have no free addresses), and look at the interface quota.",
    ),
    Reason(
        "capacity",
        (
            "Capacity is unavailable at this time",
            "RESOURCE:",
            "EMPTY CAPACITY PROVIDER",
            "NO ACTIVE INSTANCES",
            "MemberOf placement constraint unsatisfied",
            "TaskFailedToStart: ATTRIBUTE",
            "TaskFailedToStart: AGENT",
            "limit on the number of tasks you can run concurrently",
            "limit on the number of vCPUs",
        ),
        "AWS had no place to run the task.",
        "Try again in some minutes, give subnets in more availability zones, or ask for a higher Fargate quota.",
    ),
    Reason(
        "capacity",
        ("Your Spot Task was interrupted", "Spot interruption"),
        "AWS took the Spot capacity back.",
        "Run tasks that hold data on FARGATE, not on FARGATE_SPOT.",
    ),
    Reason(
        "infrastructure",
        ("ECS is performing maintenance on the underlying infrastructure",),
        "AWS retired the host for maintenance.",
        "Nothing: ECS starts a replacement of a service's task by itself.",
    ),
    Reason(
        "infrastructure",
        ("Timeout waiting for EphemeralStorage provisioning", "InternalError"),
        "AWS failed on its own side.",
        "Run it again.",
    ),
    # Permissions
    Reason(
        "permission",
        ("ECS was unable to assume the role",),
        "ECS could not assume a role of the task definition.",
        "Let ecs-tasks.amazonaws.com assume the role (its trust policy), and allow iam:PassRole to whoever runs this.",
    ),
    # Commands and the container runtime
    Reason(
        "command",
        ("OCI runtime create failed", "executable file not found", "CannotStartContainerError"),
        "The container's command could not be started.",
        "Check entryPoint and command against what is in the image.",
    ),
    Reason(
        "runtime",
        (
            "ContainerRuntimeTimeoutError",
            "ContainerRuntimeError",
            "CannotStopContainerError",
            "CannotInspectContainerError",
            "CannotCreateContainerError",
        ),
        "The container runtime failed.",
        "Run it again; a new task comes on another host.",
    ),
    Reason(
        "scaling",
        ("Scaling activity initiated by",),
        "The service scheduler stopped the task: the desired count was lowered, or a deployment replaced the task.",
        "Nothing, if an unlock or a deployment was under way.",
    ),
)

# What a process's end says by itself (facts.md A.6). 0 is absent: it needs no hint.
_EXIT_CODES: Mapping[int, tuple[str, str]] = {
    1: ("the program reported an error", "Read its last log lines."),
    2: ("the program or its shell was called wrongly", "Read its last log lines and check the command."),
    101: (
        "a Rust program panicked (Qdrant does when it cannot load a collection, for example because a lock is held)",
        "Read the panic in its last log lines.",
    ),
    126: ("the command is not executable", "Check entryPoint and command against what is in the image."),
    127: ("the command was not found in the image", "Check entryPoint and command against what is in the image."),
    134: ("the program aborted", "Read its last log lines."),
    137: (
        "the process was killed (SIGKILL): out of memory, or it outlived its stopTimeout",
        "Look at the memory used; if it was being stopped, raise stopTimeout (at most 120 s on Fargate).",
    ),
    139: ("the program crashed (segmentation fault)", "Read its last log lines; check image and CPU architecture."),
    143: ("the process was told to end (SIGTERM)", "Nothing, if the task was being stopped."),
}


_STOP_CODES: Mapping[str, str] = {
    "TaskFailedToStart": "The task never started. Read its stopped reason, and its service's events if it has one.",
    "SpotInterruption": "AWS took the Spot capacity back. Run tasks that hold data on FARGATE, not on FARGATE_SPOT.",
    "TerminationNotice": "AWS took the host away. Run it again.",
    "InfrastructureHealth": "AWS took the host away. Run it again.",
}
_NO_EXIT_CODE = (
    "A container has no exit code: it never started, or was lost with its host. That is never a success. "
    "Read its reason, and run it again."
)

# Signals sent to the other containers of a task when one has failed: they speak only where nothing else does.
_CONSEQUENCES: Mapping[int, int] = {137: 1, 143: 2}


def matches(pattern: str, text: str) -> bool:
    """Whether the parts of `pattern` between its `…` occur in `text` in their order, in any case of letters."""
    position = 0
    folded = text.casefold()
    for part in pattern.casefold().split("…"):
        found = folded.find(part, position)
        if found < 0:
            return False
        position = found + len(part)
    return True


def reason_for(text: str | None) -> Reason | None:
    """The first row of the table that the text matches."""
    if not text:
        return None
    return next((row for row in REASONS if any(matches(pattern, text) for pattern in row.patterns)), None)


def exit_code_meaning(code: int | None) -> str | None:
    """`Exit code 137: the process was killed … Look at …`; None for 0 and for no code."""
    if code is None or code == 0:
        return None
    if code in _EXIT_CODES:
        meaning, remedy = _EXIT_CODES[code]
        return f"Exit code {code}: {meaning}. {remedy}"
    if 128 < code < 160:
        return f"Exit code {code}: the process was ended by signal {code - 128}. Read its last log lines."
    return f"Exit code {code}: the program's own. Read its last log lines."


def _stopped_by_user(stopped_reason: str | None) -> str:
    said = f' and gave the reason "{stopped_reason}"' if stopped_reason else ""
    return f"Somebody stopped this task by StopTask{said}. Ask who did (CloudTrail, event StopTask), and run it again."


def hint_for(
    stop_code: str | None,
    stopped_reason: str | None,
    container_reasons: Iterable[str | None] = (),
    exit_codes: Iterable[int | None] = (),
) -> str | None:
    """Cause and remedy of a task's end in one or two sentences; None where it ended well or nothing is known.

    What a person did comes first (its exit codes are mere consequences, and its text is that person's own), then the
    table, over the containers' reasons too, then the exit codes: the worst one speaks.
    """
    if stop_code == "UserInitiated":
        return _stopped_by_user(stopped_reason)
    row = _narrowest(stopped_reason, *container_reasons)
    if row:
        return row.hint
    codes = list(exit_codes)
    bad = sorted((code for code in codes if code), key=lambda code: _CONSEQUENCES.get(code, 0))
    if bad:
        return exit_code_meaning(bad[0])
    return _STOP_CODES.get(stop_code or "") or (_NO_EXIT_CODE if None in codes else None)


def _narrowest(*texts: str | None) -> Reason | None:
    """The row that says most: that the scheduler stopped a task says nothing where another row matches too."""
    rows = [row for row in map(reason_for, texts) if row]
    return next((row for row in rows if row.kind != "scaling"), rows[0] if rows else None)


def kind_for(
    stop_code: str | None, stopped_reason: str | None, container_reasons: Iterable[str | None] = ()
) -> str | None:
    """The `kind` of the row that `hint_for` speaks from; `stopped_by_user` for a StopTask; None without a row."""
    if stop_code == "UserInitiated":
        return "stopped_by_user"
    row = _narrowest(stopped_reason, *container_reasons)
    return row.kind if row else None


def hint_for_task(task: Mapping[str, Any]) -> str | None:
    """`hint_for` of a task as DescribeTasks gives it; None while nothing of it has ended."""
    containers = task.get("containers", [])
    ended = any(container.get("exitCode") is not None for container in containers)
    if not task.get("stopCode") and task.get("lastStatus") != "STOPPED" and not ended:
        return None
    return hint_for(
        task.get("stopCode"),
        task.get("stoppedReason"),
        [container.get("reason") for container in containers],
        [container.get("exitCode") for container in containers],
    )


def container_hint(container: Mapping[str, Any]) -> str | None:
    """The hint for one container (its reason, then its exit code)."""
    row = reason_for(container.get("reason"))
    return row.hint if row else exit_code_meaning(container.get("exitCode"))
