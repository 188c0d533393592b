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
  - Changes desired count, task definition, images and deployment of a service in one call, and follows the deployment
    that this call started, by its id, until it is completed, until the load balancer finds its tasks healthy, and, if
    asked, until every older task has ended.
  - The wait ends at the first sign that it cannot succeed. RV(outcome) then says which one, and the error has the
    failed tasks' reasons, what to do about them, the last lines of their logs, and the service's new events.
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
  images:
    description:
      - The image that each of these containers is to run, by the name of the container. The others stay.
      - Where one differs, a new revision is registered from O(task_definition), or else from what the service runs,
        with its tags. If the family's newest revision is the wanted one already, that is taken.
      - Images are compared by their names, not by what a tag points to now.
    type: dict
    default: {}
  force_new_deployment:
    description:
      - Whether to start a deployment even if nothing differs, which also looks up the images' tags anew.
      - With V(false) a deployment is started only if O(desired_count), O(task_definition) or O(images) differ, or if
        ECS had given up the present one. Otherwise nothing is changed, and the present deployment is followed, which
        takes no time if it is completed.
    type: bool
    default: true
    aliases: [force]
  deploy:
    description:
      - Whether to start anything. With V(false) the release is looked at, the revision that O(images) needs is
        registered, and the service is left as it is.
      - So what a release would meet is known, and what it needs is there, before the service is stopped for it.
      - O(task_definition) or O(images) are required then. RV(prepared) has what would run.
    type: bool
    default: true
  wait:
    description: Whether to follow the deployment to its end.
    type: bool
    default: true
  wait_for_targets:
    description:
      - Whether the load balancer must find every task of the deployment healthy. A service without a load balancer has
        no targets to wait for.
    type: bool
    default: true
  wait_for_old_tasks:
    description:
      - Whether every other task of the service must have ended, that is, every one of its containers. ECS calls a
        deployment completed while older tasks still drain, up to the deregistration delay (300 seconds by default) and
        their C(stopTimeout).
    type: bool
    default: false
  on_pause:
    description:
      - What to do when the deployment stands still at a lifecycle hook that waits for somebody's word.
      - V(fail) ends the wait, and the error says how to let it go on. V(wait) waits for that word, up to O(timeout).
    type: str
    choices: [fail, wait]
    default: fail
  timeout:
    description: How many seconds to follow it at most, everything that is waited for included.
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
    details: The number of a revision that O(images) would register is a guess.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: With O(force_new_deployment=true), which is the default, each run starts a deployment.
notes:
  - A wait that ended without success leaves the deployment to ECS, which may go on with it.
  - Needs C(ecs:DescribeServices), C(ecs:UpdateService), C(ecs:ListTasks), C(ecs:DescribeTasks), and for a service with
    a load balancer C(elasticloadbalancing:DescribeTargetGroups) and C(elasticloadbalancing:DescribeTargetHealth).
    C(ecs:GetTaskProtection) says which older tasks may not be stopped.
    C(ecs:DescribeTaskDefinition) and C(logs:GetLogEvents) are needed for the logs of failed tasks,
    C(ecs:DescribeTaskDefinition) and C(iam:PassRole) for O(task_definition), these and C(ecs:RegisterTaskDefinition)
    and C(ecs:TagResource) for O(images), and C(ecs:DescribeServiceDeployments) for services whose deployments have
    lifecycle hooks or are not rolling ones; without it those are judged by their counts, with a warning.
seealso:
  - module: wwhd.qdrant_ops.ecs_service_info
  - module: wwhd.qdrant_ops.ecs_service_scale
  - module: wwhd.qdrant_ops.ecs_task_definition
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

- name: See what a release would bring, and have its revision ready, before the service is stopped for it
  wwhd.qdrant_ops.ecs_service_redeploy:
    region: us-west-2
    cluster: wwhd-cluster
    service: wwhd-backend
    images:
      fastapi: "wwhd/backend:2"
    deploy: false

- name: Release an image, wait until no older task lives, and go back if its tasks fail
  block:
    - name: Release
      wwhd.qdrant_ops.ecs_service_redeploy:
        region: us-west-2
        cluster: wwhd-cluster
        service: wwhd-backend
        images:
          fastapi: "wwhd/backend:2"
        force_new_deployment: false
        wait_for_old_tasks: true
      register: release
  rescue:
    - name: Go back to what ran before, unless ECS has done so or somebody else is at work
      wwhd.qdrant_ops.ecs_service_redeploy:
        region: us-west-2
        cluster: wwhd-cluster
        service: wwhd-backend
        task_definition: "{{ release.previous.task_definition_arn }}"
        force_new_deployment: false
      when: release.outcome | default('') in ['failed_tasks', 'circuit_breaker', 'alarm', 'timed_out']
"""

RETURN = r"""
outcome:
  description:
    - What came of it, in one word. V(completed) is success, V(unchanged) success where nothing had to be started,
      V(started) stands for a deployment that was not awaited, V(predicted) for one that check mode would start,
      V(prepared) for O(deploy=false).
    - The others come with a failure. V(failed_tasks) means that O(max_failed_tasks) was reached, V(circuit_breaker) and
      V(alarm) that ECS has given the deployment up and starts no more tasks, V(rolled_back) that it goes back to what
      ran before, V(replaced) that somebody else's deployment took its place, V(stopped) that somebody stopped it,
      V(paused) that it stands at a lifecycle hook, V(scaled_down) that somebody lowered the desired count,
      V(service_gone) that the service is not C(ACTIVE), V(lost) that ECS does not list it any more, and V(timed_out)
      that O(timeout) has passed.
    - Left out where it failed, and how its tasks were in the end could not be read. Whether any has run is not known
      then.
  returned: success, and on a failure of the deployment
  type: str
  sample: completed
next:
  description: What to do next, as the error says it.
  returned: on a failure of the deployment
  type: str
  sample: ECS goes on starting tasks of it. Put the cause right and run it again, or go back to wwhd-backend:6.
waiting_for:
  description: What was still missing when the time was over, one of V(rollout), V(targets) and V(old_tasks).
  returned: on a failure of the deployment, when RV(outcome) is V(timed_out)
  type: str
  sample: targets
reasons:
  description: Why a deployment was started, or would be in check mode; empty where nothing had to be.
  returned: success, and on a failure of the deployment
  type: list
  elements: str
  sample: ["task definition wwhd-backend:6 -> wwhd-backend:7"]
previous:
  description: What the service had before.
  returned: success, and on a failure of the deployment
  type: dict
  sample:
    deployment_id: ecs-svc/1234567890123456788
    task_definition_arn: arn:aws:ecs:us-west-2:018025611404:task-definition/wwhd-backend:6
    desired_count: 1
task_definition_arn:
  description: The task definition that the deployment runs.
  returned: success, and on a failure of the deployment
  type: str
  sample: arn:aws:ecs:us-west-2:018025611404:task-definition/wwhd-backend:7
registered:
  description: Whether a revision was registered for O(images), or would be in check mode.
  returned: success, and on a failure of the deployment
  type: bool
  sample: false
prepared:
  description: What the release would run.
  returned: with O(deploy=false)
  type: dict
  contains:
    changes:
      description: What the service has otherwise; empty where it runs this already.
      type: list
      elements: str
      sample: ["task definition wwhd-backend:6 -> wwhd-backend:7"]
    images:
      description: The image of each container.
      type: dict
      sample:
        fastapi: "wwhd/backend:2"
        qdrant: "qdrant/qdrant:v1.7.4"
    newer_task_definition:
      description:
        - In check mode the family's newest revision, where O(images) would register another one from what the service
          runs, and so leave that aside; else null.
      type: str
      sample: null
    volumes:
      description: The EFS volumes, as RV(wwhd.qdrant_ops.ecs_service_info#module:volumes) has them.
      type: list
      elements: dict
      sample: []
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
service_deployment:
  description:
    - The stages of the deployment as C(DescribeServiceDeployments) tells them, in snake_case; null for plain rolling
      deployments, and where it could not be read.
  returned: success, and on a failure of the deployment
  type: dict
  sample: null
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
has_run:
  description:
    - Whether a container of this deployment may have run, be it in a task that was stopped since and has not failed.
      Only of a deployment with an RV(outcome) is that known.
  returned: success, and on a failure of the deployment
  type: bool
  sample: true
targets:
  description:
    - The service's target groups, as M(wwhd.qdrant_ops.ecs_service_info) returns them; empty with
      O(wait_for_targets=false), unless the deployment failed. How they are checked and drained (C(health_check),
      C(deregistration_delay)) is null, unless the deployment failed.
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
old_tasks:
  description: The other tasks of the service that had not ended, where O(wait_for_old_tasks) waited for them.
  returned: success, and on a failure of the deployment
  type: list
  elements: dict
  sample: []
healthy:
  description:
    - Whether the last look saw the service healthy, as RV(wwhd.qdrant_ops.ecs_service_info#module:healthy) has it, so
      that it need not be looked at once more.
    - False where its targets were not looked at, as with O(wait=false) or O(wait_for_targets=false).
  returned: success, and on a failure of the deployment
  type: bool
  sample: true
unhealthy_because:
  description: Why it is not healthy, in sentences; empty where that was not looked at.
  returned: success, and on a failure of the deployment
  type: list
  elements: str
  sample: []
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
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.arguments import below, refuse, timed, warn_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.deployments import Request, redeploy
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import ARGUMENT_SPEC as GUARD_SPEC
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import guard_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._progress import say


def argument_spec() -> dict[str, Any]:
    return {
        "cluster": {"type": "str", "default": "default"},
        "service": {"type": "str", "required": True},
        "desired_count": {"type": "int"},
        "task_definition": {"type": "str"},
        "images": {"type": "dict", "default": {}},
        "force_new_deployment": {"type": "bool", "default": True, "aliases": ["force"]},
        "deploy": {"type": "bool", "default": True},
        "guard": GUARD_SPEC,
        "wait": {"type": "bool", "default": True},
        "wait_for_targets": {"type": "bool", "default": True},
        "wait_for_old_tasks": {"type": "bool", "default": False},
        "on_pause": {"type": "str", "choices": ["fail", "wait"], "default": "fail"},
        "timeout": {"type": "int", "default": 900},
        "max_failed_tasks": {"type": "int", "default": 3},
        "log_lines": {"type": "int", "default": 20},
    }


def problems(params: dict[str, Any]) -> list[str]:
    found = below(0, desired_count=params["desired_count"], log_lines=params["log_lines"])
    found += below(1, timeout=params["timeout"], max_failed_tasks=params["max_failed_tasks"])
    found += [
        f"images must name an image for container {name}."
        for name, image in params["images"].items()
        if not isinstance(image, str) or not image.strip()
    ]
    if not params["deploy"] and not (params["task_definition"] or params["images"]):
        found.append("deploy: false looks at a release: give task_definition or images.")
    return found


def deploy(module: AnsibleAWSModule, clock: Clock) -> dict[str, Any]:
    params = module.params
    refuse(problems(params))
    request = Request(
        cluster=params["cluster"],
        service=params["service"],
        desired_count=params["desired_count"],
        task_definition=params["task_definition"],
        images=params["images"],
        force=params["force_new_deployment"],
        deploy=params["deploy"],
        guard=guard_of(params["guard"], cluster=params["cluster"]),
        wait=params["wait"],
        wait_for_targets=params["wait_for_targets"],
        wait_for_old_tasks=params["wait_for_old_tasks"],
        wait_for_pause=params["on_pause"] == "wait",
        timeout=params["timeout"],
        max_failed_tasks=params["max_failed_tasks"],
        log_lines=params["log_lines"],
    )
    try:
        result = redeploy(Aws(module), request, check_mode=module.check_mode, clock=clock, on_change=say)
    except OperationFailed as error:
        warn_of(error.details.pop("warnings", []))
        raise
    warn_of(result.pop("warnings"))
    return result


def main(clock: Clock | None = None) -> None:
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    used = clock or Clock()
    run(module, lambda: timed(lambda: deploy(module, used), clock=used))


if __name__ == "__main__":
    main()
