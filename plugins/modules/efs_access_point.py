#!/usr/bin/python
# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: efs_access_point
version_added: 0.1.0
short_description: Make an access point of an EFS file system, once
description:
  - Sees that an access point of this name exists on the file system, and that it leads to this folder as this user.
  - It is found again by its name, also if somebody else has made it. Two runs at the same moment make one.
  - AWS cannot change an access point. One that has the name but leads elsewhere is an error. None is ever deleted.
options:
  file_system_id:
    description: The file system.
    type: str
    required: true
  name:
    description: The name, which is its tag C(Name).
    type: str
    required: true
  path:
    description: The folder of the file system that whoever mounts through it sees as the root.
    type: str
    required: true
  posix_user:
    description:
      - As whom everything is read and written that goes through it. Left out, as whoever runs in the container.
    type: dict
    suboptions:
      uid:
        description: The user's number.
        type: int
        required: true
      gid:
        description: The group's number.
        type: int
        required: true
      secondary_gids:
        description: Further groups.
        type: list
        elements: int
        default: []
  creation_info:
    description:
      - What AWS makes the folder with when it is mounted for the first time and is not there. Left out, a mount of a
        folder that does not exist fails. It has no effect on a folder that exists.
    type: dict
    suboptions:
      owner_uid:
        description: The owner's number.
        type: int
        required: true
      owner_gid:
        description: The group's number.
        type: int
        required: true
      permissions:
        description: The permissions, as octal digits.
        type: str
        default: "0755"
  tags:
    description: Tags that it must have beside its name. Others stay.
    type: dict
    default: {}
  wait:
    description: Whether to wait until it is available.
    type: bool
    default: true
  wait_timeout:
    description: For how many seconds.
    type: int
    default: 120
extends_documentation_fragment:
  - wwhd.qdrant_ops.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
notes:
  - Needs C(elasticfilesystem:DescribeAccessPoints), C(elasticfilesystem:CreateAccessPoint) and
    C(elasticfilesystem:TagResource).
author:
  - wwhd team (@wwhd)
"""

EXAMPLES = r"""
- name: Give the environment a tree of its own
  wwhd.qdrant_ops.efs_access_point:
    region: us-west-2
    file_system_id: fs-00b8168893587fd61
    name: qdrant-staging
    path: /qdrant/staging
    creation_info:
      owner_uid: 0
      owner_gid: 0
    tags:
      environment: staging
  register: point
"""

RETURN = r"""
access_point_id:
  description: Its id. Null in check mode if it would be made.
  returned: success
  type: str
  sample: fsap-0a1b2c3d4e5f60718
access_point:
  description: The access point in snake_case, with its tags as a dictionary.
  returned: success
  type: dict
  sample:
    access_point_id: fsap-0a1b2c3d4e5f60718
    file_system_id: fs-00b8168893587fd61
    life_cycle_state: available
    name: qdrant-staging
    root_directory:
      path: /qdrant/staging
    tags:
      Name: qdrant-staging
created:
  description: Whether it was made (in check mode, would be).
  returned: success
  type: bool
  sample: true
started_at:
  description: When the module began, in UTC.
  returned: always
  type: str
  sample: "2026-11-23T15:04:05.678Z"
elapsed:
  description: Seconds that it took.
  returned: always
  type: float
  sample: 1.2
"""

import re
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.access_points import (
    AccessPoint,
    ensure_access_point,
    path_problem,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, run
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.arguments import below, refuse, timed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock


def argument_spec() -> dict[str, Any]:
    return {
        "file_system_id": {"type": "str", "required": True},
        "name": {"type": "str", "required": True},
        "path": {"type": "str", "required": True},
        "posix_user": {
            "type": "dict",
            "options": {
                "uid": {"type": "int", "required": True},
                "gid": {"type": "int", "required": True},
                "secondary_gids": {"type": "list", "elements": "int", "default": []},
            },
        },
        "creation_info": {
            "type": "dict",
            "options": {
                "owner_uid": {"type": "int", "required": True},
                "owner_gid": {"type": "int", "required": True},
                "permissions": {"type": "str", "default": "0755"},
            },
        },
        "tags": {"type": "dict", "default": {}},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 120},
    }


def make(module: AnsibleAWSModule, clock: Clock) -> dict[str, Any]:
    params = module.params
    user, folder = params["posix_user"], params["creation_info"]
    permissions = folder["permissions"] if folder else "0755"
    problem = path_problem(params["path"])
    refuse(
        [
            *([problem] if problem else []),
            *(["name is empty."] if not params["name"] else []),
            *([] if re.fullmatch(r"[0-7]{3,4}", permissions) else [f"permissions must be octal, not {permissions!r}."]),
            *below(1, wait_timeout=params["wait_timeout"]),
        ]
    )
    wanted = AccessPoint(
        file_system_id=params["file_system_id"],
        name=params["name"],
        path=params["path"],
        posix_user=None
        if user is None
        else {
            "Uid": user["uid"],
            "Gid": user["gid"],
            **({"SecondaryGids": user["secondary_gids"]} if user["secondary_gids"] else {}),
        },
        creation_info=None
        if folder is None
        else {"OwnerUid": folder["owner_uid"], "OwnerGid": folder["owner_gid"], "Permissions": permissions},
        tags={str(key): str(value) for key, value in params["tags"].items()},
    )
    return ensure_access_point(
        Aws(module),
        wanted=wanted,
        wait_timeout=params["wait_timeout"] if params["wait"] else None,
        check=module.check_mode,
        clock=clock,
    )


def main(clock: Clock | None = None) -> None:
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    used = clock or Clock()
    run(module, lambda: timed(lambda: make(module, used), clock=used))


if __name__ == "__main__":
    main()
