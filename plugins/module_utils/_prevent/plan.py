# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of qdrant_prevent will do, decided from what was read. Private to wwhd.qdrant_ops. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.claims import claims_in
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.targets import group_name
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._prevent import container as containers
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._prevent.inputs import normalised
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._prevent.measure import Measure
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._prevent.point import access_point
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.owner import STATE_KEYS
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.refusals import service_refusals
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.workplace import choose_volume

__all__ = ["make_plan"]

# The next task's containers start about 20 s after the old one began to stop (facts.md A.4); a drain that is longer has
# both at once.
_LONGEST_DRAIN = 30
_OF_THE_CONTAINER = ("stop_timeout", "entry_point", "health_check")


def _percentages(service: Mapping[str, Any]) -> tuple[int | None, int | None]:
    configuration = service.get("deployment_configuration") or {}
    return configuration.get("minimum_healthy_percent"), configuration.get("maximum_percent")


def _is_exclusive(service: Mapping[str, Any]) -> bool:
    return _percentages(service) == (0, 100) and service.get("availability_zone_rebalancing") != "ENABLED"


def _rollout(service: Mapping[str, Any]) -> Measure:
    low, high = _percentages(service)
    rebalancing = service.get("availability_zone_rebalancing") == "ENABLED"
    was = f"{low}/{high} %, zone rebalancing {'on' if rebalancing else 'off'}"
    if _is_exclusive(service):
        return Measure.keep("exclusive_rollout", was)
    return Measure.change("exclusive_rollout", was, "0/100 %, zone rebalancing off")


def _drain(groups: Sequence[Mapping[str, Any]], seconds: int) -> tuple[Measure, dict[str, int]]:
    """The measure, and the seconds to set by target group; what is shorter already stays."""
    name = "deregistration_delay"
    alive = [group for group in groups if not group.get("problem")]
    if not alive:
        return Measure.keep(name, "no load balancer"), {}
    delays = {str(group["target_group_arn"]): group.get("deregistration_delay") for group in alive}
    was = ", ".join("unknown" if delay is None else f"{delay} s" for delay in delays.values())
    longer = {arn: seconds for arn, delay in delays.items() if delay is not None and delay > seconds}
    unknown = [group_name(arn) for arn, delay in delays.items() if delay is None]
    why = f"the delay of {', '.join(unknown)} may not be read" if unknown else ""
    if longer:
        return Measure.change(name, was, f"{seconds} s", why=why), longer
    return (Measure.leave(name, was, why) if unknown else Measure.keep(name, was)), {}


def _tasks(min_capacity: int, max_capacity: int) -> str:
    return "1 task" if min_capacity == max_capacity == 1 else f"{min_capacity} to {max_capacity} tasks"


def _scaling(service: Mapping[str, Any], state: Mapping[str, Any] | None) -> tuple[Measure, dict[str, int]]:
    """The measure, and the bounds to set. A minimum of 0 stays: scaling to zero by night makes no second task."""
    name = "autoscaling"
    if state is None:
        return Measure.keep(name, "not scaled automatically"), {}
    low, high = int(state.get("min_capacity") or 0), int(state.get("max_capacity") or 0)
    was = _tasks(low, high)
    wanted = {"min_capacity": min(low, 1), "max_capacity": min(high, 1)}
    if wanted == {"min_capacity": low, "max_capacity": high}:
        return Measure.keep(name, was), {}
    desired = int(service.get("desired_count") or 0)
    if desired < wanted["min_capacity"]:
        why = f"its desired count is {desired}, and AWS would start a task: run this again when the service runs"
        return Measure.leave(name, was, why), {}
    return Measure.change(name, was, _tasks(**wanted)), wanted


def _claim_refusals(service: Mapping[str, Any]) -> Iterable[str]:
    tags = service.get("tags") or {}
    claims = claims_in(tags)
    left = sorted(key for key in STATE_KEYS if key in tags)
    if claims or left:
        who = f"the unlock {claims[0].who}" if claims else f"an unlock that left its tag {left[0]}"
        yield (
            f"The service {service.get('service_name')} is in the hands of {who}, which puts back in the end what it"
            " had found. Wait for it, or finish it by running unlock.yml, then run this again."
        )


def _rollout_refusals(info: Mapping[str, Any]) -> Iterable[str]:
    """While a deployment replaces a task, the percentages decide about that very task: it would be stopped at once."""
    deployments = info.get("deployments") or []
    if len(deployments) > 1 and any(one.get("rollout_state") == "IN_PROGRESS" for one in deployments):
        yield (
            f"A deployment of the service {(info.get('service') or {}).get('service_name')} is under way, and would"
            " stop the old task as soon as it is exclusive. Let it end; if it cannot, because its tasks fail on the"
            " locks, run unlock.yml. Then run this again."
        )


def _deploy_refusals(
    service: Mapping[str, Any], measures: Mapping[str, Measure], groups: Sequence[Mapping[str, Any]], delays: Any
) -> Iterable[str]:
    """A deployment that would itself make the conflict."""
    if measures["exclusive_rollout"].decision == "off" and not _is_exclusive(service):
        yield (
            "qdrant_prevent_deploy is true, but a deployment of this service starts a second task beside the first:"
            " leave the measure exclusive_rollout on, or deploy it yourself after a stop."
        )
    long = [
        f"{group_name(str(group['target_group_arn']))} ({group['deregistration_delay']} s)"
        for group in groups
        if (group.get("deregistration_delay") or 0) > _LONGEST_DRAIN and group["target_group_arn"] not in delays
    ]
    if long:
        yield (
            f"qdrant_prevent_deploy is true, but the load balancer would hold the old task beside the new one:"
            f" {', '.join(long)}. Leave the measure deregistration_delay on, at {_LONGEST_DRAIN} s or less, or deploy"
            " it yourself after a stop."
        )


def _container(store: Mapping[str, Any], options: Mapping[str, Any]) -> tuple[dict[str, Measure], dict[str, Any]]:
    """The measures that amend the store's container, those that are chosen, and the members to amend."""
    decide: dict[str, Callable[[], tuple[Measure, dict[str, Any]]]] = {
        "stop_timeout": lambda: containers.stop_timeout(store, options["stop_timeout"]),
        "entry_point": lambda: containers.entry_point(store, options["entry_point"]),
        "health_check": lambda: containers.health_check(store, options["health_check"]),
    }
    measures: dict[str, Measure] = {}
    members: dict[str, Any] = {}
    for name in _OF_THE_CONTAINER:
        if options["measures"][name]:
            measures[name], found = decide[name]()
            members.update(found)
    return measures, members


def make_plan(
    info: Mapping[str, Any],
    *,
    options: Mapping[str, Any],
    environment: str,
    point: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The whole decision. `info` is what ecs_service_info returned; `point` what efs_access_point found or would make,
    where the plan that was made without it asked for that."""
    options = normalised(options)
    chosen = options["measures"]
    service = info.get("service") or {}
    groups = info.get("targets") or []
    refusals = [*service_refusals(service, ()), *_claim_refusals(service)]
    desired = int(service.get("desired_count") or 0)
    if desired > 1:
        refusals.append(
            f"The service {service.get('service_name')} runs {desired} tasks: more than one Qdrant on one store is what"
            " makes these locks. Set its desired count to 1, then run this again."
        )
    volume, volume_fault = choose_volume(options, info.get("volumes") or [])
    refusals += [volume_fault] if volume_fault else []

    measures: dict[str, Measure] = {name: Measure.off(name) for name in chosen}
    delays: dict[str, int] = {}
    bounds: dict[str, int] = {}
    if chosen["exclusive_rollout"]:
        measures["exclusive_rollout"] = _rollout(service)
        refusals += _rollout_refusals(info) if measures["exclusive_rollout"].decision == "change" else ()
    if chosen["deregistration_delay"]:
        measures["deregistration_delay"], delays = _drain(groups, options["deregistration_delay"])
    if chosen["autoscaling"]:
        measures["autoscaling"], bounds = _scaling(service, info.get("autoscaling"))

    amended: dict[str, Any] = {}
    if any(chosen[name] for name in _OF_THE_CONTAINER):
        store, fault = containers.choose_container(options, info.get("task_definition") or {}, volume)
        refusals += [fault] if fault and volume else []
        if store is not None:
            decided, members = _container(store, options)
            measures.update(decided)
            amended = {str(store["name"]): members} if members else {}
    wish = access_point(options, volume, environment=environment, point=point) if chosen["access_point"] else None
    if wish is not None:
        measures["access_point"] = wish.measure
        refusals += wish.refusals

    amendments = {
        "containers": amended,
        "volumes": dict(wish.volumes) if wish is not None else {},
    }
    amends = bool(amendments["containers"] or amendments["volumes"])
    deploy = bool(options.get("deploy")) and amends
    if deploy:
        refusals += _deploy_refusals(service, measures, groups, delays)
    needed = any(measure.decision == "change" for measure in measures.values())
    if needed and options.get("protected") and options.get("confirm") != environment:
        refusals.append(
            f"The environment {environment} is protected: pass -e confirm={environment} to say that you mean it."
        )
    return {
        "refusals": refusals,
        "warnings": list(wish.warnings) if wish is not None else [],
        "needed": needed,
        "measures": [measure.as_data() for measure in measures.values()],
        "rollout": measures["exclusive_rollout"].decision == "change",
        "delays": delays,
        "bounds": bounds,
        "access_point": dict(wish.request) if wish is not None else {},
        "amendments": amendments,
        "amend": amends,
        "deploy": deploy,
        "service": service.get("service_name"),
        "environment": environment,
    }
