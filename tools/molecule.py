# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run molecule's scenarios: all of them, or those named as arguments.

Each run has a folder of its own for molecule's state and for its sandbox, so that two runs, or a developer's own
sandbox, do not meet.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from environment import BIN, CACHE, PYTHON, ROOT, tool_environment


def main(scenarios: list[str]) -> int:
    home = CACHE / "molecule"
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home, prefix="run-") as run:
        env = tool_environment(MOLECULE_EPHEMERAL_DIRECTORY=f"{run}/state", QDRANT_OPS_SANDBOX=f"{run}/sandbox")
        molecule: list[str | Path] = [
            BIN / "molecule",
            "--base-config",
            ROOT / "extensions/molecule/config.yml",
            "test",
            "--report",
        ]
        chosen = [f"--scenario-name={name}" for name in scenarios] or ["--all", "--workers", "2"]
        try:
            return subprocess.run([*molecule, *chosen], cwd=ROOT, env=env, check=False).returncode
        finally:
            # A scenario that failed half-way may have left its sandbox: nothing may outlive the run.
            subprocess.run([PYTHON, "-m", "sandbox", "down"], cwd=ROOT, env=env, check=False, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
