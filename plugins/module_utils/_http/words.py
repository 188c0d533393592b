# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How outcomes of HTTP are said: advice, counts, times, one line.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.masking import mask

if TYPE_CHECKING:
    from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import Answer

__all__ = ["advice", "one_line", "seconds", "tally"]

_TIMES = "\N{MULTIPLICATION SIGN} "
_KINDS_SHOWN = 5
_ADVICE_BY_LABEL = {
    "connection refused": "Nothing listens there: check that the service runs, and the port.",
    "timed out": "Check the route from here (VPN, security groups, a proxy), or give a longer attempt_timeout.",
    "connection lost": (
        "Something closes the connection: check that the port speaks this scheme, whether it wants a certificate of "
        "the client (client_cert), and the server's log."
    ),
    "answer cut off": "The server ended in the middle of its answer: check its log.",
    "name not resolved": "Check the name for typing errors, and the DNS and VPN of this machine.",
    "certificate not valid": (
        "Give the authority that signed it with ca_path, or use the name that the certificate is for."
    ),
    "TLS failed": (
        "Check that the port speaks TLS (https), which versions and ciphers it accepts, and whether it asks for a "
        "certificate of the client (client_cert)."
    ),
    "client certificate refused": (
        "Give the certificate that the server asks for with client_cert (and its key with client_key)."
    ),
    "no such file or directory": "Check the path of unix_socket, and that the service that makes it runs.",
    "permission denied": "Check who may write to unix_socket, and as whom Ansible runs.",
}
_ADVICE_BY_STATUS = {
    401: "Give credentials that the server accepts.",
    403: "Give credentials that the server accepts, and check what lies between (a proxy, a firewall).",
    404: "Check the path of the address.",
    407: "The proxy wants credentials: check http_proxy and no_proxy, or set use_proxy to false.",
    429: "The server limits the rate of requests: ask less often.",
    502: "The load balancer gets no valid answer from its target: check the container's log.",
    503: "A load balancer says so when no target is registered, and a service while it starts: check the targets' "
    "health and the container's log.",
    504: "The load balancer's target does not answer in time: check security groups and the container's log.",
}
# AWS's load balancers give this as their `server` only in answers of their own, not in those that they pass on.
_BALANCER = "awselb"
_ADVICE_BY_STATUS_OF_BALANCER = {
    502: "The load balancer itself says so: its target closed the connection or gave no valid answer. Check the "
    "container's log.",
    503: "The load balancer itself says so: no target is registered with it, or all are draining. Check that the "
    "service has a running task and is attached to this load balancer.",
    504: "The load balancer itself says so: its target could not be reached in time. Check the target's security group "
    "and the container's log.",
}


def advice(answer: Answer) -> str:
    """What the operator can do about an answer that was not the one wished for."""
    if answer.status is None:
        return _ADVICE_BY_LABEL.get(answer.label, "Check the address and the network between.")
    if answer.status in _ADVICE_BY_STATUS_OF_BALANCER and answer.headers.get("server", "").startswith(_BALANCER):
        return _ADVICE_BY_STATUS_OF_BALANCER[answer.status]
    if answer.status in _ADVICE_BY_STATUS:
        return _ADVICE_BY_STATUS[answer.status]
    if 300 <= answer.status < 400:
        target = mask(answer.headers.get("location", "elsewhere"))
        return f"The address redirects to {target}: use that one, or see follow_redirects."
    if answer.status >= 500:
        return "The server fails by itself: check its log."
    return "Check the address and what it is expected to answer."


def one_line(text: str, *, limit: int = 200) -> str:
    """`text` on one line, shortened to `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def seconds(value: float) -> str:
    """`5 s`, `0.25 s`: as a person writes it."""
    return f"{round(value, 2):g} s"


def tally(labels: Mapping[str, int]) -> str:
    """How often each outcome came, most frequent first: `9 connection refused`, and 503 with a sign between."""
    pairs = sorted(labels.items(), key=lambda pair: (-pair[1], pair[0]))
    shown = [f"{count} {_TIMES if label[:1].isdigit() else ''}{label}" for label, count in pairs[:_KINDS_SHOWN]]
    rest = sum(count for _label, count in pairs[_KINDS_SHOWN:])
    return ", ".join([*shown, f"{rest} others"] if rest else shown)
