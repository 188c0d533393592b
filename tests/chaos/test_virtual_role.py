# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role as it is, in virtual time: it must come to the ends that molecule's scenarios see in real time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chaos.virtual.controller import Controller, controller
from chaos.virtual.role import Role, UnknownKeyword
from chaos.virtual.world import SWITCHES

from sandbox.ecs import task_api


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Controller]:
    with controller(tmp_path) as made:
        yield made
        assert made.world.witness.broken == []
        assert made.world.engine.trouble == []


def test_a_service_that_is_stuck_on_stale_locks_is_healthy_again(operator: Controller) -> None:
    world = operator.world
    world.seed()
    world.break_stale(lease=600)
    played = operator.unlock("1", held_locks="wait", held_timeout=900)
    assert not played.failed, played.msg
    assert played.facts["qdrant_unlock_result"]["outcome"] == "unlocked"
    assert world.service.steady
    assert world.tags_left() == []
    assert "stale.lock" in world.witness.removed


def test_a_healthy_service_is_unlocked_when_that_is_asked_for(operator: Controller) -> None:
    operator.world.seed()
    assert operator.unlock("1").facts["qdrant_unlock_result"]["outcome"] == "nothing_to_do"
    played = operator.unlock("2", when="always")
    assert played.facts["qdrant_unlock_result"]["outcome"] == "unlocked"
    assert operator.world.service.steady
    assert operator.world.witness.stores == 2


def test_a_service_that_was_stopped_by_hand_is_started(operator: Controller) -> None:
    operator.world.seed(desired=0)
    played = operator.unlock("1")
    assert not played.failed, played.msg
    assert operator.world.service.desired == 1
    assert operator.world.service.steady


def test_a_cleaner_that_fails_leaves_the_service_restored(operator: Controller) -> None:
    operator.world.seed()
    operator.world.break_stale(lease=7200)
    operator.world.set_scaling(1, 3, dict.fromkeys(SWITCHES, False))
    played = operator.unlock("1", held_locks="fail")
    assert played.failed
    assert "held" in played.msg
    assert operator.world.service.desired == 1
    assert operator.world.scaling() == (1, 3, dict.fromkeys(SWITCHES, False))
    assert operator.world.tags_left() == []


MOUNTS = "wwhd.qdrant_ops.ecs_mounts_info"


def writes_of(operator: Controller) -> list[str]:
    calls = [json.loads(line) for line in operator.world.calls.path.read_text().splitlines()]
    return [call["operation"] for call in calls if call["writes"]]


def run_foreign_task(operator: Controller) -> None:
    network = {"awsvpcConfiguration": {"subnets": ["subnet-677d281e"], "assignPublicIp": "ENABLED"}}
    task_api.run(
        operator.world.engine,
        "us-west-2",
        {
            "cluster": "wwhd-cluster",
            "taskDefinition": "wwhd-backend:1",
            "launchType": "FARGATE",
            "networkConfiguration": network,
            "startedBy": "bob",
        },
    )


@pytest.mark.parametrize("stuck", [True, False])
def test_somebody_elses_task_is_seen_before_anything_is_stopped(operator: Controller, stuck: bool) -> None:
    """By the look at the service itself: nobody else need look for it once more."""
    operator.world.seed()
    if stuck:
        operator.world.break_stale(lease=7200)
    run_foreign_task(operator)
    operator.world.calls.clear()
    played = operator.unlock("1", when="always")
    assert played.failed
    assert "Other live tasks mount the file system fs-00b8168893587fd61" in played.msg
    assert played.steps[MOUNTS] == 0
    assert writes_of(operator) == []


def test_what_the_look_at_the_service_cannot_tell_is_asked_for_by_itself(operator: Controller) -> None:
    """And then it is told why: a cluster of the inventory is not there."""
    operator.world.seed()
    operator.world.break_stale(lease=7200)
    operator.world.calls.clear()
    played = operator.unlock("1", guard_clusters=["another"])
    assert played.failed
    assert "look for tasks in cluster another" in played.msg
    assert played.steps[MOUNTS] == 1
    assert writes_of(operator) == []


def test_check_mode_writes_nothing(operator: Controller) -> None:
    operator.world.seed()
    operator.world.break_stale(lease=7200)
    operator.world.calls.clear()
    played = operator.unlock("1", check=True)
    assert not played.failed, played.msg
    calls = [json.loads(line) for line in operator.world.calls.path.read_text().splitlines()]
    assert [call["operation"] for call in calls if call["writes"]] == []
    assert len(calls) > 5


def test_what_the_role_does_on_this_machine_is_left_out_and_counted(operator: Controller, tmp_path: Path) -> None:
    operator.world.seed(desired=0)
    played = operator.unlock("1", report_dir=str(tmp_path / "reports"))
    # Once before anything is stopped, and once at the end.
    assert played.left_out["wwhd.qdrant_ops.unlock_report"] == 2
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("task", "named"),
    [
        ("- {ansible.builtin.debug: {msg: x}, throttle: 3}", "throttle"),
        ("- {ansible.builtin.shell: rm}", "shell"),
        ("- {block: [], environment: {}}", "environment"),
        ("- {ansible.builtin.debug: {msg: x}, until: false}", "until"),
    ],
)
def test_what_the_interpreter_does_not_know_it_refuses(
    operator: Controller, tmp_path: Path, task: str, named: str
) -> None:
    for folder, text in (("tasks", task), ("defaults", "{}"), ("vars", "{}")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "main.yml").write_text(text + "\n")
    with pytest.raises(UnknownKeyword, match=named):
        Role(tmp_path, {}, clock=operator.clock).play()


LANGUAGE = """
- name: A block whose failure is rescued
  when: go
  block:
    - {name: Say, ansible.builtin.debug: {msg: "{{ tries }}"}, register: seen}
    - {name: Not this, ansible.builtin.debug: {msg: x}, when: seen.msg != 3, register: not_this}
    - {name: Reached, ansible.builtin.set_fact: {reached: true}}
    - {name: Judged, ansible.builtin.debug: {msg: x}, failed_when: true}
    - {name: Unreached, ansible.builtin.set_fact: {unreached: true}}
  rescue:
    - name: Note
      ansible.builtin.set_fact:
        noted: "{{ ansible_failed_task.name }}"
        said: "{{ ansible_failed_result.msg | default('nothing') }}"
        left_out: "{{ omit }}"
  always:
    - {name: Loop, ansible.builtin.debug: {msg: "{{ item }}"}, loop: [1, 2], when: item > 1, register: looped}
    - {name: No loop, ansible.builtin.debug: {msg: "{{ item }}"}, loop: [], register: not_looped}
    - {name: Not at all, ansible.builtin.debug: {msg: x}, when: not go, register: not_at_all}
- {name: Import, ansible.builtin.import_tasks: more.yml, when: part == 'imported', vars: {part: imported}}
- {name: Include, ansible.builtin.include_tasks: more.yml, when: part == 'included', vars: {part: included}}
- {name: Include not, ansible.builtin.include_tasks: more.yml, when: not go, vars: {part: never}}
- name: Two failures, of which one counts
  ansible.builtin.debug: {msg: "{{ item }}"}
  loop: [1, 2]
  failed_when: item == 2
  ignore_errors: true
  register: halves
- {name: Forgive, ansible.builtin.fail: {msg: "{{ where }}"}, vars: {where: end}, failed_when: false, register: spared}
- {name: Ignore, ansible.builtin.fail: {msg: "{{ where }}"}, vars: {where: end}, ignore_errors: true, register: ignored}
- {name: Undefined, ansible.builtin.debug: {msg: "{{ nobody_knows }}"}, ignore_errors: true, register: unknown}
- {name: Fail, ansible.builtin.fail: {msg: "in the {{ where }}"}, vars: {where: "{{ 'very ' ~ 'end' }}"}}
"""
MORE = """
- {name: Add, ansible.builtin.set_fact: {parts: "{{ parts | default([]) + [part] }}"}}
"""
NAMES = """seen not_this reached unreached noted said left_out looped not_looped not_at_all parts halves spared
ignored""".split()
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - block:
        - ansible.builtin.import_role: {name: language}
      rescue:
        - ansible.builtin.set_fact: {end: "{{ ansible_failed_result.msg }}"}
      always:
        - ansible.builtin.copy:
            content: "{{ dict(names | zip(q('ansible.builtin.vars', *names, default='absent'))) | to_json }}"
            dest: "{{ dest }}"
"""
_TOLD = ("skipped", "failed", "changed", "msg", "results", "failed_when_result", "item")


def _shown(value: Any) -> Any:
    """What both sides must agree on: a register's own keys, without those that only the executor adds."""
    if isinstance(value, dict):
        return {key: _shown(item) for key, item in value.items() if key in _TOLD}
    return [_shown(item) for item in value] if isinstance(value, list) else value


def test_the_interpreter_understands_tasks_as_ansible_does(operator: Controller, tmp_path: Path) -> None:
    role = tmp_path / "roles" / "language"
    for name, text in (
        ("tasks/main", LANGUAGE), ("tasks/more", MORE), ("defaults/main", "{tries: 3}"), ("vars/main", "{go: true}"),
    ):  # fmt: skip
        (role / name).parent.mkdir(parents=True, exist_ok=True)
        (role / f"{name}.yml").write_text(text)
    (tmp_path / "play.yml").write_text(PLAY)
    names = [*NAMES, "end"]
    given = {"names": names, "dest": str(tmp_path / "facts.json"), "ansible_python_interpreter": sys.executable}
    subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", tmp_path / "play.yml", "-e",
         json.dumps(given)],
        cwd=tmp_path, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    wanted = json.loads((tmp_path / "facts.json").read_text())
    played = Role(role, {}, clock=operator.clock).play()
    assert played.failed
    found = {name: played.facts.get(name, "absent") for name in NAMES} | {"end": played.msg}
    for name in names:
        assert _shown(found[name]) == _shown(wanted[name]), name
    assert "nobody_knows" in played.facts["unknown"]["msg"]


def test_a_store_whose_unlock_waits_to_go_on_is_inspected_by_a_cleaner_of_its_own(operator: Controller) -> None:
    operator.world.seed()
    operator.unlock("1", entry="stop")
    operator.world.calls.clear()
    played = operator.unlock("2", mode="inspect")
    assert not played.failed, played.msg
    assert writes_of(operator) == ["RegisterTaskDefinition", "RunTask"]
    calls = [json.loads(line) for line in operator.world.calls.path.read_text().splitlines()]
    registered = next(call["params"] for call in calls if call["operation"] == "RegisterTaskDefinition")
    assert registered["family"].endswith("-inspect")
    mounts = [mount for container in registered["containerDefinitions"] for mount in container["mountPoints"]]
    assert [mount["readOnly"] for mount in mounts] == [True]


def test_a_service_that_waits_to_be_started_is_not_stopped_again_whoever_is_on_its_store(operator: Controller) -> None:
    operator.world.seed()
    operator.unlock("1", entry="stop")
    run_foreign_task(operator)
    operator.world.calls.clear()
    played = operator.unlock("2", entry="stop")
    assert not played.failed, played.msg
    assert played.facts["qdrant_unlock_result"]["outcome"] == "nothing_to_do"
    assert writes_of(operator) == []


def test_a_mode_with_nothing_behind_it_is_refused(operator: Controller) -> None:
    operator.world.seed()
    operator.world.calls.clear()
    played = operator.unlock("1", when="always", mode=None)
    assert "qdrant_unlock_mode is empty: give one of unlock, inspect" in played.msg
    assert writes_of(operator) == []
