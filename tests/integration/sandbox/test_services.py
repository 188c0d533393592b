# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services: the scheduler, deployments, and what UpdateService refuses."""

from __future__ import annotations

import re
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

CLUSTER = "wwhd-cluster"
DEAF = "trap '' TERM; while :; do sleep 0.05; done"
BLOCKING = {"minimumHealthyPercent": 100, "maximumPercent": 100}
STOP_FIRST = {"minimumHealthyPercent": 0, "maximumPercent": 100}
SLEEP = "trap 'exit 0' TERM; while :; do sleep 0.05; done"


def events(world: Any, name: str = "wwhd-backend") -> list[str]:
    """Oldest first."""
    return [event["message"] for event in reversed(world.service(name)["events"])]


def test_the_seeded_service_is_healthy_behind_its_load_balancer(world: Any) -> None:
    service = world.service()
    assert (service["runningCount"], service["pendingCount"], world.rollout()) == (1, 0, "COMPLETED")
    assert service["deployments"][0]["rolloutStateReason"].endswith("completed.")
    assert events(world)[-1] == "(service wwhd-backend) has reached a steady state."
    state = world.sandbox.state
    with urllib.request.urlopen(state["health_url"]) as answer:
        assert answer.status == 200
    elb = world.sandbox.boto3("elbv2")
    group = service["loadBalancers"][0]["targetGroupArn"]
    targets = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    assert [target["TargetHealth"]["State"] for target in targets] == ["healthy"]
    task = world.tasks()[0]
    assert task["group"] == "service:wwhd-backend"
    assert task["startedBy"] == service["deployments"][0]["id"]


def test_scaling_to_zero_drains_first_and_the_count_falls_long_before_the_process_ends(world: Any) -> None:
    (task,) = world.tasks()
    world.update(desiredCount=0)
    world.until(lambda: world.service()["runningCount"] == 0, "runningCount 0")
    late = world.task(task["taskArn"])
    assert late["lastStatus"] == "DEACTIVATING"
    assert {container["lastStatus"] for container in late["containers"]} == {"RUNNING"}
    assert len(world.service()["deployments"]) == 1
    world.ecs.get_waiter("services_stable").wait(cluster=CLUSTER, services=["wwhd-backend"])
    assert world.task(task["taskArn"])["lastStatus"] == "DEACTIVATING"
    stopped = world.until_stopped(task["taskArn"])
    assert stopped["stopCode"] == "ServiceSchedulerInitiated"
    assert re.match(r"Scaling activity initiated by \(deployment ecs-svc/\d{19}\)", stopped["stoppedReason"])
    assert (stopped["stoppingAt"] - task["startedAt"]).total_seconds() > 300 / 50


@pytest.mark.sandbox_service("stopped")
def test_only_desired_count_makes_no_new_deployment(world: Any) -> None:
    world.create_service("plain", world.register("plain", script=SLEEP))
    world.until(lambda: world.rollout("plain") == "COMPLETED", "COMPLETED")
    first = world.service("plain")["deployments"][0]["id"]
    answer = world.update("plain", desiredCount=2)
    assert [deployment["id"] for deployment in answer["deployments"]] == [first]
    world.until(lambda: world.service("plain")["runningCount"] == 2, "two tasks")
    assert len(events(world, "plain")) == len(set(events(world, "plain")))


@pytest.mark.sandbox_service("stopped")
def test_without_a_load_balancer_a_task_counts_as_healthy_after_forty_seconds(world: Any) -> None:
    world.create_service("plain", world.register("plain", script=SLEEP))
    world.until(lambda: world.service("plain")["runningCount"] == 1, "RUNNING")
    assert world.rollout("plain") == "IN_PROGRESS"
    world.until(lambda: world.rollout("plain") == "COMPLETED", "COMPLETED")


@pytest.mark.sandbox_service("stopped")
def test_the_default_rollout_overlaps_and_stop_first_does_not_wait_for_the_end_of_the_old_task(world: Any) -> None:
    world.create_service("plain", world.register("plain", script=DEAF, container={"stopTimeout": 120}))
    world.until(lambda: world.rollout("plain") == "COMPLETED", "COMPLETED")
    world.update("plain", forceNewDeployment=True)
    both = world.until(lambda: len(world.tasks("plain")) == 2 and world.service("plain"), "old and new at once")
    assert sorted(deployment["status"] for deployment in both["deployments"]) == ["ACTIVE", "PRIMARY"]
    old = next(deployment for deployment in both["deployments"] if deployment["status"] == "ACTIVE")
    assert (old["desiredCount"], old["runningCount"]) == (0, 1)
    world.until(
        lambda: world.rollout("plain") == "COMPLETED" and len(world.service("plain")["deployments"]) == 1, "done"
    )
    # Now 0/100: the replacement is started while the old task, deaf to SIGTERM, is still there.
    world.update(
        "plain", forceNewDeployment=True, availabilityZoneRebalancing="DISABLED",
        deploymentConfiguration=STOP_FIRST,
    )  # fmt: skip
    world.until(lambda: world.tasks("plain") and world.tasks("plain")[0]["lastStatus"] == "RUNNING", "the replacement")
    states = {task["lastStatus"] for task in world.tasks("plain", "STOPPED")}
    assert "STOPPING" in states
    told = [text for text in events(world, "plain") if "has st" in text]
    assert "has stopped 1 running tasks" in told[-2]
    assert "has started 1 tasks" in told[-1]


@pytest.mark.sandbox_service("stopped")
def test_the_circuit_breaker_counts_tasks_that_never_run_and_rolls_back(world: Any) -> None:
    good = world.register("app", script=SLEEP)
    breaker = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}
    first = world.create_service("app", good, deploymentConfiguration=breaker)["deployments"][0]["id"]
    world.until(lambda: world.rollout("app") == "COMPLETED", "COMPLETED")
    bad = world.register("app", image="nobody/nothing:1")
    world.update("app", taskDefinition=bad)

    def failed() -> Any:
        found = [d for d in world.service("app")["deployments"] if d["rolloutState"] == "FAILED"]
        return found[0] if found else None

    broken = world.until(failed, "FAILED")
    assert broken["failedTasks"] == 3
    assert broken["rolloutStateReason"] == "ECS deployment circuit breaker: tasks failed to start."
    service = world.until(lambda: world.rollout("app") == "COMPLETED" and world.service("app"), "rolled back")
    assert service["deployments"][0]["id"] == first
    assert service["taskDefinition"] == good
    assert f"(service app) rolling back to deployment {first}." in events(world, "app")


@pytest.mark.sandbox_service("stopped")
def test_a_task_that_runs_and_then_dies_is_no_failed_task_and_comes_back_at_once(world: Any) -> None:
    world.create_service("crash", world.register("crash", script="exit 101"))
    world.until(lambda: len(world.tasks("crash", "STOPPED")) >= 4, "four ends", 60)
    service = world.service("crash")
    assert service["deployments"][0]["failedTasks"] == 0
    assert service["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    assert not [text for text in events(world, "crash") if "unable to consistently start" in text]


@pytest.mark.sandbox_service("stopped")
def test_tasks_that_never_run_are_started_ever_more_slowly(world: Any) -> None:
    world.create_service("never", world.register("never", image="nobody/nothing:1"))
    text = "(service never) is unable to consistently start tasks successfully."
    world.until(lambda: text in events(world, "never"), text)
    assert world.service("never")["deployments"][0]["failedTasks"] >= 3


@pytest.mark.sandbox_service("stopped")
def test_a_task_that_fails_its_load_balancers_health_checks_is_replaced(world: Any) -> None:
    group = world.service()["loadBalancers"][0]["targetGroupArn"]
    definition = world.register("deaf", script=SLEEP, container={"portMappings": [{"containerPort": 8000}]})
    balancer = {"targetGroupArn": group, "containerName": "main", "containerPort": 8000}
    world.create_service("deaf", definition, loadBalancers=[balancer], healthCheckGracePeriodSeconds=0)
    (task, *_rest) = world.until(lambda: world.tasks("deaf", "STOPPED"), "a task that was replaced")
    assert task["stoppedReason"].startswith(
        "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing"
    )
    assert world.service("deaf")["deployments"][0]["failedTasks"] >= 1


def test_a_health_check_that_is_changed_holds_for_targets_that_are_there(world: Any, sandbox: Any) -> None:
    world.update(healthCheckGracePeriodSeconds=7200)
    elb = sandbox.boto3("elbv2")
    group = elb.describe_target_groups()["TargetGroups"][0]["TargetGroupArn"]

    def states() -> list[str]:
        found = elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        return [target["TargetHealth"]["State"] for target in found]

    elb.modify_target_group(TargetGroupArn=group, HealthCheckPath="/absent")
    world.until(lambda: states() == ["unhealthy"], "unhealthy")
    elb.modify_target_group(TargetGroupArn=group, HealthCheckPath="/health")
    world.until(lambda: states() == ["healthy"], "healthy again")


@pytest.mark.sandbox_service("stopped")
def test_scale_in_protection_keeps_a_task(world: Any) -> None:
    world.create_service("kept", world.register("kept", script=SLEEP))
    (task,) = world.until(lambda: [t for t in world.tasks("kept") if t["lastStatus"] == "RUNNING"], "RUNNING")
    arn = task["taskArn"]
    told = world.ecs.update_task_protection(cluster=CLUSTER, tasks=[arn], protectionEnabled=True)["protectedTasks"]
    assert told[0]["protectionEnabled"] is True
    world.update("kept", desiredCount=0)
    world.until(lambda: any("unable to scale in" in text for text in events(world, "kept")), "the event")
    assert world.task(arn)["lastStatus"] == "RUNNING"
    world.ecs.update_task_protection(cluster=CLUSTER, tasks=[arn], protectionEnabled=False)
    world.until_stopped(arn)


@pytest.mark.sandbox_service("stopped")
@pytest.mark.parametrize(
    ("changes", "code", "text"),
    [
        ({"service": "none"}, "ServiceNotFoundException", "Service not found."),
        ({"cluster": "none"}, "ClusterNotFoundException", "Cluster not found."),
        ({"desiredCount": -1}, "InvalidParameterException", "desiredCount"),
        ({"taskDefinition": "none:1"}, "ClientException", "TaskDefinition not found."),
        ({"deploymentConfiguration": BLOCKING}, "InvalidParameterException", "cannot be 100"),
        (
            {"availabilityZoneRebalancing": "ENABLED", "deploymentConfiguration": STOP_FIRST},
            "InvalidParameterException",
            "The service couldn't be updated because Availability Zone Rebalancing does not support maximumPercent",
        ),
    ],
)  # fmt: skip
def test_update_service_refuses(world: Any, changes: dict[str, Any], code: str, text: str) -> None:
    with pytest.raises(ClientError) as caught:
        world.ecs.update_service(**({"cluster": CLUSTER, "service": "wwhd-backend"} | changes))
    assert caught.value.response["Error"]["Code"] == code
    assert text in caught.value.response["Error"]["Message"]


@pytest.mark.sandbox_service("stopped")
@pytest.mark.parametrize("controller", ["CODE_DEPLOY", "EXTERNAL"])
def test_other_controllers_refuse_a_forced_deployment(world: Any, controller: str) -> None:
    world.create_service(
        "other", world.register("other"), deploymentController={"type": controller}, desiredCount=0
    )  # fmt: skip
    text = f"Cannot force a new deployment on services with a {controller} deployment controller"
    with pytest.raises(ClientError, match=text):
        world.update("other", forceNewDeployment=True)
    assert world.update("other", desiredCount=1)["desiredCount"] == 1


@pytest.mark.sandbox_service("stopped")
def test_a_deleted_service_drains_and_is_inactive(world: Any) -> None:
    world.create_service("short", world.register("short", script=SLEEP))
    with pytest.raises(ClientError, match="scaled above 0"):
        world.ecs.delete_service(cluster=CLUSTER, service="short")
    world.ecs.delete_service(cluster=CLUSTER, service="short", force=True)
    world.ecs.get_waiter("services_inactive").wait(cluster=CLUSTER, services=["short"], WaiterConfig={"Delay": 1})
    with pytest.raises(ClientError) as caught:
        world.update("short", desiredCount=1)
    assert caught.value.response["Error"]["Code"] == "ServiceNotActiveException"
    assert not [arn for arn in world.ecs.list_services(cluster=CLUSTER)["serviceArns"] if arn.endswith("/short")]
    with pytest.raises(WaiterError):
        world.ecs.get_waiter("services_stable").wait(cluster=CLUSTER, services=["short"], WaiterConfig={"Delay": 1})


@pytest.mark.sandbox_service("stopped")
def test_describe_and_list_services_have_their_limits(world: Any) -> None:
    answer = world.ecs.describe_services(cluster=CLUSTER, services=["none", "wwhd-backend"], include=["TAGS"])
    assert [failure["reason"] for failure in answer["failures"]] == ["MISSING"]
    assert answer["services"][0]["tags"] == []
    with pytest.raises(ClientError, match="at most 10"):
        world.ecs.describe_services(cluster=CLUSTER, services=[f"s{n}" for n in range(11)])
    definition = world.register("many")
    for number in range(11):
        world.create_service(f"many-{number:02d}", definition, desiredCount=0)
    first = world.ecs.list_services(cluster=CLUSTER)
    assert len(first["serviceArns"]) == 10
    rest = world.ecs.list_services(cluster=CLUSTER, nextToken=first["nextToken"])
    assert len(rest["serviceArns"]) == 2
    assert "nextToken" not in rest


@pytest.mark.sandbox_service("stopped")
def test_tags_of_a_service(world: Any) -> None:
    arn = world.service()["serviceArn"]
    world.ecs.tag_resource(
        resourceArn=arn, tags=[{"key": "qdrant-ops:run", "value": "1/2 @home"}, {"key": "b", "value": ""}]
    )
    world.ecs.untag_resource(resourceArn=arn, tagKeys=["b", "never there"])
    assert world.ecs.list_tags_for_resource(resourceArn=arn)["tags"] == [
        {"key": "qdrant-ops:run", "value": "1/2 @home"}
    ]
    for tags in ([{"key": "k", "value": "{json}"}], [{"key": f"k{n}", "value": ""} for n in range(50)]):
        with pytest.raises(ClientError) as caught:
            world.ecs.tag_resource(resourceArn=arn, tags=tags)
        assert caught.value.response["Error"]["Code"] == "InvalidParameterException"


@pytest.mark.sandbox_service("stopped")
def test_an_api_that_is_absent_answers_as_aws_answers_unknown_operations(world: Any) -> None:
    with pytest.raises(ClientError) as caught:
        world.ecs.describe_service_revisions(
            serviceRevisionArns=["arn:aws:ecs:us-west-2:018025611404:service-revision/x"]
        )
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"


@pytest.mark.sandbox_service("stopped")
@pytest.mark.parametrize(
    ("created", "changes", "shown", "refused"),
    [
        ({}, {}, "ENABLED", ""),
        ({"deploymentConfiguration": STOP_FIRST}, {}, "DISABLED", ""),
        ({"availabilityZoneRebalancing": "DISABLED"}, {}, "DISABLED", ""),
        ({"availabilityZoneRebalancing": "DISABLED"}, {"availabilityZoneRebalancing": "ENABLED"}, "ENABLED", ""),
        ({}, {"deploymentConfiguration": STOP_FIRST}, "ENABLED", "updated"),
        ({}, {"deploymentConfiguration": STOP_FIRST, "availabilityZoneRebalancing": "DISABLED"}, "DISABLED", ""),
        ({"deploymentConfiguration": STOP_FIRST}, {"availabilityZoneRebalancing": "ENABLED"}, "DISABLED", "updated"),
        (
            {"availabilityZoneRebalancing": "ENABLED", "deploymentConfiguration": STOP_FIRST}, {}, "", "created",
        ),
    ],
)  # fmt: skip
def test_zone_rebalancing_and_a_maximum_of_100_percent_exclude_each_other(
    world: Any, created: dict[str, Any], changes: dict[str, Any], shown: str, refused: str
) -> None:
    def ask() -> None:
        world.create_service("zones", world.register("zones", script=SLEEP), desiredCount=0, **created)
        deployment = world.service("zones")["deployments"][0]["id"]
        world.update("zones", **changes)
        assert [found["id"] for found in world.service("zones")["deployments"]] == [deployment]

    if refused:
        text = f"The service couldn't be {refused} because Availability Zone Rebalancing does not support"
        with pytest.raises(ClientError, match=text):
            ask()
    else:
        ask()
    if shown:
        assert world.service("zones")["availabilityZoneRebalancing"] == shown


@pytest.mark.sandbox_service("stopped")
def test_rebalancing_starts_a_second_task_and_then_stops_the_first(world: Any) -> None:
    world.create_service("zones", world.register("zones", script=SLEEP))
    world.until(lambda: world.rollout("zones") == "COMPLETED", "COMPLETED")
    (first,) = world.tasks("zones")
    deployment = world.service("zones")["deployments"][0]["id"]
    world.sandbox.fault("rebalance", count=1, match={"service": "zones"})
    both = world.until(lambda: len(world.tasks("zones")) == 2 and world.tasks("zones"), "a second task")
    assert first["taskArn"] in {task["taskArn"] for task in both}
    stopped = world.until_stopped(first["taskArn"])
    assert stopped["stopCode"] == "ServiceSchedulerInitiated"
    (second,) = world.tasks("zones")
    assert second["startedAt"] < stopped["stoppingAt"]
    service = world.service("zones")
    assert [found["id"] for found in service["deployments"]] == [deployment]
    assert service["deployments"][0]["rolloutState"] == "COMPLETED"
    assert any("AZ Rebalancing in progress." in text for text in events(world, "zones"))


@pytest.mark.sandbox_service("stopped")
@pytest.mark.parametrize(
    ("created", "changes"),
    [
        ({"availabilityZoneRebalancing": "DISABLED"}, {}),
        ({"deploymentConfiguration": STOP_FIRST}, {}),
        ({}, {"desiredCount": 0}),
    ],
)
def test_rebalancing_leaves_alone_what_it_may_not_touch(
    world: Any, created: dict[str, Any], changes: dict[str, Any]
) -> None:
    world.create_service("zones", world.register("zones", script=SLEEP), **created)
    world.until(lambda: world.rollout("zones") == "COMPLETED", "COMPLETED")
    if changes:
        world.update("zones", **changes)
        world.until(lambda: world.service("zones")["runningCount"] == 0, "scaled in")
    world.sandbox.fault("rebalance", match={"service": "zones"})
    with pytest.raises(AssertionError):
        world.until(lambda: "AZ Reb" in str(events(world, "zones")), "rebalanced all the same", 0.7)
    assert len(world.tasks("zones")) == (0 if changes else 1)


@pytest.mark.sandbox_service("stopped")
def test_scaling_in_while_zones_are_rebalanced_stops_both_tasks(world: Any) -> None:
    world.create_service("zones", world.register("zones", script=SLEEP))
    world.until(lambda: world.rollout("zones") == "COMPLETED", "COMPLETED")
    world.sandbox.fault("rebalance", match={"service": "zones"})
    world.until(lambda: len(world.tasks("zones")) == 2, "a second task")
    world.update("zones", desiredCount=0)
    world.until(lambda: not world.tasks("zones"), "both stopped")


@pytest.mark.sandbox_service("stopped")
@pytest.mark.parametrize("strategy", ["ROLLING", "BLUE_GREEN", "LINEAR", "CANARY"])
def test_a_deployment_strategy_is_shown(world: Any, strategy: str) -> None:
    definition = world.register("green")
    world.create_service("green", definition, desiredCount=0, deploymentConfiguration={"strategy": strategy})
    assert world.service("green")["deploymentConfiguration"]["strategy"] == strategy
    told = {"strategy": strategy, "bakeTimeInMinutes": 7}
    shown = world.update(deploymentConfiguration=told)["deploymentConfiguration"]
    assert {key: shown[key] for key in told} == told
    assert (shown["maximumPercent"], shown["minimumHealthyPercent"]) == (200, 100)
    with pytest.raises(ClientError, match="Member must satisfy enum value set"):
        world.update("green", deploymentConfiguration={"strategy": "BIG_BANG"})
