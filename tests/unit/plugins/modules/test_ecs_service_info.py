"""ecs_service_info as Ansible runs it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.modules import ecs_mounts_info
from ansible_collections.wwhd.qdrant_ops.plugins.modules.ecs_service_info import main
from ansible_collections.wwhd.qdrant_ops.tests.unit.aws_world import (
    CLUSTER,
    DEPLOYMENT,
    GROUP,
    SERVICE,
    World,
    event,
    run_on,
    task,
    task_arn,
)
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, Outcome, run_module
from ansible_collections.wwhd.qdrant_ops.tests.unit.recorded_aws import Fault, RecordedAws

PANIC = (
    "Panic occurred in file /qdrant/lib/collection/src/shards/replica_set/mod.rs at line 261: Failed to load local "
    'shard "./storage/collections/X/0": Service internal error: RocksDB open error: IO error: While lock file: '
    "./storage/collections/X/0/segments/U/LOCK: Resource temporarily unavailable"
)


def info(
    world: World, *, check: bool = False, clock: FakeClock | None = None, **args: Any
) -> tuple[Outcome, RecordedAws]:
    return run_on(world, main, clock=clock, check=check, **args)


def healthy_world() -> World:
    world = World(tasks=[task(1)])
    world.targets = [world.target(1, "healthy")]
    return world


def stuck_world(crashes: int = 7) -> World:
    world = World(
        tasks=[
            task(
                number,
                last="STOPPED",
                desired="STOPPED",
                exits={"qdrant": 101, "fastapi": 137},
                stopCode="EssentialContainerExited",
                stoppedReason="Essential container in task exited",
            )
            for number in range(1, crashes + 1)
        ]
    )
    world.service["runningCount"] = world.service["deployments"][0]["runningCount"] = 0
    world.service["deployments"][0]["rolloutState"] = "IN_PROGRESS"
    for number in range(1, crashes + 1):
        world.logs[f"qdrant/qdrant/{number:032x}"] = [f"start of {number}", "loading", PANIC]
    return world


def test_it_looks_until_the_service_is_healthy() -> None:
    world, clock = healthy_world(), FakeClock()
    world.targets = [world.target(1, "initial")]
    clock.at(30, lambda: world.targets.__setitem__(0, world.target(1, "healthy")))
    outcome, _aws = info(world, clock=clock, wait=True)
    assert outcome.result["healthy"]
    assert 30 <= outcome.result["elapsed"] < 35


def test_what_was_seen_last_is_no_error() -> None:
    world, clock = healthy_world(), FakeClock()
    world.targets = [world.target(1, "unhealthy", "Target.Timeout")]
    outcome, _aws = info(world, clock=clock, wait=True, wait_timeout=20)
    assert (outcome.failed, outcome.result["healthy"], outcome.result["elapsed"]) == (False, False, 20)
    assert "Target.Timeout" in outcome.result["unhealthy_because"][0]


@pytest.mark.parametrize("check", [False, True])
def test_a_healthy_service(check: bool) -> None:
    outcome, aws = info(healthy_world(), check=check)
    result = outcome.result
    assert not outcome.failed, outcome.msg
    assert not outcome.changed
    assert aws.writes == []
    assert result["healthy"] is True
    assert result["unhealthy_because"] == []
    assert result["diagnosis"]["verdict"] == "healthy"
    assert result["network"] == {
        "subnets": ["subnet-677d281e"],
        "security_groups": ["sg-0a75b2c312d17f654"],
        "assign_public_ip": True,
    }
    assert result["volumes"] == [
        {
            "name": "data",
            "file_system_id": "fs-00b8168893587fd61",
            "access_point_id": "fsap-0a1b2c3d4e5f60718",
            "root_directory": "/",
            "transit_encryption": "ENABLED",
            "iam": True,
            "containers": [
                {"name": "fastapi", "image": "wwhd/backend:1", "container_path": "/data", "read_only": False},
                {
                    "name": "qdrant",
                    "image": "qdrant/qdrant:v1.7.4",
                    "container_path": "/qdrant/storage",
                    "read_only": False,
                },
            ],
        }
    ]
    assert result["log_configurations"]["qdrant"] == {
        "group": "/ecs/wwhd-backend",
        "prefix": "qdrant",
        "region": "us-west-2",
    }
    assert result["targets"] == [
        {
            "target_group_arn": GROUP,
            "problem": None,
            "health_check": {"path": "/health", "port": "traffic-port", "protocol": "HTTP"},
            "deregistration_delay": 300,
            "targets": [{"id": "10.0.0.1", "port": 8000, "state": "healthy", "reason": None, "description": None}],
        }
    ]
    assert result["autoscaling"] is None
    assert result["tasks"][0]["protected"] is False
    assert result["tasks"][0]["gone"] is False
    assert result["started_at"].endswith("Z")
    assert result["elapsed"] >= 0


def test_no_value_of_an_environment_is_returned() -> None:
    outcome, _aws = info(healthy_world())
    containers = outcome.result["task_definition"]["container_definitions"]
    assert [container["environment_names"] for container in containers] == [["API_KEY"], ["API_KEY"]]
    assert "a-secret-value" not in str(outcome.result)


def test_tags_are_a_dict_and_scaling_is_told() -> None:
    world = healthy_world()
    world.service["tags"] = [{"key": "env", "value": "dev"}]
    world.scalable = {
        "MinCapacity": 1,
        "MaxCapacity": 3,
        "SuspendedState": {"DynamicScalingInSuspended": True},
    }
    result = info(world)[0].result
    assert result["service"]["tags"] == {"env": "dev"}
    assert result["autoscaling"] == {
        "min_capacity": 1,
        "max_capacity": 3,
        "suspended_state": {
            "dynamic_scaling_in_suspended": True,
            "dynamic_scaling_out_suspended": False,
            "scheduled_scaling_suspended": False,
        },
    }


def test_a_service_that_cannot_take_its_locks() -> None:
    outcome, aws = info(stuck_world(), stopped=2, log_lines=2)
    result = outcome.result
    assert result["healthy"] is False
    assert result["diagnosis"]["verdict"] == "locks_held"
    assert result["diagnosis"]["also"] == []
    assert any("While lock file" in line for line in result["diagnosis"]["evidence"])
    assert [entry["task_arn"] for entry in result["tasks"]] == [task_arn(7), task_arn(6)]
    qdrant = result["tasks"][0]["containers"][1]
    assert qdrant["exit_code"] == 101
    assert qdrant["logs"] == ["loading", PANIC]
    assert result["tasks"][0]["hint"].startswith("Exit code 101")
    # What the other container printed, which was taken down with it, explains nothing better.
    read = [params["logStreamName"].split("/")[0] for params in aws.params("logs:GetLogEvents")]
    assert read == ["qdrant", "qdrant"]
    assert len(aws.params("ecs:DescribeTaskDefinition")) == 1


def test_a_task_that_is_still_being_stopped_explains_itself() -> None:
    world = stuck_world(1)
    world.tasks[0].update(lastStatus="DEACTIVATING")
    result = info(world)[0].result
    assert result["tasks"][0]["gone"] is False
    assert result["diagnosis"]["verdict"] == "locks_held"


def test_events_are_limited() -> None:
    world = healthy_world()
    world.service["events"] = [event(number, f"(service wwhd-backend) {number}") for number in range(9, 0, -1)]
    result = info(world, events=3)[0].result
    assert [entry["message"][-1] for entry in result["service"]["events"]] == ["9", "8", "7"]


def test_protection_is_told_and_its_absence_is_not_an_error() -> None:
    world = healthy_world()
    world.overrides["ecs:GetTaskProtection"] = [Fault("AccessDeniedException", "not authorized")]
    outcome, _aws = info(world)
    assert not outcome.failed
    assert outcome.result["tasks"][0]["protected"] is None


@pytest.mark.parametrize("status", ["DRAINING", "INACTIVE"])
def test_a_service_that_is_going_away_is_told_as_it_is(status: str) -> None:
    world = healthy_world()
    world.service.update(status=status)
    result = info(world)[0].result
    assert result["service"]["status"] == status
    assert result["healthy"] is False
    assert result["unhealthy_because"][0] == f"The service is {status}, not ACTIVE."


def test_an_unknown_service_is_named_with_the_nearest_ones() -> None:
    outcome, _aws = info(World(), service="wwhd-backed")
    assert outcome.failed
    assert "wwhd-backed in cluster wwhd-cluster (MISSING)" in outcome.msg
    assert "nearest first: wwhd-backend, worker." in outcome.msg
    assert outcome.result["existing_services"] == ["worker", "wwhd-backend"]


def test_an_unknown_cluster_is_named_with_the_nearest_ones() -> None:
    outcome, _aws = info(World(), cluster="wwhd-clutter")
    assert outcome.failed
    assert "there is no cluster wwhd-clutter" in outcome.msg
    assert "nearest first: wwhd-cluster, other." in outcome.msg


def test_names_that_may_not_be_listed_do_not_hide_the_error() -> None:
    world = World()
    world.overrides["ecs:ListServices"] = [Fault("AccessDeniedException", "no")]
    outcome, _aws = info(world, service="nobody")
    assert outcome.failed
    assert "AWS knows no service nobody" in outcome.msg
    assert "nearest" not in outcome.msg


def test_what_aws_refuses_is_said_with_the_permission() -> None:
    world = healthy_world()
    world.overrides["application-autoscaling:DescribeScalableTargets"] = [Fault("AccessDeniedException", "no")]
    outcome, _aws = info(world)
    assert outcome.failed
    assert "read the autoscaling of service wwhd-backend in cluster wwhd-cluster" in outcome.msg
    assert "application-autoscaling:DescribeScalableTargets" in outcome.msg


@pytest.mark.parametrize("name", ["stopped", "log_lines", "events"])
def test_negative_numbers_are_refused_before_any_call(name: str) -> None:
    options: dict[str, Any] = {name: -1}
    outcome, aws = info(World(), **options)
    assert outcome.failed
    assert outcome.msg == f"Nothing was done: {name} must be 0 or more, not -1."
    assert aws.calls == []


def test_a_deleted_target_group_is_a_finding() -> None:
    world = healthy_world()
    world.overrides["elbv2:DescribeTargetGroups"] = [Fault("TargetGroupNotFound", "gone")]
    result = info(world)[0].result
    assert result["unhealthy_because"] == [f"Load balancer: target group {GROUP} does not exist."]


def test_targets_of_others_in_a_shared_group_do_not_count() -> None:
    world = healthy_world()
    world.targets = [
        world.target(1, "healthy"),
        world.target(99, "unhealthy", "Target.Timeout"),
        world.target(1, "draining"),
    ]
    assert info(world)[0].result["healthy"] is True


def test_an_unhealthy_target_of_its_own_counts() -> None:
    world = healthy_world()
    world.targets = [world.target(1, "unhealthy", "Target.FailedHealthChecks")]
    result = info(world)[0].result
    assert result["diagnosis"]["verdict"] == "health_check"
    assert result["unhealthy_because"] == [
        "Load balancer: target 10.0.0.1:8000 of wwhd-backend is unhealthy (Target.FailedHealthChecks)."
    ]


def test_the_deployment_named_is_the_one_in_the_answer() -> None:
    result = info(healthy_world())[0].result
    assert result["service"]["deployments"][0]["id"] == DEPLOYMENT


def test_the_diagnosis_is_made_from_all_events_however_few_are_wanted() -> None:
    world = World(desired=1)
    reason = "was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later."
    world.service["events"] = [event(1, f"(service wwhd-backend) {reason}")]
    world.service["deployments"][0].update(rolloutState="IN_PROGRESS", failedTasks=1)
    outcome, _aws = info(world, events=0)
    assert outcome.result["service"]["events"] == []
    assert outcome.result["diagnosis"]["verdict"] == "capacity"


STAGES = "arn:aws:ecs:us-west-2:018025611404:service-deployment/wwhd-cluster/wwhd-backend/x"


def paused_world() -> World:
    world = healthy_world()
    world.service["deploymentConfiguration"] = {"strategy": "BLUE_GREEN"}
    world.service["currentServiceDeployment"] = STAGES
    # No rolloutState is told of these.
    del world.service["deployments"][0]["rolloutState"]
    hook = {"hookId": "ecs-pause-1", "targetType": "PAUSE", "status": "AWAITING_ACTION", "timeoutAction": "CONTINUE"}
    told = {
        "serviceDeploymentArn": STAGES,
        "status": "IN_PROGRESS",
        "lifecycleStage": "POST_TEST_TRAFFIC_SHIFT",
        "lifecycleHookDetails": [hook],
    }
    world.overrides["ecs:DescribeServiceDeployments"] = [{"serviceDeployments": [told]}]
    return world


def test_a_pause_is_the_diagnosis_although_all_tasks_run() -> None:
    outcome, _aws = info(paused_world())
    result = outcome.result
    assert result["healthy"] is False
    assert result["diagnosis"]["verdict"] == "paused"
    assert "--hook-id ecs-pause-1 --action CONTINUE" in result["diagnosis"]["evidence"][0]
    assert "then it goes on by itself" in result["unhealthy_because"][0]
    assert result["service_deployment"]["lifecycle_stage"] == "POST_TEST_TRAFFIC_SHIFT"
    assert [entry["id"] for entry in result["deployments"]] == [DEPLOYMENT]


def test_stages_that_may_not_be_read_are_left_out() -> None:
    world = paused_world()
    world.overrides["ecs:DescribeServiceDeployments"] = [Fault("AccessDeniedException", "no")]
    outcome, _aws = info(world)
    assert not outcome.failed, outcome.msg
    assert outcome.result["service_deployment"] is None


def test_a_plain_service_costs_no_call_more() -> None:
    world = healthy_world()
    world.service["currentServiceDeployment"] = STAGES
    outcome, aws = info(world)
    assert outcome.result["service_deployment"] is None
    assert "ecs:DescribeServiceDeployments" not in aws.operations


FILE_SYSTEM = "fs-00b8168893587fd61"
BACKUP = task(9, group="family:backup", started_by="bob")
ASKED: dict[str, Any] = {"clusters": [CLUSTER]}


def sick_by_its_targets() -> World:
    world = World(tasks=[task(1)])
    world.targets = [world.target(1, "unhealthy")]
    return world


@pytest.mark.parametrize(
    ("made", "asked", "told", "lists"),
    [
        pytest.param(healthy_world, None, False, 2, id="not asked"),
        pytest.param(healthy_world, ASKED, False, 2, id="healthy"),
        pytest.param(healthy_world, {**ASKED, "always": True}, True, 2, id="always"),
        pytest.param(healthy_world, {"always": True}, True, 2, id="its own cluster"),
        pytest.param(stuck_world, ASKED, True, 2, id="stuck"),
        pytest.param(sick_by_its_targets, ASKED, True, 4, id="known to be sick only in the end"),
        pytest.param(stuck_world, {"clusters": ["all"]}, True, 4, id="all clusters"),
    ],
)
def test_who_else_mounts_it_is_told_as_the_other_module_tells_it(
    made: Callable[[], World], asked: dict[str, Any] | None, told: bool, lists: int
) -> None:
    world = made()
    plain, _aws = info(world)
    # What is listed by its service's name is the service's; by the cluster, somebody else's task is there as well.
    every: Any = world.script()["ecs:ListTasks"][0]

    def listed(params: dict[str, Any]) -> Any:
        if params["cluster"] != CLUSTER:
            return {"taskArns": []}
        mine = every({**params, "cluster": CLUSTER})["taskArns"]
        foreign = "serviceName" not in params and params["desiredStatus"] == "RUNNING"
        return {"taskArns": [*mine, BACKUP["taskArn"]] if foreign else mine}

    known = world.tasks
    world.overrides["ecs:ListTasks"] = [listed]
    world.overrides["ecs:DescribeTasks"] = [
        lambda params: {"tasks": [one for one in [*known, BACKUP] if one["taskArn"] in params["tasks"]]}
    ]
    outcome, aws = info(world, **({"mounts": asked} if asked else {}))
    assert not outcome.failed, outcome.msg
    assert aws.operations.count("ecs:ListTasks") == lists
    # Nothing that is said of the service depends on how its tasks were found.
    for name in ("tasks", "healthy", "unhealthy_because", "diagnosis", "targets"):
        assert outcome.result[name] == plain.result[name]
    if not told:
        assert outcome.result["mounts"] == []
        return
    clusters = (asked or {}).get("clusters") or [CLUSTER]
    exclude = [f"{CLUSTER}/{SERVICE}"]
    given = {"file_system_id": FILE_SYSTEM, "clusters": clusters, "exclude": exclude}
    with RecordedAws(world.script()) as asked_alone:
        alone = run_module(ecs_mounts_info.main, given, aws=asked_alone, clock=FakeClock())
    assert not alone.failed, alone.msg
    [mounts] = outcome.result["mounts"]
    assert [entry["task_arn"] for entry in mounts["tasks"]] == [BACKUP["taskArn"]]
    other = {"invocation", "definitions_read"}
    assert {k: v for k, v in mounts.items() if k not in other} == {
        k: v for k, v in alone.result.items() if k not in other
    }


@pytest.mark.parametrize("asked", [None, {**ASKED, "always": True}])
def test_a_service_that_is_named_by_its_arn_has_tasks(asked: dict[str, Any] | None) -> None:
    world = healthy_world()
    arn = f"arn:aws:ecs:us-west-2:123456789012:service/{CLUSTER}/{SERVICE}"
    world.overrides["ecs:DescribeServices"] = [{"services": [world.service]}]
    outcome, _aws = info(world, service=arn, **({"mounts": asked} if asked else {}))
    assert not outcome.failed, outcome.msg
    assert [one["task_arn"] for one in outcome.result["tasks"]] == [task_arn(1)]
    assert outcome.result["healthy"]


def test_where_it_cannot_be_told_who_mounts_it_all_else_is() -> None:
    world = stuck_world()
    outcome, _aws = info(world, mounts={"clusters": [CLUSTER, "another"]})
    assert not outcome.failed, outcome.msg
    assert outcome.result["mounts"] != []
    every: Any = world.script()["ecs:ListTasks"][0]
    world.overrides["ecs:ListTasks"] = [
        lambda params: every(params) if params["cluster"] == CLUSTER else Fault("ClusterNotFoundException", "no")
    ]
    outcome, _aws = info(world, mounts={"clusters": [CLUSTER, "another"]})
    assert not outcome.failed, outcome.msg
    assert outcome.result["mounts"] == []
    assert outcome.result["diagnosis"]["verdict"] == "locks_held"


def test_many_looks_do_not_ask_who_mounts_it() -> None:
    outcome, aws = info(stuck_world(), mounts=ASKED, wait=True)
    assert outcome.failed
    assert "mounts is told of one look" in outcome.msg
    assert aws.calls == []
