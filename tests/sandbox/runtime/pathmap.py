# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Path isolation: a container's paths are written over with the host's folders, and back in what it prints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.runtime.spec import Mount, StartError

# A path is replaced as a whole prefix only: "/data" in "/data/x" and "'/data'", not in "/database" or "/x/data".
_BEFORE = r"(?<![\w./})\]-])"
_AFTER = r"(?![\w.-])"
_PLAIN = re.compile(r"[\w./+@%=:,-]+")


class PathMap:
    """Maps text between the container's paths and the host's."""

    def __init__(self, mounts: Sequence[Mount]) -> None:
        """Raise StartError for a host folder that cannot stand unquoted in a shell command."""
        for mount in mounts:
            if not _PLAIN.fullmatch(str(mount.source)):
                raise StartError(
                    f"CannotStartContainerError: the sandbox maps {mount.target} by path, and {str(mount.source)!r} "
                    "has characters that a shell would split: choose another state directory (--state), or install "
                    "bubblewrap"
                )
        self._inward = _table({mount.target.rstrip("/") or "/": str(mount.source) for mount in mounts})
        self._outward = _table({str(mount.source): mount.target.rstrip("/") or "/" for mount in mounts})

    def to_host(self, text: str) -> str:
        """``text`` with every container path replaced by its host folder."""
        return _replace(self._inward, text)

    def to_container(self, text: str) -> str:
        """``text`` with every host folder replaced by its container path."""
        return _replace(self._outward, text)


_Table = tuple[re.Pattern[str], Mapping[str, str]]


def _table(pairs: Mapping[str, str]) -> _Table | None:
    if not pairs:
        return None
    # Longest first: one mount may lie inside another.
    names = sorted(pairs, key=len, reverse=True)
    return re.compile(_BEFORE + "(" + "|".join(map(re.escape, names)) + ")" + _AFTER), dict(pairs)


def _replace(table: _Table | None, text: str) -> str:
    if table is None:
        return text
    pattern, pairs = table
    return pattern.sub(lambda match: pairs[match.group(1)], text)


def beneath(root: Path, target: str) -> Path:
    """Where ``target`` lies under the private root folder that stands for a container's ``/``."""
    return root / target.strip("/")


__all__ = ["PathMap", "beneath"]
