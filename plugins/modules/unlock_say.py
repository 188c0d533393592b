#!/usr/bin/python
# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: unlock_say
version_added: 0.1.0
short_description: Say lines to whoever watches a run
description:
  - Shows lines on the terminal as they are, broken where they are long.
    M(ansible.builtin.debug) prints a list as JSON.
  - A line that begins with C($ ) is a command, and is never broken.
  - It is the role's own; other playbooks may use M(ansible.builtin.debug).
options:
  lines:
    description: What to say. What a terminal would obey is taken out.
    type: list
    elements: str
    required: true
  stats:
    description:
      - What to add to the statistics of the run, as M(ansible.builtin.set_stats) does it.
      - AWX shows it as the job's artifacts.
    type: dict
    default: {}
  fail:
    description: Fail with the lines as message, instead of saying them. Ansible shows the message itself.
    type: bool
    default: false
extends_documentation_fragment:
  - wwhd.qdrant_ops.attributes
attributes:
  check_mode:
    support: full
    details: Only says something, in check mode and otherwise.
  diff_mode:
    support: none
  idempotent:
    support: full
notes:
  - This is an action plugin, which runs on the controller.
  - Where a callback prints the run as JSON, the lines go to standard error.
seealso:
  - module: ansible.builtin.debug
author:
  - wwhd team (@wwhd)
"""

EXAMPLES = r"""
- name: Say how it is
  wwhd.qdrant_ops.unlock_say:
    lines:
      - "wwhd-backend (dev): healthy."
    stats:
      qdrant_unlock_diagnoses:
        backend.dev: {outcome: healthy}
"""

RETURN = r"""
lines:
  description: What was said, each line whole.
  returned: when O(fail) is false
  type: list
  elements: str
  sample: ["wwhd-backend (dev): healthy."]
msg:
  description: The lines in one.
  returned: when O(fail) is true
  type: str
  sample: "qdrant_unlock_cluster is not set. Nothing was changed."
ansible_stats:
  description: What is added to the statistics of the run.
  returned: when O(stats) was given
  type: dict
  sample:
    aggregate: true
    per_host: false
    data: {"qdrant_unlock_diagnoses": {"backend.dev": {"outcome": "healthy"}}}
"""
