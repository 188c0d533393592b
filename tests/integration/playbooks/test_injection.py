# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names from the inventory, and from the store, that a shell or a template would execute: they stay names.

tests/unit/test_injection.py fuzzes the check of inputs and the plan, tests/integration/cleaner/test_injection.py the
cleaner; here is one whole run, through Ansible's own templating.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.playbooks.operators import ROOT, Operator

from sandbox import world
from sandbox.client import Sandbox

MARK = "injected-canary"
SHELL = f"a $(touch {MARK}) `touch {MARK}`; touch {MARK} & 'b' \"c\" | d"
TEMPLATE = f"{{{{ lookup('pipe', 'touch {MARK}') }}}}{{% raw %}}"
PREFIX = f"p'$(touch${{IFS}}{MARK})`touch`\""


def touched(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in folder.rglob(f"{MARK}*") if ".cache" not in path.parts]


@pytest.fixture
def untouched(sandbox: Sandbox, tmp_path: Path) -> Iterator[None]:
    """Nothing has been executed: not here, where Ansible runs, nor in the store, where the cleaner does."""
    yield
    assert list(ROOT.glob(f"{MARK}*")) == []
    assert touched(ROOT / "playbooks", ROOT / "roles", tmp_path, sandbox.directory) == []


@pytest.mark.usefixtures("untouched")
@pytest.mark.sandbox_service("stopped")
def test_odd_names_stay_names(sandbox: Sandbox, tmp_path: Path) -> None:
    store = Path(sandbox.state["efs"][world.FILE_SYSTEM]) / "wwhd-dev"
    folder = store / SHELL
    folder.mkdir()
    names = [f"{TEMPLATE}.lock", f"{SHELL}.lock", "-rf .lock", "%s%n.lock", "nl\n.lock"]
    for name in names:
        (folder / name).touch()
    operator = Operator(tmp_path / SHELL / TEMPLATE)
    extra = tmp_path / "extra.json"
    extra.write_text(
        json.dumps(
            {
                "qdrant_unlock_scan_path": f"/{SHELL}",
                "qdrant_unlock_log_stream_prefix": PREFIX,
                "qdrant_unlock_lock_patterns": ["*.lock", "[!a].lock"],
                "qdrant_unlock_report_dir": str(tmp_path / SHELL / "reports of 'today'"),
            }
        )
    )
    played = operator.play(
        "unlock", "-vvv", "-e", f"@{extra}", environment={"QDRANT_OPS_SANDBOX": str(sandbox.directory)}
    )
    assert played.code == 0, played.output[-4000:]
    (report,) = (tmp_path / SHELL / "reports of 'today'").glob("*-unlock-*.json")
    removed = {lock["path"] for lock in json.loads(report.read_text())["locks"]["removed"]}
    assert removed == {f"/{SHELL}/{name}" for name in names}
    assert list(folder.iterdir()) == []
    html = report.with_suffix(".html").read_text()
    assert "lookup(&#39;pipe&#39;" in html
    streams = sandbox.boto3("logs").describe_log_streams(logGroupName=world.LOG_GROUP)["logStreams"]
    assert any(stream["logStreamName"].startswith(f"{PREFIX}/cleaner/") for stream in streams)


REFUSED = [
    ("cluster", f"c$(touch {MARK})"),
    ("service", f"s;touch {MARK}"),
    ("family", f"f`touch {MARK}`"),
    ("image", f"alpine;touch {MARK}"),
    ("log_group", f"/g'$(touch {MARK})"),
]


@pytest.mark.usefixtures("untouched")
@pytest.mark.sandbox_service("stopped")
def test_what_no_name_on_aws_can_be_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    operator = Operator(tmp_path / "reports")
    given = {f"qdrant_unlock_{name}": value for name, value in REFUSED}
    played = operator.play(
        "unlock", "-e", json.dumps(given), environment={"QDRANT_OPS_SANDBOX": str(sandbox.directory)}
    )
    assert played.code != 0
    for name, value in REFUSED:
        assert f"qdrant_unlock_{name} is " in played.text, played.output
        assert value in played.text.replace('\\"', '"').replace("''", "'")
    assert sandbox.calls() == []


@pytest.mark.usefixtures("untouched")
@pytest.mark.sandbox_service("stopped")
def test_an_environment_that_is_not_there_is_named_and_not_executed(sandbox: Sandbox, tmp_path: Path) -> None:
    name = f"$(touch${{IFS}}{MARK})"
    played = Operator(tmp_path).play("unlock", env=name)
    assert played.code != 0
    assert "There is no environment" in played.text
