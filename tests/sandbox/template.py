# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seeded file system, made once a daemon and copied for each reset."""

from __future__ import annotations

import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from sandbox.store import copy_file_sparse, seed

ACCESS_POINT_PATH = "/wwhd-dev"
FOREIGN_LOCKS = ("analytics/jobs/nightly.lock", "git/wwhd.git/index.lock", "wwhd-staging/app/poetry.lock")


class Template:
    """Begins at once, in the background: moto takes two seconds to import, the store one to be made."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        pool = ThreadPoolExecutor(max_workers=1)
        self._counts: Future[dict[str, int]] = pool.submit(self._make)
        pool.shutdown(wait=False)

    def copy_to(self, target: Path) -> dict[str, int]:
        """Replaces `target` by a fresh copy. Returns the exact point count of each collection."""
        counts = self._counts.result(timeout=90)
        shutil.rmtree(target, ignore_errors=True)
        # The engine's files are 32 MiB each and almost empty: 1 MiB to copy instead of 260.
        shutil.copytree(self._folder, target, copy_function=copy_file_sparse)
        return counts

    def _make(self) -> dict[str, int]:
        shutil.rmtree(self._folder, ignore_errors=True)
        counts = seed(self._folder / ACCESS_POINT_PATH.strip("/"))
        _foreign_files(self._folder)
        return counts


def _foreign_files(root: Path) -> None:
    """What others keep on the same file system, outside the access point: the runbook's cleaner sees it all."""
    for name in FOREIGN_LOCKS:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("held by pid 4242 on build-7\n")
    (root / "analytics" / "jobs" / "report.csv").write_text("day,count\n2026-01-01,17\n")


__all__ = ["ACCESS_POINT_PATH", "FOREIGN_LOCKS", "Template"]
