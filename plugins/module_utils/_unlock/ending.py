# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run ended, in words: an ending each for one that unlocked, failed, was refused, had nothing to do, and so on.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Ending", "Facts", "ending_of", "interrupted"]

GOOD, BAD, WARN, NEUTRAL = "good", "bad", "warn", "neutral"
# Where the message of a cleaner that failed turns to its log.
_OF_ITS_LOG = re.compile(r" Exit code \d+: the program's own\.|\nLast ")
_UNTOUCHED = "Untouched: this run removed nothing from the store."
_NOT_LOCKS = "No file but lock files was touched, but the points were not counted at the end."


@dataclass(frozen=True)
class Ending:
    """`summary` is what the terminal says. `headline`, `data` and `next` answer, in this order, what happened, whether
    the data is whole, and what to do."""

    outcome: str
    tone: str
    headline: str
    data: str
    next: Sequence[str]
    summary: Sequence[str]


@dataclass(frozen=True)
class Facts:
    """What an ending is made of. `data` and `whole` say how the points compare; `locks` are the sentences on them."""

    service: str
    environment: str
    plan: Mapping[str, Any]
    failure: Mapping[str, Any] | None = None
    refused: bool = False
    unfinished: bool = False
    restore: Mapping[str, Any] | None = None
    restore_failure: Mapping[str, Any] | None = None
    left_stopped: bool = False
    quiesce: Mapping[str, Any] | None = None
    inspect: bool = False
    check: bool = False
    registered: bool = False
    cleaned: bool = False
    removed: int | None = 0
    held: int = 0
    failed_tasks: int = 0
    exit_code: str | None = None
    locks: Sequence[str] = field(default_factory=list)
    data: str = ""
    whole: bool | None = None
    counted: bool = False
    downtime: str | None = None
    diagnosis: Mapping[str, Any] | None = None
    release: Mapping[str, Any] | None = None
    retreat: Mapping[str, Any] | None = None

    @property
    def name(self) -> str:
        return f"{self.service} ({self.environment})"

    @property
    def why(self) -> str:
        return "; ".join(str(reason) for reason in self.plan.get("why") or [])

    @property
    def look(self) -> str:
        return f"playbooks/diagnose.yml -e env={self.environment}"


def ending_of(facts: Facts) -> Ending:
    """The one ending that fits."""
    for fits, made in (
        (facts.refused, _refused),
        (facts.failure is not None, _failed),
        (facts.restore_failure is not None, _healthy_but_not_restored),
        (facts.unfinished, _unfinished),
        (facts.plan.get("restore_only"), _tidied),
        (facts.inspect, _inspected),
        (not facts.plan.get("needed"), _nothing_to_do),
        (facts.check, _check),
        (facts.plan.get("part") == "stop", _stopped),
    ):
        if fits:
            return made(facts)
    return _unlocked(facts)


def _unlocked(facts: Facts) -> Ending:
    headline = f"{facts.name} is healthy again."
    if facts.release:
        headline = f"{facts.name} is healthy, and has {facts.release['name']}."
    if facts.whole:
        tone, then = GOOD, ["Nothing has to be done now."]
    elif facts.whole is False:
        tone = WARN
        then = [
            "Find out who wrote to the store, before somebody relies on it: the numbers are in the table of points.",
            "If points are missing that nobody has removed, restore the collection from a snapshot.",
        ]
    elif facts.counted:
        tone = GOOD
        then = ["Compare the counts with what you expect. From now on, runs compare with those of this one."]
    else:
        tone = GOOD
        then = ["Ask Qdrant itself whether the data is whole, or set qdrant_unlock_qdrant_url to have it counted."]
    then.append(
        f"To keep the locks from coming back: playbooks/prevent.yml -e env={facts.environment} sets the service up so"
        " that no second task starts beside the first. With --check it only says what it would change."
    )
    summary = [headline, *facts.locks, facts.data]
    if facts.release:
        then.append(f"What it had before the release was {facts.release['previous']}.")
    if facts.downtime:
        summary.append(facts.downtime)
    return Ending("unlocked", tone, headline, facts.data, then, summary)


def _stopped(facts: Facts) -> Ending:
    headline = f"{facts.name} is stopped, and stays so until it is started."
    summary = [headline, "Nothing was removed from the store. Nobody watches the service from now on."]
    if facts.release:
        summary.append(f"It will be started with {facts.release['name']}.")
    start = f"tasks_from: start, or playbooks/unlock.yml -e env={facts.environment}, starts it"
    summary.append(f"When it has been stopped for long enough, {start}.")
    then = ["Do what it was stopped for.", f"{start[:1].upper()}{start[1:]}."]
    return Ending("stopped", NEUTRAL, headline, _UNTOUCHED, then, summary)


def _failed(facts: Facts) -> Ending:
    failure = facts.failure or {}
    headline = f"The unlock FAILED at: {failure.get('task') or 'a step'}."
    restored = _restored_sentence(facts)
    if facts.retreat:
        restored = f"{facts.retreat['said']} {restored}"
    told = str(failure.get("msg") or "No message was given.")
    if facts.exit_code and facts.removed is not None:
        # The cleaner's report was read, and is told lock by lock: not as raw lines of its log as well.
        told = _OF_ITS_LOG.split(told, maxsplit=1)[0]
    summary = [headline, told, restored]
    if facts.exit_code:
        summary.insert(1, facts.exit_code)
    if facts.cleaned:
        summary[-1:-1] = facts.locks
    if facts.retreat and facts.counted:
        summary.append(facts.data)
    then = []
    if facts.held:
        then.append(
            "Find who holds the locks that are named, and end it; or wait some minutes until the lease of a dead"
            " client has ended."
        )
    elif facts.failed_tasks:
        then.append(
            "Mend what made the new tasks fail: their reasons and last lines are in the report, under Deployment."
        )
    elif facts.diagnosis and _names_a_cause(facts.diagnosis):
        then.append(str(facts.diagnosis["next"]))
    then.append(f"See what is wrong now: {facts.look} reads only.")
    if facts.retreat and facts.retreat.get("action") in ("stop", "stay"):
        then.append(str(facts.retreat["said"]))
    then.append(
        "When the cause is gone, run the unlock again"
        + (": it finishes this one." if facts.left_stopped or facts.restore_failure else ".")
    )
    return Ending("failed", BAD, headline, _data_of_a_failure(facts), then, summary)


def _names_a_cause(diagnosis: Mapping[str, Any]) -> bool:
    """Whether the diagnosis from before the run has a next step that was not this very unlock."""
    verdict = str(diagnosis.get("verdict"))
    return bool(diagnosis.get("next")) and "lock" not in verdict and verdict not in ("healthy", "stopped_by_hand")


def _data_of_a_failure(facts: Facts) -> str:
    if facts.counted:
        return facts.data
    if not facts.cleaned:
        return _UNTOUCHED
    if facts.removed is None:
        return f"{_NOT_LOCKS} How many of them were removed is not known."
    return _NOT_LOCKS if facts.removed else _UNTOUCHED


def _restored_sentence(facts: Facts) -> str:
    count = facts.plan.get("desired_count_before")
    quiesce = facts.quiesce
    if facts.restore_failure:
        return (
            f"Restoring failed too: {facts.restore_failure.get('msg')} The service may still be stopped. Run this"
            f" again: the tags on the service say where it was (desired count {count})."
        )
    if facts.left_stopped:
        why = "" if (facts.retreat or {}).get("action") == "stop" else ", as qdrant_unlock_on_failure says"
        return (
            f"The service is left stopped (desired count 0){why}; its tags are kept, so that the next run finishes this"
            " one."
        ) + _other_way(facts)
    if facts.restore and facts.restore.get("started_at"):
        return f"The service is restored: desired count {count}, autoscaling and tags as they were."
    if quiesce and quiesce.get("failed"):
        if "claimed" not in quiesce:
            return (
                "How far it had come is not known. What it had changed is put back when this playbook has ended, or by"
                " running it again."
            )
        if quiesce.get("changed") and not quiesce["claimed"]:
            return "Nothing but a tag was left on the service; the next run removes it."
    if facts.registered:
        return "Nothing had been changed, but the cleaner's task definition was registered: the next run uses it."
    return "Nothing had been changed."


def _other_way(facts: Facts) -> str:
    """How a service that is left stopped in a release is started as it was."""
    release = facts.release
    if not release or release["previous"] == release["name"] or facts.retreat:
        return ""
    return (
        f" That one starts {release['name']}, unless it is told otherwise:"
        f" -e qdrant_unlock_task_definition={release['previous']} is what the service had before."
    )


def _refused(facts: Facts) -> Ending:
    said = str((facts.failure or {}).get("msg") or "It stopped without a message.")
    summary = [said] if said.endswith("Nothing was changed.") else [said, "Nothing was changed."]
    headline = f"Nothing was done: the unlock of {facts.name} stopped before it had changed anything."
    then = [
        "Do what the message says, then run the unlock again.",
        f"For the service's state: {facts.look} reads only.",
    ]
    return Ending("refused", BAD, headline, _UNTOUCHED, then, summary)


def _healthy_but_not_restored(facts: Facts) -> Ending:
    failure = facts.restore_failure or {}
    then = "Run this again: it puts back what is left, and leaves the healthy service alone."
    headline = f"{facts.name} is healthy, but not all that the run had changed could be put back (tags, autoscaling)"
    summary = [f"{headline}: {failure.get('msg')}", then, facts.data]
    return Ending("failed", WARN, f"{headline}.", facts.data, [then], summary)


def _unfinished(facts: Facts) -> Ending:
    headline = f"The unlock of {facts.name} has not come to its end: it is at work, or it was killed."
    then = [
        "If its playbook still runs, wait for it: this page is written anew at its end.",
        "If it does not, run the unlock again. It finds on the service what was left to be done, and finishes it.",
    ]
    data = "Not known yet: the points are counted at the end."
    return Ending("unfinished", WARN, headline, data, then, [headline])


def interrupted(result: Mapping[str, Any], said: Sequence[str]) -> dict[str, Any]:
    """The result of a run that never came to its end, by what was known before it and what the watchdog said then."""
    name = f"{result.get('service')} ({result.get('environment')})"
    headline = f"The unlock of {name} was interrupted."
    then = [
        f"See what state the service is in: playbooks/diagnose.yml -e env={result.get('environment')} reads only.",
        "Run the unlock again: it finishes what is left, or says that there is nothing to do.",
    ]
    verdict = {
        "tone": BAD,
        "headline": headline,
        "data": "Not verified: the run ended before the points were counted.",
        "next": then,
    }
    lines = [headline, *said]
    return {**result, "outcome": "interrupted", "summary": lines, "lines": lines, "verdict": verdict}


def _tidied(facts: Facts) -> Ending:
    said = (
        f"{facts.name} is healthy; the unlock {facts.plan.get('run_id')} had not been finished, and what it had left"
        " behind (tags, autoscaling) was put back. Nothing was stopped."
    )
    headline = f"{facts.name} is healthy; what an unfinished unlock had left behind was put back."
    return Ending("restored", GOOD, headline, _UNTOUCHED, ["Nothing has to be done."], [said])


def _inspected(facts: Facts) -> Ending:
    then = (
        [f"To remove those that are stale: playbooks/unlock.yml -e env={facts.environment}, if the service needs it."]
        if facts.locks
        else []
    )
    if facts.held:
        then.insert(0, "A lock that is held belongs to a process that lives, or to a dead client's lease.")
    headline = facts.locks[0].split(". ")[0].rstrip(".") + "." if facts.locks else "The locks were looked at."
    return Ending("inspected", NEUTRAL, headline, _UNTOUCHED, then, facts.locks)


def _nothing_to_do(facts: Facts) -> Ending:
    said = f"Nothing to do: {facts.name}: {facts.why}. Nothing was changed."
    headline = f"Nothing to do: {facts.name} is healthy."
    then = [
        "Nothing has to be done. If clients see errors all the same, the cause is elsewhere:"
        f" {facts.look} says what it finds.",
    ]
    return Ending("nothing_to_do", GOOD, headline, _UNTOUCHED, then, [said])


def _check(facts: Facts) -> Ending:
    said = (
        f"Check mode: {facts.name} would be stopped, its locks cleared and started again with desired count"
        f" {facts.plan.get('desired_count_after')}, because {facts.why}. Nothing was changed."
    )
    headline = f"Check mode: {facts.name} would be stopped, cleared and started again. Nothing was changed."
    if facts.plan.get("part") == "stop":
        headline = f"Check mode: {facts.name} would be stopped. Nothing was changed."
        said = f"Check mode: {facts.name} would be stopped, because {facts.why}. Nothing was changed."
    return Ending("check", NEUTRAL, headline, _UNTOUCHED, ["If that is what you want, run it without --check."], [said])
