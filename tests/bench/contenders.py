# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who runs in the benchmark, and what they find: the states of the service that each has to bring back."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import world
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


def _ours(out: Path, *words: str) -> list[str]:
    return _playbook(
        str(ROOT / "playbooks" / "unlock.yml"),
        "-e", "env=local", "-e", "qdrant_unlock_when=always", "-e", f"qdrant_unlock_report_dir={out}", *words,
    )  # fmt: skip


# Runs where it is named only, to see what a shorter drain is worth.
PATIENT = Contender(f"{OURS}, whole drain", lambda _health, out: _ours(out, "-e", "qdrant_unlock_fast_drain=never"))
CONTENDERS = (
    Contender("runbook, AWS CLI", lambda health, _out: [str(HERE / "runbook.sh"), str(CLEANER), health]),
    Contender(
        "community.aws, 5 s",
        lambda health, _out: _playbook(
            "-i", "localhost,", str(HERE / "modules.yml"), "-e", f"definition={CLEANER}", "-e", f"health={health}"
        ),
    ),
    Contender(REFERENCE, lambda health, _out: [sys.executable, str(HERE / "bare.py"), str(CLEANER), health]),
    Contender(OURS, lambda _health, out: _ours(out)),
)


@dataclass(frozen=True)
class State:
    """`stale`: the service's host has vanished, and each new task fails on the locks that the file server keeps.
    `silent`: its task runs, but answers no health check, so that nobody is served and the load balancer drains it all
    the same. `drain` is the deregistration delay (s).

    AWS's default of 300 s would hide what differs between the contenders: whoever waits for it waits for little else.
    """

    name: str
    stale: bool = False
    silent: bool = False
    drain: int = 30

    def bring_about(self, sandbox: Sandbox) -> None:
        sandbox.reset()
        elb, group = _target_group(sandbox)
        elb.modify_target_group_attributes(
            TargetGroupArn=group, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": str(self.drain)}]
        )
        if self.stale:
            sandbox.break_("stale-lock", lease=_LONG)
        if self.silent:
            # ECS itself must not replace the task meanwhile.
            sandbox.boto3("ecs").update_service(
                cluster=world.CLUSTER, service=world.SERVICE, healthCheckGracePeriodSeconds=int(_LONG)
            )
            elb.modify_target_group(TargetGroupArn=group, HealthCheckPath="/absent")
            _until_unhealthy(elb, group)

    @contextmanager
    def around(self, sandbox: Sandbox) -> Iterator[None]:
        """What the service suffers from ends when everyone has stopped it, and nobody cleans yet: what is measured is
        the tools, not the file server, nor how long a health check stays wrong."""
        over = threading.Event()
        cures: list[threading.Thread] = []
        if self.stale:
            cures.append(threading.Timer(_LEASE_ENDS * (1 / sandbox.state["speed"]), sandbox.control, ["release"]))
        if self.silent:
            cures.append(threading.Thread(target=_answer_from_the_cleaner_on, args=(sandbox, over), daemon=True))
        for cure in cures:
            cure.start()
        try:
            yield
        finally:
            over.set()
            for cure in cures:
                if isinstance(cure, threading.Timer):
                    cure.cancel()


def _target_group(sandbox: Sandbox) -> tuple[Any, str]:
    elb = sandbox.boto3("elbv2")
    return elb, str(elb.describe_target_groups()["TargetGroups"][0]["TargetGroupArn"])


def _until_unhealthy(elb: Any, group: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while any(
        target["TargetHealth"]["State"] != "unhealthy"
        for target in elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    ):
        if time.monotonic() > deadline:
            raise SystemExit(f"The target did not become unhealthy in {_PATIENCE:.0f} s.")
        time.sleep(0.5)


def _answer_from_the_cleaner_on(sandbox: Sandbox, over: threading.Event) -> None:
    before = len(sandbox.calls())
    while not over.wait(0.5):
        if any(call.get("operation") == "RunTask" for call in sandbox.calls()[before:]):
            elb, group = _target_group(sandbox)
            elb.modify_target_group(TargetGroupArn=group, HealthCheckPath="/health")
            return


_LONG = 7200.0
_PATIENCE = 300.0
_LEASE_ENDS = 10.0
STATES = (State("stuck", stale=True), State("up"))
# Runs where it is asked for: somebody waits for the whole drain in it, at AWS's default.
SILENT = State("silent", silent=True, drain=300)

__all__ = ["CONTENDERS", "OURS", "PATIENT", "REFERENCE", "SILENT", "STATES", "Contender", "State"]
