# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check the variables of the qdrant_unlock role"""

from __future__ import annotations

DOCUMENTATION = r"""
name: unlock_inputs
author: wwhd team (@wwhd)
version_added: 0.1.0
short_description: Check the variables of the qdrant_unlock role
description:
  - Finds missing, misspelt and malformed variables of the role P(wwhd.qdrant_ops.qdrant_unlock#role) before anything
    acts.
  - It is the role's own; other playbooks have no use for it.
positional: _input
options:
  _input:
    description: The role's variables, without their prefix.
    type: dict
    required: true
  given:
    description: The full names of all variables that begin with the role's prefix.
    type: list
    elements: str
    required: true
  known:
    description: The variables that the role has, as the options of its argument specs.
    type: dict
    required: true
  where:
    description: Where the reader would set a missing variable.
    type: str
    default: in the inventory
seealso:
  - plugin: wwhd.qdrant_ops.unlock_result
    plugin_type: filter
"""

EXAMPLES = r"""
- name: See what is wrong with the variables
  ansible.builtin.debug:
    msg: "{{ {'region': 'us-west-2'} | wwhd.qdrant_ops.unlock_inputs(given=[], known={}) }}"
"""

RETURN = r"""
_value:
  description: One sentence a fault; empty if there is none.
  elements: str
  type: list
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.inputs import faults_of_inputs


def unlock_inputs(
    options: Mapping[str, Any],
    given: Sequence[str],
    known: Mapping[str, Mapping[str, Any]],
    where: str = "in the inventory",
) -> list[str]:
    """One sentence a fault."""
    return faults_of_inputs(options, given=given, known=known, where=where)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"unlock_inputs": unlock_inputs}
