# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools that do not go together with the rest get a virtual environment each, made when something first asks for it.

`requirements/apart/NAME.txt` pins all of it; what stands in `.cache/venvs/NAME` is made again when that changes.
"""

from __future__ import annotations

import fcntl
import subprocess
from pathlib import Path

import pip_config
from environment import BIN, CACHE, PYTHON, ROOT, tool_environment

REQUIREMENTS = ROOT / "requirements" / "apart"
SECONDS = 300


class MissingError(Exception):
    """Why a tool cannot be had here, in a sentence."""


def environment(name: str) -> Path:
    """The virtual environment with what `requirements/apart/NAME.txt` pins. MissingError where it cannot be made."""
    wanted = REQUIREMENTS / f"{name}.txt"
    place = CACHE / "venvs" / name
    stamp = place / "packages.txt"
    place.parent.mkdir(parents=True, exist_ok=True)
    with (place.parent / f"{name}.lock").open("w") as lock:
        # Two tests that ask at once would install into each other's half-made environment.
        fcntl.flock(lock, fcntl.LOCK_EX)
        fingerprint = f"{ROOT}\n{wanted.read_text()}"
        if stamp.is_file() and stamp.read_text() == fingerprint:
            return place
        _make(place, wanted)
        stamp.write_text(fingerprint)
    return place


def _make(place: Path, wanted: Path) -> None:
    variables = {**tool_environment(), **pip_config.as_uv_environment(pip_config.read(PYTHON))}
    commands: tuple[list[str | Path], ...] = (
        [BIN / "uv", "venv", "--quiet", "--clear", "--python", PYTHON, place],
        [BIN / "uv", "pip", "install", "--quiet", "--python", place / "bin" / "python", "-r", wanted],
    )
    for command in commands:
        try:
            done = subprocess.run(
                command, env=variables, capture_output=True, text=True, check=False, timeout=SECONDS
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MissingError(f"{wanted.name} cannot be installed: {error}") from error
        if done.returncode != 0:
            raise MissingError(f"{wanted.name} cannot be installed: {done.stderr.strip()[-400:]}")
