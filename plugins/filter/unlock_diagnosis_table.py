# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the diagnoses of several hosts into one table"""

from __future__ import annotations

DOCUMENTATION = r"""
name: unlock_diagnosis_table
author: wwhd team (@wwhd)
version_added: 0.1.0
short_description: Put the diagnoses of several hosts into one table
description:
  - Makes lines for the terminal, one a host, the sick ones first.
  - It is the own filter of P(wwhd.qdrant_ops.qdrant_unlock#role); other playbooks have no use for it.
positional: _input
options:
  _input:
    description: The answers by host; empty for one that was not asked.
    type: dict
    required: true
seealso:
  - plugin: wwhd.qdrant_ops.unlock_result
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Make the table
  ansible.builtin.set_fact:
    lines: "{{ {'backend.dev': qdrant_unlock_diagnosis} | wwhd.qdrant_ops.unlock_diagnosis_table }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.answer_text import table_lines


def unlock_diagnosis_table(answers: Mapping[str, Any]) -> list[str]:
    """The lines of the table."""
    return table_lines(answers)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"unlock_diagnosis_table": unlock_diagnosis_table}
