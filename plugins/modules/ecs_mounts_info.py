#!/usr/bin/python
# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ecs_mounts_info
version_added: 0.1.0
short_description: List the ECS tasks that mount an EFS file system
description:
  - Looks at every task of the clusters, also those that are being stopped, and lists those whose task definition mounts
    the file system, through any access point or directory, live ones first.
  - Nothing is written.
options:
  file_system_id:
    description: Id of the EFS file system. Its DNS name and its ARN will do as well.
    type: str
    required: true
  clusters:
    description: Names or ARNs of the clusters to look at. V(all) means every cluster of the region.
    type: list
    elements: str
    default: ["default"]
  exclude:
    description:
      - What to leave out, as names of services (in any cluster), C(cluster/service), or ARNs of tasks.
      - Tasks left out are counted in RV(excluded) only.
    type: list
    elements: str
    default: []
  not_mounting:
    description:
      - ARNs of task definitions that are known not to mount it, as RV(not_mounting) of an earlier look has them. A
        revision never changes, so they are not read again.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - wwhd.qdrant_ops.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    details: Only reads, in check mode and otherwise.
  diff_mode:
    support: none
  idempotent:
    support: full
notes:
  - A live task that cannot be judged, because its task definition cannot be described, is an error.
  - Sees ECS tasks only. An EC2 instance or a Lambda function that mounts the file system is not seen.
  - Needs C(ecs:ListTasks), C(ecs:DescribeTasks), C(ecs:DescribeTaskDefinition), and C(ecs:ListClusters) for V(all).
seealso:
  - module: wwhd.qdrant_ops.ecs_service_info
author:
  - wwhd team (@wwhd)
"""

EXAMPLES = r"""
- name: Look for tasks that mount the file system, other than the service's own
  wwhd.qdrant_ops.ecs_mounts_info:
    region: us-west-2
    file_system_id: fs-00b8168893587fd61
    clusters: all
    exclude:
      - wwhd-cluster/wwhd-backend
  register: mounts

- name: Stop if there is one
  ansible.builtin.assert:
    that: mounts.live == 0
    fail_msg: "{{ mounts.tasks | selectattr('live') | map(attribute='task_arn') | join(', ') }}"
"""

RETURN = r"""
file_system_id:
  description: The id of the file system.
  returned: success
  type: str
  sample: fs-00b8168893587fd61
tasks:
  description: The tasks that mount it, live ones first, newest first among each.
  returned: success
  type: list
  elements: dict
  sample:
    - task_arn: arn:aws:ecs:us-west-2:018025611404:task/wwhd-cluster/0f1e2d3c4b5a69788796a5b4c3d2e1f0
      cluster: wwhd-cluster
      group: family:backup
      family: backup
      task_definition_arn: arn:aws:ecs:us-west-2:018025611404:task-definition/backup:3
      last_status: RUNNING
      desired_status: RUNNING
      live: true
      started_by: null
      created_at: "2026-11-23T15:04:05.678000+00:00"
      volumes:
        - name: data
          access_point_id: fsap-0a1b2c3d4e5f60718
          root_directory: /
      containers:
        - name: backup
          volume: data
          container_path: /backup
          read_only: true
live:
  description: How many of them are live, that is, may still have a process.
  returned: success
  type: int
  sample: 1
clusters:
  description: The clusters that were looked at.
  returned: success
  type: list
  elements: str
  sample: ["wwhd-cluster"]
tasks_seen:
  description: How many tasks there were.
  returned: success
  type: int
  sample: 12
excluded:
  description: How many of them O(exclude) left out.
  returned: success
  type: int
  sample: 1
definitions_read:
  description: How many task definitions were read.
  returned: success
  type: int
  sample: 4
unjudged:
  description: ARNs of ended tasks whose task definition could not be described. They hold nothing any more.
  returned: success
  type: list
  elements: str
  sample: []
not_mounting:
  description: ARNs of the task definitions that do not mount it, with those of O(not_mounting).
  returned: success
  type: list
  elements: str
  sample: ["arn:aws:ecs:us-west-2:018025611404:task-definition/mailer:12"]
started_at:
  description: When the module began, in UTC.
  returned: always
  type: str
  sample: "2026-11-23T15:04:05.678Z"
elapsed:
  description: Seconds that it took.
  returned: always
  type: float
  sample: 0.8
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, run
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.arguments import refuse, timed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.mounts import file_system_id_in, find_mounts
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock


def argument_spec() -> dict[str, Any]:
    return {
        "file_system_id": {"type": "str", "required": True},
        "clusters": {"type": "list", "elements": "str", "default": ["default"]},
        "exclude": {"type": "list", "elements": "str", "default": []},
        "not_mounting": {"type": "list", "elements": "str", "default": []},
    }


def problems(params: dict[str, Any]) -> list[str]:
    found = []
    if file_system_id_in(params["file_system_id"]) is None:
        found.append(
            f"file_system_id {params['file_system_id']!r} is no EFS file system: give an id such as "
            "fs-00b8168893587fd61, its DNS name or its ARN."
        )
    if not params["clusters"] or not all(params["clusters"]):
        found.append("clusters is empty, or has an empty name in it: name at least one, or say all.")
    return found


def look(module: AnsibleAWSModule, clock: Clock) -> dict[str, Any]:
    params = module.params
    refuse(problems(params))
    return find_mounts(
        Aws(module),
        file_system_id=params["file_system_id"],
        clusters=params["clusters"],
        exclude=params["exclude"],
        not_mounting=params["not_mounting"],
        clock=clock,
    )


def main(clock: Clock | None = None) -> None:
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    used = clock or Clock()
    run(module, lambda: timed(lambda: look(module, used), clock=used))


if __name__ == "__main__":
    main()
