#!/usr/bin/python
# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: unlock_report
version_added: 0.1.0
short_description: Write the report of an unlock, and say how it ended
description:
  - Writes C(qdrant_unlock_result) of P(wwhd.qdrant_ops.qdrant_unlock#role) as a JSON file for programs and as one HTML
    page for people, and leads to all pages of a folder by its C(index.html).
  - The page needs no network and runs no script. The index lists the newest run of each host first, the worst at the
    top, and the earlier ones below; hosts of one run, and of several at once, share it.
  - Sets the statistics of the run as M(ansible.builtin.set_stats) does, which AWX shows as the job's artifacts; see
    RV(ansible_stats).
  - It is the role's own; other playbooks have no use for it.
options:
  result:
    description: The result of the run.
    type: dict
    required: true
  folder:
    description:
      - The folder for the files, on the controller. It is made, for its owner only, if it is not there.
      - Nothing is written if this is empty.
    type: str
    default: ""
  name:
    description: The name of the files, without C(.json) and C(.html). Files of the same name are replaced.
    type: str
    required: true
  lines:
    description:
      - What to say when the files are written, as M(wwhd.qdrant_ops.unlock_say) does it. The page's path comes after
        it, if there is one.
      - Left out, nothing is said.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - wwhd.qdrant_ops.attributes
attributes:
  check_mode:
    support: full
    details:
      - The report is this machine's own record, and no change to what is managed. In check mode it is written as well,
        with what would be done.
  diff_mode:
    support: none
  idempotent:
    support: full
notes:
  - It never fails for what it cannot write, and warns instead. How the run ended is not changed by a full disk.
  - This is an action plugin, which runs on the controller.
seealso:
  - plugin: wwhd.qdrant_ops.unlock_result
    plugin_type: filter
author:
  - wwhd team (@wwhd)
"""

EXAMPLES = r"""
- name: Write the report
  wwhd.qdrant_ops.unlock_report:
    result: "{{ qdrant_unlock_result }}"
    folder: reports
    name: "{{ inventory_hostname }}-{{ qdrant_unlock_result.run_id }}"
    lines: "{{ qdrant_unlock_result.summary }}"
"""

RETURN = r"""
report:
  description: The path of the files without C(.json) and C(.html); null if none could be, or should be, written.
  returned: always
  type: str
  sample: reports/wwhd-backend.dev-unlock-20261123T162536Z-b34f84
msg:
  description: Why the files could not be written.
  returned: when they could not be written
  type: str
  sample: "The report could not be written to reports: OSError: No space left on device"
ansible_stats:
  description: What is added to the statistics of the run; without logs, and short also for many hosts.
  returned: always
  type: dict
  sample:
    aggregate: true
    per_host: false
    data:
      qdrant_unlocks:
        wwhd-backend.dev:
          outcome: unlocked
          tone: good
          headline: wwhd-backend (dev) is healthy again.
          changed: true
          service: wwhd-backend
          environment: dev
          run_id: unlock-20261123T162536Z-b34f84
          started: "2026-11-23T16:25:36.120Z"
          data_whole: true
          downtime_seconds: 27.3
          locks: {found: 5, removed: 5, held: 0, kept: 0}
          report: reports/wwhd-backend.dev-unlock-20261123T162536Z-b34f84
"""
