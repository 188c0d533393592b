# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run refuses, in one sentence each, before it has changed anything."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.tests.unit.plan_facts import HEALTHY, OLD, VOLUME, claimed, info, plan


def other(name: str, **more: Any) -> dict[str, Any]:
    return {**VOLUME, "name": name, "containers": [{"name": name, "image": "x", "container_path": "/x"}], **more}


@pytest.mark.parametrize(
    ("read", "options", "said"),
    [
        (info(service={"status": "DRAINING"}), {}, "is DRAINING, not ACTIVE"),
        (info(service={"deployment_controller": {"type": "CODE_DEPLOY"}}), {}, "CodeDeploy"),
        (info(service={"deployment_controller": {"type": "EXTERNAL"}}), {}, "EXTERNAL deployment controller"),
        (info(service={"scheduling_strategy": "DAEMON"}), {}, "is a DAEMON"),
        (info(service={"deployment_configuration": {"strategy": "BLUE_GREEN"}}), {}, "deploys BLUE_GREEN"),
        (info(service={"desired_count": 2}), {}, "would run 2 tasks"),
        (info(), {"desired_count": "3"}, "would run 3 tasks"),
        (info(volumes=[]), {}, "mounts no EFS volume"),
        (info(volumes=[other("a"), other("b")]), {}, "More than one volume could hold the store"),
        (
            info(),
            {"file_system_id": "fs-2"},
            "qdrant_unlock_file_system_id is fs-2, but the service's volumes are data",
        ),
        (info(), {"access_point_id": "fsap-2"}, "qdrant_unlock_access_point_id is fsap-2"),
        (info(), {"container": "nobody"}, "No container nobody mounts"),
        (info(tasks=[{"task_arn": "a/t1", "protected": True}]), {}, "scale-in protection (t1)"),
        (info(), {"protected": True}, "pass -e confirm=dev"),
        (info(), {"protected": True, "confirm": "prod"}, "pass -e confirm=dev"),
        (info(network=None), {}, "set qdrant_unlock_subnets"),
    ],
)
def test_each_refusal_is_one_sentence(read: dict[str, Any], options: dict[str, Any], said: str) -> None:
    made = plan(read, **options)
    assert len(made["refusals"]) == 1, made["refusals"]
    assert said in made["refusals"][0]
    assert made["go"] is False


REFUSED = {"last": {"status": None, "error": "connection refused"}}


@pytest.mark.parametrize(
    ("read", "health", "collections", "said"),
    [
        (info(**HEALTHY), REFUSED, None, "cannot be reached from here (connection refused)"),
        (info(targets=[{"target_group_arn": "x"}]), REFUSED, None, "cannot be reached from here"),
        (
            info(**HEALTHY),
            {"last": {"status": 404, "error": "404"}},
            None,
            "answers 404 although the service is healthy",
        ),
        (
            info(**HEALTHY),
            {"msg": "json: no path", "failed": True},
            None,
            "address cannot be asked: json: no",
        ),
        (info(**HEALTHY), None, {"msg": "Wrong key."}, "The points cannot be counted"),
    ],
)
def test_a_run_that_could_not_be_verified_is_not_begun(
    read: dict[str, Any], health: dict[str, Any] | None, collections: dict[str, Any] | None, said: str
) -> None:
    made = plan(read, health=health, collections=collections, when="always", health_url="http://h/")
    assert len(made["refusals"]) == 1, made["refusals"]
    assert said in made["refusals"][0]


@pytest.mark.parametrize(
    ("read", "options"),
    [
        (info(service={"desired_count": 2}), {"allow_many": "true"}),
        (info(), {"protected": True, "confirm": "dev"}),
        (info(volumes=[other("a"), VOLUME]), {}),  # the one that a qdrant image mounts
        (info(volumes=[other("a"), other("b")]), {"container": "b"}),
        (info(**HEALTHY), {"protected": True}),  # nothing needed, nothing to confirm
        (info(service={"desired_count": 2}), {"mode": "inspect"}),
    ],
)
def test_what_passes(read: dict[str, Any], options: dict[str, Any]) -> None:
    assert plan(read, **options)["refusals"] == []


def test_a_password_in_an_address_is_not_told() -> None:
    made = plan(info(**HEALTHY), health=REFUSED, when="always", health_url="http://ann:SECRET@h/")
    assert "SECRET" not in str(made["refusals"])
    assert "http://***@h/" in made["refusals"][0]


def test_an_unlock_under_way_is_left_alone() -> None:
    made = plan(info(service={"tags": claimed("bob@far/9")}))
    assert len(made["refusals"]) == 1
    assert (
        f"Another unlock of this service is under way: {OLD}, by bob@far/9, since 2026-11-23T12:00"
        in made["refusals"][0]
    )
