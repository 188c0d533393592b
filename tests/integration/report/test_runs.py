# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs of the whole playbook leave: also those that are refused, only look, or are interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from integration.playbooks.operators import ROOT, Operator

from sandbox.client import Sandbox


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path / "reports")


def at(sandbox: Sandbox) -> dict[str, str]:
    return {"QDRANT_OPS_SANDBOX": str(sandbox.directory)}


def results(operator: Operator) -> list[dict[str, Any]]:
    """The oldest first."""
    paths = sorted(operator.reports.glob("*-unlock-*.json"))
    return [json.loads(path.read_text()) for path in paths]


def page(result: dict[str, Any]) -> str:
    return Path(f"{result['report']}.html").read_text()


def listed(operator: Operator) -> list[str]:
    return [entry["outcome"] for entry in json.loads((operator.reports / "index.json").read_text())]


def test_runs_that_change_nothing_leave_a_report_each(operator: Operator, sandbox: Sandbox) -> None:
    refused = operator.play(
        "unlock", "-e", "qdrant_unlock_when=always", "-e", "qdrant_unlock_protected=true", environment=at(sandbox)
    )
    assert refused.code != 0
    # As it ends on the terminal: lines of its own, not a text in quotes.
    assert "\nNothing was done: the unlock of wwhd-backend (local) stopped" in refused.output
    assert "\nUntouched: this run removed nothing from the store.\nNext:\n   - Do what the message" in refused.output
    assert refused.recap("wwhd-backend.local")["changed"] == 0
    checked = operator.play("unlock", "--check", "-e", "qdrant_unlock_when=always", environment=at(sandbox))
    assert checked.code == 0, checked.output
    absent = operator.play("unlock", "-e", "qdrant_unlock_service=wwhd-backnd", environment=at(sandbox))
    assert absent.code != 0
    assert sandbox.writes() == []
    assert [result["outcome"] for result in results(operator)] == ["refused", "check", "refused"]
    first, check, last = results(operator)
    assert "pass -e confirm=local" in first["summary"][0]
    assert "pass -e confirm=local" in page(first)
    assert f"Report: {first['report']}.html" in refused.text
    assert [phase["name"] for phase in first["phases"]] == ["preflight"]
    assert check["check_mode"]
    assert "Check mode: wwhd-backend (local) would be stopped" in page(check)
    assert check["outage"] is None
    assert "wwhd-backnd" in last["summary"][0]
    assert last["run_id"] is None
    assert listed(operator) == ["refused", "check", "refused"]


def test_a_run_that_is_interrupted_leaves_a_page_and_the_next_one_tells_its_end(
    operator: Operator, sandbox: Sandbox
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_"))}
    playbook = subprocess.Popen(
        [
            Path(sys.executable).with_name("ansible-playbook"), "playbooks/unlock.yml", "-e", "env=local",
            "-e", "qdrant_unlock_when=always", "-e", f"qdrant_unlock_report_dir={operator.reports}",
        ],
        cwd=ROOT, env={**environment, **at(sandbox), "NO_COLOR": "1"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        wait_for(lambda: any(call["operation"] == "UpdateService" for call in sandbox.writes()))
        (unfinished,) = results(operator)
        assert unfinished["outcome"] == "unfinished"
        assert "has not come to its end" in page(unfinished)
        assert listed(operator) == ["unfinished"]
    finally:
        os.killpg(playbook.pid, signal.SIGINT)
        playbook.wait(30)
    wait_for(lambda: sandbox.status()["healthy"] and not sandbox.status()["tags"])
    wait_for(lambda: list(operator.reports.glob("*-interrupted.txt")))
    again = operator.play("unlock", environment=at(sandbox))
    assert again.code == 0, again.output
    told, nothing = results(operator)
    assert (told["outcome"], nothing["outcome"]) == ("interrupted", "nothing_to_do")
    assert told["run_id"] == unfinished["run_id"]
    assert "was interrupted" in page(told)
    assert len(told["summary"]) > 1
    assert listed(operator) == ["interrupted", "nothing_to_do"]


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
