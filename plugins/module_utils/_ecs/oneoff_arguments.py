# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of ecs_run_oneoff, judged and read.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.arguments import below, refuse
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import guard_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.run_request import OneOff
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.watching import WaitFor

__all__ = ["refuse_mistakes", "task_of", "wait_of"]

_MOST_SUBNETS = 16
_MOST_SECURITY_GROUPS = 5


def refuse_mistakes(params: Mapping[str, Any]) -> None:
    """Raises OperationFailed with a sentence for each mistake, before anything is asked of AWS."""
    network = params["network_configuration"]
    subnets = network["subnets"] if network else []
    groups = network["security_groups"] if network else []
    empty = [name for name in ("cluster", "task_definition", "network_from_service") if params[name] == ""]
    found = {
        "network_configuration.subnets is empty: give at least one subnet.": bool(network) and not all(subnets or [""]),
        f"network_configuration.subnets has {len(subnets)} entries: ECS takes {_MOST_SUBNETS}.": (
            len(subnets) > _MOST_SUBNETS
        ),
        f"network_configuration.security_groups has {len(groups)} entries: ECS takes {_MOST_SECURITY_GROUPS}.": (
            len(groups) > _MOST_SECURITY_GROUPS
        ),
        "run_id is empty: leave it out, or give a name.": params["run_id"] == "",
        "success_codes is empty: give at least one exit code.": not params["success_codes"],
        "containers is empty: leave it out, or name at least one.": params["containers"] == [],
        "log_end is empty: leave it out, or give a text.": params["log_end"] == "",
    }
    times = {name: params[name] for name in ("capacity_timeout", "wait_timeout", "log_lines")}
    refuse(
        [
            *(f"{name} is empty." for name in empty),
            *below(1, count=params["count"]),
            *below(0, **times),
            *(sentence for sentence, holds in found.items() if holds),
        ]
    )


def _given(item: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if value is not None}


def task_of(params: Mapping[str, Any]) -> OneOff:
    """What to run."""
    network = params["network_configuration"]
    strategy = params["capacity_provider_strategy"] or []
    return OneOff(
        cluster=params["cluster"],
        task_definition=params["task_definition"],
        network={
            "subnets": network["subnets"],
            **({"securityGroups": network["security_groups"]} if network["security_groups"] else {}),
            "assignPublicIp": "ENABLED" if network["assign_public_ip"] else "DISABLED",
        }
        if network
        else None,
        network_from_service=params["network_from_service"],
        launch_type=params["launch_type"],
        capacity_provider_strategy=[
            {"capacityProvider": item["capacity_provider"], "weight": item["weight"], "base": item["base"]}
            for item in strategy
        ],
        platform_version=params["platform_version"],
        placement_constraints=[_given(item) for item in params["placement_constraints"]],
        placement_strategy=[_given(item) for item in params["placement_strategy"]],
        overrides=params["overrides"],
        volume_configurations=params["volume_configurations"],
        run_id=params["run_id"],
        tags=params["tags"],
        propagate_tags=params["propagate_tags"],
        enable_ecs_managed_tags=params["enable_ecs_managed_tags"],
        enable_execute_command=params["enable_execute_command"],
        group=params["group"],
        count=params["count"],
        capacity_timeout=params["capacity_timeout"],
        guard=guard_of(params["guard"], cluster=params["cluster"]),
    )


def wait_of(params: Mapping[str, Any]) -> WaitFor | None:
    """How to wait for its end; the tasks are filled in when they are known. None where nobody waits."""
    if not params["wait"]:
        return None
    return WaitFor(
        cluster=params["cluster"],
        tasks=[],
        timeout=params["wait_timeout"],
        containers=params["containers"],
        success_codes=params["success_codes"],
        logs=params["logs"],
        log_lines=params["log_lines"],
        log_end=params["log_end"],
        stop_on_timeout=params["stop_on_timeout"],
        who="ecs_run_oneoff",
    )
