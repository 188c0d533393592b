# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""EFS access points: found by what they are for, made once.

Private to wwhd.qdrant_ops. Access points are dicts as AWS gives them (EFS spells in PascalCase).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.tagging import ansible_dict_to_boto3_tag_list

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, snake
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock, Hopeless, Pace, TimedOut, poll

__all__ = ["AccessPoint", "client_token", "ensure_access_point", "path_problem", "tree_of"]

_PACE = Pace(quick=0.5, slow=3.0)
# As EFS takes it: at most four folders deep, 100 characters in all (facts.md E.3).
_PATH = re.compile(r"/|(/(?!\.)[^$#<>;`|&?{}^*/\n]+){1,4}")
_PATH_LENGTH = 100


@dataclass(frozen=True)
class AccessPoint:
    """What it is to be. `posix_user` and `creation_info` are as AWS takes them; None leaves them out."""

    file_system_id: str
    name: str
    path: str
    posix_user: Mapping[str, Any] | None = None
    creation_info: Mapping[str, Any] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_tags(self) -> dict[str, str]:
        return {**self.tags, "Name": self.name}


def client_token(file_system_id: str, name: str) -> str:
    """The same for the same name on the same file system, so that two runs at once make one access point."""
    digest = hashlib.sha256(f"{file_system_id}/{name}".encode()).hexdigest()
    return f"wwhd.qdrant_ops-{digest[:40]}"


def path_problem(path: str) -> str | None:
    """Why EFS would not take the path."""
    if len(path) <= _PATH_LENGTH and _PATH.fullmatch(path):
        return None
    return (
        f"{path!r} is no path for an access point: give an absolute one with at most four folders and"
        f" {_PATH_LENGTH} characters, such as /qdrant/dev."
    )


def tree_of(point: Mapping[str, Any]) -> str:
    """The folder of the file system that an access point leads to."""
    return str((point.get("RootDirectory") or {}).get("Path") or "/")


def _find(aws: Aws, wanted: AccessPoint) -> dict[str, Any] | None:
    """By its token, or by its name where somebody else has made it. Raises OperationFailed if several have it."""
    pages = aws.pages(
        "efs",
        "DescribeAccessPoints",
        doing=f"list the access points of file system {wanted.file_system_id}",
        FileSystemId=wanted.file_system_id,
    )
    points = [point for page in pages for point in page.get("AccessPoints", [])]
    alive = [point for point in points if point.get("LifeCycleState") not in ("deleting", "deleted")]
    token = client_token(wanted.file_system_id, wanted.name)
    own = [point for point in alive if point.get("ClientToken") == token]
    named = own or [point for point in alive if point.get("Name") == wanted.name]
    if len(named) > 1:
        ids = ", ".join(sorted(str(point["AccessPointId"]) for point in named))
        raise OperationFailed(
            f"Could not tell which access point of file system {wanted.file_system_id} is meant: {ids} are all named"
            f" {wanted.name}. Give another name, or delete those that nothing mounts."
        )
    return named[0] if named else None


def _require_same(found: Mapping[str, Any], wanted: AccessPoint) -> None:
    """AWS cannot change an access point: one that leads elsewhere must not pass for the wanted one."""
    wrong = []
    if tree_of(found) != wanted.path:
        wrong.append(f"leads to {tree_of(found)}, not to {wanted.path}")
    if wanted.posix_user is not None:
        user = found.get("PosixUser") or {}
        ids = ("Uid", "Gid")
        if any(user.get(name) != wanted.posix_user.get(name) for name in ids) or sorted(
            user.get("SecondaryGids") or []
        ) != sorted(wanted.posix_user.get("SecondaryGids") or []):
            wrong.append(f"has the POSIX user {user or 'of the client'}, not {dict(wanted.posix_user)}")
    if wrong:
        raise OperationFailed(
            f"Could not use the access point {found['AccessPointId']} ({wanted.name}) of file system"
            f" {wanted.file_system_id}: it {' and '.join(wrong)}, and AWS cannot change that. Nothing was changed. Give"
            " another name, or the values that it has.",
            details={"access_point_id": found["AccessPointId"]},
        )


def _create(aws: Aws, wanted: AccessPoint) -> dict[str, Any]:
    root: dict[str, Any] = {"Path": wanted.path}
    if wanted.creation_info is not None:
        root["CreationInfo"] = dict(wanted.creation_info)
    params: dict[str, Any] = {"RootDirectory": root}
    if wanted.posix_user is not None:
        params["PosixUser"] = dict(wanted.posix_user)
    try:
        return aws.call(
            "efs",
            "CreateAccessPoint",
            doing=f"make the access point {wanted.name} on file system {wanted.file_system_id}",
            ClientToken=client_token(wanted.file_system_id, wanted.name),
            FileSystemId=wanted.file_system_id,
            Tags=ansible_dict_to_boto3_tag_list(wanted.all_tags),
            **params,
        )
    except OperationFailed as error:
        # Somebody who started at the same moment, or this call itself, whose answer was lost.
        found = _find(aws, wanted) if error.code == "AccessPointAlreadyExists" else None
        if found is None:
            raise
        _require_same(found, wanted)
        return found


def ensure_access_point(
    aws: Aws, *, wanted: AccessPoint, wait_timeout: float | None, check: bool, clock: Clock
) -> dict[str, Any]:
    """See that it exists with these tags, and wait until it is available (not if `wait_timeout` is None)."""
    found = _find(aws, wanted)
    created, lacking = found is None, {}
    if found is None:
        found = _predicted(wanted) if check else _create(aws, wanted)
    else:
        _require_same(found, wanted)
        known = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}
        lacking = {key: value for key, value in wanted.all_tags.items() if known.get(key) != value}
        if lacking and not check:
            aws.call(
                "efs",
                "TagResource",
                doing=f"tag the access point {found['AccessPointId']} with {', '.join(sorted(lacking))}",
                ResourceId=found["AccessPointId"],
                Tags=ansible_dict_to_boto3_tag_list(lacking),
            )
        found = {**found, "Tags": ansible_dict_to_boto3_tag_list({**known, **lacking})}
    if wait_timeout is not None and not check:
        found = {**found, "LifeCycleState": _await(aws, found, timeout=wait_timeout, clock=clock)}
    shown = _view(found)
    before = {} if created else {**shown, "tags": {k: v for k, v in shown["tags"].items() if k not in lacking}}
    return {
        "changed": created or bool(lacking),
        "created": created,
        "access_point_id": found.get("AccessPointId"),
        "access_point": shown,
        "diff": {"before": before, "after": shown},
    }


def _await(aws: Aws, point: Mapping[str, Any], *, timeout: float, clock: Clock) -> str:
    identifier = str(point["AccessPointId"])
    doing = f"wait for the access point {identifier}"

    def read() -> str:
        answer = aws.call("efs", "DescribeAccessPoints", doing=doing, AccessPointId=identifier)
        points = answer.get("AccessPoints", [])
        return str(points[0].get("LifeCycleState")) if points else "absent"

    try:
        return poll(
            read,
            done=lambda state: state == "available",
            hopeless=lambda state: state if state in ("deleting", "deleted", "error") else None,
            timeout=timeout,
            pace=_PACE,
            clock=clock,
        ).value
    except (TimedOut, Hopeless) as error:
        state = error.observation.value
        raise OperationFailed(
            f"Could not {doing}: it is {state} after {error.observation.elapsed:.0f} s, not available. Look at it"
            f" (aws efs describe-access-points --access-point-id {identifier}), then run this again.",
            details={"access_point_id": identifier, "life_cycle_state": state},
        ) from error


def _predicted(wanted: AccessPoint) -> dict[str, Any]:
    return {
        "AccessPointId": None,
        "FileSystemId": wanted.file_system_id,
        "Name": wanted.name,
        "RootDirectory": {
            "Path": wanted.path,
            **({"CreationInfo": dict(wanted.creation_info)} if wanted.creation_info is not None else {}),
        },
        **({"PosixUser": dict(wanted.posix_user)} if wanted.posix_user is not None else {}),
        "Tags": ansible_dict_to_boto3_tag_list(wanted.all_tags),
        "LifeCycleState": "creating",
    }


def _view(point: Mapping[str, Any]) -> dict[str, Any]:
    copy = {key: value for key, value in point.items() if key not in ("Tags", "ResponseMetadata")}
    tags = {tag["Key"]: tag["Value"] for tag in point.get("Tags", [])}
    return {**snake(copy), "tags": tags}
