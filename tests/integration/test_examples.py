# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the EXAMPLES of every module, as they stand in its documentation, in a sandbox that has what they name.

Cluster, service, network, roles and file system of the examples are those of the seeded world. What else they name is
made first (`prepare_*`). What cannot be made, an address of somebody's own or the id that AWS gives a task, is replaced
by what stands for it here (the prepare function's answer); a text that no example has any more fails the test.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.plays import MODULES, play

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._processes import place
from ansible_collections.wwhd.qdrant_ops.plugins.modules import qdrant_snapshot
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import run_module
from sandbox import world
from sandbox.client import Sandbox

CLEANER = "clear-qdrant-locks"


@dataclass
class Prepared:
    """What an example is given beside the seeded world."""

    stand_ins: dict[str, str] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    afterwards: Callable[[], None] = lambda: None


def examples_of(path: Path) -> str:
    """The text of EXAMPLES, read without importing the module."""
    text = path.read_text().split('EXAMPLES = r"""', 1)[1]
    return text.split('"""', 1)[0]


def one_off(family: str, container: str, **changes: Any) -> dict[str, Any]:
    """A definition whose container only says something."""
    logs = {"awslogs-group": world.LOG_GROUP, "awslogs-region": world.REGION, "awslogs-stream-prefix": family}
    return {
        "family": family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": world.EXECUTION_ROLE,
        "containerDefinitions": [
            {
                "name": container,
                "image": "alpine:latest",
                "command": ["echo", "done"],
                "logConfiguration": {"logDriver": "awslogs", "options": logs},
                **changes,
            }
        ],
    }


def register(sandbox: Sandbox, definition: dict[str, Any], *, revisions: int) -> None:
    """So many revisions of the family, which differ in a label only."""
    ecs = sandbox.boto3("ecs")
    first, *rest = definition["containerDefinitions"]
    for revision in range(1, revisions + 1):
        labelled = {**first, "dockerLabels": {"revision": str(revision)}}
        ecs.register_task_definition(**{**definition, "containerDefinitions": [labelled, *rest]})


def prepare_ecs_run_oneoff(sandbox: Sandbox, _folder: Path) -> Prepared:
    register(sandbox, one_off(CLEANER, "cleaner"), revisions=3)
    # Alpine has no alembic: what the example gives as its command is said instead of run.
    register(sandbox, one_off("wwhd-migrate", "migrate", entryPoint=["echo"]), revisions=1)
    register(sandbox, one_off("wwhd-reindex", "reindex"), revisions=1)
    return Prepared()


def prepare_ecs_wait_task(sandbox: Sandbox, _folder: Path) -> Prepared:
    register(sandbox, one_off(CLEANER, "cleaner"), revisions=1)
    network = {"awsvpcConfiguration": {"subnets": list(world.SUBNETS)}}
    answer = sandbox.boto3("ecs").run_task(
        cluster=world.CLUSTER, taskDefinition=CLEANER, launchType="FARGATE", networkConfiguration=network
    )
    return Prepared({"0cb1c58f1b5a4f2b8e0d4f0a2c6b7e11": answer["tasks"][0]["taskArn"].rsplit("/", 1)[1]})


def prepare_ecs_service_redeploy(sandbox: Sandbox, _folder: Path) -> Prepared:
    # The seeded service runs the first revision, whose file system lets no second task start beside the first.
    definition = world.definition()
    definition["volumes"] = []
    for container in definition["containerDefinitions"]:
        del container["mountPoints"]
    register(sandbox, definition, revisions=6)
    ecs = sandbox.boto3("ecs")
    ecs.update_service(cluster=world.CLUSTER, service=world.SERVICE, taskDefinition=f"{world.FAMILY}:2", desiredCount=0)
    deadline = time.monotonic() + 60
    while any(task["last_status"] != "STOPPED" for task in sandbox.status()["tasks"]):
        assert time.monotonic() < deadline, sandbox.status()["tasks"]
        time.sleep(0.1)
    return Prepared()


def prepare_ecs_service_scale(sandbox: Sandbox, _folder: Path) -> Prepared:
    sandbox.boto3("application-autoscaling").register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=f"service/{world.CLUSTER}/{world.SERVICE}",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=1,
        MaxCapacity=1,
    )
    return Prepared()


def prepare_ecs_service_settings(sandbox: Sandbox, folder: Path) -> Prepared:
    return prepare_ecs_service_scale(sandbox, folder)


def prepare_ecs_service_restore(sandbox: Sandbox, folder: Path) -> Prepared:
    claim = {"wwhd.qdrant_ops:claim:example": "example since 2026-11-23T15:00:00Z until 2099-11-23T15:00:00Z"}
    ecs = sandbox.boto3("ecs")
    arn = ecs.describe_services(cluster=world.CLUSTER, services=[world.SERVICE])["services"][0]["serviceArn"]
    ecs.tag_resource(resourceArn=arn, tags=[{"key": key, "value": value} for key, value in claim.items()])
    # What the watchdog watches: it ends after the play, which has given the claim back by then.
    controller = subprocess.Popen(["sleep", "600"])
    plan = {
        "claim": claim,
        "run_id": "unlock-example",
        "tag_keys": list(claim),
        "controller": {"pid": controller.pid, "place": place()},
    }

    def watchdog_has_nothing_to_do() -> None:
        controller.kill()
        controller.wait()
        deadline = time.monotonic() + 60
        while not any('"outcome"' in path.read_text() for path in (folder / "async").glob("*")):
            assert time.monotonic() < deadline, "the watchdog did not end with what it watched"
            time.sleep(0.1)
        (told,) = [json.loads(path.read_text()) for path in (folder / "async").glob("*")]
        assert told["outcome"] == "released", told

    return Prepared(variables={"plan": plan}, afterwards=watchdog_has_nothing_to_do)


def prepare_ecs_task_definition(_sandbox: Sandbox, folder: Path) -> Prepared:
    (folder / "clear-locks-task.json").write_text(json.dumps(one_off(CLEANER, "cleaner")))
    return Prepared()


def prepare_http_health(sandbox: Sandbox, _folder: Path) -> Prepared:
    balancer = sandbox.state["health_url"].removesuffix("/health")
    return Prepared({"http://wwhd-alb-1530831557.us-west-2.elb.amazonaws.com": balancer})


def prepare_qdrant_collections_info(sandbox: Sandbox, _folder: Path) -> Prepared:
    url = sandbox.state["qdrant_url"]
    return Prepared(
        {"http://qdrant.internal:6333": url, "https://gateway.example.com/qdrant": url, "size: 384": "size: 8"}
    )


def prepare_qdrant_snapshot(sandbox: Sandbox, folder: Path) -> Prepared:
    return Prepared({"http://qdrant.internal:6333": sandbox.state["qdrant_url"], "/var/backups/qdrant": str(folder)})


def prepare_qdrant_snapshot_restore(sandbox: Sandbox, folder: Path) -> Prepared:
    url = sandbox.state["qdrant_url"]
    for name in ("before-release-42", "20261123T150405Z"):
        options = {"directory": str(folder), "name": name, "collections": ["documents"], "use_proxy": False}
        saved = run_module(qdrant_snapshot.main, {"url": url, **options})
        assert not saved.failed, saved.msg
        # What comes after the release; behind the load balancer only a count tells whether an upload came in.
        if name == "before-release-42":
            point = json.dumps({"points": [{"id": 9000, "vector": [0.1] * 8}]}).encode()
            request = urllib.request.Request(f"{url}/collections/documents/points?wait=true", point, method="PUT")
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert answer.status == 200
    return Prepared(
        {
            "http://qdrant.internal:6333": url,
            "http://new-qdrant.internal:6333": url,
            "/var/backups/qdrant": str(folder),
        }
    )


PREPARE: dict[str, Callable[[Sandbox, Path], Prepared]] = {
    name.removeprefix("prepare_"): function for name, function in globals().items() if name.startswith("prepare_")
}


class Backend(BaseHTTPRequestHandler):
    """The backend.example.com of the examples: it is fine, and finds something."""

    def do_GET(self) -> None:
        self.answer(
            {
                "status": "healthy",
                "version": "1.4.0",
                "checks": {"qdrant": {"collections": 2}},
                "components": [{"name": "store", "status": "up"}, {"name": "mail", "status": "disabled"}],
            }
        )

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer({"hits": ["test"]})

    def answer(self, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Version", "1.4.0")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class names it so
        """Nobody reads it."""


@pytest.fixture
def backend() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Backend) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.outside_iam("the examples use more of the modules than the playbooks do")
@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_examples(path: Path, sandbox: Sandbox, backend: str, tmp_path: Path) -> None:
    nothing: Callable[[Sandbox, Path], Prepared] = lambda _sandbox, _folder: Prepared()  # noqa: E731
    prepared = PREPARE.get(path.stem, nothing)(sandbox, tmp_path)
    text = examples_of(path)
    if path.stem == "http_health":
        prepared.stand_ins["https://backend.example.com"] = backend
    for written, stand_in in prepared.stand_ins.items():
        assert written in text, f"no example of {path.stem} names {written} any more"
        text = text.replace(written, stand_in)
    tasks = yaml.safe_load(text)
    assert tasks, f"{path.stem} has no examples"
    written_before = len(sandbox.writes())

    try:
        played = play(
            {"name": f"Examples of {path.stem}", "hosts": "testhost", "gather_facts": False, "tasks": tasks},
            place=tmp_path,
            variables=prepared.variables,
            environment={**sandbox.environment(), "BACKEND_TOKEN": "example"},
        )
    finally:
        prepared.afterwards()
    assert played.returncode == 0, played.stdout
    if path.stem.endswith("_info") or path.stem == "http_health":
        assert len(sandbox.writes()) == written_before


def test_nothing_is_prepared_for_a_module_that_is_not_there() -> None:
    assert set(PREPARE) <= {path.stem for path in MODULES}
