# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Being told to end (SIGTERM, Ctrl-C, a closed terminal) as an exception, so that what was started can be stopped.

Private to wwhd.qdrant_ops. Nothing here knows AWS.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

__all__ = ["Interrupted", "Interrupts"]

_SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP")


class Interrupted(BaseException):
    """The process was told to end; `str(error)` is the signal's name.

    No Exception on purpose: botocore takes every Exception that comes while it reads an answer for a lost connection,
    and would make the call again.
    """


class Interrupts:
    """While this is entered, a signal that tells the process to end raises Interrupted once; later ones do nothing.

    Only the main thread may say what a signal does: entered in another one, this changes nothing.
    """

    def __init__(self) -> None:
        self._told: str | None = None
        self._raised = False
        self._deferring = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is not threading.main_thread():
            return self
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            # Who starts a process with nohup wants it to go on when the terminal is gone.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            # None stands for a handler that Python did not set and cannot set again.
            signal.signal(number, signal.SIG_DFL if before is None else before)
        self._before = {}

    @contextlib.contextmanager
    def deferred(self) -> Iterator[None]:
        """A stretch that must not be left half-way, such as a call whose answer says what it started."""
        self._deferring += 1
        try:
            yield
        finally:
            self._deferring -= 1
        if self._told and not self._deferring:
            self._raise()

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self._told = self._told or signal.Signals(number).name
        if not self._deferring:
            self._raise()

    def _raise(self) -> None:
        # Whoever stops something because of the first signal must not be stopped by the second.
        if not self._raised:
            self._raised = True
            raise Interrupted(self._told)
