# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says lines to whoever watches, as they are: `debug` prints a list as JSON, which nobody in a hurry reads.

All lines go out at once, so that those of several hosts do not mix.
"""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterable
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._filters import read_filters
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._progress import is_aside, readable

# Each of our roles begins with this action.
read_filters()

ARGUMENTS: dict[str, dict[str, Any]] = {
    "lines": {"type": "list", "elements": "str", "required": True},
    "stats": {"type": "dict", "default": {}},
    "fail": {"type": "bool", "default": False},
}
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


class ActionModule(ActionBase):
    """Documented in plugins/modules/unlock_say.py."""

    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        outcome: dict[str, Any] = super().run(tmp, task_vars)
        _validated, arguments = self.validate_argument_spec(ARGUMENTS)
        lines = [str(line) for line in arguments["lines"]]
        if arguments["fail"]:
            # Ansible shows it.
            return {**outcome, "changed": False, "failed": True, "lines": lines, "msg": " ".join(lines)}
        width = max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size((_WIDEST, 24)).columns))
        if lines:
            # Apart from what Ansible itself has said: where skipped hosts are hidden, its TASK line comes after these.
            Display().display(f"\n{layout(lines, width=width)}", stderr=is_aside())
        result = {**outcome, "changed": False, "lines": lines}
        if arguments["stats"]:
            result["ansible_stats"] = {"data": dict(arguments["stats"]), "per_host": False, "aggregate": True}
        return result
