# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench-many`: N environments of one account unlocked in one `ansible-playbook` run, with AWS's rate limits.

Each is up, and is stopped, cleaned and started (`qdrant_unlock_when: always`). Each has been unlocked before, so that
its cleaner is registered, unless it is the first time (`--first`): AWS registers one a second. Prints a row a number:
wall time and its ratio to the first row's, processor seconds and memory per environment, calls, and how many AWS
throttled.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from environment import BIN, CACHE, PYTHON, ROOT, tool_environment

sys.path.insert(0, str(ROOT / "tests"))

from bench.environments import create, inventory
from bench.measuring import measure

from sandbox.client import Sandbox

HEADING = (
    "environments", "forks", "wall, s", "ratio", "processor an environment, s", "memory an environment, MB",
    "calls an environment", "throttled", "unlocked",
)  # fmt: skip


def attempt(count: int, forks: int, *, speed: float, first: bool, base: float | None) -> tuple[list[str], float]:
    """One row, and its wall time."""
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="bench-") as place:
        folder = Path(place)
        sandbox = Sandbox(folder / "sandbox").start(speed=speed, idle=7200)
        try:
            names = create(sandbox, count)
            hosts = inventory(folder, sandbox, names)
            environment = tool_environment(
                ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), ANSIBLE_NOCOLOR="1", ANSIBLE_PYTHON_INTERPRETER=str(PYTHON),
                ANSIBLE_ASYNC_DIR=place, AWS_EC2_METADATA_DISABLED="true",
            )  # fmt: skip
            given = [
                "-i", str(hosts), "--forks", str(forks), "-e", "env=many", "-e", "qdrant_unlock_when=always",
                "-e", f"qdrant_unlock_report_dir={place}",
            ]  # fmt: skip
            playbook = str(BIN / "ansible-playbook")
            if not first:
                register = [playbook, str(ROOT / "tests" / "bench" / "register.yml"), *given]
                subprocess.run(register, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=True)
            sandbox.control("settings", token_buckets=True)
            before = len(sandbox.calls())
            command = [playbook, str(ROOT / "playbooks" / "unlock.yml"), *given]
            # The seeded service is none of them: that it is served all the time is not of interest here.
            cost = measure(command, cwd=ROOT, environment=environment, health=str(sandbox.state["health_url"]))
            calls = sandbox.calls()[before:]
        finally:
            sandbox.stop()
    ended = re.findall(r"^(env\d+) +: .*failed=(\d+)", cost.output, re.MULTILINE)
    whole = sum(failed == "0" for _name, failed in ended)
    if cost.code or whole != count:
        print(cost.output, file=sys.stderr)
    throttled = sum(call["error"] == "ThrottlingException" for call in calls)
    ratio = "1.00" if base is None else f"{cost.wall / base:.2f}"
    return [
        str(count), str(forks), f"{cost.wall:.0f}", ratio, f"{cost.processor / count:.1f}",
        f"{cost.memory / count / 1_000_000:.0f}", f"{len(calls) / count:.0f}", str(throttled), f"{whole} of {count}",
    ], cost.wall  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description="Unlock many environments in one run.")
    parser.add_argument("counts", nargs="*", type=int, default=[1, 10], help="how many (default: 1, then 10)")
    parser.add_argument("--forks", type=int, help="default: as many as environments")
    parser.add_argument("--speed", type=float, default=1.0, help="AWS seconds a second (default 1, as on AWS)")
    parser.add_argument("--first", action="store_true", help="no cleaner is registered yet")
    options = parser.parse_args()
    CACHE.mkdir(exist_ok=True)
    base: float | None = None
    rows: list[list[str]] = []
    for count in options.counts:
        row, wall = attempt(count, options.forks or count, speed=options.speed, first=options.first, base=base)
        base = base or wall
        rows.append(row)
        print(" ".join(f"{heading} {cell};" for heading, cell in zip(HEADING, row, strict=True)), flush=True)
    print()
    for line in (HEADING, ["---"] * len(HEADING), *rows):
        print("| " + " | ".join(line) + " |")
    return 0 if all(row[-1] == f"{row[0]} of {row[0]}" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
