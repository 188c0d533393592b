"""Several services of one cluster in one run, under the limits of an account: what it costs grows with them, not with
their square, and what befalls one is no other's."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.environments import create, inventory

from sandbox.client import Sandbox

ROOT = Path(__file__).resolve().parents[3]
SERVICES = 5
# For each service: what its own run reads, and once for all of them what the tasks of the cluster mount.
DEFINITIONS = 5 + 2


class Several:
    """A cluster with that many healthy services, and runs of the playbook for all of them."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        self.names = create(sandbox, SERVICES)
        self.hosts = inventory(folder, sandbox, self.names)
        sandbox.control("settings", token_buckets=True)

    def unlock(self, reports: str) -> tuple[subprocess.CompletedProcess[str], Counter[str]]:
        before = len(self.sandbox.calls())
        played = subprocess.run(
            [
                str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(self.hosts), "playbooks/unlock.yml",
                "--forks", str(SERVICES), "-e", "env=many", "-e", "qdrant_unlock_when=always",
                "-e", f"qdrant_unlock_report_dir={self.folder / reports}",
            ],
            cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        return played, Counter(call["operation"] for call in self.sandbox.calls()[before:])

    def desired(self) -> list[int]:
        ecs = self.sandbox.boto3("ecs")
        found = ecs.describe_services(cluster="wwhd-cluster", services=self.names, include=["TAGS"])["services"]
        assert not [tag for service in found for tag in service.get("tags", []) if "qdrant_ops" in tag["key"]]
        return [int(service["desiredCount"]) for service in found]


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Several]:
    folder = tmp_path_factory.mktemp("several")
    sandbox = Sandbox(folder / "sandbox").start(speed=20, idle=600)
    try:
        yield Several(sandbox, folder)
    finally:
        sandbox.stop()


def test_several_services_are_unlocked_in_one_run_and_look_at_their_cluster_together(several: Several) -> None:
    played, calls = several.unlock("all")
    assert played.returncode == 0, played.stdout + played.stderr
    for service in several.names:
        assert f"{service} (many) is healthy again." in played.stdout
        assert len(list((several.folder / "all").glob(f"{service}-unlock-*.html"))) == 1
    assert len(re.findall(r"^env\d+ +: .*failed=0", played.stdout, re.MULTILINE)) == SERVICES
    assert "Throttl" not in played.stdout + played.stderr
    # By themselves, five would read 5 x (5 + 2 x 4) of them.
    assert calls["DescribeTaskDefinition"] <= DEFINITIONS * SERVICES, calls


def test_one_that_fails_is_put_back_and_holds_up_no_other(several: Several) -> None:
    several.sandbox.fault("access_denied", count=1, match={"operation": "RunTask"})
    played, _calls = several.unlock("but_one")
    assert played.returncode == 2, played.stdout + played.stderr
    failed = re.findall(r"^(env\d+) +: .*failed=1", played.stdout, re.MULTILINE)
    assert len(failed) == 1
    assert len(re.findall(r"is healthy again\.", played.stdout)) == SERVICES - 1
    (report,) = (several.folder / "but_one").glob(f"{failed[0]}-unlock-*.json")
    assert json.loads(report.read_text())["outcome"] == "failed"
    assert several.desired() == [1] * SERVICES
