# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store that the sandbox's service runs, and those who hold its locks."""

from __future__ import annotations

from sandbox.store.inspection import copy_file_sparse, fingerprint, read_counts
from sandbox.store.layout import lock_files
from sandbox.store.locks import StaleLock, held, hold_stale, is_held
from sandbox.store.seeding import seed

__all__ = [
    "StaleLock", "copy_file_sparse", "fingerprint", "held", "hold_stale", "is_held", "lock_files", "read_counts",
    "seed",
]  # fmt: skip
