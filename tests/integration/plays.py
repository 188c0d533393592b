# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs plays of a test's own with `ansible-playbook`, outside of the checkout, so without its ansible.cfg."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.client import Sandbox

# Less than the time after which pytest's faulthandler ends the worker.
SECONDS = 280
# What others can use. unlock_report is the role's own action, which needs the result of a run: tests/integration/report
# has runs. unlock_say talks to nothing but the terminal: tests/integration/playbooks/test_diagnose.py looks at it.
MODULES = sorted(
    path
    for path in (Path(__file__).parents[2] / "plugins" / "modules").glob("*.py")
    if path.stem not in ("unlock_report", "unlock_say")
)


def configuration(sandbox: Sandbox) -> dict[str, str]:
    """What integration_config.yml says; integration_config.yml.template has the same names."""
    state = sandbox.state
    return {
        "aws_endpoint_url": state["endpoint_url"],
        "aws_region": state["region"],
        "aws_access_key": state["access_key"],
        "aws_secret_key": state["secret_key"],
        "sandbox_calls": state["calls"],
        "sandbox_health_url": state["health_url"],
        "sandbox_qdrant_url": state["qdrant_url"],
    }


def starting(
    play_or_text: dict[str, Any] | str,
    *,
    place: Path,
    variables: Mapping[str, Any] | None = None,
    environment: Mapping[str, str] | None = None,
    inventory: str = "testhost ansible_connection=local\n",
) -> subprocess.Popen[str]:
    """Starts one play, or a playbook's text, in `place`; both outputs are in `stdout`."""
    text = play_or_text if isinstance(play_or_text, str) else yaml.safe_dump([play_or_text], sort_keys=False)
    (place / "play.yml").write_text(text)
    (place / "variables.yml").write_text(yaml.safe_dump(dict(variables or {})))
    (place / "inventory").write_text(inventory)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_", "PYTEST"))}
    return subprocess.Popen(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "inventory", "-e", "@variables.yml", "play.yml"],
        cwd=place,
        env={
            **kept,
            "ANSIBLE_ASYNC_DIR": str(place / "async"),
            "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_NOCOLOR": "true",
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "HOME": str(place),
            "LC_ALL": "C.UTF-8",
            **(environment or {}),
        },
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip


@dataclass(frozen=True)
class Played:
    """How it ended."""

    returncode: int
    stdout: str


def end(process: subprocess.Popen[str]) -> None:
    """Ends what `starting` started, with the modules that it runs."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def play(play_or_text: dict[str, Any] | str, **options: Any) -> Played:
    """Runs what `starting` starts, to its end."""
    with starting(play_or_text, **options) as process:
        try:
            output, _none = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            end(process)
            output, _none = process.communicate()
            raise AssertionError(f"not over within {SECONDS} s:\n{output}") from None
    return Played(process.returncode, output)
