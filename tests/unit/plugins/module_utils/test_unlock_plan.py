# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision of a run: need, what an unfinished run has left, and the values for the phases."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import foreign_text
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.owner import (
    AUTOSCALING,
    DEREGISTRATION_DELAY,
    DESIRED_COUNT,
)
from ansible_collections.wwhd.qdrant_ops.tests.unit.plan_facts import HEALTHY, OLD, claimed, info, plan


@pytest.mark.parametrize(
    ("read", "options", "health", "needed", "why"),
    [
        (info(), {}, None, True, "0 of 1 tasks run"),
        (info(**HEALTHY), {}, None, False, "the service is healthy, and no earlier unlock is unfinished"),
        (info(**HEALTHY), {"when": "always"}, None, True, "qdrant_unlock_when is always"),
        (
            info(**HEALTHY),
            {},
            {"last": {"status": 503, "error": "503"}},
            True,
            "the health address does not answer as it should (503)",
        ),
        (info(**HEALTHY), {}, {"last": {"status": 200, "error": None}}, False, "healthy"),
        (info(**HEALTHY), {}, {"skipped": True}, False, "healthy"),
        (info(), {}, {"last": {"status": None, "error": "connection refused"}}, True, "0 of 1"),  # no load balancer
    ],
)
def test_whether_anything_is_needed(
    read: dict[str, Any], options: dict[str, Any], health: dict[str, Any] | None, needed: bool, why: str
) -> None:
    made = plan(read, health=health, **options)
    assert made["needed"] is needed
    assert made["go"] is needed
    assert why in " ".join(made["why"])


def test_a_service_stopped_by_hand_ends_with_one_task_and_a_failure_leaves_it_stopped() -> None:
    made = plan(info(service={"desired_count": 0}, unhealthy_because=["desired count is 0"]))
    assert made["needed"]
    assert (made["desired_count_before"], made["desired_count_after"]) == (0, 1)


def test_an_unfinished_run_goes_on_with_its_own_name_and_the_count_that_it_wrote_down() -> None:
    made = plan(info(service={"desired_count": 0, "tags": claimed("bob@far/9")}, autoscaling=None), takeover=True)
    assert made["refusals"] == []
    assert made["resumed"]
    assert made["run_id"] == OLD
    assert made["claim_id"] == f"{OLD}-ck-new"
    assert made["takes_over"] == list(made["earlier_claims"]) == [f"wwhd.qdrant_ops:claim:{OLD}"]
    assert set(made["takes_over"]) < set(made["tag_keys"])
    assert (made["desired_count_before"], made["desired_count_after"]) == (1, 1)
    assert made["autoscaling"]["max_capacity"] == 3
    assert made["tags"][AUTOSCALING] == "min=1 max=3 in=false out=true scheduled=false"
    assert "was not finished" in made["why"][0]


def test_what_an_unfinished_run_wrote_is_never_guessed() -> None:
    tags = {**claimed(), AUTOSCALING: "min=1 max=lots"}
    made = plan(info(service={"desired_count": 0, "tags": tags}), takeover=True)
    assert len(made["refusals"]) == 1
    assert "'min=1 max=lots' and cannot be read: correct it (as in: min=1 max=4 " in made["refusals"][0]
    del tags[AUTOSCALING]
    current = {"min_capacity": 1, "max_capacity": 9, "suspended_state": {}}
    made = plan(info(service={"desired_count": 0, "tags": tags}, autoscaling=current), takeover=True)
    assert (made["refusals"], made["autoscaling"]) == ([], current)


def test_a_healthy_service_with_an_unfinished_run_is_only_tidied() -> None:
    healthy = info(service={"tags": claimed()}, **HEALTHY)
    made = plan(healthy, takeover=True)
    assert (made["needed"], made["go"], made["restore_only"], made["stop"]) == (True, True, True, False)
    assert "only what that run left behind is put back" in made["why"][0]
    made = plan(healthy, takeover=True, when="always")
    assert (made["restore_only"], made["stop"]) == (False, True)
    made = plan(info(service={"tags": claimed()}), takeover=True)
    assert (made["restore_only"], made["stop"]) == (False, True)


def test_whoever_finishes_a_run_twice_over_keeps_its_name() -> None:
    twice = claimed("bob@far/9", name=f"{OLD}-bbbbbb")
    made = plan(info(service={"desired_count": 0, "tags": twice}), takeover=True)
    assert (made["run_id"], made["claim_id"]) == (OLD, f"{OLD}-ck-new")


def test_tags_that_nobody_claims_are_removed_and_nothing_else_is_put_back() -> None:
    left = {DESIRED_COUNT: "5", AUTOSCALING: "min=9 max=9 in=true out=true scheduled=true"}
    made = plan(info(service={"tags": left}, autoscaling=None, **HEALTHY))
    assert (made["go"], made["restore_only"], made["resumed"]) == (True, True, False)
    assert (made["desired_count_before"], made["autoscaling"]) == (1, None)
    assert {DESIRED_COUNT, AUTOSCALING} < set(made["tag_keys"])


def test_zone_rebalancing_is_warned_of() -> None:
    made = plan(info(service={"availability_zone_rebalancing": "ENABLED"}))
    assert made["refusals"] == []
    assert "ECS may by itself start a second task" in made["warnings"][0]
    assert plan(info(service={"availability_zone_rebalancing": "DISABLED"}))["warnings"] == []


SHORT, OTHER = "wwhd/0123456789abcdef", "old/fedcba9876543210"
GROUP_ARN = f"arn:aws:elasticloadbalancing:us-west-2:1:targetgroup/{SHORT}"


def group(delay: int | None, *states: str) -> dict[str, Any]:
    return {
        "target_group_arn": GROUP_ARN,
        "deregistration_delay": delay,
        "targets": [{"state": state} for state in states],
    }


@pytest.mark.parametrize(
    ("found", "tag", "options", "shorter", "kept", "lasts"),
    [
        (group(300, "unhealthy"), None, {}, 0, 300, 0),
        (group(300, "healthy"), None, {}, None, None, 300),
        (group(300, "healthy"), None, {"fast_drain": "always"}, 10, 300, 10),
        (group(300, "unhealthy"), None, {"fast_drain": "never"}, None, None, 300),
        (group(300), None, {"fast_drain": "never"}, None, None, 0),  # nothing is registered that could be held
        (group(None, "unhealthy"), None, {}, None, None, 0),  # these credentials may not read it
        (group(0, "unhealthy"), None, {}, None, None, 0),
        (group(0, "unhealthy"), f"{SHORT}=300", {}, None, 300, 0),  # an unfinished run has shortened it
        (group(0, "healthy"), f"{SHORT}=300", {"fast_drain": "never"}, None, 300, 0),
        (group(300, "draining"), "none", {}, 0, 300, 0),
    ],
)
def test_a_drain_that_serves_nobody_is_shortened_and_the_delay_written_down(
    found: dict[str, Any], tag: str | None, options: dict[str, Any], shorter: int | None, kept: int | None, lasts: int
) -> None:
    tags = {**claimed(), DEREGISTRATION_DELAY: tag} if tag else {}
    made = plan(info(service={"tags": tags}, targets=[found]), **options)
    assert made["fast_drain"] == ({} if shorter is None else {GROUP_ARN: shorter})
    assert made["drain_time"] == lasts
    assert made["deregistration_delays"] == ({} if kept is None else {GROUP_ARN: kept})
    assert made["tags"][DEREGISTRATION_DELAY] == ("none" if kept is None else f"{SHORT}={kept}")
    assert DEREGISTRATION_DELAY in made["tag_keys"]
    assert (shorter is not None) == any("shortened to" in said for said in made["warnings"])


def test_a_service_that_is_stopped_has_nothing_to_drain() -> None:
    assert plan(info(service={"desired_count": 0}, targets=[group(300)]))["fast_drain"] == {}
    assert plan(info(service={"desired_count": 0}, targets=[group(300, "draining")]))["fast_drain"] != {}


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        (f"{SHORT}=5m", "'wwhd/0123456789abcdef=5m' and cannot be read (as in: my-targets/"),
        (f"{OTHER}=300", "Not the service's target group any more, so its deregistration delay is left: old/"),
    ],
)
def test_a_delay_that_nobody_can_put_back_is_told(tag: str, said: str) -> None:
    tags = {**claimed(), DEREGISTRATION_DELAY: tag}
    made = plan(info(service={"tags": tags}, targets=[group(0)]), takeover=True)
    assert (made["refusals"], made["deregistration_delays"]) == ([], {})
    assert said in " ".join(made["warnings"])


def test_what_finds_no_room_in_the_tag_is_not_shortened() -> None:
    groups = [
        {**group(300), "target_group_arn": f"arn:aws:elasticloadbalancing:r:1:targetgroup/{'n' * 32}/{number:016x}"}
        for number in range(6)
    ]
    made = plan(info(targets=groups))
    assert (
        list(made["fast_drain"]) == list(made["deregistration_delays"]) == [g["target_group_arn"] for g in groups[:4]]
    )
    assert len(made["tags"][DEREGISTRATION_DELAY]) <= 256


def test_foreign_tasks_are_named_and_the_own_cleaner_is_not_one() -> None:
    mounts = {
        "tasks": [
            {"task_arn": "x/t1", "live": True, "group": "family:backup", "last_status": "RUNNING", "cluster": "c"},
            {"task_arn": "x/t2", "live": True, "started_by": "unlock-1", "last_status": "RUNNING", "cluster": "c"},
            {"task_arn": "x/t3", "live": False, "last_status": "STOPPED", "cluster": "c"},
        ]
    }
    said = foreign_text(mounts["tasks"], own="unlock-1", file_system_id="fs-1")
    assert said is not None
    assert "t1 (family:backup, RUNNING, cluster c)" in said
    assert "t2" not in said
    assert "t3" not in said
    assert foreign_text(mounts["tasks"][1:], own="unlock-1", file_system_id="fs-1") is None
    assert "t2" in str(foreign_text(mounts["tasks"], own=None, file_system_id="fs-1"))
