# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every test has: the collections of `.cache/tree`, the sandbox's fixtures, and no way to a real AWS account."""

from __future__ import annotations

import os
from pathlib import Path

TREE = Path(__file__).resolve().parents[1] / ".cache" / "tree"

# Before pytest-ansible's own set-up reads it: so a bare `.venv/bin/pytest tests/unit/x.py` works as `make test` does.
os.environ.setdefault("ANSIBLE_COLLECTIONS_PATH", str(TREE))
for name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[name]
os.environ["AWS_EC2_METADATA_DISABLED"] = "true"
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

pytest_plugins = ["sandbox.pytest_plugin"]
