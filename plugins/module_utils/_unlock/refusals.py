# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What speaks against an unlock: the service, another run, missing words, an end that could not be verified.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.claims import Claim
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.masking import mask
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.owner import held_by_another

__all__ = ["health_error", "run_refusals", "service_refusals", "verification_refusals"]


def service_refusals(service: Mapping[str, Any], tasks: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    name, status = service.get("service_name"), service.get("status")
    if status != "ACTIVE":
        yield f"The service {name} is {status}, not ACTIVE: create it again, or name another one."
    controller = (service.get("deployment_controller") or {}).get("type", "ECS")
    if controller == "CODE_DEPLOY":
        yield (
            f"The service {name} is deployed by CodeDeploy, which does not let ECS force a deployment: stop its tasks"
            " and redeploy it through CodeDeploy."
        )
    elif controller != "ECS":
        yield (
            f"The service {name} has an {controller} deployment controller: whoever manages its task sets must stop and"
            " start it."
        )
    if service.get("scheduling_strategy") == "DAEMON":
        yield (
            f"The service {name} is a DAEMON: its desired count cannot be set to 0. Make it a REPLICA service with a"
            " desired count of 1, as a store with one writer needs."
        )
    strategy = (service.get("deployment_configuration") or {}).get("strategy") or "ROLLING"
    if strategy != "ROLLING":
        yield (
            f"The service {name} deploys {strategy}, which runs two full copies side by side: set its deployment"
            " strategy to ROLLING, as a store with one writer needs."
        )
    protected = [str(task["task_arn"]).rsplit("/", 1)[-1] for task in tasks if task.get("protected")]
    if protected:
        yield (
            f"Tasks of {name} are under scale-in protection ({', '.join(protected)}): they would live on at desired"
            " count 0. Take it away (aws ecs update-task-protection --no-protection-enabled), or wait until it ends."
        )


def run_refusals(
    options: Mapping[str, Any],
    info: Mapping[str, Any],
    *,
    claims: Sequence[Claim],
    tasks: int,
    needed: bool,
    environment: str,
    owner: str,
    now: datetime,
    going_on: bool,
) -> Iterable[str]:
    """What speaks against this run of all. `going_on`: it needs no other run that has stopped the service for it."""
    name, inspect = (info.get("service") or {}).get("service_name"), options.get("mode") == "inspect"
    if needed and not claims and not going_on:
        yield (
            f"No run has stopped the service {name}, so there is nothing for tasks_from: start to go on with. Include"
            " the role without tasks_from: it stops, clears and starts the service."
        )
    if tasks > 1 and not options.get("allow_many") and not inspect:
        yield (
            f"The service {name} would run {tasks} tasks: more than one Qdrant on one store is what makes these locks."
            " Set its desired count to 1, or pass -e qdrant_unlock_allow_many=true if each of its tasks has a store of"
            " its own."
        )
    for other in claims if not options.get("takeover") else ():
        if held_by_another(other, here=owner, now=now):
            yield (
                f"Another unlock of this service is under way: {other.who}. Wait for it. If you know that it is dead,"
                " pass -e qdrant_unlock_takeover=true; otherwise it counts as dead when its process has ended, or, seen"
                f" from another machine, from {other.until or 'never'} on."
            )
    if needed and options.get("protected") and options.get("confirm") != environment and not inspect:
        yield f"The environment {environment} is protected: pass -e confirm={environment} to say that you mean it."


def health_error(health: Mapping[str, Any] | None) -> str | None:
    """What was wrong with the health address's last answer; None if it was good or was not asked."""
    if not health or health.get("skipped"):
        return None
    last = health.get("last")
    # Without an answer the module itself has failed: that must not pass for health.
    error = last.get("error") if last else health.get("msg", "it could not be asked")
    return str(error) if error else None


def _health_refusal(info: Mapping[str, Any], health: Mapping[str, Any] | None, url: str) -> str | None:
    """A sentence if the run could never be verified at this address, whatever it did to the service.

    A service that is down may refuse a connection. But a load balancer answers for it even then, and a service that ECS
    calls healthy should answer itself: no answer, or a 4xx, is then a fault of the address or of the way to it.
    """
    error = health_error(health)
    if error is None:
        return None
    if not (health or {}).get("last"):
        return f"The health address cannot be asked: {mask(error)}"
    url = mask(url)
    status = ((health or {}).get("last") or {}).get("status")
    if status is None and (info.get("healthy") or info.get("targets")):
        return (
            f"The health address {url} cannot be reached from here ({error}), so the end could not be verified: correct"
            " qdrant_unlock_health_url or the network, or pass -e qdrant_unlock_health_url= to do without it."
        )
    if status is not None and 400 <= int(status) < 500 and info.get("healthy"):
        return (
            f"The health address {url} answers {status} although the service is healthy: correct"
            " qdrant_unlock_health_url, or pass -e qdrant_unlock_health_url= to do without it."
        )
    return None


def verification_refusals(
    options: Mapping[str, Any],
    info: Mapping[str, Any],
    health: Mapping[str, Any] | None,
    collections: Mapping[str, Any] | None,
    *,
    needed: bool,
) -> Iterable[str]:
    inspect = options.get("mode") == "inspect"
    unreachable = None if inspect else _health_refusal(info, health, str(options.get("health_url")))
    if unreachable:
        yield unreachable
    elif collections and collections.get("msg") and needed:
        yield f"The points cannot be counted, so the end could not be verified: {collections['msg']}"
