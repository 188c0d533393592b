# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the module in a fork where it can; options, result and documentation are the module's."""

from __future__ import annotations

from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._forked import AWS, ForkedAction, warm

warm(__name__, AWS)


class ActionModule(ForkedAction):
    """Ansible looks a class of this name up."""

    # It watches over a playbook, and outlives it.
    detaches = True
