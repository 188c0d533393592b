#!/usr/bin/python
# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_task_definition
short_description: Register an ECS task definition only where it differs
version_added: 0.1.0
description:
  - Compares the definition with the family's latest active revision by what both mean, and registers a new revision
    only on a difference. Whatever was changed, added or removed is a difference. The order of lists that have none
    (such as environment variables or volumes), ECS's defaults and what ECS adds by itself are not.
  - Can deregister old revisions that nothing uses.
author:
  - wwhd team (@wwhd)
options:
  state:
    description:
      - V(present) sees that the latest active revision of the family is as O(definition) says.
      - V(absent) deregisters all active revisions of O(family). It refuses while one of them is in use.
    type: str
    choices: [present, absent]
    default: present
  definition:
    description:
      - The definition as RegisterTaskDefinition takes it, in camelCase or snake_case. Keys that are the user's own
        (log options, labels) stay as they are. Numbers and texts take the type that ECS wants.
      - What ECS added to a definition that was read from it (revision, status and the like) is left aside.
      - A member that ECS does not know is refused by name.
      - With O(state=present), this or O(src) is needed.
    type: dict
  src:
    description:
      - The path of a file that holds the definition, in JSON or YAML, on the host that runs the module.
      - The same is taken as in O(definition); also the answer of C(aws ecs describe-task-definition) as it is, and the
        input of C(aws ecs register-task-definition).
      - For a template, use O(definition) with the lookup P(ansible.builtin.template#lookup).
    type: path
  family:
    description: The family to deregister. Needed with O(state=absent); with V(present) the definition has it.
    type: str
  keep:
    description:
      - How many of the newest active revisions stay; older ones are deregistered. By default all stay.
      - One that is in use stays in any case. To know it, the module looks, in each of O(clusters), at every service
        (its own definition, its deployments whatever their status, and its task sets, also at a desired count of 0) and
        at every task of the family whose processes may live; and, with O(schedules), at what will start one later.
      - It does not know of what lies outside, such as a revision named in a pipeline or in another account.
    type: int
  clusters:
    description:
      - The clusters, by name or ARN, to look for users of a revision in. By default every cluster of the region.
    type: list
    elements: str
  schedules:
    description:
      - Whether a revision that a rule of EventBridge (on the default bus) or a schedule of EventBridge Scheduler starts
        in one of O(clusters) counts as in use, also while that is turned off.
      - Matters only where revisions are deregistered. Needs C(events:ListRuleNamesByTarget),
        C(events:ListTargetsByRule), C(scheduler:ListSchedules) and C(scheduler:GetSchedule).
    type: bool
    default: true
  tags:
    description:
      - Tags that the definition must have, beside those in O(definition) or O(src), which they go
        before. Tags alone never make a new revision; they are added to the latest one.
      - Tags that are not named here stay.
    type: dict
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
    details: >-
      Both definitions, and below them the differences path by path. Values of environment variables are hidden, and
      so are the options of log drivers other than awslogs.
  idempotent:
    support: full
seealso:
  - module: wwhd.qdrant_ops.ecs_run_oneoff
"""

EXAMPLES = r"""
- name: Have a task that lists the volume
  wwhd.qdrant_ops.ecs_task_definition:
    region: us-west-2
    keep: 3
    definition:
      family: list-qdrant-volume
      network_mode: awsvpc
      requires_compatibilities: [FARGATE]
      cpu: 256
      memory: 512
      execution_role_arn: arn:aws:iam::018025611404:role/wwhd-dev-ecs-execution-role
      task_role_arn: arn:aws:iam::018025611404:role/wwhd-dev-ecs-task-role
      container_definitions:
        - name: lister
          image: alpine:latest
          command: [ls, -l, /data]
          mount_points:
            - source_volume: data
              container_path: /data
              read_only: true
      volumes:
        - name: data
          efs_volume_configuration:
            file_system_id: fs-00b8168893587fd61
            transit_encryption: ENABLED
            authorization_config:
              access_point_id: fsap-0a1b2c3d4e5f60718
              iam: ENABLED
  register: lister

- name: Register a definition from a file as AWS's own tools have it
  wwhd.qdrant_ops.ecs_task_definition:
    region: us-west-2
    src: "{{ playbook_dir }}/clear-locks-task.json"

- name: Deregister the family
  wwhd.qdrant_ops.ecs_task_definition:
    region: us-west-2
    state: absent
    family: list-qdrant-volume
"""

RETURN = r"""
task_definition_arn:
  description:
    - The ARN of the revision to use. Null after O(state=absent).
    - In check mode, where a revision would be registered, the ARN that it would probably get; null for a new family.
  returned: success
  type: str
  sample: arn:aws:ecs:us-west-2:018025611404:task-definition/clear-qdrant-locks:3
task_definition:
  description:
    - That revision in snake_case, as ECS describes it. Null after O(state=absent).
    - Of environment variables only the names, in C(environment_names) of each container; of the options of log drivers
      other than awslogs too, in C(option_names).
  returned: success
  type: dict
  sample:
    family: clear-qdrant-locks
    revision: 3
    status: ACTIVE
    cpu: "256"
    memory: "512"
    network_mode: awsvpc
    container_definitions:
      - name: cleaner
        image: alpine:latest
        essential: true
        environment_names: []
registered:
  description: Whether a new revision was registered (in check mode, would be).
  returned: success
  type: bool
  sample: true
differences:
  description: In what the definition differs from the latest active revision, and the tags added, in a few words each.
  returned: success
  type: list
  elements: str
  sample: ["containerDefinitions[cleaner].command[2] differs: true → false"]
deregistered:
  description: The ARNs of the revisions that were deregistered (in check mode, would be), newest first.
  returned: success
  type: list
  elements: str
  sample: ["arn:aws:ecs:us-west-2:018025611404:task-definition/clear-qdrant-locks:1"]
kept_in_use:
  description: The ARNs of revisions that O(keep) would have deregistered, but that are in use.
  returned: success
  type: list
  elements: str
  sample: []
started_at:
  description: When the module began, in UTC.
  returned: always
  type: str
  sample: "2026-11-23T15:04:05.678Z"
elapsed:
  description: How long it took, in seconds.
  returned: always
  type: float
  sample: 0.8
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, run
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.arguments import hide_environment, refuse, timed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.definition_file import definition_in
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.definitions import (
    ensure_present,
    read_definition,
    tags_within,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.revisions import ensure_absent
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock


def _ensure(module: AnsibleAWSModule, params: dict[str, Any], clock: Clock | None) -> dict[str, Any]:
    keep = params["keep"]
    absent = params["state"] == "absent"
    refuse(
        {
            f"keep is {keep}: it must be 1 or more, since the latest revision always stays.": keep is not None
            and keep < 1,
            "keep has no meaning with state absent, which deregisters all revisions.": absent and keep is not None,
            "family is empty.": absent and not params["family"],
            "src has no meaning with state absent: give family.": absent and params["src"] is not None,
            "src is empty.": params["src"] == "",
            "clusters is empty: leave it out to look in every cluster, or name some.": params["clusters"] == [],
        }
    )
    aws = Aws(module)
    if absent:
        return ensure_absent(
            aws,
            family=params["family"],
            clusters=params["clusters"],
            schedules=params["schedules"],
            check=module.check_mode,
        )
    given = definition_in(params["src"]) if params["src"] is not None else params["definition"]
    definition = read_definition(given, aws=aws)
    brought = tags_within(given)
    family = params["family"]
    refuse(
        {
            f"family is {family}, but the definition's family is {definition['family']}: give one of them.": (
                family is not None and family != definition["family"]
            )
        }
    )
    return ensure_present(
        aws,
        definition=definition,
        tags={**brought, **(params["tags"] or {})},
        keep=keep,
        clusters=params["clusters"],
        schedules=params["schedules"],
        check=module.check_mode,
        clock=clock,
    )


def main(clock: Clock | None = None) -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "definition": {"type": "dict"},
            "src": {"type": "path"},
            "family": {"type": "str"},
            "keep": {"type": "int"},
            "clusters": {"type": "list", "elements": "str"},
            "schedules": {"type": "bool", "default": True},
            "tags": {"type": "dict"},
        },
        required_if=[("state", "present", ["definition", "src"], True), ("state", "absent", ["family"])],
        mutually_exclusive=[("definition", "src")],
        supports_check_mode=True,
    )
    params = dict(module.params)
    module.params["definition"] = hide_environment(params["definition"])
    run(module, lambda: timed(lambda: _ensure(module, params, clock), clock=clock))


if __name__ == "__main__":
    main()
