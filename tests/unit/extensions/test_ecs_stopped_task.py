# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which stops of tasks count as failures, whatever a source has put around the event."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# As ansible-rulebook loads it.
FILTER = Path(__file__).parents[3] / "extensions/eda/plugins/event_filter/ecs_stopped_task.py"
judge = runpy.run_path(str(FILTER))["main"]

SERVICE = "arn:aws:ecs:us-west-2:018025611404:service/wwhd-cluster/wwhd-backend"
TASK = "arn:aws:ecs:us-west-2:018025611404:task/wwhd-cluster/0f1e2d3c4b5a69788796a5b4c3d2e1f0"
CLEANER = "arn:aws:ecs:us-west-2:018025611404:task-definition/clear-qdrant-locks:3"
DETAIL: dict[str, Any] = {
    "clusterArn": "arn:aws:ecs:us-west-2:018025611404:cluster/wwhd-cluster",
    "containers": [{"name": "qdrant", "exitCode": 101, "lastStatus": "STOPPED"}],
    "desiredStatus": "STOPPED",
    "group": "service:wwhd-backend",
    "lastStatus": "STOPPED",
    "startedBy": "ecs-svc/1234567890123456789",
    "stopCode": "EssentialContainerExited",
    "stoppedReason": "Essential container in task exited",
    "taskArn": TASK,
    "taskDefinitionArn": "arn:aws:ecs:us-west-2:018025611404:task-definition/wwhd-backend:7",
    "version": 6,
}


def event(**detail: Any) -> dict[str, Any]:
    return {
        "version": "0", "source": "aws.ecs", "detail-type": "ECS Task State Change", "account": "018025611404",
        "region": "us-west-2", "resources": [TASK], "detail": DETAIL | detail,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("code", "reason", "failed", "why"),
    [
        ("EssentialContainerExited", "Essential container in task exited", True, "ended by itself"),
        ("TaskFailedToStart", "ResourceInitializationError: failed to invoke EFS utils", True, "not be started"),
        ("ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group arn:x)", True, "health checks"),
        ("ServiceSchedulerInitiated", "Task failed container health checks", True, "health checks"),
        ("ServiceSchedulerInitiated", "Scaling activity initiated by (deployment ecs-svc/1)", False, "deployment"),
        ("UserInitiated", "Deployment: Preventing Qdrant file lock conflicts", False, "on purpose"),
        ("UserInitiated", "Task failed ELB health checks", False, "on purpose"),
        ("SpotInterruption", "Your Spot Task was interrupted.", False, "Spot"),
        ("TerminationNotice", "", False, "instance"),
        ("InfrastructureHealth", "", False, "host"),
        ("SomethingNew", "", False, "no code"),
        (None, None, False, "no code"),
    ],
)
def test_how_it_ended_decides(code: str | None, reason: str | None, failed: bool, why: str) -> None:
    told = judge(event(stopCode=code, stoppedReason=reason))["ecs_stop"]
    assert told["failed"] is failed
    assert why in told["why"]
    assert (told["service_arn"], told["task_arn"]) == (SERVICE, TASK)


@pytest.mark.parametrize(
    ("detail", "why"),
    [
        ({"lastStatus": "RUNNING"}, "not stopped yet"),
        ({"lastStatus": "DEPROVISIONING"}, "not stopped yet"),
        ({"group": "family:clear-qdrant-locks"}, "no service"),
        ({"group": None}, "no service"),
        ({"taskDefinitionArn": CLEANER}, "never counts"),
        ({"group": "service:{{ lookup('pipe', 'id') }}"}, "no service"),
        ({"clusterArn": "{{ x }}"}, "no ARN"),
        ({"taskArn": f"{TASK}\n"}, "no ARN"),
        ({"taskDefinitionArn": None}, "no ARN"),
    ],
)
def test_what_is_no_failure_of_a_service(detail: dict[str, Any], why: str) -> None:
    told = judge(event(**detail))["ecs_stop"]
    assert told["failed"] is False
    assert why in told["why"]


@pytest.mark.parametrize(
    "wrapped",
    [
        event(),
        {"body": event(), "meta": {"MessageId": "1"}},
        {"body": json.dumps(event()), "meta": {"MessageId": "1"}},
        {"payload": event(), "meta": {"endpoint": "ecs", "headers": {"X": "{{ x }}"}, "hosts": "all"}},
    ],
    ids=["as it is", "a queue's", "a queue's text", "a webhook's"],
)
def test_the_wrapping_of_a_source_does_not_matter_and_nothing_of_it_is_kept(wrapped: dict[str, Any]) -> None:
    told = judge(wrapped)
    assert told["ecs_stop"]["failed"] is True
    assert list(told) == ["ecs_stop"]


@pytest.mark.parametrize(
    "other",
    [
        {}, {"body": "no JSON"}, {"body": None}, {"payload": [1]}, event() | {"source": "my.app"},
        event() | {"detail-type": "ECS Service Action"}, event() | {"detail": "text"},
    ],
)  # fmt: skip
def test_anything_else_is_no_failure(other: dict[str, Any]) -> None:
    assert judge(other)["ecs_stop"]["failed"] is False


def test_other_families_can_be_left_out() -> None:
    assert judge(event(), ignored_families=["wwhd-backend"])["ecs_stop"]["failed"] is False
    assert judge(event(), ignored_families=[])["ecs_stop"]["failed"] is True


NASTY = [
    "{{ x }}", "{% x %}", "service:a\n", "service:{{ x }}", f"{TASK}{{{{ x }}}}", f"{TASK}\n", "", 7, None, ["{{ x }}"],
]  # fmt: skip


# The first draw takes seconds on a machine that is busy.
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(DETAIL)), st.sampled_from(NASTY)))
def test_no_text_of_an_event_gets_through_but_arns(detail: dict[str, Any]) -> None:
    told = judge(event(**detail))["ecs_stop"]
    assert set(told) <= {"failed", "why", "service_arn", "task_arn"}
    assert not any(sign in str(told) for sign in ("{{", "{%", "\n"))
