# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run `ansible-test sanity` in a copy of the collection, for every Python that is here and that plugins support.

ansible-test resolves links, so it can't work in `.cache/tree`; it clears its environment, so version managers' shims
and pip's variables do not reach it; and it fetches pip's installer from a host of its own. So it gets a copy, a home
with pip's configuration and a ready installer, and links to the real interpreters.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pip_config
from environment import BIN, CACHE, PYTHON, TREE, checkout_files, tool_environment
from tree import copy_checkout

SANITY = CACHE / "sanity"
VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13")
# The pip that ansible-test of core 2.19 asks for, in the file name under which it keeps a download.
INSTALLER = "get_pip_24_2.py"
INSTALL = """\
import subprocess, sys
sys.exit(subprocess.call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL))
"""


def main(arguments: list[str]) -> int:
    home, links = SANITY / "home", SANITY / "bin"
    prepare_home(home)
    found = link_interpreters(links)
    missing = [version for version in VERSIONS if version not in found]
    if missing:
        print(f"sanity: no interpreter here for Python {', '.join(missing)}: not checked against them", flush=True)
    env = tool_environment(HOME=str(home), PATH=f"{links}{os.pathsep}{os.defpath}")
    # Outside of the checkout: there, ansible-test would ask the checkout's git, which ignores all of .cache.
    with tempfile.TemporaryDirectory() as scratch:
        collections = Path(scratch) / "ansible_collections"
        collection = collections / "wwhd" / "qdrant_ops"
        copy_checkout(collection, names=checkout_files())
        link(collections / "amazon", to=TREE / "ansible_collections" / "amazon")
        command: list[str | Path] = [BIN / "ansible-test", "sanity", "--local", "--color", "no", *arguments]
        return passed_on(command, cwd=collection, env=env)


def passed_on(command: list[str | Path], *, cwd: Path, env: dict[str, str]) -> int:
    """Run the command, print what it prints, and return its code; not 0 where it found nothing to look at."""
    empty = False
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        for line in run.stdout or ():
            print(line, end="", flush=True)
            empty = empty or "All targets skipped" in line
    return run.returncode or int(empty)


def link(place: Path, *, to: Path) -> None:
    place.unlink(missing_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(to)


def prepare_home(home: Path) -> None:
    installer = home / ".ansible" / "test" / "cache" / INSTALLER
    config = home / ".config" / "pip" / "pip.conf"
    for path in (installer, config):
        path.parent.mkdir(parents=True, exist_ok=True)
    installer.write_text(INSTALL)
    config.write_text(pip_config.as_file(pip_config.read(PYTHON)))


def link_interpreters(links: Path) -> list[str]:
    """Fill `links` with pythonX.Y, each a link to an interpreter that starts; returns the versions found."""
    shutil.rmtree(links, ignore_errors=True)
    links.mkdir(parents=True)
    found = []
    for version in VERSIONS:
        interpreter = next(filter(None, (started(path, version) for path in candidates(version))), None)
        if interpreter:
            link(links / f"python{version}", to=interpreter)
            found.append(version)
    return found


def candidates(version: str) -> list[Path]:
    on_path = [Path(folder) / f"python{version}" for folder in os.environ.get("PATH", os.defpath).split(os.pathsep)]
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return [path for path in (*on_path, *sorted(versions.glob(f"{version}.*/bin/python{version}"))) if path.exists()]


def started(path: Path, version: str) -> Path | None:
    """The real interpreter behind `path`, or None where it does not start, is another version, or can't make a venv."""
    question = (
        "import ensurepip, os, sys, venv; "
        "print('%d.%d' % sys.version_info[:2], os.path.realpath(getattr(sys, '_base_executable', sys.executable)))"
    )
    answer = subprocess.run([path, "-c", question], check=False, capture_output=True, text=True).stdout.split()
    return Path(answer[1]) if answer[:1] == [version] else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
