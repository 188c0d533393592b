"""What a task's state proves, and the census over both desired states and all pages."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs import tasks
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, run
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import Outcome, run_module
from ansible_collections.wwhd.qdrant_ops.tests.unit.recorded_aws import Fault, RecordedAws, Script

CLUSTER = "arn:aws:ecs:us-west-2:018025611404:task/wwhd-cluster"


def task(last: str, *containers: str, **more: Any) -> dict[str, Any]:
    return {
        "taskArn": f"{CLUSTER}/abc",
        "lastStatus": last,
        "desiredStatus": "STOPPED",
        "containers": [{"name": f"c{number}", "lastStatus": status} for number, status in enumerate(containers)],
        **more,
    }


@pytest.mark.parametrize(
    ("state", "gone"),
    [
        (task("PROVISIONING"), False),
        (task("RUNNING", "RUNNING"), False),
        (task("DEACTIVATING", "RUNNING"), False),
        # The scheduler has given up on it, its processes may live.
        (task("DEACTIVATING", "STOPPED"), False),
        (task("STOPPING", "STOPPED"), False),
        (task("DEPROVISIONING", "STOPPED", "RUNNING"), False),
        (task("DEPROVISIONING", "STOPPED", "STOPPED"), True),
        # Nothing is said about its containers: that proves nothing.
        (task("DEPROVISIONING"), False),
        (task("STOPPED", "STOPPED"), True),
        (task("STOPPED"), True),
        (task("STOPPED", "RUNNING"), True),
        (task("DELETED"), True),
    ],
    ids=lambda value: str(value)[:60],
)
def test_is_gone(state: dict[str, Any], gone: bool) -> None:
    assert tasks.is_gone(state) is gone


def test_the_fingerprint_sees_states_and_exit_codes() -> None:
    before = task("RUNNING", "RUNNING")
    after = task("RUNNING", "STOPPED")
    assert tasks.task_fingerprint(before) == tasks.task_fingerprint({**before, "version": 9})
    assert tasks.task_fingerprint(before) != tasks.task_fingerprint(after)


def test_a_task_as_a_person_reads_it() -> None:
    one = task("STOPPED", "STOPPED", group="service:wwhd-backend")
    one["containers"][0]["exitCode"] = 101
    assert tasks.task_text(one) == "abc of service:wwhd-backend (STOPPED, desired STOPPED; c0 STOPPED exit 101)"
    assert tasks.task_text({"taskArn": "x/y", "taskDefinitionArn": "a/f:1"}).startswith("y of definition f:1 (")


def test_group_of_service() -> None:
    assert tasks.group_of_service("wwhd-backend") == "service:wwhd-backend"


def _census(aws: RecordedAws, **filters: Any) -> Outcome:
    def main() -> None:
        module = AnsibleAWSModule(argument_spec={}, supports_check_mode=True)

        def work() -> dict[str, Any]:
            found = tasks.census(Aws(module), cluster="wwhd-cluster", **filters)
            return {"found": [item["taskArn"] for item in found.tasks], "missing": found.missing}

        run(module, work)

    return run_module(main, aws=aws)


def test_the_census_asks_for_both_desired_states_and_every_page() -> None:
    def listed(params: dict[str, Any]) -> dict[str, Any]:
        if params["desiredStatus"] == "STOPPED":
            return {"taskArns": ["t/2", "t/3"]}
        return {"taskArns": ["t/2"]} if params.get("nextToken") else {"taskArns": ["t/1"], "nextToken": "more"}

    script: Script = {
        "ecs:ListTasks": [listed],
        "ecs:DescribeTasks": [
            {"tasks": [{"taskArn": "t/1"}, {"taskArn": "t/2"}], "failures": [{"arn": "t/3", "reason": "MISSING"}]}
        ],
    }
    with RecordedAws(script) as aws:
        outcome = _census(aws, serviceName="wwhd-backend")
    assert outcome.result["found"] == ["t/1", "t/2"]
    assert outcome.result["missing"] == ["t/3"]
    assert [(p["desiredStatus"], p["serviceName"]) for p in aws.params("ecs:ListTasks")] == [
        ("RUNNING", "wwhd-backend"),
        ("RUNNING", "wwhd-backend"),
        ("STOPPED", "wwhd-backend"),
    ]
    # A task in both lists is described once.
    assert aws.params("ecs:DescribeTasks") == [
        {"cluster": "wwhd-cluster", "tasks": ["t/1", "t/2", "t/3"], "include": ["TAGS"]}
    ]


def test_an_empty_census_describes_nothing() -> None:
    with RecordedAws({"ecs:ListTasks": [{"taskArns": []}]}) as aws:
        assert _census(aws).result["found"] == []
    assert aws.operations == ["ecs:ListTasks", "ecs:ListTasks"]


def test_many_tasks_are_described_in_batches_of_a_hundred() -> None:
    def described(params: dict[str, Any]) -> dict[str, Any]:
        return {"tasks": [{"taskArn": arn} for arn in params["tasks"]]}

    arns = [f"t/{number}" for number in range(205)]
    with RecordedAws({"ecs:ListTasks": [{"taskArns": arns}], "ecs:DescribeTasks": [described]}) as aws:
        assert len(_census(aws).result["found"]) == 205
    assert [len(params["tasks"]) for params in aws.params("ecs:DescribeTasks")] == [100, 100, 5]


def test_an_unknown_cluster_is_named() -> None:
    with RecordedAws({"ecs:ListTasks": [Fault("ClusterNotFoundException", "Cluster not found.")]}) as aws:
        outcome = _census(aws)
    assert outcome.failed
    assert "wwhd-cluster" in outcome.msg
    assert "Check the name of the cluster" in outcome.msg


def test_a_census_asks_no_more_for_what_it_has_seen_gone() -> None:
    """Nor for what its caller knows. Whatever is new, or lives, is described each time."""
    arns = [f"{CLUSTER}/{name}" for name in ("gone", "lives", "ours")]
    known = {arns[0]: task("STOPPED") | {"taskArn": arns[0]}, arns[1]: task("STOPPING") | {"taskArn": arns[1]}}

    def described(params: dict[str, Any]) -> dict[str, Any]:
        return {"tasks": [known[arn] for arn in params["tasks"]]}

    script: Script = {
        "ecs:ListTasks": [{"taskArns": []}, {"taskArns": arns}, {"taskArns": []}, {"taskArns": arns}],
        "ecs:DescribeTasks": [described, described],
    }
    over: dict[str, dict[str, Any]] = {}
    seen: list[list[str]] = []

    def main() -> None:
        module = AnsibleAWSModule(argument_spec={}, supports_check_mode=True)

        def work() -> dict[str, Any]:
            for _look in range(2):
                found = tasks.census(Aws(module), cluster="wwhd-cluster", over=over, apart=[arns[2]])
                seen.append(sorted(one["taskArn"] for one in found.tasks))
            return {}

        run(module, work)

    with RecordedAws(script) as aws:
        outcome = run_module(main, {}, aws=aws)
    assert not outcome.failed, outcome.msg
    assert [params["tasks"] for params in aws.params("ecs:DescribeTasks")] == [arns[:2], [arns[1]]]
    assert seen == [arns[:2], arns[:2]]
    assert list(over) == [arns[0]]
