# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Alpine's behaviour from Debian's busybox."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

# Alpine builds busybox with `find -delete`, Debian does not, and a static shell prefers its own applets to any file in
# PATH: so the word is rewritten by a function in the same shell. One line, so that the script's line numbers stay.
_FIND = (
    'find() { local n="$#" a; while [ "$n" -gt 0 ]; do a="$1"; shift; '
    'if [ "$a" = -delete ]; then set -- "$@" -exec rm -f -- {} ";"; else set -- "$@" "$a"; fi; '
    'n=$((n-1)); done; command find "$@"; }; '
)
# Applets of Alpine's busybox that Debian's lacks, from the machine itself (util-linux); they take the same options as
# far as a lock by descriptor goes.
BORROWED = ("flock",)
_SHELLS = frozenset({"sh", "ash"})
_COMMAND_FLAG = re.compile(r"-[a-z]*c[a-z]*")


def applets(busybox: Path) -> tuple[str, ...]:
    """The names of the tools in that busybox."""
    listed = subprocess.run([str(busybox), "--list"], capture_output=True, text=True, timeout=10, check=True)
    return tuple(listed.stdout.split())


def find_deletes(busybox: Path) -> bool:
    """Whether this busybox's find knows ``-delete`` by itself."""
    told = subprocess.run([str(busybox), "find", "--help"], capture_output=True, text=True, timeout=10, check=False)
    return "-delete" in told.stdout + told.stderr


def with_delete(argv: Sequence[str]) -> tuple[str, ...]:
    """``argv`` such that a ``find … -delete`` in it works with a find that has no ``-delete``."""
    words = list(argv)
    name = words[0].rsplit("/", 1)[-1] if words else ""
    if name == "find":
        return tuple(part for word in words for part in (_rm() if word == "-delete" else (word,)))
    if name in _SHELLS:
        for at, word in enumerate(words[1:-1], start=1):
            if _COMMAND_FLAG.fullmatch(word):
                words[at + 1] = _FIND + words[at + 1]
                break
    return tuple(words)


def _rm() -> tuple[str, ...]:
    return ("-exec", "rm", "-f", "--", "{}", ";")


__all__ = ["BORROWED", "applets", "find_deletes", "with_delete"]
