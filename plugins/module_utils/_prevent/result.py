# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of qdrant_prevent came to: a table of the measures in plain words, and what is left to do.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import short_id

__all__ = ["CANNOT", "make_result"]

# What no setting of ECS or EFS can do: said in every run, so that nobody trusts it with more.
CANNOT = (
    "What this cannot fix: EFS keeps the locks of a client that died until its lease ends, and nothing here shortens"
    " that. If it happens, run unlock.yml.",
    "Nor does it make a rolling deployment wait for the old task's end: ECS starts the next task about a second after"
    " it began to stop the old one, so that an old task which takes longer to end than the new one to start (about"
    " 20 s) still meets it. Only a stop of all tasks before the start, as unlock.yml does it, excludes that.",
)
# The step by which a measure is done.
_STEPS = {
    "exclusive_rollout": "rollout",
    "deregistration_delay": "drain",
    "autoscaling": "scaling",
    "access_point": "point",
}
_HEADS = ("measure", "was", "now", "state")


def _done(result: Mapping[str, Any] | None) -> bool:
    """Whether a module has run, and has not failed."""
    return bool(result) and not (result or {}).get("skipped") and not (result or {}).get("failed")


def _row(measure: Mapping[str, Any], steps: Mapping[str, Mapping[str, Any] | None], check: bool) -> dict[str, Any]:
    decision, why = measure["decision"], measure["why"]
    row = {
        "name": measure["name"],
        "title": measure["title"],
        "was": measure["was"],
        "now": measure["wanted"],
        "deployment_needed": False,
    }
    if decision == "off":
        return {**row, "state": "off", "text": "off"}
    if decision == "keep":
        return {**row, "state": "kept", "text": f"already so{f' ({why})' if why else ''}"}
    if decision == "leave":
        return {**row, "state": "left", "text": f"left: {why}"}
    suffix = f" ({why})" if why else ""
    if measure["deployment"]:
        return {**row, **_definition_state(steps, check)}
    if not _done(steps.get(_STEPS[measure["name"]])):
        return {**row, "now": measure["was"], "state": "not_reached", "text": "not reached"}
    done = "made" if measure["name"] == "access_point" else "changed"
    told = f"would be {done}" if check else f"{done}, in effect" if done == "changed" else done
    return {**row, "state": "changed", "text": told + suffix}


def _definition_state(steps: Mapping[str, Mapping[str, Any] | None], check: bool) -> dict[str, Any]:
    definition = steps.get("definition") or {}
    if not _done(definition):
        return {"state": "not_reached", "text": "not reached"}
    revision = short_id(str(definition["task_definition_arn"]))
    if _done(steps.get("deployment")):
        text = f"would be deployed with {revision}" if check else f"changed, deployed with {revision}"
        return {"state": "changed", "text": text}
    verb = "would wait" if check and definition.get("registered") else "waits"
    text = f"{verb} in {revision} for the next deployment"
    return {"state": "waiting", "text": text, "deployment_needed": True}


def _table(rows: Sequence[Mapping[str, Any]], check: bool) -> list[str]:
    heads = (*_HEADS[:2], "would be", _HEADS[3]) if check else _HEADS
    cells = [heads, *((row["title"], row["was"] or "-", row["now"] or "-", row["text"]) for row in rows)]
    widths = [max(len(str(line[column])) for line in cells) for column in range(3)]
    return [
        " | ".join([*(str(cell).ljust(width) for cell, width in zip(line, widths)), str(line[3])]).rstrip()
        for line in cells
    ]


def _next(rows: Iterable[Mapping[str, Any]], raw: Mapping[str, Any], check: bool) -> list[str]:
    if check or not any(row["deployment_needed"] for row in rows):
        return []
    arn = str((raw["steps"].get("definition") or {})["task_definition_arn"])
    return [
        f"Next: {short_id(arn)} waits. The service takes it with the next release, if that deploys this revision; or"
        " now, by -e qdrant_prevent_deploy=true, which ends the running task and starts a new one.",
        "If a pipeline registers the task definition from a file of its own, write the same into that file, or its next"
        f" release takes it away again. The revision: {arn}",
        "The safest way is in the one stop of an unlock, which does not take it by itself: playbooks/unlock.yml with"
        f" -e qdrant_unlock_when=always -e qdrant_unlock_task_definition={short_id(arn)}",
    ]


def _headline(rows: Sequence[Mapping[str, Any]], raw: Mapping[str, Any], changed: bool, check: bool) -> str:
    plan, failure = raw["plan"], raw.get("failure")
    where = f"{plan['service']} ({plan['environment']})"
    if failure:
        return f"{where}: it failed at '{failure['task']}': {failure['msg']}"
    waiting = sum(row["state"] == "waiting" for row in rows)
    done = sum(row["state"] == "changed" for row in rows)
    if not changed:
        rest = f" {waiting} measure(s) wait for the next deployment." if waiting else ""
        return f"{where}: nothing to do.{rest}"
    verb = "would be changed" if check else "changed"
    return f"{where}: {done} measure(s) {verb}, {waiting} for the next deployment to take."


def make_result(raw: Mapping[str, Any]) -> dict[str, Any]:
    """`qdrant_prevent_result`. Keys of `raw`: `plan`; `steps` (rollout, drain, scaling, point, definition,
    deployment: what the modules returned, or nothing); `failure` ({task, msg}, or nothing); `check_mode`."""
    check = bool(raw.get("check_mode"))
    plan: Mapping[str, Any] = raw["plan"]
    steps: Mapping[str, Mapping[str, Any] | None] = raw["steps"]
    rows = [_row(measure, steps, check) for measure in plan["measures"]]
    changed = any((step or {}).get("changed") for step in steps.values())
    lines = _table(rows, check)
    following = _next(rows, raw, check)
    again = ["What was done before that is in the table. Put the cause right and run it again: it does the rest."]
    return {
        "changed": changed,
        "check_mode": check,
        "failed": bool(raw.get("failure")),
        "measures": [{key: value for key, value in row.items() if key != "text"} for row in rows],
        "task_definition_arn": (steps.get("definition") or {}).get("task_definition_arn"),
        "access_point_id": (steps.get("point") or {}).get("access_point_id"),
        "summary": [
            _headline(rows, raw, changed, check),
            *lines,
            *plan.get("warnings", []),
            *(again if raw.get("failure") else following),
            *CANNOT,
        ],
    }
