# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's variables: every fault is one sentence that names the variable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.inputs import (
    DEFAULT_TIMEOUTS,
    faults_of_inputs,
    normalised,
    timeouts_of,
)

GOOD: dict[str, Any] = {
    "region": "us-west-2",
    "cluster": "wwhd-cluster",
    "service": "wwhd-backend",
    "lock_patterns": ["LOCK", "*.lock"],
    "scan_path": "/",
    "cpu": 256,
    "memory": 512,
    "held_timeout": 180,
}
SPECS = Path(__file__).resolve().parents[4] / "roles" / "qdrant_unlock" / "meta" / "argument_specs.yml"
KNOWN: dict[str, dict[str, Any]] = yaml.safe_load(SPECS.read_text())["argument_specs"]["main"]["options"]


def faults(**changes: Any) -> list[str]:
    options = {**GOOD, **changes}
    return faults_of_inputs(options, given=[], known=KNOWN, where="for dev in the inventory")


def test_good_variables_have_no_fault() -> None:
    assert faults() == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"region": None}, "qdrant_unlock_region is not set: set it for dev in the inventory."),
        ({"cluster": ""}, "qdrant_unlock_cluster is not set"),
        ({"region": "us west"}, "qdrant_unlock_region is 'us west': give a region"),
        ({"cluster": "a/b"}, "qdrant_unlock_cluster is 'a/b'"),
        ({"service": "a b"}, "qdrant_unlock_service is 'a b'"),
        ({"file_system_id": "fs_1"}, "qdrant_unlock_file_system_id is 'fs_1'"),
        ({"access_point_id": "fs-1"}, "qdrant_unlock_access_point_id is 'fs-1'"),
        ({"execution_role_arn": "my-role"}, "give the ARN of a role"),
        ({"image": "alpine; rm -rf /"}, "qdrant_unlock_image is"),
        ({"family": "a.b"}, "qdrant_unlock_family is 'a.b'"),
        ({"subnets": ["subnet-1", "net-2"]}, "qdrant_unlock_subnets has 'net-2'"),
        ({"security_groups": ["x"]}, "qdrant_unlock_security_groups has 'x'"),
        ({"guard_clusters": ["a b"]}, "qdrant_unlock_guard_clusters has 'a b'"),
        ({"held_timeout": -1}, "qdrant_unlock_held_timeout is -1: give a whole number of at least 0"),
        ({"held_timeout": "soon"}, "qdrant_unlock_held_timeout is 'soon'"),
        ({"desired_count": 0}, "qdrant_unlock_desired_count is 0: give a whole number of at least 1"),
        ({"timeouts": {"redeploy": -5}}, "qdrant_unlock_timeouts.redeploy is -5: give seconds, more than 0"),
        ({"timeouts": {"deploy": 5}}, "has 'deploy', which is no phase with a time-out: use capacity, clean,"),
        ({"timeouts": 5}, "qdrant_unlock_timeouts is 5: give a dictionary"),
        ({"cpu": 300}, "Fargate has 256, 512"),
        ({"memory": 4096}, "qdrant_unlock_memory is 4096: with 256 CPU units Fargate has 512, 1024, 2048 MiB."),
        ({"health_url": "example.org/health"}, "qdrant_unlock_health_url is not an address"),
        ({"health_url": "http://:80/"}, "qdrant_unlock_health_url is not an address"),
        ({"qdrant_url": "http://host:notaport"}, "qdrant_unlock_qdrant_url is not an address"),
        ({"scan_path": "collections"}, "qdrant_unlock_scan_path is 'collections'"),
        ({"scan_path": "/a/../b"}, "without .."),
        ({"scan_path": "/a\nb"}, "qdrant_unlock_scan_path"),
        ({"expected_collections": {"documents": "many"}}, "qdrant_unlock_expected_collections is wrong: "),
        ({"expected_collections": 5}, "qdrant_unlock_expected_collections is 5: give a dictionary"),
        ({"health_json": {"a..b": 1}}, "qdrant_unlock_health_json is wrong: json: "),
        ({"lock_patterns": []}, "qdrant_unlock_lock_patterns is empty"),
        ({"lock_patterns": ["*"]}, "could match a file"),
        ({"prune_patterns": ["segments"]}, "The prune pattern 'segments' could match a folder"),
        ({"prune_patterns": "snapshots,seg*"}, "The prune pattern 'seg*' could match a folder"),
        ({"held_locks": "maybe"}, "qdrant_unlock_held_locks must be one of: wait, fail, delete, got: maybe."),
        ({"mode": ""}, "qdrant_unlock_mode must be one of: unlock, inspect"),
        ({"mode": None}, "qdrant_unlock_mode is empty: give one of unlock, inspect, or leave it out."),
        ({"takeover": "perhaps"}, "argument 'qdrant_unlock_takeover' is of type"),
    ],
)
def test_each_fault_is_one_sentence_that_names_it(changes: dict[str, Any], said: str) -> None:
    found = faults(**changes)
    assert len(found) == 1, found
    assert said in found[0]


def test_what_the_argument_specs_refuse_is_a_fault_and_no_more_than_one() -> None:
    """Playbooks leave their validation out, since this says more."""
    for name, spec in KNOWN.items():
        if spec["type"] in ("bool", "int", "float", "dict") or "choices" in spec:
            found = faults(**{name.removeprefix("qdrant_unlock_"): "no such value"})
            assert len(found) == 1, (name, found)
            assert name in found[0]


def test_a_misspelt_name_is_told_with_the_nearest_one() -> None:
    found = faults_of_inputs(GOOD, given=["qdrant_unlock_clustr", "qdrant_unlock_cluster"], known=KNOWN, where="")
    assert found == ["qdrant_unlock_clustr is not a variable of this role: did you mean qdrant_unlock_cluster?"]
    found = faults_of_inputs(GOOD, given=["qdrant_unlock_zzz"], known=KNOWN, where="")
    assert len(found) == 1
    assert "qdrant_unlock_zzz is not a variable of this role: remove it" in found[0]


def test_texts_of_the_command_line_become_their_own_types() -> None:
    assert normalised(
        {
            "held_timeout": "60",
            "allow_many": "false",
            "takeover": "yes",
            "subnets": "subnet-1,subnet-2",
            "timeouts": {"clean": "5"},
            "log_group": "",
            "cpu": "many",
        }
    ) == {
        "held_timeout": 60,
        "allow_many": False,
        "takeover": True,
        "subnets": ["subnet-1", "subnet-2"],
        "timeouts": {"clean": 5.0},
        "cpu": "many",
    }


def test_timeouts_keep_their_defaults() -> None:
    assert timeouts_of({"timeouts": {"clean": 5}}) == {**DEFAULT_TIMEOUTS, "clean": 5}
