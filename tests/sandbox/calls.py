# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of API calls: one JSON line a call, in the order in which the calls arrived."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Not every reading operation has a reading name, and a few reading names write.
_READ_PREFIXES = ("Describe", "List", "Get", "Lookup", "Search", "Filter", "Test", "Query", "Simulate", "BatchGet")
_READS = {("sts", "DecodeAuthorizationMessage"), ("logs", "StartQuery"), ("ecs", "DiscoverPollEndpoint")}


def writes(service: str, operation: str) -> bool:
    """Whether the operation can change anything."""
    return not (operation.startswith(_READ_PREFIXES) or (service, operation) in _READS)


@dataclass
class Call:
    n: int
    at: float
    service: str
    operation: str
    writes: bool
    params: dict[str, Any]
    status: int | None = None
    error: str | None = None
    fault: str | None = None
    user_agent: str = ""
    done: bool = field(default=False, repr=False)


class CallLog:
    """Appends to `path`; a call that is still being answered holds back those that came after it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._open: deque[Call] = deque()
        self._n = 0
        self.last_at = time.time()
        path.write_text("")
        # Opened once: to open it for each call took a third of the time in which a call is answered.
        self._out = path.open("ab", buffering=0)

    def begin(self, *, service: str, operation: str, params: dict[str, Any], user_agent: str) -> Call:
        with self._lock:
            self._n += 1
            self.last_at = time.time()
            call = Call(
                n=self._n, at=self.last_at, service=service, operation=operation,
                writes=writes(service, operation), params=params, user_agent=user_agent,
            )  # fmt: skip
            self._open.append(call)
            return call

    def end(self, call: Call, *, status: int | None, error: str | None) -> None:
        with self._lock:
            call.status, call.error, call.done = status, error, True
            lines = []
            while self._open and self._open[0].done:
                # Not asdict(): it copies the parameters to their depth, only to have them written.
                entry = {key: value for key, value in vars(self._open.popleft()).items() if key != "done"}
                lines.append(json.dumps(entry, default=str) + "\n")
            if lines:
                self._out.write("".join(lines).encode())

    def clear(self) -> None:
        with self._lock:
            self._open = deque(call for call in self._open if not call.done)
            self._n = 0
            self._out.truncate(0)


__all__ = ["Call", "CallLog", "writes"]
