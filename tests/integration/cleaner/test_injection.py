# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What RunTask tells the cleaner, and what the store's files are called, is never executed, whatever it looks like.

The check of inputs refuses most of these values; here they reach the script all the same.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock import cleaner

SCRIPT = Path(__file__).parents[3] / "roles" / "qdrant_unlock" / "files" / "cleaner.sh"
SHELLS = ["busybox", "dash", "bash"]
PIECES = [
    "$(touch CANARY)", "`touch CANARY`", ";touch CANARY;", "|touch CANARY", "&touch CANARY&", "'", '"', "\\", "${IFS}",
    ">CANARY", "{}", "-exec", "-o", "!", "(", "*", "?", "[a", "%s", " ", "\t", "a", "$0", "$(<x)", "\n", "\r",
    "\x1b[0m",
]  # fmt: skip
ROUNDS = 12


def environment(shell: str, tools: Path) -> dict[str, str]:
    """A PATH on which `sh` is that shell."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"this machine has no {shell}")
    tools.mkdir()
    (tools / "sh").symlink_to(program)
    return {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}


def words(rng: random.Random) -> str:
    return "".join(rng.choice(PIECES) for _piece in range(rng.randint(1, 5)))


def as_file_name(text: str) -> str:
    return text.replace("/", "_")[:100]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_nothing_that_the_cleaner_is_told_is_executed(shell: str, seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    base = environment(shell, tmp_path / "tools")
    here = tmp_path / "here"
    here.mkdir()
    root = tmp_path / as_file_name(f"vol {words(rng)}")
    scan = as_file_name(f"dir {words(rng)}")
    (root / scan).mkdir(parents=True)
    names = [as_file_name(f"{words(rng)}.lock") for _file in range(4)]
    for name in names:
        (root / scan / name).touch()
    made = cleaner.definition(
        script=SCRIPT.read_text(), family="f", image="alpine", cpu=256, memory=512, read_only=False,
        volume={"file_system_id": "fs-1", "root_directory": "/"}, execution_role_arn=None, task_role_arn=None, log=None,
    )["containerDefinitions"][0]  # fmt: skip
    told = cleaner.overrides(
        scan_path=f"/{scan}", patterns=["*.lock", words(rng), words(rng)], mode="unlock", held="fail", held_timeout=0,
        run_id=words(rng), prune=[words(rng), words(rng)],
    )["containerOverrides"][0]  # fmt: skip
    values = {entry["name"]: entry["value"] for entry in [*made["environment"], *told["environment"]]}
    done = subprocess.run(
        made["command"], env={**base, **values, "CLEANER_ROOT": str(root)}, cwd=here, capture_output=True, timeout=60,
        check=False,
    )  # fmt: skip
    lines = [json.loads(line) for line in done.stdout.decode("utf-8", "surrogateescape").splitlines()]
    assert done.returncode == 0, done
    assert {line["path"] for line in lines[:-1]} == {f"/{scan}/{name}" for name in names}
    assert lines[-1]["summary"]["run_id"] == values["CLEANER_RUN_ID"]
    assert lines[-1]["summary"]["removed"] == len(set(names))
    assert list((root / scan).iterdir()) == []
    assert list(here.iterdir()) == []
    assert list(root.iterdir()) == [root / scan]
