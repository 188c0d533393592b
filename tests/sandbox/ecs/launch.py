# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a wish for a task to a task record, and from there to its containers."""

from __future__ import annotations

import random
import secrets
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.cloud import MountFailed, mount_failure
from sandbox.ecs.logs import Stream
from sandbox.ecs.model import Cluster, ContainerRun, Definition, Deployment, Network, Service, Task, arn, new_id
from sandbox.runtime import ContainerSpec, Mount, free_port

if TYPE_CHECKING:
    from sandbox.ecs.engine import Engine

LOG_GROUP_MISSING = (
    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to "
    "create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1"
)


@dataclass(frozen=True)
class TaskRequest:
    cluster: Cluster
    definition: Definition
    network: dict[str, Any]
    group: str
    started_by: str = ""
    launch_type: str | None = "FARGATE"
    capacity_provider: str | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    service: Service | None = None
    deployment: Deployment | None = None


def create(engine: Engine, request: TaskRequest) -> Task:
    """A new task in PROVISIONING; everything that RunTask validates has been validated."""
    task_id = new_id()
    settings = engine.settings
    subnet = random.choice(request.network["awsvpcConfiguration"]["subnets"])
    cluster = request.cluster
    task = Task(
        id=task_id,
        cluster=cluster,
        definition=request.definition,
        group=request.group,
        created_at=engine.clock.wall(),
        containers=[
            ContainerRun(
                definition=definition,
                arn=arn(cluster.region, "container", cluster.name, task_id, str(uuid.uuid4())),
                runtime_id=f"{task_id}-{random.randrange(10**9, 4 * 10**9)}",
            )
            for definition in request.definition.containers
        ],
        network=Network(
            subnet=subnet,
            zone=engine.cloud.zone(cluster.region, subnet),
            address=engine.next_address(),
            interface=f"eni-{secrets.token_hex(8)}{secrets.choice('0123456789abcdef')}",
            attachment_id=str(uuid.uuid4()),
            mac="02:" + ":".join(secrets.token_hex(1) for _turn in range(5)),
        ),
        started_by=request.started_by,
        launch_type=request.launch_type,
        capacity_provider=request.capacity_provider,
        overrides=request.overrides,
        tags=request.tags,
        service=request.service,
        deployment=request.deployment,
        hide_polls=settings.missing_polls,
        hide_until=engine.clock.now() + settings.missing_seconds,
    )
    hidden = engine.faults.take("missing", family=task.definition.family)
    if hidden is not None:
        task.hide_polls = int(hidden.settings.get("polls", 1))
    task.enter("PROVISIONING", now=engine.clock.now(), lasts=settings.provisioning)
    engine.tasks[task.arn] = task
    if task.service is not None:
        task.service.tasks.append(task)
    return task


def prepare(engine: Engine, task: Task) -> None:
    """Volumes and log groups, as Fargate prepares them before it pulls. Raises MountFailed with the task's reason."""
    region = task.region
    for container in task.definition.containers:
        logs = container.get("logConfiguration") or {}
        if logs.get("logDriver") == "awslogs" and not engine.cloud.has_log_group(
            region, logs["options"]["awslogs-group"]
        ):
            raise MountFailed(LOG_GROUP_MISSING)
    for volume in task.definition.body["volumes"]:
        task.folders[str(volume["name"])] = _folder(engine, task, volume)


def _folder(engine: Engine, task: Task, volume: dict[str, Any]) -> Path:
    efs = volume.get("efsVolumeConfiguration")
    if efs is None:
        folder = engine.workdir / "ephemeral" / task.id / str(volume["name"])
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    fault = engine.faults.take("mount", family=task.definition.family)
    if fault is not None:
        variant = str(fault.settings.get("variant", "timeout"))
        raise MountFailed(mount_failure(variant, region=task.region, file_system=efs["fileSystemId"]))
    return engine.cloud.volume_folder(task.region, efs, zone=task.network.zone)


def start(engine: Engine, task: Task) -> None:
    """Starts the containers in the order of the definition. Raises PullError or StartError of the runtime."""
    for container in task.containers:
        for mapping in container.definition.get("portMappings") or []:
            task.ports.setdefault(int(mapping["containerPort"]), free_port())
    engine.witness.starting(task)
    for container in task.containers:
        stream = _stream(task, container)
        if stream is not None:
            engine.logs.open(stream)
        container.process = engine.runtime.run(specification(task, container), _sink(engine, container, stream))
        container.last_status = "RUNNING"
        engine.witness.started(task, container)


def _sink(engine: Engine, container: ContainerRun, stream: Stream | None) -> Any:
    def on_line(text: str, at: float) -> None:
        container.lines.append(text)
        if stream is not None:
            engine.logs.add(stream, text, at)

    return on_line


def specification(task: Task, container: ContainerRun) -> ContainerSpec:
    """What the runtime is asked for: the definition, RunTask's overrides, and the host's ports."""
    definition = container.definition
    override: dict[str, Any] = next(
        (item for item in task.overrides.get("containerOverrides") or [] if item.get("name") == container.name), {}
    )
    environment = {item["name"]: item["value"] for item in definition["environment"]}
    environment |= {item["name"]: item["value"] for item in override.get("environment") or []}
    environment["SANDBOX_PORTS"] = ",".join(f"{port}={host}" for port, host in task.ports.items())
    environment.setdefault("AWS_REGION", task.region)
    return ContainerSpec(
        task_id=task.id,
        name=container.name,
        image=str(definition["image"]),
        entry_point=tuple(definition.get("entryPoint") or ()),
        command=tuple(override.get("command") or definition.get("command") or ()),
        environment=environment,
        mounts=tuple(
            Mount(
                source=task.folders[mount["sourceVolume"]],
                target=str(mount["containerPath"]),
                read_only=bool(mount.get("readOnly", False)),
            )
            for mount in definition["mountPoints"]
        ),
        ports=dict(task.ports),
    )


def _stream(task: Task, container: ContainerRun) -> Stream | None:
    logs = container.definition.get("logConfiguration") or {}
    options = logs.get("options") or {}
    if logs.get("logDriver") != "awslogs" or "awslogs-stream-prefix" not in options:
        return None
    return Stream(
        region=str(options.get("awslogs-region") or task.region),
        group=str(options["awslogs-group"]),
        name=f"{options['awslogs-stream-prefix']}/{container.name}/{task.id}",
        family=task.definition.family,
    )


__all__ = ["LOG_GROUP_MISSING", "TaskRequest", "create", "prepare", "specification", "start"]
