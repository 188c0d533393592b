# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action by itself; tests/integration/report has it run by Ansible."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleError

from ansible_collections.wwhd.qdrant_ops.plugins.action import unlock_report
from ansible_collections.wwhd.qdrant_ops.plugins.modules import unlock_report as documented
from ansible_collections.wwhd.qdrant_ops.tests.unit.unlock_samples import samples

RESULT = samples()["unlocked"]


def run(**arguments: Any) -> dict[str, Any]:
    task: Any = SimpleNamespace(args=arguments, async_val=0, check_mode=False, diff=False, action="unlock_report")
    connection: Any = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
    action = unlock_report.ActionModule(task, connection, None, None, None, None)
    return action.run(task_vars={"inventory_hostname": "backend.dev"})


def test_it_writes_and_tells_where(tmp_path: Path) -> None:
    outcome = run(result=RESULT, folder=str(tmp_path / "reports"), name="x-1")
    assert outcome["report"] == str(tmp_path / "reports" / "x-1")
    assert outcome["changed"] is False
    assert (tmp_path / "reports" / "x-1.html").exists()
    unlocks = outcome["ansible_stats"]["data"]["qdrant_unlocks"]
    assert unlocks["backend.dev"]["report"] == outcome["report"]
    assert unlocks["backend.dev"]["downtime_seconds"] == 64.0
    assert "msg" not in outcome


def test_the_statistics_are_as_documented(tmp_path: Path) -> None:
    stats = run(result=RESULT, name="x-1")["ansible_stats"]
    sample = yaml.safe_load(documented.RETURN)["ansible_stats"]["sample"]
    assert set(stats) == set(sample)
    (entry,) = stats["data"]["qdrant_unlocks"].values()
    (described,) = sample["data"]["qdrant_unlocks"].values()
    assert set(entry) == set(described)
    assert len(json.dumps(stats)) < 1500


def test_without_a_folder_nothing_is_written() -> None:
    outcome = run(result=RESULT, name="x-1")
    assert outcome["report"] is None
    assert "msg" not in outcome


@pytest.mark.parametrize(
    ("result", "folder", "said"),
    [(RESULT, "/proc/nowhere", "The report could not be written to /proc/nowhere: "), ({"x": 1}, "FOLDER", "KeyError")],
)
def test_what_cannot_be_written_is_told_and_no_failure(
    tmp_path: Path, result: dict[str, Any], folder: str, said: str
) -> None:
    outcome = run(result=result, folder=folder.replace("FOLDER", str(tmp_path)), name="x-1")
    assert said in outcome["msg"]
    assert outcome["report"] is None
    assert outcome["warnings"]
    assert not outcome.get("failed")
    assert outcome["ansible_stats"]["data"]["qdrant_unlocks"]["backend.dev"]["report"] is None


def test_what_was_misspelt_is_refused() -> None:
    with pytest.raises(AnsibleError, match="foldr"):
        run(result=RESULT, foldr="x", name="x-1")
