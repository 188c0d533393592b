# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the processes of a container have open, also files that have no name any more."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_DELETED = " (deleted)"


@dataclass(frozen=True)
class OpenFile:
    """``link`` opens the very inode, whatever became of its name; ``path`` is the name that its opener knows."""

    link: Path
    path: Path
    inode: tuple[int, int]
    links: int


def open_files(pid: int) -> Iterator[OpenFile]:
    """The regular files that this process and its descendants have open; nothing of what ends meanwhile."""
    for process in _family(pid):
        for link in _entries(Path(f"/proc/{process}/fd")):
            try:
                name, status = str(link.readlink()), link.stat()
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode):
                yield OpenFile(link, Path(name.removesuffix(_DELETED)), (status.st_dev, status.st_ino), status.st_nlink)


def _family(pid: int) -> Iterator[int]:
    yield pid
    for task in _entries(Path(f"/proc/{pid}/task")):
        try:
            children = (task / "children").read_text().split()
        except OSError:
            continue
        for child in children:
            yield from _family(int(child))


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


__all__ = ["OpenFile", "open_files"]
