# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts processes that do not outlive the sandbox.

bwrap's --die-with-parent (PR_SET_PDEATHSIG) looks at the thread that started it, not at the process: all are started
from one thread that lives as long as the sandbox. What has no namespace is killed by the watcher process.
"""

from __future__ import annotations

import contextlib
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

_WATCHER = Path(__file__).with_name("watch.py")


@dataclass(frozen=True)
class Launch:
    """What to start: standard output and error come through one pipe; its own session and process group."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    directory: Path | None
    pass_fds: tuple[int, ...] = ()
    executable: Path | None = None


class Launcher:
    """One thread that starts processes, and one process that ends them if the sandbox can't."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[tuple[Launch, Future[subprocess.Popen[bytes]]] | None] = queue.SimpleQueue()
        self._pipe_lock = threading.Lock()
        self._watcher = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_WATCHER)],
            stdin=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=True,
        )
        threading.Thread(target=self._serve, name="launcher", daemon=True).start()

    def start(self, launch: Launch) -> subprocess.Popen[bytes]:
        """The started process; OSError if the program cannot be run."""
        answer: Future[subprocess.Popen[bytes]] = Future()
        self._work.put((launch, answer))
        return answer.result(timeout=30)

    def forget(self, group: int) -> None:
        """That process group has ended: its number may be used again by others."""
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """End the watcher (it kills what is left) and the thread."""
        self._work.put(None)
        with self._pipe_lock, contextlib.suppress(BrokenPipeError):
            assert self._watcher.stdin is not None
            self._watcher.stdin.close()
        self._watcher.wait(timeout=10)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            launch, answer = work
            try:
                process = subprocess.Popen(
                    list(launch.argv),
                    executable=launch.executable,
                    env=dict(launch.environment),
                    cwd=launch.directory,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    pass_fds=launch.pass_fds,
                    start_new_session=True,
                )
            except OSError as error:
                answer.set_exception(error)
            else:
                self._tell(f"+{process.pid}\n")
                answer.set_result(process)

    def _tell(self, line: str) -> None:
        with self._pipe_lock, contextlib.suppress(BrokenPipeError, ValueError):
            assert self._watcher.stdin is not None
            self._watcher.stdin.write(line)


__all__ = ["Launch", "Launcher"]
