# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines for whoever watches, as they are: `debug` prints a list as JSON, which nobody in a hurry reads.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterable, Sequence

from ansible.utils.display import Display

from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._progress import is_aside, readable

__all__ = ["layout", "say"]

# A line that is longer than this is hard to read, however wide the terminal is.
_WIDEST = 110
_NARROWEST = 60
_LONGEST = 2000
_BULLET = re.compile(r"- |\d+\. ")


def layout(lines: Iterable[str], *, width: int) -> str:
    """The lines, each broken at `width` with its own indentation kept.

    A command is not broken, to be copied whole, nor is a row of a table, whose columns would be lost.
    """
    shown: list[str] = []
    for line in lines:
        text = readable(line, longest=_LONGEST)
        indent = " " * (len(line) - len(line.lstrip(" ")))
        if text.startswith("$ ") or text.count(" | ") > 1 or not text:
            shown.append(f"{indent}{text}")
            continue
        bullet = _BULLET.match(text)
        hanging = indent + " " * (len(bullet.group(0)) if bullet else 0)
        shown += textwrap.wrap(
            text,
            width,
            initial_indent=indent,
            subsequent_indent=hanging,
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
        )
    return "\n".join(shown)


def say(lines: Sequence[str]) -> None:
    """Shows the lines, all at once, so that those of several hosts do not mix."""
    if not lines:
        return
    width = max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size((_WIDEST, 24)).columns))
    # Apart from what Ansible itself has said: where skipped hosts are hidden, its TASK line comes after these.
    Display().display(f"\n{layout(lines, width=width)}", stderr=is_aside())
