# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts `ansible-playbook playbooks/unlock.yml -e env=local` so that a fault can be ordered for its process first.

Two ways: `forked` (a child of the zygote, see `playbook_zygote`; the usual one here) and `plain` (the command itself,
as an operator has it). Every process of a run bears CHAOS_RUN=<mark> in its environment.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from chaos.playbook_zygote import PLACEHOLDER

from sandbox.marks import marked

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "CHAOS_RUN"
# How much shorter than on AWS the forked way pauses between two looks. AWS itself is faster still here.
HASTE = 4.0
_RUN_SECONDS = 240.0
_GATE = 'read -r _ && exec "$0" "$@" </dev/null'


@dataclass(frozen=True)
class Played:
    """How a run ended: `code` is the exit code, or minus the signal; `text` its output with white space folded."""

    code: int
    output: str
    seconds: float

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", self.output)

    @property
    def how(self) -> str:
        return f"code {self.code}" if self.code >= 0 else f"signal {signal.Signals(-self.code).name}"


class Player:
    """Plays the playbook against one sandbox, one run at a time; keeps its files in `directory`."""

    def __init__(self, *, directory: Path, sandbox: Path) -> None:
        self._directory, self._sandbox = directory, sandbox
        self._zygote: subprocess.Popen[str] | None = None
        directory.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._zygote is not None and self._zygote.stdin is not None:
            self._zygote.stdin.close()
            try:
                self._zygote.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._zygote.kill()
                self._zygote.wait()

    def play(
        self,
        variables: Mapping[str, Any],
        *,
        mark: str,
        plain: bool = False,
        order: Callable[[int], None] | None = None,
    ) -> Played:
        """Runs the playbook to its end with these extra variables; `order` is called with its pid before it begins."""
        # Reports are files of this machine, which nobody reads here.
        extra = {"env": "local", "qdrant_unlock_report_dir": "", **variables}
        arguments = ["playbooks/unlock.yml", "-e", json.dumps(extra)]
        output = self._directory / f"{mark}.txt"
        started = time.monotonic()
        code = (self._plain if plain else self._forked)(arguments, mark, output, order or (lambda pid: None))
        return Played(code, output.read_text(errors="replace"), time.monotonic() - started)

    def _environment(self) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_", "PYTEST"))
        }
        here = str(self._directory)
        return {
            **kept,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_COLOR": "1",
            "LC_ALL": "C.UTF-8",
            # Killed runs leave their temporary files: here they are found and removed with everything else.
            "ANSIBLE_HOME": f"{here}/home",
            "ANSIBLE_LOCAL_TEMP": f"{here}/local",
            "ANSIBLE_REMOTE_TEMP": f"{here}/remote",
            "ANSIBLE_ASYNC_DIR": f"{here}/async",
            "QDRANT_OPS_SANDBOX": str(self._sandbox),
        }

    def _plain(self, arguments: list[str], mark: str, output: Path, order: Callable[[int], None]) -> int:
        program = str(Path(sys.executable).parent / "ansible-playbook")
        with output.open("ab") as out:
            process = subprocess.Popen(
                ["sh", "-c", _GATE, program, *arguments], cwd=ROOT, env={**self._environment(), VARIABLE: mark},
                stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        assert process.stdin is not None
        order(process.pid)
        process.stdin.write(b"go\n")
        process.stdin.close()
        try:
            return process.wait(timeout=_RUN_SECONDS)
        except subprocess.TimeoutExpired:
            end(mark)
            process.wait()
            raise

    def _forked(self, arguments: list[str], mark: str, output: Path, order: Callable[[int], None]) -> int:
        zygote = self._ready()
        assert zygote.stdin is not None
        told = {"arguments": arguments, "environment": {"CHAOS_HASTE": str(HASTE)}, "output": str(output), "mark": mark}
        pid = int(self._ask(zygote, json.dumps(told))["pid"])
        order(pid)
        watch = threading.Timer(_RUN_SECONDS, end, [mark])
        watch.start()
        try:
            status = int(self._ask(zygote, "go")["status"])
        finally:
            watch.cancel()
        return os.waitstatus_to_exitcode(status)

    def _ready(self) -> subprocess.Popen[str]:
        if self._zygote is None:
            self._zygote = subprocess.Popen(
                [sys.executable, "-m", "chaos.playbook_zygote", "ansible-playbook"], cwd=ROOT, text=True, bufsize=1,
                env={**self._environment(), "PYTHONPATH": str(ROOT / "tests"), "ANSIBLE_PIPELINING": "1",
                     VARIABLE: PLACEHOLDER.partition("=")[2]},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
            self._read(self._zygote)
        return self._zygote

    def _ask(self, zygote: subprocess.Popen[str], line: str) -> dict[str, Any]:
        assert zygote.stdin is not None
        zygote.stdin.write(line + "\n")
        return self._read(zygote)

    def _read(self, zygote: subprocess.Popen[str]) -> dict[str, Any]:
        assert zygote.stdout is not None
        line = zygote.stdout.readline()
        if not line:
            raise RuntimeError(f"the zygote ended with {zygote.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def living(mark: str) -> list[int]:
    """The processes of a run that still live, wherever they were moved to."""
    return marked(f"{VARIABLE}={mark}")


def end(mark: str) -> None:
    """Kill what is left of a run."""
    for pid in living(mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def await_quiet(mark: str, *, seconds: float) -> float | None:
    """The seconds until no process of the run lived any more, 0 if none did; None if one still did at the deadline."""
    started = time.monotonic()
    waited = 0.0
    while living(mark):
        if time.monotonic() - started > seconds:
            return None
        time.sleep(0.05)
        waited = time.monotonic() - started
    return waited
