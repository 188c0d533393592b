# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook as an operator starts it, and a job as AWX starts it: by ansible-runner, with a survey's answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from integration.awx.controller import TOKEN, Controller

from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._awx.plan import make_plan
from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import serve
from sandbox.client import Sandbox
from sandbox.permissions import LEDGER, policy_for

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent
SECONDS = 240
DEFAULTS = yaml.safe_load((ROOT / "roles" / "qdrant_awx" / "defaults" / "main.yml").read_text())


def environment(**more: str) -> dict[str, str]:
    dropped = ("AWS_", "ANSIBLE_", "CONTROLLER_", "TOWER_", "PYTEST")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return {
        **kept, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1", "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true", **more,
    }  # fmt: skip


def run(*command: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env=environment(**more), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip


def test_the_page_s_first_command_makes_nothing_and_says_what_it_would(tmp_path: Path) -> None:
    """On an empty controller, with the inventory of this checkout; argument specs and all."""
    page = (ROOT / "docs" / "howto" / "awx.md").read_text()
    (variables,) = [
        block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "qdrant_awx_scm_url" in block
    ]
    (tmp_path / "awx.yml").write_text(variables)
    (command,) = [line for line in page.splitlines() if line.startswith("$ ansible-playbook") and "--check" in line]
    words = command.removeprefix("$ ").split()
    assert words[:2] == ["ansible-playbook", "playbooks/awx.yml"]
    words[words.index("@awx.yml")] = f"@{tmp_path / 'awx.yml'}"
    controller = Controller()
    with serve(controller) as server:
        done = run(BIN / words[0], *words[1:], CONTROLLER_HOST=server.url, CONTROLLER_OAUTH_TOKEN=TOKEN)
    assert done.returncode == 0, done.stdout
    assert controller.written == []
    assert "Would create job_templates: Qdrant: unlock" in done.stdout
    assert "Would create credential_types: Qdrant AWS role" in done.stdout
    assert "[WARNING]" not in done.stdout, done.stdout
    assert re.search(r"localhost +: ok=\d+ +changed=1 ", done.stdout), done.stdout


def test_an_unlock_of_a_protected_environment_refuses_an_empty_confirmation(tmp_path: Path, sandbox: Sandbox) -> None:
    """As a job of AWX: its inventory is a script that prints JSON, its variables are a template's and the answers."""
    groups, hostvars = {"local": ["wwhd-backend.local"]}, {"wwhd-backend.local": {}}
    options = {name.removeprefix("qdrant_awx_"): value for name, value in DEFAULTS.items()}
    plan = make_plan(
        {**options, "scm_url": "x", "environments": ["local"], "protected": ["local"]}, groups=groups, hostvars=hostvars
    )
    (template,) = [row for row in plan["templates"] if row["state"] == "present" and row["kind"] == "unlock"]
    answers = {question["variable"]: question["default"] for question in template["survey"]["spec"]}
    assert (answers["env"], answers["confirm"]) == ("local", "")
    variables = {
        **template["variables"], **answers, "qdrant_unlock_when": "always", "awx_job_id": 7, "tower_job_id": 7,
        "qdrant_unlock_report_dir": str(tmp_path / "reports"),
        # What the job before it left, a diagnosis.
        "qdrant_unlock_diagnoses": {"wwhd-backend.local": {"cause": "healthy"}},
    }  # fmt: skip
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "extravars").write_text(json.dumps(variables))
    place = tmp_path / "inventory" / "hosts"
    place.parent.mkdir()
    place.write_text(f"#!{sys.executable}\nprint({json.dumps(json.dumps(awx_inventory(sandbox)))})\n")
    place.chmod(0o700)
    with LEDGER.under(policy_for("unlock", ())):
        words = ("--project-dir", ROOT, "-p", template["playbook"], "--ident", "job")
        done = run(BIN / "ansible-runner", "run", tmp_path, *words)
    assert done.returncode != 0, done.stdout
    assert "The environment local is protected: pass -e confirm=local" in re.sub(r"\s+", " ", done.stdout), done.stdout
    assert sandbox.writes() == []
    events = [json.loads(path.read_text()) for path in (tmp_path / "artifacts/job/job_events").glob("*.json")]
    (stats,) = [event["event_data"] for event in events if event["event"] == "playbook_on_stats"]
    assert stats["artifact_data"]["qdrant_unlocks"]["wwhd-backend.local"]["outcome"] == "refused"


def awx_inventory(sandbox: Sandbox) -> dict[str, Any]:
    """What AWX makes of the inventory that it imported: values, no folder of group_vars beside it."""
    state = sandbox.state
    names = ("endpoint_url", "access_key", "secret_key")
    variables = {
        "qdrant_unlock_region": state["region"],
        "qdrant_unlock_aws": {name: state[name] for name in names},
        "qdrant_unlock_cluster": state["cluster"],
        "qdrant_unlock_service": state["service"],
    }
    return {
        "all": {"children": ["local"], "vars": {"ansible_connection": "local"}},
        "local": {"hosts": ["wwhd-backend.local"], "vars": variables},
        "_meta": {"hostvars": {"wwhd-backend.local": {}}},
    }
