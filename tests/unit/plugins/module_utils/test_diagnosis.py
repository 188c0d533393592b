"""The verdicts, as a table: what was seen, and what is concluded."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.diagnosis import (
    VERDICTS,
    diagnose,
    lock_lines,
    unhealthy_because,
)
from ansible_collections.wwhd.qdrant_ops.tests.unit.diagnosis_facts import (
    CAPACITY,
    EFS,
    LOGS,
    NO_ROUTE,
    PANIC,
    PAUSE,
    PULL,
    ROLE,
    down,
    ended,
    facts,
    live,
    service,
)

TABLE = [
    ("healthy", facts(service(), live())),
    ("healthy", facts(service(), live(), ended(logs=[PANIC], exits=101))),
    ("stopped_by_hand", facts(service(desired_count=0, running_count=0))),
    ("stopped_by_hand", facts(service(desired_count=0, running_count=0), ended(logs=[PANIC], exits=101))),
    ("locks_held", facts(down(), ended(logs=["start", PANIC], exits=101))),
    ("locks_held", facts(down(failed_tasks=3), ended(logs=[PANIC], exits=101), ended("UserInitiated", "Deployment"))),
    ("stopped_by_user", facts(down(), ended("UserInitiated", "Deployment: Preventing Qdrant file lock conflicts"))),
    ("memory", facts(down(), ended(exits=137, because="OutOfMemoryError: Container killed due to memory usage"))),
    ("memory", facts(down(), ended(exits=137))),
    ("image", facts(down(), ended("TaskFailedToStart", PULL, exits=None))),
    ("image", facts(down(), ended("TaskFailedToStart", "TaskFailedToStart", exits=None, because=PULL))),
    ("mount", facts(down(), ended("TaskFailedToStart", EFS, exits=None))),
    ("mount", facts(down(), ended(logs=["While lock file: /x/LOCK: Operation not supported"], exits=101))),
    ("logging", facts(down(), ended("TaskFailedToStart", LOGS, exits=None))),
    (
        "health_check",
        facts(down(), ended("ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group arn:x)")),
    ),
    ("health_check", facts(service(), live(), target_problems=["target 10.0.0.1:8000 of x is unhealthy (Timeout)."])),
    ("capacity", facts(down(), events=(CAPACITY,))),
    ("network", facts(down(), ended("TaskFailedToStart", NO_ROUTE, exits=None))),
    ("permission", facts(down(), ended("TaskFailedToStart", ROLE, exits=None))),
    ("paused", facts(down(), pause=PAUSE)),
    ("deploying", facts(down(), live())),
    ("deploying", facts(down(), ended("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment x)"))),
    ("app_error", facts(down(), ended(exits=1, logs=["no config"]))),
    ("app_error", facts(down(), ended(exits=0))),
    ("given_up", facts(down(rollout_state="FAILED", failed_tasks=3))),
    ("image", facts(down(rollout_state="FAILED"), ended("TaskFailedToStart", PULL, exits=None))),
    (
        "unlock_unfinished",
        facts(service(desired_count=0, running_count=0, tags={"wwhd.qdrant_ops:desired_count": "1"})),
    ),
    ("service_ending", facts(service(status="DRAINING", desired_count=0, running_count=0))),
    ("storage", facts(down(), ended(logs=["Corruption: bad block"], exits=101))),
    ("many_writers", facts(service(running_count=2), live(), live(), volumes=[{"file_system_id": "fs-1"}])),
    ("unknown", facts(service(running_count=0))),
    ("unknown", facts(down(failed_tasks=2))),
    ("unknown", facts(down(failed_tasks=1), events=("has reached a steady state.", CAPACITY))),
]


@pytest.mark.parametrize(("verdict", "seen"), TABLE, ids=[f"{n}-{row[0]}" for n, row in enumerate(TABLE)])
def test_verdict(verdict: str, seen: dict[str, Any]) -> None:
    found = diagnose(seen)
    assert found["verdict"] == verdict, found
    assert found["summary"]
    assert found["next"]
    assert found["evidence"]


def test_every_verdict_is_in_the_table() -> None:
    assert {row[0] for row in TABLE} == {verdict.name for verdict in VERDICTS} | {"unknown"}


def test_all_evidence_is_listed_and_the_other_verdicts_named() -> None:
    found = diagnose(
        facts(
            down(),
            ended(logs=[PANIC], exits=101),
            ended("UserInitiated", "Deployment: Preventing Qdrant file lock conflicts", exits=143),
        )
    )
    assert found["verdict"] == "locks_held"
    assert found["also"] == ["stopped_by_user"]
    assert any(PANIC in line for line in found["evidence"])
    assert any("Preventing Qdrant file lock conflicts" in line for line in found["evidence"])


def test_the_advice_includes_the_narrower_hint_of_the_tasks() -> None:
    assert diagnose(facts(down(), ended("TaskFailedToStart", EFS, exits=None)))["next"].endswith("a narrower hint.")


def test_troubles_of_an_older_deployment_are_over_once_the_current_one_has_its_own() -> None:
    old = ended(logs=[PANIC], exits=101, started_by="ecs-svc/0", task_arn="arn:aws:ecs:r:a:task/c/old")
    new = ended("TaskFailedToStart", PULL, exits=None)
    assert diagnose(facts(down(), new, old))["verdict"] == "image"
    assert diagnose(facts(down(failed_tasks=1), old))["verdict"] == "locks_held"


def test_a_container_killed_beside_a_failed_one_is_not_out_of_memory() -> None:
    task = ended(exits=137)
    task["containers"].append({**task["containers"][0], "name": "fastapi", "exit_code": 101})
    assert diagnose(facts(down(), task))["verdict"] == "app_error"


@pytest.mark.parametrize(
    ("line", "held"),
    [
        (PANIC, True),
        ("IO error: lock hold by current process, acquire time 1 acquiring thread 2: x/LOCK: No locks available", True),
        ("IO error: While lock file: x/LOCK: No locks available", True),
        ("IO error: while open a file for lock: x/LOCK: Permission denied", True),
        ('Wal error: Can\'t init WAL: Os { code: 11, kind: WouldBlock, message: "Resource temporarily unav" }', True),
        ("Can't open Collections meta Wal: Os { code: 11, kind: WouldBlock }", True),
        ("RuntimeError: Storage folder /x is already accessed by another instance of Qdrant client.", True),
        ("While lock file: x/LOCK: Operation not supported", False),
        ("IO error: while open a file for lock: x/LOCK: Too many open files", False),
        ("Filesystem check failed for storage path ./storage. Details: NFS may cause data corruption", False),
        ("Resource temporarily unavailable", False),
        ("Can't init WAL: Os { code: 28, kind: StorageFull }", False),
    ],
)
def test_which_lines_speak_of_a_lock(line: str, held: bool) -> None:
    assert bool(lock_lines([line])) is held


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (facts(service(status="DRAINING")), "The service is DRAINING, not ACTIVE."),
        (facts(service(desired_count=0, running_count=0)), "Its desired count is 0: nothing is meant to run."),
        (facts(service(running_count=2)), "2 of 1 desired task(s) run."),
        (facts(service(pending_count=1)), "1 task(s) are pending."),
        (facts(service(deployments=[{}, {}])), "2 deployments are under way at the same time."),
        (
            facts(service(deployments=[{"id": "d", "rollout_state": "FAILED", "rollout_state_reason": "why"}])),
            "Its deployment d is FAILED (why).",
        ),
        (facts(service(), pause=PAUSE), "Its deployment stands still: it is paused."),
        (facts(service(), target_problems=["target x is initial."]), "Load balancer: target x is initial."),
        (facts(service(), live(ended_container=True)), "Container qdrant of task abc has ended."),
    ],
)
def test_what_makes_a_service_unhealthy(seen: dict[str, Any], sentence: str) -> None:
    assert unhealthy_because(seen) == [sentence]


@pytest.mark.parametrize(
    "seen",
    [
        facts(service(), live()),
        facts(service(), live(ended_container=True), essential={"other"}),
        facts(service(deployments=[{"id": "d", "status": "PRIMARY"}]), live()),
        facts(service(), {**live(ended_container=True), "desired_status": "STOPPED"}),
    ],
)
def test_what_does_not(seen: dict[str, Any]) -> None:
    assert unhealthy_because(seen) == []
