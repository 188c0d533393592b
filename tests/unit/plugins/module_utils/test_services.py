"""The pure parts of reading a service: names, definitions, views, targets, scaling states."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.autoscaling import (
    merged,
    problems_of,
    register_params,
    with_switches,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.release import Release, differences
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.rollout import ended_badly
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.scaling import tag_changes
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import (
    efs_volumes,
    essential_containers,
    log_configurations,
    nearest_first,
    network_view,
    new_events,
    without_values,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.targets import (
    addresses_of,
    target_group_arns,
    unhealthy_targets,
)
from ansible_collections.wwhd.qdrant_ops.tests.unit.aws_world import GROUP, definition, event, task

STATE: dict[str, Any] = with_switches({"min_capacity": 1, "max_capacity": 3}, suspended=False)


def test_names_come_nearest_first_and_equal_ones_by_the_alphabet() -> None:
    assert nearest_first("wwhd-backed", ["zzz", "worker", "wwhd-backend", "WWHD-Backed", "worker"]) == [
        "WWHD-Backed",
        "wwhd-backend",
        "worker",
        "zzz",
    ]
    assert nearest_first("arn:aws:ecs:r:a:cluster/abc", ["xyz", "abd"]) == ["abd", "xyz"]


def test_values_that_may_be_secret_are_left_out_and_the_original_is_untouched() -> None:
    original = definition()
    splunk = {"logDriver": "splunk", "options": {"splunk-token": "hush", "splunk-url": "u"}}
    original["containerDefinitions"][0]["logConfiguration"] = splunk
    view = without_values(original)
    first = view["container_definitions"][0]
    assert "hush" not in str(view)
    assert "a-secret-value" not in str(view)
    assert first["log_configuration"] == {"log_driver": "splunk", "option_names": ["splunk-token", "splunk-url"]}
    assert view["container_definitions"][1]["log_configuration"]["options"]["awslogs-group"] == "/ecs/wwhd-backend"
    assert original["containerDefinitions"][0]["environment"] == [{"name": "API_KEY", "value": "a-secret-value"}]
    assert original["containerDefinitions"][0]["logConfiguration"] is splunk


def test_defaults_of_a_volume_are_filled() -> None:
    (volume,) = efs_volumes({"volumes": [{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]})
    assert volume == {
        "name": "v",
        "file_system_id": "fs-1",
        "access_point_id": None,
        "root_directory": "/",
        "transit_encryption": "DISABLED",
        "iam": False,
        "containers": [],
    }
    assert efs_volumes({"volumes": [{"name": "scratch", "host": {}}]}) == []


def test_essential_is_the_default() -> None:
    containers = [{"name": "a"}, {"name": "b", "essential": True}, {"name": "c", "essential": False}]
    assert essential_containers({"containerDefinitions": containers}) == {"a", "b"}


def test_only_containers_that_log_to_cloudwatch_have_a_place() -> None:
    containers = [
        {"name": "none"},
        {"name": "other", "logConfiguration": {"logDriver": "splunk", "options": {"awslogs-group": "g"}}},
        {"name": "one", "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g"}}},
    ]
    places = log_configurations({"containerDefinitions": containers})
    assert places == {"one": {"group": "g", "prefix": None, "region": None}}


def test_the_network_is_the_primary_deployments() -> None:
    def configuration(subnet: str) -> dict[str, Any]:
        return {"awsvpcConfiguration": {"subnets": [subnet]}}

    deployments = [{"status": "PRIMARY", "networkConfiguration": configuration("new")}]
    service = {"networkConfiguration": configuration("old"), "deployments": deployments}
    assert network_view(service) == {"subnets": ["new"], "security_groups": [], "assign_public_ip": False}
    assert network_view({"networkConfiguration": configuration("old")}) == {
        "subnets": ["old"],
        "security_groups": [],
        "assign_public_ip": False,
    }
    assert network_view({}) is None


def test_new_events_are_those_that_were_not_known_oldest_first() -> None:
    service = {"events": [event(3, "c"), event(2, "b"), event(1, "a")]}
    assert [entry["message"] for entry in new_events(service, known=["event-1"])] == ["b", "c"]


def test_addresses_are_those_of_tasks_that_are_meant_to_run() -> None:
    interface = {"networkInterfaces": [{"privateIpv4Address": "10.9.9.9"}]}
    tasks = [task(1), task(2, desired="STOPPED"), {"desiredStatus": "RUNNING", "containers": [interface]}]
    assert addresses_of(tasks) == {"10.0.0.1", "10.9.9.9"}


def test_target_groups_are_named_once() -> None:
    balancers = [{"targetGroupArn": GROUP}, {"targetGroupArn": GROUP}, {"loadBalancerName": "classic"}]
    assert target_group_arns({"loadBalancers": balancers}) == [GROUP]


@pytest.mark.parametrize(
    ("states", "addresses", "count"),
    [
        ([("a", "healthy")], {"a"}, 0),
        ([("a", "healthy"), ("b", "draining")], {"a"}, 0),
        ([("a", "healthy"), ("b", "unhealthy")], {"a"}, 0),
        ([("a", "healthy"), ("b", "unhealthy")], {"a", "b"}, 1),
        ([("a", "initial")], {"a"}, 1),
        ([("a", "unused")], {"a"}, 1),
        ([("b", "healthy")], {"a"}, 1),
        ([("a", "draining")], {"a"}, 1),
        ([], {"a"}, 1),
        ([], set(), 1),
        ([("i-1", "healthy")], set(), 0),
        ([("i-1", "healthy"), ("i-2", "unhealthy")], set(), 1),
        ([("i-1", "unhealthy.draining")], set(), 1),
    ],
)
def test_what_the_load_balancer_objects_to(states: list[tuple[str, str]], addresses: set[str], count: int) -> None:
    targets = [{"id": name, "port": 1, "state": state, "reason": None} for name, state in states]
    groups = [{"target_group_arn": GROUP, "problem": None, "targets": targets}]
    assert len(unhealthy_targets(groups, addresses=addresses)) == count


@pytest.mark.parametrize(
    ("wanted", "params"),
    [
        ({}, set()),
        ({"min_capacity": 1, "max_capacity": None}, set()),
        ({"min_capacity": 0}, {"MinCapacity"}),
        ({"max_capacity": 1}, {"MaxCapacity"}),
        ({"suspended_state": {"scheduled_scaling_suspended": True}}, {"SuspendedState"}),
        ({"suspended_state": None}, set()),
        ({"suspended_state": {}}, set()),
    ],
)
def test_only_what_differs_is_registered(wanted: dict[str, Any], params: set[str]) -> None:
    assert set(register_params(STATE, merged(STATE, wanted))) == params


def test_restoring_what_was_read_undoes_a_suspension() -> None:
    suspended = with_switches(STATE, suspended=True)
    assert register_params(STATE, suspended)["SuspendedState"]["ScheduledScalingSuspended"] is True
    assert merged(suspended, STATE) == STATE


@pytest.mark.parametrize(("wanted", "count"), [(None, 0), ({}, 0), ({"min_capacity": 2, "max_capacity": 2}, 0)])
def test_a_state_without_problems(wanted: dict[str, Any] | None, count: int) -> None:
    assert len(problems_of(wanted)) == count


@pytest.mark.parametrize(
    ("current", "wanted", "unwanted", "written", "removed"),
    [
        ({}, {"a": "1"}, [], {"a": "1"}, []),
        ({"a": "1"}, {"a": "1"}, [], {}, []),
        ({"a": "1"}, {"a": "2"}, [], {"a": "2"}, []),
        ({"a": ""}, {"a": ""}, [], {}, []),
        ({"a": "1", "b": "2"}, {}, ["b", "b", "c"], {}, ["b"]),
    ],
)
def test_tags_are_written_and_removed_only_where_they_differ(
    current: dict[str, str], wanted: dict[str, str], unwanted: list[str], written: dict[str, str], removed: list[str]
) -> None:
    assert tag_changes(current, wanted=wanted, unwanted=unwanted) == (written, removed)


@pytest.mark.parametrize(
    ("changes", "bad"),
    [
        ({"stopCode": "EssentialContainerExited"}, True),
        ({"stopCode": "TaskFailedToStart"}, True),
        ({"stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Task failed ELB health checks in (x)"}, True),
        ({"stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Task failed container health checks"}, True),
        ({"stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Scaling activity initiated by (x)"}, False),
        ({"stopCode": "UserInitiated", "stoppedReason": "Task stopped by user"}, False),
        ({"stopCode": "SpotInterruption"}, False),
        ({}, False),
    ],
)
def test_which_ends_are_a_tasks_own_fault(changes: dict[str, Any], bad: bool) -> None:
    assert ended_badly(task(1, **changes)) is bad


ARN = "arn:aws:ecs:r:a:task-definition/f"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Release(), []),
        (Release(desired_count=1), []),
        (Release(desired_count=0), ["desired count 1 -> 0"]),
        (Release(task_definition=f"{ARN}:1"), []),
        (Release(task_definition=f"{ARN}:2"), ["task definition f:1 -> f:2"]),
        (
            Release(task_definition=f"{ARN}:2", images={"app": ("x:1", "x:2")}),
            ["task definition f:1 -> f:2", "image of app x:1 -> x:2"],
        ),
        # The wanted revision runs already: that another one, which was given as the base, differs is no news.
        (Release(task_definition=f"{ARN}:1", images={"app": ("x:1", "x:2")}), []),
    ],
)
def test_what_a_release_would_change(asked: Release, told: list[str]) -> None:
    service = {"desiredCount": 1, "taskDefinition": f"{ARN}:1"}
    assert differences(service, asked) == told
