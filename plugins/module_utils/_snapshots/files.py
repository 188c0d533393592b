# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are either whole or not there, on a disk that may be full.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed

__all__ = ["Part", "check_room", "free_bytes", "human_size", "local_faults", "sha256_of", "tar_fault", "write_whole"]

_PIECE = 1024 * 1024
# What is left free beside a snapshot: a disk that is full to the last byte hurts everything else on it.
_RESERVE = 64 * 1024 * 1024
_UNITS = ("B", "kB", "MB", "GB", "TB")


class Part:
    """A file that is still being written, for its owner only, and what it comes to so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.unlink(missing_ok=True)
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._digest.update(piece)
        self.size += len(piece)

    def restart(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._digest = hashlib.sha256()
        self.size = 0

    def sha256(self) -> str:
        return self._digest.hexdigest()

    def become(self, path: Path) -> None:
        """Take the place of `path`, with every byte on the disk."""
        os.fsync(self._file.fileno())
        self._file.close()
        self._path.replace(path)
        _sync_folder(path.parent)

    def discard(self) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a small file so that nobody ever sees half of it."""
    part = Part(path.with_name(f".{path.name.lstrip('.')}.part"))
    try:
        part.write(text.encode())
        part.become(path)
    except BaseException:
        part.discard()
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        # Some network file systems refuse this; the file itself is safe by then.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def tar_fault(path: Path) -> str | None:
    """What is wrong with a tar archive, such as an end that is missing; None for a whole one."""
    try:
        with tarfile.open(path, "r:") as archive:
            count = sum(1 for _member in archive)
            archive.fileobj.seek(archive.offset)
            # The end is marked by zeros; without them it was cut between two members.
            if not count or any(archive.fileobj.read(tarfile.BLOCKSIZE)):
                return "it is no whole archive"
            if archive.offset + tarfile.BLOCKSIZE > path.stat().st_size:
                return "its end is missing"
    except (tarfile.TarError, OSError, EOFError) as error:
        return f"it can't be read as an archive ({error})"
    return None


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def check_room(folder: Path, size: int) -> None:
    """Raises OperationFailed where a snapshot of that size has no room."""
    free = free_bytes(folder)
    if free < size + _RESERVE:
        raise OperationFailed(
            f"{folder} has {human_size(free)} free, and the snapshot has {human_size(size)}: make room there, or give "
            "a directory on a larger disk."
        )


@contextlib.contextmanager
def local_faults(doing: str) -> Iterator[None]:
    """Turns what this machine's disk says into a sentence."""
    try:
        yield
    except OSError as error:
        raise OperationFailed(
            f"Could not {doing}: {error.strerror or error}. Check the disk and the rights there, then run it again."
        ) from error


def human_size(size: int) -> str:
    """`1.4 GB`: in powers of 1000, as disks are sold."""
    value = float(size)
    unit = 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value /= 1000
        unit += 1
    return f"{size} B" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"
