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

# docs/performance.md explains them: who needs one more explains it there. A task that is skipped costs a fork, too.
TASKS_RUN, TASKS_SKIPPED = 17, 8
_COMMAND = re.compile(r"^<[^>]*> EXEC ", re.MULTILINE)


@pytest.mark.sandbox_service("stopped")
def test_an_unlock_starts_no_command_and_no_interpreter(sandbox: Sandbox, operator: Operator) -> None:
    played = operator.play("unlock", "-vvv", environment={"QDRANT_OPS_SANDBOX": str(sandbox.directory)})
    assert played.code == 0, played.output[-4000:]
    host = f"{world.SERVICE}.local"
    recap = played.recap(host)
    assert (recap["ok"], recap["skipped"]) == (TASKS_RUN, TASKS_SKIPPED), played.output
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
    # What these watch over is elsewhere, so they end at once.
    - {name: watch, wwhd.qdrant_ops.ecs_service_restore: &watched {cluster: CLUSTER, service: SERVICE,
       claim: {"wwhd.qdrant_ops:claim:none": none}, after: {pid: 1, place: elsewhere}}, async: 60, poll: 0,
       register: watch}
    - {name: see, ansible.builtin.async_status: {jid: "{{ watch.ansible_job_id }}"}, register: seen,
       until: seen is finished, retries: 99, delay: 0}
    - {name: mistake, wwhd.qdrant_ops.ecs_service_restore: {cluster: CLUSTER}, async: 60, poll: 0, register: mistake}
    - {name: see it, ansible.builtin.async_status: {jid: "{{ mistake.ansible_job_id }}"}, register: mistaken,
       until: mistaken is finished, retries: 99, delay: 0, ignore_errors: true}
    - {name: await, wwhd.qdrant_ops.ecs_service_restore: *watched, async: 60, poll: 1, register: awaited}
    - name: keep
      ansible.builtin.copy:
        content: "{{ [read, failed, refused, forecast, asked, watch, seen, mistake, mistaken, awaited] | to_json }}"
        dest: "{{ playbook_dir }}/results.json"
"""
# What another moment changes, or another number of looks.
_TIMES = {"at", "attempts", "elapsed", "latency", "started_at"}
_JOB = re.compile(r"\bj\d+\.\d+$")


def timeless(thing: Any) -> Any:
    """Without moments, and with the same name for each job that has one of the form of Ansible's."""
    if isinstance(thing, dict):
        return {key: timeless(value) for key, value in thing.items() if key not in _TIMES}
    if isinstance(thing, list):
        return [timeless(item) for item in thing]
    return _JOB.sub("JOB", thing) if isinstance(thing, str) else thing


def test_a_module_in_a_fork_tells_the_same_as_one_that_was_started(sandbox: Sandbox, tmp_path: Path) -> None:
    texts = {}
    for setting in ("off", "on"):
        # The same place for both: results name files.
        place = tmp_path / "place"
        place.mkdir()
        done = play(
            TASKS.replace("CLUSTER", world.CLUSTER).replace("SERVICE", world.SERVICE),
            place=place, variables=configuration(sandbox),
            environment={"QDRANT_OPS_FORK": setting, "ANSIBLE_VERBOSITY": "3"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        assert done.stdout.count("Not run in a fork: QDRANT_OPS_FORK is off") == (8 if setting == "off" else 0)
        assert done.stdout.count("Not run in a fork: it is asynchronous") == (1 if setting == "on" else 0)
        texts[setting] = json.dumps(timeless(json.loads((place / "results.json").read_text())), sort_keys=True)
        place.rename(tmp_path / setting)
    # As texts: true is not 1.
    assert texts["on"] == texts["off"]
    names = ("read", "failed", "refused", "forecast", "asked", "watch", "seen", "mistake", "mistaken", "awaited")
    results = dict(zip(names, json.loads(texts["on"]), strict=True))
    assert [name for name, one in results.items() if one.get("failed")] == ["failed", "refused", "mistaken"]
    assert (results["watch"]["started"], results["watch"]["finished"], results["watch"]["changed"]) == (1, 0, 1)
    assert (results["seen"]["finished"], results["seen"]["outcome"]) == (1, "elsewhere")
    assert "missing required arguments" in results["mistaken"]["msg"]
