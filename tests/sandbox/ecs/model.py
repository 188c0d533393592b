# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ECS keeps: clusters, services, deployments, tasks, containers. Times `*_at` are real unix times for answers,
`due` and `since` are AWS seconds of the sandbox's clock."""

from __future__ import annotations

import secrets
import uuid
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.runtime import Container

ACCOUNT = "018025611404"
STARTING = ("PROVISIONING", "PENDING", "ACTIVATING")


@dataclass
class Settings:
    """What a test may switch. Durations are AWS seconds; families that begin with `cleaner_family` are cleaners."""

    provisioning: float = 3.0
    pending: float = 7.0
    pulling: float = 9.0
    starting: float = 1.0
    stopping: float = 1.0
    deprovisioning: float = 15.0
    stop_timeout: float = 30.0
    stopped_kept: float = 3600.0
    healthy_after: float = 40.0
    reaction: float = 0.6
    start_backoff_cap: float = 120.0
    log_delay: float = 1.0
    missing_seconds: float = 0.0
    missing_polls: int = 0
    autoscaler_delay: float = 20.0
    cleaner_family: str = "clear-qdrant-locks"
    autoscaler_acts: bool = False
    register_target_moves_when_suspended: bool = False
    deactivating_counts_as_running: bool = False
    crashed_task_waits_for_target: bool = False
    token_buckets: bool = False
    token_refill: float = 1.0


def arn(region: str, kind: str, *parts: str) -> str:
    return f"arn:aws:ecs:{region}:{ACCOUNT}:{kind}/{'/'.join(parts)}"


def new_id() -> str:
    return uuid.uuid4().hex


def deployment_id() -> str:
    return f"ecs-svc/{secrets.randbelow(9 * 10**18) + 10**18}"


@dataclass
class Cluster:
    region: str
    name: str
    created: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    status: str = "ACTIVE"

    @property
    def arn(self) -> str:
        return arn(self.region, "cluster", self.name)


@dataclass
class Definition:
    """A task definition as DescribeTaskDefinition shows it, and its tags."""

    body: dict[str, Any]
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def arn(self) -> str:
        return str(self.body["taskDefinitionArn"])

    @property
    def family(self) -> str:
        return str(self.body["family"])

    @property
    def active(self) -> bool:
        return bool(self.body["status"] == "ACTIVE")

    @property
    def containers(self) -> list[dict[str, Any]]:
        return list(self.body["containerDefinitions"])


@dataclass
class ContainerRun:
    definition: dict[str, Any]
    arn: str
    runtime_id: str
    last_status: str = "PENDING"
    exit_code: int | None = None
    reason: str | None = None
    process: Container | None = None
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=400))

    @property
    def name(self) -> str:
        return str(self.definition["name"])

    @property
    def essential(self) -> bool:
        return bool(self.definition.get("essential", True))

    @property
    def live(self) -> bool:
        return self.process is not None and self.last_status != "STOPPED"


@dataclass
class Network:
    subnet: str
    zone: str
    address: str
    interface: str
    attachment_id: str
    mac: str
    status: str = "PRECREATED"


@dataclass
class Protection:
    until: float
    until_at: float


@dataclass
class Task:
    id: str
    cluster: Cluster
    definition: Definition
    group: str
    created_at: float
    containers: list[ContainerRun]
    network: Network
    started_by: str = ""
    launch_type: str | None = "FARGATE"
    capacity_provider: str | None = None
    platform_version: str = "1.4.0"
    overrides: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    service: Service | None = None
    deployment: Deployment | None = None
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    since: float = 0.0
    due: float = 0.0
    version: int = 1
    stop_code: str | None = None
    stopped_reason: str | None = None
    times: dict[str, float] = field(default_factory=dict)
    ports: dict[int, int] = field(default_factory=dict)
    folders: dict[str, Path] = field(default_factory=dict)
    registered: list[tuple[str, int]] = field(default_factory=list)
    protection: Protection | None = None
    start_fails: bool = False
    reached_running: bool = False
    running_since: float = 0.0
    counted: bool = False
    hide_polls: int = 0
    hide_until: float = 0.0
    expires: float | None = None

    @property
    def arn(self) -> str:
        return arn(self.cluster.region, "task", self.cluster.name, self.id)

    @property
    def region(self) -> str:
        return self.cluster.region

    @property
    def wanted(self) -> bool:
        return self.desired_status == "RUNNING"

    @property
    def over(self) -> bool:
        return self.last_status == "STOPPED"

    def enter(self, state: str, *, now: float, lasts: float) -> None:
        self.last_status = state
        self.since = now
        self.due = now + lasts
        self.version += 1

    def essential_ended(self) -> bool:
        return any(run.essential and run.last_status == "STOPPED" for run in self.containers)

    def all_ended(self) -> bool:
        return all(run.process is None or run.last_status == "STOPPED" for run in self.containers)


@dataclass
class Pause:
    """A deployment stands at a hook of its stage and waits for somebody's word, until `due` in AWS seconds."""

    hook: str
    stage: str
    due: float
    expires_at: float
    action: str


@dataclass
class Deployment:
    id: str
    definition: Definition
    created_at: float
    updated_at: float
    desired: int
    network: dict[str, Any]
    launch_type: str | None
    capacity: list[dict[str, Any]]
    platform_version: str
    status: str = "PRIMARY"
    rollout: str = "IN_PROGRESS"
    reason: str = ""
    failed: int = 0
    start_failures: int = 0
    next_start: float = 0.0
    halted: bool = False
    shown_until: float = 0.0
    pause: Pause | None = None
    passed: set[str] = field(default_factory=set)
    back_to: Deployment | None = None

    @property
    def key(self) -> str:
        """The last part of its service deployment's ARN. It is made of the id: worlds of one seed must be equal."""
        return f"{int(self.id.split('/')[1]):x}"


@dataclass
class Service:
    name: str
    cluster: Cluster
    definition: Definition
    desired: int
    created_at: float
    network: dict[str, Any]
    load_balancers: list[dict[str, Any]]
    launch_type: str | None
    capacity: list[dict[str, Any]]
    platform_version: str = "LATEST"
    controller: str = "ECS"
    scheduling: str = "REPLICA"
    minimum_percent: int = 100
    maximum_percent: int = 200
    breaker: dict[str, Any] = field(default_factory=dict)
    strategy: dict[str, Any] = field(default_factory=lambda: {"strategy": "ROLLING", "bakeTimeInMinutes": 0})
    grace: float = 0.0
    az_rebalancing: str = "DISABLED"
    leaving: Task | None = None
    propagate_tags: str = "NONE"
    managed_tags: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    status: str = "ACTIVE"
    deployments: list[Deployment] = field(default_factory=list)
    last_good: Deployment | None = None
    history: list[Deployment] = field(default_factory=list)
    events: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=100))
    tasks: list[Task] = field(default_factory=list, repr=False, compare=False)
    steady: bool = False
    below_minimum_since: float | None = None

    @property
    def arn(self) -> str:
        return arn(self.cluster.region, "service", self.cluster.name, self.name)

    @property
    def region(self) -> str:
        return self.cluster.region

    @property
    def primary(self) -> Deployment | None:
        # A loop, and no generator: the scheduler asks for it a dozen times a look.
        for deployment in self.deployments:
            if deployment.status == "PRIMARY":
                return deployment
        return None


__all__ = [
    "ACCOUNT", "STARTING", "Cluster", "ContainerRun", "Definition", "Deployment", "Network", "Pause", "Protection",
    "Service", "Settings", "Task", "arn", "deployment_id", "new_id",
]  # fmt: skip
