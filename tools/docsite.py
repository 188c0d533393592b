# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the documentation's site in build/docs: the pages of docs/, and the plugins' own documentation.

A warning is an error. Nothing is loaded from the network while it is built, nor when it is read.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import venvs
from environment import BIN, CACHE, ROOT, tool_environment

PLACE = CACHE / "docs"
SOURCE = PLACE / "source"
SITE = ROOT / "build" / "docs"
# What a page would load from elsewhere by itself when somebody opens it; links to click are none of it.
LOADS = re.compile(
    r"""<(?:script|img|iframe|source|audio|video)[^>]+src=["'](?:https?:)?//|url\(["']?https?://|@import"""
    r"""|<link(?![^>]+rel=["'](?:canonical|author|license))[^>]+href=["'](?:https?:)?//"""
)


def main() -> int:
    try:
        sphinx = venvs.environment("docs") / "bin" / "sphinx-build"
        gather()
        subprocess.run([sphinx, "-q", "-W", "--keep-going", "-n", "-d", PLACE / "doctrees", SOURCE,
                        SITE], cwd=ROOT, env=tool_environment(), check=True)  # fmt: skip
    except (subprocess.CalledProcessError, venvs.MissingError) as error:
        print(f"The site could not be built: {error}", file=sys.stderr)
        return 1
    found = loads(SITE)
    for line in found:
        print(f"The site loads something from the network: {line}", file=sys.stderr)
    if not found:
        print(f"the site is {(SITE / 'index.html').relative_to(ROOT)}")
    return 1 if found else 0


def gather() -> None:
    """Sphinx wants one folder: docs/ as it is, and what antsibull-docs writes of the plugins beside it."""
    kept = SOURCE / "reference"
    for path in SOURCE.glob("*") if SOURCE.is_dir() else ():
        if path != kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(ROOT / "docs", SOURCE, dirs_exist_ok=True)
    shutil.copy(ROOT / "galaxy.yml", SOURCE)
    kept.mkdir(exist_ok=True)
    subprocess.run([BIN / "antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error",
                    "--no-breadcrumbs", "--no-add-antsibull-docs-version", "--cleanup", "everything",
                    "--dest-dir", kept, "wwhd.qdrant_ops"],
                   cwd=ROOT, env=tool_environment(), check=True, stdout=subprocess.DEVNULL)  # fmt: skip


def loads(site: Path) -> list[str]:
    """Where a page or a style of the site would load something from elsewhere."""
    texts = sorted([*site.rglob("*.html"), *site.rglob("*.css")])
    return [f"{path.relative_to(site)}: {found[0]}" for path in texts for found in LOADS.finditer(path.read_text())]


if __name__ == "__main__":
    sys.exit(main())
