# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signals to the sandbox's clients: a process, or all that came from it, ends in the middle of a call."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sandbox.marks import marked

_SIGNALS = {"KILL": signal.SIGKILL, "TERM": signal.SIGTERM, "INT": signal.SIGINT}
_SCOPES = ("process", "tree")
_PATIENCE = 5.0
_STILL = frozenset("TtZXx")
_DEAD = frozenset("ZXx")


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    state: str
    born: int


@dataclass(frozen=True)
class Target:
    """`born` is the kernel's start time of `pid`: a number that somebody else has by then is left alone."""

    pid: int
    born: int
    number: signal.Signals
    tree: bool
    mark: str


def target(*, pid: int, signal: str = "KILL", scope: str = "process", mark: str = "") -> Target:
    """Raises ValueError for what cannot be meant: no such process, one of the sandbox's own, a mark without a name."""
    if signal not in _SIGNALS:
        raise ValueError(f"unknown signal {signal!r}: use one of {', '.join(_SIGNALS)}")
    if scope not in _SCOPES:
        raise ValueError(f"unknown scope {scope!r}: use one of {', '.join(_SCOPES)}")
    if mark and ("=" not in mark or scope != "tree"):
        raise ValueError(f"the mark {mark!r} must be NAME=value, and the scope tree")
    table = _table()
    if pid not in table:
        raise ValueError(f"there is no process {pid}")
    if pid in _beneath(table, [os.getpid()]):
        raise ValueError(f"process {pid} is the sandbox's own")
    return Target(pid, table[pid].born, _SIGNALS[signal], scope == "tree", mark)


def strike(told: Target) -> list[int]:
    """Sends the signal; after KILL, back when all of them are dead. Returns whom it reached."""
    reached: dict[int, int] = {}
    try:
        # Stopped first and looked at again: none escapes by forking while the others are being killed.
        while fresh := sorted(_victims(told) - set(reached)):
            for pid in fresh:
                with contextlib.suppress(ProcessLookupError):
                    reached[pid] = os.pidfd_open(pid)
                    if told.tree:
                        signal.pidfd_send_signal(reached[pid], signal.SIGSTOP)
            if not told.tree:
                break
            _await(reached, _STILL)
        for handle in reached.values():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, told.number)
                if told.tree and told.number != signal.SIGKILL:
                    signal.pidfd_send_signal(handle, signal.SIGCONT)
        if told.number == signal.SIGKILL:
            _await(reached, _DEAD)
    finally:
        for handle in reached.values():
            os.close(handle)
    return list(reached)


def _victims(told: Target) -> set[int]:
    table = _table()
    roots = [told.pid] if told.pid in table and table[told.pid].born == told.born else []
    if not told.tree:
        return set(roots)
    if told.mark:
        roots += [pid for pid in marked(told.mark) if pid in table]
    return _beneath(table, roots) - _beneath(table, [os.getpid()])


def _beneath(table: dict[int, _Process], roots: Iterable[int]) -> set[int]:
    """The processes given and everything that descends from them, in whatever session."""
    children: dict[int, list[int]] = {}
    for process in table.values():
        children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    left = list(roots)
    while left:
        pid = left.pop()
        if pid not in found:
            found.add(pid)
            left += children.get(pid, [])
    return found


def _await(pids: Iterable[int], states: frozenset[str]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while any(process.state not in states for pid in pids if (process := _look(pid)) is not None):
        if time.monotonic() > deadline:
            raise RuntimeError(f"of the processes {sorted(pids)} some did not take a signal in {_PATIENCE:.0f} s")
        time.sleep(0.001)


def _table() -> dict[int, _Process]:
    found = (_look(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return {process.pid: process for process in found if process is not None and process.state not in _DEAD}


def _look(pid: int) -> _Process | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command may hold anything, also brackets: the fields begin behind the last one.
    state, parent, *rest = text.rpartition(")")[2].split()
    return _Process(pid, int(parent), state, int(rest[17]))


__all__ = ["Target", "strike", "target"]
