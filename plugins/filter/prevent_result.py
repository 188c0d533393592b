# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what a run of qdrant_prevent came to"""

from __future__ import annotations

DOCUMENTATION = r"""
name: prevent_result
author: wwhd team (@wwhd)
version_added: 0.1.0
short_description: Say what a run of qdrant_prevent came to
description:
  - Turns the plan and what the steps of P(wwhd.qdrant_ops.qdrant_prevent#role) registered into
    C(qdrant_prevent_result).
  - It is the role's own; other playbooks have no use for it.
positional: _input
options:
  _input:
    description: The plan, and what the steps registered, by name.
    type: dict
    required: true
seealso:
  - plugin: wwhd.qdrant_ops.prevent_plan
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Make the result
  ansible.builtin.set_fact:
    result: "{{ {'plan': plan, 'steps': {}} | wwhd.qdrant_ops.prevent_result }}"
"""

RETURN = r"""
_value:
  description: The result; its C(summary) is a list of lines, the table of the measures among them.
  type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._prevent.result import make_result


def prevent_result(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The result of a run."""
    return make_result(raw)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"prevent_result": prevent_result}
