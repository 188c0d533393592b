# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both modules have in common: their options, the connection to one server, how a run ends.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.addresses import resolve
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import within
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.options import check_url
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.transport import Transport
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.client import Qdrant
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.options import qdrant_argument_spec
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._snapshots.remote import Server

__all__ = ["folder_of", "servers_of", "snapshot_argument_spec"]

_CLEANING = 60.0


def snapshot_argument_spec() -> dict[str, Any]:
    """The options that qdrant_snapshot and qdrant_snapshot_restore share."""
    return {
        **qdrant_argument_spec(),
        "directory": {"type": "path", "required": True},
        "collections": {"type": "list", "elements": "str"},
        "timeout": {"type": "float", "default": 3600.0, "aliases": ["wait_timeout"]},
        "attempt_timeout": {"type": "float", "default": 30.0},
    }


def folder_of(directory: str, *, option: str = "directory") -> Path:
    """Raises OperationFailed for a folder that depends on where the module happens to run."""
    path = Path(directory)
    if not path.is_absolute():
        raise OperationFailed(f"{option} is {directory!r}: give an absolute path.")
    return path


def servers_of(params: Mapping[str, Any], *, clock: Clock, say: Callable[[str], None]) -> tuple[Server, Server]:
    """The one server that everything is done with, and the same for what is cleaned up after the time is over."""
    check_url(params["url"])
    transport = Transport.from_params(params)
    address = _one_of_many(params["url"], transport, params["attempt_timeout"])

    def server(timeout: float) -> Server:
        qdrant = Qdrant(
            url=params["url"],
            api_key=params["api_key"],
            bearer=params["api_key_scheme"] == "bearer",
            headers=params["headers"],
            transport=transport,
            timeout=timeout,
            attempt_timeout=params["attempt_timeout"],
            clock=clock,
            on_change=say,
            address=address,
        )
        return Server(qdrant, clock=clock, timeout=timeout, stall=params["attempt_timeout"], say=say)

    return server(params["timeout"]), server(params["timeout"] + _CLEANING)


def _one_of_many(url: str, transport: Transport, limit: float) -> str | None:
    """The address to stay with where a name has several: a snapshot lies on the server that made it only."""
    parts = urlsplit(url)
    through_proxy = transport.use_proxy and parts.scheme.lower() in urllib.request.getproxies()
    if transport.unix_socket or (through_proxy and not urllib.request.proxy_bypass(parts.hostname or "")):
        return None
    try:
        addresses = within(limit, lambda: resolve(url))
    except OSError:
        return None  # the first call says it in words
    port = parts.port or (443 if parts.scheme.lower() == "https" else 80)
    for address in addresses if len(addresses) > 1 else ():
        try:
            socket.create_connection((address, port), timeout=limit).close()
        except OSError:
            continue
        return address
    return None
