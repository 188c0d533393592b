# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs in the benchmark, and what they find: the states of the service that each has to bring back."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.client import Sandbox

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
BIN = Path(sys.executable).parent
CLEANER = HERE / "cleaner.json"
# Each one's ratios are to this one's figures in the same round.
REFERENCE = "bare boto3, 50 ms"
OURS = "this collection"


@dataclass(frozen=True)
class Contender:
    name: str
    command: Callable[[str, Path], Sequence[str]]


def _playbook(*words: str) -> list[str]:
    return [str(BIN / "ansible-playbook"), *words]


CONTENDERS = (
    Contender("runbook, AWS CLI", lambda health, _out: [str(HERE / "runbook.sh"), str(CLEANER), health]),
    Contender(
        "community.aws, 5 s",
        lambda health, _out: _playbook(
            "-i", "localhost,", str(HERE / "modules.yml"), "-e", f"definition={CLEANER}", "-e", f"health={health}"
        ),
    ),
    Contender(REFERENCE, lambda health, _out: [sys.executable, str(HERE / "bare.py"), str(CLEANER), health]),
    Contender(
        OURS,
        lambda _health, out: _playbook(
            str(ROOT / "playbooks" / "unlock.yml"),
            "-e", "env=local", "-e", "qdrant_unlock_when=always", "-e", f"qdrant_unlock_report_dir={out}",
        ),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class State:
    """`stale`: the service's host has vanished, and each new task fails on the locks that the file server keeps."""

    name: str
    stale: bool = False

    def bring_about(self, sandbox: Sandbox, *, drain: int) -> None:
        sandbox.reset()
        elb = sandbox.boto3("elbv2")
        group = elb.describe_target_groups()["TargetGroups"][0]["TargetGroupArn"]
        elb.modify_target_group_attributes(
            TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": str(drain)}]
        )
        if self.stale:
            sandbox.break_("stale-lock", lease=_LONG)

    @contextmanager
    def around(self, sandbox: Sandbox) -> Iterator[None]:
        """The lease ends when everyone has stopped the service, and nobody cleans yet: what is measured is the tools,
        not the file server."""
        timer = threading.Timer(_LEASE_ENDS * (1 / sandbox.state["speed"]), sandbox.control, ["release"])
        if self.stale:
            timer.start()
        try:
            yield
        finally:
            timer.cancel()


_LONG = 7200.0
_LEASE_ENDS = 10.0
STATES = (State("stuck", stale=True), State("up"))

__all__ = ["CONTENDERS", "OURS", "REFERENCE", "STATES", "Contender", "State"]
