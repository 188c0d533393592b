# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written on the service before it is changed comes back as it was."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.kept import (
    AUTOSCALING_SAMPLE,
    DELAYS_SAMPLE,
    autoscaling_from_tag,
    autoscaling_to_tag,
    delays_from_tag,
    delays_to_tag,
)

ARNS = [f"arn:aws:elasticloadbalancing:us-west-2:1:targetgroup/g-{number}/{number:016x}" for number in range(3)]


@pytest.mark.parametrize(
    "state",
    [
        None,
        {
            "min_capacity": 0,
            "max_capacity": 12,
            "suspended_state": {
                "dynamic_scaling_in_suspended": False,
                "dynamic_scaling_out_suspended": True,
                "scheduled_scaling_suspended": False,
            },
        },
    ],
)
def test_autoscaling_survives_the_tag(state: dict[str, Any] | None) -> None:
    assert autoscaling_from_tag(autoscaling_to_tag(state)) == state


@pytest.mark.parametrize("delays", [{}, {ARNS[0]: 300}, {ARNS[0]: 0, ARNS[2]: 3600}])
def test_deregistration_delays_survive_the_tag(delays: dict[str, int]) -> None:
    text = delays_to_tag(delays)
    assert re.fullmatch(r"[\w\s+\-=.:/@]{1,256}", text)
    assert delays_from_tag(text, arns=ARNS) == (delays, [])


def test_the_samples_that_errors_show_can_be_read() -> None:
    assert autoscaling_from_tag(AUTOSCALING_SAMPLE) is not None
    assert delays_from_tag(DELAYS_SAMPLE, arns=[]) == ({}, [DELAYS_SAMPLE])


@pytest.mark.parametrize("text", ["", "g-0/1", "g-0/1=", "g-0/1=12345", "g-0/1=3  g-1/2=4", "=3"])
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        delays_from_tag(text, arns=ARNS)
