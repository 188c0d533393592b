#!/usr/bin/python
# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ecs_task_definition_amend
version_added: 0.1.0
short_description: Register a revision of what a service runs, with a few members changed
description:
  - Takes the task definition that an ECS service runs, or is being deployed with, changes the members of containers and
    volumes that are named, keeps all else with its tags, and registers the result only where it differs.
  - The service is not changed. Deploy the revision by M(wwhd.qdrant_ops.ecs_service_redeploy).
options:
  cluster:
    description: Name or ARN of the cluster.
    type: str
    default: default
  service:
    description: Name of the service.
    type: str
    required: true
  containers:
    description:
      - By the name of a container, the members that it is to have, as RegisterTaskDefinition takes them, in camelCase
        or snake_case. A member that is named replaces the whole of what was there; one that is null stays as it is.
    type: dict
    default: {}
  volumes:
    description: By the name of a volume, the members that it is to have, likewise.
    type: dict
    default: {}
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
    details: Values of environment variables are hidden, and so are the options of log drivers other than awslogs.
  idempotent:
    support: full
notes:
  - Where the family has a newer active revision that the service does not run, and that is not the wanted one, the
    module fails. A revision made from the older one would come after it, and whoever deploys the latest would lose that
    release.
  - Needs C(ecs:DescribeServices), C(ecs:DescribeTaskDefinition), C(ecs:RegisterTaskDefinition), C(iam:PassRole) for the
    roles of the definition, and C(ecs:TagResource) where it has tags.
seealso:
  - module: wwhd.qdrant_ops.ecs_task_definition
  - module: wwhd.qdrant_ops.ecs_service_redeploy
author:
  - wwhd team (@wwhd)
"""

EXAMPLES = r"""
- name: Give Qdrant the time, and the signal, to close its files
  wwhd.qdrant_ops.ecs_task_definition_amend:
    region: us-west-2
    cluster: wwhd-cluster
    service: wwhd-backend
    containers:
      qdrant:
        stop_timeout: 120
        entry_point: [/bin/bash, -c, exec ./qdrant]
  register: amended
"""

RETURN = r"""
task_definition_arn:
  description:
    - The ARN of the revision to deploy; that of the service's own where nothing differs.
    - In check mode, where a revision would be registered, the ARN that it would probably get.
  returned: success
  type: str
  sample: arn:aws:ecs:us-west-2:018025611404:task-definition/wwhd-backend:8
base_task_definition_arn:
  description: The ARN of the revision that it was made from.
  returned: success
  type: str
  sample: arn:aws:ecs:us-west-2:018025611404:task-definition/wwhd-backend:7
task_definition:
  description: That revision in snake_case, as M(wwhd.qdrant_ops.ecs_task_definition) returns it.
  returned: success
  type: dict
  sample:
    family: wwhd-backend
    revision: 8
registered:
  description:
    - Whether a new revision was registered (in check mode, would be). One that an earlier run has registered and that
      still waits to be deployed is found again.
  returned: success
  type: bool
  sample: true
differences:
  description: In what it differs from the revision that the service runs, in a few words each.
  returned: success
  type: list
  elements: str
  sample: ["containerDefinitions[qdrant].stopTimeout is new: 120"]
newer_task_definition_arn:
  description: The newer revision that stands in the way.
  returned: on a failure for that reason
  type: str
  sample: arn:aws:ecs:us-west-2:018025611404:task-definition/wwhd-backend:9
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

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.amending import amend
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, run
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.arguments import hide_environment, refuse, timed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock


def argument_spec() -> dict[str, Any]:
    return {
        "cluster": {"type": "str", "default": "default"},
        "service": {"type": "str", "required": True},
        "containers": {"type": "dict", "default": {}},
        "volumes": {"type": "dict", "default": {}},
    }


def change(module: AnsibleAWSModule, params: dict[str, Any], clock: Clock) -> dict[str, Any]:
    refuse({"Give containers, volumes or both.": not params["containers"] and not params["volumes"]})
    return amend(
        Aws(module),
        cluster=params["cluster"],
        service=params["service"],
        given=params,
        check=module.check_mode,
        clock=clock,
    )


def main(clock: Clock | None = None) -> None:
    module = AnsibleAWSModule(argument_spec=argument_spec(), supports_check_mode=True)
    used = clock or Clock()
    params = dict(module.params)
    module.params["containers"] = hide_environment(params["containers"])
    run(module, lambda: timed(lambda: change(module, params, used), clock=used))


if __name__ == "__main__":
    main()
