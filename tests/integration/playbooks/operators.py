# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the collection's playbooks as an operator does, against the sandbox or against nothing at all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.permissions import LEDGER, policy_for

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 240


@dataclass(frozen=True)
class Played:
    """How a playbook ended; `text` has its output with white space folded, as messages are broken into lines."""

    code: int
    output: str

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", self.output)

    def recap(self, host: str) -> dict[str, int]:
        line = next(line for line in self.output.splitlines() if line.startswith(host) and "ok=" in line)
        return {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", line)}


class Operator:
    """Somebody at a terminal in the checkout's root."""

    def __init__(self, reports: Path) -> None:
        self.reports = reports

    def play(
        self, playbook: str, *words: str, environment: Mapping[str, str] | None = None, env: str | None = "local"
    ) -> Played:
        """Runs `playbooks/<playbook>.yml -e env=<env>` with `words` more, and nothing of AWS's but `environment`.

        What it calls is held against the least policy of docs/iam that must do for it.
        """
        with LEDGER.under(policy_for(playbook, words)):
            return self._play(playbook, words, environment or {}, env)

    def _play(self, playbook: str, words: Iterable[str], environment: Mapping[str, str], env: str | None) -> Played:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_", "PYTEST"))
        }
        done = subprocess.run(
            [
                Path(sys.executable).parent / "ansible-playbook",
                f"playbooks/{playbook}.yml",
                *(("-e", f"env={env}") if env else ()),
                *("-e", f"qdrant_unlock_report_dir={self.reports}"),
                *words,
            ],
            cwd=ROOT,
            env={
                **kept,
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
                "NO_COLOR": "1",
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Played(done.returncode, done.stdout)
