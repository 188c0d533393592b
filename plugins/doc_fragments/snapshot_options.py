# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that the two modules for snapshots share."""

from __future__ import annotations


class ModuleDocFragment:
    """`extends_documentation_fragment: wwhd.qdrant_ops.snapshot_options`."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - The base address of Qdrant's REST API.
      - A snapshot lies on the server that made it. Where the name has several addresses, the module stays with one.
      - A user, a password and the values of a query in it are masked in everything that the module returns.
    type: str
    required: true
  api_key:
    description:
      - The API key, where Qdrant wants one. A read-only one is not enough for snapshots.
      - It is masked in everything that the module returns.
    type: str
  timeout:
    description:
      - For how many seconds all of it may go on. Until then, what a starting service answers is asked again, and a
        transfer that breaks off is taken up again.
    type: float
    default: 3600
    aliases: [wait_timeout]
  attempt_timeout:
    description:
      - How many seconds a short request may take, and how long a download may stand still.
    type: float
    default: 30
"""
