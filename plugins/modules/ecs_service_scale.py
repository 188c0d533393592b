#!/usr/bin/python
# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ecs_service_scale
version_added: 0.1.0
short_description: Change the desired count of an ECS service and wait until its tasks followed
description:
  - Sets the desired count of a service, and waits until the processes followed, not only the counters.
  - Scaling to 0 ends when every task of the service is gone, which means that its containers have ended. The counters
    of the service, and the C(services-stable) waiter, say so minutes earlier.
  - Around it, in an order that can be undone after a crash, it writes tags, suspends the automatic scaling, resumes it,
    and removes tags. Only what differs is written.
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
    description: The number of tasks wanted. Left out, the count stays as it is and nothing is awaited.
    type: int
  suspend_autoscaling:
    description:
      - V(true) suspends the automatic scaling of the service before the count changes.
      - V(false) resumes it after the count has been reached.
      - A service that is not scaled automatically has nothing to suspend.
    type: bool
  autoscaling:
    description:
      - The state to restore, as RV(wwhd.qdrant_ops.ecs_service_info#module:autoscaling) has it.
      - Given without O(suspend_autoscaling), or with V(false) there, it is restored exactly, and nothing else resumed.
    type: dict
    suboptions:
      min_capacity:
        description: The lowest count that the scaling may set. Left out, it stays as it is.
        type: int
      max_capacity:
        description: The highest count that the scaling may set. Left out, it stays as it is.
        type: int
      suspended_state:
        description: What is suspended. What is left out is not.
        type: dict
        suboptions:
          dynamic_scaling_in_suspended:
            description: Whether scaling in by alarms is suspended.
            type: bool
            default: false
          dynamic_scaling_out_suspended:
            description: Whether scaling out by alarms is suspended.
            type: bool
            default: false
          scheduled_scaling_suspended:
            description: Whether scheduled scaling is suspended.
            type: bool
            default: false
  tags:
    description:
      - Tags to write on the service before anything else happens. Others stay.
      - A tag whose key begins with C(wwhd.qdrant_ops:claim:) is a claim. It must be the only one on the service, but
        for those that it O(takes_over). Where another one stands, or is written at the same moment and is older, this
        run's is withdrawn, nothing else is done, and the error says who was first and since when. Its value has the
        form C(<owner> since <UTC time> until <UTC time>).
    type: dict
    default: {}
  remove_tags:
    description: Keys of tags to remove from the service after everything else. Those that are absent are no change.
    type: list
    elements: str
    default: []
  expected_tags:
    description:
      - Tags that the service must carry, with these values, before anything is done; otherwise nothing is.
      - So a run that has marked the service with tags notices that another one has marked it since.
    type: dict
    default: {}
  expected_desired_count:
    description: The desired count that the service must have before anything is done; otherwise nothing is.
    type: int
  expected_task_definition:
    description:
      - The ARN of the task definition that the service must have before anything is done; otherwise nothing is.
    type: str
  expected_autoscaling:
    description:
      - The automatic scaling that was found before the decision, as
        RV(wwhd.qdrant_ops.ecs_service_info#module:autoscaling) has it.
      - Where a claim is written (see O(tags)) it is looked at once more when the claim stands. If somebody has changed
        it until then, the tags are withdrawn and nothing else is done, so that restoring it later undoes nobody's
        change.
    type: dict
    suboptions:
      min_capacity:
        description: The least number of tasks.
        type: int
      max_capacity:
        description: The greatest number of tasks.
        type: int
      suspended_state:
        description: What is suspended.
        type: dict
        suboptions:
          dynamic_scaling_in_suspended:
            description: Removing tasks by a policy.
            type: bool
            default: false
          dynamic_scaling_out_suspended:
            description: Adding tasks by a policy.
            type: bool
            default: false
          scheduled_scaling_suspended:
            description: Scheduled actions.
            type: bool
            default: false
  expected_deregistration_delays:
    description: As O(expected_autoscaling), for deregistration delays, in seconds by the ARN of the target group.
    type: dict
    default: {}
  deregistration_delays:
    description:
      - Deregistration delays to set before the count is changed, in seconds by the ARN of the target group, so that a
        load balancer does not hold a task that nobody can reach. Write down first what they were.
      - Where AWS refuses that, it is a warning, and the tasks take longer to end.
      - M(wwhd.qdrant_ops.ecs_service_restore) puts them back.
    type: dict
    default: {}
  takes_over:
    description:
      - Keys of earlier claims that may stand beside the one in O(tags), because their runs are known to be over. They
        are removed once that one stands.
    type: list
    elements: str
    default: []
  wait:
    description: Whether to wait until the tasks followed the count.
    type: bool
    default: true
  timeout:
    description: How many seconds to wait at most.
    type: int
    default: 900
  look_again:
    description:
      - Whether a service that was stopped counts as empty only when it was seen empty twice in a row. ECS may have
        started a task just before it heard of the new count, and AWS's lists follow its writes with a delay.
      - Turn it off only where all tasks are looked at once more before anything is done that needs them gone, as with
        O(wwhd.qdrant_ops.ecs_run_oneoff#module:guard). A task that is found only then is not waited for.
    type: bool
    default: true
  drain_time:
    description:
      - For how many seconds a load balancer may hold a task of the service that is to end, which is the longest
        deregistration delay of its target groups, where that is known.
      - It shortens nothing, and no wait relies on it. It tells when to look at a task that is held, about every 5 s, or
        three times in a short drain, so that one look comes when the drain should be over.
    type: int
    default: 0
extends_documentation_fragment:
  - wwhd.qdrant_ops.attributes
  - wwhd.qdrant_ops.progress
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
  - The wait ends early where it has become hopeless, because a task is under scale-in protection beyond the
    time-out, somebody else changes the desired count, or the service is deleted.
  - Needs C(ecs:DescribeServices), C(ecs:UpdateService), C(ecs:ListTasks), C(ecs:DescribeTasks),
    C(ecs:GetTaskProtection), C(ecs:TagResource), C(ecs:UntagResource), with O(deregistration_delays)
    C(elasticloadbalancing:DescribeTargetGroupAttributes) and C(elasticloadbalancing:ModifyTargetGroupAttributes),
    C(application-autoscaling:DescribeScalableTargets) and
    C(application-autoscaling:RegisterScalableTarget).
seealso:
  - module: wwhd.qdrant_ops.ecs_service_info
  - module: wwhd.qdrant_ops.ecs_service_redeploy
author:
  - wwhd team (@wwhd)
"""

EXAMPLES = r"""
- name: Stop every task of the service and wait until each of them is gone
  wwhd.qdrant_ops.ecs_service_scale:
    region: us-west-2
    cluster: wwhd-cluster
    service: wwhd-backend
    desired_count: 0
    suspend_autoscaling: true
    tags:
      qdrant-unlock-desired-count: "1"
  register: stopped

- name: Bring it back as it was
  wwhd.qdrant_ops.ecs_service_scale:
    region: us-west-2
    cluster: wwhd-cluster
    service: wwhd-backend
    desired_count: "{{ stopped.previous_desired_count }}"
    suspend_autoscaling: false
    autoscaling: "{{ stopped.autoscaling.before }}"
    remove_tags:
      - qdrant-unlock-desired-count
"""

RETURN = r"""
previous_desired_count:
  description: The desired count as it was found.
  returned: success
  type: int
  sample: 1
desired_count:
  description: The desired count now, or as it would be in check mode.
  returned: success
  type: int
  sample: 0
tasks:
  description: The tasks that were awaited, in their last state; without a wait, the live tasks.
  returned: success
  type: list
  elements: dict
  sample:
    - task_arn: arn:aws:ecs:us-west-2:018025611404:task/wwhd-cluster/0f1e2d3c4b5a69788796a5b4c3d2e1f0
      last_status: STOPPED
      desired_status: STOPPED
      gone: true
autoscaling:
  description: The automatic scaling as it was found and as it was left; null where the service has none.
  returned: success
  type: dict
  sample:
    before:
      min_capacity: 1
      max_capacity: 1
      suspended_state:
        dynamic_scaling_in_suspended: false
        dynamic_scaling_out_suspended: false
        scheduled_scaling_suspended: false
    after:
      min_capacity: 1
      max_capacity: 1
      suspended_state:
        dynamic_scaling_in_suspended: true
        dynamic_scaling_out_suspended: true
        scheduled_scaling_suspended: true
deregistration_delays:
  description: The deregistration delays that were changed, in seconds by the ARN of the target group.
  returned: success
  type: dict
  sample:
    "arn:aws:elasticloadbalancing:us-west-2:018025611404:targetgroup/wwhd-backend/0123456789abcdef":
      before: 300
      after: 0
tags_written:
  description: The tags that were written because they were absent or had another value.
  returned: success
  type: dict
  sample:
    qdrant-unlock-desired-count: "1"
claimed:
  description: Whether the claim among O(tags) stands, and is the only one. Also told when something fails later.
  returned: always, once the service was found
  type: bool
  sample: true
tags_removed:
  description: The keys of the tags that were removed.
  returned: success
  type: list
  elements: str
  sample: []
waited:
  description: Seconds spent waiting for the tasks; 0 where nothing was awaited.
  returned: success
  type: float
  sample: 42.5
started_at:
  description: When the module began, in UTC.
  returned: always
  type: str
  sample: "2026-11-23T15:04:05.678Z"
elapsed:
  description: Seconds that it took.
  returned: always
  type: float
  sample: 43.1
"""

from typing import Any

from ansible.module_utils.common.warnings import warn
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, run
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.arguments import below, refuse, timed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.autoscaling import SWITCHES, problems_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.draining import delay_problems
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.scaling import scale, tag_problems
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import Expected
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock


def argument_spec() -> dict[str, Any]:
    switches = {switch: {"type": "bool", "default": False} for switch in SWITCHES}
    autoscaling = {
        "min_capacity": {"type": "int"},
        "max_capacity": {"type": "int"},
        "suspended_state": {"type": "dict", "options": switches},
    }
    return {
        "cluster": {"type": "str", "default": "default"},
        "service": {"type": "str", "required": True},
        "desired_count": {"type": "int"},
        "suspend_autoscaling": {"type": "bool"},
        "autoscaling": {"type": "dict", "options": autoscaling},
        "tags": {"type": "dict", "default": {}},
        "remove_tags": {"type": "list", "elements": "str", "default": []},
        "expected_tags": {"type": "dict", "default": {}},
        "expected_desired_count": {"type": "int"},
        "expected_task_definition": {"type": "str"},
        "expected_autoscaling": {"type": "dict", "options": autoscaling},
        "expected_deregistration_delays": {"type": "dict", "default": {}},
        "deregistration_delays": {"type": "dict", "default": {}},
        "takes_over": {"type": "list", "elements": "str", "default": []},
        "wait": {"type": "bool", "default": True},
        "timeout": {"type": "int", "default": 900},
        "look_again": {"type": "bool", "default": True},
        "drain_time": {"type": "int", "default": 0},
    }


def problems(params: dict[str, Any]) -> list[str]:
    found = below(0, desired_count=params["desired_count"], drain_time=params["drain_time"])
    found += below(1, timeout=params["timeout"])
    if params["suspend_autoscaling"] and params["autoscaling"]:
        found.append("autoscaling is a state to restore: it can't be given together with suspend_autoscaling: true.")
    found += problems_of(params["autoscaling"]) + tag_problems(params["tags"], params["remove_tags"])
    delays = (params["deregistration_delays"], params["expected_deregistration_delays"])
    return found + [problem for given in delays for problem in delay_problems(given)]


def change(module: AnsibleAWSModule, clock: Clock) -> dict[str, Any]:
    params = module.params
    refuse(problems(params))
    result = scale(
        Aws(module),
        cluster=params["cluster"],
        service=params["service"],
        desired_count=params["desired_count"],
        suspend_autoscaling=params["suspend_autoscaling"],
        autoscaling=params["autoscaling"],
        tags={str(key): "" if value is None else str(value) for key, value in params["tags"].items()},
        remove_tags=params["remove_tags"],
        expected=Expected(
            tags={str(key): str(value) for key, value in params["expected_tags"].items()},
            desired_count=params["expected_desired_count"],
            task_definition=params["expected_task_definition"],
            autoscaling=params["expected_autoscaling"],
            delays={arn: int(seconds) for arn, seconds in params["expected_deregistration_delays"].items()},
        ),
        takes_over=params["takes_over"],
        deregistration_delays={arn: int(seconds) for arn, seconds in params["deregistration_delays"].items()},
        wait_for=params["timeout"] if params["wait"] else None,
        look_again=params["look_again"],
        drain_time=params["drain_time"],
        check_mode=module.check_mode,
        clock=clock,
    )
    # amazon.aws's own `warn` makes ansible-core add a deprecation warning to each of ours.
    for warning in result.pop("warnings"):
        warn(warning)
    result["diff"] = {
        "before": {"desired_count": result["previous_desired_count"], "autoscaling": result["autoscaling"]["before"]},
        "after": {"desired_count": result["desired_count"], "autoscaling": result["autoscaling"]["after"]},
    }
    for side, shown in result["diff"].items() if result["deregistration_delays"] else ():
        shown["deregistration_delays"] = {arn: at[side] for arn, at in result["deregistration_delays"].items()}
    return result


def main(clock: Clock | None = None) -> None:
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    used = clock or Clock()
    run(module, lambda: timed(lambda: change(module, used), clock=used))


if __name__ == "__main__":
    main()
