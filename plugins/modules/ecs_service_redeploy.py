#!/usr/bin/python
# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ecs_service_redeploy
version_added: 0.1.0
short_description: Start one deployment of an ECS service and follow that very one to its end
description:
  - Changes desired count, task definition and deployment of a service in one call, and follows the deployment that this
    call started until it is completed, and until the load balancer finds its tasks healthy.
  - The wait ends at the first sign that it cannot succeed. The error then has the failed tasks' reasons, what to do
    about them, the last lines of their logs, and the service's new events.
options:
  cluster:
    description: Name or ARN of the cluster.
    type: str
    default: default
  service:
    description: Name of the service.
    type: str
    required: true
  desired_count:
    description: The number of tasks wanted. Left out, the count stays as it is.
    type: int
  task_definition:
    description: Family, C(family:revision) or ARN of the task definition to run. Left out, it stays as it is.
    type: str
  force_new_deployment:
    description:
      - Whether to start a deployment even if nothing differs, which also looks up the images' tags anew.
      - With V(false) a call is made only if O(desired_count) or O(task_definition) differ.
    type: bool
    default: true
  wait:
    description: Whether to follow the deployment to its end.
    type: bool
    default: true
  timeout:
    description: How many seconds to follow it at most, the load balancer's health checks included.
    type: int
    default: 900
  max_failed_tasks:
    description:
      - The wait ends when this many tasks of the deployment have failed.
      - Tasks that reached RUNNING and ended then by themselves count too. The deployment circuit breaker of ECS does
        not count those.
    type: int
    default: 3
  log_lines:
    description: How many of the last log lines of each container of a failed task are returned.
    type: int
    default: 20
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
    details: With O(force_new_deployment=true), which is the default, each run starts a deployment.
notes:
  - The wait ends early when the deployment fails or is rolled back, when another one takes its place, when somebody
    else lowers the desired count, or when the service is deleted.
  - Needs C(ecs:DescribeServices), C(ecs:UpdateService), C(ecs:ListTasks), C(ecs:DescribeTasks), and for a service with
    a load balancer C(elasticloadbalancing:DescribeTargetGroups) and C(elasticloadbalancing:DescribeTargetHealth).
    C(ecs:DescribeTaskDefinition) and C(logs:GetLogEvents) are needed for the logs of failed tasks, and
    C(ecs:DescribeTaskDefinition) and C(iam:PassRole) for O(task_definition).
seealso:
  - module: wwhd.qdrant_ops.ecs_service_info
  - module: wwhd.qdrant_ops.ecs_service_scale
author:
  - wwhd team (@wwhd)
"""

EXAMPLES = r"""
- name: Start the service again, and follow it until it is healthy
  wwhd.qdrant_ops.ecs_service_redeploy:
    region: us-west-2
    cluster: wwhd-cluster
    service: wwhd-backend
    desired_count: 1
    max_failed_tasks: 2
    timeout: 900
  register: redeployed

- name: Change to another revision only if it differs
  wwhd.qdrant_ops.ecs_service_redeploy:
    region: us-west-2
    cluster: wwhd-cluster
    service: wwhd-backend
    task_definition: wwhd-backend:7
    force_new_deployment: false
"""

RETURN = r"""
deployment:
  description:
    - The deployment that was started, in its last state, in snake_case.
    - In check mode the one that would be replaced, with what would differ.
  returned: success, and on a failure of the deployment
  type: dict
  sample:
    id: ecs-svc/1234567890123456789
    status: PRIMARY
    rollout_state: COMPLETED
    desired_count: 1
    running_count: 1
    pending_count: 0
    failed_tasks: 0
events:
  description: The service's events since the call, oldest first.
  returned: success, and on a failure of the deployment
  type: list
  elements: dict
  sample:
    - id: 0a1b2c3d-0000-4000-8000-000000000000
      created_at: "2026-11-23T15:04:05.678000+00:00"
      message: (service wwhd-backend) has started 1 tasks.
failures:
  description:
    - The tasks of this deployment that failed, newest first, also when it succeeded in the end.
    - The newest three have the last lines of their logs.
  returned: success, and on a failure of the deployment
  type: list
  elements: dict
  sample: []
targets:
  description: The service's target groups, as M(wwhd.qdrant_ops.ecs_service_info) returns them.
  returned: success, and on a failure of the deployment
  type: list
  elements: dict
  sample: []
tasks:
  description: The live tasks of this deployment, newest first.
  returned: success, and on a failure of the deployment
  type: list
  elements: dict
  sample:
    - task_arn: arn:aws:ecs:us-west-2:018025611404:task/wwhd-cluster/0f1e2d3c4b5a69788796a5b4c3d2e1f0
      last_status: RUNNING
      desired_status: RUNNING
      gone: false
waited:
  description: Seconds spent following the deployment; 0 where it was not followed.
  returned: success, and on a failure of the deployment
  type: float
  sample: 71.3
started_at:
  description: When the module began, in UTC.
  returned: always
  type: str
  sample: "2026-11-23T15:04:05.678Z"
elapsed:
  description: Seconds that it took.
  returned: always
  type: float
  sample: 72.0
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, run
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.arguments import below, refuse, timed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.deployments import redeploy
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import ARGUMENT_SPEC as GUARD_SPEC
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import guard_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock


def argument_spec() -> dict[str, Any]:
    return {
        "cluster": {"type": "str", "default": "default"},
        "service": {"type": "str", "required": True},
        "desired_count": {"type": "int"},
        "task_definition": {"type": "str"},
        "force_new_deployment": {"type": "bool", "default": True},
        "guard": GUARD_SPEC,
        "wait": {"type": "bool", "default": True},
        "timeout": {"type": "int", "default": 900},
        "max_failed_tasks": {"type": "int", "default": 3},
        "log_lines": {"type": "int", "default": 20},
    }


def deploy(module: AnsibleAWSModule, clock: Clock) -> dict[str, Any]:
    params = module.params
    refuse(
        below(0, desired_count=params["desired_count"], log_lines=params["log_lines"])
        + below(1, timeout=params["timeout"], max_failed_tasks=params["max_failed_tasks"])
    )
    return redeploy(
        Aws(module),
        cluster=params["cluster"],
        service=params["service"],
        desired_count=params["desired_count"],
        task_definition=params["task_definition"],
        force=params["force_new_deployment"],
        guard=guard_of(params["guard"], cluster=params["cluster"]),
        wait=params["wait"],
        timeout=params["timeout"],
        max_failed_tasks=params["max_failed_tasks"],
        log_lines=params["log_lines"],
        check_mode=module.check_mode,
        clock=clock,
    )


def main(clock: Clock | None = None) -> None:
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    used = clock or Clock()
    run(module, lambda: timed(lambda: deploy(module, used), clock=used))


if __name__ == "__main__":
    main()
