#!/usr/bin/python
# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: ecs_service_restore
version_added: 0.1.0
short_description: Put an ECS service back as a run had found it, also if the playbook of that run dies
description:
  - Ends the one-off tasks that a run has started, then puts the desired count, the automatic scaling and the tags of a
    service back. It does so only while the service carries the run's claim.
  - With O(after), started with C(async) and C(poll=0) before the run claims the service, it is a watchdog. It waits
    until the run gives its claim back, and then does nothing; or until the playbook has ended without doing that,
    because of Ctrl-C, a signal, or a closed terminal. Then it claims the service itself, which stops what has outlived
    the playbook, and puts the service back. Ansible runs no C(rescue) in such a case.
options:
  cluster:
    description: Name or ARN of the cluster.
    type: str
    default: default
  service:
    description: Name of the service.
    type: str
    required: true
  claim:
    description:
      - Tags that the service must carry, with these values; see O(wwhd.qdrant_ops.ecs_service_scale#module:tags).
      - With O(after), one tag, the run's own claim.
    type: dict
    required: true
  claim_as:
    description:
      - A claim of this module's own to write first, in the place of those in O(claim). It must be the only one then.
    type: dict
  own:
    description: How the C(startedBy) of the run's one-off tasks begins. Left out, no task is ended.
    type: str
  family:
    description: The family of their task definition.
    type: str
  task_definition:
    description:
      - The task definition that the service had, as C(family:revision) or ARN. It is not put back. Where the service
        has another one, because a release had begun, that is said.
    type: str
  desired_count:
    description: The desired count to put back. Left out, the count is not touched.
    type: int
  autoscaling:
    description:
      - The automatic scaling to put back, as RV(wwhd.qdrant_ops.ecs_service_info#module:autoscaling) has it. Left out,
        it is not touched.
    type: dict
  deregistration_delays:
    description:
      - The deregistration delays to put back, in seconds by the ARN of the target group.
      - Where one cannot be put back, all else is, the tags stay, and the module fails.
    type: dict
    default: {}
  remove_tags:
    description: Keys of the tags to remove in the end. Empty, all tags stay, for the next run to see.
    type: list
    elements: str
    default: []
  timeout:
    description:
      - How many seconds to wait, before O(desired_count) is put back, for the end of the service's tasks that are being
        stopped. Another task is not started beside them.
    type: int
    default: 600
  after:
    description: Wait for the end of a playbook first, and do nothing if it has given its claim back by then.
    type: dict
    suboptions:
      pid:
        description: The process id of C(ansible-playbook).
        type: int
        required: true
      place:
        description:
          - Where that process runs, as the collection's own plugins name it. On another machine, or in another
            container, its pid means nothing, and nothing is done.
        type: str
        required: true
      lifetime:
        description: How many seconds to wait for it at most.
        type: int
        default: 7200
      log_path:
        description:
          - A file that gets what is done. It is made only if something is done.
          - The operator sees it as well, on the standard error of the playbook's process.
        type: path
extends_documentation_fragment:
  - wwhd.qdrant_ops.attributes
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    details: With O(after) nothing is done in check mode, where no run claims anything.
  diff_mode:
    support: none
  idempotent:
    support: full
notes:
  - What kills the whole machine or container kills the watchdog, too. Then running the playbook again finishes the run.
  - Needs what M(wwhd.qdrant_ops.ecs_service_scale) needs, and C(ecs:StopTask).
seealso:
  - module: wwhd.qdrant_ops.ecs_service_scale
author:
  - wwhd team (@wwhd)
"""

EXAMPLES = r"""
- name: Have the service put back if this playbook dies
  wwhd.qdrant_ops.ecs_service_restore:
    region: us-west-2
    cluster: wwhd-cluster
    service: wwhd-backend
    claim: "{{ plan.claim }}"
    own: "{{ plan.run_id }}"
    family: clear-qdrant-locks
    desired_count: 1
    remove_tags: "{{ plan.tag_keys }}"
    after: "{{ plan.controller }}"
  async: 7200
  poll: 0

- name: Put it back at the end of the run
  wwhd.qdrant_ops.ecs_service_restore:
    region: us-west-2
    cluster: wwhd-cluster
    service: wwhd-backend
    claim: "{{ plan.claim }}"
    remove_tags: "{{ plan.tag_keys }}"
"""

RETURN = r"""
outcome:
  description:
    - V(restored) if the service was put back.
    - With O(after) also V(released) if the run had given its claim back, V(failed) if the service could not be put
      back, V(expired) after O(after.lifetime), V(elsewhere) if the playbook does not run where this module does.
  returned: success
  type: str
  sample: restored
said:
  description: What the operator was told, a sentence each.
  returned: with O(after)
  type: list
  elements: str
  sample: []
stopped:
  description: The ARNs of the tasks that were ended.
  returned: success, without O(after)
  type: list
  elements: str
  sample: []
deregistration_delays:
  description: The deregistration delays that were put back, in seconds by the ARN of the target group.
  returned: success, without O(after)
  type: dict
  sample:
    "arn:aws:elasticloadbalancing:us-west-2:018025611404:targetgroup/wwhd-backend/0123456789abcdef":
      before: 0
      after: 300
previous_desired_count:
  description: The desired count as it was found.
  returned: success, without O(after)
  type: int
  sample: 0
desired_count:
  description: The desired count now, or as it would be in check mode.
  returned: success, without O(after)
  type: int
  sample: 1
started_at:
  description: When the module began, in UTC.
  returned: always
  type: str
  sample: "2026-11-23T15:04:05.678Z"
elapsed:
  description: Seconds that it took.
  returned: always
  type: float
  sample: 1.3
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, run
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.arguments import below, refuse, timed, warn_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.claims import CLAIM_PREFIX
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.draining import delay_problems
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.restoring import (
    Restoration,
    claim_first,
    restore,
    restore_if_it_dies,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._processes import begun, place, sleep_until_end_of


def argument_spec() -> dict[str, Any]:
    return {
        "cluster": {"type": "str", "default": "default"},
        "service": {"type": "str", "required": True},
        "claim": {"type": "dict", "required": True},
        "claim_as": {"type": "dict"},
        "own": {"type": "str"},
        "family": {"type": "str"},
        "task_definition": {"type": "str"},
        "desired_count": {"type": "int"},
        "autoscaling": {"type": "dict"},
        "deregistration_delays": {"type": "dict", "default": {}},
        "remove_tags": {"type": "list", "elements": "str", "default": []},
        "timeout": {"type": "int", "default": 600},
        "after": {
            "type": "dict",
            "options": {
                "pid": {"type": "int", "required": True},
                "place": {"type": "str", "required": True},
                "lifetime": {"type": "int", "default": 7200},
                "log_path": {"type": "path"},
            },
        },
    }


def _terminal_of(pid: int) -> IO[str] | None:
    """The standard error of the playbook's process: opened now, since it is gone when there is something to tell."""
    # A terminal that was stopped by Ctrl-S must not stop what is done here.
    flags = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY
    with contextlib.suppress(OSError):
        return os.fdopen(os.open(f"/proc/{pid}/fd/2", flags), "a", encoding="utf-8", errors="replace")
    return None


def _speaker(terminal: IO[str] | None, log_path: str | None, clock: Clock) -> Callable[[str], None]:
    def say(text: str) -> None:
        line = f"{clock.utc_text()} wwhd.qdrant_ops: {text}\n"
        # Whoever read the terminal may have gone together with the playbook, and the disk may be full.
        with contextlib.suppress(OSError):
            if terminal is not None:
                terminal.write(line)
                terminal.flush()
        with contextlib.suppress(OSError):
            if log_path:
                # The folder for reports is made when there is one, at the end of a run.
                Path(log_path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with Path(log_path).open("a", encoding="utf-8") as log:
                    log.write(line)

    return say


def _watch(module: AnsibleAWSModule, wanted: Restoration, clock: Clock, *, dozes: bool) -> dict[str, Any]:
    after = module.params["after"]
    if module.check_mode or after["place"] != place():
        return {"changed": False, "outcome": "released" if module.check_mode else "elsewhere", "said": []}
    pid = after["pid"]
    doze = sleep_until_end_of(pid) if dozes else None
    began = begun(pid)
    return restore_if_it_dies(
        Aws(module),
        wanted=wanted,
        alive=lambda: began is not None and begun(pid) == began,
        lifetime=after["lifetime"],
        say=_speaker(_terminal_of(pid), after["log_path"], clock),
        clock=clock,
        doze=doze,
    )


def put_back(module: AnsibleAWSModule, clock: Clock, *, dozes: bool) -> dict[str, Any]:
    params = module.params
    refuse(
        delay_problems(params["deregistration_delays"])
        + below(0, desired_count=params["desired_count"])
        + below(1, timeout=params["timeout"], lifetime=(params["after"] or {}).get("lifetime"))
    )
    refuse(
        {
            f"claim must be one tag whose key begins with {CLAIM_PREFIX}, where it is watched.": bool(params["after"])
            and [key.startswith(CLAIM_PREFIX) for key in params["claim"]] != [True]
        }
    )
    wanted = Restoration(
        cluster=params["cluster"],
        service=params["service"],
        claim={str(key): str(value) for key, value in params["claim"].items()},
        own=params["own"],
        family=params["family"],
        task_definition=params["task_definition"],
        desired_count=params["desired_count"],
        autoscaling=params["autoscaling"],
        deregistration_delays={arn: int(seconds) for arn, seconds in params["deregistration_delays"].items()},
        remove_tags=params["remove_tags"],
        timeout=params["timeout"],
    )
    if params["after"]:
        return _watch(module, wanted, clock, dozes=dozes)
    aws = Aws(module)
    if params["claim_as"] and not module.check_mode:
        own = {str(key): str(value) for key, value in params["claim_as"].items()}
        wanted = claim_first(aws, wanted=wanted, own=own, clock=clock)
    result = restore(aws, wanted=wanted, clock=clock, check_mode=module.check_mode)
    warn_of(result["warnings"])
    shown = (
        "changed", "stopped", "previous_desired_count", "desired_count", "autoscaling", "deregistration_delays",
        "tags_removed",
    )  # fmt: skip
    return {
        **{name: result[name] for name in shown},
        "outcome": "restored",
    }


def main(clock: Clock | None = None) -> None:
    module = AnsibleAWSModule(
        argument_spec=argument_spec(), required_together=[("own", "family")], supports_check_mode=True
    )
    used = clock or Clock()
    # A clock that somebody gives is the only one that a wait may go by.
    run(module, lambda: timed(lambda: put_back(module, used, dozes=clock is None), clock=used))


if __name__ == "__main__":
    main()
