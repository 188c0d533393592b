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
    reason_for_failure,
)

EFS = "ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: "

AUTH = "ResourceInitializationError: unable to pull secrets or registry auth: "
LOGGER = (
    "ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to "
    "create Cloudwatch log stream: "
)
PULL = "CannotPullContainerError: pull image manifest has been retried 7 time(s): "
FAILED_UTILS = " : unsuccessful EFS utils command execution; code: 32"

# Each row of facts.md A.7: (its number, the row's kind, the text as AWS writes it, a word of the cause, a word of the
# remedy). Rows 1 and 6 have no row in the table: exit codes, and the person who did it, say more: tests below.
ROWS = [
    (2, "memory", "OutOfMemoryError: Container killed due to memory usage", "more memory", "Raise memory"),
    (2, "memory", "container killed due to memory usage", "more memory", "Raise memory"),
    (
        3,
        "scaling",
        "Scaling activity initiated by (deployment ecs-svc/123)",
        "desired count was lowered",
        "Nothing",
    ),
    (
        4,
        "health_check",
        "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:us-west-2:0:targetgroup/x/1)",
        "load balancer found the task unhealthy",
        "healthCheckGracePeriodSeconds",
    ),
    (5, "health_check", "Task failed container health checks", "own health check", "has no curl"),
    (
        7,
        "network",
        "Timeout waiting for network interface provisioning to complete.",
        "not ready in time",
        "Run it again",
    ),
    (
        8,
        "infrastructure",
        "Timeout waiting for EphemeralStorage provisioning to complete.",
        "AWS failed",
        "Run it again",
    ),
    (9, "capacity", "Your Spot Task was interrupted.", "took the Spot capacity back", "on FARGATE, not"),
    (
        10,
        "infrastructure",
        "ECS is performing maintenance on the underlying infrastructure hosting the task",
        "retired the host",
        "Nothing",
    ),
    (
        11,
        "image",
        f"{PULL}failed to resolve ref docker.io/library/nope:latest: pull access denied, repository does not exist or "
        "may require authorization: server message: insufficient_scope: authorization failed",
        "does not exist or is private",
        "repositoryCredentials",
    ),
    (
        12,
        "image",
        f"{PULL}failed to resolve ref docker.io/library/alpine:9: docker.io/library/alpine:9: not found",
        "no such tag",
        "Correct the image's tag",
    ),
    (
        13,
        "image",
        f"{PULL}image Manifest does not contain descriptor matching platform 'linux/amd64'",
        "CPU architecture",
        "runtimePlatform",
    ),
    (
        14,
        "image",
        "CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: httpReaderSeeker: failed open: "
        "unexpected status code https://registry-1.docker.io/v2/x: 429 Too Many Requests - Server message: "
        "toomanyrequests: You have reached your unauthenticated pull rate limit.",
        "limits how often",
        "ECR",
    ),
    (
        15,
        "network",
        f"{PULL}failed to resolve ref docker.io/library/alpine:latest: failed to do request: Head x: dial tcp "
        "3.216.34.172:443: i/o timeout",
        "could not reach the image registry",
        "NAT gateway",
    ),
    (
        15,
        "network",
        "CannotPullContainerError: Error response from daemon: Get x: net/http: request canceled while waiting for "
        "connection",
        "could not reach the image registry",
        "public IP",
    ),
    (
        16,
        "network",
        "The task cannot pull 'x' from the Amazon ECR repository 'y'. There is a connection issue between the task and "
        "Amazon ECR. Check your task network configuration.",
        "no route",
        "VPC endpoints",
    ),
    (
        17,
        "permission",
        f"{AUTH}execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been "
        "retried 3 time(s): AccessDeniedException: no",
        "execution role may not",
        "Give the execution role",
    ),
    (
        18,
        "secret",
        f"{AUTH}execution resource retrieval failed: unable to retrieve secret from asm: service call has been "
        "retried 1 time(s): ResourceNotFoundException: Secrets Manager can't find the specified secret.",
        "was not found",
        "secret's ARN",
    ),
    (19, "network", f"{AUTH}pull command failed: : signal: killed", "no route", "VPC endpoints"),
    (
        20,
        "logging",
        f"{LOGGER}ResourceNotFoundException: The specified log group does not exist. : exit status 1",
        "log group of the task definition does not exist",
        "Create the log group",
    ),
    (
        21,
        "logging",
        f"{LOGGER}AccessDeniedException: User: x is not authorized to perform: logs:CreateLogStream on resource: y",
        "may not write",
        "logs:CreateLogStream",
    ),
    (
        21,
        "logging",
        f"{LOGGER}AccessDeniedException: User: x is not authorized to perform: logs:CreateLogGroup on resource: y",
        "may not write",
        "logs:CreateLogGroup",
    ),
    (22, "mount", f"{EFS}b'mount.nfs4: Connection timed out'{FAILED_UTILS}", "timed out", "TCP 2049"),
    (
        22,
        "mount",
        f"{EFS}b'Mount attempt 1/3 failed due to timeout after 15 sec, wait 0 sec before next attempt.'",
        "timed out",
        "TCP 2049",
    ),
    (
        23,
        "mount",
        f"{EFS}b'mount.nfs4: access denied by server while mounting 127.0.0.1:/'{FAILED_UTILS}",
        "refused the mount",
        "elasticfilesystem:ClientMount",
    ),
    (
        23,
        "mount",
        f"{EFS}b'mount.nfs4: access denied by server while mounting fs-1.efs.us-west-2.amazonaws.com:/'{FAILED_UTILS}",
        "refused the mount",
        "iam: ENABLED",
    ),
    (
        24,
        "mount",
        f"{EFS}b'mount.nfs4: mounting fs-1:/x failed, reason given by server: No such file or directory'{FAILED_UTILS}",
        "does not exist",
        "rootDirectory",
    ),
    (
        25,
        "mount",
        f'{EFS}Failed to resolve "fs-1.efs.us-west-2.amazonaws.com" - check that your file system ID is correct, and '
        "ensure that the VPC has an EFS mount target for this file system ID. See "
        "https://docs.aws.amazon.com/console/efs/mount-dns-name for more detail. : unsuccessful; code: 1",
        "did not resolve",
        "mount target",
    ),
    (26, "mount", f"{EFS}b'mount.nfs4: Connection reset by peer'", "connection to the EFS", "transitEncryption"),
    (26, "mount", f"{EFS}b'mount.nfs4: Connection refused'", "connection to the EFS", "TCP 2049"),
    (26, "mount", f"{EFS}b'mount.nfs4: mount system call failed'", "connection to the EFS", "network ACLs"),
    (
        27,
        "command",
        "CannotStartContainerError: failed to get container status: x",
        "could not be started",
        "entryPoint",
    ),
    (
        27,
        "command",
        "ResourceInitializationError: failed to create new container runtime task: failed to create shim task: OCI "
        'runtime create failed: runc create failed: exec: "nope": no such file or directory',
        "could not be started",
        "entryPoint",
    ),
    (
        28,
        "runtime",
        "CannotStopContainerError: failed sending SIGTERM to container: x",
        "runtime failed",
        "Run it again",
    ),
    (29, "runtime", "CannotInspectContainerError: x", "runtime failed", "Run it again"),
    (29, "mount", "CannotCreateVolumeError: x", "could not be mounted", "check the volume"),
    (
        30,
        "runtime",
        "ContainerRuntimeTimeoutError: Could not transition to running; timed out after waiting 1m: x",
        "runtime failed",
        "Run it again",
    ),
    (30, "runtime", "ContainerRuntimeError: x", "runtime failed", "another host"),
    (31, "infrastructure", "InternalError: x", "on its own side", "Run it again"),
    (
        32,
        "network",
        "Unexpected EC2 error while attempting to Create Network Interface with public IP assignment enabled in subnet "
        "'subnet-677d281e'",
        "could not create the task's network interface",
        "another subnet",
    ),
    (33, "capacity", "TaskFailedToStart: RESOURCE:CPU", "no place", "Add container instances"),
    (33, "capacity", "TaskFailedToStart: RESOURCE:MEMORY", "no place", "Add container instances"),
    (33, "capacity", "TaskFailedToStart: RESOURCE:GPU", "no place", "Add container instances"),
    (33, "capacity", "TaskFailedToStart: NO ACTIVE INSTANCES", "no place", "Add container instances"),
    (33, "capacity", "TaskFailedToStart: EMPTY CAPACITY PROVIDER", "no place", "capacity provider"),
    (
        33,
        "capacity",
        "TaskFailedToStart: MemberOf placement constraint unsatisfied.",
        "may be placed on",
        "placement constraints",
    ),
    (33, "capacity", "TaskFailedToStart: ATTRIBUTE", "may be placed on", "attributes"),
    (33, "capacity", "TaskFailedToStart: AGENT", "agent", "Try again"),
    (
        34,
        "permission",
        "ECS was unable to assume the role 'arn:aws:iam::0:role/x' that was provided for this task. Please verify that "
        "the role being passed has the proper trust relationship and permissions and that your IAM user has "
        "permissions to pass this role.",
        "could not assume a role",
        "iam:PassRole",
    ),
    (
        35,
        "capacity",
        "(service x) was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later "
        "or in a different availability zone.",
        "no place",
        "more availability zones",
    ),
    (
        36,
        "secret",
        "Fetching secret data from AWS Secrets Manager in region us-west-2: secret arn:x: ResourceNotFoundException: y",
        "was not found",
        "region",
    ),
    # Of A.8, where RunTask fails for the same reason.
    (
        None,
        "capacity",
        "(service x) was unable to place a task. Reason: You've reached the limit on the number of tasks you can run "
        "concurrently",
        "quota",
        "Service Quotas",
    ),
]
TEXTS = [(kind, text) for _number, kind, text, _cause, _remedy in ROWS]


def test_every_row_of_the_facts_is_here() -> None:
    told_otherwise = {1, 6}
    assert {number for number, *_rest in ROWS if number} | told_otherwise == set(range(1, 37))


@pytest.mark.parametrize(
    ("kind", "text", "cause", "remedy"), [row[1:] for row in ROWS], ids=[f"{row[0]}: {row[2][:50]}" for row in ROWS]
)
def test_each_text_gets_its_cause_and_its_remedy(kind: str, text: str, cause: str, remedy: str) -> None:
    row = reason_for(text)
    assert row is not None
    assert row.kind == kind
    assert cause in row.cause
    assert remedy in row.remedy
    # Wherever ECS puts it: the task's stopped reason, or a container's.
    assert row.hint == hint_for("TaskFailedToStart", text)
    assert row.hint == hint_for("EssentialContainerExited", "Essential container in task exited", [text], [1])
    assert kind_for("TaskFailedToStart", text) == kind


def test_an_essential_containers_end_is_told_by_its_exit_code() -> None:
    """Row 1: ECS says the same words of a success and of a failure."""
    hint = hint_for("EssentialContainerExited", "Essential container in task exited", [], [1])
    assert hint == "Exit code 1: the program reported an error. Read its last log lines."


def test_a_stop_by_a_person_is_told_with_its_words_and_where_to_ask() -> None:
    """Row 6."""
    hint = hint_for("UserInitiated", "Task stopped by user", [], [143])
    assert hint is not None
    assert 'gave the reason "Task stopped by user"' in hint
    assert "CloudTrail" in hint


@pytest.mark.parametrize(
    ("reason", "kind", "remedy"),
    [
        ("RESOURCE:ENI", "capacity", "Add container instances"),
        ("AGENT", "capacity", "Try again"),
        ("ATTRIBUTE", "placement", "attributes"),
        ("LOCATION", "placement", "subnets"),
        ("MISSING", "placement", "ARN"),
        ("INACTIVE", "placement", "register"),
    ],
)
def test_the_words_of_failures(reason: str, kind: str, remedy: str) -> None:
    row = reason_for_failure(reason)
    assert row is not None
    assert row.kind == kind
    assert remedy in row.remedy
    assert reason_for(f"my {reason.lower()} said so") is None or reason.startswith("RESOURCE")


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
