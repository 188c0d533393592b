# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Revisions of a family: which there are, what uses them, and taking those away that nothing uses.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, batches
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import SERVICES_A_CALL
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import describe, is_gone, list_arns, short_id

__all__ = ["active_revisions", "ensure_absent", "prune", "revisions_in_use"]


def ensure_absent(
    aws: Aws, *, family: str, clusters: Sequence[str] | None = None, schedules: bool = True, check: bool = False
) -> dict[str, Any]:
    """Deregister every ACTIVE revision of the family. Refuses, before it acts, while one of them is in use."""
    revisions = active_revisions(aws, family)
    in_use = revisions_in_use(aws, family=family, clusters=clusters, schedules=schedules) if revisions else {}
    used = [f"{short_id(arn)} (by {in_use[arn]})" for arn in revisions if arn in in_use]
    if used:
        raise OperationFailed(
            f"Could not deregister the task definition {family}: {', '.join(used)} in use. "
            "Stop what uses it, or give the services another definition, and run again.",
            details={"kept_in_use": [arn for arn in revisions if arn in in_use]},
        )
    deregister(aws, revisions, check=check)
    return {
        "changed": bool(revisions),
        "registered": False,
        "task_definition_arn": None,
        "task_definition": None,
        "differences": [f"{short_id(arn)} is active" for arn in revisions],
        "deregistered": revisions,
        "kept_in_use": [],
        "diff": {"before": {"active": [short_id(arn) for arn in revisions]}, "after": {"active": []}},
    }


def prune(
    aws: Aws,
    latest: Mapping[str, Any],
    *,
    keep: int | None,
    clusters: Sequence[str] | None,
    schedules: bool = True,
    check: bool,
) -> tuple[list[str], list[str]]:
    """Deregister what is beyond `keep`; (those ARNs, and ARNs that stay because they are in use), newest first."""
    if keep is None:
        return [], []
    family = str(latest["family"])
    newest = latest.get("taskDefinitionArn")
    older = [arn for arn in active_revisions(aws, family) if arn != newest]
    surplus = older[keep - 1 :]
    in_use = revisions_in_use(aws, family=family, clusters=clusters, schedules=schedules) if surplus else {}
    retired = [arn for arn in surplus if arn not in in_use]
    deregister(aws, retired, check=check)
    return retired, [arn for arn in surplus if arn in in_use]


def deregister(aws: Aws, arns: Iterable[str], *, check: bool) -> None:
    for arn in () if check else arns:
        aws.call(
            "ecs",
            "DeregisterTaskDefinition",
            doing=f"deregister the task definition {short_id(arn)}",
            taskDefinition=arn,
        )


def active_revisions(aws: Aws, family: str) -> list[str]:
    """The ARNs of the family's ACTIVE revisions, newest first."""
    arns = [
        str(arn)
        for page in aws.pages(
            "ecs",
            "ListTaskDefinitions",
            doing=f"list the task definitions of the family {family}",
            familyPrefix=family,
            status="ACTIVE",
            sort="DESC",
        )
        for arn in page.get("taskDefinitionArns", [])
    ]
    # The filter's name says prefix: another family that begins alike must never be deregistered.
    own = [arn for arn in arns if short_id(arn).rsplit(":", 1)[0] == family]
    return sorted(own, key=lambda arn: int(arn.rsplit(":", 1)[1]), reverse=True)


def revisions_in_use(
    aws: Aws, *, family: str, clusters: Sequence[str] | None = None, schedules: bool = True
) -> dict[str, str]:
    """Definition ARN to who uses it, over `clusters` (default: all of the region).

    A service uses what its own entry, its deployments and its task sets name, also at desired count 0. A task uses its
    definition until its processes are gone. A rule or schedule uses the revision that it will start, also while it is
    turned off.
    """
    users: dict[str, str] = {}
    arns = _cluster_arns(aws, clusters)
    for cluster in arns:
        for service in _services(aws, cluster):
            for holder in (service, *service.get("deployments", []), *service.get("taskSets", [])):
                if holder.get("taskDefinition"):
                    users.setdefault(str(holder["taskDefinition"]), f"service {service.get('serviceName')}")
        for task in describe(aws, cluster=cluster, arns=list_arns(aws, cluster=cluster, family=family)).tasks:
            if not is_gone(task):
                users.setdefault(str(task.get("taskDefinitionArn")), f"task {short_id(task['taskArn'])}")
        for rule, target in _rule_targets(aws, cluster) if schedules else ():
            users.setdefault(_started_by(target), f"EventBridge rule {rule}")
    for name, target in _schedule_targets(aws, frozenset(arns)) if schedules else ():
        users.setdefault(_started_by(target), f"schedule {name}")
    return users


def _cluster_arns(aws: Aws, clusters: Sequence[str] | None) -> list[str]:
    if not clusters:
        pages = aws.pages("ecs", "ListClusters", doing="list the clusters of this region")
        return [str(arn) for page in pages for arn in page.get("clusterArns", [])]
    named = [cluster for cluster in clusters if not cluster.startswith("arn:")]
    if not named:
        return list(clusters)
    doing = f"describe the cluster(s) {', '.join(named)}"
    answer = aws.call("ecs", "DescribeClusters", doing=doing, clusters=named)
    arns = {str(item["clusterName"]): str(item["clusterArn"]) for item in answer.get("clusters", [])}
    missing = [name for name in named if name not in arns]
    if missing:
        raise OperationFailed(
            f"Could not tell which revisions are in use: there is no cluster {', '.join(missing)}. "
            "Check the option clusters and the region (aws ecs list-clusters)."
        )
    return [arns.get(cluster, cluster) for cluster in clusters]


def _services(aws: Aws, cluster: str) -> Iterator[dict[str, Any]]:
    services = [
        str(arn)
        for page in aws.pages(
            "ecs", "ListServices", doing=f"list the services in cluster {short_id(cluster)}", cluster=cluster
        )
        for arn in page.get("serviceArns", [])
    ]
    for batch in batches(services, SERVICES_A_CALL):
        answer = aws.call(
            "ecs",
            "DescribeServices",
            doing=f"describe {len(batch)} service(s) in cluster {short_id(cluster)}",
            cluster=cluster,
            services=list(batch),
        )
        yield from answer.get("services", [])


def _rule_targets(aws: Aws, cluster: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(rule, target) for each rule of EventBridge's default bus that starts tasks in the cluster."""
    rules = [
        str(rule)
        for page in aws.pages(
            "events",
            "ListRuleNamesByTarget",
            doing=f"list the EventBridge rules that start tasks in cluster {short_id(cluster)}",
            TargetArn=cluster,
        )
        for rule in page.get("RuleNames", [])
    ]
    for rule in rules:
        doing = f"list the targets of the EventBridge rule {rule}"
        for page in aws.pages("events", "ListTargetsByRule", doing=doing, Rule=rule):
            yield from ((rule, target) for target in page.get("Targets", []) if target.get("Arn") == cluster)


def _schedule_targets(aws: Aws, clusters: frozenset[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(schedule, target) for each schedule of EventBridge Scheduler that starts tasks in one of the clusters."""
    for page in aws.pages("scheduler", "ListSchedules", doing="list the schedules of EventBridge Scheduler"):
        for schedule in page.get("Schedules", []):
            if schedule.get("Target", {}).get("Arn") in clusters:
                name, group = str(schedule["Name"]), str(schedule.get("GroupName", "default"))
                doing = f"read the schedule {group}/{name}"
                yield name, aws.call("scheduler", "GetSchedule", doing=doing, Name=name, GroupName=group)["Target"]


def _started_by(target: Mapping[str, Any]) -> str:
    """The revision that a target starts; one that names only the family starts the latest, which always stays."""
    return str((target.get("EcsParameters") or {}).get("TaskDefinitionArn"))
