# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose unlock is it, and may another one still be at work."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.owner import (
    TAG_KEYS,
    Claim,
    claim_of,
    controller_name,
    new_run_id,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def tags(owner: str = "ann@box/17", lease: float = 600.0) -> dict[str, str]:
    return Claim.tags(
        run_id="unlock-1",
        owner=owner,
        now=NOW,
        lease_seconds=lease,
        desired_count=1,
        autoscaling="min=1 max=4 in=false out=false scheduled=false",
    )


def test_tags_are_of_the_alphabet_that_ecs_takes_and_read_back() -> None:
    written = tags()
    assert set(written) == set(TAG_KEYS)
    for key, value in written.items():
        assert re.fullmatch(r"[\w +\-=.:/@]{1,128}", key)
        assert re.fullmatch(r"[\w +\-=.:/@]{0,256}", value)
    claim = claim_of(written)
    assert claim is not None
    assert (claim.run_id, claim.owner, claim.desired_count) == ("unlock-1", "ann@box/17", 1)
    assert claim.since == "2026-11-23T12:00:00.000Z"
    assert claim.lease_until == "2026-11-23T12:10:00.000Z"
    assert claim_of({"team": "x"}) is None


@pytest.mark.parametrize(
    ("owner", "here", "alive", "minutes", "held"),
    [
        ("ann@box/17", "ann@box/17", True, 1, False),  # this very run
        ("ann@box/17", "ann@box/18", True, 1, True),  # another run on this machine, alive
        ("ann@box/17", "ann@box/18", True, 99, True),  # alive counts more than the lease
        ("ann@box/17", "ann@box/18", False, 1, False),  # killed on this machine: finished at once
        ("bob@far/17", "ann@box/18", False, 1, True),  # elsewhere: the lease decides
        ("bob@far/17", "ann@box/18", False, 11, False),
        ("awx-job-5", "awx-job-6", False, 1, True),
        ("awx-job-5", "awx-job-5", False, 1, False),
    ],
)
def test_a_dead_run_is_finished_and_a_live_one_left_alone(
    owner: str, here: str, alive: bool, minutes: int, held: bool
) -> None:
    claim = claim_of(tags(owner))
    assert claim is not None
    assert (
        claim.held_by_another(
            here=here, now=NOW.replace(minute=minutes % 60, hour=12 + minutes // 60), alive=lambda pid: alive
        )
        is held
    )


def test_names_fit_into_tags_and_differ() -> None:
    assert re.fullmatch(r"[\w +\-=.:/@]+/\d+", controller_name())
    assert controller_name("42") == "awx-job-42"
    first, second = new_run_id(NOW), new_run_id(NOW)
    assert first != second
    assert re.fullmatch(r"unlock-20261123T120000Z-[0-9a-f]{6}", first)
