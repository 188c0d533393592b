# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have galaxy-importer read the collection's tarball as Galaxy does on an upload, and fail on what it objects to.

Its errors and its warnings count alike: Galaxy shows both to everybody who looks the collection up.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import build
import venvs
from environment import CACHE, ROOT, TREE, tool_environment

WORK = CACHE / "galaxy"
SECONDS = 600
# What Galaxy shows of a collection that has none of them is an empty page.
KINDS = ("module", "role", "playbook")


def main() -> int:
    try:
        place = venvs.environment("galaxy")
    except venvs.MissingError as error:
        print(f"galaxy: {error}", file=sys.stderr)
        return 1
    shutil.rmtree(ROOT / "build", ignore_errors=True)
    code = build.main()
    if code != 0:
        return code
    (tarball,) = (ROOT / "build").glob("*.tar.gz")
    said, code = imported(tarball, place)
    result = WORK / "importer_result.json"
    faults = complaints(said.splitlines())
    if code != 0 or not result.is_file():
        faults = faults or [f"galaxy-importer ended with code {code}:", *said.splitlines()[-20:]]
    else:
        faults += lacking(json.loads(result.read_text()))
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"galaxy: {tarball.name} is {'not ' if faults else ''}taken")
    return int(bool(faults))


def imported(tarball: Path, place: Path) -> tuple[str, int]:
    """What the importer says of the tarball, and its exit code."""
    link_dependency(place)
    shutil.rmtree(WORK, ignore_errors=True)
    # TMP_ROOT_DIR is not set: set but empty, the importer unpacks into the current folder and removes that.
    (WORK / "home").mkdir(parents=True)
    variables = tool_environment(HOME=str(WORK / "home"))
    variables["PATH"] = f"{place / 'bin'}{os.pathsep}{os.defpath}"
    # It makes a tree of its own, and a developer's settings are not Galaxy's.
    for name in [name for name in variables if name.startswith(("GALAXY_IMPORTER_", "ANSIBLE_COLLECTIONS_PATH"))]:
        del variables[name]
    done = subprocess.run(
        [place / "bin" / "python", "-m", "galaxy_importer.main", tarball],
        cwd=WORK, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    return done.stdout, done.returncode


def link_dependency(place: Path) -> None:
    """ansible-doc reads documentation fragments of amazon.aws, and looks for collections beside itself."""
    (site,) = (place / "lib").glob("python3.*/site-packages")
    link = site / "ansible_collections" / "amazon" / "aws"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(TREE / "ansible_collections" / "amazon" / "aws")


def complaints(lines: Iterable[str]) -> list[str]:
    return [line for line in lines if line.startswith(("ERROR", "WARNING", "CRITICAL"))]


def lacking(result: Mapping[str, Any]) -> list[str]:
    """What should be on the collection's page and is not."""
    found = {content["content_type"] for content in result.get("contents", [])}
    faults = [f"Galaxy found no {kind} in it." for kind in KINDS if kind not in found]
    documents = result.get("docs_blob", {}).get("contents", [])
    documented = {content["content_name"] for content in documents if content.get("doc_strings")}
    named = {content["name"] for content in result.get("contents", []) if content["content_type"] == "module"}
    faults += [f"Galaxy has no documentation of the module {name}." for name in sorted(named - documented)]
    if not result.get("requires_ansible"):
        faults.append("Galaxy does not know which ansible-core it needs.")
    return faults


if __name__ == "__main__":
    sys.exit(main())
