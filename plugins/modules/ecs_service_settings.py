#!/usr/bin/python
# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ecs_service_settings
version_added: 0.1.0
short_description: Set how an ECS service rolls out, drains and scales, without touching its tasks
description:
  - Sets the percentages of a service's deployments, availability zone rebalancing, the deregistration delay of its
    target groups, and the bounds of its automatic scaling. What is not named stays as it is.
  - No deployment is started, and no task is started or stopped.
  - Percentages and rebalancing go in one call, because AWS refuses either of them alone where they exclude each other.
options:
  cluster:
    description: Name or ARN of the cluster.
    type: str
    default: default
  service:
    description: Name of the service.
    type: str
    required: true
  deployment_configuration:
    description:
      - How many tasks may be missing, and how many may be there at once, while a deployment replaces them.
      - The circuit breaker, alarms and all else that the service's configuration has are kept.
    type: dict
    suboptions:
      minimum_healthy_percent:
        description: How much of the desired count must stay healthy. V(0) lets ECS stop the old task first.
        type: int
      maximum_percent:
        description: How much of the desired count may run at once. V(100) lets ECS start none beside the old task.
        type: int
  availability_zone_rebalancing:
    description:
      - Whether ECS may start a second task in another zone by itself, and then stop the first.
      - Needs a O(deployment_configuration.maximum_percent) above 100.
    type: bool
  deregistration_delays:
    description:
      - How long the load balancer holds a task that is to stop, in seconds (0 to 3600) by the ARN of the target group.
      - Only target groups of the service are taken. Other services that share one are drained by the same delay.
    type: dict
    default: {}
  min_capacity:
    description:
      - The lower bound of the service's scalable target. A service without one is refused, since nothing scales it.
      - AWS moves the desired count into the bounds. Bounds that it is not within are refused for that reason.
    type: int
  max_capacity:
    description: The upper bound, likewise.
    type: int
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
  - A service that an unlock (P(wwhd.qdrant_ops.qdrant_unlock#role)) has claimed is refused, since that puts back in
    the end what it had found.
  - Needs C(ecs:DescribeServices) and C(ecs:UpdateService); with O(deregistration_delays)
    C(elasticloadbalancing:DescribeTargetGroupAttributes) and C(elasticloadbalancing:ModifyTargetGroupAttributes); with
    O(min_capacity) or O(max_capacity) C(application-autoscaling:DescribeScalableTargets) and
    C(application-autoscaling:RegisterScalableTarget).
seealso:
  - module: wwhd.qdrant_ops.ecs_service_redeploy
  - module: wwhd.qdrant_ops.ecs_service_scale
  - module: wwhd.qdrant_ops.ecs_task_definition_amend
author:
  - wwhd team (@wwhd)
"""

EXAMPLES = r"""
- name: Let no second task start beside the first
  wwhd.qdrant_ops.ecs_service_settings:
    region: us-west-2
    cluster: wwhd-cluster
    service: wwhd-backend
    deployment_configuration:
      minimum_healthy_percent: 0
      maximum_percent: 100
    availability_zone_rebalancing: false

- name: Keep the automatic scaling at one task
  wwhd.qdrant_ops.ecs_service_settings:
    region: us-west-2
    cluster: wwhd-cluster
    service: wwhd-backend
    min_capacity: 1
    max_capacity: 1
"""

RETURN = r"""
changes:
  description: What was changed (in check mode, would be), a few words each. Also beside an error, if anything was.
  returned: always
  type: list
  elements: str
  sample: ["minimum_healthy_percent 100 -> 0", "maximum_percent 200 -> 100"]
previous:
  description: The settings as they were found. Those of the target groups and the scaling only where they were named.
  returned: success
  type: dict
  sample:
    minimum_healthy_percent: 100
    maximum_percent: 200
    availability_zone_rebalancing: true
settings:
  description: The settings now, or as they would be in check mode.
  returned: success
  type: dict
  sample:
    minimum_healthy_percent: 0
    maximum_percent: 100
    availability_zone_rebalancing: false
started_at:
  description: When the module began, in UTC.
  returned: always
  type: str
  sample: "2026-11-23T15:04:05.678Z"
elapsed:
  description: Seconds that it took.
  returned: always
  type: float
  sample: 0.7
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, run
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.arguments import refuse, timed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.draining import delay_problems
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.settings import (
    Settings,
    apply_settings,
    problems_of,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock


def argument_spec() -> dict[str, Any]:
    return {
        "cluster": {"type": "str", "default": "default"},
        "service": {"type": "str", "required": True},
        "deployment_configuration": {
            "type": "dict",
            "options": {"minimum_healthy_percent": {"type": "int"}, "maximum_percent": {"type": "int"}},
        },
        "availability_zone_rebalancing": {"type": "bool"},
        "deregistration_delays": {"type": "dict", "default": {}},
        "min_capacity": {"type": "int"},
        "max_capacity": {"type": "int"},
    }


def change(module: AnsibleAWSModule, clock: Clock) -> dict[str, Any]:
    params = module.params
    delays = params["deregistration_delays"]
    refuse(delay_problems(delays))
    percentages = params["deployment_configuration"] or {}
    wanted = Settings(
        minimum_healthy_percent=percentages.get("minimum_healthy_percent"),
        maximum_percent=percentages.get("maximum_percent"),
        rebalancing=params["availability_zone_rebalancing"],
        min_capacity=params["min_capacity"],
        max_capacity=params["max_capacity"],
        delays={str(arn): int(seconds) for arn, seconds in delays.items()},
    )
    refuse(problems_of(wanted))
    return apply_settings(
        Aws(module),
        cluster=params["cluster"],
        service=params["service"],
        wanted=wanted,
        clock=clock,
        check_mode=module.check_mode,
    )


def main(clock: Clock | None = None) -> None:
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    used = clock or Clock()
    run(module, lambda: timed(lambda: change(module, used), clock=used))


if __name__ == "__main__":
    main()
