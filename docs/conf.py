# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx's settings. `make docs` builds the site (tools/docsite.py): the pages of this folder, and the plugins' own
documentation as antsibull-docs writes it, under reference/."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

import yaml

# tools/docsite.py builds from a copy of docs/ beside a copy of galaxy.yml.
GALAXY = yaml.safe_load((Path(__file__).parent / "galaxy.yml").read_text())
REPOSITORY = GALAXY["repository"]

project = f"{GALAXY['namespace']}.{GALAXY['name']}"
author = ", ".join(GALAXY["authors"])
project_copyright = f"{author}, GPL-3.0-or-later"
release = version = GALAXY["version"]

extensions = ["myst_parser", "sphinx_antsibull_ext"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
nitpicky = False
# The build must not depend on who can be reached from where it runs.
intersphinx_mapping: dict[str, Any] = {}
# Cross-references of plugins to Ansible's own pages cannot be resolved without that.
suppress_warnings = ["ref.ref"]

html_theme = "furo"
html_title = project
html_static_path = ["_static"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"source_repository": REPOSITORY, "source_branch": "main", "source_directory": "docs/"}

LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)(?=[)#])")


def point_at_the_repository(_app: Any, name: str, content: list[str]) -> None:
    """What a page links to outside of docs/ is a file of the repository; on GitHub the relative link reaches it."""
    if name.startswith("reference/"):
        return
    folder = posixpath.dirname(f"docs/{name}")

    def target(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, found[1]))
        if path.startswith("docs/") and path.endswith((".md", ".svg", ".rst")):
            return found[1]
        if path.startswith("docs/reference"):
            return found[1]
        return f"{REPOSITORY}/blob/main/{path}"

    content[0] = LINK.sub(target, content[0])


def setup(app: Any) -> None:
    app.connect("source-read", point_at_the_repository)
