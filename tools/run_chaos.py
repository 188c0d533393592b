# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make chaos`: runs of the whole playbook, killed and disturbed, for as long as told; see docs/reliability.md.

    make chaos                        30 random runs with a new seed
    make chaos SEED=7 RUNS=300        these, again and again the same
    make chaos SEED=7 FIRST=42 RUNS=1 one of them
    make chaos MINUTES=20             as many as fit
    make chaos TABLE=1                the complete kill table
    make reliability                  table and 300 random runs on this code; fills docs/reliability.md

A campaign that was stopped goes on where it was, while the code is the same; FRESH=1 begins anew.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import secrets
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from environment import CACHE, ROOT, tool_environment
from reliability import record_figures

sys.path.insert(0, str(ROOT / "tests"))

from chaos import playbook_table
from chaos.playbook_campaign import Figures, Log, Random, code_hash, figures_of, work
from chaos.playbook_stage import Record, Stage

HOME = CACHE / "chaos"
RELIABILITY_SEED, RELIABILITY_RUNS = 1, 300


class Progress:
    """One line a run, and how far the whole is."""

    def __init__(self, *, total: int | None, already: int) -> None:
        self.total, self.count, self.broken = total, already, 0
        self._started, self._already = time.monotonic(), already

    def __call__(self, record: Record) -> None:
        self.count += 1
        self.broken += bool(record.broken)
        minutes = (time.monotonic() - self._started) / 60
        of = f"/{max(self.total, self.count)}" if self.total else ""
        left = ""
        if self.total and self.count > self._already:
            rest = minutes / (self.count - self._already) * max(0, self.total - self.count)
            left = f", about {rest:.0f} min left"
        print(f"[{self.count}{of}, {self.broken} broken, {minutes:.1f} min{left}] {record.line()}", flush=True)


def chaos(
    *, seed: int, runs: int, first: int, minutes: float | None, workers: int, plain_every: int, fresh: bool
) -> Log:
    log = open_log(f"random-{seed}", fresh=fresh)
    print(f"seed {seed}; code {code_hash()}; records in {os.path.relpath(log.path, ROOT)}", flush=True)
    wanted = [f"{seed}:{number}" for number in range(first, first + runs)]
    already = [name for name in wanted if name in log.records]
    source = Random(seed, runs=runs, first=first, minutes=minutes, plain_every=plain_every, skip=already)
    say = Progress(total=None if minutes else len(wanted), already=len(already))
    work(source, log, directory=place("random"), workers=workers, say=say)
    log.records = {name: log.records[name] for name in wanted if name in log.records}
    return log


def table(*, workers: int, fresh: bool, worlds: list[str]) -> Log:
    log = open_log("table", fresh=fresh)
    print(f"code {code_hash()}; records in {os.path.relpath(log.path, ROOT)}", flush=True)
    rows = playbook_table.Table(worlds, done=log.records)
    say = Progress(total=None, already=len(log.records))

    def prepare(stage: Stage) -> None:
        rows.count(stage)
        say.total = rows.least + 2 * len(worlds)

    work(rows, log, directory=place("table"), workers=workers, say=say, prepare=prepare)
    target = HOME / "kill-table.txt"
    target.write_text(playbook_table.text(log.records.values()))
    print(f"The table: {os.path.relpath(target, ROOT)}")
    return log


def open_log(name: str, *, fresh: bool) -> Log:
    path = HOME / f"{name}-{code_hash()}.jsonl"
    if fresh:
        path.unlink(missing_ok=True)
    return Log(path)


def place(name: str) -> Path:
    """A new folder for the sandboxes; those of earlier campaigns go, unless one still runs there."""
    folder = HOME / f"{name}-work"
    if not list(folder.glob("worker-*/sandbox/state.json")):
        shutil.rmtree(folder, ignore_errors=True)
    return folder / f"{os.getpid()}"


def tell(title: str, log: Log, command: str) -> dict[str, Any]:
    figures: Figures = figures_of(log.records.values())
    told = {**figures.as_json(), "command": command, "code": code_hash(),
            "date": dt.datetime.now(dt.UTC).date().isoformat()}  # fmt: skip
    print(f"== {title} ==")
    for key, value in told.items():
        print(f"{key}: {value}")
    print(json.dumps(told))
    for record in log.records.values():
        if record.broken:
            print(f"BROKEN {record.line()}\n  it said: {record.message}")
    sys.stdout.flush()
    return told


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Chaos against the whole playbook.")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--first", type=int, default=1, help="the number of the first random run")
    parser.add_argument("--runs", type=int)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--workers", type=int, default=2 * (os.cpu_count() or 1))
    parser.add_argument(
        "--plain-every", type=int, default=30, help="every which run is a plain ansible-playbook; 0: none"
    )
    parser.add_argument("--table", action="store_true", help="the complete kill table")
    parser.add_argument("--worlds", nargs="+", default=list(playbook_table.WORLDS), choices=list(playbook_table.WORLDS))
    parser.add_argument("--record", action="store_true", help="table and random runs, and their figures into docs/")
    parser.add_argument("--fresh", action="store_true")
    return parser.parse_args()


def main() -> int:
    given = options()
    # Also where it was started in the background of a shell, which has Ctrl-C ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    # Nothing of the caller's may reach a real account.
    clean = tool_environment()
    os.environ.clear()
    os.environ.update(clean)
    logs: list[Log] = []
    if given.table or given.record:
        log = table(workers=given.workers, fresh=given.fresh, worlds=given.worlds)
        told = tell("kill table", log, "make chaos TABLE=1")
        told["rows"] = sum(record.killed_at is not None for record in log.records.values())
        logs.append(log)
        if given.record:
            record_figures("table", told)
    if given.record or not given.table:
        seed = given.seed if given.seed is not None else RELIABILITY_SEED if given.record else secrets.randbelow(10**6)
        runs = given.runs or (RELIABILITY_RUNS if given.record else 10**6 if given.minutes else 30)
        log = chaos(seed=seed, runs=runs, first=given.first, minutes=given.minutes, workers=given.workers,
                    plain_every=given.plain_every, fresh=given.fresh)  # fmt: skip
        told = tell("random runs", log, f"make chaos SEED={seed} RUNS={runs}")
        logs.append(log)
        if given.record:
            record_figures("random", told)
    return 1 if any(record.broken for log in logs for record in log.records.values()) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("Stopped. The same command goes on where this one was.")
        sys.exit(130)
