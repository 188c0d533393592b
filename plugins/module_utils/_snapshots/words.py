# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sentences that a run of either module ends with.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.files import human_size
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.manifest import Manifest

__all__ = ["collections_saved", "counted"]


def counted(count: int, noun: str) -> str:
    """`1 point`, `12,345 points`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def collections_saved(saved: Iterable[Manifest], wanted: int, folder: Path) -> str:
    """`3 of 3 collections are saved in …: 12,345 points, 1.4 GB.`"""
    manifests: Collection[Manifest] = list(saved)
    are = "is" if len(manifests) == 1 else "are"
    head = f"{len(manifests)} of {counted(wanted, 'collection')} {are} saved in {folder}"
    if not manifests:
        return f"{head}."
    points = counted(sum(one.points_count for one in manifests), "point")
    return f"{head}: {points}, {human_size(sum(one.size for one in manifests))}."
