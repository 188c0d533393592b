# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A copy of the checkout as git would hand it out, for tools that resolve links or take every file they see."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from environment import ROOT


def copy_checkout(place: Path, *, names: Iterable[str]) -> None:
    """Make `place` hold these files of the checkout, with their modes, and nothing else."""
    shutil.rmtree(place, ignore_errors=True)
    for name in names:
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
