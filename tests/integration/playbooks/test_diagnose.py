# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking without touching: the commands of docs/howto/diagnose.md and inspect.md, as an operator runs them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.playbooks.operators import ROOT, Operator, Played

from sandbox.client import Sandbox

PAGES = ROOT / "docs" / "howto"
PLAIN = "ansible-playbook playbooks/diagnose.yml -e env=local"
FAILING = f"{PLAIN} -e qdrant_unlock_diagnose_fail=true"
INSPECT = "ansible-playbook playbooks/inspect.yml -e env=local"
# Two more hosts of the environment: what the inventory says of one is misspelt, of the other it says too little.
OTHERS = """
all:
  children:
    local:
      hosts:
        nobody.local:
          ansible_connection: local
          qdrant_unlock_service: wwhd-backnd
        unset.local:
          ansible_connection: local
          qdrant_unlock_service: ""
"""


def run(operator: Operator, command: str, sandbox: Sandbox, *words: str) -> Played:
    _program, playbook, *given = shlex.split(command)
    assert given[:2] == ["-e", "env=local"]
    at = {"QDRANT_OPS_SANDBOX": str(sandbox.directory), "COLUMNS": "100"}
    return operator.play(Path(playbook).stem, *given[2:], *words, environment=at)


def written(sandbox: Sandbox) -> list[str]:
    return [str(call["operation"]) for call in sandbox.writes()]


def test_diagnosing_reads_only_and_names_the_locks(operator: Operator, sandbox: Sandbox) -> None:
    sandbox.break_("stale-lock", lease_real=60.0)
    played = run(operator, PLAIN, sandbox)
    assert played.code == 0, played.output
    assert written(sandbox) == []
    assert "wwhd-backend (local): NOT HEALTHY. Is it the locks? Yes." in played.output
    assert "a lock on them is held" in played.text
    assert "Cause: dead_lease (likely: " in played.text
    assert "Next: Run the unlock playbook" in played.text
    assert "\n   $ ansible-playbook playbooks/unlock.yml -e env=local\n" in played.output
    answer = played.output[played.output.index("wwhd-backend (local):") :].split("\n\n")[0].splitlines()
    # Plain lines, not a list as JSON or YAML; only what cannot be broken is longer than the terminal is wide.
    assert answer[1].startswith("1. The store cannot open its files")
    assert any(line.startswith("   - Task ") for line in answer)
    assert "msg:" not in played.output
    assert all(len(line) <= 100 or len(line.split()) <= 2 or "$ " in line for line in answer)


def test_each_host_has_its_answer_and_one_that_cannot_be_looked_at_fails(
    operator: Operator, sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "others.yml").write_text(OTHERS)
    inventories = ["-i", "playbooks/inventory", "-i", str(tmp_path / "others.yml")]
    played = run(operator, FAILING, sandbox, *inventories)
    assert played.code == 2, played.output
    assert written(sandbox) == []
    assert played.recap("wwhd-backend.local")["failed"] == 0
    assert played.recap("nobody.local")["failed"] == 1
    assert "nearest first: wwhd-backend" in played.text
    assert played.recap("unset.local")["failed"] == 1
    table = played.output[played.output.index("\nhost  ") :].strip().splitlines()
    assert re.match(r"nobody\.local +COULD NOT LOOK +cannot be told +not_looked_at +certain", table[1])
    assert re.match(r"unset\.local +NOT ASKED +- +its own error stands above", table[2])
    assert re.match(r"wwhd-backend\.local +healthy +no +- +-", table[3])
    assert table[4] == "1 of 3 healthy."


def test_inspecting_stops_nothing_and_lists_each_lock(operator: Operator, sandbox: Sandbox) -> None:
    tasks = [task["id"] for task in sandbox.status()["tasks"]]
    played = run(operator, INSPECT, sandbox)
    assert played.code == 0, played.output
    assert written(sandbox) == ["RegisterTaskDefinition", "RunTask"]
    assert "5 lock files found: 5 held, 0 free" in played.text
    # An inspection needs no reason, and stops nothing for one.
    assert "Going on, because" not in played.text
    assert "Nothing in the store was changed, and nothing was stopped." in played.text
    assert set(tasks) <= {task["id"] for task in sandbox.status()["tasks"] if task["last_status"] == "RUNNING"}
    assert "\n   - /client_cache/.lock (another process holds it)\n" in played.output
    assert f"Task {tasks[0]} (service:wwhd-backend, RUNNING, cluster wwhd-cluster) mounts" in played.text


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (PAGES / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("page", "run_here"), [("diagnose.md", {PLAIN, FAILING}), ("inspect.md", {INSPECT})])
def test_the_pages_have_the_commands_that_are_run_here(page: str, run_here: set[str]) -> None:
    shown = [line.removeprefix("$ ") for block in blocks(page, "console") for line in block.splitlines()]
    assert set(shown) == run_here


@pytest.mark.parametrize("page", ["diagnose.md", "inspect.md"])
def test_the_plays_of_the_pages_name_what_there_is(page: str) -> None:
    role = ROOT / "roles" / "qdrant_unlock"
    known = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    (text,) = blocks(page, "yaml")
    (play,) = yaml.safe_load(text)
    included: list[dict[str, Any]] = [task for task in play["tasks"] if "ansible.builtin.include_role" in task]
    assert included
    for task in included:
        given = task["ansible.builtin.include_role"]
        assert given["name"] == "wwhd.qdrant_ops.qdrant_unlock"
        assert (role / "tasks" / f"{given.get('tasks_from', 'main')}.yml").exists()
        assert set(task.get("vars", {})) - set(known) == set()


def test_the_page_names_every_verdict() -> None:
    source = "".join(
        (ROOT / "plugins" / "module_utils" / path).read_text() for path in ("_ecs/diagnosis.py", "_unlock/answer.py")
    )
    verdicts = set(re.findall(r'Verdict\(\s*"(\w+)"', source)) | set(re.findall(r'_finding\(\s*"(\w+)"', source))
    assert len(verdicts) > 20
    page = (PAGES / "diagnose.md").read_text()
    assert {verdict for verdict in verdicts if f"`{verdict}`" not in page} == set()
