# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For each verdict but the locks': the cause that fits the facts, how sure that is, and a command that helps.

Private to wwhd.qdrant_ops. Pure. Every command here only reads, but for the one that makes a log group.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.evidence import (
    by_kind,
    ended,
    primary,
    rolled_back,
    speaking_lines,
    task_kind,
    unread_logs,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.narrowing import (
    CERTAIN,
    LIKELY,
    POSSIBLE,
    Narrowed,
    aws_command,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.storage_signs import Sign, sign_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.symptoms import Facts

__all__ = [
    "app_error",
    "capacity",
    "given_up",
    "health_check",
    "image",
    "logging",
    "many_writers",
    "memory",
    "mount",
    "network",
    "paused",
    "permission",
    "stopped_by_hand",
    "stopped_by_user",
    "storage",
    "unknown",
]

_PIPELINE = re.compile(
    r"deploy|release|pipeline|workflow|rollout|jenkins|github|gitlab|circle ?ci|bamboo|\b(ci|cd|job)\b|preventing",
    re.IGNORECASE,
)
_ECR = re.compile(r"\d{12}\.dkr\.ecr\.[\w-]+\.amazonaws\.com/([a-z0-9][\w./-]*):([\w.-]+)")
_NOT_AUTHORIZED = re.compile(r"not authorized to perform: ([\w-]+:\w+)")
_ROLE = re.compile(r"(?:assumed-role|:role)/([\w+=,.@-]+)")
_COMMAND = re.compile(r"'(aws [^']+)'")
_TARGET_GROUP = re.compile(r"arn:[\w-]+:elasticloadbalancing:[\w-]+:\d+:targetgroup/[\w/-]+")


def _said(facts: Facts, kind: str) -> str:
    """Everything that speaks for a kind, as one text."""
    return " ".join(by_kind(kind)(facts))


def _events(facts: Facts) -> str:
    return aws_command(
        facts, "ecs", "describe-services", "--cluster", "{cluster}", "--services", "{service}",
        "--query", "services[0].events[:10].[createdAt,message]", "--output", "text",
    )  # fmt: skip


def _definition(facts: Facts, query: str) -> str | None:
    arn = primary(facts).get("task_definition")
    if not arn:
        return None
    return aws_command(facts, "ecs", "describe-task-definition", "--task-definition", str(arn), "--query", query)


def _logs(facts: Facts) -> str | None:
    groups: Iterable[str] = facts.get("log_groups") or []
    group = next(iter(groups), None)
    return aws_command(facts, "logs", "tail", str(group), "--since", "1h") if group else None


def stopped_by_hand(facts: Facts) -> Narrowed:
    return Narrowed(
        command=aws_command(
            facts, "cloudtrail", "lookup-events", "--lookup-attributes",
            "AttributeKey=EventName,AttributeValue=UpdateService", "--max-results", "10",
        )
    )  # fmt: skip


def stopped_by_user(facts: Facts) -> Narrowed:
    stopped = [task for task in ended(facts) if task_kind(task) == "stopped_by_user"]
    reasons = list(dict.fromkeys(str(task["stopped_reason"]) for task in stopped if task["stopped_reason"]))
    command = aws_command(
        facts, "cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue=StopTask",
        "--max-results", "10",
    )  # fmt: skip
    named = next((reason for reason in reasons if _PIPELINE.search(reason)), None)
    if named is None:
        return Narrowed(
            cause="person_stops_tasks",
            because="the stop code is UserInitiated: StopTask was called",
            command=command,
        )
    return Narrowed(
        cause="pipeline_stops_tasks",
        confidence=LIKELY,
        because=f"{len(stopped)} task(s) ended by StopTask, and the reason reads like a deployment's",
        summary=f'A deployment pipeline stops the service\'s own tasks, with the reason "{named}".',
        next="Take the step that calls stop-task out of the pipeline: the reason is its own text, no message of AWS or "
        "Qdrant. ECS starts a new task at once for each that is stopped, beside the one that ends. Stop the service by "
        "its desired count instead, or let the release include the unlock.",
        command=command,
    )


def memory(facts: Facts) -> Narrowed:
    told = _said(facts, "memory")
    command = _definition(facts, "taskDefinition.[cpu,memory,containerDefinitions[].[name,memory,memoryReservation]]")
    if told:
        return Narrowed(cause="out_of_memory", because="ECS names it: OutOfMemoryError", command=command)
    return Narrowed(
        cause="killed",
        confidence=LIKELY,
        because="exit code 137 without anybody having stopped the task; ECS does not name the reason",
        command=command,
    )


def image(facts: Facts) -> Narrowed:
    told = _said(facts, "image")
    registry = _ECR.search(told)
    command = None
    if registry:
        repository, tag = registry.groups()
        command = aws_command(
            facts, "ecr", "describe-images", "--repository-name", repository, "--image-ids", f"imageTag={tag}"
        )
    for pattern, cause in (
        (r"descriptor matching platform|no matching manifest", "image_platform"),
        (r"toomanyrequests|rate limit", "image_rate_limit"),
        (r"pull access denied|insufficient_scope|require authorization", "image_denied"),
        (r"not found|manifest unknown", "image_missing"),
    ):
        if re.search(pattern, told):
            return Narrowed(cause=cause, because="the registry's answer is quoted by ECS", command=command)
    return Narrowed(cause="image_not_pulled", because="ECS could not pull it", command=command)


def mount(facts: Facts) -> Narrowed:
    told = _said(facts, "mount")
    volumes = facts.get("volumes") or [{}]
    place = str(volumes[0].get("file_system_id") or "fs-ID")
    targets = aws_command(facts, "efs", "describe-mount-targets", "--file-system-id", place)
    points = aws_command(facts, "efs", "describe-access-points", "--file-system-id", place)
    policy = aws_command(facts, "efs", "describe-file-system-policy", "--file-system-id", place)
    for pattern, cause, command in (
        (r"access denied", "mount_denied", policy),
        (r"No such file or directory", "mount_no_directory", points),
        (r"Failed to resolve|mount-dns-name|has an EFS mount target", "mount_unresolved", targets),
        (r"timed out|timeout", "mount_timeout", targets),
        (r"reset by peer|Connection refused|system call failed", "mount_connection_broken", targets),
    ):
        if re.search(pattern, told):
            return Narrowed(cause=cause, because="the mount's own error is quoted by ECS", command=command)
    if told:
        return Narrowed(cause="mount_failed", because="ECS says that the volume was not mounted", command=targets)
    return Narrowed(
        cause="no_locks_on_file_system",
        because="the engine says that this file system has no locks at all (Operation not supported)",
        summary="The file system cannot lock files.",
        next="No unlocking helps. Put the store on a file system with locks: EFS over NFSv4, or a block device.",
    )


def logging(facts: Facts) -> Narrowed:
    told = _said(facts, "logging")
    group = next(iter(facts.get("log_groups") or []), "LOG_GROUP")
    if "does not exist" in told:
        return Narrowed(
            cause="log_group_missing",
            because="CloudWatch's answer is quoted by ECS",
            command=aws_command(facts, "logs", "create-log-group", "--log-group-name", group),
        )
    found = permission(facts, told)
    return Narrowed(cause="log_group_denied", because=found.because, evidence=found.evidence, command=found.command)


def permission(facts: Facts, told: str | None = None) -> Narrowed:
    """Which right is missing, if the text names it."""
    text = _said(facts, "permission") if told is None else told
    rights = list(dict.fromkeys(_NOT_AUTHORIZED.findall(text)))
    role = _ROLE.search(text)
    command = aws_command(facts, "iam", "list-attached-role-policies", "--role-name", role.group(1)) if role else None
    if rights:
        return Narrowed(
            cause="right_missing",
            because="AWS names the action that it refused",
            evidence=[f"Missing right: {right}" + (f", of role {role.group(1)}" if role else "") for right in rights],
            command=command,
        )
    for pattern, cause in (
        (r"unable to assume the role", "role_not_assumable"),
        (r"ResourceNotFound|can't find", "secret_missing"),
    ):
        if re.search(pattern, text):
            return Narrowed(cause=cause, because="AWS says so", command=command)
    return Narrowed(cause="right_missing", because="AWS refused it, without naming the action", command=command)


def health_check(facts: Facts) -> Narrowed:
    told = _said(facts, "health_check")
    found = _TARGET_GROUP.search(told)
    group = found.group(0) if found else next(iter(facts.get("target_groups") or []), None)
    command = aws_command(facts, "elbv2", "describe-target-health", "--target-group-arn", str(group)) if group else None
    if "container health checks" in told:
        return Narrowed(
            cause="container_health_check",
            because="ECS stopped the task for its container's own check",
            command=_definition(facts, "taskDefinition.containerDefinitions[].[name,healthCheck]"),
        )
    return Narrowed(cause="load_balancer_health_check", because="the load balancer says so", command=command)


def capacity(facts: Facts) -> Narrowed:
    told = _said(facts, "capacity")
    for pattern, cause in (
        (r"Spot", "spot_taken_back"),
        (r"reached the limit|limit on the number", "quota"),
        (r"Capacity is unavailable", "no_capacity"),
    ):
        if re.search(pattern, told):
            return Narrowed(cause=cause, because="AWS says so itself", command=_events(facts))
    return Narrowed(cause="no_place", because="the scheduler says so itself", command=_events(facts))


def network(facts: Facts) -> Narrowed:
    told = _said(facts, "network")
    unreachable = re.search(r"i/o timeout|request canceled|connection issue|signal: killed|no such host", told)
    return Narrowed(
        cause="registry_unreachable" if unreachable else "network_interface",
        because="the connection's own error is quoted by ECS" if unreachable else "ECS says so itself",
    )


def paused(facts: Facts) -> Narrowed:
    pause: Mapping[str, Any] = facts.get("pause") or {}
    found = _COMMAND.search(str(pause.get("advice") or ""))
    return Narrowed(cause="paused_at_a_hook", because="ECS names the hook", command=found.group(1) if found else None)


def storage(facts: Facts) -> Narrowed:
    signs = [sign for _task, _container, line in speaking_lines(facts) for sign in [sign_of(line)] if sign]
    chosen = _foremost(signs)
    if chosen is None:
        return Narrowed()
    return Narrowed(
        cause=chosen.cause,
        confidence=chosen.confidence,
        because="it is the store's own last word in its log" if chosen.confidence == CERTAIN else "its log reads so",
        summary=chosen.summary,
        next=chosen.next,
        command=_logs(facts),
    )


def _foremost(signs: list[Sign]) -> Sign | None:
    """Damage is mostly the consequence of another trouble that is named beside it."""
    return next((sign for sign in signs if sign.cause != "corruption"), signs[0] if signs else None)


def app_error(facts: Facts) -> Narrowed:
    own = [task for task in ended(facts) if task["stop_code"] == "EssentialContainerExited"]
    panicked = [task for task in own if any(container["exit_code"] == 101 for container in task["containers"])]
    if panicked and all(map(unread_logs, panicked)):
        return Narrowed(
            cause="panic_unread",
            confidence=POSSIBLE,
            because="exit code 101 is a panic, as locks cause one, but no log line of it could be read",
            summary="Its container panics; whether locks are the reason is in its log, which could not be read.",
            next="Read the last log lines. If they say 'While lock file', run the unlock playbook.",
            command=_logs(facts),
        )
    if any(task_kind(task) == "app_error" for task in ended(facts)):
        return Narrowed(
            cause="command_cannot_start",
            because="the container runtime's error is quoted by ECS",
            summary="The container's command cannot be started.",
            next="Check entryPoint and command against what is in the image.",
            command=_definition(facts, "taskDefinition.containerDefinitions[].[name,image,entryPoint,command]"),
        )
    return Narrowed(
        cause="program_ends", because="nobody stopped the task, and its essential container ended", command=_logs(facts)
    )


def given_up(facts: Facts) -> Narrowed:
    if rolled_back(facts):
        return Narrowed(
            cause="rolled_back",
            because="ECS says so itself",
            summary="ECS rolled the newest deployment back: what runs, or is to run, is what ran before it.",
            next="Find out why the new tasks failed (their reasons are in the events), then release again.",
            command=_events(facts),
        )
    return Narrowed(cause="deployment_failed", because="ECS says so itself", command=_events(facts))


def many_writers(facts: Facts) -> Narrowed:
    if len(facts["service"].get("deployments") or []) > 1 or (facts["service"].get("desired_count") or 0) <= 1:
        return Narrowed(
            cause="overlap_now",
            because="both are counted as alive at this moment",
            summary="Two tasks of the service are alive at once on one store, as a rolling deployment has it.",
            next="Wait until the older one has ended. Make the rollout stop-first, so that this does not come back: "
            "one store can have one Qdrant only, and on EFS not every version's locks keep a second one out.",
        )
    return Narrowed(
        cause="desired_above_one",
        because="the desired count says so",
        summary="The service is meant to run several tasks on one store.",
        next="Set the desired count to 1: several Qdrants on one folder destroy it, and on EFS not every version's "
        "locks keep the second one out.",
    )


def unknown(facts: Facts) -> Narrowed:
    return Narrowed(confidence=POSSIBLE, because="nothing that was read names a reason", command=_events(facts))
