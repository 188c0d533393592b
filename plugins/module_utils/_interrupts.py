# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Being told to end (SIGTERM, Ctrl-C, a closed terminal) as an exception, so that what was started can be stopped.

Private to wwhd.qdrant_ops. Nothing here knows AWS.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

__all__ = ["Interrupted", "Interrupts"]

_SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP")
_PLAYBOOK_GONE = "the end of its playbook"


def _parent_of(leader: int) -> int | None:
    """Who started the leader of our session: the playbook, whose worker that is. None where there is no /proc."""
    try:
        return int(Path(f"/proc/{leader}/stat").read_text(encoding="utf-8").rsplit(")", 1)[-1].split()[1])
    except (OSError, ValueError, IndexError):
        return None


class Interrupted(BaseException):
    """The process was told to end; `str(error)` is the signal's name, or says that its playbook is gone.

    No Exception on purpose: botocore takes every Exception that comes while it reads an answer for a lost connection,
    and would make the call again.
    """


class Interrupts:
    """While this is entered, a signal that tells the process to end raises Interrupted once; later ones do nothing.

    So does, after the next sleep of `clock_of`, the end of the playbook: since ansible-core 2.19 its modules run in a
    session of their own, where they hear nothing of a terminal that is closed, nor of a playbook that is killed.
    Only the main thread may say what a signal does: entered in another one, this changes nothing.
    """

    def __init__(self) -> None:
        self._told: str | None = None
        self._raised = False
        self._deferring = 0
        self._before: dict[int, Any] = {}
        self._playbook: int | None = None

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is not threading.main_thread():
            return self
        self._playbook = _parent_of(os.getsid(0))
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

    def clock_of(self, clock: Clock) -> Clock:
        """`clock`, but after each sleep it is looked whether the playbook is still there."""

        def sleep(seconds: float) -> None:
            clock.sleep(seconds)
            now = _parent_of(os.getsid(0))
            # A leader that is gone itself says nothing: a shell may end and leave its jobs behind on purpose.
            if None not in (self._playbook, now) and now != self._playbook:
                self._told = self._told or _PLAYBOOK_GONE
                if not self._deferring:
                    self._raise()

        return dataclasses.replace(clock, sleep=sleep)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self._told = self._told or signal.Signals(number).name
        if not self._deferring:
            self._raise()

    def _raise(self) -> None:
        # Whoever stops something because of the first signal must not be stopped by the second.
        if not self._raised:
            self._raised = True
            raise Interrupted(self._told)
