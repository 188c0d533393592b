# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release in the stop of an unlock: when it is needed, what it is refused for, and whether there is a way back."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.filter.unlock_retreat import FilterModule
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.inputs import faults_of_inputs
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.owner import EARLIER_RELEASE, RELEASE, new_claim
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.plan import make_plan
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.release import retreat
from ansible_collections.wwhd.qdrant_ops.tests.unit.plan_facts import (
    HEALTHY,
    NOW,
    OPTIONS,
    VOLUME,
    info,
)

PREFIX = "arn:aws:ecs:us-west-2:1:task-definition/"
CLAIM = new_claim(claim_id="unlock-20261123T110000Z-aaaaaa", owner="bob@box/2", now=NOW, lease_seconds=0)
OLD, NEW = "qdrant/qdrant:v1.7.4", "qdrant/qdrant:v1.8.0"


def running(revision: int, *, tags: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    read = info(service={"tags": tags or {}}, **changes)
    read["task_definition"]["task_definition_arn"] = f"{PREFIX}backend:{revision}"
    return read


def prepared(revision: int, *, qdrant: str = OLD, registered: bool = False, **volume: Any) -> dict[str, Any]:
    mounted = {**copy.deepcopy(VOLUME), **volume}
    return {
        "task_definition_arn": f"{PREFIX}backend:{revision}",
        "registered": registered,
        "prepared": {"changes": ["a -> b"], "images": {"qdrant": qdrant}, "volumes": [mounted]},
    }


def plan(read: dict[str, Any], release: dict[str, Any] | None, *, part: str = "run", **options: Any) -> dict[str, Any]:
    return make_plan(
        read,
        options={**OPTIONS, **options},
        health=None,
        collections=None,
        script="#!/bin/sh",
        environment="dev",
        owner="ann@box/1",
        controller={"pid": 1, "place": "0"},
        run_id="unlock-20261123T120000Z-bbbbbb",
        now=NOW,
        release=release,
        part=part,
    )


def unfinished(release: str = "backend:8", earlier: str = "backend:7 same") -> dict[str, str]:
    return {CLAIM.key: CLAIM.value, RELEASE: release, EARLIER_RELEASE: earlier}


ASKED = {"task_definition": "backend:8"}
BACK = {"task_definition": "backend:7"}


def test_a_healthy_service_that_has_another_release_needs_a_run() -> None:
    made = plan(running(7, **HEALTHY), prepared(8), **ASKED)
    assert made["go"]
    assert made["why"] == ["it is a release: a -> b"]
    assert made["tags"][RELEASE] == "backend:8"
    assert made["tags"][EARLIER_RELEASE] == "backend:7 same"
    assert made["release"]["task_definition"] == f"{PREFIX}backend:8"
    made = plan(running(7, **HEALTHY), prepared(8, qdrant=NEW, registered=True), images={"qdrant": NEW})
    assert made["release"]["register"]
    assert made["release"]["task_definition"] is None
    assert made["tags"][EARLIER_RELEASE] == "backend:7 other"


@pytest.mark.parametrize("healthy", [HEALTHY, {}])
def test_what_the_service_has_is_no_release(healthy: dict[str, Any]) -> None:
    made = plan(running(8, **healthy), prepared(8), **ASKED)
    assert made["release"] is None
    assert RELEASE not in made["tags"]
    assert made["needed"] is not bool(healthy)


@pytest.mark.parametrize(
    ("volume", "told"),
    [
        ({"access_point_id": "fsap-2"}, "mounts fs-1 through fsap-2, but the store lies on fs-1 through fsap-1"),
        ({"root_directory": "/x"}, "mounts fs-1 through fsap-1 at /x, but the store lies on fs-1 through fsap-1:"),
        ({"containers": []}, "mounts the store in container qdrant not at all, until now at /qdrant/storage"),
        (
            {"containers": [{**VOLUME["containers"][0], "read_only": True}]},
            "in container qdrant at /qdrant/storage read-only, until now at",
        ),
    ],
)
def test_a_release_that_would_start_without_its_data_is_refused(volume: dict[str, Any], told: str) -> None:
    made = plan(running(7, **HEALTHY), prepared(8, **volume), **ASKED)
    assert not made["go"]
    assert told in " ".join(made["refusals"])


def test_names_that_no_tag_can_hold_are_refused() -> None:
    long = prepared(8)
    long["task_definition_arn"] = f"{PREFIX}{'x' * 255}:8"
    assert "too long to be noted" in " ".join(plan(running(7), long, **ASKED)["refusals"])


@pytest.mark.parametrize(
    ("read", "release", "options", "name", "told"),
    [
        # It was stopped: whoever comes finishes the release, and is told how not to.
        (running(7, tags=unfinished()), prepared(8), {}, "backend:8", "To go back to backend:7 instead, pass -e"),
        (running(7, tags=unfinished()), prepared(9), ASKED, "backend:9", "this one has backend:9 instead"),
        # It was not stopped yet: only who asks for the release has the service stopped.
        (running(7, tags=unfinished(), **HEALTHY), prepared(8), {}, None, "so it is not stopped for that now"),
        (running(7, tags=unfinished(), **HEALTHY), prepared(8), ASKED, "backend:8", "and this one does it"),
        # It was started.
        (running(8, tags=unfinished(), **HEALTHY), prepared(8), {}, None, "which backend has now"),
        (running(8, tags=unfinished()), prepared(8), {}, "backend:8", "which backend has now"),
        # Whoever went back by word wrote down just that.
        (
            running(8, tags=unfinished()),
            prepared(7),
            {"task_definition": "backend:7"},
            "backend:7",
            "backend:7 instead",
        ),
    ],
)
def test_an_unfinished_release_is_finished_and_told(
    read: dict[str, Any], release: dict[str, Any], options: dict[str, Any], name: str | None, told: str
) -> None:
    made = plan(read, release, **options)
    assert made["go"]
    assert (made["release"] or {}).get("name") == name
    assert told in " ".join(made["warnings"])
    if name:
        assert made["release"]["previous"] == "backend:7"
        assert made["tags"][RELEASE] == name
    assert {RELEASE, EARLIER_RELEASE} <= set(made["tag_keys"])


def test_stopping_and_starting_are_parts_of_a_run() -> None:
    stop = plan(running(7, **HEALTHY), None, part="stop")
    assert (stop["stop"], stop["clean"], stop["start"]) == (True, False, False)
    assert stop["why"] == ["the service is to be stopped"]
    stopped = running(7, tags={CLAIM.key: CLAIM.value})
    stopped["service"]["desired_count"] = 0
    again = plan(stopped, None, part="stop")
    assert not again["needed"]
    assert not again["go"]
    assert plan(stopped, prepared(8), part="stop", **ASKED)["go"], "another release is written down"
    start = plan(stopped, None, part="start")
    assert (start["stop"], start["clean"], start["start"]) == (True, True, True)
    assert not plan(running(7, **HEALTHY), None, part="start", when="always")["needed"]
    assert "No run has stopped the service backend" in " ".join(plan(running(7), None, part="start")["refusals"])


RAN = {"outcome": "failed_tasks", "failures": [{"containers": [{"name": "qdrant", "exit_code": 101}]}]}
NEVER = {"outcome": "failed_tasks", "failures": [{"containers": [{"name": "qdrant", "last_status": "STOPPED"}]}]}
# The circuit breaker of ECS has gone back by itself.
ROLLED_BACK = {**RAN, "deployment": {"id": "ecs-svc/2"}}
UP = {"outcome": "completed", "tasks": [{"started_at": "x", "containers": []}]}


@pytest.mark.parametrize(
    ("current", "way_back", "deployment", "action", "told"),
    [
        ("backend:7", False, {}, "none", "The release of backend:8 did not happen"),
        ("backend:7", True, {**RAN, "deployment": {}}, "none", "did not happen"),
        ("backend:7", True, ROLLED_BACK, "none", "the service has backend:7 again"),
        ("backend:7", False, ROLLED_BACK, "none", "an older one may not read what it wrote: look at its log"),
        ("backend:8", True, RAN, "back", "goes back from backend:8 to backend:7"),
        ("backend:8", True, UP, "back", "goes back"),
        ("backend:8", False, NEVER, "back", "goes back"),
        ("backend:8", False, RAN, "stop", "an older one may not read what it wrote"),
        ("backend:8", False, {}, "stop", "-e qdrant_unlock_task_definition=backend:7"),
        ("backend:8", False, {"msg": "the connection was lost"}, "stop", "may have opened the store"),
        ("backend:8", False, UP, "stay", "The service goes on running backend:8"),
    ],
)
def test_there_is_a_way_back_only_where_it_cannot_cost_the_data(
    current: str, way_back: bool, deployment: dict[str, Any], action: str, told: str
) -> None:
    release = {"name": "backend:8", "previous": "backend:7", "way_back": way_back}
    decide = FilterModule().filters()["unlock_retreat"]
    info_now = {"task_definition": {"task_definition_arn": PREFIX + current}}
    found = decide(release, info=info_now, deployment=deployment)
    assert found["action"] == action
    assert told in found["said"]


def test_the_claim_of_a_release_lasts_for_the_way_back_as_well() -> None:
    release, plain = plan(running(7), prepared(8), **ASKED), plan(running(7), None)
    assert release["go"]
    again = sum(release["timeouts"][name] for name in ("quiesce", "redeploy", "verify"))
    assert release["lease_seconds"] == plain["lease_seconds"] + again


@pytest.mark.parametrize(("has_run", "action"), [(False, "back"), (True, "stop")])
def test_a_task_that_ran_and_is_gone_without_a_fault_forbids_the_way_back(has_run: bool, action: str) -> None:
    release = {"name": "backend:8", "previous": "backend:7", "way_back": False}
    ended = {"outcome": "timed_out", "tasks": [], "failures": [], "has_run": has_run}
    assert retreat(release, current="backend:8", deployment=ended, completed=False)["action"] == action


def test_a_service_that_was_found_stopped_is_not_said_to_go_on_running() -> None:
    release = {"name": "backend:8", "previous": "backend:7", "way_back": False}
    found = retreat(release, current="backend:8", deployment=UP, completed=True, stopped_before=True)
    assert found["action"] == "stop"
    assert "goes on running" not in found["said"]


def test_a_run_that_went_back_by_word_says_what_it_has() -> None:
    release = {"name": "backend:7", "previous": "backend:7"}
    assert retreat(release, current="backend:7", deployment=None, completed=False)["said"].startswith("The service has")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"task_definition": "backend:8"}, ""),
        ({"task_definition": PREFIX + "backend:8"}, ""),
        ({"task_definition": "backend:latest"}, "give a task definition's family, family:revision or ARN"),
        ({"images": {"fastapi": "wwhd/backend:2"}}, ""),
        ({"images": "fastapi=wwhd/backend:2"}, "give a dictionary of containers and their images"),
        ({"images": {"fastapi": None}}, "has None for container fastapi: give the name of a container image"),
    ],
)
def test_variables_of_a_release_are_checked(options: dict[str, Any], told: str) -> None:
    faults = faults_of_inputs({**OPTIONS, **options}, given=[], known={}, where="")
    assert (told in " ".join(faults)) if told else (faults == [])
