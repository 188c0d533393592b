"""The table of stop reasons: each verbatim text of facts.md A.7 finds its row, and the hint says what to do."""

from __future__ import annotations

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.reasons import (
    REASONS,
    container_hint,
    exit_code_meaning,
    hint_for,
    hint_for_task,
    kind_for,
    matches,
    reason_for,
)

EFS = "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: "

TEXTS = [
    ("memory", "OutOfMemoryError: Container killed due to memory usage"),
    ("memory", "container killed due to memory usage"),
    ("scaling", "Scaling activity initiated by (deployment ecs-svc/1234567890123456789)"),
    ("health_check", "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:us-west-2:0:t/x)"),
    ("health_check", "Task failed container health checks"),
    ("network", "Timeout waiting for network interface provisioning to complete."),
    ("infrastructure", "Timeout waiting for EphemeralStorage provisioning to complete."),
    ("capacity", "Your Spot Task was interrupted."),
    ("infrastructure", "ECS is performing maintenance on the underlying infrastructure hosting the task"),
    (
        "image",
        "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref "
        "docker.io/library/nope:latest: pull access denied, repository does not exist or may require authorization: "
        "server message: insufficient_scope: authorization failed",
    ),
    (
        "image",
        "CannotPullContainerError: pull image manifest has been retried 7 time(s): failed to resolve ref "
        "docker.io/library/alpine:9.99: docker.io/library/alpine:9.99: not found",
    ),
    (
        "image",
        "CannotPullContainerError: pull image manifest has been retried 7 time(s): image Manifest does not contain "
        "descriptor matching platform 'linux/amd64'",
    ),
    (
        "image",
        "CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: httpReaderSeeker: failed open: "
        "unexpected status code https://registry-1.docker.io/v2/x: 429 Too Many Requests - Server message: "
        "toomanyrequests: You have reached your unauthenticated pull rate limit.",
    ),
    (
        "network",
        "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref "
        "docker.io/library/alpine:latest: failed to do request: Head …: dial tcp 3.216.34.172:443: i/o timeout",
    ),
    (
        "network",
        "The task cannot pull 'x' from the Amazon ECR repository 'y'. There is a connection issue between the task "
        "and Amazon ECR. Check your task network configuration.",
    ),
    (
        "permission",
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        "unable to retrieve ecr registry auth: service call has been retried 3 time(s): AccessDeniedException: no",
    ),
    (
        "secret",
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
        "unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret x: "
        "ResourceNotFoundException: Secrets Manager can't find the specified secret.",
    ),
    (
        "network",
        "ResourceInitializationError: unable to pull secrets or registry auth: pull command failed: : signal: killed",
    ),
    (
        "logging",
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed "
        "to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit "
        "status 1",
    ),
    (
        "logging",
        "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed "
        "to create Cloudwatch log stream: AccessDeniedException: User is not authorized to perform: "
        "logs:CreateLogStream on resource: x",
    ),
    ("mount", f"{EFS}b'mount.nfs4: Connection timed out' : unsuccessful EFS utils command execution; code: 32"),
    ("mount", f"{EFS}b'mount.nfs4: access denied by server while mounting 127.0.0.1:/' : unsuccessful; code: 32"),
    (
        "mount",
        f"{EFS}b'mount.nfs4: mounting fs-00b8168893587fd61:/nope failed, reason given by server: No such file or "
        "directory' : unsuccessful EFS utils command execution; code: 32",
    ),
    (
        "mount",
        f'{EFS}Failed to resolve "fs-00b8168893587fd61.efs.us-west-2.amazonaws.com" - check that your file system ID '
        "is correct, and ensure that the VPC has an EFS mount target for this file system ID.",
    ),
    ("mount", f"{EFS}b'mount.nfs4: Connection reset by peer'"),
    ("command", "CannotStartContainerError: failed to get container status: x"),
    (
        "command",
        "ResourceInitializationError: failed to create new container runtime task: failed to create shim task: OCI "
        'runtime create failed: runc create failed: exec: "nope": no such file or directory',
    ),
    ("runtime", "CannotStopContainerError: failed sending SIGTERM to container: x"),
    ("runtime", "CannotInspectContainerError: x"),
    ("mount", "CannotCreateVolumeError: x"),
    (
        "runtime",
        "ContainerRuntimeTimeoutError: Could not transition to running; timed out after waiting 1m: x",
    ),
    ("infrastructure", "InternalError: x"),
    (
        "network",
        "Unexpected EC2 error while attempting to Create Network Interface with public IP assignment enabled in "
        "subnet 'subnet-677d281e'",
    ),
    ("capacity", "TaskFailedToStart: RESOURCE:CPU"),
    ("capacity", "RESOURCE:ENI"),
    (
        "permission",
        "ECS was unable to assume the role 'arn:aws:iam::0:role/x' that was provided for this task. Please verify …",
    ),
    (
        "capacity",
        "(service x) was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later "
        "or in a different availability zone.",
    ),
    (
        "secret",
        "Fetching secret data from AWS Secrets Manager in region us-west-2: secret arn:x: ResourceNotFoundException",
    ),
]


@pytest.mark.parametrize(("kind", "text"), TEXTS, ids=[text[:60] for _kind, text in TEXTS])
def test_each_text_finds_its_row(kind: str, text: str) -> None:
    row = reason_for(text)
    assert row is not None
    assert row.kind == kind
    assert row.hint == hint_for("TaskFailedToStart", text)
    assert kind_for("TaskFailedToStart", text) == kind


def test_every_row_is_reached_by_some_text() -> None:
    reached = {reason_for(text) for _kind, text in TEXTS}
    # A row that no text reaches stands below a wider one, or has no known text.
    unreached = [row.patterns[0] for row in REASONS if row not in reached]
    assert unreached == ["failed to validate logger args", "CannotPullContainerError"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ResourceInitializationError: failed to validate logger args: signal: killed", "logging"),
        ("CannotPullContainerError: something new", "image"),
    ],
)
def test_the_wide_rows_take_what_is_left(text: str, kind: str) -> None:
    assert kind_for("TaskFailedToStart", text) == kind


@pytest.mark.parametrize("text", [None, "", "Essential container in task exited", "my own words"])
def test_no_row_is_invented(text: str | None) -> None:
    assert reason_for(text) is None
    assert kind_for("EssentialContainerExited", text) is None


def test_pattern_parts_must_come_in_order() -> None:
    assert matches("a…b", "xAxxBx")
    assert not matches("a…b", "b then a")
    assert not matches("ab…b", "ab")


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (1, "error"),
        (101, "panicked"),
        (127, "not found"),
        (137, "SIGKILL"),
        (143, "SIGTERM"),
        (130, "signal 2"),
        (42, "own"),
    ],
)
def test_exit_codes(code: int, word: str) -> None:
    meaning = exit_code_meaning(code)
    assert meaning is not None
    assert meaning.startswith(f"Exit code {code}: ")
    assert word in meaning


@pytest.mark.parametrize("code", [0, None])
def test_no_meaning_without_a_failure(code: int | None) -> None:
    assert exit_code_meaning(code) is None


def test_a_success_needs_no_hint() -> None:
    assert hint_for("EssentialContainerExited", "Essential container in task exited", [None], [0]) is None


def test_a_missing_exit_code_is_told() -> None:
    hint = hint_for("EssentialContainerExited", "Essential container in task exited", [], [0, None])
    assert hint is not None
    assert "never a success" in hint


def test_a_person_comes_before_everything() -> None:
    hint = hint_for("UserInitiated", "Deployment: Preventing Qdrant file lock conflicts", ["OutOfMemoryError"], [143])
    assert hint is not None
    assert '"Deployment: Preventing Qdrant file lock conflicts"' in hint
    assert kind_for("UserInitiated", "OutOfMemoryError: said a person") == "stopped_by_user"


def test_the_panic_speaks_before_the_signals_that_followed_it() -> None:
    hint = hint_for("EssentialContainerExited", "Essential container in task exited", [], [137, 143, 101])
    assert hint is not None
    assert hint.startswith("Exit code 101")


def test_a_containers_reason_says_more_than_the_scheduler() -> None:
    hint = hint_for(
        "ServiceSchedulerInitiated",
        "Scaling activity initiated by (deployment ecs-svc/1)",
        ["OutOfMemoryError: x"],
        [137],
    )
    assert hint is not None
    assert "memory" in hint


@pytest.mark.parametrize(
    "stop_code", ["TaskFailedToStart", "SpotInterruption", "TerminationNotice", "InfrastructureHealth"]
)
def test_stop_codes_without_a_known_text(stop_code: str) -> None:
    assert hint_for(stop_code, "words nobody knows", [], []) is not None


def test_a_living_task_has_no_hint() -> None:
    assert hint_for_task({"lastStatus": "RUNNING", "containers": [{"name": "x", "lastStatus": "RUNNING"}]}) is None


def test_a_task_whose_container_ended_has_one_before_it_is_stopped() -> None:
    hint = hint_for_task({"lastStatus": "DEPROVISIONING", "containers": [{"name": "x", "exitCode": 127}]})
    assert hint is not None
    assert "not found" in hint


def test_a_containers_own_hint() -> None:
    assert "memory" in str(container_hint({"reason": "OutOfMemoryError: x", "exitCode": 137}))
    assert "SIGKILL" in str(container_hint({"exitCode": 137}))
    assert container_hint({"exitCode": 0}) is None
