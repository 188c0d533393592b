#!/usr/bin/python
# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_run_oneoff
short_description: Run an ECS task once, and only once
version_added: 0.1.0
description:
  - Starts a task that belongs to no service, and tells everything that ECS refused.
  - With O(run_id) it starts nothing twice. A task that the same run id has started in this cluster, alive or ended
    within the last hour, is returned with RV(reattached) true, and no other is started. The run id is the task's
    C(startedBy) and gives the call's client token. It stands for one kind of task; whether overrides are the same is
    not compared.
  - Where AWS has no capacity or limits the rate of calls, it tries again until O(capacity_timeout) has passed.
author:
  - wwhd team (@wwhd)
options:
  cluster:
    description: The cluster's name or ARN.
    type: str
    required: true
  task_definition:
    description:
      - Family, C(family:revision) or ARN. Use the ARN that M(wwhd.qdrant_ops.ecs_task_definition) returned.
      - A definition that does not exist is an error; in check mode it is a warning, since an earlier task of the play
        may register it.
    type: str
    required: true
  network_configuration:
    description:
      - Where the task's network interface comes.
      - Needed for definitions with C(networkMode=awsvpc), as on Fargate.
    type: dict
    suboptions:
      subnets:
        description: The ids of the subnets, 1 to 16.
        type: list
        elements: str
        required: true
      security_groups:
        description: The ids of the security groups, at most 5. By default the VPC's own.
        type: list
        elements: str
        default: []
      assign_public_ip:
        description: Whether the task gets a public address.
        type: bool
        default: false
  launch_type:
    description:
      - Where the task runs. V(FARGATE) unless O(capacity_provider_strategy) is given.
    type: str
    choices: [FARGATE, EC2, EXTERNAL, MANAGED_INSTANCES]
  capacity_provider_strategy:
    description: The capacity providers to use. Excludes O(launch_type).
    type: list
    elements: dict
    suboptions:
      capacity_provider:
        description: The provider's name, such as V(FARGATE).
        type: str
        required: true
      weight:
        description: Its share of the tasks.
        type: int
        default: 1
      base:
        description: How many tasks it gets at least.
        type: int
        default: 0
  platform_version:
    description: The Fargate platform version, such as V(1.4.0). By default the latest.
    type: str
  overrides:
    description:
      - What is other than in the definition, as RunTask takes it, in camelCase or snake_case.
      - Values of environment variables are never returned.
    type: dict
    default: {}
  run_id:
    description:
      - The name of this run. With it, the module can be repeated safely.
      - Any text; what AWS does not take in C(startedBy) or in a token is replaced, and a hash keeps it unique.
    type: str
  tags:
    description: Tags for the task.
    type: dict
    default: {}
  propagate_tags:
    description: V(TASK_DEFINITION) also copies the definition's tags.
    type: str
    choices: [TASK_DEFINITION, NONE]
  enable_ecs_managed_tags:
    description: Whether ECS adds its own tags, such as C(aws:ecs:clusterName).
    type: bool
    default: false
  group:
    description: The task's group. By default C(family:<family>).
    type: str
  count:
    description: How many tasks to start, 1 to 10.
    type: int
    default: 1
  capacity_timeout:
    description: For how long to go on when AWS has no capacity or limits the rate of calls, in seconds.
    type: float
    default: 120
  wait:
    description:
      - Whether to wait for the task's end, and to fail unless its essential containers exit 0.
      - As M(wwhd.qdrant_ops.ecs_wait_task) does it, whose results are then returned too.
    type: bool
    default: false
  wait_timeout:
    description: The longest wait for the end, in seconds.
    type: float
    default: 600
extends_documentation_fragment:
  - wwhd.qdrant_ops.attributes
  - wwhd.qdrant_ops.progress
  - wwhd.qdrant_ops.guard
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: With O(run_id), for as long as ECS remembers the task, which is at least one hour after its end.
seealso:
  - module: wwhd.qdrant_ops.ecs_task_definition
  - module: wwhd.qdrant_ops.ecs_wait_task
"""

EXAMPLES = r"""
- name: Run the cleaner once, and wait for its end
  wwhd.qdrant_ops.ecs_run_oneoff:
    region: us-west-2
    cluster: wwhd-cluster
    task_definition: clear-qdrant-locks
    network_configuration:
      subnets: [subnet-677d281e, subnet-5498bc0e, subnet-18ddaa53]
      security_groups: [sg-0a75b2c312d17f654]
      assign_public_ip: true
    run_id: unlock-20261123T150000Z
    wait: true
  register: cleaner

- name: The same with another command, without waiting
  wwhd.qdrant_ops.ecs_run_oneoff:
    region: us-west-2
    cluster: wwhd-cluster
    task_definition: clear-qdrant-locks:3
    network_configuration:
      subnets: [subnet-677d281e]
    overrides:
      container_overrides:
        - name: cleaner
          command: [sh, -c, ls -l /data]
"""

RETURN = r"""
task_arn:
  description: The first task's ARN; null in check mode where a task would be started.
  returned: success
  type: str
  sample: arn:aws:ecs:us-west-2:018025611404:task/wwhd-cluster/0cb1c58f1b5a4f2b8e0d4f0a2c6b7e11
tasks:
  description:
    - The tasks as ECS describes them, in snake_case; of environment variables only the names.
    - With O(wait=true), as M(wwhd.qdrant_ops.ecs_wait_task) returns them.
  returned: success
  type: list
  elements: dict
  sample:
    - task_arn: arn:aws:ecs:us-west-2:018025611404:task/wwhd-cluster/0cb1c58f1b5a4f2b8e0d4f0a2c6b7e11
      task_definition_arn: arn:aws:ecs:us-west-2:018025611404:task-definition/clear-qdrant-locks:3
      last_status: PROVISIONING
      desired_status: RUNNING
      group: family:clear-qdrant-locks
      started_by: unlock-20261123T150000Z
reattached:
  description: Whether the task had been started by an earlier run with this O(run_id).
  returned: success
  type: bool
  sample: false
failures:
  description: What ECS refused.
  returned: always, once ECS has answered
  type: list
  elements: dict
  contains:
    reason:
      description: ECS's reason.
      returned: always
      type: str
      sample: RESOURCE:CPU
    arn:
      description: What it is about.
      returned: when ECS says so
      type: str
      sample: arn:aws:ecs:us-west-2:018025611404:container-instance/wwhd-cluster/0a1b2c3d4e5f60718
    detail:
      description: More words.
      returned: when ECS says so
      type: str
      sample: not enough CPU units
  sample: []
started_by:
  description: The C(startedBy) of the task; null without O(run_id).
  returned: success
  type: str
  sample: unlock-20261123T150000Z
logs:
  description: The output by container's name.
  returned: when O(wait=true)
  type: dict
  sample: {"cleaner": ["Lock files cleared"]}
logs_complete:
  description: Whether the output is known to have been read to its end.
  returned: when O(wait=true)
  type: bool
  sample: true
log_notes:
  description: What could not be read of the logs, and why.
  returned: when O(wait=true)
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
  sample: 3.2
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, run
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.arguments import (
    hide_environment,
    refuse,
    timed,
    warn_of,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import ARGUMENT_SPEC as GUARD_SPEC
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import guard_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.oneoff import OneOff, run_and_wait
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

_MOST_SUBNETS = 16
_MOST_SECURITY_GROUPS = 5
_MOST_TASKS = 10


def _spec(params: dict[str, Any]) -> OneOff:
    network = params["network_configuration"]
    subnets = network["subnets"] if network else []
    groups = network["security_groups"] if network else []
    count = params["count"]
    refuse(
        {
            "cluster is empty.": not params["cluster"],
            "task_definition is empty.": not params["task_definition"],
            f"count is {count}: ECS starts 1 to {_MOST_TASKS} tasks a call.": not 1 <= count <= _MOST_TASKS,
            f"capacity_timeout is {params['capacity_timeout']}: it must be 0 or more seconds.": (
                params["capacity_timeout"] < 0
            ),
            f"wait_timeout is {params['wait_timeout']}: it must be 0 or more seconds.": params["wait_timeout"] < 0,
            "network_configuration.subnets is empty: give at least one subnet.": bool(network)
            and not all(subnets or [""]),
            f"network_configuration.subnets has {len(subnets)} entries: ECS takes {_MOST_SUBNETS}.": (
                len(subnets) > _MOST_SUBNETS
            ),
            f"network_configuration.security_groups has {len(groups)} entries: ECS takes {_MOST_SECURITY_GROUPS}.": (
                len(groups) > _MOST_SECURITY_GROUPS
            ),
            "run_id is empty: leave it out, or give a name.": params["run_id"] == "",
        }
    )
    strategy = params["capacity_provider_strategy"] or []
    return OneOff(
        cluster=params["cluster"],
        task_definition=params["task_definition"],
        network={
            "subnets": subnets,
            **({"securityGroups": groups} if groups else {}),
            "assignPublicIp": "ENABLED" if network["assign_public_ip"] else "DISABLED",
        }
        if network
        else None,
        launch_type=params["launch_type"] or (None if strategy else "FARGATE"),
        capacity_provider_strategy=[
            {"capacityProvider": item["capacity_provider"], "weight": item["weight"], "base": item["base"]}
            for item in strategy
        ],
        platform_version=params["platform_version"],
        overrides=params["overrides"],
        run_id=params["run_id"],
        tags=params["tags"],
        propagate_tags=params["propagate_tags"],
        enable_ecs_managed_tags=params["enable_ecs_managed_tags"],
        group=params["group"],
        count=count,
        capacity_timeout=params["capacity_timeout"],
        guard=guard_of(params["guard"], cluster=params["cluster"]),
    )


def main(clock: Clock | None = None) -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "task_definition": {"type": "str", "required": True},
            "network_configuration": {
                "type": "dict",
                "options": {
                    "subnets": {"type": "list", "elements": "str", "required": True},
                    "security_groups": {"type": "list", "elements": "str", "default": []},
                    "assign_public_ip": {"type": "bool", "default": False},
                },
            },
            "launch_type": {"type": "str", "choices": ["FARGATE", "EC2", "EXTERNAL", "MANAGED_INSTANCES"]},
            "capacity_provider_strategy": {
                "type": "list",
                "elements": "dict",
                "options": {
                    "capacity_provider": {"type": "str", "required": True},
                    "weight": {"type": "int", "default": 1},
                    "base": {"type": "int", "default": 0},
                },
            },
            "platform_version": {"type": "str"},
            "overrides": {"type": "dict", "default": {}},
            "run_id": {"type": "str"},
            "tags": {"type": "dict", "default": {}},
            "propagate_tags": {"type": "str", "choices": ["TASK_DEFINITION", "NONE"]},
            "enable_ecs_managed_tags": {"type": "bool", "default": False},
            "group": {"type": "str"},
            "count": {"type": "int", "default": 1},
            "capacity_timeout": {"type": "float", "default": 120},
            "guard": GUARD_SPEC,
            "wait": {"type": "bool", "default": False},
            "wait_timeout": {"type": "float", "default": 600},
        },
        mutually_exclusive=[("launch_type", "capacity_provider_strategy")],
        supports_check_mode=True,
    )
    params = dict(module.params)
    module.params["overrides"] = hide_environment(params["overrides"])

    def work() -> dict[str, Any]:
        result = run_and_wait(
            Aws(module),
            task=_spec(params),
            wait_timeout=params["wait_timeout"] if params["wait"] else None,
            region=module.region,
            check=module.check_mode,
            clock=clock,
        )
        warn_of((*result.pop("notes"), *result.get("log_notes", [])))
        return result

    run(module, lambda: timed(work, clock=clock))


if __name__ == "__main__":
    main()
