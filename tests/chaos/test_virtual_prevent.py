# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role qdrant_prevent in virtual time: what it sets, and that a rolling release meets no lock afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chaos.virtual.controller import Controller, controller
from chaos.virtual.operators import Killed
from chaos.virtual.role import ROOT, Played, Role
from chaos.virtual.transport import CONNECTION, Call

from sandbox import world as names
from sandbox.ecs import service_api
from sandbox.ecs.errors import AwsError

ROLE = ROOT / "roles" / "qdrant_prevent"
PLACE = {"cluster": names.CLUSTER, "service": names.SERVICE}
ALL = {"health_check": True, "access_point": True}
OTHER_TREE = {"path": "/qdrant/virtual"}


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Controller]:
    with controller(tmp_path) as made:
        made.world.seed(availabilityZoneRebalancing="ENABLED")
        made.world.calls.clear()
        yield made
        assert made.world.witness.broken == []
        assert made.world.engine.trouble == []


def prevent(operator: Controller, *, check: bool = False, **variables: Any) -> Played:
    """One run; the place and the connection are those of the unlock's inventory, `variables` without their prefix."""
    given = {
        "env": "virtual",
        "qdrant_unlock_aws": {key: value for key, value in CONNECTION.items() if key != "region"},
        "qdrant_unlock_region": CONNECTION["region"],
        "qdrant_unlock_cluster": names.CLUSTER,
        "qdrant_unlock_service": names.SERVICE,
    } | {f"qdrant_prevent_{key}": value for key, value in variables.items()}
    role = Role(ROLE, given, clock=operator.clock, step=operator._step, check=check)
    return role.play()


def result(played: Played) -> dict[str, Any]:
    assert not played.failed, played.msg
    found: dict[str, Any] = played.facts["qdrant_prevent_result"]
    return found


def states(played: Played) -> dict[str, str]:
    return {row["name"]: row["state"] for row in result(played)["measures"]}


def written(operator: Controller) -> list[str]:
    calls = [json.loads(line) for line in operator.world.calls.path.read_text().splitlines()]
    return [str(call["operation"]) for call in calls if call["writes"]]


def settings(operator: Controller) -> tuple[int, int, str, float, str]:
    service = operator.world.service
    return (
        service.minimum_percent, service.maximum_percent, service.az_rebalancing, operator.world.drain(),
        service.definition.arn.rsplit("/", 1)[1],
    )  # fmt: skip


def definition(operator: Controller, name: str = names.FAMILY) -> dict[str, Any]:
    return operator.world.engine.definitions_of(names.REGION).get(name).body


def qdrant(operator: Controller, name: str = names.FAMILY) -> dict[str, Any]:
    return next(one for one in definition(operator, name)["containerDefinitions"] if one["name"] == "qdrant")


def release(operator: Controller, **more: Any) -> tuple[int, list[int]]:
    """A pipeline's rolling release, to its end: how often two stores met, and with which codes stores ended."""
    world = operator.world
    met = world.witness.foreign_overlaps
    known = set(world.engine.tasks)
    world.witness.operator_acts = False
    service_api.update(world.engine, names.REGION, {**PLACE, "forceNewDeployment": True, **more})
    # A task starts in 20 s, and counts as healthy soon after; the locks are met, or not, within that time.
    world.advance(240)
    codes = [
        int(run.exit_code)
        for arn, task in world.engine.tasks.items()
        for run in task.containers
        if arn not in known and run.name == "qdrant" and run.exit_code is not None
    ]
    return world.witness.foreign_overlaps - met, codes


def test_without_it_a_rolling_release_meets_the_locks_and_with_it_none_does(operator: Controller) -> None:
    overlaps, codes = release(operator)
    assert overlaps > 0
    assert 101 in codes
    assert not operator.world.service.steady
    stuck = prevent(operator)
    assert stuck.failed
    assert "run unlock.yml" in stuck.msg
    assert operator.unlock("1").facts["qdrant_unlock_result"]["outcome"] == "unlocked"
    arn = result(prevent(operator))["task_definition_arn"]
    # The pipeline takes the revision that waits, and then releases as it always does.
    for more in ({"taskDefinition": arn}, {}):
        assert release(operator, **more) == (0, [])
        assert operator.world.service.steady


def test_the_exclusive_rollout_alone_does_not_help_while_the_load_balancer_holds_the_old_task(
    operator: Controller,
) -> None:
    """ECS starts the next task when the old one begins to stop, not when it has ended."""
    assert result(prevent(operator, measures={"deregistration_delay": False}))["changed"]
    overlaps, codes = release(operator)
    assert overlaps > 0
    assert 101 in codes


def test_it_sets_what_is_chosen_and_touches_no_task(operator: Controller) -> None:
    operator.world.set_scaling(1, 4, {})
    service = operator.world.service
    service.breaker = {"enable": True, "rollback": True}
    before = {task.arn for task in operator.world.live_tasks()}
    assert settings(operator) == (100, 200, "ENABLED", 300, f"{names.FAMILY}:1")

    predicted = prevent(operator, check=True)
    assert written(operator) == []
    told = " ".join(result(predicted)["summary"])
    assert "would be changed" in told
    assert f"would wait in {names.FAMILY}:2" in told

    first = prevent(operator)
    assert states(first) == {
        "exclusive_rollout": "changed", "deregistration_delay": "changed", "autoscaling": "changed",
        "access_point": "off", "stop_timeout": "waiting", "entry_point": "waiting", "health_check": "off",
    }  # fmt: skip
    # The rollout comes first; the task definition is not given to the service.
    assert written(operator) == [
        "UpdateService", "ModifyTargetGroupAttributes", "RegisterScalableTarget", "RegisterTaskDefinition",
    ]  # fmt: skip
    assert settings(operator) == (0, 100, "DISABLED", 10, f"{names.FAMILY}:1")
    assert (operator.world.scaling() or ())[:2] == (1, 1)
    assert service.breaker == {"enable": True, "rollback": True}
    assert {task.arn for task in operator.world.live_tasks()} == before
    assert (qdrant(operator)["stopTimeout"], qdrant(operator)["entryPoint"]) == (
        120, ["/bin/bash", "-c", "exec ./qdrant"],
    )  # fmt: skip
    assert "healthCheck" not in qdrant(operator)
    # Prediction and run say the same of each measure, but for the tense.
    assert [(row["name"], row["was"], row["now"]) for row in result(predicted)["measures"]] == [
        (row["name"], row["was"], row["now"]) for row in result(first)["measures"]
    ]

    operator.world.calls.clear()
    again = prevent(operator)
    assert not result(again)["changed"]
    assert written(operator) == []
    assert states(again)["stop_timeout"] == "waiting"
    assert any("waits" in line and f"{names.FAMILY}:2" in line for line in result(again)["summary"])


def test_told_to_deploy_it_does_and_the_next_run_finds_nothing_to_do(operator: Controller) -> None:
    predicted = result(prevent(operator, check=True, deploy=True))
    assert any(f"would be deployed with {names.FAMILY}:2" in line for line in predicted["summary"])
    assert written(operator) == []
    assert states(prevent(operator, deploy=True, measures=ALL, access_point=OTHER_TREE))["health_check"] == "changed"
    assert settings(operator) == (0, 100, "DISABLED", 10, f"{names.FAMILY}:2")
    assert operator.world.service.steady
    assert operator.world.witness.foreign_overlaps == 0
    check = qdrant(operator)["healthCheck"]
    assert "/dev/tcp/127.0.0.1/6333" in check["command"][1]
    # The access point is there, but the service goes on mounting what it had.
    assert definition(operator)["volumes"] == definition(operator, f"{names.FAMILY}:1")["volumes"]
    operator.world.calls.clear()
    again = prevent(operator, deploy=True, measures=ALL, access_point=OTHER_TREE)
    assert set(states(again).values()) == {"kept"}
    assert written(operator) == []


def test_another_tree_is_mounted_on_an_explicit_word_only(operator: Controller) -> None:
    wish: dict[str, Any] = {"measures": ALL, "access_point": {**OTHER_TREE, "mount": True}}
    refused = prevent(operator, **wish)
    assert refused.failed
    assert "EMPTY STORE" in refused.msg
    assert "qdrant_prevent_accept_another_tree" in refused.msg
    assert written(operator) == []
    assert states(prevent(operator, **wish, accept_another_tree=True, check=True))["access_point"] == "waiting"
    taken = result(prevent(operator, **wish, accept_another_tree="true"))
    assert any("EMPTY STORE" in line for line in taken["summary"])
    assert written(operator).count("CreateAccessPoint") == 1
    volume = definition(operator)["volumes"][0]["efsVolumeConfiguration"]
    assert volume["authorizationConfig"] == {"accessPointId": taken["access_point_id"], "iam": "ENABLED"}
    # Not even then does the running service get it.
    assert settings(operator)[4] == f"{names.FAMILY}:1"
    operator.world.calls.clear()
    prevent(operator, **wish, accept_another_tree=True)
    assert written(operator) == []


def test_lost_answers_make_nothing_twice(operator: Controller) -> None:
    operator.world.set_scaling(1, 4, {})
    for name in ("UpdateService", "ModifyTargetGroupAttributes", "RegisterScalableTarget", "RegisterTaskDefinition"):
        operator.world.faults.add("reset_after", count=1, match={"operation": name})
    assert set(states(prevent(operator)).values()) == {"changed", "waiting", "off"}
    assert definition(operator)["revision"] == 2
    assert operator.world.service.steady


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_run_that_was_killed_is_finished_by_the_next(operator: Controller, after: int) -> None:
    operator.world.set_scaling(1, 4, {})
    left = [after]

    def kill(call: Call) -> None:
        if not call.operation.startswith(("Describe", "List", "Get")):
            left[0] -= 1
            if left[0] < 0:
                raise Killed

    operator.around(after=kill)
    with pytest.raises(Killed):
        prevent(operator)
    operator.around()
    assert not prevent(operator).failed
    assert settings(operator)[:4] == (0, 100, "DISABLED", 10)
    assert definition(operator)["revision"] == 2
    assert (operator.world.scaling() or ())[:2] == (1, 1)


def claimed(operator: Controller) -> None:
    operator.world.service.tags["wwhd.qdrant_ops:claim:unlock-1"] = "somebody since 2026-11-23T15:00:00Z until 2099"


def newer(operator: Controller) -> None:
    operator.world.engine.definitions_of(names.REGION).register({**names.definition(), "cpu": "512"})


def nothing(_operator: Controller) -> None:
    """The seeded world will do."""


@pytest.mark.parametrize(
    ("prepare", "variables", "told"),
    [
        (claimed, {}, "in the hands of the unlock unlock-1, by somebody"),
        (newer, {}, f"newer revision {names.FAMILY}:2"),
        (nothing, {"protected": True}, "pass -e confirm=virtual"),
        (nothing, {"stop_timout": 60}, "did you mean qdrant_prevent_stop_timeout?"),
    ],
)
def test_what_must_not_be_done_is_refused_and_nothing_is_changed(
    operator: Controller, prepare: Callable[[Controller], None], variables: dict[str, Any], told: str
) -> None:
    prepare(operator)
    played = prevent(operator, **variables)
    assert played.failed
    assert told in played.msg
    assert "Nothing was changed." in played.msg
    assert written(operator) == []


def test_a_stopped_service_is_set_up_and_not_started(operator: Controller) -> None:
    operator.world.set_scaling(1, 4, dict.fromkeys(("DynamicScalingOutSuspended",), True))
    operator.world.raise_count(0)
    operator.world.until(lambda: not operator.world.live_tasks(), "nothing runs")
    played = prevent(operator)
    assert states(played)["autoscaling"] == "left"
    assert states(played)["exclusive_rollout"] == "changed"
    operator.world.advance(120)
    assert operator.world.service.desired == 0
    assert operator.world.live_tasks() == []


def test_a_right_that_lacks_is_named_with_what_was_done_before(operator: Controller) -> None:
    operator.world.faults.add("access_denied", match={"service": "elbv2", "operation": "ModifyTargetGroupAttributes"})
    played = prevent(operator)
    assert played.failed
    assert "elasticloadbalancing:ModifyTargetGroupAttributes" in played.msg
    assert "Run it again" in played.msg
    rows = {row["name"]: row["state"] for row in played.facts["qdrant_prevent_result"]["measures"]}
    assert rows["exclusive_rollout"] == "changed"
    assert rows["deregistration_delay"] == rows["stop_timeout"] == "not_reached"
    operator.world.faults.clear()
    assert result(prevent(operator))["changed"]


def test_zone_rebalancing_and_the_percentages_exclude_each_other_in_two_calls(operator: Controller) -> None:
    """Why both go in one: the sandbox refuses as AWS does."""
    with pytest.raises(AwsError, match="Availability Zone Rebalancing"):
        service_api.update(
            operator.world.engine, names.REGION,
            {**PLACE, "deploymentConfiguration": {"minimumHealthyPercent": 0, "maximumPercent": 100}},
        )  # fmt: skip
