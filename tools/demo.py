# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make demo`: a service that stale locks keep from starting, before and after the unlock, in under a minute.

Everything is real but AWS, which runs on this machine (tests/sandbox): the store is Qdrant's own engine, the locks are
locks, the cleaner is a process. `--keep` leaves the sandbox running, to look around in.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from environment import BIN, CACHE, PYTHON, ROOT, tool_environment

from sandbox.marks import end_marked

SPEED = "30"
# How many seconds the file server keeps the dead client's locks: long enough to see the cleaner wait for them.
LEASE = 20
STATE = Path(os.environ.get("QDRANT_OPS_SANDBOX") or CACHE / "sandbox")
# What this demo starts carries it, so that nothing is left behind.
MARK = {"QDRANT_OPS_DEMO": str(os.getpid())}
# The playbook's default: the folder that this was started in.
REPORTS = Path.cwd() / "reports"


def say(text: str) -> None:
    sys.stdout.write(f"\n\033[1m== {text}\033[0m\n" if sys.stdout.isatty() else f"\n== {text}\n")
    sys.stdout.flush()


def environment() -> dict[str, str]:
    # The report goes to the current folder, which only PWD tells; a bare environment may lack it.
    return tool_environment(QDRANT_OPS_SANDBOX=str(STATE), PWD=str(REPORTS.parent), **MARK)


def sandbox(*words: str) -> None:
    subprocess.run([str(PYTHON), "-m", "sandbox", *words], cwd=ROOT, env=environment(), check=True)


def ask(url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def counts(qdrant: str) -> dict[str, int]:
    """The points by collection, asked of Qdrant's own API: nothing of the collection's is trusted here."""
    names = [entry["name"] for entry in ask(f"{qdrant}/collections")["result"]["collections"]]
    return {
        name: int(ask(f"{qdrant}/collections/{name}/points/count", {"exact": True})["result"]["count"])
        for name in sorted(names)
    }


def text_of(points: dict[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in points.items())


def demo(lease: float) -> int:
    started = time.monotonic()
    say(f"A Qdrant service on ECS, its storage on EFS (in a sandbox on this machine, {SPEED} times as fast)")
    sandbox("down")
    sandbox("up", "--speed", SPEED)
    state = json.loads((STATE / "state.json").read_text())
    before = counts(state["qdrant_url"])
    print(f"Points: {text_of(before)}")

    say("Its host vanishes, as hosts do; the file server keeps the locks; no new task can start")
    sandbox("break", "--kind", "stale-lock", "--lease-real", f"{lease:g}")

    command = ["ansible-playbook", "playbooks/unlock.yml", "-e", "env=local"]
    say(" ".join(command))
    run = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=ROOT, env=environment(), check=False)

    say("What Qdrant and the sandbox say")
    sandbox("status")
    if run.returncode:
        print(f"The playbook ended with {run.returncode}: this demo has failed.")
        return run.returncode
    after = counts(state["qdrant_url"])
    print(f"Points: {text_of(after)}")

    same = after == before
    report = newest_report()
    say(f"{'Done' if same else 'FAILED'} in {time.monotonic() - started:.0f} s")
    for sentence in report.get("summary", []):
        print(f"  {sentence}")
    print(
        f"  Before the incident: {text_of(before)}. Now: {text_of(after)}. {'The same.' if same else 'NOT the same!'}"
    )
    if report.get("report"):
        print(f"  The report: {report['report']}.html")
    return 0 if same else 1


def newest_report() -> dict[str, Any]:
    found = sorted(REPORTS.glob("wwhd-backend.local-unlock-*.json"), key=os.path.getmtime)
    result: dict[str, Any] = json.loads(found[-1].read_text()) if found else {}
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description="Break a service with stale locks, unlock it, show that it is whole.")
    parser.add_argument("--keep", action="store_true", help="leave the sandbox running at the end")
    parser.add_argument("--lease", type=float, default=LEASE, help="seconds that the locks stay (default %(default)s)")
    arguments = parser.parse_args()
    keep = arguments.keep
    # In a pipe as on a terminal, what this says stands in its order with what its commands say.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a real stdout is a TextIOWrapper
    try:
        return demo(arguments.lease)
    finally:
        if keep:
            print("\nThe sandbox is left running: .venv/bin/python -m sandbox status, and down to stop it.")
        else:
            sandbox("down")
            # The playbook's watchdog would ask the sandbox that is no more for up to half an hour.
            for name, value in MARK.items():
                end_marked(f"{name}={value}")


if __name__ == "__main__":
    sys.exit(main())
