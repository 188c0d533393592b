"""One service whose deployment comes, or fails, as the clock goes: for the tests of ecs_service_redeploy."""

from __future__ import annotations

from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.modules.ecs_service_redeploy import main
from ansible_collections.wwhd.qdrant_ops.tests.unit.aws_world import World, event, run_on, task
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, Outcome
from ansible_collections.wwhd.qdrant_ops.tests.unit.recorded_aws import RecordedAws

__all__ = ["NEW", "PANIC", "completed", "crash", "redeploy", "rolling", "says"]

NEW = "ecs-svc/2000000000000000002"
PANIC = "IO error: While lock file: ./storage/collections/X/0/segments/U/LOCK: Resource temporarily unavailable"


def redeploy(
    world: World, *, clock: FakeClock | None = None, check: bool = False, **args: Any
) -> tuple[Outcome, RecordedAws]:
    return run_on(world, main, clock=clock, check=check, **args)


def rolling(world: World) -> None:
    """UpdateService starts the deployment NEW beside the old one."""

    def start(params: dict[str, Any]) -> None:
        old = {**world.service["deployments"][0], "status": "ACTIVE", "desiredCount": 0}
        new = world.deployment(NEW, desired=world.service["desiredCount"], rolloutState="IN_PROGRESS")
        world.service["deployments"] = [new, old]
        world.service["events"] = [event(5, "(service wwhd-backend) has started 1 tasks."), *world.service["events"]]

    world.on_update = start


def completed(world: World, number: int = 2, state: str = "healthy") -> None:
    world.tasks = [task(number, started_by=NEW)]
    world.service.update(runningCount=1)
    world.service["deployments"] = [world.deployment(NEW, running=1)]
    world.targets = [world.target(number, state)]
    world.service["events"] = [event(6, "(service wwhd-backend) deployment completed."), *world.service["events"]]


def crash(number: int, **others: Any) -> dict[str, Any]:
    return task(
        number,
        last="STOPPED",
        desired="STOPPED",
        exits={"qdrant": 101},
        started_by=NEW,
        stopCode="EssentialContainerExited",
        stoppedReason="Essential container in task exited",
        **others,
    )


def says(world: World, number: int, message: str) -> None:
    """ECS tells an event, as it does of each task that it starts or stops."""
    world.service["events"] = [event(number, f"(service wwhd-backend) {message}"), *world.service["events"]]
