# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Some rows of the kill table, one in each phase; `make chaos TABLE=1` does them all."""

from __future__ import annotations

import pytest
from chaos.playbook_stage import Record, Stage
from chaos.playbook_table import Table, row, text

# By writing call, which the number of looks before it does not move: the cleaner was started; the service was stopped.
ROWS = [("stuck", 5), ("healthy", 3)]


@pytest.mark.parametrize(("world", "after"), ROWS, ids=[f"{world}-{after}" for world, after in ROWS])
def test_a_run_whose_machine_dies_is_finished_by_the_next(stage: Stage, world: str, after: int) -> None:
    record = stage.perform(row(world, after=after))
    assert record.killed_at, record.line()
    assert not record.broken, record.line() + "\n" + "\n".join(record.outputs)


def record_of(name: str, *, struck: bool) -> Record:
    return Record(name, "", plain=False, faults=0, kill="machine dies", killed_at="1 Call" if struck else None)


class CountedStage:
    """Stands in for a stage whose undisturbed run makes four calls, two of them writing."""

    def count_calls(self, _order: object) -> list[dict[str, bool]]:
        return [{"writes": writes} for writes in (False, True, True, False)]


def test_a_table_is_complete_when_a_run_was_over_before_it_could_be_struck() -> None:
    table = Table(["stuck"])
    table.count(CountedStage())  # type: ignore[arg-type]  # only its calls are asked for
    given = []
    while order := table.next():
        assert order.kill is not None
        given.append(order.name)
        # This run happened to look once more than the one that was counted.
        table.done(record_of(order.name, struck=order.kill.at <= (2 if order.kill.after else 5)))
    assert given == [*(f"stuck:before:{n}" for n in range(1, 7)), *(f"stuck:after:{n}" for n in range(1, 4))]


def test_a_row_that_was_not_struck_is_broken() -> None:
    table = Table(["stuck"])
    table.count(CountedStage())  # type: ignore[arg-type]  # only its calls are asked for
    missed = record_of("stuck:before:2", struck=False)
    table.done(missed)
    assert missed.broken
    assert "stuck:before:2" not in text([missed])


def test_a_table_goes_on_where_it_was() -> None:
    done = {f"stuck:before:{n}": record_of(f"stuck:before:{n}", struck=n < 6) for n in range(1, 7)}
    table = Table(["stuck"], done=done)
    table.count(CountedStage())  # type: ignore[arg-type]  # only its calls are asked for
    order = table.next()
    assert order is not None
    assert order.name == "stuck:after:1"
