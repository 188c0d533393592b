# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs this unlock, and whether another one that left its tags on the service may still be at work.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import getpass
import os
import re
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import utc_text

__all__ = [
    "AUTOSCALING",
    "DESIRED_COUNT",
    "OWNER",
    "RUN_ID",
    "TAG_KEYS",
    "Claim",
    "claim_of",
    "controller_name",
    "new_run_id",
]

_PREFIX = "wwhd.qdrant_ops:"
RUN_ID = f"{_PREFIX}run_id"
DESIRED_COUNT = f"{_PREFIX}desired_count"
AUTOSCALING = f"{_PREFIX}autoscaling"
OWNER = f"{_PREFIX}owner"
_SINCE = f"{_PREFIX}since"
_LEASE_UNTIL = f"{_PREFIX}lease_until"
TAG_KEYS = (RUN_ID, DESIRED_COUNT, AUTOSCALING, OWNER, _SINCE, _LEASE_UNTIL)

# ECS tag values: letters, digits, spaces and + - = . _ : / @ only.
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9 +\-=._:/@]")


def controller_name(job_id: str | None = None) -> str:
    """`user@host/pid` of the ansible-playbook process, or the AWX job: stable over one run, another one in the next.

    Called from a filter, which Ansible evaluates in a worker process: its parent is ansible-playbook itself.
    """
    if job_id:
        return _NOT_IN_TAGS.sub("_", f"awx-job-{job_id}")
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return _NOT_IN_TAGS.sub("_", f"{user}@{socket.gethostname()}/{os.getppid()}")


def new_run_id(now: datetime) -> str:
    return f"unlock-{now.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"


def _still_runs(owner: str, here: str, alive: Callable[[int], bool]) -> bool | None:
    """Whether the owner's process runs; None where that can't be known from here."""
    place, _slash, pid = owner.rpartition("/")
    if not place or place != here.rpartition("/")[0] or not pid.isdigit():
        return None
    return alive(int(pid))


def _is_ansible(pid: int) -> bool:
    """Whether that process lives and is an Ansible; without /proc (macOS) a live process counts as one."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        return b"ansible" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True


@dataclass(frozen=True)
class Claim:
    """An unlock's tags, as read from a service."""

    run_id: str
    owner: str
    since: str
    lease_until: str
    desired_count: int | None
    autoscaling: str

    def held_by_another(self, *, here: str, now: datetime, alive: Callable[[int], bool] = _is_ansible) -> bool:
        """Whether the run that wrote this may still be at work: its process lives, or, where that can't be seen from
        here, its lease has not ended."""
        if self.owner == here:
            return False
        runs = _still_runs(self.owner, here, alive)
        if runs is not None:
            return runs
        return self.lease_until > utc_text(now)

    @staticmethod
    def tags(
        *, run_id: str, owner: str, now: datetime, lease_seconds: float, desired_count: int, autoscaling: str
    ) -> dict[str, str]:
        """What a run writes on the service before it changes anything."""
        return {
            RUN_ID: run_id,
            DESIRED_COUNT: str(desired_count),
            AUTOSCALING: autoscaling,
            OWNER: owner,
            _SINCE: utc_text(now),
            _LEASE_UNTIL: utc_text(now + timedelta(seconds=lease_seconds)),
        }


def claim_of(tags: Mapping[str, str]) -> Claim | None:
    """The claim on a service, from its tags; None if no run has left one."""
    if RUN_ID not in tags:
        return None
    count = tags.get(DESIRED_COUNT, "")
    return Claim(
        run_id=tags[RUN_ID],
        owner=tags.get(OWNER, "somebody"),
        since=tags.get(_SINCE, "an unknown time"),
        lease_until=tags.get(_LEASE_UNTIL, ""),
        desired_count=int(count) if count.isdigit() else None,
        autoscaling=tags.get(AUTOSCALING, ""),
    )
