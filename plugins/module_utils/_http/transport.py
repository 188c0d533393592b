# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How to get to an address: certificates, proxy, authentication, as ansible.builtin.uri has them.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.urls import make_context

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed

__all__ = ["Transport", "context_for"]


@dataclass(frozen=True)
class Transport:
    """The TLS context is built once, not for each attempt."""

    url_username: str | None = None
    url_password: str | None = None
    force_basic_auth: bool = False
    http_agent: str = "ansible-qdrant-ops"
    follow_redirects: str = "safe"
    use_proxy: bool = True
    # A ~/.netrc would silently add a login that nobody gave.
    use_netrc: bool = False
    decompress: bool = True
    unix_socket: str | None = None
    context: ssl.SSLContext | None = None

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Transport:
        """From a module's parameters. Raises OperationFailed for files that are missing or no certificates."""
        if params["client_key"] and not params["client_cert"]:
            raise OperationFailed("client_key is given without client_cert: give the certificate that belongs to it.")
        if params["url_password"] and not params["url_username"]:
            raise OperationFailed("url_password is given without url_username: give the user that it belongs to.")
        for option in ("ca_path", "client_cert", "client_key"):
            if params[option] and not Path(params[option]).is_file():
                raise OperationFailed(
                    f"{option} is {params[option]!r}, which is not a file: give the path of a PEM file."
                )
        return cls(
            url_username=params["url_username"],
            url_password=params["url_password"],
            force_basic_auth=params["force_basic_auth"],
            http_agent=params["http_agent"],
            follow_redirects=params["follow_redirects"],
            use_proxy=params["use_proxy"],
            use_netrc=params["use_netrc"],
            decompress=params["decompress"],
            unix_socket=params["unix_socket"],
            context=_context(params),
        )


def _context(params: Mapping[str, Any]) -> ssl.SSLContext:
    options: dict[str, Any] = {
        "cafile": params["ca_path"],
        "validate_certs": params["validate_certs"],
        "client_cert": params["client_cert"],
        "client_key": params["client_key"],
    }
    try:
        context: ssl.SSLContext = make_context(**options)
    except (OSError, ValueError) as error:
        files = [f"{name} {params[name]!r}" for name in ("ca_path", "client_cert", "client_key") if params[name]]
        raise OperationFailed(
            f"Could not load the certificates of {' and '.join(files) or 'this system'}: {error}. "
            "Check that each file is PEM, and that the key belongs to the certificate and has no passphrase."
        ) from error
    if params["ciphers"]:
        try:
            context.set_ciphers(":".join(params["ciphers"]))
        except ssl.SSLError as error:
            raise OperationFailed(
                f"ciphers is {params['ciphers']!r}, of which OpenSSL here knows none: give names as `openssl ciphers` "
                "lists them."
            ) from error
    return context


class _ContextFor:
    """A TLS context that tells the server one name, and wants its certificate for it, wherever it connects to."""

    def __init__(self, name: str, context: ssl.SSLContext) -> None:
        self._name = name
        self._context = context

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._context, attribute)

    def wrap_socket(self, sock: Any, **options: Any) -> Any:
        return self._context.wrap_socket(sock, **{**options, "server_hostname": self._name})


def context_for(name: str, context: ssl.SSLContext | None) -> Any:
    """`context`, or the default one, for connections to an address that belongs to `name`."""
    return _ContextFor(name, context or make_context())
