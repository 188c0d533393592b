# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CreateCluster, DescribeClusters, ListClusters, UpdateCluster, DeleteCluster."""

from __future__ import annotations

from typing import Any

from sandbox.ecs import render
from sandbox.ecs.engine import Engine
from sandbox.ecs.errors import AwsError, cluster_not_found
from sandbox.ecs.model import Cluster
from sandbox.ecs.paging import page
from sandbox.ecs.validation import tags_of


def create(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    name = str(params.get("clusterName") or "default")
    found = engine.clusters.get((region, name))
    if found is None or found.status != "ACTIVE":
        found = engine.clusters[region, name] = Cluster(region, name, created=params, tags=tags_of(params))
    return {"cluster": _shown(engine, found, tags=True)}


def describe(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    shown, failures = [], []
    tags = "TAGS" in (params.get("include") or [])
    for name in params.get("clusters") or ["default"]:
        short = str(name).rsplit("/", 1)[-1]
        found = engine.clusters.get((region, short))
        if found is None:
            missing = Cluster(region, short).arn if not str(name).startswith("arn:") else name
            failures.append({"arn": missing, "reason": "MISSING"})
        else:
            shown.append(_shown(engine, found, tags=tags))
    return {"clusters": shown, "failures": failures}


def list_(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    arns = [c.arn for (where, _other), c in sorted(engine.clusters.items()) if where == region and c.status == "ACTIVE"]
    chosen, token = page(arns, max_results=params.get("maxResults"), token=params.get("nextToken"))
    return {"clusterArns": chosen} | ({"nextToken": token} if token else {})


def update(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    found = engine.cluster(region, params.get("cluster"))
    found.created |= {key: params[key] for key in ("settings", "configuration") if key in params}
    return {"cluster": _shown(engine, found, tags=True)}


def delete(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    found = engine.clusters.get((region, str(params["cluster"]).rsplit("/", 1)[-1]))
    if found is None:
        raise cluster_not_found()
    if any(s.cluster is found and s.status != "INACTIVE" for s in engine.services.values()):
        raise AwsError("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
    if any(t.cluster is found and not t.over for t in engine.tasks.values()):
        raise AwsError("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
    found.status = "INACTIVE"
    return {"cluster": _shown(engine, found, tags=True)}


def _shown(engine: Engine, cluster: Cluster, *, tags: bool) -> dict[str, Any]:
    tasks = [task for task in engine.tasks.values() if task.cluster is cluster]
    services = [service for service in engine.services.values() if service.cluster is cluster]
    return render.cluster(cluster, tasks, services, tags=tags)


__all__ = ["create", "delete", "describe", "list_", "update"]
