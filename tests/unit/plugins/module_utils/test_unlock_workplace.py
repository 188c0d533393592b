# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the cleaner works: it mounts, reaches and logs what the service does."""

from __future__ import annotations

from ansible_collections.wwhd.qdrant_ops.tests.unit.plan_facts import HEALTHY, info, plan


def test_the_cleaner_mounts_exactly_what_the_service_mounts_and_no_value_reaches_a_shell() -> None:
    made = plan(lock_patterns=["LOCK", "[a-z]*.lock"])
    definition = made["definition"]
    assert definition["volumes"] == [
        {
            "name": "store",
            "efsVolumeConfiguration": {
                "fileSystemId": "fs-1",
                "rootDirectory": "/",
                "transitEncryption": "ENABLED",
                "authorizationConfig": {"accessPointId": "fsap-1", "iam": "ENABLED"},
            },
        }
    ]
    container = definition["containerDefinitions"][0]
    assert container["command"] == ["sh", "-c", 'exec sh -c "$CLEANER_SCRIPT" cleaner']
    assert container["mountPoints"] == [{"sourceVolume": "store", "containerPath": "/data", "readOnly": False}]
    assert container["logConfiguration"]["options"]["awslogs-group"] == "/ecs/backend"
    assert container["logConfiguration"]["options"]["mode"] == "blocking"
    assert definition["executionRoleArn"].endswith("exec")
    assert definition["taskRoleArn"].endswith("task")
    values = {e["name"]: e["value"] for e in made["overrides"]["containerOverrides"][0]["environment"]}
    assert values["CLEANER_PATTERNS"] == "LOCK\n[a-z]*.lock"
    assert values["CLEANER_HELD_TIMEOUT"] == "180"
    assert values["CLEANER_RUN_ID"] == "unlock-new"


def test_the_definition_does_not_depend_on_the_run() -> None:
    assert (
        plan()["definition"]
        == plan(scan_path="/collections", held_locks="delete", lock_patterns=["x.lock"])["definition"]
    )


def test_inspecting_mounts_read_only_under_a_family_of_its_own() -> None:
    made = plan(info(**HEALTHY), mode="inspect")
    assert made["go"]
    assert made["definition"]["family"] == "clear-qdrant-locks-inspect"
    assert made["definition"]["containerDefinitions"][0]["mountPoints"][0]["readOnly"] is True


def test_only_what_the_service_does_not_use_is_looked_up() -> None:
    same = plan(subnets=["subnet-1"], execution_role_arn="arn:aws:iam::1:role/exec", log_group="/ecs/backend")
    assert same["to_check"] == {"subnets": [], "security_groups": [], "role_names": [], "log_groups": []}
    differs = plan(
        subnets=["subnet-9"], security_groups=["sg-9"], task_role_arn="arn:aws:iam::1:role/path/other", log_group="/x"
    )
    assert differs["to_check"] == {
        "subnets": ["subnet-9"],
        "security_groups": ["sg-9"],
        "role_names": ["other"],
        "log_groups": ["/x"],
    }
