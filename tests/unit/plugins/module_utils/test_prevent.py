# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What qdrant_prevent decides, in tables."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._prevent import container, inputs
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._prevent.plan import make_plan
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._prevent.result import CANNOT, make_result

GROUP = "arn:aws:elasticloadbalancing:us-west-2:018025611404:targetgroup/{}/0123456789abcdef"
ENTRY = ["/bin/bash", "-c", "exec ./qdrant"]
OPTIONS: dict[str, Any] = {
    "region": "us-west-2", "cluster": "c", "service": "s", "stop_timeout": 120, "deregistration_delay": 10,
    "entry_point": ENTRY, "health_check": {}, "access_point": {}, "measures": {},
}  # fmt: skip
QDRANT = {"name": "qdrant", "image": "qdrant/qdrant:v1.7.4", "environment_names": []}


def info(**more: Any) -> dict[str, Any]:
    service = {
        "service_name": "s", "status": "ACTIVE", "desired_count": 1, "tags": {},
        "availability_zone_rebalancing": "ENABLED",
        "deployment_configuration": {"minimum_healthy_percent": 100, "maximum_percent": 200},
    }  # fmt: skip
    volume = {
        "name": "data", "file_system_id": "fs-0a", "access_point_id": None, "root_directory": "/store", "iam": True,
        "containers": [{"name": "qdrant", "image": QDRANT["image"], "container_path": "/qdrant/storage"}],
    }  # fmt: skip
    return {
        "service": {**service, **more.pop("service", {})},
        "volumes": [{**volume, **more.pop("volume", {})}],
        "task_definition": {"container_definitions": [{**QDRANT, **more.pop("qdrant", {})}]},
        "targets": [{"target_group_arn": GROUP.format("a"), "deregistration_delay": 300}],
        "autoscaling": None,
        **more,
    }


def plan(found: dict[str, Any], point: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    return make_plan(found, options={**OPTIONS, **options}, environment="dev", point=point)


def measure(made: dict[str, Any], name: str) -> tuple[str, str, str]:
    row = next(row for row in made["measures"] if row["name"] == name)
    return row["decision"], row["was"], row["why"]


def test_what_is_on_by_default() -> None:
    made = plan(info())
    assert {row["name"] for row in made["measures"] if row["decision"] == "off"} == {"access_point", "health_check"}
    assert made["refusals"] == []
    assert made["amendments"] == {"containers": {"qdrant": {"stop_timeout": 120, "entry_point": ENTRY}}, "volumes": {}}


@pytest.mark.parametrize(
    ("service", "decision"),
    [
        ({}, "change"),
        ({"deployment_configuration": {"minimum_healthy_percent": 0, "maximum_percent": 100}}, "change"),
        (
            {
                "deployment_configuration": {"minimum_healthy_percent": 0, "maximum_percent": 100},
                "availability_zone_rebalancing": "DISABLED",
            },
            "keep",
        ),
        (
            {
                "deployment_configuration": {"minimum_healthy_percent": 50, "maximum_percent": 100},
                "availability_zone_rebalancing": None,
            },
            "change",
        ),
    ],
)
def test_the_rollout(service: dict[str, Any], decision: str) -> None:
    made = plan(info(service=service))
    assert measure(made, "exclusive_rollout")[0] == decision
    assert made["rollout"] is (decision == "change")


@pytest.mark.parametrize(
    ("delays", "decision", "was", "wanted"),
    [
        ([], "keep", "no load balancer", {}),
        ([300], "change", "300 s", {"g0": 10}),
        ([5], "keep", "5 s", {}),
        ([10], "keep", "10 s", {}),
        ([5, 60], "change", "5 s, 60 s", {"g1": 10}),
        ([None], "leave", "unknown", {}),
        ([None, 60], "change", "unknown, 60 s", {"g1": 10}),
    ],
)
def test_a_drain_that_is_shorter_stays(
    delays: list[int | None], decision: str, was: str, wanted: dict[str, int]
) -> None:
    groups = [
        {"target_group_arn": GROUP.format(f"g{index}"), "deregistration_delay": delay}
        for index, delay in enumerate(delays)
    ]
    made = plan(info(targets=groups))
    assert measure(made, "deregistration_delay")[:2] == (decision, was)
    assert made["delays"] == {GROUP.format(name): seconds for name, seconds in wanted.items()}


@pytest.mark.parametrize(
    ("bounds", "desired", "decision", "wanted"),
    [
        (None, 1, "keep", {}),
        ((1, 1), 1, "keep", {}),
        ((0, 1), 1, "keep", {}),
        ((0, 0), 0, "keep", {}),
        ((1, 4), 1, "change", {"min_capacity": 1, "max_capacity": 1}),
        ((2, 4), 1, "change", {"min_capacity": 1, "max_capacity": 1}),
        ((0, 4), 0, "change", {"min_capacity": 0, "max_capacity": 1}),
        ((1, 4), 0, "leave", {}),
    ],
)
def test_the_scaling_never_starts_a_task(
    bounds: tuple[int, int] | None, desired: int, decision: str, wanted: dict[str, int]
) -> None:
    state = None if bounds is None else {"min_capacity": bounds[0], "max_capacity": bounds[1]}
    made = plan(info(autoscaling=state, service={"desired_count": desired}))
    assert measure(made, "autoscaling")[0] == decision
    assert made["bounds"] == wanted


@pytest.mark.parametrize(
    ("qdrant", "decision"),
    [
        ({}, "change"),
        ({"command": ["./entrypoint.sh"]}, "change"),
        ({"entry_point": ["/qdrant/entrypoint.sh"]}, "change"),
        ({"entry_point": ENTRY}, "keep"),
        ({"entry_point": ["./qdrant"], "command": ["--config-path", "x"]}, "keep"),
        ({"entry_point": ["sh", "-c", "umask 2; exec /qdrant/qdrant --uri x"]}, "keep"),
        ({"entry_point": ["sh", "-c", "./qdrant"]}, "leave"),
        ({"entry_point": ["/start.sh"]}, "leave"),
        ({"command": ["./entrypoint.sh", "--config-path", "x"]}, "leave"),
        ({"environment_names": ["QDRANT_ALLOW_RECOVERY_MODE"]}, "leave"),
        ({"secrets": [{"name": "QDRANT_ALLOW_RECOVERY_MODE"}]}, "leave"),
    ],
)
def test_an_entry_point_with_a_reason_of_its_own_is_left(qdrant: dict[str, Any], decision: str) -> None:
    made = plan(info(qdrant=qdrant))
    assert measure(made, "entry_point")[0] == decision
    assert ("entry_point" in made["amendments"]["containers"]["qdrant"]) is (decision == "change")


@pytest.mark.parametrize(("now", "decision"), [(None, "change"), (30, "change"), (119, "change"), (120, "keep")])
def test_a_stop_timeout_that_is_longer_stays(now: int | None, decision: str) -> None:
    assert measure(plan(info(qdrant={"stop_timeout": now})), "stop_timeout")[0] == decision


@pytest.mark.parametrize(
    ("qdrant", "check", "decision"),
    [
        ({}, {}, "change"),
        ({"health_check": {"command": ["NONE"]}}, {}, "change"),
        ({"health_check": {"command": ["CMD-SHELL", "curl -f http://localhost:6333/health"]}}, {}, "change"),
        ({"health_check": {"command": ["CMD", "/usr/bin/wget", "-q", "x"]}}, {}, "change"),
        ({"health_check": {"command": ["CMD", "/check"]}}, {}, "keep"),
        ({"environment_names": ["QDRANT__SERVICE__ENABLE_TLS"]}, {}, "leave"),
        ({"environment_names": ["QDRANT__SERVICE__HTTP_PORT"]}, {}, "leave"),
        ({"environment_names": ["QDRANT__SERVICE__HTTP_PORT"]}, {"port": 7000}, "change"),
    ],
)
def test_a_health_check_that_can_work_is_left(qdrant: dict[str, Any], check: dict[str, int], decision: str) -> None:
    made = plan(info(qdrant=qdrant), measures={"health_check": "yes"}, health_check=check)
    assert measure(made, "health_check")[0] == decision
    amended = made["amendments"]["containers"]["qdrant"].get("health_check")
    assert (amended is not None) is (decision == "change")
    if amended:
        assert amended["command"] == container.health_command(check.get("port", 6333))
        assert {name: amended[name] for name in ("interval", "timeout", "retries", "start_period")} == {
            name: seconds for name, seconds in inputs.HEALTH_CHECK.items() if name != "port"
        }


class Readyz(BaseHTTPRequestHandler):
    """Qdrant's /readyz; `ready` is the answer."""

    ready = 200

    def do_GET(self) -> None:
        self.send_response(self.ready if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Readyz) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.mark.parametrize(("answer", "code"), [(200, 0), (503, 1), (None, 1)])
def test_the_health_check_really_tells_a_store_that_is_ready(
    monkeypatch: pytest.MonkeyPatch, port: int, answer: int | None, code: int
) -> None:
    monkeypatch.setattr(Readyz, "ready", answer or 200)
    kind, command = container.health_command(port if answer else 1)
    assert kind == "CMD-SHELL"
    # What the image does not have is not on the way either.
    environment = {"PATH": "/usr/bin:/bin"}
    assert "curl" not in command
    assert subprocess.run(["sh", "-c", command], env=environment, capture_output=True, check=False).returncode == code


POINT = {"measures": {"access_point": True}}


@pytest.mark.parametrize(
    ("volume", "wanted", "found", "decision", "refused", "mounts"),
    [
        # The same folder through an access point: nothing moves.
        ({}, {}, None, "change", False, False),
        ({}, {"mount": True}, None, "change", False, True),
        ({}, {"mount": True, "path": "/store"}, None, "change", False, True),
        ({}, {}, "fsap-1", "keep", False, False),
        # Another folder is another store.
        ({}, {"path": "/dev"}, None, "change", False, False),
        ({}, {"path": "/dev", "mount": True}, None, "change", True, True),
        ({"access_point_id": "fsap-9", "root_directory": "/"}, {}, None, "keep", False, False),
        (
            {"access_point_id": "fsap-9", "root_directory": "/"},
            {"path": "/", "mount": True},
            None,
            "change",
            True,
            True,
        ),
        ({"access_point_id": "fsap-1"}, {"path": "/dev", "mount": True}, "fsap-1", "keep", False, False),
    ],
)
def test_another_store_is_never_mounted_silently(
    volume: dict[str, Any], wanted: dict[str, Any], found: str | None, decision: str, refused: bool, mounts: bool
) -> None:
    made = plan(info(volume=volume), {"access_point_id": found}, **POINT, access_point=wanted)
    assert measure(made, "access_point")[0] == decision
    assert any("EMPTY STORE" in refusal for refusal in made["refusals"]) is refused
    assert bool(made["amendments"]["volumes"]) is mounts
    told = plan(
        info(volume=volume), {"access_point_id": found}, **POINT, access_point=wanted, accept_another_tree="true"
    )
    assert told["refusals"] == []
    assert any("EMPTY STORE" in warning for warning in told["warnings"]) is refused


def test_an_access_point_with_a_user_says_what_that_means() -> None:
    made = plan(info(), **POINT, access_point={"uid": "1000", "gid": 1000, "mount": "true"})
    assert made["access_point"]["posix_user"] == {"uid": 1000, "gid": 1000}
    assert made["access_point"]["name"] == "qdrant-dev"
    assert any("1000:1000" in warning for warning in made["warnings"])


@pytest.mark.parametrize(
    ("found", "options", "told"),
    [
        (info(service={"deployment_controller": {"type": "EXTERNAL"}}), {}, "EXTERNAL"),
        (info(service={"scheduling_strategy": "DAEMON"}), {}, "DAEMON"),
        (info(service={"status": "DRAINING"}), {}, "DRAINING"),
        (info(service={"deployment_configuration": {"strategy": "BLUE_GREEN"}}), {}, "two full copies"),
        (info(service={"desired_count": 3}), {}, "runs 3 tasks"),
        (info(service={"tags": {"wwhd.qdrant_ops:desired_count": "1"}}), {}, "left its tag"),
        (info(volumes=[]), {}, "mounts no EFS volume"),
        (info(service={"deployment_controller": {"type": "CODE_DEPLOY"}}), {}, "CodeDeploy"),
        (info(), {"container": "qdrnat"}, "No container qdrnat mounts"),
        (info(), {"deploy": True, "measures": {"exclusive_rollout": False}}, "a second task beside the first"),
        (info(), {"deploy": True, "measures": {"deregistration_delay": False}}, "hold the old task beside the new one"),
        (info(), {"deploy": True, "deregistration_delay": 3600}, "a (300 s)"),
        (info(qdrant={"image": "own/store:1"}), {}, "cannot be told which container runs Qdrant"),
        (info(deployments=[{"rollout_state": "IN_PROGRESS"}, {}]), {}, "is under way"),
        (info(), {"protected": "true", "confirm": "prod"}, "-e confirm=dev"),
    ],
)
def test_refusals(found: dict[str, Any], options: dict[str, Any], told: str) -> None:
    assert any(told in refusal for refusal in plan(found, **options)["refusals"])


def test_a_container_that_is_named_is_believed_and_a_confirmed_run_goes_on() -> None:
    made = plan(info(qdrant={"image": "own/store:1"}), container="qdrant", protected=True, confirm="dev")
    assert made["refusals"] == []
    assert "qdrant" in made["amendments"]["containers"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"region": ""}, "qdrant_prevent_region is not set: set it, or qdrant_unlock_region, here."),
        ({"region": "Oregon"}, "give a region"),
        ({"stop_timeout": 121}, "from 2 to 120"),
        ({"stop_timeout": "soon"}, "from 2 to 120"),
        ({"deregistration_delay": -1}, "from 0 to 3600"),
        ({"measures": ["all"]}, "give a dictionary of measures"),
        ({"measures": {"healthcheck": True}}, "has 'healthcheck', which it does not know"),
        ({"measures": {"health_check": "perhaps"}}, "measures.health_check is 'perhaps'"),
        ({"health_check": {"retries": 11}}, "health_check.retries is 11"),
        ({"health_check": {"url": "x"}}, "has 'url'"),
        ({"health_check": "curl"}, "give a dictionary of port"),
        ({"access_point": {"path": "store"}}, "no path for an access point"),
        ({"access_point": {"uid": 1}}, "only one of uid and gid"),
        ({"access_point": {"uid": -1, "gid": 1}}, "access_point.uid is -1"),
        ({"access_point": {"mount": "maybe"}}, "access_point.mount is 'maybe'"),
        ({"access_point": "/x"}, "give a dictionary of name"),
        ({"entry_point": "./qdrant"}, "give a list of words"),
        ({"entry_point": []}, "entry_point is empty"),
    ],
)
def test_a_wrong_variable_is_a_sentence(options: dict[str, Any], told: str) -> None:
    faults = inputs.faults_of_inputs({**OPTIONS, **options}, given=[], known=[], where="here")
    assert len(faults) == 1
    assert told in faults[0]


def test_texts_of_the_command_line_are_understood() -> None:
    options = {**OPTIONS, "stop_timeout": "60", "deploy": "false", "measures": {"autoscaling": "no"}}
    assert inputs.faults_of_inputs(options, given=[], known=[], where="here") == []
    made = inputs.normalised(options)
    assert (made["stop_timeout"], made["deploy"], made["measures"]["autoscaling"]) == (60, False, False)
    assert made["measures"]["exclusive_rollout"] is True


def test_a_misspelt_name_is_told_with_the_one_that_was_meant() -> None:
    faults = inputs.faults_of_inputs(
        OPTIONS, given=["qdrant_prevent_mesures", "qdrant_prevent_xyz"], known=["qdrant_prevent_measures"], where="here"
    )
    assert "did you mean qdrant_prevent_measures?" in faults[0]
    assert "remove it" in faults[1]


def done(**more: Any) -> dict[str, Any]:
    return {"changed": True, "failed": False, **more}


def test_the_table_says_what_was_what_is_and_when() -> None:
    made = plan(info())
    definition = done(registered=True, task_definition_arn="arn:aws:ecs:us-west-2:1:task-definition/s:8")
    result = make_result({"plan": made, "steps": {"rollout": done(), "drain": done(), "definition": definition}})
    head, *lines = result["summary"]
    assert head == "s (dev): 2 measure(s) changed, 2 for the next deployment to take."
    table = [[cell.strip() for cell in line.split("|")] for line in lines if "|" in line]
    assert table[:3] == [
        ["measure", "was", "now", "state"],
        ["exclusive rollout", "100/200 %, zone rebalancing on", "0/100 %, zone rebalancing off", "changed, in effect"],
        ["deregistration delay", "300 s", "10 s", "changed, in effect"],
    ]
    assert ["stop time-out", "30 s (Fargate's default)", "120 s", "waits in s:8 for the next deployment"] in table
    assert ["health check", "-", "-", "off"] in table
    assert list(CANNOT) == lines[-2:]
    assert any("write the same into that file" in line for line in lines)
    needed = {row["name"] for row in result["measures"] if row["deployment_needed"]}
    assert needed == {"stop_timeout", "entry_point"}


def test_a_failure_is_the_headline_and_what_was_not_reached_stays_as_it_was() -> None:
    made = plan(info())
    failure = {"task": "Have the load balancer let go", "msg": "Could not set it."}
    result = make_result({"plan": made, "steps": {"rollout": done(), "drain": {"failed": True}}, "failure": failure})
    assert result["failed"]
    assert result["summary"][0] == "s (dev): it failed at 'Have the load balancer let go': Could not set it."
    rows = {row["name"]: (row["state"], row["now"]) for row in result["measures"]}
    assert rows["exclusive_rollout"][0] == "changed"
    assert rows["deregistration_delay"] == ("not_reached", "300 s")
    assert rows["stop_timeout"][0] == "not_reached"
    assert any("it does the rest" in line for line in result["summary"])


def test_nothing_to_do_is_said_and_what_waits_with_it() -> None:
    made = plan(info())
    waits = {"changed": False, "registered": False, "task_definition_arn": "arn:aws:ecs:x:1:task-definition/s:8"}
    steps = {"rollout": {"changed": False}, "drain": {"changed": False}, "definition": waits}
    assert make_result({"plan": made, "steps": steps})["summary"][0] == (
        "s (dev): nothing to do. 2 measure(s) wait for the next deployment."
    )
