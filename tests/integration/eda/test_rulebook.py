# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-rulebook with the rulebook as it is, started as the page says, fed with ECS's events by its webhook."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.eda import pages
from integration.playbooks.operators import Operator

from sandbox import world
from sandbox.client import Sandbox

sys.path.insert(0, str(pages.ROOT / "tools"))
import venvs

PAGE = "eda.md"
TOKEN = "a-secret-of-the-webhook"
# For the whole test: Java and three playbooks take minutes on a loaded machine. Less than faulthandler_timeout.
SECONDS = 270
UNLOCKS = "PLAY [Bring Qdrant back, if it is its locks]"


def rulebook_environment() -> Path:
    """Where ansible-rulebook is, or a skip that says what is missing."""
    try:
        told = subprocess.run(["java", "-version"], capture_output=True, text=True, check=False).stderr
    except OSError:
        pytest.skip("not tried: there is no java here, and ansible-rulebook needs Java 17")
    version = re.search(r'version "(\d+)', told)
    if version is None or int(version[1]) < 17:
        pytest.skip(f"not tried: ansible-rulebook needs Java 17, and java is {version[1] if version else told!r}")
    try:
        return venvs.environment("rulebook")
    except venvs.MissingError as error:
        pytest.skip(f"not tried: {error}")


@dataclass
class Rulebook:
    process: subprocess.Popen[bytes]
    port: int
    log: Path
    deadline: float = field(default_factory=lambda: time.monotonic() + SECONDS)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text()))

    def until(self, true: Callable[[], Any], what: str) -> None:
        while not true():
            if self.process.poll() is not None or time.monotonic() > self.deadline:
                pytest.fail(f"{what}: did not come to pass.\n{self.log.read_text()[-6000:]}")
            time.sleep(0.1)

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def post(self, event: dict[str, Any], token: str = TOKEN) -> int:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/ecs",
            json.dumps(event).encode(),
            {"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def services(sandbox: Sandbox) -> dict[str, str]:
    """The sandbox's service, which may be unlocked, and one that may not."""
    (found,) = sandbox.boto3("ecs").describe_services(cluster=world.CLUSTER, services=[world.SERVICE])["services"]
    arn = str(found["serviceArn"])
    return {"local": arn, "prod": re.sub(r"[^/]+/[^/]+$", f"wwhd-prod/{world.SERVICE}", arn)}


@pytest.fixture
def rulebook(sandbox: Sandbox, services: dict[str, str], tmp_path: Path) -> Iterator[Rulebook]:
    place = rulebook_environment()
    settings = pages.data(PAGE) | {
        "qdrant_eda_watch": list(services.values()),
        "qdrant_eda_unlock": [services["local"]],
        "qdrant_eda_environments": {arn: env for env, arn in services.items()},
        "qdrant_eda_report_dir": str(tmp_path / "reports"),
        "qdrant_eda_port": free_port(),
    }
    (tmp_path / "eda.yml").write_text(yaml.safe_dump(settings))
    words = shlex.split(pages.command(PAGE, "ansible-rulebook").replace("eda.yml", str(tmp_path / "eda.yml")))
    name, value = pages.command(PAGE, "export").removeprefix("export ").replace("$PWD", str(pages.ROOT)).split("=")
    kept = {key: text for key, text in os.environ.items() if not key.startswith(("AWS_", "ANSIBLE_", "PYTEST"))}
    log = tmp_path / "rulebook.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [place / "bin" / words[0], *words[1:]],
            cwd=pages.ROOT,
            env={
                **kept,
                name: value,
                # Where ansible-galaxy and ansible-playbook are; the rulebook's own environment has neither.
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
                "QDRANT_OPS_SANDBOX": str(sandbox.directory),
                "qdrant_eda_token": TOKEN,
            },
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    try:
        yield Rulebook(process, settings["qdrant_eda_port"], log)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def state_change(task: dict[str, Any]) -> dict[str, Any]:
    """EventBridge's event: its detail is the task as DescribeTasks gives it."""
    detail = json.loads(json.dumps(task, default=str))
    return {"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": detail}


def test_three_failures_bring_a_diagnosis_and_an_unlock_where_it_is_allowed(
    sandbox: Sandbox, services: dict[str, str], rulebook: Rulebook
) -> None:
    ecs = sandbox.boto3("ecs")
    (arn,) = ecs.list_tasks(cluster=world.CLUSTER, serviceName=world.SERVICE)["taskArns"]
    (task,) = ecs.describe_tasks(cluster=world.CLUSTER, tasks=[arn])["tasks"]
    failed = task | {"lastStatus": "STOPPED", "desiredStatus": "STOPPED", "stopCode": "EssentialContainerExited"}
    rulebook.until(rulebook.listens, "the webhook listens")

    assert rulebook.post(state_change(failed), token="guessed") == 401
    for count in range(3):
        another = f"{arn}{count}"
        # What happened on purpose, what another cluster's tasks do, and what comes twice count for nothing.
        rulebook.post(state_change(failed | {"taskArn": another, "stopCode": "UserInitiated"}))
        rulebook.post(state_change(failed | {"taskArn": another, "group": "family:clear-qdrant-locks"}))
        elsewhere = failed["clusterArn"].replace(world.CLUSTER, "somebody-elses")
        rulebook.post(state_change(failed | {"taskArn": another, "clusterArn": elsewhere}))
        rulebook.post(state_change(failed))
        # This one is watched, and may not be unlocked.
        prod = failed["clusterArn"].replace(world.CLUSTER, "wwhd-prod")
        rulebook.post(state_change(failed | {"taskArn": f"{another}prod", "clusterArn": prod}))
    rulebook.until(lambda: "The service is healthy." in rulebook.text, "a diagnosis")
    assert UNLOCKS not in rulebook.text
    for count in range(2):
        assert rulebook.post(state_change(failed | {"taskArn": f"{arn}{count}"})) == 200
    rulebook.until(lambda: "not the locks of the store, so nothing was changed." in rulebook.text, "an unlock")

    assert rulebook.text.count("PLAY [Say what is wrong with the service]") == 1
    assert rulebook.text.count(UNLOCKS) == 1
    # The diagnosis of prod, which the inventory does not have, was tried once, and nothing else there.
    assert rulebook.text.count("run_playbook - ERROR") == 1
    assert "There is no environment prod in the inventory" in rulebook.text
    assert sandbox.writes() == []


def test_locks_reach_the_unlock_and_a_protected_environment_refuses_it(sandbox: Sandbox, operator: Operator) -> None:
    sandbox.break_("stale-lock", lease_real=600)
    words = shlex.split(pages.command(PAGE, "ansible-playbook"))
    assert words[:2] == ["ansible-playbook", "playbooks/unlock_if_locked.yml"]
    where = {"QDRANT_OPS_SANDBOX": str(sandbox.directory)}
    protected = ["-e", "qdrant_unlock_protected=true", "-e", "qdrant_unlock_health_url="]
    played = operator.play("unlock_if_locked", *words[2:], *protected, environment=where)
    assert played.code != 0
    assert "The environment local is protected: pass -e confirm=local to say that you mean it." in played.text
    assert sandbox.writes() == []
