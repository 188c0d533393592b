# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a Qdrant is reached: the options that all modules have which ask one, and what of them is secret.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.masking import (
    HIDDEN,
    keep_secrets,
    mask,
    secrets_of_headers,
    secrets_of_login,
    secrets_of_url,
    shown_headers,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.options import http_argument_spec

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

__all__ = ["params_without_secrets", "qdrant_argument_spec"]


def qdrant_argument_spec() -> dict[str, dict[str, Any]]:
    """The address, the key and the options of the documentation fragments `qdrant_options` and `http_options`."""
    return {
        "url": {"type": "str", "required": True, "no_log": True},
        "api_key": {"type": "str", "no_log": True},
        "api_key_scheme": {"type": "str", "choices": ["api-key", "bearer"], "default": "api-key", "no_log": False},
        "headers": {"type": "dict", "default": {}, "no_log": True},
        **http_argument_spec(),
    }


def params_without_secrets(module: AnsibleModule) -> dict[str, Any]:
    """The parameters as given, while what the module tells of them is masked."""
    params = module.params
    params["headers"] = {str(name): str(value) for name, value in params["headers"].items()}
    return keep_secrets(
        module,
        secrets_of_url(params["url"])
        | secrets_of_headers(params["headers"])
        | secrets_of_login(params["url_username"], params["url_password"])
        | {params["api_key"] or ""},
        url=mask(params["url"]),
        api_key=HIDDEN,
        url_password=HIDDEN,
        headers=shown_headers(params["headers"]),
    )
