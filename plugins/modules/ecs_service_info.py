#!/usr/bin/python
# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ecs_service_info
version_added: 0.1.0
short_description: Read an ECS service, its tasks, volumes and targets, and say why it is stuck
description:
  - Reads everything about one service that an operator, or an unlock, needs to know, and judges it.
  - Nothing is written. Values of environment variables are never returned, only their names.
options:
  cluster:
    description: Name or ARN of the cluster.
    type: str
    default: default
  service:
    description: Name of the service.
    type: str
    required: true
  stopped:
    description: How many of the newest ended or ending tasks are returned, with the tails of their logs.
    type: int
    default: 5
  log_lines:
    description: How many of the last log lines of each container of those tasks are read.
    type: int
    default: 20
  events:
    description:
      - How many of the newest events of the service are returned; ECS keeps 100.
      - The diagnosis is made from all of them nevertheless.
    type: int
    default: 20
  mounts:
    description:
      - Tell in RV(mounts) who else mounts the service's EFS file systems, as M(wwhd.qdrant_ops.ecs_mounts_info) does,
        with fewer calls than both modules make.
      - It does not go together with O(wait).
    type: dict
    version_added: 0.1.0
    suboptions:
      clusters:
        description: Names or ARNs of the clusters to look in; V(all) is every cluster in the region. Left out, it is
          O(cluster).
        type: list
        elements: str
        default: []
      always:
        description: Whether to look there for a healthy service, too.
        type: bool
        default: false
  wait:
    description:
      - Whether to look until RV(healthy) is true, for O(wait_timeout) seconds at most.
      - What was seen last is returned either way; that a service did not become healthy is not an error.
    type: bool
    default: false
  wait_timeout:
    description: For how many seconds to look with O(wait=true).
    type: int
    default: 120
extends_documentation_fragment:
  - wwhd.qdrant_ops.attributes
  - wwhd.qdrant_ops.progress
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
  - A service that is C(INACTIVE) or C(DRAINING) is returned with its status.
    A cluster or service that does not exist is an error, which names those that do.
  - Needs C(ecs:DescribeServices), C(ecs:DescribeTaskDefinition), C(ecs:ListTasks), C(ecs:DescribeTasks),
    C(application-autoscaling:DescribeScalableTargets), and for a service with a load balancer
    C(elasticloadbalancing:DescribeTargetGroups) and C(elasticloadbalancing:DescribeTargetHealth).
    C(ecs:DescribeServiceDeployments), C(ecs:GetTaskProtection), C(logs:GetLogEvents), C(ecs:ListClusters),
    C(ecs:ListServices) and C(elasticloadbalancing:DescribeTargetGroupAttributes) add to the result where they are
    allowed.
seealso:
  - module: wwhd.qdrant_ops.ecs_service_scale
  - module: wwhd.qdrant_ops.ecs_service_redeploy
author:
  - wwhd team (@wwhd)
"""

EXAMPLES = r"""
- name: Ask why the service is stuck
  wwhd.qdrant_ops.ecs_service_info:
    region: us-west-2
    cluster: wwhd-cluster
    service: wwhd-backend
  register: info

- name: Show the diagnosis
  ansible.builtin.debug:
    msg: "{{ info.diagnosis.summary }} {{ info.diagnosis.next }}"

- name: Stop here unless the service is healthy
  ansible.builtin.assert:
    that: info.healthy
    fail_msg: "{{ info.unhealthy_because | join(' ') }}"

- name: Look until it is healthy
  wwhd.qdrant_ops.ecs_service_info:
    region: us-west-2
    cluster: wwhd-cluster
    service: wwhd-backend
    wait: true
    wait_timeout: 60
  register: after
  failed_when: not after.healthy
"""

RETURN = r"""
service:
  description: The service as AWS describes it, in snake_case, with its tags as a dictionary and its newest events.
  returned: success
  type: dict
  sample:
    service_name: wwhd-backend
    status: ACTIVE
    desired_count: 1
    running_count: 0
    pending_count: 1
    tags: {"env": "dev"}
deployments:
  description: The deployments of the service, in snake_case, the one that it is going to first.
  returned: success
  type: list
  elements: dict
  sample:
    - id: ecs-svc/1234567890123456789
      status: PRIMARY
      rollout_state: IN_PROGRESS
      desired_count: 1
      running_count: 0
      pending_count: 1
      failed_tasks: 2
service_deployment:
  description:
    - The stages of the newest deployment as C(DescribeServiceDeployments) tells them, in snake_case, with
      the hook that it waits at.
    - Null for plain rolling deployments, which have none, and where it may not be read.
  returned: success
  type: dict
  sample: null
task_definition:
  description:
    - The task definition of the deployment that the service is going to, in snake_case.
    - Each container has C(environment_names) instead of its environment.
  returned: success
  type: dict
  sample:
    family: wwhd-backend
    revision: 7
    container_definitions:
      - name: qdrant
        image: qdrant/qdrant:v1.7.4
        essential: true
        environment_names: ["QDRANT__LOG_LEVEL"]
volumes:
  description: The EFS volumes of the task definition, with the containers that mount them.
  returned: success
  type: list
  elements: dict
  sample:
    - name: data
      file_system_id: fs-00b8168893587fd61
      access_point_id: fsap-0a1b2c3d4e5f60718
      root_directory: /
      transit_encryption: ENABLED
      iam: true
      containers:
        - name: qdrant
          image: qdrant/qdrant:v1.7.4
          container_path: /qdrant/storage
          read_only: false
network:
  description: Where the tasks run; null for tasks that have no network of their own.
  returned: success
  type: dict
  sample:
    subnets: ["subnet-677d281e"]
    security_groups: ["sg-0a75b2c312d17f654"]
    assign_public_ip: true
log_configurations:
  description: Where each container that uses the awslogs driver writes to.
  returned: success
  type: dict
  sample:
    qdrant:
      group: /ecs/wwhd-backend
      prefix: qdrant
      region: us-west-2
tasks:
  description:
    - Every live task and the newest ones that have ended, newest first.
    - Those that have ended or are ending have the last lines of their logs. Where a container that ended by itself
      names a lock in them, those that were only taken down, with it or before, have none.
  returned: success
  type: list
  elements: dict
  contains:
    task_arn:
      description: ARN of the task.
      type: str
      sample: arn:aws:ecs:us-west-2:018025611404:task/wwhd-cluster/0f1e2d3c4b5a69788796a5b4c3d2e1f0
    last_status:
      description: Where it is in its life.
      type: str
      sample: STOPPED
    desired_status:
      description: Where ECS wants it to be.
      type: str
      sample: STOPPED
    gone:
      description: Whether no process of the task can be alive any more.
      type: bool
      sample: true
    protected:
      description: Whether it is under scale-in protection; null where that could not be read.
      type: bool
      sample: false
    task_definition_arn:
      description: ARN of its task definition.
      type: str
      sample: arn:aws:ecs:us-west-2:018025611404:task-definition/wwhd-backend:7
    group:
      description: What it belongs to.
      type: str
      sample: service:wwhd-backend
    started_by:
      description: What started it; for a task of a service the id of the deployment.
      type: str
      sample: ecs-svc/1234567890123456789
    stop_code:
      description: Why it ended, as a code; null while it is not being stopped.
      type: str
      sample: EssentialContainerExited
    stopped_reason:
      description: Why it ended, in the words of AWS or of who stopped it.
      type: str
      sample: Essential container in task exited
    hint:
      description: What that means, and what to do about it; null where nothing is known.
      type: str
      sample: "Exit code 101: a Rust program panicked."
    health_status:
      description: What the container health checks say.
      type: str
      sample: UNKNOWN
    created_at:
      description: When it was created.
      type: str
      sample: "2026-11-23T15:04:05.678000+00:00"
    started_at:
      description: When it reached RUNNING; null if it never did.
      type: str
      sample: "2026-11-23T15:04:25.100000+00:00"
    stopped_at:
      description: When it was over; null before.
      type: str
      sample: "2026-11-23T15:04:45.900000+00:00"
    containers:
      description: Its containers, with the exit code of each, and the last lines of its log where they were read.
      type: list
      elements: dict
      sample:
        - name: qdrant
          last_status: STOPPED
          exit_code: 101
          reason: null
          logs: ["Panic occurred in file ..."]
autoscaling:
  description: The automatic scaling of the desired count; null where the service has none.
  returned: success
  type: dict
  sample:
    min_capacity: 1
    max_capacity: 1
    suspended_state:
      dynamic_scaling_in_suspended: false
      dynamic_scaling_out_suspended: false
      scheduled_scaling_suspended: false
targets:
  description: The target groups of the service, and the health of each target in them.
  returned: success
  type: list
  elements: dict
  sample:
    - target_group_arn: arn:aws:elasticloadbalancing:us-west-2:018025611404:targetgroup/wwhd-backend/0123456789abcdef
      problem: null
      health_check:
        path: /health
        port: traffic-port
        protocol: HTTP
      deregistration_delay: 300
      targets:
        - id: 10.0.1.17
          port: 8000
          state: healthy
          reason: null
          description: null
mounts:
  description:
    - With O(mounts), what M(wwhd.qdrant_ops.ecs_mounts_info) returns of each of the service's EFS file systems, with
      the service's own tasks excluded.
    - Empty where that was not asked, where the service is healthy unless O(mounts.always), and where it could not be
      told; that module says why, then.
  returned: success
  type: list
  elements: dict
  sample: []
healthy:
  description:
    - Whether as many tasks run as are desired (at least one), under one completed deployment, with healthy targets,
      and no essential container has ended.
  returned: success
  type: bool
  sample: false
unhealthy_because:
  description: Every reason not to call it healthy, one sentence each.
  returned: success
  type: list
  elements: str
  sample: ["0 of 1 desired task(s) run."]
diagnosis:
  description: Why it is stuck, in plain words.
  returned: success
  type: dict
  contains:
    verdict:
      description:
        - The first that holds of C(healthy), C(unlock_unfinished), C(service_ending), C(stopped_by_hand),
          C(locks_held), C(storage), C(stopped_by_user), C(memory), C(image), C(mount), C(logging), C(health_check),
          C(capacity), C(network), C(permission), C(paused), C(deploying), C(app_error), C(given_up), C(many_writers),
          C(unknown).
      type: str
      sample: locks_held
    cause:
      description:
        - What the verdict comes from, as one word, where the facts tell; otherwise the verdict again.
        - For C(locks_held) one of C(rolling_overlap), C(dead_lease), C(held_elsewhere), C(same_machine),
          C(opened_twice), C(lock_of_another_user), C(local_client), C(no_locks_left).
      type: str
      sample: dead_lease
    summary:
      description: What the verdict and its cause mean.
      type: str
      sample: "The store cannot open its files: a lock on them is held, or cannot be taken."
    confidence:
      description: How sure the cause is, C(certain), C(likely) or C(possible).
      type: str
      sample: likely
    because:
      description: Why it is so sure, and no surer.
      type: str
      sample: the task before it was killed, and EFS keeps a lock until its client's lease ends
    evidence:
      description: The facts that speak for it, and for the other verdicts that hold.
      type: list
      elements: str
      sample: ["Task 0f1e2d3c4b5a69788796a5b4c3d2e1f0, container qdrant: ... While lock file: ..."]
    next:
      description: What to do.
      type: str
      sample: "Run the unlock playbook: it stops every writer, proves that each is gone, and then clears the locks."
    command:
      description: A command of AWS's client that tells more, or does it; null where there is none.
      type: str
      sample: null
    also:
      description: The other verdicts that hold.
      type: list
      elements: str
      sample: ["stopped_by_user"]
    findings:
      description:
        - Every verdict that holds, the cause first, each with its own evidence.
        - A healthy service's past troubles are over, and are left out.
      type: list
      elements: dict
      sample:
        - verdict: stopped_by_user
          cause: pipeline_stops_tasks
          summary: "A deployment pipeline stops the service's own tasks, with the reason \"Deployment: ...\"."
          confidence: likely
          because: 1 task(s) ended by StopTask, and the reason reads like a deployment's
          evidence: ["Task 0f1e2d3c4b5a69788796a5b4c3d2e1f0 (UserInitiated): Deployment: ..."]
          next: Take the step that calls stop-task out of the pipeline.
          command: aws cloudtrail lookup-events --lookup-attributes ...
    not_seen:
      description: What could not be read and may matter, such as logs.
      type: list
      elements: str
      sample: []
started_at:
  description: When the module began, in UTC.
  returned: always
  type: str
  sample: "2026-11-23T15:04:05.678Z"
elapsed:
  description: Seconds that it took.
  returned: always
  type: float
  sample: 1.25
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, run
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.arguments import below, refuse, timed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.report import Neighbours, collect
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock, Pace, TimedOut, poll

# A look is a dozen calls.
_PACE = Pace(quick=1.0, slow=4.0)


def argument_spec() -> dict[str, Any]:
    return {
        "cluster": {"type": "str", "default": "default"},
        "service": {"type": "str", "required": True},
        "stopped": {"type": "int", "default": 5},
        "log_lines": {"type": "int", "default": 20},
        "events": {"type": "int", "default": 20},
        "mounts": {
            "type": "dict",
            "options": {
                "clusters": {"type": "list", "elements": "str", "default": []},
                "always": {"type": "bool", "default": False},
            },
        },
        "wait": {"type": "bool", "default": False},
        "wait_timeout": {"type": "int", "default": 120},
    }


def read(module: AnsibleAWSModule, clock: Clock) -> dict[str, Any]:
    params = module.params
    counts = {name: params[name] for name in ("stopped", "log_lines", "events")}
    asked = params["mounts"]
    both = ["mounts is told of one look, wait has many: leave one of them out."] if asked and params["wait"] else []
    refuse(below(0, **counts) + below(1, wait_timeout=params["wait_timeout"]) + both)
    aws = Aws(module)
    neighbours = Neighbours(asked["clusters"] or [params["cluster"]], asked["always"]) if asked else None

    def look() -> dict[str, Any]:
        return collect(
            aws, cluster=params["cluster"], service=params["service"], clock=clock, neighbours=neighbours, **counts
        )

    if not params["wait"]:
        return look()
    try:
        return poll(
            look,
            done=lambda info: bool(info["healthy"]),
            fingerprint=lambda info: info["unhealthy_because"],
            tell=lambda info: info["unhealthy_because"] or "The service is healthy.",
            timeout=params["wait_timeout"],
            pace=_PACE,
            clock=clock,
        ).value
    except TimedOut as error:
        seen: dict[str, Any] = error.observation.value
        return seen


def main(clock: Clock | None = None) -> None:
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    used = clock or Clock()
    run(module, lambda: timed(lambda: read(module, used), clock=used))


if __name__ == "__main__":
    main()
