"""A small state of one service for RecordedAws to answer from: tests change it as their clock goes.

Dicts are as AWS sends them (camelCase). Nothing moves by itself: a test says what happens, and when.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, Outcome, run_module
from ansible_collections.wwhd.qdrant_ops.tests.unit.recorded_aws import Answer, Fault, RecordedAws

__all__ = [
    "CLUSTER",
    "DEFINITION",
    "DEPLOYMENT",
    "GROUP",
    "SERVICE",
    "World",
    "definition",
    "event",
    "run_on",
    "task",
    "task_arn",
]

CLUSTER, SERVICE = "wwhd-cluster", "wwhd-backend"
_ARN = "arn:aws:ecs:us-west-2:018025611404"
SERVICE_ARN = f"{_ARN}:service/{CLUSTER}/{SERVICE}"
DEFINITION = f"{_ARN}:task-definition/wwhd-backend:7"
DEPLOYMENT = "ecs-svc/1000000000000000001"
GROUP = "arn:aws:elasticloadbalancing:us-west-2:018025611404:targetgroup/wwhd-backend/0123456789abcdef"
_START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def task_arn(number: int) -> str:
    return f"{_ARN}:task/{CLUSTER}/{number:032x}"


def event(number: int, message: str) -> dict[str, Any]:
    return {"id": f"event-{number}", "createdAt": _START + timedelta(seconds=number), "message": message}


def definition(*, arn: str = DEFINITION, volumes: Sequence[Mapping[str, Any]] | None = None) -> dict[str, Any]:
    log = {"awslogs-group": "/ecs/wwhd-backend", "awslogs-region": "us-west-2"}
    efs = {
        "fileSystemId": "fs-00b8168893587fd61",
        "transitEncryption": "ENABLED",
        "authorizationConfig": {"accessPointId": "fsap-0a1b2c3d4e5f60718", "iam": "ENABLED"},
    }
    return {
        "taskDefinitionArn": arn,
        "family": "wwhd-backend",
        "revision": 7,
        "volumes": [{"name": "data", "efsVolumeConfiguration": efs}] if volumes is None else list(volumes),
        "containerDefinitions": [
            {
                "name": name,
                "image": image,
                "essential": True,
                "environment": [{"name": "API_KEY", "value": "a-secret-value"}],
                "mountPoints": [{"sourceVolume": "data", "containerPath": path}],
                "logConfiguration": {"logDriver": "awslogs", "options": {**log, "awslogs-stream-prefix": name}},
            }
            for name, image, path in (
                ("fastapi", "wwhd/backend:1", "/data"),
                ("qdrant", "qdrant/qdrant:v1.7.4", "/qdrant/storage"),
            )
        ],
    }


def task(
    number: int,
    *,
    last: str = "RUNNING",
    desired: str = "RUNNING",
    containers: str | None = None,
    exits: Mapping[str, int] | None = None,
    started_by: str = DEPLOYMENT,
    group: str = f"service:{SERVICE}",
    **others: Any,
) -> dict[str, Any]:
    """A task of the service; `number` orders tasks by age, `containers` is the last status of each container."""
    state = containers or ("STOPPED" if last == "STOPPED" else "RUNNING")
    return {
        "taskArn": task_arn(number),
        "clusterArn": f"{_ARN}:cluster/{CLUSTER}",
        "taskDefinitionArn": DEFINITION,
        "lastStatus": last,
        "desiredStatus": desired,
        "group": group,
        "startedBy": started_by,
        "createdAt": _START + timedelta(minutes=number),
        "attachments": [
            {
                "type": "ElasticNetworkInterface",
                "details": [{"name": "privateIPv4Address", "value": f"10.0.0.{number}"}],
            }
        ],
        "containers": [
            {"name": name, "lastStatus": state, **({"exitCode": exits[name]} if exits and name in exits else {})}
            for name in ("fastapi", "qdrant")
        ],
        **others,
    }


class World:
    """One cluster with one service; `script()` is what RecordedAws answers from."""

    def __init__(self, *, desired: int = 1, tasks: Sequence[dict[str, Any]] = (), balanced: bool = True) -> None:
        self.tasks = list(tasks)
        self.definitions: dict[str, dict[str, Any]] = {DEFINITION: definition()}
        self.protected: dict[str, datetime] = {}
        self.scalable: dict[str, Any] | None = None
        self.targets: list[dict[str, Any]] = []
        self.delay = "300"
        self.logs: dict[str, list[str]] = {}
        self.missing: list[str] = []
        self.overrides: dict[str, list[Answer]] = {}
        self.on_update: Callable[[dict[str, Any]], None] = lambda params: None
        self.service: dict[str, Any] = {
            "serviceArn": SERVICE_ARN,
            "serviceName": SERVICE,
            "clusterArn": f"{_ARN}:cluster/{CLUSTER}",
            "status": "ACTIVE",
            "desiredCount": desired,
            "runningCount": len(self.tasks),
            "pendingCount": 0,
            "taskDefinition": DEFINITION,
            "loadBalancers": [{"targetGroupArn": GROUP, "containerName": "fastapi", "containerPort": 8000}]
            if balanced
            else [],
            "deployments": [self.deployment(DEPLOYMENT, desired=desired, running=len(self.tasks))],
            "events": [],
            "tags": [],
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": ["subnet-677d281e"],
                    "securityGroups": ["sg-0a75b2c312d17f654"],
                    "assignPublicIp": "ENABLED",
                }
            },
        }

    @staticmethod
    def deployment(identifier: str, *, desired: int = 1, running: int = 0, **others: Any) -> dict[str, Any]:
        return {
            "id": identifier,
            "status": "PRIMARY",
            "taskDefinition": DEFINITION,
            "desiredCount": desired,
            "runningCount": running,
            "pendingCount": 0,
            "failedTasks": 0,
            "rolloutState": "COMPLETED",
            **others,
        }

    def target(self, number: int, state: str, reason: str | None = None) -> dict[str, Any]:
        health = {"State": state, **({"Reason": reason} if reason else {})}
        return {"Target": {"Id": f"10.0.0.{number}", "Port": 8000}, "TargetHealth": health}

    def set_tasks(self, *tasks: dict[str, Any]) -> Callable[[], None]:
        """An event for the clock: from then on these are the tasks, and the counters follow the running ones."""

        def happen() -> None:
            self.tasks = list(tasks)
            running = sum(t["lastStatus"] == "RUNNING" and t["desiredStatus"] == "RUNNING" for t in tasks)
            self.service["runningCount"] = running
            self.service["deployments"][0]["runningCount"] = running

        return happen

    def script(self) -> dict[str, list[Answer]]:
        answers: dict[str, Answer] = {
            "ecs:DescribeServices": self._describe_services,
            "ecs:UpdateService": self._update,
            "ecs:ListTasks": self._list_tasks,
            "ecs:DescribeTasks": lambda params: {
                "tasks": [t for t in self.tasks if t["taskArn"] in params["tasks"]],
                "failures": [{"arn": arn, "reason": "MISSING"} for arn in self.missing],
            },
            "ecs:DescribeTaskDefinition": self._describe_definition,
            "ecs:GetTaskProtection": lambda params: {
                "protectedTasks": [
                    {"taskArn": arn, "protectionEnabled": True, "expirationDate": until}
                    for arn, until in self.protected.items()
                    if arn in params["tasks"]
                ]
            },
            "ecs:TagResource": self._tag,
            "ecs:UntagResource": self._untag,
            "ecs:ListClusters": {"clusterArns": [f"{_ARN}:cluster/{name}" for name in ("other", CLUSTER)]},
            "ecs:ListServices": {"serviceArns": [f"{_ARN}:service/{CLUSTER}/{name}" for name in ("worker", SERVICE)]},
            "application-autoscaling:DescribeScalableTargets": lambda params: {
                "ScalableTargets": [self.scalable] if self.scalable else []
            },
            "application-autoscaling:RegisterScalableTarget": self._register,
            "elbv2:DescribeTargetGroups": {
                "TargetGroups": [
                    {
                        "TargetGroupArn": GROUP,
                        "HealthCheckPath": "/health",
                        "HealthCheckPort": "traffic-port",
                        "HealthCheckProtocol": "HTTP",
                    }
                ]
            },
            "elbv2:DescribeTargetGroupAttributes": lambda params: {
                "Attributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": self.delay}]
            },
            "elbv2:ModifyTargetGroupAttributes": self._modify_group,
            "elbv2:DescribeTargetHealth": lambda params: {"TargetHealthDescriptions": self.targets},
            "logs:GetLogEvents": self._log_events,
        }
        script: dict[str, list[Answer]] = {operation: [answer] for operation, answer in answers.items()}
        return {**script, **self.overrides}

    def _describe_services(self, params: dict[str, Any]) -> Mapping[str, Any] | Fault:
        if params["cluster"] != CLUSTER:
            return Fault("ClusterNotFoundException", "Cluster not found.")
        if params["services"] != [SERVICE]:
            return {"services": [], "failures": [{"arn": params["services"][0], "reason": "MISSING"}]}
        return {"services": [self.service]}

    def _list_tasks(self, params: dict[str, Any]) -> Mapping[str, Any]:
        """A hundred a page, as AWS gives them."""
        arns = [
            *(t["taskArn"] for t in self.tasks if t["desiredStatus"] == params.get("desiredStatus", "RUNNING")),
            *(self.missing if params.get("desiredStatus") == "RUNNING" else []),
        ]
        begin = int(params.get("nextToken", 0))
        more = {"nextToken": str(begin + 100)} if begin + 100 < len(arns) else {}
        return {"taskArns": arns[begin : begin + 100], **more}

    def _update(self, params: dict[str, Any]) -> Mapping[str, Any]:
        if "desiredCount" in params:
            self.service["desiredCount"] = params["desiredCount"]
        self.on_update(params)
        return {"service": self.service}

    def _describe_definition(self, params: dict[str, Any]) -> Mapping[str, Any] | Fault:
        wanted = params["taskDefinition"]
        names = {name: entry for arn, entry in self.definitions.items() for name in (arn, arn.rsplit("/", 1)[-1])}
        found = names.get(wanted) or next((e for e in self.definitions.values() if e["family"] == wanted), None)
        return {"taskDefinition": found} if found else Fault("ClientException", "Unable to describe task definition.")

    def _tag(self, params: dict[str, Any]) -> Mapping[str, Any]:
        new = {entry["key"] for entry in params["tags"]}
        self.service["tags"] = [tag for tag in self.service["tags"] if tag["key"] not in new] + params["tags"]
        return {}

    def _untag(self, params: dict[str, Any]) -> Mapping[str, Any]:
        self.service["tags"] = [tag for tag in self.service["tags"] if tag["key"] not in params["tagKeys"]]
        return {}

    def _register(self, params: dict[str, Any]) -> Mapping[str, Any]:
        kept: dict[str, Any] = {
            key: params[key] for key in ("MinCapacity", "MaxCapacity", "SuspendedState") if key in params
        }
        self.scalable = {**(self.scalable or {}), **kept}
        return {}

    def _modify_group(self, params: dict[str, Any]) -> Mapping[str, Any]:
        self.delay = params["Attributes.member.1.Value"]
        return {}

    def _log_events(self, params: dict[str, Any]) -> Mapping[str, Any] | Fault:
        lines = self.logs.get(params["logStreamName"])
        if lines is None:
            return Fault("ResourceNotFoundException", "The specified log stream does not exist.")
        if "nextToken" in params:
            return {"events": [], "nextBackwardToken": "end"}
        events = [{"message": line, "timestamp": 0} for line in lines[-params["limit"] :]]
        return {"events": events, "nextBackwardToken": "more"}


def run_on(
    world: World, main: Callable[..., None], *, clock: FakeClock | None = None, check: bool = False, **args: Any
) -> tuple[Outcome, RecordedAws]:
    """The module of this `main`, run on the world's service, and the calls that it made."""
    given = {"cluster": CLUSTER, "service": SERVICE, **args}
    with RecordedAws(world.script()) as aws:
        return run_module(main, given, aws=aws, clock=clock or FakeClock(), check=check), aws
