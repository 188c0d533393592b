# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Name the live tasks that an unlock must not disturb"""

from __future__ import annotations

DOCUMENTATION = r"""
name: unlock_foreign_tasks
author: wwhd team (@wwhd)
version_added: 0.1.0
short_description: Name the live tasks that an unlock must not disturb
description:
  - Tells which live tasks on the file system are neither the service's nor the run's own cleaner.
  - It is the own filter of P(wwhd.qdrant_ops.qdrant_unlock#role); other playbooks have no use for it.
positional: _input
options:
  _input:
    description: What M(wwhd.qdrant_ops.ecs_mounts_info) returned.
    type: dict
    required: true
  run_id:
    description: The run whose own cleaner does not count.
    type: str
    required: true
  file_system_id:
    description: The file system, for the sentence.
    type: str
    required: true
seealso:
  - plugin: wwhd.qdrant_ops.unlock_result
    plugin_type: filter
"""

EXAMPLES = r"""
- name: See who else is on the file system
  ansible.builtin.debug:
    msg: "{{ mounts | wwhd.qdrant_ops.unlock_foreign_tasks(run_id='none', file_system_id='fs-0123456789abcdef0') }}"
"""

RETURN = r"""
_value:
  description: A sentence that names the tasks; empty if there are none.
  type: str
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import foreign_text


def unlock_foreign_tasks(mounts: Mapping[str, Any], run_id: str, file_system_id: str) -> str:
    """A sentence, or an empty text."""
    return foreign_text(mounts.get("tasks") or [], file_system_id=file_system_id, own=run_id) or ""


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"unlock_foreign_tasks": unlock_foreign_tasks}
