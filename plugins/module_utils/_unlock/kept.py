# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run writes down on the service before it changes it, as tags, and how the next run reads that.

Private to wwhd.qdrant_ops. Pure. A tag's value has up to 256 letters, digits, spaces and + - = . _ : / @.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = [
    "AUTOSCALING_SAMPLE",
    "DELAYS_SAMPLE",
    "autoscaling_from_tag",
    "autoscaling_to_tag",
    "delays_from_tag",
    "delays_to_tag",
    "to_shorten",
]

AUTOSCALING_SAMPLE = "min=1 max=4 in=false out=false scheduled=false"
DELAYS_SAMPLE = "my-targets/0123456789abcdef=300"
_NONE = "none"
_VALUE_LENGTH = 256
_SUSPENDED = (
    "dynamic_scaling_in_suspended",
    "dynamic_scaling_out_suspended",
    "scheduled_scaling_suspended",
)
# With nobody behind it who could answer, a target has nothing to finish; otherwise its last requests get so long (s).
_NOTHING_TO_DRAIN = 0
_LAST_REQUESTS = 10


def autoscaling_to_tag(state: Mapping[str, Any] | None) -> str:
    """The autoscaling state in a tag value's alphabet: as in `AUTOSCALING_SAMPLE`, or `none`."""
    if not state:
        return _NONE
    suspended = state.get("suspended_state") or {}
    flags = [str(bool(suspended.get(name))).lower() for name in _SUSPENDED]
    return f"min={state['min_capacity']} max={state['max_capacity']} in={flags[0]} out={flags[1]} scheduled={flags[2]}"


def autoscaling_from_tag(text: str) -> dict[str, Any] | None:
    """The state that `autoscaling_to_tag` wrote; None for `none`. Raises ValueError for anything else."""
    found = re.fullmatch(r"min=(\d+) max=(\d+) in=(true|false) out=(true|false) scheduled=(true|false)", text)
    if text == _NONE:
        return None
    if not found:
        raise ValueError(text)
    return {
        "min_capacity": int(found[1]),
        "max_capacity": int(found[2]),
        "suspended_state": {name: found[3 + index] == "true" for index, name in enumerate(_SUSPENDED)},
    }


def _short(arn: str) -> str:
    """A target group's name and id, the end of its ARN."""
    return arn.split(":targetgroup/", 1)[-1]


def to_shorten(groups: Iterable[Mapping[str, Any]], *, how: str) -> tuple[dict[str, int], dict[str, int]]:
    """Of the service's target groups, as ecs_service_info returns them: the delays to set, and those to put back.

    `how`: `auto` takes those in which no target is healthy, `always` every one, `never` none. Both results are seconds
    by ARN, of the same groups: those whose delay is known, is longer, and finds room in the tag.
    """
    shorter: dict[str, int] = {}
    kept: dict[str, int] = {}
    for group in groups if how != "never" else ():
        arn, delay = str(group["target_group_arn"]), group.get("deregistration_delay")
        serves = any(target.get("state") == "healthy" for target in group.get("targets") or [])
        seconds = _LAST_REQUESTS if serves else _NOTHING_TO_DRAIN
        if delay is None or delay <= seconds or (serves and how == "auto"):
            continue
        if len(delays_to_tag({**kept, arn: delay})) <= _VALUE_LENGTH:
            shorter[arn], kept[arn] = seconds, int(delay)
    return shorter, kept


def delays_to_tag(delays: Mapping[str, int]) -> str:
    """The deregistration delays, in seconds by ARN, as in `DELAYS_SAMPLE`; `none` where there are none."""
    return " ".join(f"{_short(arn)}={seconds}" for arn, seconds in delays.items()) or _NONE


def delays_from_tag(text: str, *, arns: Iterable[str]) -> tuple[dict[str, int], list[str]]:
    """The delays that `delays_to_tag` wrote, by ARN; and those whose target group is not among `arns`, the service's.

    Raises ValueError for anything else.
    """
    if text == _NONE:
        return {}, []
    known = {_short(arn): arn for arn in arns}
    delays: dict[str, int] = {}
    unknown = []
    for part in text.split(" "):
        found = re.fullmatch(r"([^=\s]+)=(\d{1,4})", part)
        if not found:
            raise ValueError(text)
        if found[1] in known:
            delays[known[found[1]]] = int(found[2])
        else:
            unknown.append(part)
    return delays, unknown
