# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each cause that a diagnosis can come to: what was seen, what is concluded, how sure, and what is to be done."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.diagnosis import diagnose
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.storage_signs import SIGNS
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.answer import digest, make_answer
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.answer_text import table_lines
from ansible_collections.wwhd.qdrant_ops.tests.unit.diagnosis_facts import (
    CAPACITY,
    EFS,
    LOGS,
    NO_ROUTE,
    PANIC,
    PULL,
    ROLE,
    down,
    ended,
    facts,
    live,
    service,
)

UTILS = Path(__file__).parents[4] / "plugins" / "module_utils"
ARN = "arn:aws:ecs:us-west-2:018025611404:task/c/"
NOW = "2026-11-23T15:00:00Z"
VOLUME = {"file_system_id": "fs-00b8168893587fd61", "access_point_id": "fsap-1", "root_directory": "/"}
CLAIM = {
    "wwhd.qdrant_ops:claim:unlock-20261123T145000Z-abcdef": "me@here/1+2+3 since 2026-11-23T14:50:00.000Z until %s"
}
NOTES = {"wwhd.qdrant_ops:desired_count": "1", "wwhd.qdrant_ops:autoscaling": "none"}
WHO = {
    "service_arn": "arn:aws:ecs:us-west-2:018025611404:service/wwhd-cluster/wwhd-backend",
    "cluster_arn": "arn:aws:ecs:us-west-2:018025611404:cluster/wwhd-cluster",
    "service_name": "wwhd-backend",
}
DENIED = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
    "AccessDeniedException: User: arn:aws:sts::018025611404:assumed-role/exec-role/abc is not authorized to perform: "
    "secretsmanager:GetSecretValue on resource: x"
)
SECRET = (
    "ResourceInitializationError: unable to retrieve secret from asm: ResourceNotFoundException: Secrets Manager can't"
)
LOG_DENIED = (
    "ResourceInitializationError: failed to validate logger args: AccessDeniedException: User: "
    "arn:aws:sts::018025611404:assumed-role/exec-role/a is not authorized to perform: logs:CreateLogStream"
)
WAL = 'Wal error: Can\'t init WAL: Os { code: 11, kind: WouldBlock, message: "Resource temporarily unavailable" }'
ELB = (
    "Task failed ELB health checks in (target-group "
    "arn:aws:elasticloadbalancing:us-west-2:018025611404:targetgroup/wwhd-backend/0123456789abcdef)"
)
PIPELINE = "Deployment: Preventing Qdrant file lock conflicts"


def failing(*, began: str = "14:58:00", over: str = "14:58:30", line: str = PANIC, **more: Any) -> dict[str, Any]:
    return ended(
        exits=101,
        logs=["start", line],
        task_arn=f"{ARN}failing{began.replace(':', '')}",
        created_at=f"2026-11-23T{began}Z",
        started_at=f"2026-11-23T{began}Z",
        stopped_at=f"2026-11-23T{over}Z",
        **more,
    )


def earlier(
    *, over: str, exits: int | None = 143, code: str = "ServiceSchedulerInitiated", **more: Any
) -> dict[str, Any]:
    return ended(
        code,
        "Scaling activity initiated by (deployment x)",
        exits=exits,
        started_by="ecs-svc/0",
        task_arn=f"{ARN}earlier",
        created_at="2026-11-23T13:00:00Z",
        started_at="2026-11-23T13:00:30Z",
        stopped_at=f"2026-11-23T{over}Z",
        **more,
    )


def not_started(reason: str, **more: Any) -> dict[str, Any]:
    return ended("TaskFailedToStart", reason, exits=None, **more)


def efs(said: str) -> dict[str, Any]:
    return not_started(EFS.replace("mount.nfs4: Connection timed out", said))


def stuck(
    *tasks: dict[str, Any], events: tuple[str, ...] = (), state: dict[str, Any] | None = None, **more: Any
) -> Any:
    return facts(state or down(), *tasks, events=events, **{"volumes": [VOLUME], **more})


def claimed(until: str, **more: Any) -> dict[str, str]:
    return {**{key: value % until for key, value in CLAIM.items()}, **more}


OVERLAP = {"deployment_configuration": {"maximum_percent": 200, "minimum_healthy_percent": 100}}
HERE = {**live(), "task_arn": f"{ARN}older"}
DRAINING = {**live(), "task_arn": f"{ARN}older", "last_status": "DEACTIVATING", "desired_status": "STOPPED"}
# cause, how sure, what was seen, evidence, next step or command
ROWS: list[tuple[str, str, Any, str, str]] = [
    ("healthy", "certain", stuck(live(), state=service()), "1 of 1 desired", "Nothing needs to be done"),
    (
        "unlock_under_way",
        "likely",
        stuck(state=down() | {"tags": claimed("2026-11-23T16:00:00.000Z")}),
        "me@here",
        "Wait",
    ),
    (
        "unlock_left_unfinished",
        "certain",
        stuck(state=service(desired_count=0, running_count=0, tags=claimed("2026-11-23T14:59:00.000Z", **NOTES))),
        "autoscaling, desired_count",
        "finishes what the other run has left",
    ),
    (
        "service_ending",
        "certain",
        stuck(state=service(status="INACTIVE", desired_count=0)),
        "INACTIVE",
        "Create it again",
    ),
    (
        "stopped_by_hand",
        "certain",
        stuck(state=service(desired_count=0, running_count=0)),
        "desired count is 0",
        "UpdateService",
    ),
    ("rolling_overlap", "certain", stuck(failing(), HERE, state=down() | OVERLAP), "older (RUNNING)", "stop-first"),
    (
        "rolling_overlap",
        "certain",
        stuck(failing(), DRAINING, state=down() | OVERLAP),
        "maximum 200 %",
        "unlock playbook",
    ),
    ("rolling_overlap", "likely", stuck(failing(), earlier(over="14:59:30")), "Alive at that time", "stop-first"),
    (
        "dead_lease",
        "likely",
        stuck(failing(), earlier(over="14:58:05", exits=None)),
        "without an orderly end",
        "It waits",
    ),
    (
        "dead_lease",
        "likely",
        stuck(failing(), earlier(over="14:58:10", code="InfrastructureHealth")),
        "InfrastructureHealth",
        "unlock playbook",
    ),
    (
        "dead_lease",
        "likely",
        stuck(failing(), earlier(over="14:57:00", exits=137)),
        "Killed before it",
        "unlock playbook",
    ),
    ("dead_lease", "possible", stuck(failing(), earlier(over="14:57:00")), "While lock file", "unlock playbook"),
    (
        "held_elsewhere",
        "possible",
        stuck(failing(), failing(began="14:20:00", over="14:20:30")),
        "While lock file",
        "Lambda functions",
    ),
    ("same_machine", "likely", stuck(failing(line=WAL)), "Can't init WAL", "second Qdrant container"),
    (
        "opened_twice",
        "certain",
        stuck(failing(line="IO error: lock hold by current process, acquire time 1: x/LOCK: No locks available")),
        "current process",
        "does not mend this",
    ),
    (
        "lock_of_another_user",
        "certain",
        stuck(failing(line="IO error: while open a file for lock: x/LOCK: Permission denied")),
        "Permission denied",
        "wrong owner",
    ),
    (
        "local_client",
        "certain",
        stuck(failing(line="Storage folder /x is already accessed by another instance of Qdrant client.")),
        "another instance",
        "Qdrant server instead",
    ),
    (
        "no_locks_left",
        "likely",
        stuck(failing(line="IO error: While lock file: x/LOCK: No locks available")),
        "No locks available",
        "does not mend this",
    ),
    (
        "newer_qdrant",
        "certain",
        stuck(failing(line="Failed to load 'mmap' storage type, RocksDB is not supported in this Qdrant version")),
        "RocksDB is not supported",
        "1.17 or older",
    ),
    (
        "disk_full",
        "certain",
        stuck(failing(line='Os { code: 28, kind: StorageFull, message: "No space left on device" }')),
        "No space left",
        "ephemeralStorage",
    ),
    (
        "disk_full",
        "certain",
        stuck(failing(line="write failed: Disk quota exceeded (os error 122)")),
        "quota",
        "ephemeralStorage",
    ),
    (
        "too_many_files",
        "certain",
        stuck(failing(line="IO error: while open a file for lock: x/LOCK: Too many open files")),
        "Too many open files",
        "nofile",
    ),
    ("read_only", "certain", stuck(failing(line="Read-only file system (os error 30)")), "Read-only", "ClientWrite"),
    ("stale_handle", "likely", stuck(failing(line="Stale file handle (os error 116)")), "Stale", "Find out who"),
    ("lost_connection", "likely", stuck(failing(line="Input/output error (os error 5)")), "Input/output", "CloudWatch"),
    (
        "files_still_open",
        "likely",
        stuck(failing(line="IO Error: Directory not empty (os error 39)")),
        "not empty",
        "other client",
    ),
    (
        "corruption",
        "likely",
        stuck(failing(line="RocksDB open error: Corruption: block checksum mismatch: stored = 1")),
        "checksum mismatch",
        "snapshots/recover",
    ),
    (
        "pipeline_stops_tasks",
        "likely",
        stuck(ended("UserInitiated", PIPELINE, exits=143)),
        PIPELINE,
        "stop-task out of",
    ),
    ("person_stops_tasks", "certain", stuck(ended("UserInitiated", "looking at it")), "looking at it", "StopTask"),
    (
        "out_of_memory",
        "certain",
        stuck(ended(exits=137, because="OutOfMemoryError: Container killed due to memory usage")),
        "OutOfMemoryError",
        "more memory",
    ),
    ("killed", "likely", stuck(ended(exits=137)), "exit 137", "more memory"),
    (
        "image_platform",
        "certain",
        stuck(
            not_started(
                "CannotPullContainerError: image Manifest does not contain descriptor matching platform 'linux/amd64'"
            )
        ),
        "linux/amd64",
        "Correct the image",
    ),
    (
        "image_rate_limit",
        "certain",
        stuck(not_started("CannotPullContainerError: toomanyrequests: pull rate limit")),
        "toomany",
        "",
    ),
    (
        "image_denied",
        "certain",
        stuck(not_started("CannotPullContainerError: pull access denied, repository does not exist or may require x")),
        "pull access denied",
        "Correct the image",
    ),
    (
        "image_missing",
        "certain",
        stuck(
            not_started(
                "CannotPullContainerError: failed to resolve ref "
                "018025611404.dkr.ecr.us-west-2.amazonaws.com/wwhd/backend:v9: not found"
            )
        ),
        "v9",
        "aws ecr describe-images --repository-name wwhd/backend --image-ids imageTag=v9",
    ),
    ("image_missing", "certain", stuck(not_started(PULL)), "not found", "Correct the image"),
    (
        "image_not_pulled",
        "certain",
        stuck(not_started("CannotPullContainerError: something else")),
        "else",
        "Correct the image",
    ),
    ("mount_timeout", "certain", stuck(efs("mount.nfs4: Connection timed out")), "timed out", "describe-mount-targets"),
    (
        "mount_denied",
        "certain",
        stuck(efs("mount.nfs4: access denied by server while mounting 127.0.0.1:/")),
        "access denied",
        "describe-file-system-policy --file-system-id fs-00b8168893587fd61",
    ),
    (
        "mount_no_directory",
        "certain",
        stuck(efs("mount.nfs4: mounting fs-1:/x failed, reason given by server: No such file or directory")),
        "No such file",
        "describe-access-points",
    ),
    (
        "mount_unresolved",
        "certain",
        stuck(efs('Failed to resolve "fs-1.efs.us-west-2.amazonaws.com" - check that')),
        "Failed to resolve",
        "describe-mount-targets",
    ),
    (
        "mount_connection_broken",
        "certain",
        stuck(efs("mount.nfs4: Connection reset by peer")),
        "reset by peer",
        "TCP 2049",
    ),
    ("mount_failed", "certain", stuck(efs("mount.nfs4: something else")), "something else", "describe-mount-targets"),
    (
        "no_locks_on_file_system",
        "certain",
        stuck(ended(logs=["While lock file: /x/LOCK: Operation not supported"], exits=101)),
        "Operation not supported",
        "No unlocking helps",
    ),
    (
        "log_group_missing",
        "certain",
        stuck(not_started(LOGS), log_groups=["/ecs/wwhd-backend"]),
        "log group does not exist",
        "aws logs create-log-group --log-group-name /ecs/wwhd-backend",
    ),
    ("log_group_denied", "certain", stuck(not_started(LOG_DENIED)), "Missing right: logs:CreateLogStream", "exec-role"),
    (
        "load_balancer_health_check",
        "certain",
        stuck(ended("ServiceSchedulerInitiated", ELB)),
        "failed ELB health checks",
        "describe-target-health --target-group-arn arn:aws:elasticloadbalancing",
    ),
    (
        "container_health_check",
        "certain",
        stuck(ended("ServiceSchedulerInitiated", "Task failed container health checks")),
        "container health checks",
        "Check the health check",
    ),
    ("no_capacity", "certain", stuck(events=(CAPACITY,)), "Capacity is unavailable", "services[0].events"),
    (
        "quota",
        "certain",
        stuck(
            events=("(service x) was unable to place a task. Reason: You've reached the limit on the number of vCPUs",)
        ),
        "vCPUs",
        "availability zones",
    ),
    (
        "spot_taken_back",
        "certain",
        stuck(ended("SpotInterruption", "Your Spot Task was interrupted.")),
        "Spot",
        "describe-services",
    ),
    ("no_place", "certain", stuck(not_started("TaskFailedToStart: RESOURCE:CPU")), "RESOURCE:CPU", "describe-services"),
    ("registry_unreachable", "certain", stuck(not_started(NO_ROUTE)), "i/o timeout", "NAT gateway"),
    (
        "network_interface",
        "certain",
        stuck(not_started("Timeout waiting for network interface provisioning to complete.")),
        "network interface",
        "Check subnets",
    ),
    (
        "right_missing",
        "certain",
        stuck(not_started(DENIED)),
        "Missing right: secretsmanager:GetSecretValue, of role exec-role",
        "aws iam list-attached-role-policies --role-name exec-role",
    ),
    ("role_not_assumable", "certain", stuck(not_started(ROLE)), "unable to assume the role", "--role-name x"),
    ("secret_missing", "certain", stuck(not_started(SECRET)), "ResourceNotFound", "correct the secret's name"),
    (
        "paused_at_a_hook",
        "certain",
        stuck(
            pause={
                "text": "it is paused",
                "advice": "Let it go on by 'aws ecs continue-service-deployment --hook-id h'.",
            }
        ),
        "it is paused",
        "aws ecs continue-service-deployment --hook-id h",
    ),
    ("deploying", "certain", stuck(live()), "IN_PROGRESS", "Wait until it has ended"),
    (
        "panic_unread",
        "possible",
        stuck(ended(exits=101, logs=["(Could not read it)"])),
        "exit 101",
        "Read the last log lines",
    ),
    (
        "command_cannot_start",
        "certain",
        stuck(not_started('CannotStartContainerError: exec: "qdrnt": executable file not found')),
        "qdrnt",
        "entryPoint",
    ),
    (
        "program_ends",
        "certain",
        stuck(ended(exits=1, logs=["a", "b", "no config"]), log_groups=["/ecs/wwhd-backend"]),
        "a | b | no config",
        "aws logs tail /ecs/wwhd-backend",
    ),
    ("deployment_failed", "certain", stuck(state=down(rollout_state="FAILED")), "is FAILED", "new deployment"),
    (
        "rolled_back",
        "certain",
        stuck(
            state=down(rollout_state_reason="ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/0.")
        ),
        "rolling back",
        "",
    ),
    (
        "desired_above_one",
        "certain",
        stuck(live(), HERE, state=service(desired_count=2, running_count=1)),
        "alive at the same time",
        "count to 1",
    ),
    (
        "overlap_now",
        "certain",
        stuck(live(), HERE, state=service(running_count=2)),
        "alive at the same time",
        "stop-first",
    ),
    ("unknown", "possible", stuck(state=service(running_count=0)), "0 of 1", "describe-services"),
]


def answered(seen: dict[str, Any], *, healthy: bool = False, **raw: Any) -> dict[str, Any]:
    seen["service"] = {**WHO, **seen["service"]}
    info = {"diagnosis": diagnose({"now": NOW, **seen}), "volumes": [VOLUME], "healthy": healthy}
    where = {"service": "wwhd-backend", "cluster": "wwhd-cluster", "region": "us-west-2", "environment": "dev"}
    return make_answer({"info": info, **where, **raw})


def found_in(seen: dict[str, Any], cause: str) -> dict[str, Any]:
    seen["service"] = {**WHO, **seen["service"]}
    findings: list[dict[str, Any]] = diagnose({"now": NOW, **seen})["findings"]
    return next((finding for finding in findings if finding["cause"] == cause), findings[0])


@pytest.mark.parametrize(
    ("cause", "sure", "seen", "evidence", "then"), ROWS, ids=[f"{number}-{row[0]}" for number, row in enumerate(ROWS)]
)
def test_cause(cause: str, sure: str, seen: dict[str, Any], evidence: str, then: str) -> None:
    found = found_in(seen, cause)
    assert (found["cause"], found["confidence"]) == (cause, sure), found
    assert evidence in " ".join(found["evidence"])
    assert then in f"{found['next']} {found['command']}"
    assert found["because"]
    # Only what a deployment's own state says may stand behind it.
    first = diagnose({"now": NOW, **seen})["cause"]
    assert first == cause or cause in ("rolled_back", "deployment_failed", "desired_above_one", "overlap_now"), first


def test_every_cause_has_a_row() -> None:
    text = "".join((UTILS / "_ecs" / name).read_text() for name in ("causes.py", "lock_causes.py", "unfinished.py"))
    named = set(re.findall(r'cause="(\w+)"', text)) | {sign.cause for sign in SIGNS}
    named |= set(re.findall(r'^ +\(r".*", "(\w+)"(?:, \w+)?\),$', text, re.MULTILINE))
    named |= set(re.findall(r'cause="(\w+)" if \w+ else "(\w+)"', text)[0])
    assert len(named) > 50
    assert named - {row[0] for row in ROWS} == set()


def test_commands_can_be_pasted_and_write_nothing_but_what_they_say() -> None:
    commands = {found_in(row[2], row[0])["command"] for row in ROWS} - {None}
    assert len(commands) > 12
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "aws"
        verb = words[2].split("-")[0]
        assert verb in ("describe", "list", "lookup", "tail") or words[2] in (
            "create-log-group",
            "continue-service-deployment",
        )


def mounted(*tasks: dict[str, Any]) -> dict[str, Any]:
    return {"file_system_id": VOLUME["file_system_id"], "clusters": ["wwhd-cluster"], "tasks": list(tasks)}


def other(point: str | None, *, root: str = "/", **more: Any) -> dict[str, Any]:
    volume = {"name": "data", "access_point_id": point, "root_directory": root}
    return {
        "task_arn": f"{ARN}staging",
        "cluster": "wwhd-cluster",
        "group": "service:wwhd-staging",
        "family": "wwhd-staging",
        "last_status": "RUNNING",
        "live": True,
        "started_by": "ecs-svc/9",
        "volumes": [volume],
        **more,
    }


LEASE = stuck(failing(), earlier(over="14:57:00"))


@pytest.mark.parametrize(
    ("tasks", "cause", "shared"),
    [
        ([], "dead_lease", None),
        ([other("fsap-1")], "held_by_other_task", "same_directory"),
        ([other(None)], "held_by_other_task", "same_directory"),
        ([other("fsap-2")], "dead_lease", "other_directory"),
        ([other(None, root="/elsewhere")], "dead_lease", "other_directory"),
        ([other("fsap-1", live=False)], "dead_lease", None),
        ([other("fsap-1", group="service:wwhd-backend")], "dead_lease", None),
    ],
)
def test_who_else_is_on_the_file_system(tasks: list[dict[str, Any]], cause: str, shared: str | None) -> None:
    found = answered(LEASE, mounts=[mounted(*tasks)])
    assert found["cause"] == cause
    assert [f["cause"] for f in found["findings"] if f["verdict"] == "shared_file_system"] == (
        [shared] if shared else []
    )
    if shared:
        assert any("service:wwhd-staging" in line for line in found["evidence"])
    if cause == "dead_lease":
        assert found["command"] == "ansible-playbook playbooks/unlock.yml -e env=dev"
        assert ("no other live task mounts" in found["because"]) is (shared is None)
    else:
        assert found["command"] is None
        assert "End that task first" in found["next"]
    assert found["locks"] == "yes"


def test_the_task_that_was_started_since_is_no_holder() -> None:
    since = {**HERE, "created_at": "2026-11-23T14:58:31Z", "started_at": "2026-11-23T14:58:40Z"}
    assert answered(stuck(since, failing(), earlier(over="14:57:00", exits=137)))["cause"] == "dead_lease"


def test_a_task_that_certainly_overlaps_is_not_taken_for_somebody_elses() -> None:
    found = answered(stuck(failing(), HERE), mounts=[mounted(other("fsap-1"))])
    assert found["cause"] == "rolling_overlap"
    assert found["also"] == ["shared_file_system"]
    assert "playbooks/prevent.yml -e env=dev" in found["next"]


def test_a_cleaner_that_lives_is_the_news() -> None:
    cleaner = other("fsap-1", started_by="unlock-20261123T145000Z-abcdef", group="family:clear-qdrant-locks")
    found = answered(LEASE, mounts=[mounted(cleaner)])
    assert (found["cause"], found["also"]) == ("cleaner_alive", ["locks_held"])


def test_a_healthy_service_with_something_to_say() -> None:
    event = "(service wwhd-backend) rolling back to deployment ecs-svc/1"
    seen = stuck(live(), state=service(tags=NOTES), events=("has reached a steady state", event))
    found = answered(seen, healthy=True, mounts=[mounted(other("fsap-1"))], health={"successes": 1})
    assert found["outcome"] == "healthy"
    assert [f["cause"] for f in found["findings"]] == [
        "healthy", "rolled_back", "unlock_left_unfinished", "same_directory",
    ]  # fmt: skip
    assert "Its health address answers as it should." in found["findings"][0]["evidence"]
    older = stuck(live(), state=service(), events=("rolling back to deployment ecs-svc/17",))
    assert answered(older, healthy=True)["also"] == []


@pytest.mark.parametrize(("healthy", "place"), [(True, 0), (False, 1)])
def test_a_health_address_that_does_not_answer(healthy: bool, place: int) -> None:
    seen = stuck(live(), state=service()) if healthy else stuck(not_started(PULL))
    found = answered(seen, healthy=healthy, health={"successes": 0, "msg": "GET x was not healthy"})
    assert found["healthy"] is False
    assert found["findings"][place]["verdict"] == "health_address"
    assert "GET x was not healthy" in found["evidence"]
    assert found["locks"] == "no"


def test_what_could_not_be_read_is_told() -> None:
    hidden = "(Could not read the log stream x: AccessDeniedException.)"
    found = answered(stuck(ended(exits=101, logs=[hidden])), mounts=[{"msg": "Could not list the tasks in cluster b."}])
    assert found["not_seen"] == [hidden[1:-1], "Could not list the tasks in cluster b."]
    assert found["locks"] == "unknown"
    assert "What could not be read, and may matter:" in found["lines"]
    assert "Is it the locks? Cannot be told." in found["lines"][0]


@pytest.mark.parametrize(
    ("info", "cause", "told"),
    [
        (
            {"msg": "Could not read it: AccessDeniedException: no.", "error_code": "AccessDeniedException",
             "action": "ecs:DescribeServices"},
            "right_missing",
            "Missing right: ecs:DescribeServices",
        ),
        ({"msg": "AWS knows no service nobody."}, "not_looked_at", "AWS knows no service nobody."),
        ({}, "not_looked_at", "Nothing was read"),
    ],
)  # fmt: skip
def test_what_could_not_be_looked_at_is_no_healthy_service(info: dict[str, Any], cause: str, told: str) -> None:
    found = make_answer({"info": info, "service": "s", "environment": "dev"})
    assert (found["outcome"], found["healthy"], found["cause"], found["locks"]) == ("not_seen", None, cause, "unknown")
    assert any(told in line for line in found["lines"])


def test_a_protected_environment_needs_its_word_and_names_are_quoted() -> None:
    found = answered(LEASE, protected=True, environment="my prod")
    assert found["command"] == "ansible-playbook playbooks/unlock.yml -e env='my prod' -e confirm='my prod'"


def test_the_same_words_of_many_tasks_are_one_line() -> None:
    tasks = [failing(began=f"14:5{minute}:00", over=f"14:5{minute}:30") for minute in range(8)]
    quoted = [line for line in answered(stuck(*tasks))["lines"] if "While lock file" in line]
    assert len(quoted) == 1
    assert quoted[0].endswith("(and 7 more like this)")


def test_the_table_has_the_sick_ones_first() -> None:
    sick, well = answered(LEASE), answered(stuck(live(), state=service()), healthy=True)
    blind = make_answer({"service": "s", "environment": "e"})
    assert table_lines({"a": well, "b": sick, "c": blind, "d": None}) == [
        "host  state           is it the locks  cause                       how sure",
        "c     COULD NOT LOOK  cannot be told   not_looked_at               certain",
        "d     NOT ASKED       -                its own error stands above  -",
        "b     NOT HEALTHY     yes              dead_lease                  possible",
        "a     healthy         no               -                           -",
        "1 of 4 healthy.",
    ]


def test_the_digest_is_short() -> None:
    short = digest(answered(LEASE))
    assert short["cause"] == "dead_lease"
    assert "evidence" not in short
    assert "lines" not in short
