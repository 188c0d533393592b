# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the cleaner works: the service's volume, network and log, and the task definition that has them.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock import cleaner

__all__ = ["choose_volume", "cleaner_of", "log_of", "network_of", "to_check"]


def _volume_text(volume: Mapping[str, Any]) -> str:
    mounts = ", ".join(f"{c['name']} at {c['container_path']}" for c in volume.get("containers", []))
    through = f" through {volume['access_point_id']}" if volume.get("access_point_id") else ""
    return f"{volume['name']} ({volume['file_system_id']}{through}; mounted by {mounts or 'nobody'})"


def choose_volume(
    options: Mapping[str, Any], volumes: Sequence[Mapping[str, Any]]
) -> tuple[Mapping[str, Any] | None, str | None]:
    """The one volume that the store lies on, or a sentence why there is none."""
    if not volumes:
        return None, (
            "The service's task definition mounts no EFS volume: there is no store to unlock. Check that"
            " qdrant_unlock_service is the service that runs Qdrant."
        )
    left = list(volumes)
    told = "; ".join(_volume_text(volume) for volume in volumes)
    for name in ("file_system_id", "access_point_id", "root_directory"):
        wanted = options.get(name)
        if wanted:
            left = [volume for volume in left if (volume.get(name) or "") == wanted]
            if not left:
                return None, (
                    f"qdrant_unlock_{name} is {wanted}, but the service's volumes are {told}: correct it, or leave it"
                    " out to have it discovered."
                )
    container = options.get("container")
    if container:
        left = [v for v in left if any(c["name"] == container for c in v.get("containers", []))]
        if not left:
            return None, f"No container {container} mounts such a volume; the service's volumes are {told}."
    if len(left) > 1:
        qdrant = [v for v in left if any("qdrant" in str(c.get("image")) for c in v.get("containers", []))]
        left = qdrant or left
    if len(left) > 1:
        return None, (
            f"More than one volume could hold the store: {told}. Say which with qdrant_unlock_container or"
            " qdrant_unlock_access_point_id."
        )
    return left[0], None


def log_of(
    options: Mapping[str, Any], info: Mapping[str, Any], volume: Mapping[str, Any] | None
) -> dict[str, str] | None:
    configurations = info.get("log_configurations") or {}
    owners = [c["name"] for c in (volume or {}).get("containers", [])]
    ordered = [configurations[name] for name in owners if configurations.get(name)]
    ordered += [configuration for configuration in configurations.values() if configuration]
    found = ordered[0] if ordered else {}
    group = options.get("log_group") or found.get("group")
    if not group:
        return None
    return {
        "group": group,
        "region": found.get("region") or options["region"],
        "prefix": options.get("log_stream_prefix") or cleaner.CONTAINER,
    }


def network_of(options: Mapping[str, Any], info: Mapping[str, Any]) -> dict[str, Any]:
    own = info.get("network") or {}
    assign = options.get("assign_public_ip")
    return {
        "subnets": options.get("subnets") or own.get("subnets") or [],
        "security_groups": options.get("security_groups") or own.get("security_groups") or [],
        "assign_public_ip": bool(own.get("assign_public_ip")) if assign is None else bool(assign),
    }


def to_check(
    options: Mapping[str, Any], info: Mapping[str, Any], network: Mapping[str, Any], log: Mapping[str, str] | None
) -> dict[str, list[str]]:
    """What the inventory names and the live service does not use: only those can be wrong, and are looked up before
    anything is stopped."""
    own = info.get("network") or {}
    definition = info.get("task_definition") or {}
    own_roles = {definition.get("execution_role_arn"), definition.get("task_role_arn")}
    own_groups = {c.get("group") for c in (info.get("log_configurations") or {}).values() if c}
    roles = [str(options[name]) for name in ("execution_role_arn", "task_role_arn") if options.get(name)]
    return {
        "subnets": sorted(set(network["subnets"]) - set(own.get("subnets") or [])),
        "security_groups": sorted(set(network["security_groups"]) - set(own.get("security_groups") or [])),
        "role_names": sorted({role.rsplit("/", 1)[-1] for role in roles if role not in own_roles}),
        "log_groups": [log["group"]] if log and log["group"] not in own_groups else [],
    }


def cleaner_of(
    options: Mapping[str, Any],
    info: Mapping[str, Any],
    volume: Mapping[str, Any],
    log: Mapping[str, str] | None,
    *,
    script: str,
    run_id: str,
) -> dict[str, Any]:
    """The cleaner's task definition, and what this run of it is told."""
    inspect = options.get("mode") == "inspect"
    own = info.get("task_definition") or {}
    family = str(options.get("family"))
    return {
        "definition": cleaner.definition(
            script=script,
            family=f"{family}-inspect" if inspect else family,
            image=str(options.get("image")),
            cpu=options.get("cpu") or 256,
            memory=options.get("memory") or 512,
            volume=volume,
            read_only=inspect,
            execution_role_arn=options.get("execution_role_arn") or own.get("execution_role_arn"),
            task_role_arn=options.get("task_role_arn") or own.get("task_role_arn"),
            log=log,
        ),
        "overrides": cleaner.overrides(
            scan_path=str(options.get("scan_path") or "/"),
            patterns=[str(pattern) for pattern in options.get("lock_patterns") or []],
            mode="inspect" if inspect else "unlock",
            held=str(options.get("held_locks") or "wait"),
            held_timeout=int(options.get("held_timeout") or 0),
            run_id=run_id,
            prune=[str(pattern) for pattern in options.get("prune_patterns") or []],
        ),
    }
