# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules of one run read once for all of them, where they run for several hosts at the same time.

Private to wwhd.qdrant_ops. A hundred environments in one cluster would list and describe all tasks of all others, a
hundred times. The action plugin (plugin_utils/_shared.py) names a folder of the run in the environment; without it, as
in a run for one host, nothing is shared.

What is shared is as true as what one reads oneself: a look counts only for whoever asked before it began, and
otherwise only what never changes is kept. Whatever goes wrong with the folder, a module then reads for itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._files import holding, write_whole
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

__all__ = ["PLACE", "Shared", "shared_by"]

T = TypeVar("T")

PLACE = "QDRANT_OPS_SHARED_DIR"
# Seconds.
_APART = 1.0
_LOOK_AGAIN = 0.1
# So long a look is at what somebody has named: who waits for something names it again each few seconds.
_NAMED_FOR = 60.0
# A look takes less than a second, unless AWS is slow or the one who looks has to wait for its turn.
_LONGEST = 60.0
_BEGAN = struct.Struct("d")
# What says to whom one talks, and as whom: only who has all of it in common reads the same.
_IDENTITY = ("region", "endpoint_url", "access_key", "secret_key", "session_token", "profile", "aws_config")


def shared_by(params: Mapping[str, Any]) -> Shared | None:
    """What a module with these parameters shares, and with whom; None where nothing is shared."""
    place = os.environ.get(PLACE)
    if not place or not Path(place).is_dir():
        return None
    said = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    identity = json.dumps([said, {name: params.get(name) for name in _IDENTITY}], sort_keys=True, default=str)
    return Shared(Path(place), identity=identity)


class Shared:
    """`folder` must be on this machine, and nobody else's. `identity` tells who may share with whom."""

    def __init__(self, folder: Path, *, identity: str) -> None:
        self._folder, self._identity = folder, identity

    def once(self, name: str, read: Callable[[], T], *, clock: Clock) -> T:
        """What `read` gives, or has given to another module of the run: for what never changes."""
        path = self._path(name)
        kept = _load(path)
        if kept is None:
            with _alone(path, until=clock.monotonic() + _LONGEST, clock=clock):
                kept = _load(path)
                if kept is None:
                    kept = (clock.monotonic(), read())
                    _store(path, *kept)
        value: T = kept[1]
        return value

    def look(self, name: str, read: Callable[[T | None], T], *, clock: Clock, apart: float = _APART) -> T:
        """What `read` gives now, or has given to another module that began to look after this call.

        `read` is given what the look before has given, to spare what cannot have changed. Looks begin `apart` seconds
        after each other: who comes in between waits and takes the next one.
        """
        path = self._path(name)
        asked = clock.monotonic()
        while (now := clock.monotonic()) < asked + _LONGEST:
            began = _began(path)
            if began is not None and began > asked and (kept := _load(path)):
                value: T = kept[1]
                return value
            if began is None or now >= began + apart:
                with _alone(path, until=now, clock=clock) as alone:
                    # Somebody else may have looked between the two.
                    if alone and _began(path) == began:
                        return _look(path, read, clock)
            clock.sleep(_LOOK_AGAIN)
        return read(None)

    def look_for(
        self,
        name: str,
        wanted: Sequence[str],
        read: Callable[[Sequence[str]], Mapping[str, T]],
        *,
        size: int,
        enough: int,
        apart: Callable[[int], float],
        clock: Clock,
    ) -> dict[str, T]:
        """`look`, at single things that each names: whoever looks does so at others that were named lately, too.

        `read` is given their names, at most `size` of them; `apart` is told how many such groups there are. What nobody
        has read is left out: nothing is as long as fewer than `enough` were named, nor should the folder fail.
        """
        named = list(self._name(f"names of {name}", wanted, clock))
        if len(named) < enough:
            return {}
        found: dict[str, T] = {}
        groups = {named.index(one) // size for one in wanted if one in named}
        for group in sorted(groups):

            def all_of_it(_before: object, group: int = group) -> dict[str, bytes]:
                # Apart, so that each who reads the file makes only its own.
                told = read(self._named_lately(f"names of {name}", clock, size=size, group=group))
                return {one: pickle.dumps(value) for one, value in told.items()}

            seen = self.look(f"{name} {group}", all_of_it, clock=clock, apart=apart(len(named) // size + 1))
            found |= {one: pickle.loads(seen[one]) for one in wanted if one in seen}  # noqa: S301  see _load
        return found

    def _name(self, name: str, wanted: Sequence[str], clock: Clock) -> dict[str, float]:
        """All that was ever named, in that order, with when it was named last."""
        path = self._path(name)
        named = _names(path)
        now = clock.monotonic()
        if any(now - named.get(one, -_NAMED_FOR) > _NAMED_FOR / 2 for one in wanted):
            with _alone(path, until=now + _LONGEST, clock=clock):
                named = {**_names(path), **dict.fromkeys(wanted, clock.monotonic())}
                _store(path, clock.monotonic(), named)
        return named

    def _named_lately(self, name: str, clock: Clock, *, size: int, group: int) -> list[str]:
        of_group = list(_names(self._path(name)).items())[group * size : (group + 1) * size]
        return [one for one, when in of_group if clock.monotonic() - when < _NAMED_FOR]

    def _path(self, name: str) -> Path:
        return self._folder / hashlib.sha256(f"{self._identity} {name}".encode()).hexdigest()


def _look(path: Path, read: Callable[[T | None], T], clock: Clock) -> T:
    before = _load(path)
    began = clock.monotonic()
    value = read(before[1] if before else None)
    _store(path, began, value)
    return value


@contextlib.contextmanager
def _alone(path: Path, *, until: float, clock: Clock) -> Iterator[bool]:
    """Whether this process is the one that reads for all; where there can be no lock, each reads for itself."""
    with contextlib.ExitStack() as stack:
        try:
            alone = stack.enter_context(holding(path.with_suffix(".lock"), until=until, clock=clock))
        except OSError:
            alone = True
        yield alone


def _began(path: Path) -> float | None:
    """When the look that is kept began, on the clock that all processes of a machine have in common."""
    try:
        with path.open("rb") as file:
            began: float = _BEGAN.unpack(file.read(_BEGAN.size))[0]
    except (OSError, struct.error):
        return None
    return began


def _load(path: Path) -> tuple[float, Any] | None:
    try:
        with path.open("rb") as file:
            began = _BEGAN.unpack(file.read(_BEGAN.size))[0]
            # Written by a module of this run, into a folder that is its user's alone.
            return began, pickle.load(file)  # noqa: S301
    except (OSError, struct.error, pickle.UnpicklingError, EOFError, AttributeError, ImportError):
        return None


def _names(path: Path) -> dict[str, float]:
    kept = _load(path)
    return kept[1] if kept else {}


def _store(path: Path, began: float, value: object) -> None:
    with contextlib.suppress(OSError):
        write_whole(path, _BEGAN.pack(began) + pickle.dumps(value))
