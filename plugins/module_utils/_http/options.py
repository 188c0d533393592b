# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that the modules over HTTP have in common, their checks, and the way such a module ends.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.masking import mask_wholly
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._progress import hide_secrets

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

__all__ = ["check_header", "check_seconds", "check_url", "http_argument_spec", "run"]

_SCHEMES = ("http", "https")
_UNSAFE_IN_URL = re.compile(r"[\x00-\x20\x7f]")
_UNSAFE_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def http_argument_spec() -> dict[str, dict[str, Any]]:
    """The options of the documentation fragment `http_options`."""
    return {
        "validate_certs": {"type": "bool", "default": True},
        "ca_path": {"type": "path"},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path", "no_log": False},
        "ciphers": {"type": "list", "elements": "str"},
        "unix_socket": {"type": "path"},
        "use_proxy": {"type": "bool", "default": True},
        "url_username": {"type": "str"},
        "url_password": {"type": "str", "no_log": True},
        "force_basic_auth": {"type": "bool", "default": False},
        "use_netrc": {"type": "bool", "default": False},
        "decompress": {"type": "bool", "default": True},
        "http_agent": {"type": "str", "default": "ansible-qdrant-ops"},
        "follow_redirects": {"type": "str", "default": "safe", "choices": ["all", "none", "safe"]},
    }


def check_url(url: str, *, option: str = "url") -> None:
    """Refuse what can't be asked, before anything is asked. Raises OperationFailed."""
    refused = f"{option} is {mask_wholly(url)!r}"
    if _UNSAFE_IN_URL.search(url):
        raise OperationFailed(f"{refused}, with a space or a control character in it: write it as %20 or take it out.")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
        host.encode("idna")
    except ValueError:
        # The exception may quote a piece of a password that was not percent-encoded: it is not repeated.
        raise OperationFailed(
            f"{refused}, whose host and port can't be read: write it as http://HOST:PORT/PATH, "
            "with the user and the password in url_username and url_password."
        ) from None
    if parts.scheme.lower() not in _SCHEMES:
        raise OperationFailed(f"{refused}, which does not begin with http:// or https://: give the whole address.")
    if not host:
        raise OperationFailed(f"{refused}, which names no host: write it as {parts.scheme}://HOST:PORT/PATH.")
    if port == 0:
        raise OperationFailed(f"{refused}, and no server can have port 0: give the port that it listens on.")
    if not (parts.path + parts.query).isascii():
        raise OperationFailed(f"{refused}, with characters beyond ASCII in its path: write them percent-encoded.")


def check_seconds(value: float, *, option: str, minimum: float = 0.0) -> None:
    """Refuse a time that is negative, too short, infinite or not a number. Raises OperationFailed."""
    if not math.isfinite(value) or value < minimum:
        raise OperationFailed(f"{option} is {value:g}: give a number of seconds, at least {minimum:g}.")


def check_header(name: str, value: str, *, option: str) -> None:
    """Refuse a header that HTTP can't carry, without repeating its value. Raises OperationFailed."""
    if not _HEADER_NAME.fullmatch(name):
        raise OperationFailed(f"{option} names the header {name!r}: a name has letters, digits and hyphens only.")
    if _UNSAFE_IN_HEADER.search(value):
        raise OperationFailed(
            f"{option}: the value of {name} has a line break or a control character in it: remove it."
        )
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        # The exception quotes the value, which may be a secret: it must not be chained.
        raise OperationFailed(
            f"{option}: the value of {name} has characters that HTTP can't carry: check it."
        ) from None


def run(module: AnsibleModule, work: Callable[[], dict[str, Any]]) -> None:
    """The body of a `main()` that is not AWS's: do the work, turn the one exception into the one way to fail."""
    hide_secrets(module)
    try:
        result = work()
    except OperationFailed as error:
        module.fail_json(msg=str(error), **error.details)
    else:
        module.exit_json(**result)
