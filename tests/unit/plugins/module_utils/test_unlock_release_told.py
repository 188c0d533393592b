# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run with a release, and one that ends with the service stopped, is told: in the result and on its page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.action.unlock_report import _templates
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.result import make_result
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._report.folder import write_report
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._report.page import report_page
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock
from ansible_collections.wwhd.qdrant_ops.tests.unit.unlock_samples import complete, points, step

RELEASE = {"name": "backend:8", "previous": "backend:7", "changes": ["a -> b"], "way_back": True}
FAILURE = {"task": "Start the service", "msg": "It failed."}
COUNTED = points(documents=240)


def made(*, part: str = "run", released: bool = True, **changes: Any) -> dict[str, Any]:
    base = complete()
    release = RELEASE if released else None
    plan = {**base["plan"], "part": part, "release": release}
    return make_result(complete(plan=plan, release=release or {}, **changes))


def retreated(action: str, said: str, **changes: Any) -> dict[str, Any]:
    return made(failure=FAILURE, retreat={"action": action, "said": said}, **changes)


STOP_PHASES = {"phases": {"preflight": [step(0)], "quiesce": [step(5, changed=True)]}, "collections_before": COUNTED}
SAMPLES = {
    "released": made(),
    "stopped": made(part="stop", wait={}, deployment={}, health={}, collections={}, **STOP_PHASES),
    "stopped without a release": made(part="stop", released=False, collections={}, **STOP_PHASES),
    "would be stopped": made(part="stop", check_mode=True),
    "went back": retreated("back", "It goes back.", restore=step(80), collections=COUNTED, collections_before=COUNTED),
    "left stopped": retreated("stop", "It was not taken back.", restore=step(80), left_stopped=True),
    "left stopped by option": made(failure=FAILURE, restore=step(80), left_stopped=True),
}


@pytest.mark.parametrize(
    ("name", "outcome", "told"),
    [
        ("released", "unlocked", "wwhd-backend (dev) is healthy, and has backend:8."),
        ("stopped", "stopped", "It will be started with backend:8."),
        ("stopped without a release", "stopped", "tasks_from: start, or playbooks/unlock.yml -e env=dev, starts it."),
        ("would be stopped", "check", "Check mode: wwhd-backend (dev) would be stopped, because"),
        ("went back", "failed", "It goes back. The service is restored: desired count 1"),
        ("went back", "failed", "The data is whole: 240 points in 1 collection, the same as before the run."),
        ("left stopped", "failed", "It was not taken back. The service is left stopped (desired count 0); its tags"),
        (
            "left stopped by option",
            "failed",
            "as qdrant_unlock_on_failure says; its tags are kept, so that the next run finishes this one. That one"
            " starts backend:8, unless it is told otherwise: -e qdrant_unlock_task_definition=backend:7",
        ),
    ],
)
def test_what_a_person_is_told(name: str, outcome: str, told: str) -> None:
    result = SAMPLES[name]
    assert result["outcome"] == outcome
    assert told in " ".join(result["summary"])
    page = report_page(result, host="backend.dev", templates=_templates())
    assert ("backend:8" in page) is (name != "stopped without a release")


def test_the_release_is_in_the_result_for_programs() -> None:
    assert SAMPLES["released"]["release"] == {**RELEASE, "action": None}
    assert SAMPLES["went back"]["release"]["action"] == "back"
    assert SAMPLES["stopped without a release"]["release"] is None
    assert made(released=False)["release"] is None


def test_who_starts_the_service_compares_with_the_count_before_the_stop(tmp_path: Path) -> None:
    write_report(
        tmp_path, name="a-stop", host="a", result=SAMPLES["stopped"], templates=_templates(), clock=FakeClock().clock
    )
    kept = json.loads((tmp_path / "a-last-verified.json").read_text())
    assert kept == {"at": COUNTED["started_at"], "points": {"documents": 240}}
