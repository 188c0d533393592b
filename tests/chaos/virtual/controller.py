# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One place where operators work: runs of the role in a virtual world, each under its operator's name."""

from __future__ import annotations

import json
import random
import secrets
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from unittest import mock

from chaos.virtual.operators import Operators
from chaos.virtual.role import ROOT, Played, Role
from chaos.virtual.transport import CONNECTION, Call, Transport, installed
from chaos.virtual.world import VirtualWorld, opened

from ansible_collections.wwhd.qdrant_ops.plugins.filter import unlock_plan
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.plugins.modules import ecs_service_restore
from sandbox import world as names

ROLE = ROOT / "roles" / "qdrant_unlock"
PREVENT = ROOT / "roles" / "qdrant_prevent"
# Linux's pids end below 2 ** 22.
_NO_PID = 5_000_000


class Controller:
    """`step` is called before each module. With `watched`, what a playbook starts in the background runs beside it, and
    outlives it; `dead` are the operators whose playbook has gone while its last module still works."""

    def __init__(self, world: VirtualWorld, *, choose: random.Random | None = None) -> None:
        self.world = world
        self.operators = Operators(world, choose=choose)
        self.transport = Transport(
            world.server, operator=lambda: self.operators.current, slot=lambda: self.operators.slot
        )
        self.watched = False
        self.dead: set[str] = set()
        self._pids: list[str] = []
        self.step: Callable[[str], None] = lambda name: None
        self.clock = Clock(
            monotonic=world.clock.now,
            sleep=self.operators.pause,
            utcnow=lambda: datetime.fromtimestamp(world.clock.wall(), tz=UTC),
        )
        self._inner_before: Callable[[Call], None] = _nothing
        self._inner_after: Callable[[Call], None] = _nothing
        self.transport.before, self.transport.after = self._before, self._after

    def around(self, *, before: Callable[[Call], None] | None = None,
               after: Callable[[Call], None] | None = None) -> None:  # fmt: skip
        self._inner_before, self._inner_after = before or _nothing, after or _nothing

    def unlock(self, name: str, *, check: bool = False, entry: str = "main", **variables: Any) -> Played:
        """One run of the role by this operator, in this thread; `variables` without their prefix."""
        given = {
            "awx_job_id": name,
            "env": "virtual",
            "qdrant_unlock_aws": {key: value for key, value in CONNECTION.items() if key != "region"},
            "qdrant_unlock_region": CONNECTION["region"],
            "qdrant_unlock_cluster": names.CLUSTER,
            "qdrant_unlock_service": names.SERVICE,
            "qdrant_unlock_report_dir": "",
        } | {f"qdrant_unlock_{key}": value for key, value in variables.items()}
        background = self._join if self.watched and self.operators.many else None
        return Role(ROLE, given, clock=self.clock, step=self._step, background=background, check=check).play(entry)

    def prevent(self, *, check: bool = False, **variables: Any) -> Played:
        """One run of qdrant_prevent by this operator, with the unlock's inventory."""
        given = {
            "env": "virtual",
            "qdrant_unlock_aws": {key: value for key, value in CONNECTION.items() if key != "region"},
            "qdrant_unlock_region": CONNECTION["region"],
            "qdrant_unlock_cluster": names.CLUSTER,
            "qdrant_unlock_service": names.SERVICE,
        } | {f"qdrant_prevent_{key}": value for key, value in variables.items()}
        return Role(PREVENT, given, clock=self.clock, step=self._step, check=check).play()

    def calls(self) -> list[dict[str, Any]]:
        """Every call that was made since the log was emptied."""
        return [json.loads(line) for line in self.world.calls.path.read_text().splitlines()]

    def _join(self, action: str, work: Callable[[], Any]) -> None:
        self.operators.join(f"{self.operators.current}'s {action.rsplit('.', 1)[-1]}", work)

    def pid(self) -> int:
        """Of the playbook that the current operator has started; no process of this machine can have it."""
        name = self.operators.current
        if name not in self._pids:
            self._pids.append(name)
        return _NO_PID + self._pids.index(name)

    def begun(self, pid: int) -> str | None:
        """Instead of the product's own look at /proc."""
        name = self._pids[pid - _NO_PID]
        return "1" if self.operators.lives(name) and name not in self.dead else None

    def run(self, works: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
        """Several operators at once."""
        return self.operators.run(dict(works))

    def _step(self, name: str) -> None:
        self.transport.fill_quotas()
        self.step(name)

    def _before(self, call: Call) -> None:
        self.operators.switch()
        self._inner_before(call)

    def _after(self, call: Call) -> None:
        witness = self.world.witness
        if call.name == "ecs:UpdateService" and (
            int(call.params.get("desiredCount") or 0) > 0 or call.params.get("forceNewDeployment")
        ):
            witness.operator_acts, witness.wished_at = True, self.world.clock.now()
        # An inspection's cleaner mounts the store read-only: it may work beside whoever has it open.
        if call.name == "ecs:RunTask" and not _inspects(call):
            witness.cleaner_ordered([task.id for task in self.world.live_tasks()])
        # What an answer tells is already history: a change is acted on before the caller reads it.
        self.world.settle()
        self._inner_after(call)
        self.operators.switch()


def _nothing(_call: Call) -> None:
    """No trouble at this call."""


def _inspects(call: Call) -> bool:
    return "-inspect:" in str(call.params.get("taskDefinition"))


def _virtual_datetime(world: VirtualWorld) -> type[datetime]:
    class VirtualDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.fromtimestamp(world.clock.wall(), tz=tz)

    return VirtualDatetime


@contextmanager
def controller(folder: Path, *, seed: int = 0) -> Iterator[Controller]:
    """A new world and a controller for it. With the same seed everything happens in the same order."""
    draw = random.Random(seed)
    with ExitStack() as stack:
        stack.callback(random.setstate, random.getstate())
        random.seed(seed)
        made = Controller(stack.enter_context(opened(folder)), choose=draw)
        stack.enter_context(installed(made.transport, sleep=made.operators.pause))
        # The filter asks for the time itself; modules are given a clock.
        stack.enter_context(mock.patch.object(unlock_plan, "datetime", _virtual_datetime(made.world)))
        stack.enter_context(mock.patch.object(unlock_plan, "controller_pid", made.pid))
        stack.enter_context(mock.patch.object(ecs_service_restore, "begun", made.begun))
        # Identifiers decide about orders, such as that of ListTasks.
        stack.enter_context(mock.patch.object(uuid, "uuid4", lambda: uuid.UUID(int=draw.getrandbits(128), version=4)))
        stack.enter_context(
            mock.patch.object(secrets, "token_hex", lambda size=32: f"{draw.getrandbits(8 * size):0{2 * size}x}")
        )
        stack.enter_context(mock.patch.object(secrets, "randbelow", draw.randrange))
        yield made


__all__ = ["ROLE", "Controller", "controller"]
