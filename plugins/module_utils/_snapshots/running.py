# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The frame of both modules: what is told to end stops what it began, and the warnings are given however it ends.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.options import run
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._interrupts import Interrupted, Interrupts
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._progress import say
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.options import params_without_secrets
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.options import servers_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.remote import Server

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

__all__ = ["Call", "Work", "run_snapshot"]


class Work(Protocol):
    """What a module does, ready to be done."""

    warnings: list[str]

    def run(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Call:
    """What a module was called with."""

    params: Mapping[str, Any]
    check_mode: bool
    clock: Clock

    def servers(self) -> tuple[Server, Server]:
        """As servers_of says: this may ask the network, so what is wrong with the options is said before."""
        return servers_of(self.params, clock=self.clock, say=say)


def run_snapshot(
    module: AnsibleModule, *, prepare: Callable[[Call], Work], untouched: Callable[[str], str], clock: Clock | None
) -> None:
    """The rest of a `main()`. `untouched`: what to say where it was told to end before it had begun anything."""
    params = params_without_secrets(module)

    def work() -> dict[str, Any]:
        with Interrupts() as interrupts:
            try:
                prepared = prepare(Call(params, module.check_mode, interrupts.clock_of(clock or Clock())))
                try:
                    return prepared.run()
                finally:
                    for warning in prepared.warnings:
                        module.warn(warning)
            except Interrupted as told:
                raise OperationFailed(untouched(str(told))) from told

    run(module, work)
