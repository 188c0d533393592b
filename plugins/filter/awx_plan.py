# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be on an AWX, for the qdrant_awx role"""

from __future__ import annotations

DOCUMENTATION = r"""
name: awx_plan
author: wwhd team (@wwhd)
version_added: 0.1.0
short_description: What is to be on an AWX, for the qdrant_awx role
description:
  - Makes of the variables of the role P(wwhd.qdrant_ops.qdrant_awx#role) and the inventory what is to be on the
    controller, which is job templates with their surveys, workflows, schedules and rights.
  - It is the role's own; other playbooks have no use for it.
positional: _input
options:
  _input:
    description: The role's variables, without their prefix.
    type: dict
    required: true
  groups:
    description: The inventory's groups, with the names of their hosts.
    type: dict
    required: true
  hostvars:
    description: The variables of each host.
    type: dict
    required: true
  there:
    description: The keys of the objects that the controller has. Left out, nothing counts as missing.
    type: list
    elements: str
seealso:
  - plugin: wwhd.qdrant_ops.unlock_plan
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Make the plan
  ansible.builtin.set_fact:
    plan: "{{ options | wwhd.qdrant_ops.awx_plan(groups=groups, hostvars=hostvars) }}"
"""

RETURN = r"""
_value:
  description: The plan; its C(faults) are sentences that speak against it.
  type: dict
"""

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._awx.plan import make_plan


def awx_plan(
    options: Mapping[str, Any],
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    there: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The plan of a run."""
    return make_plan(options, groups=groups, hostvars=hostvars, there=there, installed=_is_installed("awx.awx"))


def _is_installed(collection: str) -> bool:
    try:
        return find_spec(f"ansible_collections.{collection}") is not None
    except ModuleNotFoundError:  # not even its namespace is there
        return False


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"awx_plan": awx_plan}
