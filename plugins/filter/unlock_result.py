# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say how an unlock ended"""

from __future__ import annotations

DOCUMENTATION = r"""
name: unlock_result
author: wwhd team (@wwhd)
version_added: 0.1.0
short_description: Say how an unlock ended
description:
  - Turns what the phases of P(wwhd.qdrant_ops.qdrant_unlock#role) registered into C(qdrant_unlock_result).
  - It is the role's own; other playbooks have no use for it.
positional: _input
options:
  _input:
    description: What the phases registered, by name.
    type: dict
    required: true
seealso:
  - plugin: wwhd.qdrant_ops.unlock_plan
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Make the result
  ansible.builtin.set_fact:
    result: "{{ {'plan': plan} | wwhd.qdrant_ops.unlock_result }}"
"""

RETURN = r"""
_value:
  description: The result; its C(summary) is a list of sentences.
  type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.result import make_result


def unlock_result(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a run."""
    return make_result(raw)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"unlock_result": unlock_result}
