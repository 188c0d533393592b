"""The whole module through main(), against recorded answers."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs import definition_file
from ansible_collections.wwhd.qdrant_ops.plugins.modules import ecs_task_definition
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, Outcome, run_module
from ansible_collections.wwhd.qdrant_ops.tests.unit.recorded_aws import Fault, RecordedAws, Script

FAMILY = "clear-qdrant-locks"
PREFIX = "arn:aws:ecs:us-west-2:018025611404:task-definition"
CLUSTER = "arn:aws:ecs:us-west-2:018025611404:cluster/wwhd-cluster"
DEFINITION: dict[str, Any] = {
    "family": FAMILY,
    "network_mode": "awsvpc",
    "requires_compatibilities": ["FARGATE"],
    "cpu": 256,
    "memory": 512,
    "container_definitions": [
        {
            "name": "cleaner",
            "image": "alpine:latest",
            "command": ["sh", "-c", "true"],
            "environment": [{"name": "TOKEN", "value": "s3cret-one"}],
        }
    ],
}
REGISTERED: dict[str, Any] = {
    "family": FAMILY,
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [
        {
            "name": "cleaner",
            "image": "alpine:latest",
            "cpu": 0,
            "essential": True,
            "command": ["sh", "-c", "true"],
            "environment": [{"name": "TOKEN", "value": "s3cret-one"}],
            "mountPoints": [],
            "portMappings": [],
            "volumesFrom": [],
        }
    ],
    "volumes": [],
    "placementConstraints": [],
    "status": "ACTIVE",
}
ABSENT = Fault("ClientException", "Unable to describe task definition.")


def arn(revision: int) -> str:
    return f"{PREFIX}/{FAMILY}:{revision}"


def registered(revision: int, **more: Any) -> dict[str, Any]:
    return {**copy.deepcopy(REGISTERED), "taskDefinitionArn": arn(revision), "revision": revision, **more}


def echo(params: dict[str, Any]) -> dict[str, Any]:
    """RegisterTaskDefinition as AWS answers it: what was sent, with revision 2."""
    sent = {key: value for key, value in params.items() if key != "tags"}
    whole = {**sent, "taskDefinitionArn": arn(2), "revision": 2, "status": "ACTIVE"}
    return {"taskDefinition": whole, "tags": params.get("tags", [])}


def described(revision: int, tags: dict[str, str] | None = None) -> dict[str, Any]:
    listed = [{"key": key, "value": value} for key, value in (tags or {}).items()]
    return {"taskDefinition": registered(revision), "tags": listed}


def run(aws: RecordedAws, args: dict[str, Any], **more: Any) -> Outcome:
    return run_module(ecs_task_definition.main, args, aws=aws, clock=FakeClock(), **more)


def test_a_new_family_is_registered() -> None:
    with RecordedAws({"ecs:DescribeTaskDefinition": [ABSENT], "ecs:RegisterTaskDefinition": [echo]}) as aws:
        outcome = run(aws, {"definition": DEFINITION, "tags": {"owner": "wwhd"}})
    assert outcome.changed
    assert outcome.result["task_definition_arn"] == arn(2)
    assert outcome.result["registered"] is True
    assert outcome.result["differences"] == [f"family {FAMILY} has no active task definition"]
    assert outcome.result["started_at"] == "2026-11-23T15:00:00.000Z"
    assert outcome.result["elapsed"] == 0
    [sent] = aws.params("ecs:RegisterTaskDefinition")
    assert sent["tags"] == [{"key": "owner", "value": "wwhd"}]
    assert sent["cpu"] == "256"
    assert sent["containerDefinitions"][0]["environment"] == [{"name": "TOKEN", "value": "s3cret-one"}]


def test_the_same_definition_changes_nothing() -> None:
    with RecordedAws({"ecs:DescribeTaskDefinition": [described(1, {"owner": "wwhd"})]}) as aws:
        outcome = run(aws, {"definition": DEFINITION, "tags": {"owner": "wwhd"}}, diff=True)
    assert not outcome.changed
    assert outcome.result["task_definition_arn"] == arn(1)
    assert outcome.result["differences"] == []
    assert outcome.result["diff"]["before"] == outcome.result["diff"]["after"]
    assert "prepared" not in outcome.result["diff"]
    assert aws.writes == []


def test_a_definition_read_from_aws_can_be_given_back() -> None:
    given = {**registered(1), "registeredBy": "arn:x", "requiresAttributes": [{"name": "x"}]}
    with RecordedAws({"ecs:DescribeTaskDefinition": [described(1)]}) as aws:
        assert not run(aws, {"definition": given}).changed


JSON_AS_AWS_WRITES_IT = json.dumps({"taskDefinition": REGISTERED, "tags": [{"key": "owner", "value": "wwhd"}]})
YAML_AS_PEOPLE_WRITE_IT = """
# what clears the locks
family: clear-qdrant-locks
network_mode: awsvpc
requires_compatibilities: [FARGATE]
cpu: 256
memory: 0.5GB
tags:
  owner: wwhd
container_definitions:
  - name: cleaner
    image: alpine:latest
    command: [sh, -c, "true"]
    environment:
      - {name: TOKEN, value: s3cret-one}
"""


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("definition.json", JSON_AS_AWS_WRITES_IT),
        ("definition.json", json.dumps({**DEFINITION, "tags": {"owner": "wwhd"}})),
        ("definition.json", "\ufeff" + json.dumps({**REGISTERED, "tags": [{"key": "owner", "value": "wwhd"}]})),
        ("definition.yml", YAML_AS_PEOPLE_WRITE_IT),
        ("definition", YAML_AS_PEOPLE_WRITE_IT),
        ("definition.yaml", json.dumps({"task_definition": DEFINITION, "tags": {"owner": "wwhd"}})),
    ],
    ids=["describe-task-definition", "JSON, snake", "JSON, camel, marked", "YAML", "no ending", "envelope, snake"],
)
def test_a_file_says_the_same_as_the_option(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with RecordedAws({"ecs:DescribeTaskDefinition": [described(1, {"owner": "wwhd"})]}) as aws:
        outcome = run(aws, {"src": str(path)})
    assert not outcome.failed, outcome.msg
    assert not outcome.changed, outcome.result["differences"]
    assert "s3cret" not in str(outcome.result)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("x.json", b'{"family": ', "it is no valid JSON: Expecting value: line 1 column 12"),
        ("x.yml", b"family: [", "it is neither valid JSON nor valid YAML: "),
        ("x.yml", b"- family", "it holds a list, not a dictionary with the members of a task definition"),
        ("x.yml", b"", "it holds nothing, not a dictionary"),
        ("x.json", b"\xff\xfe\x00", "it is no UTF-8 text"),
        ("x.yml", b"family: !!python/object/apply:os.system [id]", "it is neither valid JSON nor valid YAML"),
        ("x.yml", b"family: x\ncontainer_definition: []", "did you mean containerDefinitions?"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_before_any_call(
    name: str, content: bytes, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with RecordedAws({}) as aws:
        outcome = run(aws, {"src": str(path)})
    assert outcome.failed
    assert sentence in outcome.msg
    assert aws.calls == []


def test_yaml_needs_a_library_and_json_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definition_file, "HAS_YAML", False)
    path = tmp_path / "x"
    path.write_text(YAML_AS_PEOPLE_WRITE_IT)
    with RecordedAws({"ecs:DescribeTaskDefinition": [described(1)]}) as aws:
        outcome = run(aws, {"src": str(path)})
        assert "needs PyYAML" in outcome.msg
        path.write_text(json.dumps(REGISTERED))
        assert not run(aws, {"src": str(path)}).failed


def test_tags_that_come_with_the_definition_give_way_to_the_option() -> None:
    given = {**DEFINITION, "tags": [{"key": "owner", "value": "file"}, {"key": "team", "value": "file"}]}
    with RecordedAws({"ecs:DescribeTaskDefinition": [ABSENT], "ecs:RegisterTaskDefinition": [echo]}) as aws:
        outcome = run(aws, {"definition": given, "tags": {"owner": "option"}})
    assert outcome.result["task_definition"]["tags"] == {"owner": "option", "team": "file"}


def test_options_of_other_log_drivers_stay_hidden_everywhere() -> None:
    def logging_to(token: str) -> dict[str, Any]:
        changed = copy.deepcopy(DEFINITION)
        options = {"splunk-token": token}
        changed["container_definitions"][0]["log_configuration"] = {"log_driver": "splunk", "options": options}
        return changed

    script: Script = {"ecs:DescribeTaskDefinition": [described(1)], "ecs:RegisterTaskDefinition": [echo]}
    with RecordedAws(script) as aws:
        outcome = run(aws, {"definition": logging_to("s3cret-token")}, diff=True)
    assert outcome.changed
    assert "s3cret" not in str(outcome.result)
    container = outcome.result["task_definition"]["container_definitions"][0]
    assert container["log_configuration"] == {"log_driver": "splunk", "option_names": ["splunk-token"]}


def test_a_change_of_one_word_registers_and_its_arn_is_returned() -> None:
    changed = copy.deepcopy(DEFINITION)
    changed["container_definitions"][0]["command"][2] = "false"
    script: Script = {"ecs:DescribeTaskDefinition": [described(1)], "ecs:RegisterTaskDefinition": [echo]}
    with RecordedAws(script) as aws:
        outcome = run(aws, {"definition": changed}, diff=True)
    assert outcome.changed
    assert outcome.result["task_definition_arn"] == arn(2)
    assert outcome.result["differences"] == ["containerDefinitions[cleaner].command[2] differs: true → false"]
    diff = outcome.result["diff"]
    assert (diff["before_header"], diff["after_header"]) == (f"{FAMILY}:1", f"{FAMILY}:2")
    assert diff["prepared"] == "  containerDefinitions[cleaner].command[2] differs: true → false\n"
    assert outcome.result["diff"]["before"]["containerDefinitions"]["cleaner"]["command"][2] == "true"
    assert outcome.result["diff"]["after"]["containerDefinitions"]["cleaner"]["command"][2] == "false"


def test_an_inactive_family_is_registered_anew() -> None:
    inactive = {"taskDefinition": registered(1, status="INACTIVE"), "tags": []}
    with RecordedAws({"ecs:DescribeTaskDefinition": [inactive], "ecs:RegisterTaskDefinition": [echo]}) as aws:
        assert run(aws, {"definition": DEFINITION}).result["registered"] is True


@pytest.mark.parametrize("check", [False, True])
def test_environment_values_stay_hidden_everywhere(check: bool) -> None:
    changed = copy.deepcopy(DEFINITION)
    changed["container_definitions"][0]["environment"][0]["value"] = "s3cret-two"
    script: Script = {"ecs:DescribeTaskDefinition": [described(1)], "ecs:RegisterTaskDefinition": [echo]}
    with RecordedAws(script) as aws:
        outcome = run(aws, {"definition": changed}, diff=True, check=check)
    assert outcome.changed
    assert "s3cret" not in str(outcome.result)
    assert outcome.result["differences"] == ["containerDefinitions[cleaner].environment[TOKEN].value differs"]
    container = outcome.result["task_definition"]["container_definitions"][0]
    assert container["environment_names"] == ["TOKEN"]
    assert "environment" not in container
    assert outcome.result["diff"]["before"] != outcome.result["diff"]["after"]


@pytest.mark.parametrize(
    ("current", "predicted"), [(described(4), arn(5)), (ABSENT, None)], ids=["known family", "new family"]
)
def test_check_mode_predicts_and_writes_nothing(current: Any, predicted: str | None) -> None:
    changed = {**DEFINITION, "cpu": 512, "memory": 1024}
    with RecordedAws({"ecs:DescribeTaskDefinition": [current]}) as aws:
        outcome = run(aws, {"definition": changed}, check=True)
    assert outcome.changed
    assert outcome.result["registered"] is True
    assert outcome.result["task_definition_arn"] == predicted
    assert outcome.result["task_definition"]["cpu"] == "512"
    assert aws.writes == []


def test_tags_alone_make_no_revision() -> None:
    script: Script = {"ecs:DescribeTaskDefinition": [described(1, {"a": "1", "mine": "x"})], "ecs:TagResource": [{}]}
    with RecordedAws(script) as aws:
        outcome = run(aws, {"definition": DEFINITION, "tags": {"a": "2", "b": "3"}})
    assert outcome.changed
    assert outcome.result["registered"] is False
    assert outcome.result["differences"] == ["tags[a] differs", "tags[b] is new"]
    assert outcome.result["task_definition"]["tags"] == {"a": "2", "b": "3", "mine": "x"}
    assert aws.params("ecs:TagResource") == [
        {"resourceArn": arn(1), "tags": [{"key": "a", "value": "2"}, {"key": "b", "value": "3"}]}
    ]


def pruning(**more: Any) -> dict[str, Any]:
    """Revisions 1 to 5 are active, 5 is as wished; a service names 1, a live task runs 2."""
    return {
        "ecs:DescribeTaskDefinition": [described(5)],
        "ecs:ListTaskDefinitions": [
            {"taskDefinitionArns": [*(arn(n) for n in (5, 4, 3, 2, 1)), f"{PREFIX}/{FAMILY}-other:9"]}
        ],
        "ecs:ListClusters": [{"clusterArns": [CLUSTER]}],
        "events:ListRuleNamesByTarget": [{"RuleNames": []}],
        "scheduler:ListSchedules": [{"Schedules": []}],
        "ecs:ListServices": [{"serviceArns": ["arn:s/wwhd-backend"]}],
        "ecs:DescribeServices": [
            {
                "services": [
                    {
                        "serviceName": "wwhd-backend",
                        "desiredCount": 0,
                        "taskDefinition": f"{PREFIX}/wwhd-backend:7",
                        "deployments": [{"id": "ecs-svc/1", "taskDefinition": arn(1)}],
                    }
                ]
            }
        ],
        "ecs:ListTasks": [{"taskArns": ["t/live", "t/gone"]}],
        "ecs:DescribeTasks": [
            {
                "tasks": [
                    {"taskArn": "t/live", "lastStatus": "STOPPING", "taskDefinitionArn": arn(2), "containers": []},
                    {"taskArn": "t/gone", "lastStatus": "STOPPED", "taskDefinitionArn": arn(3), "containers": []},
                ]
            }
        ],
        "ecs:DeregisterTaskDefinition": [{}],
        **more,
    }


@pytest.mark.parametrize(
    ("keep", "deregistered", "kept"),
    [(1, [4, 3], [2, 1]), (2, [3], [2, 1]), (4, [], [1]), (5, [], []), (9, [], [])],
)
def test_keep_retires_what_nothing_uses(keep: int, deregistered: list[int], kept: list[int]) -> None:
    with RecordedAws(pruning()) as aws:
        outcome = run(aws, {"definition": DEFINITION, "keep": keep})
    assert outcome.result["deregistered"] == [arn(n) for n in deregistered]
    assert outcome.result["kept_in_use"] == [arn(n) for n in kept]
    assert outcome.changed is bool(deregistered)
    assert [p["taskDefinition"] for p in aws.params("ecs:DeregisterTaskDefinition")] == [arn(n) for n in deregistered]


def test_keep_in_check_mode_counts_the_revision_to_come() -> None:
    with RecordedAws(pruning()) as aws:
        outcome = run(aws, {"definition": {**DEFINITION, "cpu": 512, "memory": 1024}, "keep": 2}, check=True)
    assert outcome.result["task_definition_arn"] == arn(6)
    assert outcome.result["deregistered"] == [arn(4), arn(3)]
    assert aws.writes == []


def test_clusters_can_be_named() -> None:
    known = {"clusters": [{"clusterName": "wwhd-cluster", "clusterArn": CLUSTER}]}
    script = pruning(**{"ecs:DescribeClusters": [known]})
    del script["ecs:ListClusters"]
    with RecordedAws(script) as aws:
        run(aws, {"definition": DEFINITION, "keep": 1, "clusters": ["wwhd-cluster"]})
    assert {params["cluster"] for params in aws.params("ecs:ListServices")} == {CLUSTER}
    with RecordedAws(script) as aws:
        run(aws, {"definition": DEFINITION, "keep": 1, "clusters": [CLUSTER]})
    assert "ecs:DescribeClusters" not in aws.operations


def test_a_cluster_that_is_not_there_hides_no_user() -> None:
    script = pruning(**{"ecs:DescribeClusters": [{"clusters": [], "failures": [{"reason": "MISSING"}]}]})
    with RecordedAws(script) as aws:
        outcome = run(aws, {"definition": DEFINITION, "keep": 1, "clusters": ["wwhd-clutser"]})
    assert outcome.failed
    assert "there is no cluster wwhd-clutser" in outcome.msg
    assert aws.writes == []


def scheduled(**more: Any) -> dict[str, Any]:
    """A rule starts revision 3 in the cluster, and one elsewhere starts 4; a schedule starts revision 4."""
    target = {"Id": "1", "Arn": CLUSTER, "EcsParameters": {"TaskDefinitionArn": arn(3)}}
    elsewhere = {"Id": "2", "Arn": "arn:elsewhere", "EcsParameters": {"TaskDefinitionArn": arn(4)}}
    own = {"Name": "nightly", "GroupName": "jobs", "Target": {"Arn": CLUSTER}}
    other = {"Name": "other", "GroupName": "jobs", "Target": {"Arn": "arn:lambda"}}
    return pruning(
        **{
            "events:ListRuleNamesByTarget": [{"RuleNames": ["hourly"]}],
            "events:ListTargetsByRule": [{"Targets": [target, elsewhere]}],
            "scheduler:ListSchedules": [{"Schedules": [own, other]}],
            "scheduler:GetSchedule": [
                {"Name": "nightly", "Target": {"Arn": CLUSTER, "EcsParameters": {"TaskDefinitionArn": arn(4)}}}
            ],
            **more,
        }
    )


def test_what_will_be_started_later_is_in_use_too() -> None:
    with RecordedAws(scheduled()) as aws:
        outcome = run(aws, {"definition": DEFINITION, "keep": 1})
    assert not outcome.failed, outcome.msg
    assert outcome.result["deregistered"] == []
    assert outcome.result["kept_in_use"] == [arn(n) for n in (4, 3, 2, 1)]
    assert aws.params("events:ListRuleNamesByTarget") == [{"TargetArn": CLUSTER}]
    assert aws.params("scheduler:GetSchedule") == [{"Name": "nightly", "GroupName": "jobs"}]


def test_absent_names_the_rule_and_the_schedule() -> None:
    with RecordedAws(scheduled()) as aws:
        outcome = run(aws, {"state": "absent", "family": FAMILY})
    assert f"{FAMILY}:4 (by schedule nightly)" in outcome.msg
    assert f"{FAMILY}:3 (by EventBridge rule hourly)" in outcome.msg
    assert aws.writes == []


@pytest.mark.parametrize("operation", ["events:ListRuleNamesByTarget", "scheduler:ListSchedules"])
def test_what_may_not_be_looked_at_retires_nothing_unless_told_so(operation: str) -> None:
    denied = scheduled(**{operation: [Fault("AccessDeniedException", "not you")]})
    with RecordedAws(denied) as aws:
        outcome = run(aws, {"definition": DEFINITION, "keep": 1})
    assert outcome.failed
    assert f"Allow {operation}" in outcome.msg
    assert aws.writes == []
    with RecordedAws(denied) as aws:
        outcome = run(aws, {"definition": DEFINITION, "keep": 1, "schedules": False})
    assert outcome.result["deregistered"] == [arn(4), arn(3)]
    assert operation not in aws.operations


def test_absent_refuses_while_in_use_and_does_nothing() -> None:
    with RecordedAws(pruning()) as aws:
        outcome = run(aws, {"state": "absent", "family": FAMILY})
    assert outcome.failed
    assert f"{FAMILY}:2 (by task live)" in outcome.msg
    assert f"{FAMILY}:1 (by service wwhd-backend)" in outcome.msg
    assert aws.writes == []


@pytest.mark.parametrize("check", [False, True])
def test_absent_deregisters_all_revisions_of_this_family_only(check: bool) -> None:
    idle = pruning(**{"ecs:ListServices": [{}], "ecs:ListTasks": [{}]})
    with RecordedAws(idle) as aws:
        outcome = run(aws, {"state": "absent", "family": FAMILY}, check=check)
    assert outcome.changed
    assert outcome.result["deregistered"] == [arn(n) for n in (5, 4, 3, 2, 1)]
    assert len(aws.writes) == (0 if check else 5)


def test_absent_of_nothing_changes_nothing() -> None:
    with RecordedAws({"ecs:ListTaskDefinitions": [{"taskDefinitionArns": []}]}) as aws:
        outcome = run(aws, {"state": "absent", "family": FAMILY})
    assert not outcome.changed
    assert aws.operations == ["ecs:ListTaskDefinitions"]


def _container(**more: Any) -> dict[str, Any]:
    return {**DEFINITION, "container_definitions": [{**DEFINITION["container_definitions"][0], **more}]}


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ({"definition": DEFINITION, "keep": 0}, "keep is 0: it must be 1 or more"),
        ({"state": "absent", "family": FAMILY, "keep": 1}, "keep has no meaning with state absent"),
        ({"definition": DEFINITION, "clusters": []}, "clusters is empty"),
        ({"state": "absent", "family": ""}, "family is empty"),
        ({"state": "absent"}, "family"),
        ({}, "state is present but any of the following are missing: definition, src"),
        ({"definition": DEFINITION, "src": "/x"}, "mutually exclusive: definition|src"),
        ({"src": ""}, "src is empty"),
        ({"state": "absent", "family": FAMILY, "src": "/x"}, "src has no meaning with state absent"),
        ({"src": "/nowhere/at/all.json"}, "/nowhere/at/all.json: No such file or directory. Give the path"),
        ({"definition": DEFINITION, "family": "other"}, f"family is other, but the definition's family is {FAMILY}"),
        ({"definition": {**DEFINITION, "tags": ["owner"]}}, "definition.tags must be a dictionary, or a list"),
        ({"definition": {**DEFINITION, "tags": "owner"}}, "definition.tags must be a dictionary, or a list"),
        (
            {"definition": {**DEFINITION, "taskrole": "x"}},
            "definition.taskrole is not known to ECS (did you mean taskRoleArn?)",
        ),
        (
            {"definition": _container(comand=["x"])},
            "container_definitions[0].comand is not known to ECS (did you mean command?)",
        ),
        ({"definition": _container(name=None)}, "containerDefinitions[0].name is missing"),
        ({"definition": _container(image="")}, "containerDefinitions[0].image is missing"),
        ({"definition": {**DEFINITION, "container_definitions": []}}, "containerDefinitions is empty"),
        (
            {"definition": {**DEFINITION, "container_definitions": DEFINITION["container_definitions"] * 2}},
            "two containers are named cleaner",
        ),
        (
            {"definition": _container(mount_points=[{"source_volume": "date", "container_path": "/data"}])},
            "container cleaner mounts volume date, which the definition does not have",
        ),
        ({"definition": {**DEFINITION, "family": ""}}, "definition.family is empty"),
    ],
)
def test_bad_arguments_are_named_before_any_call(args: dict[str, Any], sentence: str) -> None:
    with RecordedAws({}) as aws:
        outcome = run(aws, args)
    assert outcome.failed
    assert sentence in outcome.msg
    assert aws.calls == []


def test_another_client_exception_is_not_taken_for_absence() -> None:
    with RecordedAws({"ecs:DescribeTaskDefinition": [Fault("ClientException", "Something else.")]}) as aws:
        outcome = run(aws, {"definition": DEFINITION})
    assert outcome.failed
    assert "describe the task definition clear-qdrant-locks" in outcome.msg
    assert aws.writes == []


def test_what_aws_refuses_is_told() -> None:
    refusal = Fault("ClientException", "No Fargate configuration exists for given values.")
    script: Script = {"ecs:DescribeTaskDefinition": [ABSENT], "ecs:RegisterTaskDefinition": [refusal]}
    with RecordedAws(script) as aws:
        outcome = run(aws, {"definition": DEFINITION})
    assert outcome.failed
    assert "Could not register the task definition clear-qdrant-locks" in outcome.msg
    assert "No Fargate configuration exists" in outcome.msg
    assert "started_at" in outcome.result
