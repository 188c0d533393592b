# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A set of saved snapshots: a folder with a snapshot and a manifest for each collection.

Private to wwhd.qdrant_ops. A snapshot counts only with its manifest, which is written last.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.files import sha256_of, write_whole

__all__ = ["Manifest", "Place", "read_manifest", "read_set", "write_manifest"]

_FORMAT = 1
_SUFFIX = ".snapshot"
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\%]")
_LONGEST = 180


@dataclass(frozen=True)
class Manifest:
    """What is known of one snapshot. `points_before` and `points_count` were counted around its making."""

    collection: str
    file: str
    size: int
    sha256: str
    points_count: int
    points_before: int
    status: str | None
    created_at: str
    source: str
    qdrant_version: str | None = None
    snapshot_name: str | None = None
    verified_by: str = "checksum"
    vectors: Mapping[str, Any] = field(default_factory=dict)
    payload_indexes: Mapping[str, str] = field(default_factory=dict)
    aliases: list[str] | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    format: int = _FORMAT

    def text(self) -> str:
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @property
    def exact(self) -> bool:
        """Whether nobody wrote while it was made."""
        return self.points_before == self.points_count

    def counts(self) -> str:
        if self.exact:
            return f"{self.points_count:,} points"
        least, most = sorted((self.points_before, self.points_count))
        return f"{least:,} to {most:,} points"

    def holds(self, count: int | None) -> bool:
        """Whether a collection with so many points may be what the snapshot has."""
        least, most = sorted((self.points_before, self.points_count))
        return count is not None and least <= count <= most


@dataclass(frozen=True)
class Place:
    """Where the snapshot of a collection lies in a folder, and what is beside it."""

    folder: Path
    collection: str

    @property
    def stem(self) -> str:
        """The collection's name as a file's: readable, and one that no other collection has."""
        safe = _UNSAFE.sub(lambda found: f"%{ord(found.group()):02X}", self.collection)
        if len(safe.encode()) <= _LONGEST:
            return safe
        short = safe.encode()[: _LONGEST - 20].decode(errors="ignore")
        return f"{short}%{hashlib.sha256(self.collection.encode()).hexdigest()[:16]}"

    @property
    def file(self) -> Path:
        return self.folder / f"{self.stem}{_SUFFIX}"

    @property
    def manifest(self) -> Path:
        return self.folder / f"{self.stem}{_SUFFIX}.json"

    @property
    def part(self) -> Path:
        return self.folder / f".{self.stem}{_SUFFIX}.part"

    @property
    def pending(self) -> Path:
        """Says what is being made on the server, so that the next run can take it away if this one dies."""
        return self.folder / f".{self.stem}{_SUFFIX}.pending"

    def saved(self) -> Manifest | None:
        """The manifest, if it is there. Raises OperationFailed for one that can't be read."""
        return read_manifest(self.manifest) if self.manifest.exists() else None

    def fault(self, manifest: Manifest) -> str | None:
        """What is wrong with the snapshot that a manifest describes; reads all of it."""
        path = self.folder / manifest.file
        if not path.is_file():
            return f"the file {path} is missing"
        size = path.stat().st_size
        if size != manifest.size:
            return f"the file {path} has {size:,} bytes, but its manifest says {manifest.size:,}"
        if sha256_of(path) != manifest.sha256:
            return f"the file {path} has another SHA-256 than its manifest says: it was changed or damaged"
        return None


def _is_count(value: object) -> bool:
    """JSON's true is an int for Python."""
    return isinstance(value, int) and not isinstance(value, bool)


def read_manifest(path: Path) -> Manifest:
    """Raises OperationFailed."""
    known = {one.name for one in fields(Manifest)}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(f"its format is {content['format']!r}, and this version reads {_FORMAT}")
        manifest = Manifest(**{name: value for name, value in content.items() if name in known})
        counts = (manifest.size, manifest.points_count, manifest.points_before)
        if os.path.basename(manifest.file) != manifest.file or not all(map(_is_count, counts)):  # noqa: PTH119
            raise ValueError("a value in it is not what it should be")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise OperationFailed(
            f"Could not read the manifest {path}: {error}. Take the snapshot again, or fetch the folder's files again "
            "from where they were copied from."
        ) from error
    return manifest


def read_set(folder: Path) -> dict[str, Manifest]:
    """Every manifest of a folder, by collection. Raises OperationFailed where there is none."""
    if not folder.is_dir():
        raise OperationFailed(f"There is no folder {folder}: give the one that qdrant_snapshot returned.")
    found = [read_manifest(path) for path in sorted(folder.glob(f"*{_SUFFIX}.json"))]
    if not found:
        raise OperationFailed(
            f"There is no saved collection in {folder}: give the folder that has the *.snapshot.json files, as "
            "qdrant_snapshot returned it."
        )
    return {manifest.collection: manifest for manifest in found}


def write_manifest(place: Place, manifest: Manifest) -> None:
    write_whole(place.manifest, manifest.text())
