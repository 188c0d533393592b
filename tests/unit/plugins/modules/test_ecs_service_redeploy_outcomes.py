"""ecs_service_redeploy tells apart what can become of a deployment, and says what to do about each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.modules import ecs_service_redeploy
from ansible_collections.wwhd.qdrant_ops.tests.unit.aws_world import (
    DEFINITION,
    DEPLOYMENT,
    World,
    definition,
    task,
    task_arn,
)
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock
from ansible_collections.wwhd.qdrant_ops.tests.unit.recorded_aws import Fault
from ansible_collections.wwhd.qdrant_ops.tests.unit.rollout_world import NEW, completed, crash, redeploy, rolling, says

THEIRS = "ecs-svc/3000000000000000003"
NEXT = DEFINITION.replace(":7", ":8")
BREAKER = "ECS deployment circuit breaker: tasks failed to start."
BACK = f"ECS deployment circuit breaker: rolling back to deploymentId {DEPLOYMENT}."
STAGES = "arn:aws:ecs:us-west-2:018025611404:service-deployment/wwhd-cluster/wwhd-backend/"
PAUSE_HOOK = {"targetType": "PAUSE", "lifecycleStages": ["POST_SCALE_UP"]}


def give_up(world: World, reason: str = BREAKER) -> None:
    world.service["deployments"][0].update(rolloutState="FAILED", rolloutStateReason=reason)


def enable_rollback(world: World) -> None:
    world.service["deploymentConfiguration"] = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


def roll_back(world: World, *, listed: bool = True, state: str = "IN_PROGRESS", reason: str = BACK) -> None:
    ours = {**world.service["deployments"][0], "status": "ACTIVE", "rolloutState": "FAILED"}
    back = world.deployment(DEPLOYMENT, rolloutState=state, rolloutStateReason=reason)
    world.service["deployments"] = [back, ours] if listed else [back]


def replace_by(world: World, identifier: str = THEIRS) -> None:
    ours = {**world.service["deployments"][0], "status": "ACTIVE", "desiredCount": 0}
    theirs = world.deployment(identifier, rolloutState="IN_PROGRESS", taskDefinition=NEXT)
    world.service["deployments"] = [theirs, ours]


@pytest.mark.parametrize(
    ("happen", "outcome", "why", "advice"),
    [
        (give_up, "circuit_breaker", f"ECS gave it up ({BREAKER[:-1]})", "It starts no more tasks."),
        (
            lambda world: give_up(world, "ECS deployment failed: alarm detected."),
            "alarm",
            "ECS gave it up (ECS deployment failed: alarm detected)",
            "It starts no more tasks.",
        ),
        (
            roll_back,
            "rolled_back",
            f"is rolling the service back to {DEPLOYMENT} (with wwhd-backend:7)",
            "What ran before runs again, or will",
        ),
        (
            lambda world: (enable_rollback(world), give_up(world)),
            "rolled_back",
            f"ECS gave it up ({BREAKER[:-1]}) and is rolling the service back",
            "What ran before runs again, or will",
        ),
        (
            lambda world: roll_back(world, listed=False, state="COMPLETED", reason="completed"),
            "rolled_back",
            f"has rolled the service back to {DEPLOYMENT}",
            "What ran before runs again, or will",
        ),
        (
            replace_by,
            "replaced",
            f"another deployment, {THEIRS} (with wwhd-backend:8), took its place, and it is no rollback",
            "CloudTrail (event UpdateService) says who",
        ),
        (
            lambda world: world.service["deployments"][0].update(failedTasks=3),
            "failed_tasks",
            "3 of its tasks failed, and 3 is the limit (max_failed_tasks)",
            "ECS goes on starting tasks of it.",
        ),
        (
            lambda world: world.service.update(desiredCount=0),
            "scaled_down",
            "somebody else lowered the desired count to 0 meanwhile (we had 1)",
            "scaling activities",
        ),
        (
            lambda world: world.service.update(status="DRAINING"),
            "service_gone",
            "the service became DRAINING meanwhile",
            "create it again",
        ),
        (
            lambda world: world.service.update(deployments=[]),
            "lost",
            "ECS does not list it any more",
            "ecs_service_info",
        ),
    ],
)
def test_each_end_has_its_name_its_reason_and_its_advice(
    happen: Callable[[World], object], outcome: str, why: str, advice: str
) -> None:
    world, clock = World(desired=1), FakeClock()
    rolling(world)
    clock.at(20, lambda: happen(world))
    found, _aws = redeploy(world, clock=clock)
    assert found.failed
    assert found.result["outcome"] == outcome
    assert why in found.msg
    assert found.msg.endswith(found.result["next"])
    assert advice in found.result["next"]
    assert "waiting_for" not in found.result
    assert clock.now < 30


def test_an_answer_that_does_not_know_it_once_is_no_loss() -> None:
    """AWS's answers may come from different ages, also after a newer one was seen."""
    world, clock = World(desired=1), FakeClock()
    rolling(world)
    seen = {"looks": 0}

    def describe(params: dict[str, Any]) -> dict[str, Any]:
        seen["looks"] += 1
        if seen["looks"] == 4:
            return {"services": [{**world.service, "deployments": [world.deployment(DEPLOYMENT)]}]}
        return {"services": [world.service]}

    world.overrides["ecs:DescribeServices"] = [describe]
    clock.at(30, lambda: completed(world))
    found, _aws = redeploy(world, clock=clock)
    assert not found.failed, found.msg
    assert seen["looks"] > 4


def test_the_circuit_breaker_is_told_before_the_failed_tasks_that_tripped_it() -> None:
    world, clock = World(desired=1), FakeClock()
    rolling(world)
    clock.at(20, lambda: (give_up(world), world.service["deployments"][0].update(failedTasks=3)))
    found, _aws = redeploy(world, clock=clock)
    assert found.result["outcome"] == "circuit_breaker"
    assert "failed 3" in found.msg


def test_the_way_back_is_offered_where_there_is_one() -> None:
    world, clock = World(desired=1), FakeClock()
    world.definitions[NEXT] = definition(arn=NEXT)
    rolling(world)
    clock.at(20, lambda: world.service["deployments"][0].update(failedTasks=3, taskDefinition=NEXT))
    found, _aws = redeploy(world, clock=clock, task_definition="wwhd-backend:8")
    assert "or go back to wwhd-backend:7 by task_definition" in found.result["next"]
    assert found.result["previous"]["task_definition_arn"] == DEFINITION
    assert found.result["reasons"] == ["task definition wwhd-backend:7 -> wwhd-backend:8"]


@pytest.mark.parametrize(
    ("happen", "more", "lacking", "text"),
    [
        (
            lambda world: world.tasks.append(task(2, last="PENDING", started_by=NEW)),
            {},
            "rollout",
            "gave up after 30 s (the rollout is not complete); rollout IN_PROGRESS, running 0 of 1",
        ),
        (
            lambda world: completed(world, state="unhealthy"),
            {},
            "targets",
            "the load balancer does not find its tasks healthy",
        ),
        (
            lambda world: (completed(world), world.tasks.append(task(1, last="DEACTIVATING", desired="STOPPED"))),
            {"wait_for_old_tasks": True},
            "old_tasks",
            "Old tasks that still live: 00000000000000000000000000000001 of service:wwhd-backend (DEACTIVATING",
        ),
    ],
)
def test_a_time_out_says_what_it_waited_for(
    happen: Callable[[World], object], more: dict[str, Any], lacking: str, text: str
) -> None:
    world, clock = World(desired=1), FakeClock()
    rolling(world)
    world.logs = {f"qdrant/qdrant/{2:032x}": ["still loading"]}
    clock.at(5, lambda: happen(world))
    found, _aws = redeploy(world, clock=clock, timeout=30, **more)
    assert found.result["outcome"] == "timed_out"
    assert found.result["waiting_for"] == lacking
    assert text in found.msg
    assert "follow it on with force_new_deployment: false" in found.result["next"]
    # Where no task has failed, the last words of the one that does not get on are worth reading.
    assert ("still loading" in found.msg) is (lacking != "old_tasks")


def test_old_tasks_are_awaited_until_each_has_ended() -> None:
    old = task(1, last="DEACTIVATING", desired="STOPPED")
    world, clock = World(desired=1, tasks=[task(1)]), FakeClock()
    rolling(world)

    def end(last: str) -> None:
        world.tasks = [task(2, started_by=NEW), {**old, "lastStatus": last}]

    clock.at(20, lambda: (completed(world), end("DEACTIVATING")))
    clock.at(50, lambda: end("STOPPING"))
    clock.at(80, lambda: end("STOPPED"))
    found, _aws = redeploy(world, clock=clock, wait_for_old_tasks=True)
    assert not found.failed, found.msg
    assert 80 <= found.result["waited"] < 85
    assert found.result["old_tasks"] == []
    assert [entry["started_by"] for entry in found.result["tasks"]] == [NEW]


def test_an_old_task_that_may_not_be_stopped_is_named() -> None:
    world, clock = World(desired=1), FakeClock()
    rolling(world)
    world.protected = {task_arn(1): datetime(2026, 11, 23, 17, 0, tzinfo=UTC)}
    clock.at(5, lambda: (completed(world), world.tasks.append(task(1))))
    found, _aws = redeploy(world, clock=clock, timeout=30, wait_for_old_tasks=True)
    assert found.result["waiting_for"] == "old_tasks"
    assert f"Scale-in protection keeps {1:032x}" in found.result["next"]
    assert f"update-task-protection --cluster wwhd-cluster --tasks {1:032x} --no-pro" in found.result["next"]


def test_targets_are_not_judged_before_the_tasks_are_known_whose_they_are() -> None:
    """The lists of tasks may be older than the counts; other services' targets in the group say nothing."""
    world, clock = World(desired=1), FakeClock()
    rolling(world)

    def counted_only() -> None:
        completed(world)
        world.tasks = []
        world.targets = [world.target(9, "healthy")]

    def listed() -> None:
        world.tasks = [task(2, started_by=NEW)]
        world.targets.append(world.target(2, "healthy"))

    clock.at(20, counted_only)
    clock.at(26, listed)
    found, _aws = redeploy(world, clock=clock)
    assert not found.failed, found.msg
    assert 26 <= found.result["waited"] < 31
    assert len(found.result["tasks"]) == 1


def test_targets_are_not_asked_for_where_they_are_not_wanted() -> None:
    world, clock = World(desired=1), FakeClock()
    rolling(world)
    clock.at(20, lambda: completed(world, state="unhealthy"))
    found, aws = redeploy(world, clock=clock, wait_for_targets=False)
    assert not found.failed, found.msg
    assert not [name for name in aws.operations if name.startswith("elbv2")]


def staged(world: World, clock: FakeClock, **first: Any) -> dict[str, Any]:
    """Deployments of this service have stages; the answer changes as the returned dict does."""
    rolling(world)
    world.service["deploymentConfiguration"] = {"strategy": "ROLLING", "lifecycleHooks": [PAUSE_HOOK]}
    world.service["currentServiceDeployment"] = f"{STAGES}before"
    begin = world.on_update
    state = {"serviceDeploymentArn": f"{STAGES}ours", "status": "IN_PROGRESS", "lifecycleStage": "SCALE_UP", **first}

    def start(params: dict[str, Any]) -> None:
        begin(params)
        world.service["currentServiceDeployment"] = f"{STAGES}ours"

    world.on_update = start
    world.overrides["ecs:DescribeServiceDeployments"] = [
        lambda params: {"serviceDeployments": [state] if params["serviceDeploymentArns"] == [f"{STAGES}ours"] else []}
    ]
    return state


def pause(state: dict[str, Any]) -> None:
    hook = {
        "hookId": "ecs-pause-1",
        "targetType": "PAUSE",
        "status": "AWAITING_ACTION",
        "expiresAt": datetime(2026, 11, 24, 15, 0, tzinfo=UTC),
        "timeoutAction": "ROLLBACK",
    }
    state.update(lifecycleStage="POST_SCALE_UP", lifecycleHookDetails=[hook])


def test_a_pause_is_told_with_the_command_that_ends_it() -> None:
    world, clock = World(desired=1), FakeClock()
    state = staged(world, clock)
    clock.at(20, lambda: pause(state))
    found, _aws = redeploy(world, clock=clock)
    assert found.result["outcome"] == "paused"
    assert "paused at the lifecycle stage POST_SCALE_UP" in found.msg
    assert "until 2026-11-24T15:00:00.000Z; then it is rolled back" in found.msg
    assert f"--service-deployment-arn {STAGES}ours --hook-id ecs-pause-1 --action CONTINUE" in found.result["next"]
    assert found.result["service_deployment"]["lifecycle_stage"] == "POST_SCALE_UP"
    assert clock.now < 30


def test_a_pause_that_was_waited_for_in_vain_is_told() -> None:
    world, clock = World(desired=1), FakeClock()
    state = staged(world, clock)
    clock.at(20, lambda: pause(state))
    found, _aws = redeploy(world, clock=clock, on_pause="wait", timeout=60)
    assert found.result["outcome"] == "timed_out"
    assert "gave up after 60 s (it is paused at the lifecycle stage POST_SCALE_UP" in found.msg
    assert "--action CONTINUE" in found.result["next"]


def test_a_rollback_that_has_nowhere_to_go_is_not_promised() -> None:
    world, clock = World(desired=1), FakeClock()
    world.service["deployments"][0].update(rolloutState="IN_PROGRESS")
    rolling(world)
    clock.at(20, lambda: (enable_rollback(world), give_up(world)))
    found, _aws = redeploy(world, clock=clock)
    assert found.result["outcome"] == "circuit_breaker"


def test_a_pause_can_be_waited_for() -> None:
    world, clock = World(desired=1), FakeClock()
    state = staged(world, clock)
    clock.at(20, lambda: pause(state))
    clock.at(60, lambda: (state.update(lifecycleHookDetails=[], status="SUCCESSFUL"), completed(world)))
    found, _aws = redeploy(world, clock=clock, on_pause="wait")
    assert not found.failed, found.msg
    assert found.result["waited"] >= 60


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("STOP_REQUESTED", "stopped"), ("STOPPED", "stopped"), ("ROLLBACK_REQUESTED", "rolled_back")],
)
def test_what_only_the_stages_tell_ends_the_wait(status: str, outcome: str) -> None:
    world, clock = World(desired=1), FakeClock()
    state = staged(world, clock)
    clock.at(20, lambda: state.update(status=status, statusReason="Stopped by somebody."))
    found, _aws = redeploy(world, clock=clock)
    assert found.result["outcome"] == outcome
    assert f"({status}: Stopped by somebody)" in found.msg


def test_a_deployment_that_moves_traffic_is_done_when_its_stages_are() -> None:
    """Its counts agree, and no rolloutState is told, long before."""
    world, clock = World(desired=1), FakeClock()
    state = staged(world, clock, lifecycleStage="BAKE_TIME")
    world.service["deploymentConfiguration"] = {"strategy": "BLUE_GREEN"}

    def counts() -> None:
        completed(world)
        del world.service["deployments"][0]["rolloutState"]

    clock.at(10, counts)
    clock.at(90, lambda: state.update(status="SUCCESSFUL"))
    found, _aws = redeploy(world, clock=clock)
    assert not found.failed, found.msg
    assert 90 <= found.result["waited"] < 100


@pytest.mark.parametrize("happen", [completed, give_up])
def test_stages_that_may_not_be_read_are_a_warning_only(happen: Callable[[World], None]) -> None:
    world, clock = World(desired=1), FakeClock()
    staged(world, clock)
    world.overrides["ecs:DescribeServiceDeployments"] = [Fault("AccessDeniedException", "no")]
    clock.at(20, lambda: happen(world))
    found, aws = redeploy(world, clock=clock)
    assert found.failed is (happen is give_up), found.msg
    assert [text for text in found.warnings if "A pause is not noticed" in str(text)]
    assert aws.operations.count("ecs:DescribeServiceDeployments") == 1


def test_a_plain_service_is_never_asked_for_stages() -> None:
    world, clock = World(desired=1), FakeClock()
    rolling(world)
    world.service["currentServiceDeployment"] = f"{STAGES}ours"
    clock.at(20, lambda: completed(world))
    found, aws = redeploy(world, clock=clock)
    assert not found.failed, found.msg
    assert "ecs:DescribeServiceDeployments" not in aws.operations


def test_a_deployment_that_ecs_had_given_up_is_started_anew_without_force() -> None:
    world, clock = World(desired=1), FakeClock()
    world.service["deployments"][0].update(rolloutState="FAILED", runningCount=0)
    rolling(world)
    clock.at(20, lambda: completed(world))
    found, aws = redeploy(world, clock=clock, force_new_deployment=False)
    assert not found.failed, found.msg
    assert found.result["reasons"] == [f"deployment {DEPLOYMENT} FAILED"]
    assert aws.params("ecs:UpdateService")[0]["forceNewDeployment"] is True


def test_a_deployment_under_way_is_followed_without_force() -> None:
    world, clock = World(desired=1), FakeClock()
    world.service["deployments"] = [world.deployment(NEW, rolloutState="IN_PROGRESS")]
    clock.at(20, lambda: completed(world))
    found, aws = redeploy(world, clock=clock, force=False)
    assert not found.failed, found.msg
    assert not found.changed
    assert (found.result["outcome"], found.result["reasons"]) == ("unchanged", [])
    assert found.result["waited"] >= 20
    assert aws.writes == []


@pytest.mark.parametrize("check", [False, True])
def test_what_differs_is_shown(check: bool) -> None:
    world, clock = World(desired=0), FakeClock()
    rolling(world)
    clock.at(5, lambda: completed(world))
    found, _aws = redeploy(world, clock=clock, check=check, desired_count=1)
    assert found.result["outcome"] == ("predicted" if check else "completed")
    assert found.result["reasons"] == ["desired count 0 -> 1"]
    assert found.result["diff"] == {
        "before": {"deployment": DEPLOYMENT, "desired_count": 0, "task_definition": "wwhd-backend:7"},
        "after": {"deployment": "(a new one)", "desired_count": 1, "task_definition": "wwhd-backend:7"},
    }


def test_a_start_makes_few_calls() -> None:
    """A minute of waiting: the service at each look, the tasks only when there is news of them."""
    world, clock = World(desired=0), FakeClock()
    rolling(world)
    clock.at(20, lambda: world.tasks.append(task(2, started_by=NEW)))
    clock.at(60, lambda: completed(world))
    found, aws = redeploy(world, clock=clock, desired_count=1)
    assert not found.failed, found.msg
    # While the task comes, the list of those that are meant to run; in the end, the task that is known.
    assert [params["desiredStatus"] for params in aws.params("ecs:ListTasks")] == ["RUNNING"]
    assert aws.operations.count("ecs:DescribeTasks") == 2
    assert len(aws.operations) < 20


def _replaced(world: World) -> None:
    says(world, 9, "has started 1 tasks: (task 3).")


def _lost(world: World) -> None:
    """Nothing is said of it."""


@pytest.mark.parametrize("told", [_replaced, _lost])
def test_a_failure_on_the_way_is_looked_for_where_anything_hints_at_it(told: Callable[[World], None]) -> None:
    world, clock = World(desired=0), FakeClock()
    rolling(world)
    clock.at(12, lambda: world.tasks.append(task(2, last="PENDING", started_by=NEW)))
    clock.at(33, lambda: (world.set_tasks(crash(2))(), told(world)))
    clock.at(80, lambda: (world.set_tasks(crash(2))(), completed(world, number=3)))
    found, aws = redeploy(world, clock=clock, desired_count=1)
    assert not found.failed, found.msg
    assert [entry["task_arn"] for entry in found.result["failures"]] == [task_arn(2)]
    assert "STOPPED" in [params["desiredStatus"] for params in aws.params("ecs:ListTasks")]


def test_a_crash_that_only_the_count_of_running_tasks_shows_is_seen_at_once() -> None:
    world, clock = World(desired=1), FakeClock()
    rolling(world)
    clock.at(20, world.set_tasks(task(2, started_by=NEW)))
    clock.at(31, world.set_tasks(crash(2)))
    found, _aws = redeploy(world, clock=clock, max_failed_tasks=1)
    assert found.result["outcome"] == "failed_tasks"
    assert clock.now < 35


def test_each_change_of_state_passes_on_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an operator sees of it."""
    said: list[tuple[float, str]] = []
    world, clock = World(desired=0), FakeClock()
    rolling(world)
    clock.at(20, lambda: completed(world, state="initial"))
    clock.at(40, lambda: world.targets.__setitem__(0, world.target(2, "healthy")))
    whole = ecs_service_redeploy.redeploy

    def heard(*args: Any, **kwargs: Any) -> dict[str, Any]:
        return whole(*args, **{**kwargs, "on_change": lambda text: said.append((clock.now, text))})

    monkeypatch.setattr(ecs_service_redeploy, "redeploy", heard)
    found, _aws = redeploy(world, clock=clock, desired_count=1)
    assert not found.failed, found.msg
    assert [text for _moment, text in said] == [
        "ECS says: (service wwhd-backend) has started 1 tasks.",
        f"Deployment {NEW}: rollout IN_PROGRESS, running 0 of 1.",
        "ECS says: (service wwhd-backend) deployment completed.",
        f"Deployment {NEW}: rollout COMPLETED, running 1 of 1.",
        f"task {'2'.zfill(32)} (wwhd-backend:7): RUNNING",
        "Load balancer: target 10.0.0.2:8000 of wwhd-backend is initial.",
        "Load balancer: target 10.0.0.2:8000 of wwhd-backend is healthy.",
    ]
    assert said[0][0] == 0
    assert 20 <= said[2][0] < 24


@pytest.mark.parametrize("readable", [True, False])
def test_a_failure_tells_of_the_tasks_as_they_are_now(readable: bool) -> None:
    """Whoever goes back from a release asks whether one of its containers has run, be it in the last second."""
    world, clock = World(desired=0), FakeClock()
    rolling(world)
    lists: Any = world.script()["ecs:ListTasks"][0]
    refused = Fault("AccessDeniedException", "not any more")
    world.overrides["ecs:ListTasks"] = [lambda params: lists(params) if readable or clock.now < 19 else refused]
    clock.at(19, lambda: world.tasks.append(task(2, started_by=NEW)))
    found, _aws = redeploy(world, clock=clock, desired_count=1, timeout=20)
    assert found.failed
    assert [entry["task_arn"] for entry in found.result["tasks"]] == ([task_arn(2)] if readable else [])
    # What is not known must not pass for a deployment of which all is known.
    assert found.result.get("outcome") == ("timed_out" if readable else None)
    assert ("How its tasks are now could not be read" in found.msg) is not readable


def test_a_task_that_ran_and_was_stopped_by_somebody_has_run() -> None:
    """It has not failed and lives no more: nothing else that is told shows it, and it may have opened the store."""
    world, clock = World(desired=0), FakeClock()
    rolling(world)
    clock.at(10, world.set_tasks(task(2, started_by=NEW)))
    stopped = task(
        2, last="STOPPED", desired="STOPPED", started_by=NEW, exits={"qdrant": 0}, stopCode="ServiceSchedulerInitiated"
    )
    clock.at(19, world.set_tasks(stopped))
    found, _aws = redeploy(world, clock=clock, desired_count=1, timeout=20)
    assert found.result["outcome"] == "timed_out"
    assert (found.result["failures"], found.result["tasks"]) == ([], [])
    assert found.result["has_run"]


def test_a_service_that_is_gone_is_told_although_its_tasks_are_not_listed_any_more() -> None:
    world, clock = World(desired=0), FakeClock()
    rolling(world)
    lists: Any = world.script()["ecs:ListTasks"][0]
    gone = Fault("ServiceNotFoundException", "Service not found.")
    world.overrides["ecs:ListTasks"] = [lambda params: lists(params) if clock.now < 10 else gone]
    clock.at(10, lambda: world.service.update(status="INACTIVE"))
    found, _aws = redeploy(world, clock=clock, desired_count=1)
    assert found.failed
    assert found.result["outcome"] == "service_gone"


def test_one_of_several_that_is_not_where_it_was_is_looked_for() -> None:
    """Nothing but the list of those that are meant to run shows it: neither a count nor an event."""
    world, clock = World(desired=0), FakeClock()
    rolling(world)
    clock.at(12, world.set_tasks(task(1, started_by=NEW)))
    clock.at(40, world.set_tasks(crash(1), task(2, started_by=NEW)))
    found, _aws = redeploy(world, clock=clock, desired_count=2, max_failed_tasks=1)
    assert found.result["outcome"] == "failed_tasks"
    assert [entry["task_arn"] for entry in found.result["failures"]] == [task_arn(1)]
    assert clock.now <= 65
