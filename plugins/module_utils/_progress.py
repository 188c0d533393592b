# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module says while it works, for an operator who watches.

Private to wwhd.qdrant_ops. The action plugin of the same name listens (plugin_utils/_progress.py): it names a file in
the environment, and each line here is appended to it. Where nobody listens, nothing happens.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import Any

from ansible.module_utils.common.parameters import remove_values

__all__ = ["BELL", "PLACE", "Changes", "hide_secrets", "is_heard", "say"]

PLACE = "QDRANT_OPS_PROGRESS_FILE"
# What the name of the pipe beside it has more, by which the listener is woken.
BELL = ".bell"
# The listener shows less of a line; this only keeps what is written at once small.
_LONGEST = 2000

_hidden: frozenset[str] = frozenset()


def hide_secrets(module: Any) -> None:
    """From now on the module's secrets are masked in whatever is said, as Ansible masks them in its result."""
    global _hidden  # noqa: PLW0603  a module is a process, and has one set of secrets
    # amazon.aws's module is a shell around Ansible's.
    _hidden = frozenset(getattr(module, "_module", module).no_log_values)


def is_heard() -> bool:
    """Whether somebody listens: what costs a call of its own is worth it only then."""
    return bool(os.environ.get(PLACE))


def say(text: str, *, always: bool = False) -> None:
    """Tell the operator. A state is shown once the module has taken some seconds, what is said `always` at once.

    Never fails, and never waits: a module that does its work must not end because its listener has gone.
    """
    place = os.environ.get(PLACE)
    if not place:
        return
    try:
        shown = str(remove_values(text, _hidden))[:_LONGEST]
        line = json.dumps({"at": datetime.now(timezone.utc).isoformat(), "text": shown, "always": always})
        # Not created if it is gone: then nobody would remove it.
        descriptor = os.open(place, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, f"{line}\n".encode())
        finally:
            os.close(descriptor)
        _ring(f"{place}{BELL}")
    except (OSError, ValueError, TypeError):
        return


def _ring(bell: str) -> None:
    # Neither for one whom nobody hears, nor for one that rings already, is there any wait.
    descriptor = os.open(bell, os.O_WRONLY | os.O_NONBLOCK)
    try:
        os.write(descriptor, b"\n")
    finally:
        os.close(descriptor)


class Changes:
    """Says of each look only what the look before did not say already."""

    def __init__(self, tell: Callable[[str], None] = say) -> None:
        self._tell = tell
        self._said: frozenset[str] = frozenset()

    def __call__(self, lines: str | Iterable[str] | None) -> None:
        """The lines that describe a state, one a thing: those that are new are said. None says nothing."""
        if lines is None:
            return
        given = [lines] if isinstance(lines, str) else list(lines)
        for line in given:
            if line not in self._said:
                self._tell(line)
        self._said = frozenset(given)
