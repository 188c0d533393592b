"""The whole module through main(), on a clock that only its own waiting moves."""

from __future__ import annotations

import functools
import itertools
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils import _interrupts
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs import logs as logs_module
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.wait import Listener
from ansible_collections.wwhd.qdrant_ops.plugins.modules import ecs_wait_task
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, Outcome, run_module
from ansible_collections.wwhd.qdrant_ops.tests.unit.recorded_aws import Answer, Fault, RecordedAws, Script

ID = "0cb1c58f1b5a4f2b8e0d4f0a2c6b7e11"
ARN = f"arn:aws:ecs:us-west-2:018025611404:task/wwhd-cluster/{ID}"
DEFINITION_ARN = "arn:aws:ecs:us-west-2:018025611404:task-definition/clear-qdrant-locks:3"
STREAM = f"cleaner/cleaner/{ID}"
NO_STREAM = Fault("ResourceNotFoundException", "The specified log stream does not exist.")


def definition(**container: Any) -> dict[str, Any]:
    options = {"awslogs-group": "/ecs/wwhd-backend", "awslogs-region": "us-west-2", "awslogs-stream-prefix": "cleaner"}
    cleaner = {"name": "cleaner", "logConfiguration": {"logDriver": "awslogs", "options": options}, **container}
    return {
        "taskDefinition": {
            "taskDefinitionArn": DEFINITION_ARN,
            "containerDefinitions": [cleaner, {"name": "sidecar", "essential": False}],
        }
    }


def task(last: str, cleaner: str = "PENDING", code: int | None = None, **more: Any) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "cleaner", "lastStatus": cleaner}
    if code is not None:
        container["exitCode"] = code
    if "reason" in more:
        container["reason"] = more.pop("reason")
    return {
        "taskArn": ARN,
        "taskDefinitionArn": DEFINITION_ARN,
        "lastStatus": last,
        "desiredStatus": "RUNNING",
        "containers": [container, {"name": "sidecar", "lastStatus": "RUNNING"}],
        **more,
    }


def seen(*tasks: dict[str, Any]) -> dict[str, Any]:
    return {"tasks": list(tasks), "failures": []}


MISSING: dict[str, Any] = {"tasks": [], "failures": [{"arn": ARN, "reason": "MISSING"}]}
ENDED: dict[str, Any] = {"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited"}


class Logs:
    """A stream that gives its pages one after the other, then the same token again and again."""

    def __init__(self, *pages: list[str]) -> None:
        self.pages = list(pages)

    def __call__(self, params: dict[str, Any]) -> dict[str, Any]:
        place = int(params.get("nextToken", "f/0").split("/")[1])
        if place >= len(self.pages):
            return {"events": [], "nextForwardToken": f"f/{place}"}
        return {"events": [{"message": line} for line in self.pages[place]], "nextForwardToken": f"f/{place + 1}"}


def run(
    describe: list[Answer],
    *,
    logs: Answer = NO_STREAM,
    clock: FakeClock | None = None,
    written: Answer | None = None,
    container: dict[str, Any] | None = None,
    check: bool = False,
    **args: Any,
) -> tuple[Outcome, RecordedAws]:
    script: dict[str, list[Answer]] = {
        "ecs:DescribeTasks": describe,
        "ecs:DescribeTaskDefinition": [definition(**(container or {}))],
        "logs:GetLogEvents": [logs],
    }
    if written is not None:
        script["ecs:StopTask"] = [written]
    with RecordedAws(script) as aws:
        outcome = run_module(
            ecs_wait_task.main,
            {"cluster": "wwhd-cluster", "tasks": [ARN], **args},
            aws=aws,
            clock=clock or FakeClock(),
            check=check,
        )
    return outcome, aws


def test_a_task_is_followed_to_its_containers_end() -> None:
    clock = FakeClock()
    outcome, aws = run(
        [
            MISSING,
            seen(task("PROVISIONING")),
            seen(task("RUNNING", "RUNNING")),
            seen(task("DEPROVISIONING", "STOPPED", 0, **ENDED)),
        ],
        logs=Logs(["one"], [], ["two\n"]),
        clock=clock,
    )
    assert not outcome.failed
    [one] = outcome.result["tasks"]
    assert one["success"] is True
    assert one["hint"] is None
    assert one["last_status"] == "DEPROVISIONING"
    assert one["containers"][0]["exit_code"] == 0
    assert one["containers"][0]["logs"] == ["one", "two"]
    assert one["awaited"] == ["cleaner"]
    assert outcome.result["logs"] == {"cleaner": ["one", "two"]}
    assert outcome.result["logs_complete"] is True
    assert outcome.result["elapsed"] == pytest.approx(clock.now, abs=0.001)
    assert aws.writes == []
    assert aws.params("logs:GetLogEvents")[0] == {
        "logGroupName": "/ecs/wwhd-backend",
        "logStreamName": STREAM,
        "startFromHead": True,
    }
    # The definition is read once, not at every look.
    assert aws.operations.count("ecs:DescribeTaskDefinition") == 1


def test_a_task_that_had_ended_before_the_first_look_is_normal() -> None:
    outcome, aws = run([seen(task("STOPPED", "STOPPED", 0, **ENDED))], logs=Logs(["done"]))
    assert not outcome.failed
    assert aws.operations.count("ecs:DescribeTasks") == 1


@pytest.mark.parametrize("last", ["RUNNING", "STOPPING"])
def test_a_stopped_container_without_an_exit_code_is_no_end_before_the_task_is(last: str) -> None:
    outcome, aws = run([seen(task(last, "STOPPED")), seen(task("STOPPED", "STOPPED", 0, **ENDED))])
    assert not outcome.failed
    assert aws.operations.count("ecs:DescribeTasks") == 2


def test_a_failure_says_everything() -> None:
    outcome, _aws = run(
        [seen(task("STOPPED", "STOPPED", 127, **ENDED))], logs=Logs(["first", "sh: nope: not found"]), log_lines=1
    )
    assert outcome.failed
    assert outcome.msg == (
        f"Task {ID} (clear-qdrant-locks:3) in cluster wwhd-cluster failed: container cleaner ended with exit code 127, "
        "wanted 0; stopped: EssentialContainerExited, Essential container in task exited. Exit code 127: the command "
        "was not found in the image. Check entryPoint and command against what is in the image.\n"
        "Last 1 line(s) of container cleaner:\nsh: nope: not found"
    )
    [one] = outcome.result["tasks"]
    assert one["success"] is False
    assert one["containers"][0]["logs"] == ["first", "sh: nope: not found"]
    assert "elapsed" in outcome.result


@pytest.mark.parametrize(
    ("end", "words"),
    [
        # Killed with the infrastructure: no code at all.
        (task("STOPPED", "STOPPED", **ENDED), "container cleaner has no exit code"),
        (
            {
                **task("STOPPED"),
                "containers": [],
                "stopCode": "TaskFailedToStart",
                "stoppedReason": "CannotPullContainerError: x",
            },
            "The image could not be pulled.",
        ),
        (
            task("STOPPED", "STOPPED", 137, reason="OutOfMemoryError: Container killed due to memory usage", **ENDED),
            "memory",
        ),
        (
            task("STOPPED", "STOPPED", 143, stopCode="UserInitiated", stoppedReason="Deployment: Preventing it"),
            'gave the reason "Deployment: Preventing it"',
        ),
    ],
    ids=["no exit code", "no containers", "out of memory", "stopped by a person"],
)
def test_what_is_no_success(end: dict[str, Any], words: str) -> None:
    outcome, _aws = run([seen(end)])
    assert outcome.failed
    assert words in outcome.msg


def test_no_time_is_spent_on_the_logs_of_what_never_started() -> None:
    clock = FakeClock()
    end = task("STOPPED", "STOPPED", stopCode="TaskFailedToStart", stoppedReason="CannotPullContainerError: x")
    outcome, _aws = run([seen(end)], clock=clock)
    assert outcome.failed
    assert clock.now == 0
    assert outcome.result["logs_complete"] is False


def test_other_success_codes() -> None:
    outcome, _aws = run([seen(task("STOPPED", "STOPPED", 3, **ENDED))], success_codes=[0, 3])
    assert not outcome.failed


def test_named_containers_decide() -> None:
    end = task("STOPPED", "STOPPED", 1, **ENDED)
    end["containers"][1] = {"name": "sidecar", "lastStatus": "STOPPED", "exitCode": 0}
    outcome, _aws = run([seen(end)], containers=["sidecar"])
    assert not outcome.failed
    assert outcome.result["tasks"][0]["awaited"] == ["sidecar"]


def test_a_container_that_is_not_there_is_named() -> None:
    outcome, _aws = run([seen(task("RUNNING", "RUNNING"))], containers=["claener"])
    assert outcome.failed
    assert "container claener" in outcome.msg
    assert "Did you mean cleaner?" in outcome.msg


def test_a_container_that_ecs_restarts_has_ended_only_with_its_task() -> None:
    outcome, aws = run(
        [
            seen(task("RUNNING", "STOPPED", 1)),
            seen(task("RUNNING", "RUNNING")),
            seen(task("STOPPED", "STOPPED", 0, **ENDED)),
        ],
        container={"restartPolicy": {"enabled": True}},
    )
    assert not outcome.failed
    assert aws.operations.count("ecs:DescribeTasks") == 3


def test_missing_is_tolerated_for_thirty_seconds_only() -> None:
    clock = FakeClock()
    outcome, _aws = run([MISSING], clock=clock)
    assert outcome.failed
    assert 30 < clock.now < 35
    assert ID in outcome.msg
    assert "Check the ARN, the cluster and the region" in outcome.msg
    assert outcome.result["missing"] == [ID]


def test_a_time_out_tells_the_last_state() -> None:
    clock = FakeClock()
    outcome, aws = run([seen(task("RUNNING", "RUNNING"))], logs=Logs(["working"]), timeout=60, clock=clock)
    assert outcome.failed
    assert clock.now == 60
    assert "Gave up after 60 s" in outcome.msg
    assert "(RUNNING, desired RUNNING; cleaner RUNNING, sidecar RUNNING)" in outcome.msg
    assert outcome.msg.endswith("Last 1 line(s) of container cleaner:\nworking")
    assert outcome.result["stopped"] == []
    assert aws.writes == []


def test_stop_on_timeout_stops_it_and_sees_it_gone() -> None:
    clock = FakeClock()

    def now(_params: dict[str, Any]) -> dict[str, Any]:
        if clock.now < 70:
            return seen(task("RUNNING", "RUNNING"))
        end = task("STOPPED", "STOPPED", 137, stopCode="UserInitiated", stoppedReason="gave up")
        return seen(end)

    outcome, aws = run([now], timeout=60, stop_on_timeout=True, written={}, clock=clock)
    assert outcome.failed
    assert outcome.changed
    assert outcome.result["stopped"] == [ARN]
    assert "Stopped it; it was gone" in outcome.msg
    assert 70 <= clock.now < 75
    assert outcome.result["tasks"][0]["last_status"] == "STOPPED"
    assert outcome.result["tasks"][0]["hint"].startswith("This module stopped the task")
    [stop] = aws.params("ecs:StopTask")
    assert stop == {
        "cluster": "wwhd-cluster",
        "task": ARN,
        "reason": "wwhd.qdrant_ops.ecs_wait_task gave up after 60 s",
    }


def test_a_task_that_will_not_die_is_told() -> None:
    outcome, _aws = run([seen(task("RUNNING", "RUNNING"))], timeout=1, stop_on_timeout=True, written={})
    assert outcome.failed
    assert "was not gone 150 s later" in outcome.msg
    assert "Make sure that it ends before you go on" in outcome.msg


def test_check_mode_waits_but_stops_nothing() -> None:
    outcome, aws = run([seen(task("RUNNING", "RUNNING"))], timeout=1, stop_on_timeout=True, check=True)
    assert outcome.failed
    assert aws.writes == []


@pytest.mark.parametrize(
    ("state", "fails"),
    [
        (task("RUNNING", "RUNNING"), False),
        # Too quick to be seen running.
        (task("STOPPED", "STOPPED", 0, **ENDED), False),
        (task("STOPPED", "STOPPED", 1, **ENDED), True),
        ({**task("STOPPED"), "containers": [], "stopCode": "TaskFailedToStart"}, True),
    ],
    ids=["runs", "ran", "failed", "never started"],
)
def test_waiting_until_it_runs(state: dict[str, Any], fails: bool) -> None:
    clock = FakeClock()
    outcome, aws = run([seen(task("PENDING")), seen(state)], state="running", clock=clock)
    assert outcome.failed is fails
    assert aws.operations.count("ecs:DescribeTasks") == 2
    assert clock.now < 5


def test_of_several_that_should_run_one_that_fails_ends_the_wait() -> None:
    clock = FakeClock()
    other = {**task("STOPPED", "STOPPED", 5, **ENDED), "taskArn": ARN.replace(ID, "other")}
    outcome, _aws = run(
        [seen(task("PENDING"), other)], tasks=[ARN, ARN.replace(ID, "other")], state="running", clock=clock
    )
    assert outcome.failed
    assert "Task other" in outcome.msg
    assert ID not in outcome.msg
    assert clock.now == 0


def test_several_tasks_are_judged_one_by_one() -> None:
    other = {**task("STOPPED", "STOPPED", 5, **ENDED), "taskArn": ARN.replace(ID, "other")}
    good = task("STOPPED", "STOPPED", 0, **ENDED)
    outcome, _aws = run([seen(good, other)], tasks=[ARN, ARN.replace(ID, "other"), ARN])
    assert outcome.failed
    assert "Task other" in outcome.msg
    assert ID not in outcome.msg
    assert [one["success"] for one in outcome.result["tasks"]] == [True, False]


def test_the_known_last_line_ends_the_reading_at_once() -> None:
    clock = FakeClock()
    outcome, _aws = run(
        [seen(task("STOPPED", "STOPPED", 0, **ENDED))],
        logs=Logs(["a file"], ['{"event": "summary"}']),
        log_end='"summary"',
        clock=clock,
    )
    assert outcome.result["logs_complete"] is True
    assert clock.now == 0


def test_late_lines_are_waited_for() -> None:
    clock = FakeClock()
    late = Logs()
    clock.at(12, lambda: late.pages.append(['{"event": "summary"}']))
    outcome, _aws = run([seen(task("STOPPED", "STOPPED", 0, **ENDED))], logs=late, log_end='"summary"', clock=clock)
    assert outcome.result["logs_complete"] is True
    assert 12 <= clock.now < 14


@pytest.mark.parametrize(("code", "limit"), [(0, 30), (1, 10)], ids=["success", "failure"])
def test_a_last_line_that_never_comes_is_given_up(code: int, limit: int) -> None:
    clock = FakeClock()
    outcome, _aws = run(
        [seen(task("STOPPED", "STOPPED", code, **ENDED))], logs=Logs(["a file"]), log_end="summary", clock=clock
    )
    assert outcome.failed is bool(code)
    assert outcome.result["logs_complete"] is False
    assert clock.now == limit


def test_no_output_at_all_is_not_called_complete() -> None:
    clock = FakeClock()
    outcome, _aws = run([seen(task("STOPPED", "STOPPED", 0, **ENDED))], clock=clock)
    assert not outcome.failed
    assert outcome.result["logs"] == {"cleaner": []}
    assert outcome.result["logs_complete"] is False
    assert clock.now == 10


def test_logs_that_may_not_be_read_are_a_warning() -> None:
    clock = FakeClock()
    outcome, _aws = run(
        [seen(task("STOPPED", "STOPPED", 0, **ENDED))], logs=Fault("AccessDeniedException", "not you"), clock=clock
    )
    assert not outcome.failed
    assert outcome.result["logs_complete"] is False
    assert "logs:GetLogEvents" in outcome.result["log_notes"][0]
    assert "logs:GetLogEvents" in str(outcome.warnings)
    assert clock.now < 3


def test_logs_in_another_region_are_told() -> None:
    options = {"awslogs-group": "g", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "p"}
    outcome, aws = run(
        [seen(task("STOPPED", "STOPPED", 0, **ENDED))],
        container={"logConfiguration": {"logDriver": "awslogs", "options": options}},
    )
    assert not outcome.failed
    assert "eu-west-1" in outcome.result["log_notes"][0]
    assert "logs:GetLogEvents" not in aws.operations


@pytest.mark.parametrize(
    "configuration",
    [{}, {"logDriver": "splunk", "options": {}}, {"logDriver": "awslogs", "options": {"awslogs-group": "g"}}],
    ids=["none", "another driver", "no prefix"],
)
def test_containers_without_a_known_stream_have_no_logs(configuration: dict[str, Any]) -> None:
    outcome, aws = run(
        [seen(task("STOPPED", "STOPPED", 0, **ENDED))], container={"logConfiguration": configuration or None}
    )
    assert not outcome.failed
    assert outcome.result["logs"] == {}
    assert "logs:GetLogEvents" not in aws.operations


def test_without_a_prefix_the_stream_is_named_by_dockers_id() -> None:
    end = task("STOPPED", "STOPPED", 0, **ENDED)
    end["containers"][0]["runtimeId"] = "3f1c0ffee"
    outcome, aws = run(
        [seen(task("PENDING")), seen(end)],
        logs=Logs(["done"]),
        container={"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g"}}},
    )
    assert outcome.result["logs"] == {"cleaner": ["done"]}
    assert {params["logStreamName"] for params in aws.params("logs:GetLogEvents")} == {"3f1c0ffee"}


def test_logs_can_be_left_out() -> None:
    script: Script = {
        "ecs:DescribeTasks": [seen(task("STOPPED", "STOPPED", 0))],
        "ecs:DescribeTaskDefinition": [definition()],
    }
    with RecordedAws(script) as aws:
        outcome = run_module(
            ecs_wait_task.main, {"cluster": "c", "tasks": [ID], "logs": False}, aws=aws, clock=FakeClock()
        )
    assert not outcome.failed
    assert outcome.result["logs"] == {}
    assert outcome.result["tasks"][0]["task_arn"] == ARN


def listening(said: list[str]) -> Listener:
    return Listener(
        on_line=lambda container, text: said.append(f"{container}: {text}"),
        on_change=lambda text: said.append(f"({text.rsplit(': ', 1)[-1].split(',')[0]})"),
    )


def hear(
    describe: list[Answer],
    logs: Answer,
    *,
    clock: FakeClock | None = None,
    container: dict[str, Any] | None = None,
    tasks: list[str] | None = None,
    **args: Any,
) -> tuple[Outcome, list[str], RecordedAws]:
    said: list[str] = []
    script: Script = {
        "ecs:DescribeTasks": describe,
        "ecs:DescribeTaskDefinition": [definition(**(container or {}))],
        "logs:GetLogEvents": [logs],
        "ecs:StopTask": [{}],
    }
    with RecordedAws(script) as aws:
        outcome = run_module(
            functools.partial(ecs_wait_task.main, listener=listening(said)),
            {"cluster": "wwhd-cluster", "tasks": tasks or [ARN], **args},
            aws=aws,
            clock=clock or FakeClock(),
        )
    return outcome, said, aws


def test_output_and_changes_are_told_while_it_runs_each_once_and_in_order() -> None:
    clock = FakeClock()
    logs = Logs(["one"])
    clock.at(20, lambda: logs.pages.append(["two", "three"]))

    def now(_params: dict[str, Any]) -> dict[str, Any]:
        if clock.now < 4:
            return seen(task("PENDING"))
        return seen(task("RUNNING", "RUNNING") if clock.now < 40 else task("STOPPED", "STOPPED", 0, **ENDED))

    clock.at(41, lambda: logs.pages.append(["four"]))
    outcome, said, aws = hear([now], logs, clock=clock)
    assert not outcome.failed, outcome.msg
    assert said == [
        "(PENDING)",
        "(RUNNING)",
        "cleaner: one",
        "cleaner: two",
        "cleaner: three",
        "(STOPPED)",
        "cleaner: four",
    ]
    assert outcome.result["logs"] == {"cleaner": ["one", "two", "three", "four"]}
    assert outcome.result["logs_complete"] is True
    # Nothing is asked of a stream before its container runs.
    assert aws.operations.index("logs:GetLogEvents") > aws.operations.index("ecs:DescribeTaskDefinition")


@pytest.mark.parametrize(("lasts", "told"), [(40, ["at ten", "at twenty"]), (8, [])])
def test_of_lines_with_a_key_the_text_is_told_and_the_log_seldom_read(
    lasts: int, told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = tmp_path / "heard"
    heard.touch()
    monkeypatch.setenv("QDRANT_OPS_PROGRESS_FILE", str(heard))
    clock = FakeClock()
    logs = Logs(['{"path": "/a"}', "noise", '["progress"]', '{"progress": {}}'])
    for at, text in ((10, "at ten"), (20, "at twenty")):
        if at < lasts:
            clock.at(at, lambda text=text: logs.pages.append([f'{{"progress": "{text}"}}']))

    def now(_params: dict[str, Any]) -> dict[str, Any]:
        return seen(task("RUNNING", "RUNNING") if clock.now < lasts else task("STOPPED", "STOPPED", 0, **ENDED))

    script: Script = {
        "ecs:DescribeTasks": [now],
        "ecs:DescribeTaskDefinition": [definition()],
        "logs:GetLogEvents": [logs],
    }
    with RecordedAws(script) as aws:
        outcome = run_module(
            ecs_wait_task.main, {"cluster": "wwhd-cluster", "tasks": [ARN], "live_logs_key": "progress"}, aws=aws,
            clock=clock,
        )  # fmt: skip
    assert not outcome.failed, outcome.msg
    texts = [json.loads(line)["text"] for line in heard.read_text().splitlines()]
    assert [text for text in texts if text.startswith("[cleaner]")] == [f"[cleaner] {text}" for text in told]
    looks = [index for index, operation in enumerate(aws.operations) if operation == "ecs:DescribeTasks"]
    early = [operation for operation in aws.operations[: looks[-1]] if operation == "logs:GetLogEvents"]
    assert len(early) <= 4 * lasts // 10


def test_without_a_listener_output_is_read_at_the_end_only() -> None:
    _outcome, aws = run(
        [seen(task("RUNNING", "RUNNING")), seen(task("STOPPED", "STOPPED", 0, **ENDED))], logs=Logs(["done"])
    )
    first = aws.operations.index("logs:GetLogEvents")
    assert "ecs:DescribeTasks" not in aws.operations[first:]


def test_a_throttled_read_loses_no_line_and_doubles_none() -> None:
    pages = Logs(["one"], ["two"], ["three"])
    calls = itertools.count()

    def throttled(params: dict[str, Any]) -> Any:
        return Fault("ThrottlingException", "Rate exceeded") if next(calls) in (1, 3, 5) else pages(params)

    outcome, said, _aws = hear(
        [seen(task("RUNNING", "RUNNING")), seen(task("STOPPED", "STOPPED", 0, **ENDED))], throttled
    )
    assert [line for line in said if line.startswith("cleaner")] == ["cleaner: one", "cleaner: two", "cleaner: three"]
    assert outcome.result["logs"] == {"cleaner": ["one", "two", "three"]}
    assert outcome.result["log_notes"] == []
    assert outcome.result["logs_complete"] is True


def test_a_container_that_prints_without_end_keeps_its_newest_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs_module, "_MOST_LINES", 3)
    outcome, said, _aws = hear(
        [seen(task("RUNNING", "RUNNING")), seen(task("STOPPED", "STOPPED", 0, **ENDED))],
        Logs(["1", "2"], ["3", "4"], [], ["5"]),
    )
    assert outcome.result["logs"] == {"cleaner": ["3", "4", "5"]}
    assert [line for line in said if line.startswith("cleaner")] == [f"cleaner: {number}" for number in range(1, 6)]
    assert "the first 2 are not" in outcome.result["log_notes"][0]
    assert outcome.result["logs_complete"] is False


def test_the_last_words_of_the_other_containers_are_waited_for_too() -> None:
    clock = FakeClock()
    lines = {"cleaner": Logs(["done"]), "sidecar": Logs()}
    clock.at(1, lambda: lines["sidecar"].pages.append(["bye"]))
    options = {"awslogs-group": "g", "awslogs-region": "us-west-2", "awslogs-stream-prefix": "p"}
    both = definition()
    both["taskDefinition"]["containerDefinitions"][1]["logConfiguration"] = {"logDriver": "awslogs", "options": options}
    end = task("STOPPED", "STOPPED", 0, **ENDED)
    end["containers"][1] = {"name": "sidecar", "lastStatus": "STOPPED", "exitCode": 143}
    script: Script = {
        "ecs:DescribeTasks": [seen(end)],
        "ecs:DescribeTaskDefinition": [both],
        "logs:GetLogEvents": [lambda params: lines[params["logStreamName"].split("/")[1]](params)],
    }
    with RecordedAws(script) as aws:
        outcome = run_module(ecs_wait_task.main, {"cluster": "c", "tasks": [ARN]}, aws=aws, clock=clock)
    assert outcome.result["logs"] == {"cleaner": ["done"], "sidecar": ["bye"]}
    assert clock.now < 5


def arns(count: int) -> list[str]:
    return [ARN.replace(ID, f"{number:032x}") for number in range(count)]


def test_any_number_of_tasks_is_looked_at_in_batches_and_told_within_bounds() -> None:
    def all_of(params: dict[str, Any]) -> dict[str, Any]:
        return seen(*({**task("STOPPED", "STOPPED", 1, **ENDED), "taskArn": arn} for arn in params["tasks"]))

    outcome, said, aws = hear([all_of], Logs(["x" * 5000]), tasks=arns(230))
    assert [len(params["tasks"]) for params in aws.params("ecs:DescribeTasks")] == [100, 100, 30]
    assert outcome.failed
    assert len(outcome.result["tasks"]) == 230
    assert "220 more of 230 tasks failed" in outcome.msg
    assert "The output of 225 more container(s) is in logs." in outcome.msg
    assert "… (5000 characters)" in outcome.msg
    assert len(outcome.msg) < 12_000
    assert any(line.startswith(f"{0:032x}/cleaner: x") for line in said)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_told_to_end_it_stops_the_task_and_says_so(name: str) -> None:
    clock = FakeClock()
    number = getattr(signal, name)
    before = signal.getsignal(number)

    def told() -> None:
        signal.raise_signal(number)
        raise AssertionError("the signal was lost")

    clock.at(10, told)
    outcome, aws = run(
        [seen(task("RUNNING", "RUNNING"))], logs=Logs(["working"]), stop_on_interrupt=True, written={}, clock=clock
    )
    assert outcome.failed
    assert outcome.changed
    assert outcome.msg == (
        f"Told to end by {name} while waiting in cluster wwhd-cluster for 1 task(s). Asked ECS to stop task {ID}.\n"
        "Last 1 line(s) of container cleaner:\nworking"
    )
    assert outcome.result["stopped"] == [ARN]
    assert outcome.result["tasks"][0]["hint"].startswith("This module stopped the task, because it was told to end")
    [stop] = aws.params("ecs:StopTask")
    assert stop["reason"] == f"wwhd.qdrant_ops.ecs_wait_task was told to end ({name})"
    assert clock.now < 15
    assert signal.getsignal(number) is before


def test_told_to_end_while_an_answer_is_awaited_it_makes_no_second_attempt() -> None:
    """botocore takes what is raised while it reads for a lost connection, and would go on as if nothing had been."""
    asked = itertools.count()

    def slow(_params: dict[str, Any]) -> dict[str, Any]:
        if next(asked) == 1:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.05)
        return seen(task("RUNNING", "RUNNING"))

    outcome, aws = run(
        [slow],
        stop_on_interrupt=True,
        written={},
        timeout=60,
        aws_config={"retries": {"mode": "standard", "total_max_attempts": 4}},
    )
    assert outcome.result["stopped"] == [ARN]
    assert "Told to end by SIGTERM" in outcome.msg
    # Two looks before the stop, one after it.
    assert aws.operations.count("ecs:DescribeTasks") == 3


@pytest.mark.parametrize(
    ("after", "stops"), [(4711, True), (1234, False), (None, False)], ids=["gone", "there", "cannot be told"]
)
def test_a_playbook_that_is_gone_tells_it_to_end(
    after: int | None, stops: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker leads the session, and is somebody else's child from then on."""
    clock = FakeClock()
    monkeypatch.setattr(_interrupts, "_parent_of", lambda leader: 1234 if clock.now < 10 else after)
    outcome, _aws = run([seen(task("RUNNING", "RUNNING"))], stop_on_interrupt=True, written={}, timeout=20, clock=clock)
    assert outcome.failed
    assert outcome.result["stopped"] == ([ARN] if stops else [])
    assert ("Told to end by the end of its playbook" in outcome.msg) is stops
    assert clock.now < 13 if stops else clock.now == 20


def test_a_parent_is_known_by_proc() -> None:
    assert _interrupts._parent_of(os.getpid()) == os.getppid()
    assert _interrupts._parent_of(2**30) is None


def test_a_second_signal_does_not_stop_the_stopping() -> None:
    clock = FakeClock()
    clock.at(5, lambda: signal.raise_signal(signal.SIGINT))

    def stop(_params: dict[str, Any]) -> dict[str, Any]:
        # Arrives in the main thread while it waits for this answer, as an impatient second Ctrl-C does.
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        return {}

    outcome, aws = run([seen(task("RUNNING", "RUNNING"))], stop_on_interrupt=True, written=stop, clock=clock)
    assert outcome.result["stopped"] == [ARN]
    assert len(aws.params("ecs:StopTask")) == 1


def test_a_task_that_cannot_be_stopped_is_told() -> None:
    clock = FakeClock()
    clock.at(5, lambda: signal.raise_signal(signal.SIGTERM))
    outcome, _aws = run(
        [seen(task("RUNNING", "RUNNING"))],
        stop_on_interrupt=True,
        written=Fault("AccessDeniedException", "not you"),
        clock=clock,
    )
    assert outcome.failed
    assert outcome.result["stopped"] == []
    assert f"Could not stop task {ID} either" in outcome.msg
    assert "ecs:StopTask" in outcome.msg


def test_told_to_end_where_aws_answers_no_more_it_still_ends_in_words() -> None:
    asked = itertools.count()

    def gone(_params: dict[str, Any]) -> Any:
        return seen(task("RUNNING", "RUNNING")) if next(asked) < 2 else Fault("ServerException", "down", 500)

    clock = FakeClock()
    clock.at(0.4, lambda: signal.raise_signal(signal.SIGTERM))
    outcome, _aws = run([gone], stop_on_interrupt=True, written={}, clock=clock)
    assert outcome.result["stopped"] == [ARN]
    assert "Told to end by SIGTERM" in outcome.msg


def test_a_task_that_has_ended_already_is_not_stopped() -> None:
    clock = FakeClock()
    clock.at(1, lambda: signal.raise_signal(signal.SIGTERM))
    outcome, aws = run([seen(task("STOPPED", "STOPPED", 0, **ENDED))], logs=Logs(), stop_on_interrupt=True, clock=clock)
    assert outcome.failed
    assert "Nothing was left to stop" in outcome.msg
    assert aws.writes == []


def test_check_mode_stops_nothing_when_told_to_end() -> None:
    clock = FakeClock()
    handlers: list[Any] = []
    clock.at(1, lambda: handlers.append(signal.getsignal(signal.SIGTERM)))
    outcome, aws = run([seen(task("RUNNING", "RUNNING"))], timeout=2, stop_on_interrupt=True, check=True, clock=clock)
    assert handlers == [signal.getsignal(signal.SIGTERM)]
    assert outcome.failed
    assert aws.writes == []


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"tasks": []}, "tasks is empty"),
        ({"tasks": [""]}, "tasks has an empty entry"),
        ({"cluster": ""}, "cluster is empty"),
        ({"timeout": -1}, "timeout is -1.0: it must be 0 or more seconds"),
        ({"log_lines": -1}, "log_lines is -1"),
        ({"success_codes": []}, "success_codes is empty"),
        ({"log_end": ""}, "log_end is empty"),
        ({"containers": []}, "containers is empty"),
        ({"state": "gone"}, "state"),
    ],
)
def test_bad_arguments_are_named_before_any_call(args: dict[str, Any], sentence: str) -> None:
    with RecordedAws({}) as aws:
        outcome = run_module(
            ecs_wait_task.main, {"cluster": "wwhd-cluster", "tasks": [ARN], **args}, aws=aws, clock=FakeClock()
        )
    assert outcome.failed
    assert sentence in outcome.msg
    assert aws.calls == []


def test_an_unknown_cluster_is_named() -> None:
    outcome, _aws = run([Fault("ClusterNotFoundException", "Cluster not found.")])
    assert outcome.failed
    assert "wwhd-cluster" in outcome.msg
    assert "Check the name of the cluster" in outcome.msg
