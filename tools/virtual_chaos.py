# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the chaos in virtual time, and keep the figures for docs/reliability.md.

    tools/virtual_chaos.py --steps 10000   random stories until so many modules have run
    tools/virtual_chaos.py --table         the complete kill table of each world, before and after each call

With `--first 5000` the stories begin with that seed. `--record virtual_works` keeps their figures under that name,
beside those of the long campaign.

Both are tests (tests/chaos/test_virtual_*.py), which fail if an invariant is broken: what is kept is what they print.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import re
import subprocess
import sys
from typing import Any

from environment import PYTHON, ROOT, tool_environment
from reliability import record_figures

sys.path.insert(0, str(ROOT / "tests"))

from chaos.playbook_campaign import code_hash

_STORIES = re.compile(r"^seeds (\d+) to (\d+): (.*); ([\d.]+) s$", re.MULTILINE)
_CELLS = re.compile(r"^(.+), (kill_\w+): (\d+) cells, (\d+) broken, ([\d.]+) s$", re.MULTILINE)


def run(name: str, *words: str, **variables: str) -> str:
    """What the test printed. Raises SystemExit if an invariant was broken, or anything else went wrong."""
    # A campaign takes longer than any single test may.
    command = [str(PYTHON), "-m", "pytest", f"tests/chaos/{name}", "-q", "-s", "-o", "faulthandler_timeout=0", *words]
    done = subprocess.run(
        command, cwd=ROOT, env=tool_environment(**variables), stdout=subprocess.PIPE, text=True, check=False
    )
    print(done.stdout)
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout


def stories(steps: int, first: int) -> dict[str, Any]:
    found = _STORIES.findall(run("test_virtual_model.py", CHAOS_STEPS=str(steps), CHAOS_FIRST=str(first)))
    begin, last, counts, seconds = found[-1]
    return {
        **{name: int(number) for name, number in re.findall(r"(\w+) (\d+)", counts)},
        "seeds": f"{begin} to {last}",
        "seconds": float(seconds),
        "command": f"tools/virtual_chaos.py --steps {steps}" + (f" --first {first}" if first != 1 else ""),
    }


def kill_table() -> dict[str, Any]:
    found = _CELLS.findall(run("test_virtual_kills.py", "-k", "kill_before or kill_after", CHAOS_TABLE="all"))
    return {
        "cells": sum(int(cells) for _world, _kind, cells, _broken, _seconds in found),
        "failures": sum(int(broken) for _world, _kind, _cells, broken, _seconds in found),
        "worlds": sorted({world for world, *_rest in found}),
        "seconds": sum(float(seconds) for *_rest, seconds in found),
        "command": "tools/virtual_chaos.py --table",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Chaos in virtual time, for docs/reliability.md.")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--record", choices=["virtual", "virtual_works"], default="virtual")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    name, figures = (
        ("virtual_table", kill_table()) if given.table else (given.record, stories(given.steps, given.first))
    )
    today = dt.datetime.now(dt.UTC).date().isoformat()
    record_figures(name, {**figures, "code": code_hash(), "date": today})
    return 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
