# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what is wrong with a service"""

from __future__ import annotations

DOCUMENTATION = r"""
name: unlock_diagnosis
author: wwhd team (@wwhd)
version_added: 0.1.0
short_description: Say what is wrong with a service
description:
  - Turns what C(tasks/diagnose.yml) of P(wwhd.qdrant_ops.qdrant_unlock#role) has read into C(qdrant_unlock_diagnosis).
  - It is the own filter of P(wwhd.qdrant_ops.qdrant_unlock#role); other playbooks have no use for it.
positional: _input
options:
  _input:
    description: What was read, by name.
    type: dict
    required: true
seealso:
  - plugin: wwhd.qdrant_ops.unlock_result
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Make the answer
  ansible.builtin.set_fact:
    answer: "{{ {'info': info, 'service': 'backend', 'environment': 'dev'} | wwhd.qdrant_ops.unlock_diagnosis }}"
"""

RETURN = r"""
_value:
  description: The answer; its C(lines) are what the terminal shows.
  type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.answer import make_answer


def unlock_diagnosis(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The answer for one service."""
    return make_answer(raw)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"unlock_diagnosis": unlock_diagnosis}
