# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ECS's stop reasons mean, and what to do about them: the table alone.

Private to wwhd.qdrant_ops. `_ecs/reasons.py` looks things up in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["FAILURES", "REASONS", "Reason"]


@dataclass(frozen=True)
class Reason:
    """One row: `patterns` (any of them suffices) mean `cause`, which `remedy` puts right.

    In a pattern, `…` stands for any text. AWS changes prefixes, quoting and retry counts over time, therefore patterns
    are searched for inside the text, in any case of letters, and never compared for equality (facts.md A.7).
    `kind` groups rows for programs: mount, image, logging, memory, network, permission, capacity, placement,
    health_check, secret, command, runtime, infrastructure, scaling, stopped_by_user.
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
        ("Capacity is unavailable at this time",),
        "AWS had no place to run the task.",
        "Try again in some minutes, or give subnets in more availability zones.",
    ),
    Reason(
        "capacity",
        ("limit on the number of tasks you can run concurrently", "limit on the number of vCPUs"),
        "The account runs as many tasks or vCPUs on Fargate as its quota lets it.",
        "Wait until other tasks have ended, or ask for a higher quota (Service Quotas, AWS Fargate).",
    ),
    Reason(
        "capacity",
        ("RESOURCE:", "NO ACTIVE INSTANCES", "EMPTY CAPACITY PROVIDER"),
        "The cluster had no place to run the task: no instance has so much cpu, memory, network interfaces or ports "
        "left.",
        "Add container instances or let the capacity provider do it, stop what fills them, or ask for less in the task "
        "definition.",
    ),
    Reason(
        "capacity",
        ("MemberOf placement constraint unsatisfied", "TaskFailedToStart: ATTRIBUTE"),
        "No instance of the cluster is one that the task may be placed on.",
        "Check the placement constraints, and the instances' attributes (CPU architecture, network mode, log driver) "
        "against what the task definition requires.",
    ),
    Reason(
        "capacity",
        ("TaskFailedToStart: AGENT",),
        "The ECS agent of the container instance did not answer.",
        "Try again in some minutes; if it stays so, start the agent or the instance again.",
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

# Reasons in RunTask's `failures[]` that are one word, and mean this only as the whole reason (facts.md B.2).
FAILURES: Mapping[str, Reason] = {
    "AGENT": next(row for row in REASONS if "TaskFailedToStart: AGENT" in row.patterns),
    "ATTRIBUTE": Reason(
        "placement",
        ("ATTRIBUTE",),
        "The instance lacks an attribute that the task definition requires.",
        "Check the instances' attributes (CPU architecture, network mode, log driver) and the placement constraints.",
    ),
    "LOCATION": Reason(
        "placement",
        ("LOCATION",),
        "The instance is in another availability zone than the subnets given.",
        "Give subnets in the zones of the cluster's instances.",
    ),
    "MISSING": Reason("placement", ("MISSING",), "ECS does not know it.", "Check its ARN, the cluster and the region."),
    "INACTIVE": Reason(
        "placement",
        ("INACTIVE",),
        "The container instance is not registered any more.",
        "Use another instance, or register it again.",
    ),
}
