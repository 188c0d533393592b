# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services: finding one (or saying which ones exist), and reading from it what a cleaner needs.

Private to wwhd.qdrant_ops. Services and definitions are dicts as AWS gives them (camelCase); what functions named
`*_view` return is what modules return (snake_case).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, snake
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.claims import claims_in
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.reasons import hint_for_task
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import is_gone
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.together import look_for

__all__ = [
    "SERVICES_A_CALL",
    "Expected",
    "cluster_missing",
    "efs_volumes",
    "essential_containers",
    "find_service",
    "log_configurations",
    "name_of",
    "nearest_first",
    "network_view",
    "new_events",
    "peek_service",
    "primary_deployment",
    "remove_tags",
    "tags_of",
    "task_view",
    "tasks_started",
    "without_values",
    "write_tags",
]

_STARTED = re.compile(r"\bhas started (\d+) tasks\b")
# AWS's limit.
SERVICES_A_CALL = 10
# A sentence with more names than this helps nobody.
_NAMES_SHOWN = 10


def name_of(name_or_arn: str) -> str:
    """The short name of a cluster or service that may be given as an ARN."""
    return name_or_arn.rsplit("/", 1)[-1]


def nearest_first(wanted: str, names: Iterable[str]) -> list[str]:
    """`names`, most similar to `wanted` first; equal ones in the order of the alphabet."""
    folded = name_of(wanted).lower()
    return sorted(set(names), key=lambda name: (-SequenceMatcher(None, folded, name.lower()).ratio(), name))


def _names_text(wanted: str, names: Iterable[str], *, kind: str, where: str) -> str:
    ordered = nearest_first(wanted, names)
    if not ordered:
        return f"No {kind} is visible {where}."
    more = f" and {len(ordered) - _NAMES_SHOWN} more" if len(ordered) > _NAMES_SHOWN else ""
    return f"{kind.capitalize()}s {where}, nearest first: {', '.join(ordered[:_NAMES_SHOWN])}{more}."


def _existing(aws: Aws, operation: str, key: str, *, doing: str, **params: Any) -> list[str] | None:
    """Names that exist, or None where these credentials may not list them: that must not hide the first error."""
    try:
        pages = list(aws.pages("ecs", operation, doing=doing, **params))
    except OperationFailed:
        return None
    return [name_of(arn) for page in pages for arn in page.get(key, [])]


def cluster_missing(aws: Aws, *, cluster: str, doing: str) -> OperationFailed:
    """The failure for a cluster that AWS does not know, with the names of those that it does."""
    names = _existing(aws, "ListClusters", "clusterArns", doing="list the clusters")
    exist = _names_text(cluster, names, kind="cluster", where="in this account and region") if names is not None else ""
    sentences = [
        f"Could not {doing}: there is no cluster {cluster} in this account and region.",
        exist,
        "Check the name of the cluster and the region.",
    ]
    return OperationFailed(
        " ".join(filter(None, sentences)),
        code="ClusterNotFoundException",
        details={"error_code": "ClusterNotFoundException", "existing_clusters": names},
    )


def _service_missing(aws: Aws, *, cluster: str, service: str, doing: str, said: str) -> OperationFailed:
    names = _existing(
        aws, "ListServices", "serviceArns", doing=f"list the services in cluster {cluster}", cluster=cluster
    )
    exist = _names_text(service, names, kind="service", where="there") if names is not None else ""
    sentences = [
        f"Could not {doing}: AWS knows no service {service} in cluster {cluster} ({said}).",
        exist,
        "Check the name of the service, its cluster and the region.",
    ]
    return OperationFailed(
        " ".join(filter(None, sentences)),
        code="ServiceNotFoundException",
        details={"error_code": "ServiceNotFoundException", "existing_services": names},
    )


def peek_service(aws: Aws, *, cluster: str, service: str) -> dict[str, Any] | None:
    """The service as DescribeServices gives it, with its tags; None where AWS says that it is MISSING."""
    group = f"services of {cluster}"
    seen = look_for(aws, group, [service], lambda names: _described(aws, cluster, names), a_call=SERVICES_A_CALL)
    return seen[service]


def _described(aws: Aws, cluster: str, names: Sequence[str]) -> dict[str, dict[str, Any] | None]:
    """The services by the names or ARNs that were asked for, None for one that is MISSING; one call."""
    answer = aws.call(
        "ecs",
        "DescribeServices",
        doing=f"describe service {', '.join(names)} in cluster {cluster}",
        cluster=cluster,
        services=list(names),
        include=["TAGS"],
    )
    found: list[dict[str, Any]] = answer.get("services", [])
    if len(names) == 1:
        return {names[0]: found[0] if found else None}
    named = {str(one.get("serviceName")): one for one in found}
    missing = {name_of(str(failure.get("arn"))) for failure in answer.get("failures", [])}
    # Of whom nothing is said, each asks alone.
    return {name: named.get(name_of(name)) for name in names if name_of(name) in {*named, *missing}}


def find_service(aws: Aws, *, cluster: str, service: str) -> dict[str, Any]:
    """The service, whatever its status. Raises OperationFailed that names the nearest existing ones."""
    doing = f"read service {service} in cluster {cluster}"
    try:
        found = peek_service(aws, cluster=cluster, service=service)
    except OperationFailed as error:
        if error.code == "ClusterNotFoundException":
            raise cluster_missing(aws, cluster=cluster, doing=doing) from error
        raise
    if found is None:
        raise _service_missing(aws, cluster=cluster, service=service, doing=doing, said="MISSING")
    return found


def primary_deployment(service: Mapping[str, Any]) -> dict[str, Any] | None:
    """The deployment that the service is going to; None for controllers that have none (EXTERNAL)."""
    deployments: Sequence[dict[str, Any]] = service.get("deployments", [])
    return next((deployment for deployment in deployments if deployment.get("status") == "PRIMARY"), None)


def essential_containers(definition: Mapping[str, Any]) -> set[str]:
    """Names of the containers whose end ends the task (`essential` defaults to true)."""
    return {c["name"] for c in definition.get("containerDefinitions", []) if c.get("essential", True)}


def without_values(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition in snake_case, with names only where values may be secrets.

    Environment values become `environment_names`; options of log drivers other than awslogs (they may hold tokens)
    become `option_names`.
    """
    copy = {key: value for key, value in definition.items() if key != "containerDefinitions"}
    view = snake(copy)
    view["container_definitions"] = [_container_view(c) for c in definition.get("containerDefinitions", [])]
    return view


def _container_view(container: Mapping[str, Any]) -> dict[str, Any]:
    copy = {key: value for key, value in container.items() if key != "environment"}
    logging = copy.get("logConfiguration")
    if logging and logging.get("logDriver") != "awslogs":
        copy["logConfiguration"] = {key: value for key, value in logging.items() if key != "options"}
        copy["logConfiguration"]["optionNames"] = sorted(logging.get("options", {}))
    view = snake(copy)
    view["environment_names"] = sorted(str(entry.get("name")) for entry in container.get("environment", []))
    return view


def efs_volumes(definition: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every EFS volume of the definition, with the containers that mount it."""
    found = []
    for volume in definition.get("volumes", []):
        efs = volume.get("efsVolumeConfiguration")
        if not efs:
            continue
        authorization = efs.get("authorizationConfig", {})
        found.append(
            {
                "name": volume["name"],
                "file_system_id": efs["fileSystemId"],
                "access_point_id": authorization.get("accessPointId"),
                "root_directory": efs.get("rootDirectory", "/"),
                "transit_encryption": efs.get("transitEncryption", "DISABLED"),
                "iam": authorization.get("iam", "DISABLED") == "ENABLED",
                "containers": [
                    {
                        "name": container["name"],
                        "image": container.get("image"),
                        "container_path": mount.get("containerPath"),
                        "read_only": bool(mount.get("readOnly", False)),
                    }
                    for container in definition.get("containerDefinitions", [])
                    for mount in container.get("mountPoints", [])
                    if mount.get("sourceVolume") == volume["name"]
                ],
            }
        )
    return found


def network_view(service: Mapping[str, Any]) -> dict[str, Any] | None:
    """Where the service's tasks run, as ecs_run_oneoff takes it; None for tasks without a network of their own."""
    primary = primary_deployment(service) or {}
    configuration = primary.get("networkConfiguration") or service.get("networkConfiguration") or {}
    vpc = configuration.get("awsvpcConfiguration")
    if not vpc:
        return None
    return {
        "subnets": list(vpc.get("subnets", [])),
        "security_groups": list(vpc.get("securityGroups", [])),
        "assign_public_ip": vpc.get("assignPublicIp", "DISABLED") == "ENABLED",
    }


def log_configurations(definition: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Where each container that uses awslogs writes: {container: {group, prefix, region}}."""
    found = {}
    for container in definition.get("containerDefinitions", []):
        logging = container.get("logConfiguration", {})
        options = logging.get("options", {})
        if logging.get("logDriver") == "awslogs" and options.get("awslogs-group"):
            found[container["name"]] = {
                "group": options["awslogs-group"],
                "prefix": options.get("awslogs-stream-prefix"),
                "region": options.get("awslogs-region"),
            }
    return found


def task_view(task: Mapping[str, Any]) -> dict[str, Any]:
    """One task as every module of this collection returns it; `protected` and `logs` are added by who read them."""
    return {
        "task_arn": task["taskArn"],
        "last_status": task.get("lastStatus"),
        "desired_status": task.get("desiredStatus"),
        "gone": is_gone(dict(task)),
        "task_definition_arn": task.get("taskDefinitionArn"),
        "group": task.get("group"),
        "started_by": task.get("startedBy"),
        "stop_code": task.get("stopCode"),
        "stopped_reason": task.get("stoppedReason"),
        "hint": hint_for_task(task),
        "health_status": task.get("healthStatus"),
        "created_at": task.get("createdAt"),
        "started_at": task.get("startedAt"),
        "stopped_at": task.get("stoppedAt"),
        "containers": [
            {
                "name": container.get("name"),
                "last_status": container.get("lastStatus"),
                "exit_code": container.get("exitCode"),
                "reason": container.get("reason"),
            }
            for container in task.get("containers", [])
        ],
    }


def new_events(service: Mapping[str, Any], *, known: Iterable[str]) -> list[dict[str, Any]]:
    """The service's events whose ids are not `known`, oldest first (AWS gives the newest first)."""
    seen = set(known)
    fresh = [event for event in service.get("events", []) if event.get("id") not in seen]
    return [snake(event) for event in reversed(fresh)]


def tasks_started(message: str) -> int | None:
    """How many tasks an event of a service tells to have started; None where it tells something else."""
    found = _STARTED.search(message)
    return int(found[1]) if found else None


def tags_of(found: Mapping[str, Any]) -> dict[str, str]:
    """The tags of a service, as DescribeServices gives it, as a dict."""
    return {entry["key"]: entry.get("value", "") for entry in found.get("tags", [])}


def write_tags(aws: Aws, *, cluster: str, service: str, arn: str, tags: Mapping[str, str]) -> None:
    """Write tags on the service; the same ones again change nothing."""
    aws.call(
        "ecs",
        "TagResource",
        doing=f"write the tags {', '.join(tags)} on service {service} in cluster {cluster}",
        resourceArn=arn,
        tags=[{"key": key, "value": value} for key, value in tags.items()],
    )


def remove_tags(aws: Aws, *, cluster: str, service: str, arn: str, keys: Iterable[str]) -> None:
    """Remove tags from the service; those that are not there are no error."""
    aws.call(
        "ecs",
        "UntagResource",
        doing=f"remove the tags {', '.join(keys)} from service {service} in cluster {cluster}",
        resourceArn=arn,
        tagKeys=list(keys),
    )


@dataclass(frozen=True)
class Expected:
    """What a caller had found out, or written, before it decided: if it is no longer so, somebody else is at work.

    `autoscaling` and `delays` (seconds by target group) are not the service's own: whoever claims it compares them.
    """

    tags: Mapping[str, str] = field(default_factory=dict)
    desired_count: int | None = None
    task_definition: str | None = None
    autoscaling: Mapping[str, Any] | None = None
    delays: Mapping[str, int] = field(default_factory=dict)

    def differences(self, found: Mapping[str, Any]) -> list[str]:
        """What is otherwise in a service, as DescribeServices gives it: one clause each, with who claims it now."""
        current = tags_of(found)
        wrong = [
            f"its tag {key} is {current.get(key, 'absent')}, expected {value}"
            for key, value in self.tags.items()
            if current.get(key) != value
        ]
        if self.desired_count is not None and found.get("desiredCount") != self.desired_count:
            wrong.append(f"its desired count is {found.get('desiredCount')}, expected {self.desired_count}")
        there = {str((primary_deployment(found) or found).get("taskDefinition")), str(found.get("taskDefinition"))}
        if self.task_definition is not None and self.task_definition not in there:
            names = [arn.rsplit("/", 1)[-1] for arn in (*sorted(there), self.task_definition)]
            wrong.append(f"its task definition is {names[0]}, expected {names[-1]}")
        if wrong:
            wrong += [f"it is claimed by {claim.who}" for claim in claims_in(current) if claim.key not in self.tags]
        return wrong

    def require(self, found: Mapping[str, Any], *, doing: str) -> None:
        """Raises OperationFailed if anything is otherwise."""
        wrong = self.differences(found)
        if wrong:
            raise OperationFailed(
                f"Could not {doing}: {'; '.join(wrong)}. Somebody else changed the service meanwhile, so it was left as"
                " it is. Find out who (CloudTrail, or the service's events), then run this again.",
                details={"unexpected": wrong},
            )
