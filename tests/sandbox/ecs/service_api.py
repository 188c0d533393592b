# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CreateService, UpdateService, DeleteService, DescribeServices, ListServices."""

from __future__ import annotations

from typing import Any

from sandbox.ecs import deployments, render, scheduler, service_deployments
from sandbox.ecs.engine import Engine
from sandbox.ecs.errors import client_error, invalid_parameter, service_not_active, service_not_found
from sandbox.ecs.model import Cluster, Definition, Service
from sandbox.ecs.paging import page
from sandbox.ecs.validation import tags_of

_REBALANCING = (
    "The service couldn't be {done} because Availability Zone Rebalancing does not support maximumPercent <= 100 % as "
    "deployment configuration."
)
_OF_STRATEGY = (
    "strategy", "bakeTimeInMinutes", "lifecycleHooks", "alarms", "linearConfiguration", "canaryConfiguration",
)  # fmt: skip
_NEW_DEPLOYMENT = (
    "taskDefinition", "networkConfiguration", "platformVersion", "loadBalancers", "capacityProviderStrategy",
    "serviceRegistries", "serviceConnectConfiguration", "volumeConfigurations",
)  # fmt: skip


def create(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    cluster = engine.cluster(region, params.get("cluster"))
    name = str(params["serviceName"])
    known = engine.service(cluster, name)
    if known is not None and known.status != "INACTIVE":
        if known.status == "DRAINING":
            raise invalid_parameter("Unable to Start a service that is still Draining.")
        raise invalid_parameter("Creation of service was not idempotent.")
    controller = (params.get("deploymentController") or {}).get("type", "ECS")
    scheduling = params.get("schedulingStrategy") or "REPLICA"
    desired = int(params.get("desiredCount") or 0)
    if desired < 0:
        raise invalid_parameter("desiredCount must not be negative")
    if params.get("launchType") and params.get("capacityProviderStrategy"):
        raise invalid_parameter("Specifying both a launch type and capacity provider strategy is not supported.")
    definition = _definition(engine, region, params, controller)
    network = params.get("networkConfiguration") or {}
    if definition.body.get("networkMode") == "awsvpc" or network:
        if not network.get("awsvpcConfiguration"):
            raise invalid_parameter("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
        engine.cloud.check_network(region, network)
    balancers = list(params.get("loadBalancers") or [])
    _check_balancers(engine, region, balancers, definition)
    service = Service(
        name=name,
        cluster=cluster,
        definition=definition,
        desired=desired,
        created_at=engine.clock.wall(),
        network=network,
        load_balancers=balancers,
        launch_type=params.get("launchType") or (None if params.get("capacityProviderStrategy") else "FARGATE"),
        capacity=list(params.get("capacityProviderStrategy") or []),
        platform_version=params.get("platformVersion") or "LATEST",
        controller=controller,
        scheduling=scheduling,
        grace=float(params.get("healthCheckGracePeriodSeconds") or 0),
        propagate_tags=params.get("propagateTags") or "NONE",
        managed_tags=bool(params.get("enableECSManagedTags")),
        tags=tags_of(params),
    )
    _apply_percentages(service, params.get("deploymentConfiguration") or {})
    service.az_rebalancing = params.get("availabilityZoneRebalancing") or (
        "ENABLED" if service.maximum_percent > 100 else "DISABLED"
    )
    _check_rebalancing(service.az_rebalancing, service.maximum_percent, done="created")
    engine.services = {key: item for key, item in engine.services.items() if item is not known}
    engine.services[service.arn] = service
    if controller == "ECS":
        deployments.begin(engine, service, definition)
    for entry in balancers:
        engine.targets.listener(region, str(entry["targetGroupArn"]))
    return {"service": _shown(engine, service, tags=True)}


def _definition(engine: Engine, region: str, params: dict[str, Any], controller: str) -> Definition:
    name = params.get("taskDefinition")
    if not name:
        if controller == "EXTERNAL":
            return Definition(body={"taskDefinitionArn": "", "family": "", "status": "ACTIVE",
                                    "containerDefinitions": [], "volumes": []})  # fmt: skip
        raise invalid_parameter("TaskDefinition can not be blank.")
    return engine.definitions_of(region).runnable(str(name))


def _check_balancers(engine: Engine, region: str, balancers: list[dict[str, Any]], definition: Definition) -> None:
    for entry in balancers:
        engine.cloud.target_group(region, str(entry.get("targetGroupArn")))
        found = next((c for c in definition.containers if c["name"] == entry.get("containerName")), None)
        if found is None:
            raise invalid_parameter(
                f"The container {entry.get('containerName')} does not exist in the task definition."
            )
        ports = {mapping["containerPort"] for mapping in found["portMappings"]}
        if entry.get("containerPort") not in ports:
            raise invalid_parameter(
                f"The container {entry['containerName']} did not have a container port "
                f"{entry.get('containerPort')} defined."
            )


def _apply_percentages(service: Service, given: dict[str, Any]) -> None:
    minimum = given.get("minimumHealthyPercent", service.minimum_percent)
    maximum = given.get("maximumPercent", service.maximum_percent)
    if minimum < 0 or maximum < 0 or maximum < minimum:
        raise invalid_parameter("Maximum percent must be at least the minimum healthy percent, and neither negative.")
    if maximum == 0 or (maximum <= 100 and minimum >= 100):
        raise invalid_parameter(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments."
        )
    service.minimum_percent, service.maximum_percent = int(minimum), int(maximum)
    service.breaker = given.get("deploymentCircuitBreaker", service.breaker)
    # Told as it was given; every deployment here is a rolling one.
    service.strategy = service.strategy | {key: given[key] for key in _OF_STRATEGY if key in given}


def _check_rebalancing(setting: str, maximum: int, *, done: str) -> None:
    if setting == "ENABLED" and maximum <= 100:
        raise invalid_parameter(_REBALANCING.format(done=done))


def get(engine: Engine, cluster: Cluster, name: str) -> Service:
    """The service to change. Raises ServiceNotFoundException or ServiceNotActiveException."""
    service = engine.service(cluster, name)
    if service is None:
        raise service_not_found()
    if service.status != "ACTIVE":
        raise service_not_active()
    return service


def update(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    cluster = engine.cluster(region, params.get("cluster"))
    service = get(engine, cluster, str(params["service"]))
    _check_controller(service, params)
    desired = params.get("desiredCount")
    if desired is not None and desired < 0:
        raise invalid_parameter("desiredCount must not be negative")
    definition = service.definition
    if params.get("taskDefinition"):
        definition = engine.definitions_of(region).runnable(str(params["taskDefinition"]))
    elif params.get("forceNewDeployment") and not definition.active:
        raise client_error("TaskDefinition is inactive")
    if params.get("networkConfiguration"):
        engine.cloud.check_network(region, params["networkConfiguration"])
    if "loadBalancers" in params:
        _check_balancers(engine, region, params["loadBalancers"], definition)
    configuration = params.get("deploymentConfiguration") or {}
    rebalancing = params.get("availabilityZoneRebalancing") or service.az_rebalancing
    _check_rebalancing(rebalancing, int(configuration.get("maximumPercent", service.maximum_percent)), done="updated")
    _apply_percentages(service, configuration)
    service.az_rebalancing = rebalancing
    changed = _needs_deployment(service, definition, params)
    _apply(engine, service, params)
    if desired is not None:
        scheduler.set_desired(engine, service, int(desired))
    if params.get("forceNewDeployment") or changed:
        deployments.begin(engine, service, definition)
    return {"service": _shown(engine, service, tags=True)}


def _needs_deployment(service: Service, definition: Definition, params: dict[str, Any]) -> bool:
    """Whether the update changes what tasks are made from; the same values again do not."""
    before = {
        "taskDefinition": service.definition.arn, "networkConfiguration": service.network,
        "platformVersion": service.platform_version, "loadBalancers": service.load_balancers,
        "capacityProviderStrategy": service.capacity,
    }  # fmt: skip
    after = {**params, "taskDefinition": definition.arn}
    return any(key in after and after[key] != before.get(key) for key in _NEW_DEPLOYMENT)


def _check_controller(service: Service, params: dict[str, Any]) -> None:
    texts = {
        "taskDefinition": "Unable to update task definition on services with a {0} deployment controller.",
        "networkConfiguration": "Unable to update network parameters on services with a {0} deployment controller.",
        "platformVersion": "Unable to update platform version on services with a {0} deployment controller.",
        "forceNewDeployment": "Cannot force a new deployment on services with a {0} deployment controller.",
    }
    if service.controller == "ECS":
        return
    advice = (
        "Use AWS CodeDeploy to trigger a new deployment." if service.controller == "CODE_DEPLOY" else "Use task sets."
    )
    for key, text in texts.items():
        if params.get(key):
            raise invalid_parameter(f"{text.format(service.controller)} {advice}")


def _apply(engine: Engine, service: Service, params: dict[str, Any]) -> None:
    if params.get("networkConfiguration"):
        service.network = params["networkConfiguration"]
    if params.get("platformVersion"):
        service.platform_version = params["platformVersion"]
    if "loadBalancers" in params:
        service.load_balancers = list(params["loadBalancers"])
        for entry in service.load_balancers:
            engine.targets.listener(service.region, str(entry["targetGroupArn"]))
    if params.get("capacityProviderStrategy"):
        service.capacity, service.launch_type = list(params["capacityProviderStrategy"]), None
    if params.get("healthCheckGracePeriodSeconds") is not None:
        service.grace = float(params["healthCheckGracePeriodSeconds"])
    if params.get("propagateTags"):
        service.propagate_tags = params["propagateTags"]
    if params.get("enableECSManagedTags") is not None:
        service.managed_tags = bool(params["enableECSManagedTags"])


def delete(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    cluster = engine.cluster(region, params.get("cluster"))
    service = get(engine, cluster, str(params["service"]))
    if service.desired > 0 and not params.get("force") and service.scheduling == "REPLICA":
        raise invalid_parameter("The service cannot be stopped while it is scaled above 0.")
    service.status = "DRAINING"
    scheduler.set_desired(engine, service, 0)
    return {"service": _shown(engine, service, tags=True)}


def describe(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    cluster = engine.cluster(region, params.get("cluster"))
    names = list(params["services"])
    if not names:
        raise invalid_parameter("Services cannot be empty.")
    if len(names) > 10:
        raise invalid_parameter("Services can have at most 10 items.")
    tags = "TAGS" in (params.get("include") or [])
    shown, failures = [], []
    for name in names:
        service = engine.service(cluster, str(name))
        if service is None:
            full = name if str(name).startswith("arn:") else cluster.arn.replace(":cluster/", ":service/") + f"/{name}"
            failures.append({"arn": full, "reason": "MISSING"})
        else:
            shown.append(_shown(engine, service, tags=tags))
    return {"services": shown, "failures": failures}


def list_(engine: Engine, region: str, params: dict[str, Any]) -> dict[str, Any]:
    cluster = engine.cluster(region, params.get("cluster"))
    found = sorted(
        service.arn
        for service in engine.services.values()
        if service.cluster is cluster
        and service.status != "INACTIVE"
        and params.get("launchType") in (None, service.launch_type)
        and params.get("schedulingStrategy") in (None, service.scheduling)
    )
    chosen, token = page(found, max_results=params.get("maxResults"), token=params.get("nextToken"), default=10)
    return {"serviceArns": chosen} | ({"nextToken": token} if token else {})


def _shown(engine: Engine, service: Service, *, tags: bool) -> dict[str, Any]:
    shown = render.service(service, engine.tasks_of(service), engine.settings, tags=tags)
    current = service_deployments.current(service)
    return shown | ({"currentServiceDeployment": current} if current else {})


__all__ = ["create", "delete", "describe", "get", "list_", "update"]
