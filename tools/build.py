# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the collection's tarball in build/ from a clean copy: ansible-galaxy knows nothing of .gitignore."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from environment import BIN, ROOT, checkout_files, tool_environment
from tree import copy_checkout


def main() -> int:
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "qdrant_ops"
        copy_checkout(copy, names=checkout_files())
        galaxy: list[str | Path] = [BIN / "ansible-galaxy", "collection", "build", "--force"]
        command = [*galaxy, "--output-path", ROOT / "build", copy]
        return subprocess.run(command, cwd=ROOT, env=tool_environment(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
