# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pip is configured to use here, for tools that do not read pip's files. Needs nothing but Python."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

__all__ = ["as_file", "as_uv_environment", "read"]


def read(python: Path) -> dict[str, str]:
    """The options in force, by pip's own names (`index-url`), as this interpreter's pip sees them."""
    listed = subprocess.run([python, "-m", "pip", "config", "list"], check=False, capture_output=True, text=True)
    return parse(listed.stdout)


def parse(listing: str) -> dict[str, str]:
    """Read the lines of `pip config list`; later wins as in pip: [global], then [install], then the environment."""
    found: dict[str, str] = {}
    for section in ("global", "install", ":env:"):
        for line in listing.splitlines():
            key, separator, value = line.partition("=")
            where, dot, option = key.rpartition(".")
            if separator and dot and where == section:
                found[option] = str(ast.literal_eval(value))
    return found


def as_uv_environment(options: dict[str, str]) -> dict[str, str]:
    """The same in uv's variables."""
    env = {}
    for option, variable, between in (
        ("index-url", "UV_DEFAULT_INDEX", " "),
        ("extra-index-url", "UV_INDEX", " "),
        ("find-links", "UV_FIND_LINKS", ","),
        ("trusted-host", "UV_INSECURE_HOST", " "),
        ("cert", "SSL_CERT_FILE", " "),
        ("proxy", "HTTPS_PROXY", " "),
    ):
        if options.get(option):
            env[variable] = between.join(options[option].split())
    if "UV_INDEX" in env:
        # pip takes the best version of all its indexes; uv would stop at the first that knows the name.
        env["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return env


def as_file(options: dict[str, str]) -> str:
    """The same as a pip.conf, for a tool that gives its pip another home and no environment."""
    kept = ("index-url", "extra-index-url", "find-links", "trusted-host", "cert", "proxy", "timeout", "default-timeout")
    lines = [f"{option} = {' '.join(options[option].split())}" for option in kept if options.get(option)]
    # What pip downloads is no news to whoever runs the tool; what it warns of and fails with still is.
    return "\n".join(["[global]", "quiet = 1", *lines, ""])
