# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The invariants: what must hold after a disturbed run, after the undisturbed one, and at every moment between.

Each function returns a sentence for each one that is broken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from chaos.playbook_orders import FAMILY, Order
from chaos.playbook_runs import Played
from chaos.playbook_worlds import State

# A fault that may keep a run from putting the service back, so that only the next run can.
_BARS_RESTORING = ("access_denied", "expired", "raise_count", "autoscaler")
# Of an API fault this often botocore's own attempts get the better.
_PASSES = 5
_SAYS_RESTORED = re.compile(r"service is restored|Nothing was changed|Nothing was done|Nothing to do", re.IGNORECASE)
_SAYS_WHAT_IS_LEFT = re.compile(r"Run this again|left stopped|next run|put back|restor", re.IGNORECASE)
_LOCK_NAMES = ("LOCK", "*.lock", "data.mdb.lock")


def of_a_killed_run(order: Order, *, found: State, now: State, tasks: Iterable[Mapping[str, Any]]) -> list[str]:
    """After its controller was killed alone, or was told to end: the service is no worse than it was found."""
    broken = _cleaners(tasks)
    if any(_bars_restoring(fault.kind, fault.settings) for fault in order.faults):
        return broken
    if order.variables.get("qdrant_unlock_on_failure") == "leave_stopped" and now.desired == 0:
        return broken
    return broken + _difference(
        found, now, f"after {order.kill.how if order.kill else 'the kill'} the service is worse"
    )


def of_an_ended_run(
    order: Order, played: Played, *, found: State, now: State, wrote: bool, tasks: Iterable[Mapping[str, Any]]
) -> list[str]:
    """After a disturbed run that ended by itself: it said how, and what it said is true."""
    broken: list[str] = []
    if "Traceback (most recent call last)" in played.output:
        broken.append("the disturbed run printed a traceback")
    if played.code == 0:
        return (
            broken + _cleaners(tasks) + _difference(found, now, "the disturbed run succeeded, but the service differs")
        )
    if played.code < 0:
        return [*broken, f"nobody killed the disturbed run, and it ended by {played.how}"]
    if len(re.findall(r"msg: *\S", played.text)) == 0 and "[ERROR]: " not in played.text:
        broken.append("the disturbed run failed without a message")
    if _SAYS_RESTORED.search(played.text) and not order.raises_the_count():
        broken += _cleaners(tasks) + _difference(found, now, "the disturbed run said that nothing is left, but")
    elif wrote and not _SAYS_WHAT_IS_LEFT.search(played.text):
        broken.append("the disturbed run failed and did not say what is left")
    return broken


def of_the_end(
    *, found: State, now: State, healthy: bool, points: dict[str, int] | str, seeded: Mapping[str, int],
    tasks: Iterable[Mapping[str, Any]],
) -> list[str]:  # fmt: skip
    """After the undisturbed run."""
    broken = _cleaners(tasks)
    wanted = max(1, found.desired)
    if now.desired != wanted:
        broken.append(f"in the end the desired count is {now.desired}, not {wanted}")
    if now.scaling != found.scaling:
        broken.append(f"in the end autoscaling is {now.scaling}, not {found.scaling}")
    if now.delay != found.delay:
        broken.append(f"in the end the deregistration delay is {now.delay}, not {found.delay}")
    if now.tags:
        broken.append(f"in the end there are still the tags {list(now.tags)}")
    if not healthy:
        broken.append("in the end the service is not healthy")
    if points != dict(seeded):
        broken.append(f"in the end the points are {points}, not {dict(seeded)}")
    return broken


def of_witness(
    seen: Mapping[str, Any], *, calls: Sequence[Mapping[str, Any]], raised: bool, may_delete_held: bool
) -> list[str]:
    """At every moment of both runs, whose calls these are. `raised`: somebody else started the service meanwhile."""
    broken: list[str] = []
    began = next((call["at"] for call in calls if call["writes"]), None)
    ours = _started_by_us(seen, calls)
    for overlap in seen["overlaps"]:
        started, beside = overlap["started"], overlap["beside"]
        if began is None or overlap["at"] < began:
            continue
        roles = {started["role"]} & {"store", "cleaner"} and {other["role"] for other in beside} & {"store", "cleaner"}
        if raised and "store" in {started["role"], *roles}:
            continue
        if started["role"] == "store" and "cleaner" not in roles and started["task"] not in ours:
            continue
        if roles:
            others = ", ".join(f"{other['role']} {other['task']}" for other in beside)
            broken.append(f"a {started['role']} ({started['task']}) started beside {others}")
    if seen["removed_while_held"] and not may_delete_held:
        broken.append(f"removed while held: {seen['removed_while_held']}")
    if seen["changed_by_cleaner"]:
        broken.append(f"changed by a cleaner: {seen['changed_by_cleaner']}")
    lost = [path for path in seen["vanished"] if not _is_lock(path)]
    if lost:
        broken.append(f"vanished while a cleaner ran, and no lock files: {lost}")
    return broken


def _started_by_us(seen: Mapping[str, Any], calls: Iterable[Mapping[str, Any]]) -> set[str]:
    """The first task of the store after each call that starts the service.

    That a task which crashes is followed by another one while a container of it still runs is ECS's own doing, and goes
    on as it did before where a run has put a service back that it could not mend.
    """
    starts = sorted((task["started"], task["task"]) for task in seen["tasks"] if task["role"] == "store")
    ours: set[str] = set()
    for call in calls:
        took_effect = call["fault"] not in ("kill_before", "reset_before") and (call["status"] or 200) < 400
        if call["operation"] == "UpdateService" and call["params"].get("desiredCount") != 0 and took_effect:
            ours |= {task for _started, task in [start for start in starts if start[0] >= call["at"]][:1]}
    return ours


def _bars_restoring(kind: str, settings: Mapping[str, Any]) -> bool:
    often = settings.get("count")
    api = kind in ("throttle", "error", "reset_before", "reset_after")
    return kind in _BARS_RESTORING or (api and (often is None or often > _PASSES))


def _difference(found: State, now: State, text: str) -> list[str]:
    """The desired count may also be what a run leaves when it has done its work."""
    if now.desired in {found.desired, max(1, found.desired)} and (now.scaling, now.delay, now.tags) == (
        found.scaling,
        found.delay,
        (),
    ):
        return []
    return [f"{text}: found {found.told()}; now {now.told()}"]


def _cleaners(tasks: Iterable[Mapping[str, Any]]) -> list[str]:
    return [
        f"the cleaner {task['id']} is alive ({task['last_status']})"
        for task in tasks
        if task["family"].startswith(FAMILY) and any(run["last_status"] != "STOPPED" for run in task["containers"])
        and task["last_status"] not in ("STOPPED", "DEPROVISIONING")
    ]  # fmt: skip


def _is_lock(path: str) -> bool:
    return any(PurePosixPath(path).match(pattern) for pattern in _LOCK_NAMES)
