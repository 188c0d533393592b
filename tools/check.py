# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the checks named, in their order, and stop where one fails: `tools/check.py lint+sanity+molecule tests`.

Those that `+` joins run at the same time: most of each is one process that waits for the one before it. Each check has
one heading and, when it passed, one line with its time. pytest's own summary says both, and stays the last thing
printed.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from environment import BIN, CACHE, PYTHON, ROOT, tool_environment

TOOLS = Path(__file__).parent
Command = list[str | Path]

# Most tests wait for the sandbox's clock rather than for a processor; more than eight sandboxes would fill a laptop.
WORKERS = min(8, 2 * (os.cpu_count() or 1))
PYTEST: Command = [PYTHON, "-m", "pytest", "-n", str(WORKERS), "--dist", "loadgroup"]
ANTSIBULL_DOCS: Command = [BIN / "antsibull-docs", "lint-collection-docs"]
COVERAGE: Command = ["--cov", "--cov-report=term"]


def commands(check: str) -> list[Command]:
    """The commands of one check. KeyError where there is no such check."""
    table: dict[str, list[Command]] = {
        "lint": [
            [BIN / "ruff", "check"],
            [BIN / "ruff", "format", "--check"],
            [BIN / "mypy", "-p", "ansible_collections.wwhd.qdrant_ops.plugins"],
            [BIN / "mypy", "-p", "sandbox"],
            [BIN / "mypy", "-p", "chaos", "-p", "bench"],
            [BIN / "mypy", "tools"],
            [BIN / "mypy", "extensions/eda"],
            [BIN / "ansible-lint", "--offline", "--strict"],
            [BIN / "antsibull-changelog", "lint"],
            [PYTHON, TOOLS / "reliability.py", "--check"],
        ],
        "sanity": [[PYTHON, TOOLS / "sanity.py"]],
        "molecule": [[PYTHON, TOOLS / "molecule.py", *shlex.split(os.environ.get("SCENARIO", ""))]],
        "unit": [[*PYTEST, *COVERAGE, "tests/unit", *arguments()]],
        "integration": [[*PYTEST, "tests/integration", *arguments()]],
        # The role, played in the tests' own process, is ten times slower where each of its lines is counted.
        "tests": [[*PYTEST, *COVERAGE, "tests/unit"], [*PYTEST, "tests/integration", "tests/chaos"]],
        "docs": [
            [BIN / "antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "all", "."],
            [PYTHON, TOOLS / "docsite.py"],
        ],
        "site": [[PYTHON, TOOLS / "docsite.py"]],
    }
    return table[check]


def arguments() -> list[str]:
    return shlex.split(os.environ.get("ARGS", ""))


def run(check: str, *, out: IO[str] | None = None) -> int:
    """One check, with what it prints in `out`, if it is given. The exit code of the first step that failed, or 0."""
    print(f"== {check} ==", file=out, flush=True)
    started = time.monotonic()
    for command in commands(check):
        code = subprocess.run(
            command, cwd=ROOT, env=tool_environment(), stdout=out, stderr=out and subprocess.STDOUT, check=False
        ).returncode
        if code != 0:
            shown = shlex.join(os.path.relpath(part, ROOT) if isinstance(part, Path) else part for part in command)
            print(f"== {check} failed: `{shown}` ended with code {code} ==", file=out or sys.stderr, flush=True)
            # A negative code is a signal; make takes any non-zero one.
            return code if code > 0 else 1
    if check not in {"unit", "integration", "tests"}:
        print(f"== {check} passed in {time.monotonic() - started:.1f} s ==", file=out, flush=True)
    return 0


def run_together(checks: list[str]) -> int:
    """Several checks at once: the output of each is whole, and in their order. The first code that is not 0, or 0."""
    with ExitStack() as stack, ThreadPoolExecutor(len(checks)) as pool:
        outputs = [stack.enter_context(tempfile.TemporaryFile("w+")) for _check in checks]
        running = [pool.submit(run, check, out=output) for check, output in zip(checks, outputs, strict=True)]
        codes = []
        for one, output in zip(running, outputs, strict=True):
            codes.append(one.result())
            output.seek(0)
            shutil.copyfileobj(output, sys.stdout)
            sys.stdout.flush()
    return next((code for code in codes if code), 0)


def main(groups: list[str]) -> int:
    CACHE.joinpath("coverage").mkdir(parents=True, exist_ok=True)
    plan = [group.split("+") for group in groups]
    # A name that there is not is an error before anything runs.
    for check in (check for checks in plan for check in checks):
        commands(check)
    for checks in plan:
        code = run(checks[0]) if len(checks) == 1 else run_together(checks)
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
