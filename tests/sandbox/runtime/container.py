# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One running container: its process, its output, its end."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable

OnLine = Callable[[str, float], None]

_DRAIN = 2.0


class Container:
    """A process (with all of its children) that stands for a container.

    ``pid`` is PID 1 of the container, as the host numbers it.
    """

    def __init__(
        self,
        *,
        process: subprocess.Popen[bytes],
        pid: int,
        own_namespace: bool,
        on_line: OnLine,
        on_end: Callable[[Container], None],
    ) -> None:
        self.pid = pid
        self.group = process.pid
        self._process = process
        self._own_namespace = own_namespace
        self._on_line = on_line
        self._on_end = on_end
        self._handle = _open_handle(pid)
        self._code: int | None = None
        self.ended_at: float | None = None
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, name=f"output-{pid}", daemon=True)
        self._reader.start()
        threading.Thread(target=self._wait, name=f"wait-{pid}", daemon=True).start()

    def poll(self) -> int | None:
        """None while it runs; then its exit code, 128 + signal if a signal ended it.

        A code is told only after every line of output was.
        """
        return self._code

    @property
    def alive(self) -> bool:
        """Whether any process of it runs at this moment, by the kernel's word; ``poll()`` waits for the output too."""
        if self._code is not None or self._handle is None:
            return False
        ended = select.poll()
        ended.register(self._handle, select.POLLIN)
        if not ended.poll(0):
            return True
        return not self._own_namespace and self.ended_at is None

    def wait(self, timeout: float) -> int | None:
        """``poll()`` after at most ``timeout`` real seconds."""
        self._ended.wait(timeout)
        return self._code

    def terminate(self) -> None:
        """SIGTERM to PID 1 and to nobody else, as ECS does it."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to all of it."""
        self._signal(signal.SIGKILL)
        if not self._own_namespace:
            self._kill_group()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._handle is not None and self._code is None:
                signal.pidfd_send_signal(self._handle, number)

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.group, signal.SIGKILL)

    def _read(self) -> None:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        rest = b""
        while chunk := os.read(descriptor, 65536):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._tell(line)
        if rest:
            self._tell(rest)
        self._process.stdout.close()

    def _tell(self, line: bytes) -> None:
        self._on_line(line.decode("utf-8", "replace"), time.time())

    def _wait(self) -> None:
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        # What PID 1 leaves behind dies with it: the kernel sees to it in a PID namespace, here we do.
        if not self._own_namespace:
            self._kill_group()
        code = self._process.wait()
        self.ended_at = time.time()
        self._reader.join(_DRAIN)
        self._code = code if code >= 0 else 128 - code
        self._on_end(self)
        self._ended.set()

    def __del__(self) -> None:
        if self._handle is not None:
            os.close(self._handle)


def _open_handle(pid: int) -> int | None:
    # A handle rather than a number: a number may belong to somebody else by the time that a signal is sent.
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


__all__ = ["Container", "OnLine"]
