# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which measures keep a lock conflict from coming back"""

from __future__ import annotations

DOCUMENTATION = r"""
name: prevent_plan
author: wwhd team (@wwhd)
version_added: 0.1.0
short_description: Decide which measures keep a lock conflict from coming back
description:
  - Turns what was read from AWS and the role's variables into refusals, and a decision for each measure of
    P(wwhd.qdrant_ops.qdrant_prevent#role).
  - It is the role's own; other playbooks have no use for it.
positional: _input
options:
  _input:
    description: What M(wwhd.qdrant_ops.ecs_service_info) returned.
    type: dict
    required: true
  options:
    description: The role's variables, without their prefix.
    type: dict
    required: true
  environment:
    description: The name of the environment, as C(-e env=) gives it.
    type: str
    required: true
  point:
    description: What M(wwhd.qdrant_ops.efs_access_point) found or would make, if it was asked.
    type: dict
seealso:
  - plugin: wwhd.qdrant_ops.prevent_result
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Decide
  ansible.builtin.set_fact:
    plan: "{{ info | wwhd.qdrant_ops.prevent_plan(options=options, environment='dev') }}"
"""

RETURN = r"""
_value:
  description: The decision. Its C(refusals), C(warnings) and C(measures) are for people; the rest is for the steps.
  type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._prevent.plan import make_plan


def prevent_plan(
    info: Mapping[str, Any],
    *,
    options: Mapping[str, Any],
    environment: str,
    point: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The decision."""
    return make_plan(info, options=options, environment=environment, point=point)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"prevent_plan": prevent_plan}
