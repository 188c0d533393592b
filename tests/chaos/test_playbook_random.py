# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A few disturbed runs of the whole playbook, one for each way to be disturbed; `make chaos` does as many as told."""

from __future__ import annotations

import pytest
from chaos.playbook_orders import _FAULTS, FAMILY, KILLS, Fault, Kill, Order, draw
from chaos.playbook_stage import Stage
from chaos.playbook_worlds import Scaling, World

HEALTHY = World("healthy", scaling=Scaling(1, 1, ("DynamicScalingOutSuspended",)))
ALWAYS = {"qdrant_unlock_when": "always"}
ORDERS = [
    Order("Ctrl-C", HEALTHY, ALWAYS, kill=Kill("Ctrl-C", 5, after=True, writes=True)),
    Order("denied", HEALTHY, ALWAYS, faults=(Fault("access_denied", {"match": {"operation": "RunTask"}}),)),
    Order("lost answers", World("leftover"), faults=(
        Fault("reset_after", {"match": {"operation": "RunTask"}, "count": 1}),
        Fault("reset_after", {"match": {"operation": "UpdateService"}, "count": 1}),
        Fault("pull", {"match": {"family": FAMILY}, "variant": "rate_limit"}),
    )),
]  # fmt: skip


@pytest.mark.parametrize("order", ORDERS, ids=[order.name for order in ORDERS])
def test_a_disturbed_run_leaves_nothing_that_the_next_does_not_mend(stage: Stage, order: Order) -> None:
    record = stage.perform(order)
    assert not record.broken, record.line() + "\n" + "\n".join(record.outputs)


def test_the_same_seed_gives_the_same_orders() -> None:
    assert [draw(7, number) for number in range(1, 50)] == [draw(7, number) for number in range(1, 50)]
    assert draw(7, 1) != draw(8, 1)


def test_every_fault_every_kill_and_every_world_is_drawn() -> None:
    orders = [draw(1, number) for number in range(1, 301)]
    assert {fault.kind for order in orders for fault in order.faults} == set(_FAULTS)
    assert {order.kill.how for order in orders if order.kill} == set(KILLS)
    assert {order.world.kind for order in orders} == {"stuck", "healthy", "stopped", "leftover"}
    assert any(order.plain for order in orders)
