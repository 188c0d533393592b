# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""http_health and qdrant_collections_info against a store with a real storage engine, of an old and a newer version."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.modules import http_health, qdrant_collections_info
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import run_module
from sandbox import store
from sandbox.runtime import Runtime

from .conftest import SPEED, Service, Task, call

KEY = "k3y-of-the-store"
VERSIONS = ("1.7.4", "1.15.1")


@pytest.fixture(scope="module", params=VERSIONS)
def versioned(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Task]]:
    """A healthy task that wants a key, and its version."""
    folder = tmp_path_factory.mktemp("versioned")
    store.seed(folder / "efs")
    runtime = Runtime(isolation="auto", workdir=folder / "runtime", speed=SPEED)
    service = Service(runtime, folder / "efs")
    key = {"QDRANT__SERVICE__API_KEY": KEY}
    yield request.param, service.ready(image=f"qdrant/qdrant:v{request.param}", environment=key)
    runtime.close()


def test_the_health_of_a_service(versioned: tuple[str, Task]) -> None:
    _version, task = versioned
    outcome = run_module(
        http_health.main,
        {
            "url": f"http://localhost:{task.fastapi_port}/health",
            "use_proxy": False,
            "successes": 2,
            "interval": 0.05,
            "timeout": 30,
            "json": {"status": "healthy", "qdrant": {"one_of": ["ok"]}},
            "response_headers": {"Content-Type": {"contains": "json"}},
            "body_not_matches": "(?i)error",
        },
    )
    assert not outcome.failed, outcome.msg
    assert outcome.result["last"]["json"] == {"status": "healthy", "qdrant": "ok"}


def test_the_collections_of_a_store(versioned: tuple[str, Task]) -> None:
    version, task = versioned
    args = {
        "url": f"http://127.0.0.1:{task.qdrant_port}",
        "use_proxy": False,
        "api_key": KEY,
        "expected": {
            "documents": {"points_count": 240, "status": "green", "vectors[*].size": 8, "shards[*].state": "Active"},
            "conversations": None,
        },
    }
    if version != "1.7.4":
        args["api_key_scheme"] = "bearer"
    before = run_module(qdrant_collections_info.main, args)
    assert not before.failed, before.msg
    assert (before.result["version"], before.result["ready"]) == (version, True)
    documents = before.result["collections"][1]
    assert (documents["points_count"], documents["query_hits"], documents["query_note"]) == (240, 10, None)
    assert documents["shards"][0]["points_count"] == 240
    body = {"points": [{"id": 5000, "vector": [0.1] * 8}]}
    headers = {"api_key": KEY}
    path = "/collections/conversations/points?wait=true"
    assert call(task.qdrant_port, path, body, method="PUT", **headers).status == 200
    after = run_module(qdrant_collections_info.main, {**args, "baseline": before.result["collections"]})
    assert after.failed
    assert [one["kind"] for one in after.result["difference_details"]] == ["more_points"]
    tolerated = {**args, "baseline": before.result["collections"], "tolerate": ["more_points"]}
    assert not run_module(qdrant_collections_info.main, tolerated).failed


def test_a_store_without_its_key(versioned: tuple[str, Task]) -> None:
    version, task = versioned
    outcome = run_module(
        qdrant_collections_info.main, {"url": f"http://127.0.0.1:{task.qdrant_port}", "use_proxy": False}
    )
    assert outcome.failed
    assert f"it wants an API key ({403 if version == '1.7.4' else 401}: " in outcome.msg
