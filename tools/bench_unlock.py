# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: the runbook, other modules, bare boto3 and this collection bring the same service back, in turns.

Each run has a world of its own at the sandbox's own speed, in one process tree. `docs/performance.md` explains the
figures. With `--keep FILE`, each run is written there as it ends, and what is there already is not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from environment import CACHE, PYTHON, ROOT, tool_environment

sys.path.insert(0, str(ROOT / "tests"))

from bench.contenders import CONTENDERS, OURS, PATIENT, REFERENCE, SILENT, STATES, Contender, State
from bench.measuring import measure
from bench.table import Run, markdown, ratios, read

from sandbox.client import Sandbox


def points(sandbox: Sandbox) -> Any:
    return sandbox.status().get("points")


def run(sandbox: Sandbox, contender: Contender, state: State, *, number: int, folder: Path) -> Run:
    state.bring_about(sandbox)
    before = len(sandbox.calls())
    environment = tool_environment(
        **sandbox.environment(), ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"), ANSIBLE_NOCOLOR="1", AWS_PAGER="",
        ANSIBLE_LOCALHOST_WARNING="false", ANSIBLE_PYTHON_INTERPRETER=str(PYTHON), ANSIBLE_ASYNC_DIR=str(folder),
    )  # fmt: skip
    # Whoever installs a collection lets Python keep what it has compiled.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    health = str(sandbox.state["health_url"])
    with state.around(sandbox):
        cost = measure(contender.command(health, folder), cwd=ROOT, environment=environment, health=health)
    calls = len(sandbox.calls()) - before
    whole = cost.code == 0 and bool(sandbox.status()["healthy"])
    if not whole:
        print(cost.output, file=sys.stderr)
    return Run(
        state.name, contender.name, number, round(cost.wall, 2), round(cost.downtime, 2), calls,
        round(cost.processor, 2), cost.memory, whole,
    )  # fmt: skip


def told(one: Run) -> str:
    return (
        f"{one.state:6} round {one.round}  {one.contender:22} wall {one.wall:6.1f} s, downtime {one.downtime:6.1f} s, "
        f"{one.calls:4} calls, processor {one.processor:5.1f} s, memory {one.memory / 1_000_000:4.0f} MB"
        f"{'' if one.whole else '  FAILED'}"
    )


def bench(options: argparse.Namespace) -> list[Run]:
    kept: Path | None = options.keep
    runs = read([json.loads(line) for line in kept.read_text().splitlines()]) if kept and kept.exists() else []
    known = {(one.state, one.contender, one.round) for one in runs}
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="bench-") as place:
        sandbox = Sandbox(Path(place) / "sandbox")
        sandbox.start(speed=options.speed, idle=7200)
        try:
            for number in range(1, options.rounds + 1):
                for state in (*STATES, SILENT):
                    for contender in (*CONTENDERS, PATIENT):
                        if not wanted(options, state, contender) or (state.name, contender.name, number) in known:
                            continue
                        folder = Path(tempfile.mkdtemp(dir=place))
                        one = run(sandbox, contender, state, number=number, folder=folder)
                        runs.append(one)
                        print(told(one), flush=True)
                        if kept:
                            with kept.open("a") as out:
                                out.write(json.dumps(one.as_dict()) + "\n")
        finally:
            sandbox.stop()
    return runs


def wanted(options: argparse.Namespace, state: State, contender: Contender) -> bool:
    if state.name not in (options.state or [one.name for one in STATES]):
        return False
    if options.only:
        return contender.name in options.only
    # The silent state is for one question: what the drain costs whoever waits for it.
    return contender.name in (REFERENCE, OURS, PATIENT.name) if state is SILENT else contender in CONTENDERS


def goals(runs: list[Run]) -> list[str]:
    """Issue 6's goals for this collection, and what was measured."""
    told = []
    for state, figure in (("stuck", "wall"), ("up", "downtime")):
        own = ratios([one for one in runs if one.state == state], figure=figure, reference=REFERENCE).get(OURS)
        if own:
            told.append(f"{figure} of a service that is {state}: at most 0.90 of bare boto3's; {max(own):.2f} at worst")
    ours = [one for one in runs if one.contender == OURS]
    if ours:
        told.append(f"API calls: at most 60; {max(one.calls for one in ours)} at worst")
    modules = {(one.state, one.round): one.processor for one in runs if one.contender.startswith("community.aws")}
    halves = [one.processor / modules[one.state, one.round] for one in ours if modules.get((one.state, one.round))]
    if halves:
        told.append(f"processor: at most 0.50 of community.aws's; {max(halves):.2f} at worst")
    return told


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare what it costs to bring the sandbox's service back.")
    parser.add_argument("--rounds", type=int, default=3, help="how often each of them runs (default 3)")
    parser.add_argument("--speed", type=float, default=1.0, help="AWS seconds a second (default 1, as on AWS)")
    parser.add_argument("--only", action="append", choices=[one.name for one in (*CONTENDERS, PATIENT)])
    parser.add_argument(
        "--state",
        action="append",
        choices=[one.name for one in (*STATES, SILENT)],
        help="which ones (default: all but silent)",
    )
    parser.add_argument("--keep", type=Path, help="write each run here as a line, and do not run what is there")
    options = parser.parse_args()
    began = time.monotonic()
    runs = bench(options)
    print(f"\n{markdown(runs, reference=REFERENCE)}")
    print("Median (least to most): **ratio to bare boto3 in the same round**.\n\nGoals:")
    print("\n".join(f"- {line}" for line in goals(runs)))
    print(f"\n{len(runs)} runs, {(time.monotonic() - began) / 60:.0f} min")
    return 0 if runs and all(one.whole for one in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
