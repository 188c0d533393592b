"""ecs_service_redeploy as Ansible runs it, against a service that changes as the clock goes."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.tests.unit.aws_world import (
    CLUSTER,
    DEFINITION,
    DEPLOYMENT,
    SERVICE,
    World,
    definition,
    event,
    task,
    task_arn,
)
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock
from ansible_collections.wwhd.qdrant_ops.tests.unit.recorded_aws import Fault
from ansible_collections.wwhd.qdrant_ops.tests.unit.rollout_world import (
    NEW,
    PANIC,
    completed,
    crash,
    redeploy,
    rolling,
    says,
)


def test_the_deployment_that_it_started_is_followed_to_healthy_targets() -> None:
    world, clock = World(desired=0), FakeClock()
    world.service["events"] = [event(1, "(service wwhd-backend) has reached a steady state.")]
    rolling(world)
    clock.at(40, lambda: completed(world, state="initial"))
    clock.at(60, lambda: world.targets.__setitem__(0, world.target(2, "healthy")))
    outcome, aws = redeploy(world, clock=clock, desired_count=1)
    result = outcome.result
    assert not outcome.failed, outcome.msg
    assert outcome.changed
    assert aws.params("ecs:UpdateService") == [
        {"cluster": CLUSTER, "service": SERVICE, "forceNewDeployment": True, "desiredCount": 1}
    ]
    assert result["deployment"]["id"] == NEW
    assert result["deployment"]["rollout_state"] == "COMPLETED"
    assert [entry["id"] for entry in result["events"]] == ["event-5", "event-6"]
    assert result["failures"] == []
    assert [entry["task_arn"] for entry in result["tasks"]] == [task_arn(2)]
    assert result["targets"][0]["targets"][0]["state"] == "healthy"
    # Who has seen all of it says so: nobody need look once more.
    assert (result["healthy"], result["unhealthy_because"]) == (True, [])
    assert 60 <= result["waited"] < 65


def test_an_old_answer_right_after_the_call_is_neither_success_nor_failure() -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    old = dict(world.service)
    answered = {**old, "deployments": [world.deployment(NEW, rolloutState="IN_PROGRESS"), *old["deployments"]]}
    world.overrides["ecs:UpdateService"] = [{"service": answered}]
    clock.at(20, lambda: completed(world))
    outcome, _aws = redeploy(world, clock=clock)
    assert not outcome.failed, outcome.msg
    assert outcome.result["deployment"]["id"] == NEW
    assert outcome.result["waited"] >= 20


def test_tasks_that_run_and_then_die_end_the_wait_with_their_last_words() -> None:
    world, clock = World(desired=0), FakeClock()
    rolling(world)
    world.logs = {f"qdrant/qdrant/{number:032x}": ["loading", PANIC] for number in (1, 2)}
    clock.at(20, world.set_tasks(crash(1)))
    clock.at(40, world.set_tasks(crash(1), crash(2)))
    # As on AWS: what comes after the end of a task is the start of the next one, and that is an event.
    clock.at(40, lambda: says(world, 7, "has started 1 tasks: (task 3)."))
    outcome, _aws = redeploy(world, clock=clock, desired_count=1, max_failed_tasks=2)
    assert outcome.failed
    assert 40 <= clock.now < 45
    assert outcome.msg.startswith(
        f"Could not complete deployment {NEW} of service wwhd-backend in cluster wwhd-cluster: "
        "2 of its tasks failed, and 2 is the limit (max_failed_tasks)"
    )
    assert outcome.msg.count(PANIC) == 1
    assert "1 more of its tasks failed in the same way." in outcome.msg
    assert "Essential container in task exited (qdrant exit 101). Exit code 101" in outcome.msg
    assert "has started 1 tasks" in outcome.msg
    assert [entry["task_arn"] for entry in outcome.result["failures"]] == [task_arn(2), task_arn(1)]
    assert outcome.result["failures"][1]["containers"][1]["logs"] == ["loading", PANIC]
    assert outcome.result["deployment"]["id"] == NEW


def test_failures_that_only_aws_counts_end_the_wait_too() -> None:
    world, clock = World(desired=1), FakeClock()
    rolling(world)
    clock.at(10, lambda: world.service["deployments"][0].update(failedTasks=3))
    outcome, _aws = redeploy(world, clock=clock)
    assert outcome.failed
    assert "3 of its tasks failed" in outcome.msg


def test_tasks_of_the_deployment_before_do_not_count() -> None:
    world, clock = World(desired=1, tasks=[{**crash(n), "startedBy": DEPLOYMENT} for n in range(1, 6)]), FakeClock()
    rolling(world)
    clock.at(30, lambda: completed(world, number=9))
    outcome, _aws = redeploy(world, clock=clock)
    assert not outcome.failed, outcome.msg
    assert outcome.result["failures"] == []


def test_a_failure_on_the_way_is_told_after_success() -> None:
    world, clock = World(desired=1), FakeClock()
    rolling(world)
    clock.at(10, world.set_tasks(crash(1)))
    # As on AWS: what comes after the end of a task is the start of the next one, and that is an event.
    clock.at(10, lambda: says(world, 7, "has started 1 tasks: (task 2)."))
    clock.at(30, lambda: completed(world))
    outcome, _aws = redeploy(world, clock=clock)
    assert not outcome.failed, outcome.msg
    assert [entry["task_arn"] for entry in outcome.result["failures"]] == [task_arn(1)]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda world: world.service["deployments"][0].update(rolloutState="FAILED"), "ECS gave it up"),
        (lambda world: world.service.update(status="DRAINING"), "the service became DRAINING meanwhile"),
        (lambda world: world.service.update(desiredCount=0), "somebody else lowered the desired count to 0"),
    ],
)
def test_what_makes_success_impossible_ends_the_wait(change: Any, sentence: str) -> None:
    world, clock = World(desired=1), FakeClock()
    rolling(world)
    clock.at(20, lambda: change(world))
    outcome, _aws = redeploy(world, clock=clock)
    assert outcome.failed
    assert sentence in outcome.msg
    assert clock.now < 30


def test_the_time_is_up_and_the_load_balancer_says_why() -> None:
    world, clock = World(desired=1), FakeClock()
    rolling(world)
    clock.at(10, lambda: completed(world, state="unhealthy"))
    outcome, _aws = redeploy(world, clock=clock, timeout=30)
    assert outcome.failed
    assert clock.now == 30
    assert "gave up after 30 s" in outcome.msg
    assert "Load balancer: target 10.0.0.2:8000 of wwhd-backend is unhealthy." in outcome.msg


def test_a_service_without_a_load_balancer_needs_no_targets() -> None:
    world, clock = World(desired=1, balanced=False), FakeClock()
    rolling(world)
    clock.at(10, lambda: completed(world))
    outcome, aws = redeploy(world, clock=clock)
    assert not outcome.failed, outcome.msg
    assert not [operation for operation in aws.operations if operation.startswith("elbv2")]


def test_check_mode_predicts_and_writes_nothing() -> None:
    world = World(desired=0)
    new = DEFINITION.replace(":7", ":8")
    world.definitions[new] = definition(arn=new)
    outcome, aws = redeploy(world, check=True, desired_count=1, task_definition="wwhd-backend:8")
    assert aws.writes == []
    assert outcome.changed
    assert outcome.result["deployment"]["desired_count"] == 1
    assert outcome.result["deployment"]["task_definition"] == new


@pytest.mark.parametrize("check", [False, True])
def test_an_unknown_task_definition_is_told_before_anything_is_changed(check: bool) -> None:
    outcome, aws = redeploy(World(desired=0), check=check, desired_count=1, task_definition="wwhd-backend:9")
    assert outcome.failed
    assert "with task definition wwhd-backend:9: " in outcome.msg
    assert "Unable to describe task definition" in outcome.msg
    assert aws.writes == []


def test_another_revision_starts_a_deployment_without_force() -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    new = DEFINITION.replace(":7", ":8")
    world.definitions[new] = definition(arn=new)
    rolling(world)
    clock.at(10, lambda: completed(world))
    outcome, aws = redeploy(world, clock=clock, force_new_deployment=False, task_definition="wwhd-backend:8")
    assert not outcome.failed, outcome.msg
    assert outcome.changed
    assert aws.params("ecs:UpdateService")[0]["taskDefinition"] == new


def test_a_load_balancer_that_may_not_be_read_does_not_hide_the_failure() -> None:
    world, clock = World(desired=1), FakeClock()
    rolling(world)
    world.overrides["elbv2:DescribeTargetGroups"] = [Fault("AccessDenied", "no")]
    clock.at(10, lambda: world.service["deployments"][0].update(failedTasks=3))
    outcome, _aws = redeploy(world, clock=clock)
    assert outcome.failed
    assert "3 of its tasks failed" in outcome.msg


@pytest.mark.parametrize("given", [DEFINITION, "wwhd-backend:7", "wwhd-backend"])
def test_without_force_what_is_as_asked_makes_no_call(given: str) -> None:
    world = World(tasks=[task(1)])
    world.targets = [world.target(1, "healthy")]
    outcome, aws = redeploy(world, force_new_deployment=False, desired_count=1, task_definition=given)
    assert not outcome.failed, outcome.msg
    assert not outcome.changed
    assert aws.writes == []


def test_without_force_old_failures_of_the_same_deployment_do_not_count() -> None:
    old = [{**crash(number), "startedBy": DEPLOYMENT} for number in range(1, 6)]
    world, clock = World(desired=0, tasks=old), FakeClock()
    world.service["deployments"][0].update(failedTasks=4, runningCount=0)
    world.service.update(runningCount=0)

    def arrive() -> None:
        world.set_tasks(*old, task(9))()
        world.service["deployments"][0].update(desiredCount=1)
        world.targets = [world.target(9, "healthy")]

    clock.at(10, arrive)
    outcome, _aws = redeploy(world, clock=clock, force_new_deployment=False, desired_count=1)
    assert not outcome.failed, outcome.msg
    assert outcome.changed


def test_no_wait_returns_the_deployment_at_once() -> None:
    world, clock = World(desired=1), FakeClock()
    rolling(world)
    outcome, _aws = redeploy(world, clock=clock, wait=False)
    assert outcome.changed
    assert outcome.result["deployment"]["id"] == NEW
    assert clock.sleeps == []


def test_an_accepted_call_without_a_new_deployment_is_an_error() -> None:
    outcome, _aws = redeploy(World(desired=1))
    assert outcome.failed
    assert f"its PRIMARY deployment is still {DEPLOYMENT}" in outcome.msg


def test_a_service_that_is_not_active_is_refused() -> None:
    world = World(desired=0)
    world.service.update(status="INACTIVE")
    outcome, aws = redeploy(world)
    assert outcome.failed
    assert "it is INACTIVE, not ACTIVE" in outcome.msg
    assert aws.writes == []


@pytest.mark.parametrize("name", ["desired_count", "timeout", "max_failed_tasks", "log_lines"])
def test_bad_numbers_are_refused_before_any_call(name: str) -> None:
    options: dict[str, Any] = {name: -2}
    outcome, aws = redeploy(World(), **options)
    assert outcome.failed
    assert f"{name} must be" in outcome.msg
    assert aws.calls == []


def test_a_service_that_is_not_as_expected_is_left_alone() -> None:
    world = World(desired=1, tasks=[task(1)])
    outcome, aws = redeploy(world, guard={"service": SERVICE, "desired_count": 0, "tags": {"run": "mine"}})
    assert outcome.failed
    assert "Did not start a deployment of service wwhd-backend" in outcome.msg
    assert "its tag run is absent, expected mine; its desired count is 1, expected 0" in outcome.msg
    assert aws.writes == []


def test_a_deployment_whose_answer_is_lost_is_not_started_again() -> None:
    """botocore would repeat UpdateService, and each one with forceNewDeployment starts a deployment."""
    world = World(desired=0, tasks=[], balanced=False)

    def lost(params: dict[str, Any]) -> Fault:
        world.service["desiredCount"] = 1
        fresh = world.deployment("ecs-svc/2", desired=1, running=1)
        world.service["deployments"] = [fresh]
        world.tasks = [task(1, started_by="ecs-svc/2")]
        world.service["runningCount"] = 1
        return Fault("ServerException", "nobody knows", 500)

    world.overrides["ecs:UpdateService"] = [lost]
    outcome, aws = redeploy(world, desired_count=1)
    assert not outcome.failed, outcome.msg
    assert outcome.changed
    assert outcome.result["deployment"]["id"] == "ecs-svc/2"
    assert [call.operation for call in aws.writes] == ["ecs:UpdateService"]


def test_one_that_left_no_trace_is_started_again_once() -> None:
    world = World(desired=0, tasks=[], balanced=False)

    def start(params: dict[str, Any]) -> dict[str, Any]:
        world.service.update(desiredCount=1, runningCount=1, deployments=[world.deployment("ecs-svc/2", running=1)])
        world.tasks = [task(1, started_by="ecs-svc/2")]
        return {"service": world.service}

    world.overrides["ecs:UpdateService"] = [Fault("ThrottlingException", "Rate exceeded"), start]
    outcome, aws = redeploy(world, desired_count=1)
    assert not outcome.failed, outcome.msg
    assert [call.operation for call in aws.writes] == ["ecs:UpdateService"] * 2


def test_the_guard_is_looked_at_before_each_attempt() -> None:
    world = World(desired=0, tasks=[], balanced=False)

    def throttled(params: dict[str, Any]) -> Fault:
        world.service["tags"] = []
        return Fault("ThrottlingException", "Rate exceeded")

    world.service["tags"] = [{"key": "run", "value": "mine"}]
    world.overrides["ecs:UpdateService"] = [throttled]
    outcome, aws = redeploy(world, desired_count=1, guard={"service": SERVICE, "tags": {"run": "mine"}})
    assert outcome.failed
    assert "its tag run is absent, expected mine" in outcome.msg
    assert [call.operation for call in aws.writes] == ["ecs:UpdateService"]


def test_retries_of_the_users_own_do_not_repeat_it() -> None:
    """amazon.aws lays aws_config over what the module asks for."""
    world = World(desired=0, tasks=[], balanced=False)
    world.overrides["ecs:UpdateService"] = [
        Fault("ServerException", "nobody knows", 500),
        Fault("ClientException", "no"),
    ]
    outcome, aws = redeploy(
        world, desired_count=1, aws_config={"retries": {"mode": "standard", "total_max_attempts": 9}}
    )
    assert outcome.failed
    assert len(aws.params("ecs:UpdateService")) == 2


def test_without_its_targets_a_service_is_not_called_healthy() -> None:
    world, clock = World(desired=0), FakeClock()
    rolling(world)
    clock.at(40, lambda: completed(world, state="initial"))
    outcome, _aws = redeploy(world, clock=clock, desired_count=1, wait_for_targets=False)
    assert not outcome.failed, outcome.msg
    assert (outcome.result["healthy"], outcome.result["unhealthy_because"]) == (False, [])


def test_what_its_last_look_saw_wrong_is_told() -> None:
    """A deployment that is complete beside another one that is still listed: not what a verified service looks like."""
    world, clock = World(desired=0), FakeClock()
    rolling(world)

    def done() -> None:
        completed(world)
        world.service["deployments"].append(
            {"id": "ecs-svc/1", "status": "ACTIVE", "desiredCount": 0, "runningCount": 0}
        )

    clock.at(40, done)
    outcome, _aws = redeploy(world, clock=clock, desired_count=1)
    assert not outcome.failed, outcome.msg
    assert outcome.result["healthy"] is False
    assert outcome.result["unhealthy_because"] == ["2 deployments are under way at the same time."]
