# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tools/galaxy.py takes for a complaint of galaxy-importer. The importer itself is run by `make galaxy`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))
import galaxy

RESULT = {
    "requires_ansible": ">=2.17.0",
    "contents": [
        {"name": "ecs_wait_task", "content_type": "module"},
        {"name": "qdrant_unlock", "content_type": "role"},
        {"name": "unlock.yml", "content_type": "playbook"},
    ],
    "docs_blob": {"contents": [{"content_name": "ecs_wait_task", "doc_strings": {"doc": {}}}]},
}


def test_errors_and_warnings_count_and_progress_does_not() -> None:
    lines = [
        "Loading role qdrant_unlock",
        "WARNING: No changelog found.",
        "ERROR: The import failed for the following reason: No role readme found.",
    ]
    assert galaxy.complaints(lines) == lines[1:]


def test_what_is_not_on_the_page_is_said() -> None:
    assert galaxy.lacking(RESULT) == []
    assert galaxy.lacking({}) == [
        "Galaxy found no module in it.",
        "Galaxy found no role in it.",
        "Galaxy found no playbook in it.",
        "Galaxy does not know which ansible-core it needs.",
    ]
    assert galaxy.lacking(RESULT | {"docs_blob": {"contents": []}}) == [
        "Galaxy has no documentation of the module ecs_wait_task."
    ]
