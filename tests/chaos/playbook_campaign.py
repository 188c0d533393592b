# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many acts at once: workers with a sandbox each take orders until there are none, and each record is kept at once.

Records are JSON lines, so that a campaign that was stopped goes on where it was, as long as the code is the same.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from chaos.playbook_orders import Order, draw
from chaos.playbook_runs import ROOT
from chaos.playbook_stage import Record, Stage

_CODE = ("plugins/**/*", "roles/**/*", "playbooks/**/*", "tests/sandbox/**/*.py", "tests/chaos/playbook_*.py")


class Source(Protocol):
    def next(self) -> Order | None: ...
    def done(self, record: Record) -> None: ...


class Random:
    """Orders `seed:first`, `seed:first+1`, ... until `runs` of them or the deadline."""

    def __init__(
        self, seed: int, *, runs: int, first: int = 1, minutes: float | None = None, plain_every: int = 30,
        skip: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self._lock = threading.Lock()
        self._numbers = iter(range(first, first + runs))
        self._deadline = None if minutes is None else time.monotonic() + 60 * minutes
        self._seed, self._plain_every, self._skip = seed, plain_every, set(skip)

    def next(self) -> Order | None:
        with self._lock:
            if self._deadline is not None and time.monotonic() > self._deadline:
                return None
            for number in self._numbers:
                order = draw(self._seed, number, plain_every=self._plain_every)
                if order.name not in self._skip:
                    return order
        return None

    def done(self, record: Record) -> None:
        """Nothing is learned from it."""


@dataclass
class Figures:
    """What a campaign has to tell."""

    runs: int
    kills: dict[str, int]
    kills_struck: int
    faults: int
    plain: int
    failures: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return dict(vars(self))


def figures_of(records: Iterable[Record]) -> Figures:
    records = list(records)
    kills: dict[str, int] = {}
    for record in records:
        if record.killed_at and record.kill:
            kills[record.kill] = kills.get(record.kill, 0) + 1
    return Figures(
        runs=len(records), kills=dict(sorted(kills.items())), kills_struck=sum(kills.values()),
        faults=sum(record.faults for record in records), plain=sum(record.plain for record in records),
        failures=sum(bool(record.broken) for record in records), seconds=round(sum(r.seconds for r in records), 1),
    )  # fmt: skip


@lru_cache(maxsize=1)
def code_hash() -> str:
    """Of everything that a run's outcome depends on in this checkout, as it was when first asked for."""
    digest = hashlib.sha256()
    for pattern in _CODE:
        for path in sorted(ROOT.glob(pattern)):
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


class Log:
    """The records of one campaign, in a file of JSON lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self.records: dict[str, Record] = {}
        if path.exists():
            for line in path.read_text().splitlines():
                record = Record(**json.loads(line))
                self.records[record.name] = record

    def add(self, record: Record) -> None:
        with self._lock:
            self.records[record.name] = record
            kept = record.as_json()
            if not record.broken:
                # Two whole outputs a run: of interest only where something went wrong.
                kept["outputs"] = []
            with self.path.open("a") as out:
                out.write(json.dumps(kept) + "\n")


def work(
    source: Source, log: Log, *, directory: Path, workers: int, say: Callable[[Record], None],
    prepare: Callable[[Stage], None] | None = None,
) -> None:  # fmt: skip
    """Performs the source's orders in `workers` threads; back when there are none left. Raises what a worker raised."""
    errors: list[BaseException] = []
    stop = threading.Event()

    def worker(number: int) -> None:
        try:
            with Stage(directory / f"worker-{number}") as stage:
                while not stop.is_set() and (order := source.next()) is not None:
                    record = stage.perform(order)
                    source.done(record)
                    log.add(record)
                    say(record)
        except BaseException as error:  # noqa: BLE001  it is raised again, where somebody sees it
            traceback.print_exc()
            errors.append(error)
            stop.set()

    if prepare is not None:
        with Stage(directory / "worker-0") as stage:
            prepare(stage)
    threads = [threading.Thread(target=worker, args=[number], name=f"chaos-{number}") for number in range(workers)]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            threads[0].join(0.2)
            time.sleep(0.05)
    except KeyboardInterrupt:
        # Each worker ends what it has begun, so that nothing is left behind; what is recorded stays.
        stop.set()
        print("Stopping: what has begun is ended first.", flush=True)
        for thread in threads:
            thread.join()
        raise
    if errors:
        raise errors[0]
