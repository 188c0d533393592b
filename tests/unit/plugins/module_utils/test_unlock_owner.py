# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose unlock is it, and may another one still be at work."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.claims import Claim, claims_in
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.owner import (
    controller_name,
    held_by_another,
    new_claim,
    new_run_id,
    run_id_of,
)

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def claim(owner: str = "ann@box/17+5+aa", lease: float = 600.0, name: str = "unlock-1") -> Claim:
    return new_claim(claim_id=name, owner=owner, now=NOW, lease_seconds=lease)


def test_a_claim_is_of_the_alphabet_that_ecs_takes_and_read_back() -> None:
    made = claim(controller_name(host="dev"), name=new_run_id(NOW))
    assert re.fullmatch(r"[\w +\-=.:/@]{1,128}", made.key)
    assert re.fullmatch(r"[\w +\-=.:/@]{0,256}", made.value)
    assert claims_in({"team": "x", made.key: made.value}) == [made]
    assert (made.since, made.until) == ("2026-11-23T12:00:00.000Z", "2026-11-23T12:10:00.000Z")
    assert claims_in({"team": "x"}) == []


def test_claims_come_oldest_first_and_one_that_cannot_be_read_counts_as_the_oldest() -> None:
    late = new_claim(claim_id="unlock-0", owner="bob", now=NOW + timedelta(seconds=1), lease_seconds=1)
    tags = {late.key: late.value, claim().key: claim().value, "wwhd.qdrant_ops:claim:odd": "what is this"}
    assert [found.id for found in claims_in(tags)] == ["odd", "unlock-1", "unlock-0"]
    assert held_by_another(claims_in(tags)[0], here="ann@box/1+1+aa", now=NOW)


def test_who_is_told_without_what_only_machines_read() -> None:
    assert claim().who == "unlock-1, by ann@box/17, since 2026-11-23T12:00:00.000Z"


@pytest.mark.parametrize(
    ("owner", "here", "alive", "minutes", "held"),
    [
        ("ann@box/17+5+aa", "ann@box/17+5+aa", True, 1, False),  # this very run
        ("ann@box/17+5+aa", "ann@box/18+6+aa", True, 1, True),  # another run on this machine, alive
        ("ann@box/17+5+aa", "ann@box/18+6+aa", True, 99, True),  # alive counts more than the lease
        ("ann@box/17+5+aa", "ann@box/18+6+aa", False, 1, False),  # killed on this machine: finished at once
        ("bob@far/17+5+aa", "ann@box/18+6+aa", None, 1, True),  # elsewhere: the lease decides
        ("bob@far/17+5+aa", "ann@box/18+6+aa", None, 11, False),
        # another host of the same run, which names the same service
        ("ann@box/17+5+aa+01234567", "ann@box/17+5+aa+89abcdef", True, 1, True),
        ("awx-job-5", "awx-job-6", None, 1, True),
        ("awx-job-5", "awx-job-5", None, 1, False),
    ],
)
def test_a_dead_run_is_finished_and_a_live_one_left_alone(
    owner: str, here: str, alive: bool | None, minutes: int, held: bool
) -> None:
    later = NOW + timedelta(minutes=minutes)
    assert held_by_another(claim(owner), here=here, now=later, runs=lambda name, here: alive) is held


def test_names_fit_into_tags_and_differ() -> None:
    assert re.fullmatch(r"[\w +\-=.:/@]+/\d+\+\d*\+[0-9a-f]+\+[0-9a-f]{8}", controller_name(host="dev"))
    assert controller_name("42", host="dev").startswith("awx-job-42+")
    first, second = new_run_id(NOW), new_run_id(NOW)
    assert first != second
    assert re.fullmatch(r"unlock-20261123T120000Z-[0-9a-f]{6}", first)


def test_whoever_finishes_a_run_keeps_its_name() -> None:
    first = new_run_id(NOW)
    assert run_id_of(claim(name=first)) == run_id_of(claim(name=f"{first}-abcdef")) == first
