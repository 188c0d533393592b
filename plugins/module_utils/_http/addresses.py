# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking each address that a name resolves to, rather than the one that a connection happens to take.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import socket
from dataclasses import replace
from urllib.parse import urlsplit

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import (
    NETWORK_ERRORS,
    Answer,
    Request,
    explain,
    fetch,
    within,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.masking import mask
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.transport import Transport
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

__all__ = ["fetch_each", "resolve"]

_PORTS = {"http": 80, "https": 443}


def resolve(url: str) -> list[str]:
    """Every address of the URL's host that this machine could connect to, in the resolver's order. Raises OSError."""
    parts = urlsplit(url)
    port = parts.port or _PORTS[parts.scheme.lower()]
    try:
        # Without this flag a name has IPv6 addresses on a machine that has none, and those could never answer.
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except socket.gaierror:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for _family, _type, _protocol, _name, address in found))


# An address that comes after the deadline is still asked, if only to be told as one that did not answer in time.
_LEAST = 0.05


def fetch_each(
    request: Request, *, transport: Transport, timeout: float, deadline: float, clock: Clock
) -> list[Answer]:
    """The answer of each address, one after the other; a single answer without an address if there is none to ask.

    The name is looked up anew each time: a load balancer's addresses come and go. `timeout` is for the look-up, and for
    each address; `deadline`, a moment of the clock, is for all of them.
    """
    start = clock.monotonic()
    try:
        addresses = within(timeout, lambda: resolve(request.url))
    except NETWORK_ERRORS as error:
        label, words, hopeless = explain(error, timeout)
        return [Answer(None, label, clock.monotonic() - start, mask(request.url), error=words, hopeless=hopeless)]
    answers = []
    for address in addresses:
        left = max(_LEAST, deadline - clock.monotonic())
        pinned = replace(request, address=address)
        answers.append(fetch(pinned, transport=transport, timeout=min(timeout, left), clock=clock))
    return answers
