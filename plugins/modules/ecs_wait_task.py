#!/usr/bin/python
# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ecs_wait_task
short_description: Wait for ECS tasks and judge them by their containers' exit codes
version_added: 0.1.0
description:
  - Waits until ECS tasks run, or until the containers that matter have ended, and says how they ended.
  - Success is decided by exit codes alone. A container that has no exit code never started, or was lost with its host;
    that is never a success. The state of the task and its stopped reason only explain.
  - A task that has ended before the first look is as good as any other, and a task that ECS does not know yet is given
    30 seconds to appear.
  - Any number of tasks can be awaited together; the wait is over when each of them is where it should be.
author:
  - wwhd team (@wwhd)
options:
  cluster:
    description: The cluster's name or ARN.
    type: str
    required: true
  tasks:
    description: The tasks to wait for, by ARN or id.
    type: list
    elements: str
    required: true
  state:
    description:
      - V(stopped) waits for the end. It ends when each awaited container is stopped with an exit code, or when the task
        is, and does not wait for the network interface to be taken away.
      - V(running) waits until each task runs. A task that was too quick to be seen running counts if it succeeded.
    type: str
    choices: [running, stopped]
    default: stopped
  timeout:
    description: The longest wait, in seconds.
    type: float
    default: 600
  containers:
    description:
      - The names of the containers whose exit codes decide.
      - By default those that the task definition calls essential.
    type: list
    elements: str
  success_codes:
    description: The exit codes that are a success.
    type: list
    elements: int
    default: [0]
  logs:
    description:
      - Whether to read the output of every container from CloudWatch Logs, as the task definition's C(awslogs) options
        say. It is read on after the containers' end until nothing new comes.
      - Of a container that printed more than 50,000 lines, the newest are returned.
      - Logs that can't be read are no failure; RV(log_notes) says why.
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
    description:
      - How many of a container's last lines an error message shows, each cut at 1000 characters; of five containers at
        most. RV(logs) has all of them.
    type: int
    default: 20
  log_end:
    description:
      - A text that the last line of each awaited container is known to contain.
      - When it has been read, reading ends at once and RV(logs_complete) is true. Without it, reading ends when nothing
        new has come for 1.5 seconds.
    type: str
  stop_on_timeout:
    description:
      - Whether to stop what has not ended when O(timeout) is over, and to see it gone (for 150 seconds at most).
      - Nothing is stopped in check mode.
    type: bool
    default: false
  stop_on_interrupt:
    description:
      - Whether to stop the tasks when the module itself is told to end (SIGTERM, SIGHUP, or SIGINT as Ctrl-C sends it),
        or when its playbook is gone, as after its terminal was closed.
      - It then asks ECS to stop each task that may live, says so, and fails. It does not wait until they are gone.
      - Without it, the tasks go on when the module is gone.
      - Nothing is stopped in check mode.
    type: bool
    default: false
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
    details: The wait itself only reads, so it takes place.
  diff_mode:
    support: none
  idempotent:
    support: full
seealso:
  - module: wwhd.qdrant_ops.ecs_run_oneoff
"""

EXAMPLES = r"""
- name: Wait for the cleaner's end, and fail unless it exited 0
  wwhd.qdrant_ops.ecs_wait_task:
    region: us-west-2
    cluster: wwhd-cluster
    tasks:
      - arn:aws:ecs:us-west-2:018025611404:task/wwhd-cluster/0cb1c58f1b5a4f2b8e0d4f0a2c6b7e11
    timeout: 300
    stop_on_timeout: true
  register: cleaner

- name: Show what it printed
  ansible.builtin.debug:
    msg: "{{ cleaner.logs.cleaner }}"

- name: Wait until a task runs
  wwhd.qdrant_ops.ecs_wait_task:
    region: us-west-2
    cluster: wwhd-cluster
    tasks: ["0cb1c58f1b5a4f2b8e0d4f0a2c6b7e11"]
    state: running
"""

RETURN = r"""
tasks:
  description: How each task ended, or its last state if the wait failed.
  returned: when the wait began
  type: list
  elements: dict
  contains:
    task_arn:
      description: The task's ARN.
      returned: always
      type: str
      sample: arn:aws:ecs:us-west-2:018025611404:task/wwhd-cluster/0cb1c58f1b5a4f2b8e0d4f0a2c6b7e11
    task_definition_arn:
      description: The revision that it runs.
      returned: always
      type: str
      sample: arn:aws:ecs:us-west-2:018025611404:task-definition/clear-qdrant-locks:3
    group:
      description: The task's group.
      returned: always
      type: str
      sample: family:clear-qdrant-locks
    started_by:
      description: Who started it.
      returned: always
      type: str
      sample: unlock-20261123T150000Z
    last_status:
      description: The last known state.
      returned: always
      type: str
      sample: DEPROVISIONING
    desired_status:
      description: The state that ECS leads it to.
      returned: always
      type: str
      sample: STOPPED
    stop_code:
      description: ECS's code for why it stopped; a success also has one.
      returned: always
      type: str
      sample: EssentialContainerExited
    stopped_reason:
      description: ECS's words for why it stopped.
      returned: always
      type: str
      sample: Essential container in task exited
    hint:
      description: Cause and remedy of a failure, where they are known.
      returned: always
      type: str
      sample: "Exit code 101: a Rust program panicked. Read the panic in its last log lines."
    success:
      description: Whether each awaited container ended with one of O(success_codes).
      returned: always
      type: bool
      sample: true
    awaited:
      description: The names of the awaited containers.
      returned: always
      type: list
      elements: str
      sample: [cleaner]
    containers:
      description: Each container of the task.
      returned: always
      type: list
      elements: dict
      contains:
        name:
          description: The container's name.
          returned: always
          type: str
          sample: cleaner
        last_status:
          description: The container's last known state.
          returned: always
          type: str
          sample: STOPPED
        exit_code:
          description: Its exit code; null if there is none.
          returned: always
          type: int
          sample: 0
        reason:
          description: ECS's words about the container.
          returned: always
          type: str
          sample: "OutOfMemoryError: Container killed due to memory usage"
        logs:
          description: Its output, a line each.
          returned: always
          type: list
          elements: str
          sample: ["Lock files cleared"]
missing:
  description: The ids of tasks that ECS did not know.
  returned: when the wait began
  type: list
  elements: str
  sample: []
logs:
  description: The output by container's name; of several tasks, the one's after the other's.
  returned: when the wait began
  type: dict
  sample: {"cleaner": ["Lock files cleared"]}
logs_complete:
  description:
    - Whether the awaited containers' output is known to have been read to its end. False where nothing was to be read.
  returned: when the wait began
  type: bool
  sample: true
log_notes:
  description: What could not be read of the logs, and why.
  returned: when the wait began
  type: list
  elements: str
  sample: []
stopped:
  description: The ARNs of tasks that were stopped, because of O(stop_on_timeout), O(stop_on_interrupt) or O(guard).
  returned: when the wait began
  type: list
  elements: str
  sample: []
started_at:
  description: When the wait began, in UTC.
  returned: always
  type: str
  sample: "2026-11-23T15:04:05.678Z"
elapsed:
  description: How long it took, in seconds.
  returned: always
  type: float
  sample: 42.5
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, run
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.arguments import refuse, timed, warn_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import ARGUMENT_SPEC as GUARD_SPEC
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import guard_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.wait import Listener, WaitFor, wait_for_tasks
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.watching import operator_who_listens
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock


def _spec(module: AnsibleAWSModule) -> WaitFor:
    params = module.params
    refuse(
        {
            "tasks is empty: give at least one task's ARN or id.": not params["tasks"],
            "tasks has an empty entry.": not all(params["tasks"]),
            "cluster is empty.": not params["cluster"],
            f"timeout is {params['timeout']}: it must be 0 or more seconds.": params["timeout"] < 0,
            f"log_lines is {params['log_lines']}: it must be 0 or more.": params["log_lines"] < 0,
            "success_codes is empty: give at least one exit code.": not params["success_codes"],
            "containers is empty: leave it out, or name at least one.": params["containers"] == [],
            "log_end is empty: leave it out, or give a text.": params["log_end"] == "",
        }
    )
    tasks = list(dict.fromkeys(params["tasks"]))
    return WaitFor(
        cluster=params["cluster"],
        tasks=tasks,
        state=params["state"],
        timeout=params["timeout"],
        containers=params["containers"],
        success_codes=params["success_codes"],
        logs=params["logs"],
        log_lines=params["log_lines"],
        log_end=params["log_end"],
        stop_on_timeout=params["stop_on_timeout"] and not module.check_mode,
        stop_on_interrupt=tasks if params["stop_on_interrupt"] and not module.check_mode else [],
        guard=None if module.check_mode else guard_of(params["guard"], cluster=params["cluster"]),
    )


def main(clock: Clock | None = None, listener: Listener | None = None) -> None:
    module = AnsibleAWSModule(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "tasks": {"type": "list", "elements": "str", "required": True},
            "state": {"type": "str", "choices": ["running", "stopped"], "default": "stopped"},
            "timeout": {"type": "float", "default": 600},
            "containers": {"type": "list", "elements": "str"},
            "success_codes": {"type": "list", "elements": "int", "default": [0]},
            "logs": {"type": "bool", "default": True},
            "live_logs": {"type": "bool", "default": True},
            "live_logs_key": {"type": "str", "no_log": False},
            "log_lines": {"type": "int", "default": 20},
            "log_end": {"type": "str"},
            "stop_on_timeout": {"type": "bool", "default": False},
            "stop_on_interrupt": {"type": "bool", "default": False},
            "guard": GUARD_SPEC,
        },
        supports_check_mode=True,
    )

    def work() -> dict[str, Any]:
        result = wait_for_tasks(
            Aws(module),
            spec=_spec(module),
            region=module.region,
            clock=clock,
            listener=listener
            or operator_who_listens(lines=module.params["live_logs"], key=module.params["live_logs_key"]),
        )
        warn_of(result["log_notes"])
        return result

    run(module, lambda: timed(work, clock=clock))


if __name__ == "__main__":
    main()
