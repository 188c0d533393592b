# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules look at again right before a step that cannot be taken back."""

from __future__ import annotations


class ModuleDocFragment:
    """The option; each module says when it looks."""

    DOCUMENTATION = r"""
options:
  guard:
    description:
      - What must be so, and stay so, for the module to go on. It looks right before it acts, not only once.
      - Give O(guard.service), O(guard.file_system_id), or both.
    type: dict
    suboptions:
      cluster:
        description: Name or ARN of the cluster of O(guard.service). Left out, it is the module's own.
        type: str
      service:
        description: A service that nobody else may have changed. It must be ACTIVE.
        type: str
      tags:
        description: Tags that the service must carry, with these values; a run's own claim, for example.
        type: dict
        default: {}
      desired_count:
        description: The desired count that the service must have.
        type: int
      file_system_id:
        description: An EFS file system that no live task may mount, but for those of this run.
        type: str
      clusters:
        description: Where to look for tasks that mount it; V(all) is every cluster in the region. Left out, it is
          O(guard.cluster).
        type: list
        elements: str
        default: []
      not_mounting:
        description: ARNs of task definitions that are known not to mount it, as M(wwhd.qdrant_ops.ecs_mounts_info)
          returns them. They are not read again.
        type: list
        elements: str
        default: []
      own:
        description: How the C(startedBy) of this run's own tasks begins.
        type: str
"""
