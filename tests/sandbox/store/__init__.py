# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The store that the sandbox's service runs, and those who hold its locks.

Its names come from the modules at first use: each container of the service is a process that begins with this package,
and it needs none of what seeds and inspects stores.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.store.inspection import copy_file_sparse, fingerprint, read_counts
    from sandbox.store.layout import lock_files
    from sandbox.store.locks import StaleLock, held, hold_stale, is_held
    from sandbox.store.seeding import seed

_MODULES = {
    "copy_file_sparse": "inspection", "fingerprint": "inspection", "read_counts": "inspection", "lock_files": "layout",
    "StaleLock": "locks", "held": "locks", "hold_stale": "locks", "is_held": "locks", "seed": "seeding",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


__all__ = [
    "StaleLock", "copy_file_sparse", "fingerprint", "held", "hold_stale", "is_held", "lock_files", "read_counts",
    "seed",
]  # fmt: skip
