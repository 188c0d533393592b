# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wakes who waits for what another process says, so that nobody has to look five times a second.

Private to wwhd.qdrant_ops. It is a named pipe beside the file of what is said (module_utils/_progress.py), in which
nothing is said: only that there is something.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
from pathlib import Path

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._progress import BELL

__all__ = ["Bell", "bell_beside"]


class Bell:
    """Rung by whoever opens `path` and writes to it, or by `ring`. Raises OSError where there can be none."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path, 0o600)
        self._path = path
        self._open: list[int] = []
        try:
            # An end of its own for writing: without any, the other one would be at its end, and never wait.
            for mode in (os.O_RDONLY, os.O_WRONLY):
                self._open.append(os.open(path, mode | os.O_NONBLOCK))
        except OSError:
            self.close()
            raise
        self._poll = select.poll()
        self._poll.register(self._open[0], select.POLLIN)

    def ring(self) -> None:
        # A full pipe rings, too.
        with contextlib.suppress(OSError):
            os.write(self._open[1], b"\n")

    def wait(self, seconds: float) -> None:
        """Until it rings or has rung, or for so long."""
        if self._poll.poll(math.ceil(seconds * 1000)):
            os.read(self._open[0], 1 << 16)

    def close(self) -> None:
        """For when nobody waits any more."""
        for descriptor in self._open:
            os.close(descriptor)
        self._open = []
        self._path.unlink(missing_ok=True)


def bell_beside(place: str) -> Bell | None:
    """The bell of the file `place`; None where there can be none."""
    try:
        return Bell(Path(f"{place}{BELL}"))
    except OSError:
        return None
