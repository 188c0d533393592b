# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canaries: secrets are planted wherever the collection meets one, then everything that it leaves behind is searched.

These runs use, under each policy of docs/iam, what no other test has a reason to: autoscaling, names that only the
inventory knows, every cluster of the region, a cleaner that has to be stopped.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote

import pytest
from integration.playbooks.operators import Operator, Played

from sandbox import world
from sandbox.client import Sandbox
from sandbox.permissions import OPERATOR, actions_of, is_ours, listed, statements

SECRET_KEY = "c4nary-secret-key-0123456789abcdefghijk"
SESSION_TOKEN = "c4nary-session-token-0123456789"
API_KEY = "c4nary-api-key"
PASSWORD = "c4nary+pass/word"
QUERY_TOKEN = "c4nary-query-token"
ENVIRONMENT_VALUE = "c4nary-environment-value"
USER = "c4nary-user"
# A secret's ARN in Secrets Manager is a name, and no secret; the sandbox gives its container nothing.
SECRET_ARN = "arn:aws:secretsmanager:us-west-2:018025611404:secret:dev/qdrant-AbCdEf"

CANARIES = {
    spelling
    for secret in (SECRET_KEY, SESSION_TOKEN, API_KEY, PASSWORD, QUERY_TOKEN, ENVIRONMENT_VALUE, USER)
    for spelling in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode())
} | {base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}
VERBOSE = ["-vvvv", "--diff"]


def leaks(text: str) -> list[str]:
    """Where a canary stands, with what is before and after it."""
    return [
        text[max(0, position - 80) : position + 60]
        for canary in sorted(CANARIES)
        for position in [text.find(canary)]
        if position >= 0
    ]


def test_a_canary_would_be_found() -> None:
    for secret in (SECRET_KEY, quote(PASSWORD, safe=""), base64.b64encode(API_KEY.encode()).decode()):
        assert leaks(f"before {secret} after")
    assert leaks("c4nary") == []


@dataclass
class Gate:
    """A health address that wants a login and a token; it repeats both in its answer, as careless servers do."""

    status: int = 200
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        userinfo = f"{USER}:{quote(PASSWORD, safe='')}"
        return f"http://{userinfo}@127.0.0.1:{self.port}/health?token={QUERY_TOKEN}&deep=1"


@pytest.fixture
def gate() -> Iterator[Gate]:
    found = Gate()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append((self.path, dict(self.headers)))
            body = json.dumps({"path": self.path, "headers": dict(self.headers)}).encode()
            known = "Authorization" in self.headers
            self.send_response(found.status if known else 401)
            if not known:
                self.send_header("WWW-Authenticate", 'Basic realm="health"')
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: Any) -> None:
            """Asked tells more."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_port
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Bench:
    """A sandbox whose service holds secrets, and an operator who has some more."""

    sandbox: Sandbox
    operator: Operator
    folder: Path
    gate: Gate

    def plant(self) -> None:
        """The service's definition holds a value and a secret, and its count is scaled automatically."""
        ecs = self.sandbox.boto3("ecs")
        definition = world.definition()
        for container in definition["containerDefinitions"]:
            container.setdefault("environment", []).append({"name": "BACKEND_TOKEN", "value": ENVIRONMENT_VALUE})
            container["secrets"] = [{"name": "QDRANT_KEY", "valueFrom": SECRET_ARN}]
        arn = ecs.register_task_definition(**definition)["taskDefinition"]["taskDefinitionArn"]
        ecs.update_service(cluster=world.CLUSTER, service=world.SERVICE, taskDefinition=arn)
        self.sandbox.boto3("application-autoscaling").register_scalable_target(
            ServiceNamespace="ecs", ScalableDimension="ecs:service:DesiredCount", MinCapacity=1, MaxCapacity=1,
            ResourceId=f"service/{world.CLUSTER}/{world.SERVICE}",
        )  # fmt: skip

    def start(self) -> None:
        self.sandbox.boto3("ecs").update_service(cluster=world.CLUSTER, service=world.SERVICE, desiredCount=1)
        deadline = time.monotonic() + 60
        while not self.sandbox.status()["healthy"]:
            assert time.monotonic() < deadline
            time.sleep(0.1)

    @property
    def credentials(self) -> dict[str, str]:
        return {
            "access_key": str(self.sandbox.state["access_key"]),
            "secret_key": SECRET_KEY,
            "session_token": SESSION_TOKEN,
        }

    def play(self, playbook: str, *words: str, by_environment: bool = False, **variables: Any) -> Played:
        """A run at the highest verbosity, with all of Ansible's own files in `folder`."""
        temporary = self.folder / "temporary"
        temporary.mkdir(exist_ok=True)
        connection = {} if by_environment else self.credentials
        given = {
            "qdrant_unlock_aws": {"endpoint_url": self.sandbox.url, **connection},
            "qdrant_unlock_health_url": self.gate.url,
            "qdrant_unlock_qdrant_api_key": API_KEY,
            **{f"qdrant_unlock_{name}": value for name, value in variables.items()},
        }
        keys = self.credentials
        environment = {
            "QDRANT_OPS_SANDBOX": str(self.sandbox.directory),
            "ANSIBLE_LOG_PATH": str(self.folder / "ansible.log"),
            "ANSIBLE_LOCAL_TEMP": str(temporary),
            "ANSIBLE_REMOTE_TEMP": str(temporary),
            "TMPDIR": str(temporary),
        }
        if by_environment:
            environment |= {
                "AWS_ACCESS_KEY_ID": keys["access_key"],
                "AWS_SECRET_ACCESS_KEY": keys["secret_key"],
                "AWS_SESSION_TOKEN": keys["session_token"],
            }
        # A file, not a word of the command line: -vvvv tells the command line, which is the operator's own.
        extra = self.folder / "extra.json"
        extra.write_text(json.dumps(given))
        try:
            return self.operator.play(playbook, *VERBOSE, *words, "-e", f"@{extra}", environment=environment)
        finally:
            extra.unlink()

    def everything(self, played: Played) -> dict[str, str]:
        """All that a run has left anywhere, by what it is."""
        found = {"the output": played.output}
        for path in self.folder.rglob("*"):
            if path.is_file():
                found[f"the file {path.relative_to(self.folder)}"] = path.read_text(errors="replace")
        ecs, logs = self.sandbox.boto3("ecs"), self.sandbox.boto3("logs")
        service = ecs.describe_services(cluster=world.CLUSTER, services=[world.SERVICE], include=["TAGS"])["services"][
            0
        ]
        found["the service, its tags and events"] = str(service)
        for arn in ecs.list_task_definitions(familyPrefix="clear-qdrant-locks")["taskDefinitionArns"]:
            found[f"the definition {arn}"] = str(ecs.describe_task_definition(taskDefinition=arn, include=["TAGS"]))
        for status in ("RUNNING", "STOPPED"):
            arns = ecs.list_tasks(cluster=world.CLUSTER, desiredStatus=status)["taskArns"]
            if arns:
                found[f"the tasks {status}"] = str(
                    ecs.describe_tasks(cluster=world.CLUSTER, tasks=arns, include=["TAGS"])
                )
        for stream in logs.describe_log_streams(logGroupName=world.LOG_GROUP)["logStreams"]:
            name = stream["logStreamName"]
            found[f"the log {name}"] = str(
                logs.get_log_events(logGroupName=world.LOG_GROUP, logStreamName=name)["events"]
            )
        # The definition that the test itself has registered is the one place where its value belongs.
        found["the calls"] = "\n".join(json.dumps(call) for call in self.sandbox.calls() if is_ours(call))
        return found

    def assert_no_leak(self, played: Played) -> None:
        found = self.everything(played)
        # At this verbosity each task's arguments are told: less would be no search.
        assert "module_args" in found["the output"]
        assert "module_args" in found["the file ansible.log"]
        assert "the calls" in found
        told = {where: leaks(text) for where, text in found.items()}
        assert {where: what for where, what in told.items() if what} == {}

    def asked(self) -> bool:
        """Whether the secrets reached the one place that they are for."""
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return any(QUERY_TOKEN in path and login in str(headers) for path, headers in self.gate.asked)


@pytest.fixture
def bench(sandbox: Sandbox, tmp_path: Path, gate: Gate) -> Bench:
    folder = tmp_path / "left"
    folder.mkdir()
    found = Bench(sandbox, Operator(folder / "reports"), folder, gate)
    found.plant()
    return found


def operations(sandbox: Sandbox) -> list[str]:
    return [str(call["operation"]) for call in sandbox.calls() if is_ours(call)]


ARNS = {
    "UpdateService": lambda params: f"service/{params['cluster']}/{params['service']}",
    "TagResource": lambda params: params["resourceArn"].split(":", 5)[5],
    "UntagResource": lambda params: params["resourceArn"].split(":", 5)[5],
    "ModifyTargetGroupAttributes": lambda params: params["TargetGroupArn"].split(":", 5)[5],
    "RunTask": lambda params: params["taskDefinition"].split(":", 5)[5],
    "StopTask": lambda params: f"task/{params['cluster']}/{params['task'].rsplit('/', 1)[-1]}",
    "GetLogEvents": lambda params: f"log-group:{params['logGroupName']}:log-stream:{params['logStreamName']}",
}
# A name that is the end of another one comes after it.
FILLED = {
    "TARGET_GROUP": world.TARGET_GROUP,
    "CLUSTER": world.CLUSTER,
    "SERVICE": world.SERVICE,
    "LOG_GROUP": world.LOG_GROUP,
}


def assert_within(policy: str, calls: list[dict[str, Any]]) -> None:
    """The calls keep to the resources, the cluster and the tags to which the policy limits them."""
    limits = {action: s for s in statements(policy) for action in listed(s["Action"])}
    judged = set()
    for call in filter(is_ours, calls):
        operation, params = call["operation"], call["params"]
        if operation in ARNS:
            statement = limits[actions_of(call)[0]]
            own = [resource.split(":", 5)[5] for resource in listed(statement["Resource"])]
            for placeholder, value in FILLED.items():
                own = [resource.replace(placeholder, value) for resource in own]
            assert any(fnmatchcase(ARNS[operation](params), resource) for resource in own), (call, own)
            judged.add(operation)
        if call["service"] == "ecs" and "cluster" in params:
            assert params["cluster"] == world.CLUSTER
        keys = (
            [tag["key"] for tag in params.get("tags", [])] if operation == "TagResource" else params.get("tagKeys", [])
        )
        assert all(fnmatchcase(key, "wwhd.qdrant_ops:*") for key in keys), call
        assert bool(keys) is (operation in ("TagResource", "UntagResource"))
    assert {"UpdateService", "TagResource", "UntagResource", "RunTask", "GetLogEvents"} <= judged


def foreign_names(sandbox: Sandbox) -> dict[str, Any]:
    """A subnet, a security group, a role and a log group that exist, and that the service does not use."""
    ec2, iam, logs = sandbox.boto3("ec2"), sandbox.boto3("iam"), sandbox.boto3("logs")
    vpc = ec2.describe_subnets(SubnetIds=list(world.SUBNETS))["Subnets"][0]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.20.9.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="other", Description="another", VpcId=vpc)["GroupId"]
    role = iam.create_role(RoleName="other-task-role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    logs.create_log_group(logGroupName="/ecs/other")
    return {"subnets": [subnet], "security_groups": [group], "task_role_arn": role, "log_group": "/ecs/other"}


@pytest.mark.sandbox_service("stopped")
def test_an_unlock_that_ends_well_tells_no_secret(bench: Bench) -> None:
    bench.start()
    played = bench.play("unlock", when="always")
    assert played.code == 0, played.output[-4000:]
    assert "the same as before the run" in played.text
    assert "is healthy again" in played.text
    assert operations(bench.sandbox).count("RegisterScalableTarget") == 2
    assert_within(OPERATOR, bench.sandbox.calls())
    assert list(bench.operator.reports.glob("*-unlock-*.html"))
    assert list(bench.operator.reports.glob("*-last-verified.json"))
    assert bench.asked()
    bench.assert_no_leak(played)


@pytest.mark.sandbox_service("stopped")
def test_an_unlock_that_fails_tells_no_secret(bench: Bench) -> None:
    bench.gate.status = 503
    played = bench.play("unlock", by_environment=True, timeouts={"verify": 2})
    assert played.code != 0
    assert "The unlock FAILED at: Verify the health address" in played.text, played.output[-4000:]
    assert "health?token=***&deep=***" in played.text
    assert list(bench.operator.reports.glob("*-unlock-*.html"))
    assert bench.asked()
    bench.assert_no_leak(played)


@pytest.mark.sandbox_service("stopped")
def test_looking_tells_no_secret_and_changes_nothing(bench: Bench) -> None:
    """Check mode with names that only the inventory knows, and two diagnoses: what the read-only policy is for."""
    names = foreign_names(bench.sandbox)
    for played in (
        bench.play("unlock", "--check", when="always", guard_clusters=["all"], **names),
        bench.play("diagnose"),
    ):
        assert played.code == 0, played.output[-4000:]
        bench.assert_no_leak(played)
    wrong = bench.play("diagnose", by_environment=True, service="wwhd-backnd")
    assert wrong.code != 0
    assert "wwhd-backend" in wrong.text
    bench.assert_no_leak(wrong)
    assert bench.asked()
    assert [call for call in bench.sandbox.writes() if is_ours(call)] == []


@pytest.mark.sandbox_service("stopped")
def test_a_cleaner_that_is_stopped_tells_no_secret(bench: Bench) -> None:
    names = foreign_names(bench.sandbox)
    # It is still being prepared when its time is up.
    bench.sandbox.control("settings", provisioning=1500)
    played = bench.play("inspect", timeouts={"clean": 1}, guard_clusters=["all"], **names)
    assert played.code != 0
    assert "StopTask" in operations(bench.sandbox), played.output[-4000:]
    bench.assert_no_leak(played)
