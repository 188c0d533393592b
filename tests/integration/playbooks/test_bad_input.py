# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input: one sentence that names the thing and says what to do, a non-zero exit, and nothing changed in AWS."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.playbooks.operators import Operator

from sandbox.client import Sandbox

AT_SANDBOX: list[tuple[dict[str, Any], str]] = [
    # variables, what the sentence says
    ({"qdrant_unlock_clustr": "x"}, "qdrant_unlock_clustr is not a variable of this role: did you mean"),
    ({"qdrant_unlock_cluster": ""}, "qdrant_unlock_cluster is not set: set it for the environment bad"),
    ({"qdrant_unlock_lock_patterns": ["*"]}, "The lock pattern '*' could match a file that Qdrant"),
    ({"qdrant_unlock_lock_patterns": ["a/b.lock"]}, "has a slash: patterns match file names only"),
    ({"qdrant_unlock_lock_patterns": ["it's.lock"]}, "use letters, digits, and . _ - * ? [ ] ! only"),
    ({"qdrant_unlock_timeouts": {"redeploy": -5}}, "qdrant_unlock_timeouts.redeploy is -5"),
    ({"qdrant_unlock_held_timeout": -1}, "qdrant_unlock_held_timeout is -1: give a whole number of at least 0"),
    ({"qdrant_unlock_cluster": "no-such-cluster"}, "no-such-cluster"),
    ({"qdrant_unlock_service": "wwhd-backnd"}, "wwhd-backnd"),
    (
        {"qdrant_unlock_subnets": ["subnet-0bad0bad"]},
        "subnet subnet-0bad0bad of the inventory does not exist in us-west-2",
    ),
    (
        {"qdrant_unlock_security_groups": ["sg-0bad0bad"]},
        "security group sg-0bad0bad of the inventory does not exist",
    ),
    (
        {"qdrant_unlock_task_role_arn": "arn:aws:iam::018025611404:role/no-such-role"},
        "role no-such-role of the inventory does not exist",
    ),
    ({"qdrant_unlock_log_group": "/no/such/group"}, "log group /no/such/group of the inventory does not exist"),
    (
        {"qdrant_unlock_file_system_id": "fs-0bad"},
        "qdrant_unlock_file_system_id is fs-0bad, but the service's volumes are data",
    ),
    (
        {"qdrant_unlock_health_url": "http://127.0.0.1:9/health"},
        "http://127.0.0.1:9/health cannot be reached from here (connection refused)",
    ),
    (
        {"qdrant_unlock_health_url": "http://no-such-host.invalid/"},
        "The health address http://no-such-host.invalid/ cannot be reached from here",
    ),
    ({"qdrant_unlock_protected": True}, "The environment bad is protected: pass -e confirm=bad"),
    (
        {"qdrant_unlock_held_locks": "maybe"},
        "qdrant_unlock_held_locks must be one of: wait, fail, delete, got: maybe",
    ),
]


def test_bad_input_changes_nothing(operator: Operator, sandbox: Sandbox, tmp_path: Path) -> None:
    """Each in a host of its own, all in one run."""
    hosts = {f"bad{number:02}": variables for number, (variables, _said) in enumerate(AT_SANDBOX)}
    inventory = tmp_path / "bad.yml"
    inventory.write_text(yaml.safe_dump({"local": {"children": {"bad": {"hosts": hosts}}}}))
    played = operator.play(
        "unlock", "-i", "playbooks/inventory", "-i", str(inventory), "-e", "qdrant_unlock_when=always",
        environment={"QDRANT_OPS_SANDBOX": str(sandbox.directory)}, env="bad",
    )  # fmt: skip
    assert played.code != 0
    assert sandbox.writes() == []
    assert "Traceback" not in played.output
    for host, (variables, said) in zip(hosts, AT_SANDBOX, strict=True):
        failures = re.findall(rf"^fatal: \[{host}\]: .*?(?=^\S|\Z)", played.output, re.MULTILINE | re.DOTALL)
        # YAML doubles a quote inside of quotes.
        assert said in " ".join(" ".join(failures).split()).replace("''", "'"), (variables, failures, played.output)
        recap = played.recap(host)
        assert (recap["changed"], recap["unreachable"]) == (0, 0), recap


AWAY = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "example",
}


@pytest.mark.parametrize(
    ("env", "environment", "said"),
    [
        (None, {}, "No environment was given: pass -e env=<one of dev, local>"),
        ("nowhere", {}, "There is no environment nowhere in the inventory: pass -e env=<one of dev, local>"),
        ("all", {}, "There is no environment all in the inventory"),
        ("local", {"QDRANT_OPS_SANDBOX": "/nonexistent"}, "The sandbox does not run: start it with `make sandbox`"),
        ("dev", {}, "Give credentials: AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role"),
        ("dev", {"AWS_PROFILE": "absent"}, "profile"),
        ("dev", AWAY, "EndpointConnectionError"),
    ],
)
def test_a_run_that_cannot_begin_says_why(
    operator: Operator, env: str | None, environment: dict[str, str], said: str
) -> None:
    played = operator.play("unlock", environment=environment, env=env)
    assert played.code != 0
    assert said in played.text, played.output
    assert "Traceback" not in played.output
