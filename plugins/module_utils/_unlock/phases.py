# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When each phase of a run began and how long it took, and for how long the service was down.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

__all__ = ["PHASES", "downtime", "downtime_sentence", "moment", "outage", "phases_of", "ran", "was_up"]

PHASES = ("preflight", "quiesce", "guard", "clean", "redeploy", "verify", "restore")


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def ran(results: Iterable[Mapping[str, Any] | None]) -> list[Mapping[str, Any]]:
    """The results of tasks that really ran: a skipped task's has no start."""
    return [result for result in results if result and result.get("started_at")]


def _phase(name: str, results: Iterable[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    done = ran(results)
    if not done:
        return None
    first = moment(done[0]["started_at"])
    last = max(moment(result["started_at"]).timestamp() + float(result.get("elapsed") or 0) for result in done)
    return {"name": name, "started": done[0]["started_at"], "seconds": round(last - first.timestamp(), 1)}


def phases_of(results: Mapping[str, Iterable[Mapping[str, Any] | None]]) -> list[dict[str, Any]]:
    """The phases that ran, in their order."""
    return [phase for phase in (_phase(name, results.get(name) or []) for name in PHASES) if phase]


def downtime(quiesce: Mapping[str, Any] | None, verified: Mapping[str, Any] | None) -> float | None:
    """From the first change of the desired count to the end of the check of the health address: never too short."""
    if not quiesce or not quiesce.get("started_at") or not verified or not verified.get("started_at"):
        return None
    end = moment(verified["started_at"]).timestamp() + float(verified.get("elapsed") or 0)
    return round(max(0.0, end - moment(quiesce["started_at"]).timestamp()), 1)


def was_up(raw: Mapping[str, Any]) -> bool:
    """Whether the service served before the run, by ECS and, where it was asked, by its health address."""
    if not (raw.get("info") or {}).get("healthy"):
        return False
    asked = [result for result in (raw.get("phases") or {}).get("preflight") or [] if result and result.get("last")]
    return not any(result["last"].get("error") for result in asked)


def downtime_sentence(seconds: float, *, was_up: bool) -> str:
    if was_up:
        return f"It was down for {seconds:.0f} s."
    return f"It was down before; from its stop to verified health this run took {seconds:.0f} s."


def outage(
    quiesce: Mapping[str, Any] | None, seconds: float | None, *, up_before: bool, changed: bool
) -> dict[str, Any] | None:
    """While the service was down, as a picture marks it: `started` is None if it was down before the run, `seconds`
    (from the first change of the desired count) None if this run has not seen it healthy again. None if this run has
    stopped nothing."""
    if not quiesce or not quiesce.get("started_at") or not changed:
        return None
    return {
        "started": quiesce["started_at"] if up_before else None,
        "stopped": quiesce["started_at"],
        "seconds": seconds,
    }
