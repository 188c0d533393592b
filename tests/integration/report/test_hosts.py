# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several hosts of one run: a page each, one index, statistics for AWX, and never a failure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ansible_collections.wwhd.qdrant_ops.tests.unit.unlock_samples import samples

ROOT = Path(__file__).resolve().parents[3]
HOSTS = {"one.dev": "unlocked", "two.dev": "held", "three.dev": "nothing_to_do"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A play over three hosts, and the result of each."""
    results = samples()
    text = json.dumps({host: results[name] for host, name in HOSTS.items()})
    (tmp_path / "results.json").write_text(text.replace("steady", "{{ 7 * 7 }} <script>"))
    play = [
        {
            "hosts": "all",
            "connection": "local",
            "gather_facts": False,
            "tasks": [
                {
                    "wwhd.qdrant_ops.unlock_report": {
                        "result": "{{ (lookup('ansible.builtin.file', folder ~ '/results.json') | from_json)"
                        "[inventory_hostname] }}",
                        "folder": "{{ place }}",
                        "name": "{{ inventory_hostname }}-unlock-1",
                    },
                    "register": "written",
                },
                {
                    "ansible.builtin.debug": {"msg": "REPORT {{ written.report }} {{ written.msg | default('') }}"},
                },
            ],
        }
    ]
    (tmp_path / "play.yml").write_text(yaml.safe_dump(play))
    return tmp_path


def run(folder: Path, place: str) -> str:
    done = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"), folder / "play.yml", "--check",
            "-i", ",".join(HOSTS) + ",", "-e", json.dumps({"folder": str(folder), "place": place}),
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "ANSIBLE_SHOW_CUSTOM_STATS": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "NO_COLOR": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_hosts_of_one_run_have_a_page_each_one_index_and_statistics(folder: Path) -> None:
    reports = folder / "reports"
    said = run(folder, str(reports))
    for host in HOSTS:
        assert f"REPORT {reports}/{host}-unlock-1" in said
        assert (reports / f"{host}-unlock-1.html").stat().st_mode & 0o777 == 0o600
        assert json.loads((reports / f"{host}-unlock-1.json").read_text())["service"] == "wwhd-backend"
    assert said.count("changed=0") == 3
    # A text of a result is no template, wherever it comes by.
    assert "{{ 7 * 7 }} &lt;script&gt;" in (reports / "one.dev-unlock-1.html").read_text()
    index = (reports / "index.html").read_text()
    assert all(f'href="{host}-unlock-1.html"' in index for host in HOSTS)
    stats = json.loads(said.split("RUN:", 1)[1].split("\n\n")[0].strip())
    unlocks = stats["qdrant_unlocks"]
    assert {host: entry["outcome"] for host, entry in unlocks.items()} == {
        "one.dev": "unlocked", "two.dev": "failed", "three.dev": "nothing_to_do",
    }  # fmt: skip
    assert unlocks["one.dev"]["locks"] == {"found": 6, "removed": 5, "held": 0, "kept": 1}
    assert unlocks["one.dev"]["report"] == f"{reports}/one.dev-unlock-1"
    assert "log" not in unlocks["one.dev"]


@pytest.mark.parametrize(("place", "warned"), [("/proc/nowhere/reports", True), ("", False)])
def test_a_report_that_cannot_be_written_changes_nothing(folder: Path, place: str, warned: bool) -> None:
    said = run(folder, place)
    assert f"The report could not be written to {place}:" in said if warned else "could not be written" not in said
    assert "REPORT None" in said or "REPORT  " in said
    stats = json.loads(said.split("RUN:", 1)[1].split("\n\n")[0].strip())
    assert stats["qdrant_unlocks"]["one.dev"]["report"] is None
