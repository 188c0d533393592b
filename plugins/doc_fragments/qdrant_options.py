# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the modules that ask a Qdrant send its key and more headers."""

from __future__ import annotations


class ModuleDocFragment:
    """`extends_documentation_fragment: wwhd.qdrant_ops.qdrant_options`."""

    DOCUMENTATION = r"""
options:
  api_key_scheme:
    description:
      - How O(api_key) is sent.
    type: str
    default: api-key
    choices:
      api-key: As the header C(api-key), which all versions read.
      bearer: As C(Authorization) with C(Bearer), which Qdrant reads since 1.9, and gateways before it do.
  headers:
    description:
      - More headers to send, by name, such as what a gateway before Qdrant wants.
      - Their values are masked in what the module returns, but for harmless ones such as C(Accept) and C(Host).
    type: dict
    default: {}
"""
