# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container output on its way to CloudWatch Logs: it arrives a while after it was written."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from sandbox.clock import Clock
from sandbox.cloud import Cloud
from sandbox.faults import Faults


@dataclass(frozen=True)
class Stream:
    region: str
    group: str
    name: str
    family: str


@dataclass(frozen=True)
class _Line:
    due: float
    stream: Stream
    at_ms: int
    text: str


class LogDelivery:
    def __init__(self, *, cloud: Cloud, clock: Clock, faults: Faults) -> None:
        self._cloud, self._clock, self._faults = cloud, clock, faults
        self._lock = threading.Lock()
        self._lines: deque[_Line] = deque()
        self.delay = 1.0

    def open(self, stream: Stream) -> None:
        """The stream exists from the container's start on, before it has a line."""
        if not self._faults.active("logs_never", family=stream.family):
            self._cloud.write_log(stream.region, stream.group, stream.name, [])

    def add(self, stream: Stream, text: str, at: float) -> None:
        if self._faults.active("logs_never", family=stream.family):
            return
        late = self._faults.active("logs_late", family=stream.family)
        delay = self.delay if late is None else float(late.settings.get("seconds", 60))
        with self._lock:
            self._lines.append(_Line(self._clock.now() + delay, stream, int(at * 1000), text))

    def deliver(self) -> None:
        """Hands over what is due; lines of one stream stay in order."""
        now = self._clock.now()
        ready: dict[Stream, list[dict[str, object]]] = {}
        with self._lock:
            waiting: deque[_Line] = deque()
            held: set[Stream] = set()
            for line in self._lines:
                if line.due <= now and line.stream not in held:
                    ready.setdefault(line.stream, []).append({"timestamp": line.at_ms, "message": line.text})
                else:
                    held.add(line.stream)
                    waiting.append(line)
            self._lines = waiting
        for stream, events in ready.items():
            self._cloud.write_log(stream.region, stream.group, stream.name, events)

    def clear(self) -> None:
        with self._lock:
            self._lines.clear()


__all__ = ["LogDelivery", "Stream"]
