# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cleaner in each shell that is here, and a volume for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.cleaner.harness import SHELLS, Cleaner


@pytest.fixture(params=SHELLS)
def cleaner(request: pytest.FixtureRequest, tmp_path: Path) -> Cleaner:
    return Cleaner(request.param, tmp_path / "tools")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A volume with one RocksDB folder, a client's lock and files that must stay."""
    root = tmp_path / "volume"
    segment = root / "collections" / "docs" / "0" / "segments" / "one"
    segment.mkdir(parents=True)
    for name in ("CURRENT", "LOCK", "MANIFEST-000004", "000012.sst"):
        (segment / name).touch()
    (root / "client").mkdir()
    (root / "client" / ".lock").write_text("tmp lock file")
    (root / "app.db").write_text("data")
    return root
