# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run ends with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.cleaner_log import cleaner_report
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.result import digest, make_result, shown_options
from ansible_collections.wwhd.qdrant_ops.tests.unit.unlock_samples import (
    LINES,
    complete,
    points,
    raw,
    samples,
    step,
    wait,
)


def test_the_cleaners_log_is_read_whatever_else_is_in_it() -> None:
    report = cleaner_report(LINES)
    assert [(f["path"], f["action"]) for f in report["files"]] == [
        ("/a/LOCK", "removed"),
        ("/b/LOCK", "held"),
        ("/c\n.lock", "kept"),
        ("/d.lock", "removed"),
    ]
    assert report["waited"] == ["/a/LOCK"]
    assert report["summary"] == {"run_id": "r", "exit_code": 3}
    assert report["notes"] == ["find: /x\\xff: Permission denied", "sh: out of memory"]
    assert cleaner_report(["", "5", "null", '["path"]'])["files"] == []


def test_a_good_run() -> None:
    result = make_result(raw(collections_before=points(docs=240)))
    assert result["outcome"] == "unlocked"
    assert result["changed"] is True
    assert result["summary"] == [
        "backend (dev) is healthy again.",
        "1 lock file removed.",
        "The data is whole: 240 points in 1 collection, the same as before the run.",
        "It was down before; from its stop to verified health this run took 64 s.",
    ]
    assert [(p["name"], p["seconds"]) for p in result["phases"]] == [
        ("preflight", 2.0), ("quiesce", 10.0), ("guard", 1.0), ("clean", 7.0), ("redeploy", 40.0), ("verify", 3.5),
        ("restore", 1.0),
    ]  # fmt: skip
    assert result["downtime_seconds"] == 64.0
    assert result["cleaner"]["exit_code"] == 0
    assert result["cleaner"]["task_arn"] == "arn:task/1"
    assert result["verification"]["data_whole"] is True
    json.dumps(result)


@pytest.mark.parametrize(
    ("changes", "said", "whole"),
    [
        ({"collections_before": points(docs=241)}, "differs from before the run: docs: 241 before, 240 now.", False),
        ({"expected": {"docs": None}}, "there was no earlier count to compare with.", None),
        ({"last": "no json"}, "there was no earlier count to compare with.", None),
        ({"expected": {"docs": 240}}, "The data is whole: 240 points in 1 collection, as expected.", True),
        ({"last": {"at": "monday", "points": {"docs": 240}}}, "the same as in the last verified run (monday).", True),
        ({"last": {"at": "mon", "points": {"docs": 9}}}, "the last verified run (mon): docs: 9 before, 240 now.", None),
        ({}, "there was no earlier count to compare with.", None),
        ({"collections": {"skipped": True}, "asked": False}, "set qdrant_unlock_qdrant_url", None),
    ],
)  # fmt: skip
def test_what_is_said_of_the_data(changes: dict[str, Any], said: str, whole: bool | None) -> None:
    result = make_result(raw(**changes))
    assert said in " ".join(result["summary"])
    assert result["verification"]["data_whole"] is whole


@pytest.mark.parametrize(
    ("healthy", "error", "said"),
    [(True, None, "It was down for 64 s."), (True, "503", "It was down before"), (False, None, "It was down before")],
)
def test_what_is_said_of_the_downtime(healthy: bool, error: str | None, said: str) -> None:
    phases = {**raw()["phases"], "preflight": [step(0), step(1, last={"error": error})]}
    assert said in make_result(raw(info={"healthy": healthy}, phases=phases))["summary"][-1]


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"removed": 5}, "5 were removed."),
        ({"removed": 1, "held": 2, "found": 3}, "2 were held and 3 were found."),
        ({"removed": 1, "held": 0, "found": 2}, "2 were found."),
        ({"removed": 1, "held": 0, "found": 1}, ""),
    ],
)
def test_lost_lines_of_the_log_are_told(counts: dict[str, int], said: str) -> None:
    lines = [LINES[1], json.dumps({"summary": {"run_id": "r", "exit_code": 0, **counts}})]
    text = " ".join(make_result(raw(wait=wait(lines, 0)))["summary"])
    assert f"The log lost lines: by the cleaner's own count {said}" in text if said else "lost" not in text


def test_a_line_that_the_log_delivers_twice_counts_once() -> None:
    lines = [LINES[0], LINES[0], LINES[1], LINES[1], LINES[-1], LINES[-1]]
    report = cleaner_report(lines)
    assert [file["path"] for file in report["files"]] == report["waited"] == ["/a/LOCK"]


@pytest.mark.parametrize(
    ("pruned", "said"),
    [
        (None, ""),
        (
            {"folders": 0, "patterns": ["wal"]},
            "No folder was called wal, so qdrant_unlock_prune_patterns left nothing out.",
        ),
        ({"folders": 1, "patterns": ["wal"]}, "1 folder was not looked into, being called wal,"),
        ({"folders": 7, "patterns": ["wal", "snap*"]}, "7 folders were not looked into, being called wal or snap*,"),
    ],
)
@pytest.mark.parametrize("inspect", [True, False])
def test_folders_that_were_left_out_are_told(pruned: dict[str, Any] | None, said: str, inspect: bool) -> None:
    progress = json.dumps({"progress": "looking for 10 s, lock files so far: 0, now in /a"})
    more = {} if pruned is None else {"pruned": pruned}
    lines = [
        progress,
        LINES[1],
        json.dumps({"summary": {"run_id": "r", "exit_code": 0, "removed": 1, "found": 1, **more}}),
    ]
    result = make_result(raw(wait=wait(lines, 0), inspect=inspect))
    text = " ".join(result["summary"])
    assert said in text if said else "looked into" not in text
    assert result["cleaner"]["notes"] == []


def test_a_name_that_is_no_text_breaks_nothing() -> None:
    """Two such names stay two, and the result can be printed and stored as UTF-8."""
    lines = [f'{{"path":"/\\udc{byte}.lock","action":"kept","why":"it is a link"}}' for byte in ("80", "ff")]
    result = make_result(raw(wait=wait([*lines, LINES[-1]], 0)))
    assert [lock["path"] for lock in result["locks"]["kept"]] == [r"/\x80.lock", r"/\xff.lock"]
    json.dumps(result, ensure_ascii=False).encode()


def test_a_cleaner_that_was_stopped_is_explained() -> None:
    text = " ".join(failed(wait=wait(LINES, 143))["summary"])
    assert "exit code 143: it was told to stop before it had looked at everything" in text


def test_nothing_to_do() -> None:
    result = make_result(
        raw(plan={"needed": False, "why": ["the service is healthy"]}, phases={"preflight": [step(0)]}, wait={})
    )
    assert result["outcome"] == "nothing_to_do"
    assert result["changed"] is False
    assert result["summary"] == ["Nothing to do: backend (dev): the service is healthy. Nothing was changed."]


def test_check_mode_says_would() -> None:
    result = make_result(raw(check_mode=True))
    assert result["outcome"] == "check"
    assert "would be stopped" in result["summary"][0]


def failed(**changes: Any) -> dict[str, Any]:
    return make_result(raw(failure={"task": "Wait for the cleaner", "msg": "It ended with 3."}, **changes))


def test_held_locks_fail_with_their_names_and_the_way_on() -> None:
    result = failed(wait=wait(LINES, 3), restore=step(80))
    text = " ".join(result["summary"])
    assert result["outcome"] == "failed"
    assert text.startswith(
        "The unlock FAILED at: Wait for the cleaner. The cleaner ended with exit code 3: locks are still held."
    )
    assert "1 held and left alone: /b/LOCK." in text
    assert (
        "2 lock files removed (1 of them held, by explicit word) (1 of them only after the holder had let go), 1 kept."
        in text
    )
    assert "qdrant_unlock_held_locks=delete" in text
    assert text.endswith("The service is restored: desired count 1, autoscaling and tags as they were.")
    assert [lock["path"] for lock in result["locks"]["held"]] == ["/b/LOCK"]
    assert result["downtime_seconds"] is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"left_stopped": True}, "left stopped (desired count 0)"),
        (
            {"restore_failure": {"msg": "denied."}},
            "Restoring failed too: denied. The service may still be stopped.",
        ),
        ({"restore": {"skipped": True}}, "Nothing had been changed."),
        ({"phases": {"quiesce": [{"failed": True, "claimed": False}]}}, "Nothing had been changed."),
        ({"phases": {"quiesce": [{"failed": True, "claimed": False, "changed": True}]}}, "Nothing but a tag was left"),
        (
            {"phases": {"preflight": [{"changed": True}], "quiesce": [{"failed": True, "claimed": False}]}},
            "but the cleaner's task definition was registered",
        ),
        ({"phases": {"quiesce": [{"failed": True, "msg": "MODULE FAILURE"}]}}, "How far it had come is not known."),
        ({"wait": wait([], 0), "restore": step(80)}, "The cleaner's report did not arrive"),
    ],
)
def test_a_failure_says_what_state_is_left(changes: dict[str, Any], said: str) -> None:
    assert said in " ".join(failed(**changes)["summary"])


def test_a_restore_that_fails_after_a_good_run_is_a_failure() -> None:
    result = make_result(raw(restore_failure={"msg": "denied."}))
    assert result["outcome"] == "failed"
    assert "is healthy, but not all that the run had changed could be put back" in result["summary"][0]


def test_a_run_that_only_tidies_says_so() -> None:
    result = make_result(raw(plan={"needed": True, "go": True, "restore_only": True, "run_id": "r"}, wait={}))
    assert result["outcome"] == "restored"
    assert "Nothing was stopped." in result["summary"][0]


def test_a_warning_of_the_restore_is_told() -> None:
    assert "it may rise" in make_result(raw(restore=step(80, warnings=["it may rise"])))["summary"]


def test_inspection() -> None:
    lines = ['{"path":"/a/LOCK","action":"free","why":"nobody holds it"}', LINES[2], LINES[3], LINES[-1]]
    result = make_result(raw(inspect=True, wait=wait(lines, 0)))
    assert result["outcome"] == "inspected"
    assert result["summary"] == [
        "3 lock files found: 1 held, 1 free, 1 not lock files by the rule. "
        "Nothing in the store was changed, and nothing was stopped."
    ]


def test_who_ran_it_and_how_without_secrets() -> None:
    result = make_result(complete())
    assert result["by"] == "ann@box/4711"
    assert result["options"]["qdrant_api_key"] == "***"
    assert result["options"]["health_url"] == "https://***@example.org/health?token=***"
    assert result["options"]["health_json"] == {"status": "ok", "token": "***"}
    assert result["options"]["timeouts"] == {"verify": 60}
    assert "confirm" not in result["options"]
    assert "secret-word" not in json.dumps(result)


@pytest.mark.parametrize("name", ["aws", "api_key", "session_token", "url_password", "headers", "client_secret"])
def test_a_variable_that_may_be_a_secret_is_hidden_by_its_name(name: str) -> None:
    assert "s3cret" not in json.dumps(shown_options({name: "s3cret", "list": ["http://a:s3cret@b/"], "count": 3}))


def test_the_report_has_the_events_the_failures_and_the_log() -> None:
    result = make_result(complete())
    assert [event["message"] for event in result["deployment_events"]] == [
        "(service b) has started 1 task.", "(service b) is steady.",
    ]  # fmt: skip
    assert len(result["cleaner"]["log"]) == 8
    assert result["verification"]["points_last"]["points"] == {"conversations": 60, "documents": 240}
    failure = samples()["redeploy_failed"]["deployment_failures"][0]
    assert failure["containers"][0]["logs"] == ["panicked at storage", "MANIFEST-999999"]


def test_a_long_log_loses_its_middle_only() -> None:
    lines = [f"line {n}" for n in range(5000)]
    log = make_result(complete(wait=wait(lines, 0)))["cleaner"]["log"]
    assert (log[0], log[-1], len(log)) == ("line 0", "line 4999", 401)
    assert "... 4600 lines left out ..." in log


def test_a_lock_whose_holder_let_go_is_marked() -> None:
    locks = make_result(raw(wait=wait(LINES, 0)))["locks"]
    assert [(lock["path"], lock["waited"]) for lock in locks["removed"]] == [("/a/LOCK", True), ("/d.lock", False)]


def test_the_digest_is_short_however_much_there_was() -> None:
    lines = [json.dumps({"path": f"/{n}/LOCK", "action": "removed"}) for n in range(500)]
    result = make_result(complete(wait=wait([*lines, LINES[-1]], 0)))
    short = digest(result)
    assert short["locks"] == {"found": 500, "removed": 500, "held": 0, "kept": 0}
    assert short["started"] == "2026-11-23T12:00:00.000Z"
    assert len(json.dumps(short)) < 1000
