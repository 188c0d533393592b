"""ecs_service_scale as Ansible runs it, against a service that changes as the clock goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.modules.ecs_service_scale import main
from ansible_collections.wwhd.qdrant_ops.tests.unit.aws_world import (
    CLUSTER,
    GROUP,
    SERVICE,
    World,
    event,
    run_on,
    task,
    task_arn,
)
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, Outcome
from ansible_collections.wwhd.qdrant_ops.tests.unit.recorded_aws import Fault, RecordedAws

SWITCHES = ("dynamic_scaling_in_suspended", "dynamic_scaling_out_suspended", "scheduled_scaling_suspended")
ALL_SUSPENDED = {
    "DynamicScalingInSuspended": True,
    "DynamicScalingOutSuspended": True,
    "ScheduledScalingSuspended": True,
}
STOPPING: dict[str, Any] = {
    "stopCode": "ServiceSchedulerInitiated",
    "stoppedReason": "Scaling activity initiated by (deployment x)",
}


def scale(
    world: World, *, clock: FakeClock | None = None, check: bool = False, **args: Any
) -> tuple[Outcome, RecordedAws]:
    return run_on(world, main, clock=clock, check=check, **args)


def writes(aws: RecordedAws) -> list[str]:
    return [call.operation.split(":")[1] for call in aws.writes]


def draining(world: World, clock: FakeClock) -> None:
    """What AWS does after the count was set to 0: the counters say so at once, the process lives for minutes."""

    def after_update(params: dict[str, Any]) -> None:
        if params.get("desiredCount") == 0:
            world.set_tasks(task(1, last="DEACTIVATING", desired="STOPPED", **STOPPING))()

    world.on_update = after_update
    clock.at(30, world.set_tasks(task(1, last="STOPPING", desired="STOPPED", **STOPPING)))
    clock.at(40, world.set_tasks(task(1, last="DEPROVISIONING", desired="STOPPED", containers="STOPPED", **STOPPING)))


def test_zero_means_that_the_process_is_gone_and_not_that_the_counters_say_so() -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    draining(world, clock)
    outcome, aws = scale(world, clock=clock, desired_count=0)
    result = outcome.result
    assert not outcome.failed, outcome.msg
    assert outcome.changed
    assert (result["previous_desired_count"], result["desired_count"]) == (1, 0)
    assert 40 <= result["waited"] < 46
    assert result["elapsed"] == result["waited"]
    assert [(entry["task_arn"], entry["last_status"], entry["gone"]) for entry in result["tasks"]] == [
        (task_arn(1), "DEPROVISIONING", True)
    ]
    assert aws.params("ecs:UpdateService") == [{"cluster": CLUSTER, "service": SERVICE, "desiredCount": 0}]


def test_one_look_at_an_empty_service_does_where_the_caller_looks_again() -> None:
    lists = []
    for look_again in (True, False):
        world, clock = World(tasks=[task(1)]), FakeClock()
        draining(world, clock)
        outcome, aws = scale(world, clock=clock, desired_count=0, look_again=look_again)
        assert not outcome.failed, outcome.msg
        assert clock.now >= 40
        lists.append(len(aws.params("ecs:ListTasks")))
    assert lists[0] - lists[1] == 4


def held(world: World, clock: FakeClock, *, seconds: float) -> None:
    """A load balancer holds the task for so long; then it takes 3 s to end."""

    def update(_params: dict[str, Any]) -> None:
        world.set_tasks(task(1, last="DEACTIVATING", desired="STOPPED", **STOPPING))()
        world.service.update(runningCount=1)

    world.on_update = update
    clock.at(0.1, lambda: world.service.update(runningCount=0))
    clock.at(seconds, world.set_tasks(task(1, last="STOPPING", desired="STOPPED", **STOPPING)))
    clock.at(seconds + 3, world.set_tasks(task(1, last="STOPPED", desired="STOPPED", **STOPPING)))


@pytest.mark.parametrize(
    ("drain_time", "seconds", "looks"),
    [
        (0, 30, [0.5, 1.0, 1.5, 2.3, 3.58, 5.628, 8.905, 13.905, 18.905, 23.905, 28.905, 33.905]),
        (10, 10, [4.0, 8.0, 12.0, 12.5, 13.0]),
        (30, 30, [5.33, 10.67, 16.0, 21.33, 26.67, 32.0, 33.0]),
        (300, 30, [5.03, 10.07, 15.1, 20.13, 25.17, 30.2, 31.2, 32.2, 33.8]),  # it ends early
        (300, 1, [5.03]),
        # It lasts longer than it was said to.
        (5, 30, [1.75, 3.5, 5.25, 7.0, 8.28, 10.33, 13.6, 18.6, 23.6, 28.6, 33.6]),
    ],
)
def test_a_known_drain_says_when_to_look(drain_time: int, seconds: float, looks: list[float]) -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    held(world, clock, seconds=seconds)
    outcome, _aws = scale(world, clock=clock, desired_count=0, look_again=False, drain_time=drain_time)
    assert not outcome.failed, outcome.msg
    assert [round(at, 2) for at in accumulate(clock.sleeps)] == pytest.approx(looks, abs=0.01)


@pytest.mark.parametrize(
    ("drain_time", "look_again", "lists"), [(20, False, 2), (20, True, 6), (0, False, 4), (0, True, 6)]
)
def test_tasks_are_listed_again_unless_they_were_when_the_scheduler_knew_and_the_caller_looks_once_more(
    drain_time: int, look_again: bool, lists: int
) -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    held(world, clock, seconds=20)
    outcome, aws = scale(world, clock=clock, desired_count=0, look_again=look_again, drain_time=drain_time)
    assert not outcome.failed, outcome.msg
    assert clock.now >= 23
    assert len(aws.params("ecs:ListTasks")) == lists


def test_a_list_that_failed_is_no_list() -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    held(world, clock, seconds=2)
    failed: list[float] = []

    def lists(params: dict[str, Any]) -> Any:
        if clock.now > 3 and not failed:
            failed.append(clock.now)
            return Fault("ServerException", "Service Unavailable", status=503)
        return {
            "taskArns": [entry["taskArn"] for entry in world.tasks if entry["desiredStatus"] == params["desiredStatus"]]
        }

    world.overrides["ecs:ListTasks"] = [lists]
    outcome, aws = scale(world, clock=clock, desired_count=0, look_again=False)
    assert not outcome.failed, outcome.msg
    assert failed
    # At first, the one that failed, and the one in its place.
    assert len(aws.params("ecs:ListTasks")) == 5


@pytest.mark.parametrize("stray", ["pending", "started"])
def test_a_task_that_may_have_been_missing_on_the_list_is_looked_for(stray: str) -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    held(world, clock, seconds=20)
    late = task(5, last="STOPPING", desired="STOPPED", **STOPPING)
    gone = [task(1, last="STOPPED", desired="STOPPED", **STOPPING)]
    if stray == "pending":
        # Counted when the tasks were listed, but on no list; when the first one has ended ECS stops it as well.
        clock.at(4, lambda: world.service.update(runningCount=1, pendingCount=1))
        clock.at(21, lambda: world.service.update(runningCount=0, pendingCount=0))
    else:
        # A pipeline had it started and stopped since.
        clock.at(
            10,
            lambda: world.service["events"].insert(
                0, event(99, "(service wwhd-backend) has started 1 tasks: (task x).")
            ),
        )
    clock.at(23, world.set_tasks(*gone, late))
    clock.at(60, world.set_tasks(*gone, task(5, last="STOPPED", desired="STOPPED", **STOPPING)))
    outcome, _aws = scale(world, clock=clock, desired_count=0, look_again=False, drain_time=20)
    assert not outcome.failed, outcome.msg
    assert clock.now >= 60
    assert task_arn(5) in [entry["task_arn"] for entry in outcome.result["tasks"]]


def test_counters_that_lag_behind_are_waited_for() -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    held(world, clock, seconds=20)
    clock.at(19, lambda: world.service.update(pendingCount=1))
    clock.at(60, lambda: world.service.update(pendingCount=0))
    outcome, _aws = scale(world, clock=clock, desired_count=0, look_again=False, drain_time=20)
    assert not outcome.failed, outcome.msg
    assert clock.now >= 60


def test_right_after_the_call_nothing_can_have_ended() -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    at: list[float] = []

    def ends(_params: dict[str, Any]) -> None:
        world.service.update(runningCount=1)
        clock.at(0.4, lambda: (world.service.update(runningCount=0), world.set_tasks()()))

    world.on_update = ends
    clock.at(0.2, lambda: at.append(len(world.tasks)))
    outcome, aws = scale(world, clock=clock, desired_count=0, look_again=False)
    assert not outcome.failed, outcome.msg
    assert at == [1]
    assert len(aws.params("ecs:ListTasks")) == 2


def test_tags_and_suspension_come_before_the_count() -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    draining(world, clock)
    world.scalable = {"MinCapacity": 1, "MaxCapacity": 3}
    outcome, aws = scale(world, clock=clock, desired_count=0, suspend_autoscaling=True, tags={"count": 1})
    assert writes(aws) == ["TagResource", "RegisterScalableTarget", "UpdateService"]
    (registered,) = aws.params("application-autoscaling:RegisterScalableTarget")
    assert registered == {
        "ServiceNamespace": "ecs",
        "ScalableDimension": "ecs:service:DesiredCount",
        "ResourceId": f"service/{CLUSTER}/{SERVICE}",
        "SuspendedState": ALL_SUSPENDED,
    }
    assert outcome.result["tags_written"] == {"count": "1"}
    assert outcome.result["autoscaling"]["before"]["suspended_state"] == dict.fromkeys(SWITCHES, False)
    assert outcome.result["autoscaling"]["after"]["suspended_state"] == dict.fromkeys(SWITCHES, True)


def test_a_count_that_the_suspension_itself_raised_is_set_again() -> None:
    world = World(desired=0)
    world.scalable = {"MinCapacity": 1, "MaxCapacity": 3}

    def lift(params: dict[str, Any]) -> dict[str, Any]:
        world.service["desiredCount"] = 1
        return {}

    world.overrides["application-autoscaling:RegisterScalableTarget"] = [lift]
    outcome, aws = scale(world, desired_count=0, suspend_autoscaling=True)
    assert not outcome.failed, outcome.msg
    assert writes(aws) == ["RegisterScalableTarget", "UpdateService"]
    assert outcome.result["previous_desired_count"] == 0


def test_resuming_and_removing_tags_come_after_the_tasks_run() -> None:
    world, clock = World(desired=0), FakeClock()
    world.scalable = {"MinCapacity": 0, "MaxCapacity": 3, "SuspendedState": ALL_SUSPENDED}
    world.service["tags"] = [{"key": "count", "value": "1"}, {"key": "mine", "value": "stays"}]
    clock.at(40, world.set_tasks(task(2)))
    before = {
        "min_capacity": 1,
        "max_capacity": 3,
        "suspended_state": {"scheduled_scaling_suspended": True},
    }
    outcome, aws = scale(
        world, clock=clock, desired_count=1, autoscaling=before, remove_tags=["count", "absent"], timeout=60
    )
    assert not outcome.failed, outcome.msg
    assert writes(aws) == ["UpdateService", "RegisterScalableTarget", "UntagResource"]
    assert aws.params("application-autoscaling:RegisterScalableTarget")[0]["SuspendedState"] == {
        "DynamicScalingInSuspended": False,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": True,
    }
    assert aws.params("application-autoscaling:RegisterScalableTarget")[0]["MinCapacity"] == 1
    assert "MaxCapacity" not in aws.params("application-autoscaling:RegisterScalableTarget")[0]
    assert outcome.result["tags_removed"] == ["count"]
    assert world.service["tags"] == [{"key": "mine", "value": "stays"}]
    assert 40 <= outcome.result["waited"] < 44


def test_what_is_as_asked_is_not_written_again() -> None:
    world = World(tasks=[task(1)])
    world.scalable = {"MinCapacity": 1, "MaxCapacity": 1}
    world.service["tags"] = [{"key": "count", "value": "1"}]
    outcome, aws = scale(world, desired_count=1, suspend_autoscaling=False, tags={"count": "1"}, remove_tags=["absent"])
    assert not outcome.failed, outcome.msg
    assert not outcome.changed
    assert aws.writes == []


def test_check_mode_predicts_and_writes_nothing() -> None:
    world = World(tasks=[task(1)])
    world.scalable = {"MinCapacity": 1, "MaxCapacity": 1}
    world.service["tags"] = [{"key": "old", "value": "1"}]
    outcome, aws = scale(
        world, check=True, desired_count=0, suspend_autoscaling=True, tags={"count": "1"}, remove_tags=["old"]
    )
    result = outcome.result
    assert aws.writes == []
    assert outcome.changed
    assert (result["previous_desired_count"], result["desired_count"], result["waited"]) == (1, 0, 0.0)
    assert (result["tags_written"], result["tags_removed"]) == ({"count": "1"}, ["old"])
    assert result["autoscaling"]["after"]["suspended_state"] == dict.fromkeys(SWITCHES, True)
    assert [entry["task_arn"] for entry in result["tasks"]] == [task_arn(1)]


def test_without_a_scalable_target_there_is_nothing_to_suspend() -> None:
    outcome, aws = scale(World(desired=0), desired_count=0, suspend_autoscaling=True)
    assert not outcome.failed
    assert not outcome.changed
    assert aws.writes == []
    assert outcome.result["autoscaling"] == {"before": None, "after": None}


def test_a_scalable_target_that_vanished_is_a_warning() -> None:
    outcome, _aws = scale(World(desired=1, tasks=[task(1)]), autoscaling={"min_capacity": 1})
    assert not outcome.failed
    assert "its autoscaling was not restored" in str(outcome.warnings)


def test_resuming_above_the_count_is_a_warning() -> None:
    world = World(desired=0)
    world.scalable = {"MinCapacity": 1, "MaxCapacity": 1, "SuspendedState": ALL_SUSPENDED}
    outcome, _aws = scale(world, suspend_autoscaling=False)
    assert outcome.changed
    assert "may raise its desired count from 0 to its minimum, 1" in str(outcome.warnings)


def test_the_drain_is_shortened_before_the_count_is_changed() -> None:
    world = World(tasks=[task(1)])
    outcome, aws = scale(world, desired_count=0, wait=False, deregistration_delays={GROUP: 0})
    assert [call.operation for call in aws.writes] == ["elbv2:ModifyTargetGroupAttributes", "ecs:UpdateService"]
    assert world.delay == "0"
    assert outcome.result["deregistration_delays"] == {GROUP: {"before": 300, "after": 0}}
    assert outcome.result["diff"]["before"]["deregistration_delays"] == {GROUP: 300}
    again, aws = scale(world, desired_count=0, wait=False, deregistration_delays={GROUP: 0})
    assert (again.changed, aws.writes) == (False, [])


def test_a_drain_that_may_not_be_shortened_is_a_warning() -> None:
    world = World(tasks=[task(1)])
    world.overrides["elbv2:ModifyTargetGroupAttributes"] = [Fault("AccessDenied", "not authorized")]
    outcome, _aws = scale(world, desired_count=0, wait=False, deregistration_delays={GROUP: 0})
    assert (outcome.failed, world.service["desiredCount"]) == (False, 0)
    assert f"set the deregistration delay of target group {GROUP} to 0 s" in str(outcome.warnings)
    assert "Going on" in str(outcome.warnings)


@pytest.mark.parametrize("delay", [-1, 3601, "soon", True, 1.5])
def test_a_delay_that_aws_would_refuse_is_refused(delay: Any) -> None:
    outcome, aws = scale(World(), deregistration_delays={GROUP: delay, "my-targets": 3})
    assert outcome.failed
    assert f"must be 0 to 3600 whole seconds, not {delay!r}" in outcome.msg
    assert "'my-targets', which is not the ARN of a target group" in outcome.msg
    assert aws.calls == []


def test_no_wait_returns_at_once() -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    outcome, _aws = scale(world, clock=clock, desired_count=0, wait=False)
    assert outcome.changed
    assert clock.sleeps == []
    assert [entry["last_status"] for entry in outcome.result["tasks"]] == ["RUNNING"]


def test_a_task_that_appears_between_two_looks_is_awaited_too() -> None:
    world, clock = World(desired=0), FakeClock()
    clock.at(0.4, world.set_tasks(task(5, last="PENDING")))
    clock.at(30, world.set_tasks(task(5, last="STOPPED", desired="STOPPED")))
    outcome, _aws = scale(world, clock=clock, desired_count=0)
    assert not outcome.failed, outcome.msg
    assert outcome.result["waited"] >= 30
    assert [entry["task_arn"] for entry in outcome.result["tasks"]] == [task_arn(5)]


def test_a_task_that_aws_lists_but_cannot_describe_is_not_gone() -> None:
    world, clock = World(desired=0), FakeClock()
    world.missing = [task_arn(9)]
    clock.at(20, world.missing.clear)
    outcome, _aws = scale(world, clock=clock, desired_count=0)
    assert outcome.result["waited"] >= 20


def test_the_time_is_up_and_the_last_state_is_told() -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    draining(world, clock)
    outcome, _aws = scale(world, clock=clock, desired_count=0, timeout=20)
    assert outcome.failed
    assert outcome.msg.startswith(
        "Could not see every task of service wwhd-backend in cluster wwhd-cluster end: gave up after 20 s."
    )
    assert "DEACTIVATING, desired STOPPED; fastapi RUNNING, qdrant RUNNING" in outcome.msg
    assert "deregistration delay" in outcome.msg
    assert outcome.result["tasks"][0]["gone"] is False
    assert outcome.result["elapsed"] == 20


@pytest.mark.parametrize(("drain_time", "within"), [(0, 2), (30, 6)])
def test_a_protected_task_ends_the_wait_and_is_named(drain_time: int, within: float) -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    world.protected = {task_arn(1): datetime(2026, 11, 23, 17, 0, tzinfo=UTC)}
    outcome, _aws = scale(world, clock=clock, desired_count=0, drain_time=drain_time)
    assert outcome.failed
    assert clock.now < within
    assert f"task {1:032x} is under scale-in protection until 2026-11-23T17:00:00.000Z" in outcome.msg
    assert "aws ecs update-task-protection --cluster wwhd-cluster" in outcome.msg


def test_protection_that_ends_in_time_is_waited_out() -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    world.protected = {task_arn(1): clock.started + timedelta(seconds=20)}
    clock.at(21, world.protected.clear)
    clock.at(22, world.set_tasks(task(1, last="STOPPED", desired="STOPPED")))
    outcome, _aws = scale(world, clock=clock, desired_count=0)
    assert not outcome.failed, outcome.msg
    assert 22 <= outcome.result["waited"] < 30


def test_protection_that_cannot_be_read_only_costs_the_early_end() -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    world.overrides["ecs:GetTaskProtection"] = [Fault("AccessDeniedException", "no")]
    clock.at(20, world.set_tasks(task(1, last="STOPPED", desired="STOPPED")))
    outcome, _aws = scale(world, clock=clock, desired_count=0)
    assert not outcome.failed, outcome.msg


def test_somebody_else_raising_the_count_ends_the_wait() -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    draining(world, clock)
    clock.at(10, lambda: world.service.update(desiredCount=2))
    outcome, _aws = scale(world, clock=clock, desired_count=0)
    assert outcome.failed
    assert "somebody else changed the desired count to 2 meanwhile (we had set 0)" in outcome.msg
    assert clock.now < 35


def test_an_old_answer_right_after_the_change_is_not_somebody_else() -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    world.on_update = lambda params: world.service.update(desiredCount=1)
    clock.at(5, lambda: world.service.update(desiredCount=0))
    clock.at(6, world.set_tasks(task(1, last="STOPPED", desired="STOPPED")))
    outcome, _aws = scale(world, clock=clock, desired_count=0)
    assert not outcome.failed, outcome.msg


def test_a_service_that_is_deleted_meanwhile_ends_the_wait() -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    draining(world, clock)
    clock.at(10, lambda: world.service.update(status="DRAINING"))
    outcome, _aws = scale(world, clock=clock, desired_count=0)
    assert outcome.failed
    assert "the service became DRAINING meanwhile" in outcome.msg


def test_a_service_that_is_not_active_is_refused() -> None:
    world = World(desired=0)
    world.service.update(status="INACTIVE")
    outcome, aws = scale(world, desired_count=1, tags={"a": "b"})
    assert outcome.failed
    assert "it is INACTIVE, not ACTIVE" in outcome.msg
    assert aws.writes == []


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"desired_count": -1}, "desired_count must be 0 or more, not -1."),
        ({"timeout": 0}, "timeout must be 1 or more, not 0."),
        ({"autoscaling": {"min_capacity": 3, "max_capacity": 1}}, "min_capacity (3) is above"),
        ({"autoscaling": {"min_capacity": -3}}, "autoscaling.min_capacity must be 0 or more, not -3."),
        ({"autoscaling": {"min_capacity": 1}, "suspend_autoscaling": True}, "can't be given together"),
        ({"tags": {"a;b": "c"}}, "The tag key 'a;b' is not one that AWS takes"),
        ({"tags": {"a": "<b>"}}, "The value of tag a is not one that AWS takes"),
        ({"tags": {"a": "x" * 257}}, "The value of tag a is not one that AWS takes"),
        ({"tags": {"a": "b"}, "remove_tags": ["a"]}, "both to be written and to be removed: a."),
    ],
)
@pytest.mark.parametrize("check", [False, True])
def test_bad_arguments_are_refused_before_any_call(args: dict[str, Any], sentence: str, check: bool) -> None:
    outcome, aws = scale(World(), check=check, **args)
    assert outcome.failed
    assert sentence in outcome.msg
    assert aws.calls == []


def test_what_aws_says_of_a_refused_update_is_told() -> None:
    world = World(tasks=[task(1)])
    world.overrides["ecs:UpdateService"] = [Fault("AccessDeniedException", "no")]
    outcome, _aws = scale(world, desired_count=0)
    assert outcome.failed
    assert "set the desired count of service wwhd-backend in cluster wwhd-cluster to 0: AccessDenied" in outcome.msg
    assert "ecs:UpdateService" in outcome.msg
    assert outcome.result["started_at"]


def test_a_service_that_does_not_carry_the_expected_tags_is_left_alone() -> None:
    world = World(tasks=[task(1)])
    outcome, aws = scale(world, desired_count=0, expected_tags={"run": "mine"})
    assert outcome.failed
    assert "its tag run is absent, expected mine" in outcome.msg
    assert "left as it is" in outcome.msg
    assert writes(aws) == []


def test_tags_that_somebody_writes_over_ours_during_the_wait_end_it() -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    draining(world, clock)
    clock.at(35, lambda: world.service.update(tags=[{"key": "run", "value": "theirs"}]))
    outcome, aws = scale(world, clock=clock, desired_count=0, tags={"run": "mine"})
    assert outcome.failed
    assert "its tag run is theirs, expected mine" in outcome.msg
    assert outcome.result["changed"] is True
    assert writes(aws) == ["TagResource", "UpdateService"]


def test_a_failure_says_whether_anything_was_changed() -> None:
    world = World(tasks=[task(1)])
    world.overrides["ecs:TagResource"] = [Fault("AccessDeniedException", "no")]
    outcome, _aws = scale(world, desired_count=0, tags={"run": "mine"})
    assert outcome.failed
    assert outcome.result["changed"] is False


PREFIX = "wwhd.qdrant_ops:claim:"


def claim(name: str, since: str, owner: str = "ann@box/1+1+aa") -> dict[str, str]:
    return {f"{PREFIX}{name}": f"{owner} since {since} until 2026-11-23T16:00:00.000Z"}


MINE = claim("mine", "2026-11-23T15:00:00.000Z")
OLDER = claim("older", "2026-11-23T14:59:59.000Z", "bob@far/2+2+bb")
YOUNGER = claim("younger", "2026-11-23T15:00:01.000Z", "bob@far/2+2+bb")


def tagged(*claims: dict[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for one in claims for key, value in one.items()]


def test_a_claim_that_was_there_first_is_left_alone() -> None:
    world = World(tasks=[task(1)])
    world.service["tags"] = tagged(OLDER)
    outcome, aws = scale(world, tags=MINE, desired_count=0)
    assert outcome.failed
    assert not outcome.changed
    assert "another run is under way: older, by bob@far/2, since 2026-11-23T14:59:59.000Z" in outcome.msg
    assert writes(aws) == []


@pytest.mark.parametrize(("other", "wins"), [(OLDER, False), (YOUNGER, False)])
def test_two_that_are_written_at_the_same_moment_and_stay_never_both_go_on(other: dict[str, str], wins: bool) -> None:
    """The other one stays: it has looked before ours was there, and is at work."""
    world, clock = World(tasks=[task(1)]), FakeClock()
    world.overrides["ecs:TagResource"] = [
        lambda params: (world.service["tags"].extend(tagged(other)), world._tag(params))[1]
    ]
    outcome, aws = scale(world, clock=clock, tags=MINE, desired_count=0)
    assert outcome.failed is not wins
    assert "by bob@far/2, since" in outcome.msg
    assert writes(aws) == ["TagResource", "UntagResource"]
    assert world.service["tags"] == tagged(other)
    assert clock.now < 10


def test_the_older_of_two_waits_until_the_younger_has_withdrawn() -> None:
    world, clock = World(tasks=[]), FakeClock()
    world.overrides["ecs:TagResource"] = [
        lambda params: (world.service["tags"].extend(tagged(YOUNGER)), world._tag(params))[1]
    ]
    clock.at(2, lambda: world._untag({"tagKeys": list(YOUNGER)}) and None)
    outcome, aws = scale(world, clock=clock, tags=MINE, desired_count=0)
    assert not outcome.failed, outcome.msg
    assert writes(aws) == ["TagResource", "UpdateService"]


def test_a_claim_of_a_run_that_is_over_is_taken_over() -> None:
    world = World(desired=0)
    world.service["tags"] = tagged(OLDER)
    outcome, aws = scale(world, tags=MINE, takes_over=list(OLDER), desired_count=0)
    assert not outcome.failed, outcome.msg
    assert writes(aws) == ["TagResource", "UntagResource"]
    assert world.service["tags"] == tagged(MINE)
    # Somebody else has done it meanwhile.
    outcome, aws = scale(world, tags=YOUNGER, takes_over=list(OLDER), desired_count=0)
    assert outcome.failed
    assert writes(aws) == []


def test_a_count_that_has_changed_since_the_decision_stops_it() -> None:
    world = World(desired=2)
    outcome, aws = scale(world, expected_desired_count=1, desired_count=0)
    assert outcome.failed
    assert "its desired count is 2, expected 1" in outcome.msg
    assert writes(aws) == []


def test_resuming_does_not_start_what_was_stopped() -> None:
    """RegisterScalableTarget moves the count into the target's limits (facts.md C.8)."""
    world = World(desired=0)
    world.scalable = {"MinCapacity": 1, "MaxCapacity": 3, "SuspendedState": ALL_SUSPENDED}

    def register(params: dict[str, Any]) -> dict[str, Any]:
        world.service["desiredCount"] = 1
        world._register(params)
        return {}

    world.overrides["application-autoscaling:RegisterScalableTarget"] = [register]
    state = {"min_capacity": 1, "max_capacity": 3, "suspended_state": {}}
    outcome, aws = scale(world, desired_count=0, suspend_autoscaling=False, autoscaling=state, wait=False)
    assert not outcome.failed, outcome.msg
    assert world.service["desiredCount"] == 0
    assert writes(aws) == ["RegisterScalableTarget", "UpdateService"]


def test_a_claim_that_cannot_be_confirmed_is_withdrawn() -> None:
    """Or else whatever puts things back afterwards would take the service for its own."""
    world, looks = World(tasks=[task(1)]), [0]
    describe = world.script()["ecs:DescribeServices"][0]

    def answer(params: dict[str, Any]) -> Any:
        looks[0] += 1
        return describe(params) if looks[0] == 1 else Fault("AccessDeniedException", "no more")  # type: ignore[operator]

    world.overrides["ecs:DescribeServices"] = [answer]
    outcome, aws = scale(world, tags=MINE, desired_count=0)
    assert outcome.failed
    assert (outcome.changed, outcome.result["claimed"]) == (False, False)
    assert writes(aws) == ["TagResource", "UntagResource"]
    assert world.service["tags"] == []


def test_one_that_cannot_be_withdrawn_is_told() -> None:
    world = World(tasks=[task(1)])
    world.overrides["ecs:TagResource"] = [
        lambda params: (world.service["tags"].extend(tagged(OLDER)), world._tag(params))[1]
    ]
    world.overrides["ecs:UntagResource"] = [Fault("AccessDeniedException", "no")]
    outcome, _aws = scale(world, tags=MINE, desired_count=0)
    assert outcome.failed
    assert (outcome.changed, outcome.result["claimed"]) == (True, False)


def test_whoever_has_lost_the_claim_writes_nothing_more() -> None:
    """A module that outlived its playbook wakes up when the watchdog has put everything back."""
    world, clock = World(tasks=[task(1)]), FakeClock()
    world.scalable = {"MinCapacity": 1, "MaxCapacity": 1, "SuspendedState": {}}

    def throttled(params: dict[str, Any]) -> Fault:
        world.service["tags"] = []
        return Fault("ThrottlingException", "Rate exceeded")

    world.overrides["ecs:UpdateService"] = [throttled, {"service": world.service}]
    outcome, aws = scale(world, clock=clock, tags=MINE, desired_count=0)
    assert outcome.failed
    assert "its tag wwhd.qdrant_ops:claim:mine is absent" in outcome.msg
    assert len(aws.params("ecs:UpdateService")) == 1


@pytest.mark.parametrize("seconds", [0.0, 2.0])
def test_a_look_at_the_claim_serves_what_is_written_within_a_second_and_nothing_later(seconds: float) -> None:
    world, clock = World(tasks=[task(1)]), FakeClock()
    modify: Any = world.script()["elbv2:ModifyTargetGroupAttributes"][0]

    def takes_its_time(params: dict[str, Any]) -> Any:
        clock.now += seconds
        if seconds:
            # The watchdog of a playbook that has died takes the service over.
            world.service = {**world.service, "tags": tagged(OLDER)}
        return modify(params)

    world.overrides["elbv2:ModifyTargetGroupAttributes"] = [takes_its_time]
    delays = {"deregistration_delays": {GROUP: 0}, "expected_deregistration_delays": {GROUP: 300}}
    outcome, aws = scale(world, clock=clock, tags=MINE, desired_count=0, wait=False, **delays)
    # What was noted of the delay before is looked at once, under the claim.
    assert aws.operations.count("elbv2:DescribeTargetGroupAttributes") == 1
    if seconds:
        assert outcome.failed
        assert "its tag wwhd.qdrant_ops:claim:mine is absent" in outcome.msg
        assert writes(aws) == ["TagResource", "ModifyTargetGroupAttributes"]
        return
    assert not outcome.failed, outcome.msg
    assert writes(aws) == ["TagResource", "ModifyTargetGroupAttributes", "UpdateService"]
    assert aws.operations.count("ecs:DescribeServices") == 2
    assert outcome.result["deregistration_delays"] == {GROUP: {"before": 300, "after": 0}}


def test_a_delay_that_is_not_as_it_was_noted_is_left_alone() -> None:
    world = World(tasks=[task(1)])
    world.delay = "200"
    delays = {"deregistration_delays": {GROUP: 0}, "expected_deregistration_delays": {GROUP: 300}}
    outcome, aws = scale(world, tags=MINE, desired_count=0, **delays)
    assert outcome.failed
    assert "is 200 s, not 300 s any more" in outcome.msg
    assert writes(aws) == ["TagResource", "UntagResource"]
