"""One request over a Transport as a module makes it, for the tests of what asks over HTTP."""

from __future__ import annotations

from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import Answer, Request, fetch
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.transport import Transport
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

__all__ = ["PARAMS", "ask"]


PARAMS: dict[str, Any] = {
    "validate_certs": True,
    "ca_path": None,
    "client_cert": None,
    "client_key": None,
    "ciphers": None,
    "unix_socket": None,
    "use_netrc": False,
    "decompress": True,
    "use_proxy": False,
    "url_username": None,
    "url_password": None,
    "force_basic_auth": False,
    "http_agent": "ansible-qdrant-ops",
    "follow_redirects": "safe",
}


def ask(url: str, *, timeout: float = 5.0, method: str = "GET", **params: Any) -> Answer:
    headers = params.pop("headers", {})
    limit = params.pop("body_limit", 1000)
    request = Request(url, method=method, headers=headers, body_limit=limit)
    return fetch(request, transport=Transport.from_params({**PARAMS, **params}), timeout=timeout, clock=Clock())
