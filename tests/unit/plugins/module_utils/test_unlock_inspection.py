# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of locks that an inspection ends with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock import cleaner_log
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.inspection import inspection_lines

FILE_SYSTEM = "fs-00b8168893587fd61"
VOLUMES = [{"file_system_id": FILE_SYSTEM, "access_point_id": "fsap-1", "root_directory": "/"}]


def lines(*files: tuple[str, str, str], mounts: dict[str, Any] | None = None, whole: bool = True) -> list[str]:
    log = [json.dumps({"path": path, "action": action, "why": why}) for path, action, why in files]
    report = cleaner_log.cleaner_report([*log, *(['{"summary": {}}'] if whole else [])])
    locks = cleaner_log.locks_of(report)
    said = cleaner_log.lock_sentences(locks, report, inspect=True)
    return inspection_lines(locks, report, said=said, mounts=mounts or {}, volumes=VOLUMES)


def mounted(**task: Any) -> dict[str, Any]:
    volume = {"access_point_id": "fsap-1", "root_directory": "/"}
    seen = {"task_arn": "a/t1", "group": "service:backend", "cluster": "c", "last_status": "RUNNING", "live": True}
    return {"file_system_id": FILE_SYSTEM, "clusters": ["c"], "tasks": [{**seen, "volumes": [volume], **task}]}


ONE_OF_EACH = (("/a/LOCK", "held", "another process holds it"), ("/b/LOCK", "free", ""), ("/c.lock", "kept", "a link"))


def test_each_file_stands_under_what_becomes_of_it() -> None:
    assert lines(*ONE_OF_EACH, mounts=mounted()) == [
        "3 lock files found: 1 held, 1 free, 1 not lock files by the rule. Nothing in the store was changed, and "
        "nothing was stopped.",
        "Held: somebody has it open, or a dead client's lease has not ended. An unlock leaves it alone.",
        "   - /a/LOCK (another process holds it)",
        "Free: nobody holds it, so it looks stale. An unlock would remove it.",
        "   - /b/LOCK",
        "No lock by the rule: nothing ever removes it.",
        "   - /c.lock (a link)",
        "Who may hold a lock: the live tasks that mount the file system (clusters looked at: c).",
        f"   - Task t1 (service:backend, RUNNING, cluster c) mounts {FILE_SYSTEM}: the same directory.",
    ]


@pytest.mark.parametrize(
    ("mounts", "told"),
    [
        (
            mounted(live=False),
            "What is held is a dead client's, whose lease has not ended, or that of a machine outside",
        ),
        (mounted(started_by="unlock-20261123T145000Z-abcdef"), "No live task mounts the file system"),
        ({"msg": "Could not list the tasks."}, "Who may hold them could not be read: Could not list the tasks."),
    ],
)
def test_who_may_hold_them(mounts: dict[str, Any], told: str) -> None:
    assert told in lines(*ONE_OF_EACH, mounts=mounts)[-1]


def test_a_long_list_is_cut_and_says_so() -> None:
    found = lines(*((f"/{number}/LOCK", "free", "") for number in range(50)))
    assert found[-1] == "   - and 10 more, in the report"
    assert len(found) == 43


def test_without_a_whole_report_nothing_is_listed() -> None:
    assert lines(*ONE_OF_EACH, whole=False, mounts=mounted()) == [
        "The cleaner's report did not arrive in its log, so the locks cannot be listed."
    ]


def test_where_there_is_no_lock_nobody_is_named() -> None:
    assert len(lines(mounts=mounted())) == 1
