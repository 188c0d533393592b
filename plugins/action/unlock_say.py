# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says lines to whoever watches, or fails with them."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._filters import read_filters
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._saying import say

# Each of our roles begins with this action.
read_filters()

ARGUMENTS: dict[str, dict[str, Any]] = {
    "lines": {"type": "list", "elements": "str", "required": True},
    "stats": {"type": "dict", "default": {}},
    "fail": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """Documented in plugins/modules/unlock_say.py."""

    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        outcome: dict[str, Any] = super().run(tmp, task_vars)
        _validated, arguments = self.validate_argument_spec(ARGUMENTS)
        lines = [str(line) for line in arguments["lines"]]
        if arguments["fail"]:
            # Ansible shows it.
            return {**outcome, "changed": False, "failed": True, "msg": " ".join(lines)}
        say(lines)
        result = {**outcome, "changed": False, "lines": lines}
        if arguments["stats"]:
            result["ansible_stats"] = {"data": dict(arguments["stats"]), "per_host": False, "aggregate": True}
        return result
