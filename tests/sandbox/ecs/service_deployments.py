# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The newer view of deployments: ListServiceDeployments, DescribeServiceDeployments, and the two that steer one."""

from __future__ import annotations

from typing import Any

from sandbox.ecs import deployments
from sandbox.ecs.engine import Engine
from sandbox.ecs.errors import AwsError, invalid_parameter, service_not_found
from sandbox.ecs.model import Deployment, Service, arn
from sandbox.ecs.paging import page

_LIMIT = 20


def arn_of(service: Service, deployment: Deployment) -> str:
    return arn(service.region, "service-deployment", service.cluster.name, service.name, deployment.key)


def current(service: Service) -> str | None:
    """The service deployment that was begun last; a rollback is a part of it."""
    return arn_of(service, service.history[-1]) if service.history else None


def list_(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    service = engine.service(engine.cluster(region, params.get("cluster")), str(params["service"]))
    if service is None:
        raise service_not_found()
    shown = [_shown(service, found) for found in reversed(service.history)]
    wanted = params.get("status")
    briefs = [_brief(entry) for entry in shown if not wanted or entry["status"] in wanted]
    known = {entry["serviceDeploymentArn"]: entry for entry in briefs}
    chosen, token = page(
        list(known), max_results=params.get("maxResults"), token=params.get("nextToken"), default=_LIMIT
    )
    return {"serviceDeployments": [known[name] for name in chosen]} | ({"nextToken": token} if token else {})


def describe(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    names = list(params["serviceDeploymentArns"])
    if not 1 <= len(names) <= _LIMIT:
        raise invalid_parameter(f"serviceDeploymentArns must have between 1 and {_LIMIT} items.")
    found, failures = [], []
    for name in names:
        known = _find(engine, region, name)
        if known is None:
            failures.append({"arn": name, "reason": "MISSING"})
        else:
            found.append(_shown(*known))
    return {"serviceDeployments": found, "failures": failures}


def proceed(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    """ContinueServiceDeployment."""
    service, deployment = _get(engine, region, params["serviceDeploymentArn"])
    pause = deployment.pause
    if pause is None or pause.hook != params["hookId"]:
        raise invalid_parameter("The lifecycle hook is not awaiting action.")
    if (params.get("action") or "CONTINUE") == "CONTINUE":
        deployments.go_on(deployment)
    else:
        deployments.roll_back(engine, service, deployment, reason="Lifecycle hook action ROLLBACK.")
    return {"serviceDeploymentArn": params["serviceDeploymentArn"]}


def stop(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    """StopServiceDeployment, which goes back to what ran before."""
    service, deployment = _get(engine, region, params["serviceDeploymentArn"])
    if deployment is not service.primary or deployment.rollout != "IN_PROGRESS":
        raise AwsError("ConflictException", "The service deployment is not in progress.")
    deployments.roll_back(engine, service, deployment, reason="Service deployment was stopped by a user.")
    return {"serviceDeploymentArn": params["serviceDeploymentArn"]}


def _find(engine: Engine, region: str, name: str) -> tuple[Service, Deployment] | None:
    for service in engine.services.values():
        for deployment in service.history:
            if service.region == region and arn_of(service, deployment) == name:
                return service, deployment
    return None


def _get(engine: Engine, region: str, name: str) -> tuple[Service, Deployment]:
    found = _find(engine, region, name)
    if found is None:
        raise AwsError("ServiceDeploymentNotFoundException", "Service deployment not found.")
    return found


def _status(service: Service, deployment: Deployment) -> str:
    if deployment.back_to is not None:
        done = deployment.back_to.rollout == "COMPLETED"
        return "ROLLBACK_SUCCESSFUL" if done else "ROLLBACK_IN_PROGRESS"
    if deployment.rollout == "COMPLETED":
        return "SUCCESSFUL"
    superseded = deployment is not service.history[-1]
    return "STOPPED" if superseded or deployment.rollout == "FAILED" else "IN_PROGRESS"


def _stage(deployment: Deployment) -> str:
    if deployment.pause is not None:
        return deployment.pause.stage
    return "SCALE_UP" if deployment.rollout == "IN_PROGRESS" else "CLEAN_UP"


def _shown(service: Service, deployment: Deployment) -> dict[str, Any]:
    pause = deployment.pause
    hooks = [
        {
            "hookId": pause.hook,
            "targetType": "PAUSE",
            "status": "AWAITING_ACTION",
            "expiresAt": pause.expires_at,
            "timeoutAction": pause.action,
        }
    ] if pause else []  # fmt: skip
    revision = arn(service.region, "service-revision", service.cluster.name, service.name, deployment.id.split("/")[1])
    return {
        "serviceDeploymentArn": arn_of(service, deployment),
        "serviceArn": service.arn,
        "clusterArn": service.cluster.arn,
        "createdAt": deployment.created_at,
        "startedAt": deployment.created_at,
        "updatedAt": deployment.updated_at,
        "status": _status(service, deployment),
        "statusReason": deployment.reason,
        "lifecycleStage": _stage(deployment),
        "lifecycleHookDetails": hooks,
        "targetServiceRevision": {"arn": revision, "requestedTaskCount": deployment.desired},
    }


def _brief(shown: dict[str, Any]) -> dict[str, Any]:
    kept = ("serviceDeploymentArn", "serviceArn", "clusterArn", "createdAt", "startedAt", "status", "statusReason")
    return {key: shown[key] for key in kept} | {"targetServiceRevisionArn": shown["targetServiceRevision"]["arn"]}


__all__ = ["arn_of", "current", "describe", "list_", "proceed", "stop"]
