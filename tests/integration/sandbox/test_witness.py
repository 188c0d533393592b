# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The witness: who ran beside whom, which locks went while they were held, what a cleaner changed."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from sandbox.store import lock_files

pytestmark = pytest.mark.either_isolation

FILE_SYSTEM = "fs-00b8168893587fd61"
POINT = {"accessPointId": "fsap-0a1b2c3d4e5f60718"}
INSIDE = {"authorizationConfig": POINT}
CLEANER = "clear-qdrant-locks"
SLEEP = "trap 'exit 0' TERM; while :; do sleep 0.05; done"


def data(world: Any) -> Path:
    return Path(world.sandbox.state["data"])


def a_lock(world: Any) -> str:
    """One of the lock files that Qdrant holds, relative to the folder behind the access point."""
    return str(next(path.relative_to(data(world)) for path in lock_files(data(world)) if path.name == "LOCK"))


def run(world: Any, family: str, script: str, *, read_only: bool = False, **efs: Any) -> str:
    changes = world.with_volume(**(efs or INSIDE))
    changes["container"]["mountPoints"][0]["readOnly"] = read_only
    return str(world.run_one(world.register(family, script=script, **changes)))


def running(world: Any, arn: str) -> str:
    world.until(lambda: world.task(arn)["lastStatus"] == "RUNNING", f"{arn} RUNNING")
    return arn.rsplit("/", 1)[1]


def stop_service(world: Any) -> None:
    world.sandbox.boto3("elbv2").modify_target_group_attributes(
        TargetGroupArn=world.service()["loadBalancers"][0]["targetGroupArn"],
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}],
    )
    world.update(desiredCount=0)
    # In this order: a task goes from the one list to the other.
    world.until(
        lambda: not world.tasks() and all(task["lastStatus"] == "STOPPED" for task in world.tasks(desired="STOPPED")),
        "every task of the service STOPPED",
    )


def test_a_plain_rolling_deployment_runs_store_beside_store(world: Any) -> None:
    (old,) = world.tasks()
    assert world.sandbox.witness()["overlaps"] == []
    world.update(forceNewDeployment=True)
    (overlap, *_rest) = world.until(lambda: world.sandbox.witness()["overlaps"], "an overlap")
    assert overlap["started"]["task"] != old["taskArn"].rsplit("/", 1)[1]
    assert (overlap["started"]["role"], overlap["started"]["writes"]) == ("store", True)
    assert [entry["task"] for entry in overlap["beside"]] == [old["taskArn"].rsplit("/", 1)[1]]
    assert overlap["beside"][0] | {"task": ""} == {
        "task": "", "role": "store", "family": "wwhd-backend", "writes": True,
    }  # fmt: skip


def test_stop_first_alone_does_not_keep_two_stores_apart(world: Any) -> None:
    world.update(
        forceNewDeployment=True, deploymentConfiguration={"minimumHealthyPercent": 0, "maximumPercent": 100}
    )  # fmt: skip
    (overlap, *_rest) = world.until(lambda: world.sandbox.witness()["overlaps"], "an overlap")
    assert {overlap["started"]["role"], overlap["beside"][0]["role"]} == {"store"}


def test_one_after_the_other_is_no_overlap_and_a_reset_forgets(world: Any) -> None:
    stop_service(world)
    world.until_stopped(run(world, "after", "echo done"))
    world.update(desiredCount=1)
    world.until(lambda: world.service()["runningCount"] == 1, "running again")
    seen = world.sandbox.witness()
    assert seen["overlaps"] == []
    assert [(task["role"], task["ended"] is None) for task in seen["tasks"]][::2] == [("store", False), ("store", True)]
    assert [task["role"] for task in seen["tasks"]][1] == "other"
    times = [time for task in seen["tasks"] for time in (task["started"], task["ended"]) if time]
    assert times == sorted(times)
    world.sandbox.reset(service="stopped")
    assert {key: len(value) for key, value in world.sandbox.witness().items()} == dict.fromkeys(seen, 0)


@pytest.mark.sandbox_service("stopped")
@pytest.mark.parametrize(
    ("first", "second", "writes"),
    [
        (INSIDE, INSIDE, (True, True)),
        ({"rootDirectory": "/"}, INSIDE, (True, True)),
        (INSIDE, {"rootDirectory": "/wwhd-dev/collections"}, (True, True)),
        (INSIDE | {"read_only": True}, INSIDE, (False, True)),
        ({"rootDirectory": "/analytics"}, INSIDE, None),
        ({"rootDirectory": "/git"}, {"rootDirectory": "/analytics/jobs"}, None),
    ],
)
def test_tasks_meet_where_one_mounts_a_folder_inside_the_others(
    world: Any, first: dict[str, Any], second: dict[str, Any], writes: tuple[bool, bool] | None
) -> None:
    one = running(world, run(world, "one", SLEEP, **first))
    two = running(world, run(world, f"{CLEANER}-two", SLEEP, **second))
    overlaps = world.sandbox.witness()["overlaps"]
    if writes is None:
        assert overlaps == []
        return
    (overlap,) = overlaps
    assert overlap["started"] | {"writes": writes[1]} == {
        "task": two, "role": "cleaner", "family": f"{CLEANER}-two", "writes": overlap["started"]["writes"],
    }  # fmt: skip
    assert overlap["beside"] == [{"task": one, "role": "other", "family": "one", "writes": writes[0]}]


@pytest.mark.sandbox_service("stopped")
@pytest.mark.parametrize(
    ("script", "changed", "vanished"),
    [
        ("true", {}, []),
        ("rm stale.lock", {}, ["stale.lock"]),
        ("echo more >>stale.lock; : >new.lock", {}, []),
        ("rm -f wwhd_v3.db stale.lock", {"wwhd_v3.db": "removed"}, ["stale.lock", "wwhd_v3.db"]),
        ("printf X | dd of=wwhd_v3.db bs=1 seek=99 conv=notrunc", {"wwhd_v3.db": "changed"}, []),
        ("chmod 600 raft_state.json", {"raft_state.json": "changed"}, []),
        ("mkdir lost; : >lost/found", {"lost/": "added", "lost/found": "added"}, []),
        ("ln -s /etc/passwd link", {"link": "added"}, []),
        ("mv app.db app.db.old", {"app.db": "removed", "app.db.old": "added"}, ["app.db"]),
    ],
)  # fmt: skip
def test_what_a_cleaner_changed(world: Any, script: str, changed: dict[str, str], vanished: list[str]) -> None:
    (data(world) / "stale.lock").touch()
    (data(world) / "raft_state.json").chmod(0o644)
    task = world.until_stopped(run(world, CLEANER, f"cd /data; {script}"))
    assert task["containers"][0]["exitCode"] == 0
    seen = world.sandbox.witness()
    (cleaner,) = seen["cleaners"]
    assert (cleaner["judged"], cleaner["unjudged"]) == (True, "")
    prefix = f"{FILE_SYSTEM}/wwhd-dev/"
    assert {entry["path"]: entry["how"] for entry in seen["changed_by_cleaner"]} == {
        prefix + path: how for path, how in changed.items()
    }
    assert seen["vanished"] == [prefix + path for path in vanished]
    assert seen["removed_while_held"] == []
    # It is taken under the engine's lock, so nobody is answered meanwhile.
    assert cleaner["snapshot_seconds"] < 0.5


@pytest.mark.sandbox_service("stopped")
def test_a_cleaner_beside_another_writer_cannot_be_judged_and_says_so(world: Any) -> None:
    world.sandbox.control("settings", cleaner_family="sweeper")
    writer = running(world, run(world, "writer", SLEEP, rootDirectory="/analytics"))
    world.until_stopped(run(world, "sweeper", "true"))
    world.until_stopped(run(world, CLEANER, "true"))
    seen = world.sandbox.witness()
    assert [task["role"] for task in seen["tasks"]] == ["other", "cleaner", "other"]
    (cleaner,) = seen["cleaners"]
    assert cleaner["judged"] is False
    assert cleaner["unjudged"] == f"task {writer} (other) was there before it"


@pytest.mark.sandbox_service("stopped")
def test_a_writer_that_starts_beside_a_cleaner_cannot_be_told_from_it(world: Any) -> None:
    cleaner = run(world, CLEANER, SLEEP)
    running(world, cleaner)
    writer = running(world, run(world, "writer", SLEEP))
    world.ecs.stop_task(cluster="wwhd-cluster", task=cleaner)
    world.until_stopped(cleaner)
    (told,) = world.sandbox.witness()["cleaners"]
    assert (told["judged"], told["unjudged"]) == (False, f"task {writer} (other) started beside it")


@pytest.mark.parametrize(
    ("before", "removed"), [("", True), ("release", False), ("lease", False), ("lease after", True)]
)
def test_a_stale_lock_that_was_removed(world: Any, before: str, removed: bool) -> None:
    world.sandbox.break_("stale-lock", lease_real=300 if "lease" not in before else 6)
    stop_service(world)
    lock = a_lock(world)
    if before == "release":
        world.sandbox.control("release")
    elif before == "lease":
        world.until(lambda: not world.sandbox.status()["stale"], "the lease's end")
    world.until_stopped(run(world, CLEANER, f"rm /data/{lock}"))
    if before == "lease after":
        world.until(lambda: not world.sandbox.status()["stale"], "the lease's end")
    seen = world.sandbox.witness()
    told = [(entry["path"], entry["holder"]["role"]) for entry in seen["removed_while_held"]]
    assert told == ([(f"{FILE_SYSTEM}/wwhd-dev/{lock}", "stale")] if removed else [])
    assert seen["vanished"] == [f"{FILE_SYSTEM}/wwhd-dev/{lock}"]


def kill(world: Any) -> None:
    """The store crashes: nobody is told of it beforehand. Comes back when the sandbox has noticed."""

    def store() -> dict[str, Any]:
        task = next(task for task in world.sandbox.status()["tasks"] if task["family"] == "wwhd-backend")
        found: dict[str, Any] = next(one for one in task["containers"] if one["name"] == "qdrant")
        return found

    os.kill(store()["pid"], signal.SIGKILL)
    world.until(lambda: store()["last_status"] == "STOPPED", "the store's end")


@pytest.mark.parametrize("end", ["", "stop", "kill"])
def test_a_lock_removed_under_a_living_store(world: Any, end: str) -> None:
    lock = a_lock(world)
    cleaner = run(world, CLEANER, f"rm /data/{lock}; echo gone; {SLEEP}")
    world.until(lambda: not (data(world) / lock).exists(), "the lock file is gone")
    if end == "stop":
        stop_service(world)
    elif end == "kill":
        kill(world)
    world.ecs.stop_task(cluster="wwhd-cluster", task=cleaner)
    world.until_stopped(cleaner)
    seen = world.sandbox.witness()
    (entry,) = [entry for entry in seen["removed_while_held"] if entry["path"].endswith(lock)]
    assert entry["holder"]["role"] == "store"
    assert entry["path"] == f"{FILE_SYSTEM}/wwhd-dev/{lock}"
    assert seen["cleaners"][0]["judged"] is False
    assert seen["overlaps"][0]["started"]["role"] == "cleaner"


def test_a_lock_removed_after_its_store_had_died_is_no_removal_under_it(world: Any) -> None:
    lock = a_lock(world)
    world.update(desiredCount=1, deploymentConfiguration={"maximumPercent": 100, "minimumHealthyPercent": 0})
    script = f"until [ -e /data/go ]; do sleep 0.05; done; rm /data/{lock}"
    cleaner = run(world, CLEANER, script)
    running(world, cleaner)
    world.sandbox.control("settings", provisioning=3000)
    kill(world)
    (data(world) / "go").touch()
    world.until_stopped(cleaner)
    assert world.sandbox.witness()["removed_while_held"] == []


def test_a_lock_of_another_task(world: Any) -> None:
    world.sandbox.break_("second-task")
    report = data(world) / "reports" / "report.lock"
    report.unlink()
    (entry,) = world.sandbox.witness()["removed_while_held"]
    assert (entry["holder"]["family"], entry["path"]) == ("wwhd-report", f"{FILE_SYSTEM}/wwhd-dev/reports/report.lock")
