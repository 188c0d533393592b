"""Several services of one cluster in one run, under the limits of an account: what it costs grows with them, not with
their square."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from bench.environments import create, inventory

from sandbox.client import Sandbox

ROOT = Path(__file__).resolve().parents[3]
SERVICES = 5
# For each service: what its own run reads, and once for all of them what the tasks of the cluster mount.
DEFINITIONS = 5 + 2


def test_several_services_are_unlocked_in_one_run_and_look_at_their_cluster_together(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "sandbox").start(speed=20, idle=600)
    try:
        names = create(sandbox, SERVICES)
        hosts = inventory(tmp_path, sandbox, names)
        sandbox.control("settings", token_buckets=True)
        before = len(sandbox.calls())
        played = subprocess.run(
            [
                str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(hosts), "playbooks/unlock.yml",
                "--forks", str(SERVICES), "-e", "env=many", "-e", "qdrant_unlock_when=always",
                "-e", f"qdrant_unlock_report_dir={tmp_path / 'reports'}",
            ],
            cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        calls = Counter(call["operation"] for call in sandbox.calls()[before:])
    finally:
        sandbox.stop()
    assert played.returncode == 0, played.stdout + played.stderr
    for service in names:
        assert f"{service} (many) is healthy again." in played.stdout
        assert len(list((tmp_path / "reports").glob(f"{service}-unlock-*.html"))) == 1
    assert len(re.findall(r"^env\d+ +: .*failed=0", played.stdout, re.MULTILINE)) == SERVICES
    assert "Throttl" not in played.stdout + played.stderr
    # By themselves, five would read 5 x (5 + 2 x 4) of them.
    assert calls["DescribeTaskDefinition"] <= DEFINITIONS * SERVICES, calls
