# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets no signal end a worker of Ansible while another thread of it writes to the queue that all workers share.

Private to wwhd.qdrant_ops. The queue has one lock for all processes. A worker that dies with it in its hands leaves it
locked for ever, and Ansible's main process, which writes to the same queue when it ends, hangs: Ctrl-C would not end a
play. What Ansible itself writes in a worker's main thread, where handlers run, is not covered: that is its own affair.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

__all__ = ["endings_wait_for"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Seconds. A line is written in less than a millisecond, unless nobody reads it; then nothing is gained by waiting.
_LONGEST = 5.0


@contextlib.contextmanager
def endings_wait_for(lock: threading.Lock, *, longest: float = _LONGEST) -> Iterator[None]:
    """Inside, handlers of SIGINT and SIGTERM are called only when nobody holds the lock, or after `longest` seconds.

    The lock is never to be taken by the main thread, which is the one that handles signals. In another thread than
    that, and where the signals have no handler of Python's, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: found for number in _SIGNALS if callable(found := signal.getsignal(number))}
    for number, handler in before.items():
        signal.signal(number, _after(lock, longest, handler))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _after(
    lock: threading.Lock, longest: float, handler: Callable[[int, FrameType | None], Any]
) -> Callable[[int, FrameType | None], None]:
    def wait(number: int, frame: FrameType | None) -> None:
        free = lock.acquire(timeout=longest)
        try:
            handler(number, frame)
        finally:
            if free:
                lock.release()

    return wait
