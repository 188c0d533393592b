# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An access point of the environment's own, and what mounting it would mean. Private to wwhd.qdrant_ops. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._prevent.measure import Measure

__all__ = ["Wish", "access_point"]

_NEW = "fsap-new"


@dataclass(frozen=True)
class Wish:
    """`request` is what efs_access_point is asked for, {} if nothing is; `volumes` what is to be amended."""

    measure: Measure
    request: Mapping[str, Any] = field(default_factory=dict)
    volumes: Mapping[str, Any] = field(default_factory=dict)
    refusals: Sequence[str] = ()
    warnings: Sequence[str] = ()


def access_point(
    options: Mapping[str, Any],
    volume: Mapping[str, Any] | None,
    *,
    environment: str,
    point: Mapping[str, Any] | None,
) -> Wish:
    """What is to be made, and whether the service is to mount it. `point` is what efs_access_point found, or would
    make. A path that is left out is the tree that the service has now, so that nothing moves."""
    wanted = options["access_point"]
    if volume is None:
        return Wish(Measure.leave("access_point", "no volume", "there is nothing to mount"))
    mounted = volume.get("access_point_id")
    tree = str(volume.get("root_directory") or "/")
    if mounted and "path" not in wanted:
        return Wish(Measure.keep("access_point", f"mounts {mounted}"))
    was = f"mounts {mounted}" if mounted else f"mounts {tree} of {volume['file_system_id']} itself"
    path = str(wanted.get("path") or tree)
    name = str(wanted.get("name") or f"qdrant-{environment}")
    request = {
        "file_system_id": volume["file_system_id"],
        "name": name,
        "path": path,
        "tags": {"wwhd.qdrant_ops:environment": environment},
    }
    if "uid" in wanted:
        request["posix_user"] = {"uid": wanted["uid"], "gid": wanted["gid"]}
    if path != "/":
        request["creation_info"] = {"owner_uid": wanted.get("uid", 0), "owner_gid": wanted.get("gid", 0)}
    found = (point or {}).get("access_point_id")
    if found and found == mounted:
        return Wish(Measure.keep("access_point", was), request)
    to_make = not found
    told = f"{name} ({found or 'new'}) for {path}"
    if not wanted["mount"]:
        why = "not mounted: that is for qdrant_prevent_access_point.mount to say"
        if not to_make:
            return Wish(Measure.keep("access_point", f"{was}; there is {told}", why), request)
        return Wish(Measure.change("access_point", was, told, why=why), request)
    other_tree = bool(mounted) or path != tree
    refusals, warnings = [], []
    if other_tree and not options.get("accept_another_tree"):
        refusals.append(
            f"qdrant_prevent_access_point.mount is true, and the access point {name} leads to {path}, another folder"
            f" than the service has now ({was}): Qdrant would start with an EMPTY STORE there, and so would everything"
            f" else that mounts the volume {volume['name']}. Copy the data first, while the service is stopped; then"
            " pass -e qdrant_prevent_accept_another_tree=true."
        )
    elif other_tree:
        warnings.append(
            f"From the next deployment on Qdrant mounts {path} instead of what it has now ({was}). If the data was not"
            " copied there, it starts with an EMPTY STORE. The old one stays where it is; to go back, deploy the"
            " revision that runs now."
        )
    if "uid" in wanted:
        warnings.append(
            f"Through the access point everything is read and written as {wanted['uid']}:{wanted['gid']}: files of"
            " another owner may become unreadable. Change their owner first."
        )
    volumes = {
        str(volume["name"]): {
            "efs_volume_configuration": {
                "file_system_id": volume["file_system_id"],
                "transit_encryption": "ENABLED",
                "authorization_config": {
                    "access_point_id": found or _NEW,
                    "iam": "ENABLED" if volume.get("iam") else "DISABLED",
                },
            }
        }
    }
    measure = Measure.change("access_point", was, f"mounts {told}", deployment=True)
    return Wish(measure, request, volumes, refusals, warnings)
