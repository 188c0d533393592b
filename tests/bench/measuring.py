# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command costs, with everything that it starts: seconds, processor seconds, memory; and how long nobody served.

Linux only: processes are known by a variable in their environment, which also finds those that have left as daemons.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox.marks import marked

MARK = "QDRANT_OPS_BENCH"
_TICKS = os.sysconf("SC_CLK_TCK")
_SAMPLE_EVERY = 0.5
_PROBE_EVERY = 0.1
_PROBE_TIMEOUT = 2.0
# After the command's end, the service may need so long (s) until it answers.
_PATIENCE = 120.0


@dataclass(frozen=True)
class Cost:
    """Seconds, but for `memory` (bytes, the sum over its processes at the worst moment seen) and `code`."""

    code: int
    wall: float
    processor: float
    memory: int
    downtime: float
    output: str


def memory(pids: Sequence[int]) -> int:
    """What these processes hold together, in bytes; a page that some of them share counts once (PSS)."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def processor(pids: Sequence[int]) -> float:
    """Processor seconds of these processes, and of their children that have ended."""
    total = 0.0
    for pid in pids:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += sum(map(int, fields[11:15])) / _TICKS
    return total


class _Thread:
    """Does `step` again and again beside the command, until it is told to end."""

    def __init__(self, pause: float, *, share: float = 0.0) -> None:
        """`share`: a pause is at least so many times as long as the step before it."""
        self._ends = threading.Event()
        self._pause, self._share = pause, share
        self._thread = threading.Thread(target=self._run, daemon=True)

    def step(self) -> None:
        raise NotImplementedError

    def _run(self) -> None:
        while not self._ends.is_set():
            began = time.monotonic()
            self.step()
            # A look at hundreds of processes takes a second: what is measured must not wait for whoever measures.
            self._ends.wait(max(self._pause, self._share * (time.monotonic() - began)))

    @contextmanager
    def beside(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._ends.set()
            self._thread.join()


class _Memory(_Thread):
    def __init__(self, mark: str) -> None:
        super().__init__(_SAMPLE_EVERY, share=20.0)
        self._mark = mark
        self.peak = 0

    def step(self) -> None:
        self.peak = max(self.peak, memory(marked(f"{MARK}={self._mark}")))


class Outage(_Thread):
    """Asks an address again and again; `seconds` is how long it did not answer with 200, from the first look on."""

    def __init__(self, url: str) -> None:
        super().__init__(_PROBE_EVERY)
        self._url = url
        self.seconds = 0.0
        self.served = False
        self._last: float | None = None

    def step(self) -> None:
        began = time.monotonic()
        served = self._answers()
        now = time.monotonic()
        if self._last is not None and not (served and self.served):
            # Between a look that failed and one that did not, half of the time is taken for the outage's.
            self.seconds += (now - self._last) * (0.5 if served != self.served else 1.0)
        elif self._last is None and not served:
            self.seconds += now - began
        self.served, self._last = served, now

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self._url, timeout=_PROBE_TIMEOUT) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def measure(command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], health: str) -> Cost:
    """Run a command to its end. What it leaves behind is counted as far as it has come, and then ended."""
    mark = uuid.uuid4().hex
    peak, outage = _Memory(mark), Outage(health)
    with outage.beside():
        with peak.beside():
            began = time.monotonic()
            process = subprocess.Popen(
                command, cwd=cwd, env={**environment, MARK: mark}, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            )  # fmt: skip
            assert process.stdout is not None
            reader = _Output(process)
            _pid, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - began
            process.returncode = os.waitstatus_to_exitcode(status)
        left = marked(f"{MARK}={mark}")
        spent = usage.ru_utime + usage.ru_stime + processor(left)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        output = reader.text()
        deadline = time.monotonic() + _PATIENCE
        while not outage.served and time.monotonic() < deadline:
            time.sleep(_PROBE_EVERY)
    return Cost(process.returncode, wall, spent, peak.peak, outage.seconds, output)


class _Output:
    """Reads a command's output beside it, so that a full pipe stops nobody."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: list[str] = []
        self._thread = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._thread.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            self._lines.extend(process.stdout)

    def text(self) -> str:
        self._thread.join(timeout=10)
        return "".join(self._lines)


__all__ = ["MARK", "Cost", "Outage", "measure", "memory", "processor"]
