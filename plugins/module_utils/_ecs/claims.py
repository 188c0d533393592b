# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims on a service: a run that is about to change it says so by a tag of its own, and looks whether it is alone.

Private to wwhd.qdrant_ops. ECS has no conditional write, so one tag that everybody writes would be lost to whoever
writes last. Each claim has a key of its own instead: whoever writes later sees the earlier one, and withdraws.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CLAIM_PREFIX", "Claim", "claims_in"]

CLAIM_PREFIX = "wwhd.qdrant_ops:claim:"
_VALUE = re.compile(r"(?P<owner>.*) since (?P<since>\S+) until (?P<until>\S+)")
_OWNER_LENGTH = 150


@dataclass(frozen=True)
class Claim:
    """One run's claim: `since` and `until` (when it counts as dead, if nobody can tell) are UTC texts.

    A run that ends, but leaves something to be finished, gives its claim up: then both are the same.
    """

    id: str
    owner: str
    since: str
    until: str

    @property
    def key(self) -> str:
        return CLAIM_PREFIX + self.id

    @property
    def value(self) -> str:
        return f"{self.owner[:_OWNER_LENGTH]} since {self.since} until {self.until}"

    @property
    def given_up(self) -> bool:
        return bool(self.since) and self.since == self.until

    @property
    def who(self) -> str:
        """The owner as a person reads it, with the id and when it began."""
        return f"{self.id}, by {self.owner.split('+', 1)[0]}, since {self.since}"


def claims_in(tags: Mapping[str, str]) -> list[Claim]:
    """The claims among a service's tags, the oldest first. One that cannot be read counts, and as the oldest."""
    found = []
    for key, value in tags.items():
        if key.startswith(CLAIM_PREFIX):
            parts = _VALUE.fullmatch(value)
            known = parts.groupdict() if parts else {"owner": value or "somebody", "since": "", "until": ""}
            found.append(Claim(key[len(CLAIM_PREFIX) :], **known))
    return sorted(found, key=lambda claim: (claim.since, claim.id))
