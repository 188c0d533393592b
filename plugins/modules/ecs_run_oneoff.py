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
  - With O(run_id) it starts nothing twice. Tasks that the same run id has started in this cluster, alive or ended
    within the last hour, are returned with RV(reattached) true, and only what lacks of O(count) is started. The run id
    is the tasks' C(startedBy) and gives the calls' client tokens. It stands for one kind of task; whether overrides are
    the same is not compared.
  - Where AWS has no capacity or limits the rate of calls, it tries again until O(capacity_timeout) has passed.
  - O(guard) is looked at before each call that starts tasks, and with O(wait) while they start and run; what it finds
    then stops them.
  - It fails unless all of O(count) tasks were started; those that were are in RV(tasks) of the failure, and go on.
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
      - This or O(network_from_service) is needed for definitions with C(networkMode=awsvpc), as on Fargate.
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
  network_from_service:
    description:
      - The name of a service in O(cluster). The task gets the network that the service's next task would get (subnets,
        security groups, public address).
      - Where they are left out, O(launch_type) or O(capacity_provider_strategy) are the service's too, and on Fargate
        O(platform_version).
      - Excludes O(network_configuration).
    type: str
  launch_type:
    description:
      - Where the task runs. V(FARGATE) unless O(capacity_provider_strategy) or O(network_from_service) is given.
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
  placement_constraints:
    description: Which container instances may run the task. Not on Fargate.
    type: list
    elements: dict
    default: []
    suboptions:
      type:
        description: V(distinctInstance) puts each task on an instance of its own.
        type: str
        choices: [distinctInstance, memberOf]
        required: true
      expression:
        description: The instances, in ECS's cluster query language. Needed with V(memberOf).
        type: str
  placement_strategy:
    description: How the tasks are spread over the container instances, the first rule first. Not on Fargate.
    type: list
    elements: dict
    default: []
    suboptions:
      type:
        description: The kind of rule.
        type: str
        choices: [random, spread, binpack]
        required: true
      field:
        description: What V(spread) spreads over (such as V(attribute:ecs.availability-zone)), or what V(binpack) fills
          (V(cpu) or V(memory)).
        type: str
  overrides:
    description:
      - What is other than in the definition, as RunTask takes it, in camelCase or snake_case.
      - Values of environment variables are never returned.
    type: dict
    default: {}
  volume_configurations:
    description:
      - EBS volumes to create for the task, as RunTask takes them, in camelCase or snake_case. Each names a volume that
        the definition has as C(configuredAtLaunch).
    type: list
    elements: dict
    default: []
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
  enable_execute_command:
    description: Whether C(aws ecs execute-command) may open a shell in the task's containers.
    type: bool
    default: false
  group:
    description: The task's group. By default C(family:<family>).
    type: str
  count:
    description: How many tasks to start. ECS starts 10 a call, so more take several calls.
    type: int
    default: 1
  capacity_timeout:
    description:
      - For how long to go on when AWS has no capacity or limits the rate of calls, in seconds since the last task that
        was started. The pauses between are random and grow to 15 seconds.
    type: float
    default: 120
  wait:
    description:
      - Whether to wait for the end of all tasks, and to fail unless their essential containers exit 0.
      - As M(wwhd.qdrant_ops.ecs_wait_task) does it, whose results are then returned too.
      - The options from O(wait_timeout) on have a meaning only with it.
    type: bool
    default: false
  wait_timeout:
    description: The longest wait for the end, in seconds.
    type: float
    default: 600
  containers:
    description: The names of the containers whose exit codes decide. By default the essential ones.
    type: list
    elements: str
  success_codes:
    description: The exit codes that are a success.
    type: list
    elements: int
    default: [0]
  logs:
    description: Whether to read the output of every container from CloudWatch Logs.
    type: bool
    default: true
  live_logs:
    description:
      - Whether each new line of the containers' output is shown at once, while the module waits.
      - It is shown where the module's progress is; with O(logs=false) there is nothing to show.
    type: bool
    default: true
  live_logs_key:
    description:
      - Shows only lines that are JSON objects with a text under this key, and of them the text, as O(live_logs) shows a
        whole line. It is for programs that print one JSON object a line, and say now and then where they are.
      - The output is then read each ten seconds only.
    type: str
  log_lines:
    description: How many of a container's last lines an error message shows.
    type: int
    default: 20
  log_end:
    description: A text that the last line of each awaited container is known to contain; reading ends with it.
    type: str
  stop_on_timeout:
    description: Whether to stop what has not ended when O(wait_timeout) is over, and to see it gone.
    type: bool
    default: false
  stop_on_interrupt:
    description:
      - Whether to stop the tasks that this call has started when the module is told to end while it starts them or
        waits (SIGTERM, SIGHUP, or SIGINT as Ctrl-C sends it), or when its playbook is gone, as after its terminal was
        closed.
      - It then asks ECS to stop them, says so, and fails. It does not wait until they are gone.
      - Tasks that an earlier run with this O(run_id) had started go on.
    type: bool
    default: true
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

- name: Migrate the database with the network of the service, before it is deployed
  wwhd.qdrant_ops.ecs_run_oneoff:
    region: us-west-2
    cluster: wwhd-cluster
    task_definition: wwhd-migrate
    network_from_service: wwhd-backend
    overrides:
      container_overrides:
        - name: migrate
          command: [alembic, upgrade, head]
    wait: true
    wait_timeout: 1800
    stop_on_timeout: true

- name: Rebuild the index in 25 tasks, and call it a success where there was nothing to do (code 3)
  wwhd.qdrant_ops.ecs_run_oneoff:
    region: us-west-2
    cluster: wwhd-cluster
    task_definition: wwhd-reindex
    network_from_service: wwhd-backend
    count: 25
    run_id: reindex-20261123
    wait: true
    success_codes: [0, 3]

- name: The first again with another command, without waiting
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
  description:
    - The first task's ARN, of those that this call has started if there are any; null in check mode where there is
      none.
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
started:
  description: The ARNs of the tasks that this call has started.
  returned: success
  type: list
  elements: str
  sample: ["arn:aws:ecs:us-west-2:018025611404:task/wwhd-cluster/0cb1c58f1b5a4f2b8e0d4f0a2c6b7e11"]
reattached:
  description: Whether tasks that an earlier run with this O(run_id) had started are among RV(tasks).
  returned: success
  type: bool
  sample: false
failures:
  description: What ECS refused, when it was asked last; empty once all tasks were started.
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
stopped:
  description: The ARNs of tasks that were stopped, because of O(stop_on_timeout) or O(stop_on_interrupt).
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
    timed,
    warn_of,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import ARGUMENT_SPEC as GUARD_SPEC
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.oneoff import run_and_wait
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.oneoff_arguments import (
    refuse_mistakes,
    task_of,
    wait_of,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.wait import Listener
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.watching import operator_who_listens
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock


def main(clock: Clock | None = None, listener: Listener | None = None) -> None:
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
            "network_from_service": {"type": "str"},
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
            "placement_constraints": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "type": {"type": "str", "choices": ["distinctInstance", "memberOf"], "required": True},
                    "expression": {"type": "str"},
                },
                "required_if": [("type", "memberOf", ["expression"])],
            },
            "placement_strategy": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "type": {"type": "str", "choices": ["random", "spread", "binpack"], "required": True},
                    "field": {"type": "str"},
                },
                "required_if": [("type", "binpack", ["field"])],
            },
            "overrides": {"type": "dict", "default": {}},
            "volume_configurations": {"type": "list", "elements": "dict", "default": []},
            "run_id": {"type": "str"},
            "tags": {"type": "dict", "default": {}},
            "propagate_tags": {"type": "str", "choices": ["TASK_DEFINITION", "NONE"]},
            "enable_ecs_managed_tags": {"type": "bool", "default": False},
            "enable_execute_command": {"type": "bool", "default": False},
            "group": {"type": "str"},
            "count": {"type": "int", "default": 1},
            "capacity_timeout": {"type": "float", "default": 120},
            "guard": GUARD_SPEC,
            "wait": {"type": "bool", "default": False},
            "wait_timeout": {"type": "float", "default": 600},
            "containers": {"type": "list", "elements": "str"},
            "success_codes": {"type": "list", "elements": "int", "default": [0]},
            "logs": {"type": "bool", "default": True},
            "live_logs": {"type": "bool", "default": True},
            "live_logs_key": {"type": "str", "no_log": False},
            "log_lines": {"type": "int", "default": 20},
            "log_end": {"type": "str"},
            "stop_on_timeout": {"type": "bool", "default": False},
            "stop_on_interrupt": {"type": "bool", "default": True},
        },
        mutually_exclusive=[
            ("launch_type", "capacity_provider_strategy"),
            ("network_configuration", "network_from_service"),
        ],
        supports_check_mode=True,
    )
    params = dict(module.params)
    module.params["overrides"] = hide_environment(params["overrides"])

    def work() -> dict[str, Any]:
        refuse_mistakes(params)
        result = run_and_wait(
            Aws(module),
            task=task_of(params),
            wait=wait_of(params),
            region=module.region,
            stop_on_interrupt=params["stop_on_interrupt"],
            check=module.check_mode,
            clock=clock,
            listener=listener or operator_who_listens(lines=params["live_logs"], key=params["live_logs_key"]),
        )
        warn_of((*result.pop("notes"), *result.get("log_notes", [])))
        return result

    run(module, lambda: timed(work, clock=clock))


if __name__ == "__main__":
    main()
