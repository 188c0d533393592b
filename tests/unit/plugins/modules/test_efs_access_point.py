# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module through main(), and what it does, on a file system that is a list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs import access_points
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.modules import efs_access_point
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, Outcome, run_module

FILE_SYSTEM = "fs-00b8168893587fd61"
ARGS = {
    "region": "us-west-2", "file_system_id": FILE_SYSTEM, "name": "qdrant-dev", "path": "/qdrant/dev",
    "creation_info": {"owner_uid": 0, "owner_gid": 0}, "tags": {"env": "dev"},
}  # fmt: skip


class Efs:
    """Instead of `Aws`: answers, and notes what is written. EFS's answers come without HTTP here; the real protocol is
    tested against the sandbox."""

    def __init__(self) -> None:
        self.points: list[dict[str, Any]] = []
        self.writes: list[tuple[str, dict[str, Any]]] = []
        self.lost_race = False
        self.states: list[str] = []

    def __call__(self, _module: Any) -> Efs:
        return self

    def pages(self, _api: str, _operation: str, *, doing: str, **_params: Any) -> Iterator[dict[str, Any]]:
        assert doing
        # An empty page first: more may follow it.
        yield {"AccessPoints": []}
        yield {"AccessPoints": [] if self.lost_race and not self.writes else self.points}

    def call(self, _api: str, operation: str, *, doing: str, **params: Any) -> dict[str, Any]:
        assert doing
        if operation == "DescribeAccessPoints":
            state = self.states.pop(0) if len(self.states) > 1 else (self.states or ["available"])[0]
            return {"AccessPoints": [{"LifeCycleState": state}]}
        self.writes.append((operation, params))
        if operation == "CreateAccessPoint":
            if self.lost_race:
                raise OperationFailed("it is there", code="AccessPointAlreadyExists")
            name = next(tag["Value"] for tag in params["Tags"] if tag["Key"] == "Name")
            made = {**params, "AccessPointId": "fsap-1", "Name": name, "LifeCycleState": "creating"}
            self.points.append(made)
            return made
        return {}

    @property
    def written(self) -> list[str]:
        return [operation for operation, _params in self.writes]


@pytest.fixture
def efs() -> Iterator[Efs]:
    made = Efs()
    with mock.patch.object(efs_access_point, "Aws", made):
        yield made


def run(check: bool = False, **more: Any) -> Outcome:
    return run_module(efs_access_point.main, {**ARGS, **more}, clock=FakeClock(), check=check)


def point(**more: Any) -> dict[str, Any]:
    return {
        "AccessPointId": "fsap-9", "Name": "qdrant-dev", "ClientToken": "by-hand", "LifeCycleState": "available",
        "RootDirectory": {"Path": "/qdrant/dev"}, "Tags": [{"Key": "Name", "Value": "qdrant-dev"}], **more,
    }  # fmt: skip


def test_it_is_made_once_with_a_token_that_stays(efs: Efs) -> None:
    efs.states = ["creating", "available"]
    predicted = run(check=True)
    assert (predicted.changed, predicted.result["access_point_id"], efs.written) == (True, None, [])
    outcome = run()
    assert (outcome.changed, outcome.result["created"]) == (True, True)
    assert outcome.result["access_point"]["life_cycle_state"] == "available"
    [(_operation, sent)] = efs.writes
    assert sent["ClientToken"] == access_points.client_token(FILE_SYSTEM, "qdrant-dev")
    assert len(sent["ClientToken"]) <= 64
    assert sent["RootDirectory"] == {
        "Path": "/qdrant/dev", "CreationInfo": {"OwnerUid": 0, "OwnerGid": 0, "Permissions": "0755"},
    }  # fmt: skip
    assert "PosixUser" not in sent
    again = run()
    assert (again.changed, again.result["access_point_id"], len(efs.writes)) == (False, "fsap-1", 1)


def test_two_at_the_same_moment_make_one(efs: Efs) -> None:
    efs.lost_race = True
    efs.points = [point(ClientToken=access_points.client_token(FILE_SYSTEM, "qdrant-dev"))]
    assert run(tags={}).result["access_point_id"] == "fsap-9"


def test_one_that_was_made_by_hand_is_taken_and_tagged(efs: Efs) -> None:
    efs.points = [point(), point(AccessPointId="fsap-8", LifeCycleState="deleting")]
    predicted = run(check=True)
    assert efs.writes == []
    outcome = run()
    assert (outcome.changed, outcome.result["created"], efs.written) == (True, False, ["TagResource"])
    assert outcome.result["diff"] == predicted.result["diff"]
    assert outcome.result["diff"]["after"]["tags"] == {"Name": "qdrant-dev", "env": "dev"}
    assert "env" not in outcome.result["diff"]["before"]["tags"]


@pytest.mark.parametrize(
    ("points", "more", "told"),
    [
        ([point(RootDirectory={"Path": "/other"})], {}, "leads to /other, not to /qdrant/dev"),
        ([point(PosixUser={"Uid": 1, "Gid": 1})], {"posix_user": {"uid": 2, "gid": 1}}, "has the POSIX user"),
        ([point(), point(AccessPointId="fsap-8")], {}, "fsap-8, fsap-9 are all named qdrant-dev"),
        ([], {"path": "qdrant"}, "no path for an access point"),
        ([], {"path": "/a/b/c/d/e"}, "no path for an access point"),
        ([], {"path": "/a/../b"}, "no path for an access point"),
        ([], {"creation_info": {"owner_uid": 0, "owner_gid": 0, "permissions": "rwx"}}, "must be octal"),
        ([], {"wait_timeout": 0}, "wait_timeout must be 1 or more"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_made(
    efs: Efs, points: list[dict[str, Any]], more: dict[str, Any], told: str
) -> None:
    efs.points = points
    outcome = run(**more)
    assert outcome.failed
    assert told in outcome.msg
    assert efs.writes == []


@pytest.mark.parametrize(("state", "soon"), [("creating", False), ("error", True)])
def test_one_that_does_not_come_up_is_told(efs: Efs, state: str, soon: bool) -> None:
    efs.states = [state]
    clock = FakeClock()
    outcome = run_module(efs_access_point.main, ARGS, clock=clock)
    assert f"it is {state} after" in outcome.msg
    assert (clock.now < 1) is soon
    assert clock.now <= 120
