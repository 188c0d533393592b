# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has the collection's filters read once for all workers.

Private to wwhd.qdrant_ops. A worker that meets a filter reads all filters of its collection, with whatever they import,
and forgets them when it ends: some 0.15 s of processor time in six tasks of an unlock, for each host. What Ansible's
main process has read, each worker it forks has as well; and it reads an action plugin before it forks.
"""

from __future__ import annotations

import contextlib

from ansible.plugins.loader import filter_loader

__all__ = ["read_filters"]

_ANY = "wwhd.qdrant_ops.unlock_result"


def read_filters() -> None:
    """Never fails: what is wrong with a filter is told by the task that uses it."""
    with contextlib.suppress(Exception):
        filter_loader.get(_ANY)
