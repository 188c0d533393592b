# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the phases of a run register, and a result of each kind that a run can end with."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.ending import interrupted
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.result import make_result

LINES = [
    '{"path":"/a/LOCK","action":"held","why":"waiting for its holder to let go","waiting":true}',
    '{"path":"/a/LOCK","action":"removed","why":""}',
    '{"path":"/b/LOCK","action":"held","why":"another process holds it"}',
    '{"path":"/c\\u000a.lock","action":"kept","why":"it is a link"}',
    '{"note":"find: /x\\udcff: Permission denied"}',
    "sh: out of memory",
    '{"path":"/d.lock","action":"removed","why":"by word","was_held":true}',
    '{"summary":{"run_id":"r","exit_code":3}}',
]


def step(at: int, seconds: float = 1.0, **more: Any) -> dict[str, Any]:
    return {"started_at": f"2026-11-23T12:{at // 60:02}:{at % 60:02}.000Z", "elapsed": seconds, **more}


def wait(lines: list[str], code: int | None) -> dict[str, Any]:
    return step(
        20,
        5.0,
        tasks=[{"task_arn": "arn:task/1", "containers": [{"name": "cleaner", "exit_code": code}]}],
        logs={"cleaner": lines},
    )


def points(**counts: int) -> dict[str, Any]:
    return step(70, 0.5, collections=[{"name": name, "points_count": count} for name, count in counts.items()])


def raw(**changes: Any) -> dict[str, Any]:
    cleaned = wait([LINES[1], LINES[-1]], 0)
    base: dict[str, Any] = {
        "plan": {
            "needed": True,
            "go": True,
            "why": ["0 of 1 run"],
            "run_id": "r",
            "desired_count_before": 1,
            "desired_count_after": 1,
        },
        "phases": {
            "preflight": [step(0, 2.0), {"skipped": True}],
            "quiesce": [step(5, 10.0, changed=True)],
            "guard": [step(16)],
            "clean": [step(18, 0.5, changed=True), step(19, 0.5, changed=True), cleaned],
            "redeploy": [step(26, 40.0, changed=True)],
            "verify": [step(67), step(68), points(docs=240)],
            "restore": [step(71, changed=True)],
        },
        "info": {"diagnosis": {"verdict": "locks_held"}},
        "wait": cleaned,
        "deployment": {"deployment": {"id": "ecs-svc/1"}},
        "health": step(68, attempts=3, successes=3, last={"status": 200}),
        "collections": points(docs=240),
        "asked": True,
        "service": "backend",
        "environment": "dev",
    }
    return {**base, **changes}


DIAGNOSIS = {
    "verdict": "locks_held",
    "summary": "The store cannot open its files: a lock on them is held, or cannot be taken.",
    "evidence": [
        "0 of 1 desired task(s) run.",
        "Task 0f1e2d3c: Essential container in task exited (qdrant exit 101).",
        "qdrant: Service internal error: RocksDB open error: IO error: While lock file:"
        " /qdrant/storage/collections/documents/0/segments/LOCK: Resource temporarily unavailable",
    ],
    "next": "Unlock it: playbooks/unlock.yml.",
}
OPTIONS = {
    "cluster": "wwhd-cluster",
    "region": "us-west-2",
    "service": "wwhd-backend",
    "health_url": "https://ann:secret-word@example.org/health?token=secret-word",
    "qdrant_api_key": "secret-word",
    "lock_patterns": ["LOCK", "*.lock", "data.mdb.lock"],
    "timeouts": {"verify": 60},
    "health_json": {"status": "ok", "token": "secret-word"},
    "confirm": None,
}
REMOVED = [
    json.dumps({"path": f"/collections/documents/0/segments/{n:08x}-4c1e-4b7e/LOCK", "action": "removed", "why": ""})
    for n in range(4)
]


def complete(**changes: Any) -> dict[str, Any]:
    """As `raw`, with all that a real run brings along."""
    lines = [
        LINES[0],
        *REMOVED,
        LINES[1],
        LINES[3],
        json.dumps({"summary": {"run_id": "r", "exit_code": 0, "found": 6, "removed": 5, "held": 0}}),
    ]
    deployment = {
        "deployment": {"id": "ecs-svc/1234567890123456789", "rollout_state": "COMPLETED"},
        "events": [
            {
                "id": "1",
                "created_at": "2026-11-23T12:00:27.100000+00:00",
                "message": "(service b) has started 1 task.",
            },
            {
                "id": "2",
                "created_at": "2026-11-23T12:01:05+00:00",
                "message": "(service b) is steady.",
            },
        ],
        "failures": [],
    }
    base = raw(
        info={"healthy": False, "diagnosis": DIAGNOSIS},
        wait=wait(lines, 0),
        deployment=deployment,
        collections_before={},
        collections=points(conversations=60, documents=240),
        last=json.dumps({"at": "2026-11-22T08:00:00.000Z", "points": {"conversations": 60, "documents": 240}}),
        service="wwhd-backend",
        options=OPTIONS,
        interrupted="/reports/wwhd-backend.dev-unlock-20261123T120000Z-b34f84-interrupted.txt",
    )
    base["plan"] |= {
        "run_id": "unlock-20261123T120000Z-b34f84",
        "why": ["0 of 1 desired task(s) run"],
        "claim": {
            "wwhd.qdrant_ops:claim:unlock-20261123T120000Z-b34f84": "ann@box/4711+12345+0a1b2c3d"
            " since 2026-11-23T12:00:05.000Z until 2026-11-23T13:00:05.000Z"
        },
    }
    base["phases"]["clean"][-1] = base["wait"]
    return {**base, **changes}


def _plan(**changes: Any) -> dict[str, Any]:
    return {**complete()["plan"], **changes}


def _only(*names: str) -> dict[str, Any]:
    return {name: results for name, results in complete()["phases"].items() if name in names}


FAILED_TASK = {
    "task_arn": "arn:aws:ecs:us-west-2:018025611404:task/wwhd-cluster/0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "stop_code": "EssentialContainerExited",
    "stopped_reason": "Essential container in task exited",
    "hint": "See the last lines of its log.",
    "containers": [{"name": "qdrant", "exit_code": 101, "logs": ["panicked at storage", "MANIFEST-999999"]}],
}
_HELD = [
    json.dumps({"path": f"/collections/documents/{n}/LOCK", "action": "held", "why": "another process holds it"})
    for n in range(3)
]


def samples() -> dict[str, dict[str, Any]]:
    """A result of each kind, by what it is called here."""
    failure = {"task": "Wait for the cleaner and read its report", "msg": "The task 0f1e ended with exit code 3."}
    held = wait([*_HELD, *REMOVED, LINES[-1]], 3)
    free = [line.replace('"removed"', '"free"') for line in REMOVED]
    looked = wait([*_HELD, *free, LINES[3], LINES[-1]], 0)
    redeploy_failed = {
        **complete()["deployment"],
        "deployment": {"id": "ecs-svc/1", "rollout_state": "FAILED", "rollout_state_reason": "circuit breaker"},
        "failures": [FAILED_TASK],
    }
    untouched = {"wait": {}, "deployment": {}, "health": {}, "collections": {}}
    made = {
        "unlocked": make_result(complete()),
        "up_before": make_result(
            complete(info={"healthy": True}, collections_before=points(conversations=60, documents=240))
        ),
        "data_differs": make_result(complete(collections_before=points(conversations=60, documents=300, gone=7))),
        "not_counted": make_result(complete(collections={}, asked=False)),
        "held": make_result(
            complete(
                failure=failure,
                phases={**_only("preflight", "quiesce", "guard"), "clean": [held], "restore": [step(40, 2.0)]},
                restore=step(40, 2.0),
                **{**untouched, "wait": held},
            )
        ),
        "redeploy_failed": make_result(
            complete(
                failure={"task": "Start the service with a new deployment", "msg": "It ended FAILED."},
                deployment=redeploy_failed, health={}, collections={}, restore=step(80), left_stopped=True,
            )
        ),
        "refused": make_result(
            complete(
                refused=True,
                plan=_plan(needed=True),
                failure={
                    "task": "Refuse what must not be done",
                    "msg": "The environment prod is protected: pass -e confirm=prod to say that you mean it."
                    " Nothing was changed.",
                },
            )
        ),
        "refused_at_once": make_result(
            complete(
                refused=True, plan={}, phases={}, info={},
                failure={"task": "Look at the service", "msg": "Could not describe the service: AccessDenied."},
            )
        ),
        "nothing_to_do": make_result(
            complete(
                plan=_plan(needed=False, go=False, why=["the service is healthy"]), phases=_only("preflight"),
                info={"healthy": True}, **untouched,
            )
        ),
        "check": make_result(complete(check_mode=True, health={}, collections={}, wait={})),
        "inspected": make_result(
            complete(inspect=True, phases=_only("preflight", "clean"), **{**untouched, "wait": looked})
        ),
        "restored": make_result(
            complete(plan=_plan(restore_only=True), phases=_only("preflight", "restore"), **untouched)
        ),
        "not_all_restored": make_result(complete(restore_failure={"msg": "AccessDenied on UntagResource."})),
        "unfinished": make_result(complete(unfinished=True, phases=_only("preflight"), **untouched)),
    }  # fmt: skip
    said = [
        "2026-11-23T12:01:00.000Z wwhd.qdrant_ops: The playbook has ended before its run was over.",
        "2026-11-23T12:01:09.000Z wwhd.qdrant_ops: The service is restored: desired count 1.",
    ]
    return {**made, "interrupted": interrupted(made["unfinished"], said)}
