# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unlocks of this collection that are under way on a service, or were left unfinished: read from its tags.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

from datetime import datetime, timezone

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.claims import Claim, claims_in
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.narrowing import (
    CERTAIN,
    LIKELY,
    Narrowed,
    moment_of,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.symptoms import Facts

__all__ = ["unfinished_unlock", "whose_unlock"]

_PREFIX = "wwhd.qdrant_ops:"
_WAIT = "Wait for it, and look again: it says itself how it ended, and leaves a report."
_FINISH = "Run the unlock playbook: it reads the tags, and finishes what the other run has left."


def _claims(facts: Facts) -> list[Claim]:
    return claims_in(facts["service"].get("tags") or {})


def unfinished_unlock(facts: Facts) -> list[str]:
    """What the tags say; none where the service has none of ours."""
    tags = facts["service"].get("tags") or {}
    found = [f"Unlock {claim.who}" + (", given up." if claim.given_up else ".") for claim in _claims(facts)]
    kept = sorted(key[len(_PREFIX) :] for key in tags if key.startswith(_PREFIX) and ":" not in key[len(_PREFIX) :])
    if kept:
        found.append(f"Its notes on what is to be put back are there: {', '.join(kept)}.")
    return found


def whose_unlock(facts: Facts) -> Narrowed:
    """Under way as long as its lease lasts and it has not given up: whether its process lives is not seen here."""
    now = moment_of(facts.get("now")) or datetime.now(timezone.utc)
    held = [claim for claim in _claims(facts) if not claim.given_up and (moment_of(claim.until) or now) > now]
    if held:
        return Narrowed(
            cause="unlock_under_way",
            confidence=LIKELY,
            because=f"its claim lasts until {held[0].until}; whether its process lives can only be seen where it runs",
            summary="An unlock of this service is under way, or was killed a short time ago.",
            next=f"{_WAIT} If you know that it is dead: {_FINISH[0].lower()}{_FINISH[1:]}",
        )
    return Narrowed(
        cause="unlock_left_unfinished",
        confidence=CERTAIN,
        because="its tags are still on the service, and nobody claims it any more",
        summary="An unlock of this service was not finished: what it had changed is not put back yet.",
        next=_FINISH,
    )
