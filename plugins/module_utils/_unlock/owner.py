# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs this unlock, and whether another one that left its claim on the service may still be at work.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.claims import Claim
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import utc_text
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._processes import (
    name_of,
    short_hash,
    still_runs,
    tag_text,
)

__all__ = [
    "AUTOSCALING",
    "DEREGISTRATION_DELAY",
    "DESIRED_COUNT",
    "EARLIER_RELEASE",
    "RELEASE",
    "STATE_KEYS",
    "controller_name",
    "controller_pid",
    "held_by_another",
    "new_claim",
    "new_run_id",
    "run_id_of",
]

_PREFIX = "wwhd.qdrant_ops:"
# What it takes to restore the service, beside the claims (their keys are in _ecs/claims.py).
DESIRED_COUNT = f"{_PREFIX}desired_count"
AUTOSCALING = f"{_PREFIX}autoscaling"
DEREGISTRATION_DELAY = f"{_PREFIX}deregistration_delay"
# What a run is to start the service with, and what the service had before: only where the two differ.
RELEASE = f"{_PREFIX}release"
EARLIER_RELEASE = f"{_PREFIX}earlier_release"
STATE_KEYS = (DESIRED_COUNT, AUTOSCALING, DEREGISTRATION_DELAY, RELEASE, EARLIER_RELEASE)


def controller_pid() -> int:
    """ansible-playbook's process id. Called from a filter, which Ansible evaluates in a worker: it is the parent."""
    return os.getppid()


def controller_name(job_id: str | None = None, *, host: str) -> str:
    """The ansible-playbook process, or the AWX job, at work for this inventory host: stable over one run, another one
    in the next. Two hosts of one run that name the same service are two who would unlock it."""
    return tag_text(f"awx-job-{job_id}+{short_hash(host)}") if job_id else name_of(controller_pid(), part=host)


def new_run_id(now: datetime) -> str:
    return f"unlock-{now.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def run_id_of(claim: Claim) -> str:
    """The run that a claim belongs to: whoever finishes a run adds something of its own to its id."""
    return "-".join(claim.id.split("-")[:3])


def new_claim(*, claim_id: str, owner: str, now: datetime, lease_seconds: float) -> Claim:
    return Claim(claim_id, owner, utc_text(now), utc_text(now + timedelta(seconds=lease_seconds)))


def _runs(name: str, here: str) -> bool | None:
    return still_runs(name, here=here)


def held_by_another(claim: Claim, *, here: str, now: datetime, runs: Callable[[str, str], bool | None] = _runs) -> bool:
    """Whether the run that wrote this may still be at work: its process lives, or, where that can't be seen from
    here, its lease has not ended."""
    if claim.owner == here or claim.given_up:
        return False
    alive = runs(claim.owner, here)
    if alive is not None:
        return alive
    return not claim.until or claim.until > utc_text(now)
