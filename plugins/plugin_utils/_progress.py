# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows what a module says while it works: a line for each change of state, with its time and its host.

Private to wwhd.qdrant_ops. The module runs in Ansible's own way; a thread beside it reads what it appends to a file
(module_utils/_progress.py) and hands it to Display, which brings it from a worker to the terminal or to AWX.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.utils.display import Display

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._progress import PLACE
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._bell import Bell, bell_beside
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._endings import endings_wait_for
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._forked import ForkedAction

__all__ = ["Curtain", "Listener", "ProgressAction", "Said", "held_back", "is_aside", "read_line", "readable"]

# Seconds until a module's states are shown: one that is quicker says enough by its result. The operator's environment
# may have another number, or `off`.
_SETTING = "QDRANT_OPS_PROGRESS"
_HELD_BACK = 5.0
# How often one looks where no bell tells of a line; and, slowly, where one does.
_LOOK_EVERY = 0.2
_LOOK_ANYWAY = 5.0
_MOST_HELD = 20
_LONGEST = 500
# The thread only reads a file and hands lines on; it is never waited for longer than this.
_LEAVE_TIMEOUT = 5.0
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")


@dataclass(frozen=True)
class Said:
    """One line of a module: when, what, and whether it is shown at once."""

    at: datetime
    text: str
    always: bool = False

    def shown(self, host: str) -> str:
        """As the operator reads it, at the time of the clock on the wall."""
        return f"{self.at.astimezone():%H:%M:%S} {readable(host)} {readable(self.text)}"

    def heading(self, task: str) -> Said:
        """The line to stand above this one where nothing else says which task it belongs to."""
        return Said(self.at, f"{task}:")


def readable(text: str, *, longest: int = _LONGEST) -> str:
    """On one line, of bounded length, without what a terminal obeys: containers print what they like."""
    plain = _UNPRINTABLE.sub(" ", _ESCAPES.sub("", text)).strip()
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


def read_line(line: bytes) -> Said | None:
    """What a module appended; None for what is no such line, as half of one on a full disk."""
    try:
        given = json.loads(line)
        return Said(datetime.fromisoformat(given["at"]), str(given["text"]), given.get("always") is True)
    except (ValueError, KeyError, TypeError):
        return None


def held_back(setting: str | None) -> float | None:
    """Seconds until states are shown; None for never. What is neither a number nor a word for never counts as unset."""
    given = (setting or "").strip().lower()
    if given in ("off", "no", "false", "never"):
        return None
    try:
        seconds = float(given)
    except ValueError:
        return _HELD_BACK
    return seconds if 0 <= seconds < math.inf else _HELD_BACK


@dataclass
class Curtain:
    """Decides what is shown when. `opens` is a moment on the clock whose time `pass_on` is given."""

    opens: float
    _held: deque[Said] = field(default_factory=lambda: deque(maxlen=_MOST_HELD))

    def pass_on(self, said: Iterable[Said], now: float) -> list[Said]:
        """What is to be shown now, of these and of those that were held back."""
        shown = []
        for line in said:
            if line.always:
                # What came before it would be out of order behind it; where nothing follows, it is the news.
                self._held.clear()
                shown.append(line)
            elif now >= self.opens:
                shown += [*self._held, line]
                self._held.clear()
            else:
                self._held.append(line)
        if now >= self.opens:
            shown += self._held
            self._held.clear()
        return shown

    def closed_for(self, now: float) -> float:
        """Seconds until what is held back is to be shown; 0 where it is open."""
        return max(0.0, self.opens - now)


class Listener:
    """`with Listener(show) as place`: what is appended to the file `place` meanwhile is shown, in its order.

    `place` is None where there can be no file; then nothing is shown. Leaving ends the thread, after it has shown what
    had been said until then, and removes the file. Should the process be killed, Ansible removes its folder.
    """

    def __init__(
        self,
        show: Callable[[Said], None],
        *,
        after: float = _HELD_BACK,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._show, self._monotonic = show, monotonic
        self._curtain = Curtain(opens=monotonic() + after)
        self._over = threading.Event()
        self._showing = threading.Lock()
        self._endings = contextlib.ExitStack()
        self._rest = b""
        self._place: Path | None = None
        self._bell: Bell | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> str | None:
        try:
            descriptor, place = tempfile.mkstemp(prefix="progress-", dir=constants.DEFAULT_LOCAL_TMP)
            os.close(descriptor)
        except OSError:
            return None
        self._place = Path(place)
        self._bell = bell_beside(place)
        self._endings.enter_context(endings_wait_for(self._showing))
        self._thread = threading.Thread(target=self._listen, args=(self._place,), name="progress", daemon=True)
        self._thread.start()
        return place

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._bell:
            self._bell.ring()
        try:
            if self._thread is not None:
                self._thread.join(_LEAVE_TIMEOUT)
        finally:
            self._endings.close()
            # A thread that is still held up by the terminal must not meet a number that is somebody else's by then.
            if self._bell and not (self._thread and self._thread.is_alive()):
                self._bell.close()
            if self._place is not None:
                self._place.unlink(missing_ok=True)

    def _listen(self, place: Path) -> None:
        try:
            with place.open("rb") as file:
                over = False
                while not over:
                    over = self._wait()
                    self.take(file.read())
        except Exception:  # noqa: BLE001  whatever it is, the module's work is worth more than the sight of it
            return

    def _wait(self) -> bool:
        """Until there may be something to show; whether it is over."""
        if self._bell is None:
            return self._over.wait(_LOOK_EVERY)
        self._bell.wait(min(self._curtain.closed_for(self._monotonic()) or _LOOK_ANYWAY, _LOOK_ANYWAY))
        return self._over.is_set()

    def take(self, block: bytes) -> None:
        """Show what of these bytes is to be shown now; what is not a whole line yet is kept for the next ones."""
        *lines, self._rest = (self._rest + block).split(b"\n")
        said = [line for line in map(read_line, lines) if line]
        for line in self._curtain.pass_on(said, self._monotonic()):
            with self._showing:
                self._show(line)


def _callback() -> str:
    return str(constants.DEFAULT_STDOUT_CALLBACK).rsplit(".", 1)[-1]


def is_aside() -> bool:
    """Whether lines go to standard error: what reads standard output as data would be confused by lines between."""
    return _callback().startswith("json")


def _banner_comes_late() -> bool:
    """Whether Ansible says which task it is only when a result is there, because it may have to show none."""
    for callback in (_callback(), "default"):
        try:
            return not all(
                constants.config.get_config_value(option, plugin_type="callback", plugin_name=callback)
                for option in ("display_skipped_hosts", "display_ok_hosts")
            )
        except AnsibleError:
            continue
    return False


class _Shown:
    """Shows lines by Display, which takes them from a worker to where Ansible's own output goes."""

    def __init__(self, host: str, *, heading: str | None) -> None:
        self._host, self._heading = host, heading
        self._aside = is_aside()

    def __call__(self, said: Said) -> None:
        if self._heading:
            self._display(said.heading(self._heading))
            self._heading = None
        self._display(said)

    def _display(self, said: Said) -> None:
        Display().display(said.shown(self._host), stderr=self._aside)


class ProgressAction(ForkedAction):
    """Runs the module of its own name as Ansible runs any, and shows what it says meanwhile."""

    def run(self, tmp: Any = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        after = held_back(os.environ.get(_SETTING))
        if after is None or not self._can_be_shown():
            return self._run(tmp, task_vars)
        host = str((task_vars or {}).get("inventory_hostname", "localhost"))
        late = _banner_comes_late() or self._goes_on_its_own()
        shown = _Shown(host, heading=self._task.get_name() if late else None)
        with Listener(shown, after=after) as place:
            if place is None:
                return self._run(tmp, task_vars)
            given = self._task.environment
            # As Ansible itself hands ANSIBLE_ASYNC_DIR over; this task object is its worker's own.
            self._task.environment = [*(given or []), {PLACE: place}]
            try:
                return self._run(tmp, task_vars)
            finally:
                self._task.environment = given

    def _run(self, tmp: Any, task_vars: Mapping[str, Any] | None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        return result

    def _goes_on_its_own(self) -> bool:
        """Whether the play's hosts do not go in step: then Ansible says which task it is only with its result."""
        strategy = str(self._templar.template(self._task.get_play().strategy))
        return strategy.rsplit(".", 1)[-1] in ("free", "host_pinned")

    def _can_be_shown(self) -> bool:
        """Only what runs here can append to a file here; what is secret or only a forecast is not worth showing."""
        if self._connection.transport not in ("local", "ansible.builtin.local"):
            return False
        return not (self._task.async_val or self._task.check_mode or self._task.no_log)
