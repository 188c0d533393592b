# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools that do not go together with the rest get a virtual environment each, made when something first asks for it.

`requirements/apart/NAME.txt` pins all of it; what stands in `.cache/venvs/NAME` is made again when that changes.
"""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Mapping
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
    print(f"{place.name}: a virtual environment of its own, once", flush=True)
    # What UV_* says already stays, as in setup.py.
    variables = {**pip_config.as_uv_environment(pip_config.read(PYTHON)), **tool_environment()}
    _run([PYTHON, "-m", "venv", "--clear", "--without-pip", place], variables, wanted)
    into: tuple[str | Path, ...] = ("--python", place / "bin" / "python")
    try:
        _run([BIN / "uv", "pip", "install", "--quiet", *into, "-r", wanted], variables, wanted)
    except MissingError as error:
        print(f"{place.name}: {error}\n{place.name}: going on with pip, which takes longer", flush=True)
        _run([PYTHON, "-m", "pip", *into, "--disable-pip-version-check", "install", "--quiet", "-r", wanted],
             variables, wanted)  # fmt: skip


def _run(command: list[str | Path], variables: Mapping[str, str], wanted: Path) -> None:
    tool = Path(command[0]).name if command[0] != PYTHON else str(command[2])
    try:
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingError(f"{wanted.name} cannot be installed: {error}") from error
    if done.returncode != 0:
        raise MissingError(f"{wanted.name} cannot be installed by {tool}: {done.stderr.strip()[-400:]}")
