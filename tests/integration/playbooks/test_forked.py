# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an unlock costs in Ansible's tasks and processes, counted; and that a module in a fork is the module.

tests/chaos/test_virtual_counts.py counts calls to AWS, tests/unit/plugins/plugin_utils/test_forked.py has the process.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from integration.playbooks.operators import Operator
from integration.plays import configuration, play

from sandbox import world
from sandbox.client import Sandbox

# docs/performance.md explains them: who needs one more explains it there.
TASKS_RUN = 21
_COMMAND = re.compile(r"^<[^>]*> EXEC ", re.MULTILINE)


@pytest.mark.sandbox_service("stopped")
def test_an_unlock_starts_no_command_and_no_interpreter(sandbox: Sandbox, operator: Operator) -> None:
    played = operator.play("unlock", "-vvv", environment={"QDRANT_OPS_SANDBOX": str(sandbox.directory)})
    assert played.code == 0, played.output[-4000:]
    host = f"{world.SERVICE}.local"
    assert played.recap(host)["ok"] <= TASKS_RUN, played.output
    assert "Not run in a fork" not in played.output
    assert "ansible_job_id" in played.output
    assert _COMMAND.findall(played.output) == []


TASKS = """
- hosts: testhost
  gather_facts: false
  module_defaults:
    group/wwhd.qdrant_ops.aws: &aws
      endpoint_url: "{{ aws_endpoint_url }}"
      region: "{{ aws_region }}"
      access_key: "{{ aws_access_key }}"
      secret_key: "{{ aws_secret_key }}"
  environment: {NO_PROXY: "*"}
  tasks:
    - {name: read, wwhd.qdrant_ops.ecs_service_info: {cluster: CLUSTER, service: SERVICE}, register: read}
    - {name: fail, wwhd.qdrant_ops.ecs_service_info: {cluster: CLUSTER, service: absent}, register: failed,
       ignore_errors: true}
    - {name: refuse, wwhd.qdrant_ops.ecs_mounts_info: {nonsense: 1}, register: refused, ignore_errors: true}
    - {name: forecast, wwhd.qdrant_ops.ecs_task_definition: {definition: {family: forecast, containerDefinitions:
       [{name: one, image: alpine}]}}, check_mode: true, diff: true, register: forecast}
    - {name: ask, wwhd.qdrant_ops.http_health: {url: "{{ sandbox_health_url }}", timeout: 5}, register: asked}
    - name: keep
      ansible.builtin.copy:
        content: "{{ [read, failed, refused, forecast, asked] | to_json }}"
        dest: "{{ playbook_dir }}/results.json"
"""
# What another moment changes.
_TIMES = {"at", "elapsed", "latency", "started_at"}


def timeless(thing: Any) -> Any:
    if isinstance(thing, dict):
        return {key: timeless(value) for key, value in thing.items() if key not in _TIMES}
    return [timeless(item) for item in thing] if isinstance(thing, list) else thing


def test_a_module_in_a_fork_tells_the_same_as_one_that_was_started(sandbox: Sandbox, tmp_path: Path) -> None:
    results = {}
    for setting in ("off", "on"):
        place = tmp_path / setting
        place.mkdir()
        done = play(
            TASKS.replace("CLUSTER", world.CLUSTER).replace("SERVICE", world.SERVICE),
            place=place, variables=configuration(sandbox),
            environment={"QDRANT_OPS_FORK": setting, "ANSIBLE_VERBOSITY": "3"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        assert done.stdout.count("Not run in a fork: QDRANT_OPS_FORK is off") == (5 if setting == "off" else 0)
        results[setting] = timeless(json.loads((place / "results.json").read_text()))
    assert [one.get("failed") for one in results["on"]] == [False, True, True, False, False]
    assert results["on"] == results["off"]
