# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say in a few words what is wrong with a service"""

from __future__ import annotations

DOCUMENTATION = r"""
name: unlock_diagnosis_digest
author: wwhd team (@wwhd)
version_added: 0.1.0
short_description: Say in a few words what is wrong with a service
description:
  - Picks out of C(qdrant_unlock_diagnosis) what fits into the statistics of a run.
  - It is the own filter of P(wwhd.qdrant_ops.qdrant_unlock#role); other playbooks have no use for it.
positional: _input
options:
  _input:
    description: The answer for one service.
    type: dict
    required: true
seealso:
  - plugin: wwhd.qdrant_ops.unlock_result
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Make it short
  ansible.builtin.set_fact:
    short: "{{ qdrant_unlock_diagnosis | wwhd.qdrant_ops.unlock_diagnosis_digest }}"
"""

RETURN = r"""
_value:
  description: The answer without its evidence.
  type: dict
"""

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.answer import digest


def unlock_diagnosis_digest(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The answer for one service, in short."""
    return digest(answer)


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"unlock_diagnosis_digest": unlock_diagnosis_digest}
