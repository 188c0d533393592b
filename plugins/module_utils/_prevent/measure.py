# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One measure, decided: what there is, what there will be, and why. Private to wwhd.qdrant_ops. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["TITLES", "Measure"]

TITLES = {
    "exclusive_rollout": "exclusive rollout",
    "deregistration_delay": "deregistration delay",
    "autoscaling": "autoscaling bounds",
    "access_point": "access point",
    "stop_timeout": "stop time-out",
    "entry_point": "entry point",
    "health_check": "health check",
}


@dataclass(frozen=True)
class Measure:
    """`decision` is off, keep, leave or change; `wanted` and `why` are words. `deployment`: it has no effect before
    the service is deployed anew."""

    name: str
    decision: str
    was: str = ""
    wanted: str = ""
    why: str = ""
    deployment: bool = False

    @classmethod
    def off(cls, name: str) -> Measure:
        return cls(name, "off")

    @classmethod
    def keep(cls, name: str, was: str, why: str = "") -> Measure:
        return cls(name, "keep", was, was, why)

    @classmethod
    def leave(cls, name: str, was: str, why: str) -> Measure:
        return cls(name, "leave", was, was, why)

    @classmethod
    def change(cls, name: str, was: str, wanted: str, *, why: str = "", deployment: bool = False) -> Measure:
        return cls(name, "change", was, wanted, why, deployment)

    def as_data(self) -> dict[str, Any]:
        return {**asdict(self), "title": TITLES[self.name]}
