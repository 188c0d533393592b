# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seeded world: the dev environment of the runbook, as each AWS service shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.sandbox_service("stopped")
GROUP = "/ecs/wwhd-backend"


def test_identity_network_and_roles(world: Any) -> None:
    assert world.sandbox.boto3("sts").get_caller_identity()["Account"] == "018025611404"
    ec2 = world.sandbox.boto3("ec2")
    subnets = ec2.describe_subnets(SubnetIds=["subnet-677d281e", "subnet-5498bc0e", "subnet-18ddaa53"])["Subnets"]
    assert {subnet["AvailabilityZone"] for subnet in subnets} == {"us-west-2a", "us-west-2b", "us-west-2c"}
    groups = ec2.describe_security_groups(GroupIds=["sg-0a75b2c312d17f654"])["SecurityGroups"]
    assert groups[0]["VpcId"] == subnets[0]["VpcId"]
    iam = world.sandbox.boto3("iam")
    for name in ("wwhd-dev-ecs-execution-role", "wwhd-dev-ecs-task-role"):
        assert iam.get_role(RoleName=name)["Role"]["Arn"] == f"arn:aws:iam::018025611404:role/{name}"


def test_the_file_system_its_access_point_and_mount_targets(world: Any) -> None:
    efs = world.sandbox.boto3("efs")
    system = efs.describe_file_systems(FileSystemId="fs-00b8168893587fd61")["FileSystems"][0]
    assert (system["LifeCycleState"], system["NumberOfMountTargets"]) == ("available", 3)
    point = efs.describe_access_points(AccessPointId="fsap-0a1b2c3d4e5f60718")["AccessPoints"][0]
    assert point["FileSystemId"] == "fs-00b8168893587fd61"
    assert point["RootDirectory"]["Path"] == "/wwhd-dev"
    assert (point["PosixUser"]["Uid"], point["PosixUser"]["Gid"]) == (1000, 1000)
    targets = efs.describe_mount_targets(FileSystemId="fs-00b8168893587fd61")["MountTargets"]
    assert {target["SubnetId"] for target in targets} == {"subnet-677d281e", "subnet-5498bc0e", "subnet-18ddaa53"}
    folder = Path(world.sandbox.state["efs"]["fs-00b8168893587fd61"])
    assert (folder / "wwhd-dev" / "collections").is_dir()


def test_the_load_balancer(world: Any) -> None:
    elb = world.sandbox.boto3("elbv2")
    balancer = elb.describe_load_balancers(Names=["wwhd-alb"])["LoadBalancers"][0]
    assert balancer["DNSName"] == "wwhd-alb-1530831557.us-west-2.elb.amazonaws.com"
    group = elb.describe_target_groups(Names=["wwhd-backend"])["TargetGroups"][0]
    assert (group["HealthCheckPath"], group["TargetType"], group["Port"]) == ("/health", "ip", 8000)
    assert group["LoadBalancerArns"] == [balancer["LoadBalancerArn"]]
    listeners = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    assert [listener["Port"] for listener in listeners] == [80]
    arn = group["TargetGroupArn"]
    assert world.service()["loadBalancers"][0]["targetGroupArn"] == arn
    assert elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"] == []
    elb.modify_target_group_attributes(
        TargetGroupArn=arn, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "30"}]
    )
    attributes = elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
    assert {"Key": "deregistration_delay.timeout_seconds", "Value": "30"} in attributes


@pytest.mark.sandbox_service("running")
def test_a_shorter_deregistration_delay_shortens_the_stop(world: Any) -> None:
    elb = world.sandbox.boto3("elbv2")
    arn = world.service()["loadBalancers"][0]["targetGroupArn"]
    attributes = [{"Key": "deregistration_delay.timeout_seconds", "Value": "0"}]
    elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=attributes)
    (task,) = world.tasks()
    world.update(desiredCount=0)
    seen = set()

    def over() -> bool:
        state = world.task(task["taskArn"])["lastStatus"]
        seen.add(state)
        return bool(state == "STOPPED")

    world.until(over, "STOPPED", 5)
    assert "DEACTIVATING" not in seen


def test_logs_page_to_their_end(world: Any) -> None:
    arn = world.run_one(world.register(script="i=0; while [ $i -lt 25 ]; do echo line $i; i=$((i+1)); done"))
    world.until_stopped(arn)
    logs = world.sandbox.boto3("logs")
    name = {"logGroupName": GROUP, "logStreamName": f"one-off/main/{arn.rsplit('/', 1)[1]}"}
    world.until(lambda: len(logs.get_log_events(**name, startFromHead=True)["events"]) == 25, "25 lines")
    lines: list[str] = []
    token: str | None = None
    for _turn in range(10):
        more = {"nextToken": token} if token else {}
        page = logs.get_log_events(**name, startFromHead=True, limit=10, **more)
        lines += [event["message"] for event in page["events"]]
        if page["nextForwardToken"] == token:
            break
        token = page["nextForwardToken"]
    assert lines == [f"line {number}" for number in range(25)]
    found = logs.filter_log_events(logGroupName=GROUP, logStreamNames=[name["logStreamName"]])["events"]
    assert len(found) == 25
    with pytest.raises(ClientError, match="specified log stream does not exist"):
        logs.get_log_events(logGroupName=GROUP, logStreamName="one-off/main/none")


def test_another_region_is_empty_and_other_clusters_are_made_by_the_api(world: Any) -> None:
    other = world.sandbox.boto3("ecs")
    other.create_cluster(clusterName="second", tags=[{"key": "a", "value": "b"}])
    described = other.describe_clusters(clusters=["second", "none"], include=["TAGS"])
    assert described["clusters"][0]["tags"] == [{"key": "a", "value": "b"}]
    assert described["failures"][0]["reason"] == "MISSING"
    assert len(other.list_clusters()["clusterArns"]) == 2
    with pytest.raises(ClientError) as caught:
        other.describe_services(cluster="none", services=["x"])
    assert caught.value.response["Error"]["Code"] == "ClusterNotFoundException"
    efs = world.sandbox.boto3("efs")
    system = efs.create_file_system(CreationToken="x")["FileSystemId"]
    efs.create_mount_target(FileSystemId=system, SubnetId="subnet-677d281e")
    subnets = {"awsvpcConfiguration": {"subnets": ["subnet-677d281e"], "securityGroups": []}}
    arn = world.run_one(
        world.register(script="touch /data/here", **world.with_volume(fileSystemId=system)),
        networkConfiguration=subnets,
    )
    assert world.until_stopped(arn)["containers"][0]["exitCode"] == 0
    assert (Path(world.sandbox.state["data"]).parents[1] / system / "here").exists()
