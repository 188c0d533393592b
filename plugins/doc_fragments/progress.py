# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module that waits says about what is seen of it meanwhile."""

from __future__ import annotations


class ModuleDocFragment:
    """Notes; nothing is to be added by a module."""

    DOCUMENTATION = r"""
options: {}
notes:
  - While it takes longer than 5 seconds, each change of what it waits for is shown as one line with the time and the
    host, at normal verbosity, on a terminal and in AWX. The environment variable E(QDRANT_OPS_PROGRESS) of
    C(ansible-playbook) sets the seconds, or V(off).
  - Nothing is shown where the module does not run on the controller (another connection than C(local)), in check mode,
    with C(async), and with C(no_log). Lines go to the standard error where the stdout callback writes JSON.
  - In a pipe Python keeps the output of C(ansible-playbook) back and lets it out in blocks, unless
    E(PYTHONUNBUFFERED=1) is set.
"""
