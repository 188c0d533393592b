# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder in which the modules of several hosts find what one of them has read for all (module_utils/_shared.py).

Private to wwhd.qdrant_ops. It lies in the folder that Ansible makes for a run, for its user alone, and removes at the
run's end.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import constants

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._shared import PLACE

__all__ = ["shared_folder"]

_NAME = "qdrant_ops_shared"


def shared_folder(task_vars: Mapping[str, Any]) -> dict[str, str]:
    """What the environment of a module is given; nothing where a play has one host, or no folder can be made."""
    if len(task_vars.get("ansible_play_batch") or ()) < 2:
        return {}
    folder = Path(constants.DEFAULT_LOCAL_TMP, _NAME)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return {}
    return {PLACE: str(folder)}
