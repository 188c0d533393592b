# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run molecule's scenarios, two at a time: all of them, or those named as arguments.

Each is a molecule of its own, with a folder of its own for molecule's state and for its sandbox: molecule's `--workers`
would let all scenarios share both, and then one story's broken service is the other's. The default scenario's
create.yml and destroy.yml, which start and stop a sandbox, are run by molecule around each of them.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from environment import BIN, CACHE, ROOT, tool_environment

from sandbox.marks import end_marked

FOLDER = ROOT / "extensions" / "molecule"
AT_ONCE = 2
SECONDS = 600.0


@dataclass(frozen=True)
class Told:
    """What a scenario ended with."""

    name: str
    code: int
    output: str
    seconds: float


def main(wanted: list[str]) -> int:
    known = sorted(path.parent.name for path in FOLDER.glob("*/molecule.yml") if path.parent.name != "default")
    unknown = sorted(set(wanted) - set(known))
    if unknown or not known:
        there = f"there are {', '.join(known)}" if known else "there is none"
        print(f"molecule: no scenario {', '.join(unknown) or 'at all'} in {FOLDER}: {there}", file=sys.stderr)
        return 2
    home = CACHE / "molecule"
    home.mkdir(parents=True, exist_ok=True)
    failed = []
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(dir=home, prefix="run-") as run, ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for told in pool.map(lambda name: play(name, folder=Path(run) / name), wanted or known):
                if told.code != 0:
                    failed.append(told.name)
                    print(told.output, end="")
                print(
                    f"molecule: {told.name} {'failed' if told.code else 'passed'} in {told.seconds:.1f} s", flush=True
                )
        except BaseException:
            # Interrupted: what is still queued is dropped, and what runs is ended.
            pool.shutdown(wait=False, cancel_futures=True)
            for name in wanted or known:
                end_all(Path(run) / name)
            raise
    if failed:
        print(f"molecule: failed: {', '.join(failed)}; the output of each stands above", file=sys.stderr)
    return 1 if failed else 0


def play(name: str, *, folder: Path) -> Told:
    folder.mkdir()
    env = tool_environment(
        MOLECULE_EPHEMERAL_DIRECTORY=str(folder / "state"), QDRANT_OPS_SANDBOX=str(folder / "sandbox"), NO_COLOR="1"
    )
    command: list[str | Path] = [BIN / "molecule", "--base-config", FOLDER / "config.yml", "test", "-s", name]
    started = time.monotonic()
    with (folder / "output").open("w+") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )  # fmt: skip
        try:
            code = process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            code = 1
            output.write(f"\nmolecule: {name} was ended after {SECONDS:.0f} s\n")
        # Nothing may outlive the run, however it ended: neither a playbook nor the sandbox that one has started.
        end_all(folder)
        process.wait()
        output.seek(0)
        return Told(name=name, code=code, output=output.read(), seconds=time.monotonic() - started)


def end_all(folder: Path) -> None:
    """Kill every process that was started for the scenario in `folder`."""
    end_marked(f"QDRANT_OPS_SANDBOX={folder / 'sandbox'}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
