# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a finding is, and how a verdict is narrowed down to the one cause that fits the facts.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.symptoms import Facts

__all__ = ["CERTAIN", "CONFIDENCES", "LIKELY", "POSSIBLE", "Narrowed", "aws_command", "moment_of", "place_of"]

CERTAIN, LIKELY, POSSIBLE = "certain", "likely", "possible"
CONFIDENCES = (CERTAIN, LIKELY, POSSIBLE)
_REGION = re.compile(r"^arn:[\w-]+:ecs:([\w-]+):")


@dataclass(frozen=True)
class Narrowed:
    """What is known beyond the verdict. Empty texts leave what the verdict's own row says."""

    cause: str = ""
    confidence: str = ""
    because: str = ""
    summary: str = ""
    next: str = ""
    command: str | None = None
    evidence: list[str] = field(default_factory=list)


def moment_of(value: Any) -> datetime | None:
    """A time of AWS's, as boto3 gives it or as a module has returned it."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            return None
    if not isinstance(value, datetime):
        return None
    return value if value.tzinfo else value.replace(tzinfo=timezone.utc)


def place_of(facts: Facts) -> Mapping[str, str]:
    """{region, cluster, service} for commands; what is not known is in capitals, to be filled in."""
    service = facts["service"]
    region = _REGION.match(str(service.get("service_arn") or ""))
    return {
        "region": region.group(1) if region else "REGION",
        "cluster": str(service.get("cluster_arn") or "CLUSTER").rsplit("/", 1)[-1],
        "service": str(service.get("service_name") or "SERVICE"),
    }


def aws_command(facts: Facts, *words: str) -> str:
    """A command that only reads, ready to be pasted; `{cluster}` and `{service}` in its words are filled in."""
    place = place_of(facts)
    filled = [word.format(**place) if "{" in word else word for word in words]
    return shlex.join(["aws", *filled, "--region", place["region"]])
