# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what a failed run does with its release"""

from __future__ import annotations

DOCUMENTATION = r"""
name: unlock_retreat
author: wwhd team (@wwhd)
version_added: 0.1.0
short_description: Decide what a failed run does with its release
description:
  - Tells whether a service whose release has failed may go back to what it had before. It may not, where a newer Qdrant
    has opened the store.
  - It is the own filter of P(wwhd.qdrant_ops.qdrant_unlock#role); other playbooks have no use for it.
positional: _input
options:
  _input:
    description: The release, as P(wwhd.qdrant_ops.unlock_plan#filter) has planned it.
    type: dict
    required: true
  info:
    description: What M(wwhd.qdrant_ops.ecs_service_info) returned after the failure.
    type: dict
    required: true
  deployment:
    description: What M(wwhd.qdrant_ops.ecs_service_redeploy) returned, if the run came to it.
    type: dict
  stopped_before:
    description: Whether the run had found the service stopped, and so leaves it stopped.
    type: bool
    default: false
seealso:
  - plugin: wwhd.qdrant_ops.unlock_plan
    plugin_type: filter
"""

EXAMPLES = r"""
- name: See whether there is a way back
  ansible.builtin.debug:
    msg: "{{ plan.release | wwhd.qdrant_ops.unlock_retreat(info=info, deployment=deployment) }}"
"""

RETURN = r"""
_value:
  description: C(action), one of V(none), V(back), V(stay) and V(stop), and in C(said) the sentence that tells it.
  type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.release import retreat


def unlock_retreat(
    release: Mapping[str, Any],
    info: Mapping[str, Any],
    deployment: Mapping[str, Any] | None = None,
    stopped_before: bool = False,
) -> dict[str, str]:
    """What is done, and how it is told."""
    return retreat(
        release,
        current=str((info.get("task_definition") or {}).get("task_definition_arn") or ""),
        deployment=deployment,
        completed=(deployment or {}).get("outcome") in ("completed", "unchanged"),
        stopped_before=stopped_before,
    )


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"unlock_retreat": unlock_retreat}
