# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module of the collection says about check mode, diff mode and idempotency."""

from __future__ import annotations


class ModuleDocFragment:
    """The descriptions; each module adds its own `support` (and `details` where a word is needed)."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and predict the result without changing anything.
  diff_mode:
    description: Says what changed, or would change in C(check_mode), when in diff mode.
  idempotent:
    description:
      - When run twice in a row outside of check mode with the same arguments, the second run says that nothing changed.
      - This assumes that what the module manages was not changed in between by anybody else.
"""
