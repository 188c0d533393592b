# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the report of an unlock, and says how it ended: one action, since each task costs a run about 0.4 s.

It never fails: the run is over, and well or ill it must be told. A full disk does not change how it ended.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.result import digest
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._report.folder import write_report
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._report.page import TEMPLATES, prepare
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._saying import say

ARGUMENTS: dict[str, dict[str, Any]] = {
    "result": {"type": "dict", "required": True},
    "folder": {"type": "str", "default": ""},
    "name": {"type": "str", "required": True},
    "lines": {"type": "list", "elements": "str", "default": []},
}
_FOLDER = Path(__file__).resolve().parents[2] / "roles" / "qdrant_unlock" / "templates"


def _templates() -> dict[str, str]:
    return {name: (_FOLDER / name).read_text(encoding="utf-8") for name in TEMPLATES}


# Ansible's main process reads this before it forks the workers, so that none of them has to do it again. What is wrong
# with the templates is told where they are used.
with contextlib.suppress(Exception):
    prepare(_templates())


class ActionModule(ActionBase):
    """Documented in plugins/modules/unlock_report.py."""

    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        outcome: dict[str, Any] = super().run(tmp, task_vars)
        _validated, arguments = self.validate_argument_spec(ARGUMENTS)
        host = str((task_vars or {}).get("inventory_hostname", "localhost"))
        # Plain values, whatever Ansible has wrapped them in.
        result = json.loads(json.dumps(arguments["result"]))
        folder, name = arguments["folder"], arguments["name"]
        report = None
        if folder:
            try:
                place = Path(folder).expanduser()
                write_report(place, name=name, host=host, result=result, templates=_templates(), clock=Clock())
                report = f"{folder}/{name}"
            except Exception as error:  # noqa: BLE001  # see above: whatever it is, it is told and no more
                told = f"{type(error).__name__}: {error}"
                outcome["msg"] = f"The report could not be written to {folder}: {told}"
                outcome["warnings"] = [f"{outcome['msg']} How the run ended is told here all the same."]
        lines = [str(line) for line in arguments["lines"]]
        if lines:
            say([*lines, *([f"Report: {report}.html"] if report else [])])
        return {
            **outcome,
            "changed": False,
            "report": report,
            "ansible_stats": {
                "data": {"qdrant_unlocks": {host: {**digest(result), "report": report}}},
                "per_host": False,
                "aggregate": True,
            },
        }
