# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not be shown of addresses, headers and logins, and how it is hidden.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

__all__ = [
    "HARMLESS_HEADERS",
    "HIDDEN",
    "keep_secrets",
    "mask",
    "mask_wholly",
    "secrets_of_headers",
    "secrets_of_login",
    "secrets_of_url",
    "shown_headers",
]

HIDDEN = "***"
_USERINFO = re.compile(r"(?<=://)[^/?#\s]*@")
_QUERY = re.compile(r"(?P<before>://[^\s?#'\"]*\?)(?P<query>[^\s#'\"]*[^\s#'\",.;:)])")
_USERINFO_AND_MORE = re.compile(r"(?<=://).*@", re.DOTALL)
_SCHEME_AND_TOKEN = re.compile(r"[A-Za-z]+ +(\S+)")
# no_log replaces parts of words and whole numbers: a key such as `24` or `docs` would blank counts and names that are
# compared later, and hide nothing. What is shorter than this is hidden only where it stands.
_SHORTEST_SECRET = 8
# Everything else may be a credential of somebody's own invention, so it is treated as one.
HARMLESS_HEADERS = frozenset(
    (
        "accept",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "connection",
        "content-type",
        "host",
        "user-agent",
    )
)


def mask(text: str) -> str:
    """`text` with what may be a secret in the URLs in it replaced: `https://***@host/path?token=***`."""
    return _QUERY.sub(_without_values, _USERINFO.sub("***@", text))


def _without_values(found: re.Match[str]) -> str:
    names = [name for name, equals, _value in (part.partition("=") for part in found["query"].split("&")) if equals]
    return found["before"] + ("&".join(f"{name}=***" for name in names) or "***")


def secrets_of_url(url: str) -> set[str]:
    """What must never be shown of a URL: its userinfo, the password, the query and its values, in both spellings."""
    secrets: set[str] = set()
    found = _USERINFO.search(url) or (None if _port_is_readable(url) else _USERINFO_AND_MORE.search(url))
    if found:
        userinfo = found.group(0)[:-1]
        user, _colon, password = userinfo.partition(":")
        secrets |= {userinfo, password} | secrets_of_login(unquote(user), unquote(password))
    query = _QUERY.search(url)
    if query:
        secrets |= {query["query"], *(part.partition("=")[2] for part in query["query"].split("&"))}
    return {spelt for secret in secrets for spelt in (secret, unquote(secret)) if spelt}


def secrets_of_login(user: str | None, password: str | None) -> set[str]:
    """A password, also as basic authentication sends it: a server may repeat what it was sent."""
    if not password:
        return set()
    return {password, base64.b64encode(f"{user or ''}:{password}".encode()).decode()}


def keep_secrets(module: AnsibleModule, secrets: Iterable[str], **shown: Any) -> dict[str, Any]:
    """Mask the secrets in all that the module returns; its parameters, as they were given.

    `shown` takes the place of parameters in what Ansible tells of the call. no_log in the specification only keeps them
    out of the system's log: by itself it would mask each harmless value wherever it occurs in the result.
    """
    given = dict(module.params)
    module.no_log_values = {secret for secret in secrets if len(secret) >= _SHORTEST_SECRET}
    module.params.update({name: value for name, value in shown.items() if given[name]})
    return given


def mask_wholly(url: str) -> str:
    """For a URL that may be malformed: a password with an unescaped slash in it is masked as well."""
    return mask(url) if _port_is_readable(url) else _USERINFO_AND_MORE.sub("***@", url)


def _port_is_readable(url: str) -> bool:
    try:
        urlsplit(url).port  # noqa: B018  # reading it is what raises
    except ValueError:
        return False
    return True


def secrets_of_headers(headers: Mapping[str, str]) -> set[str]:
    """The values that may be credentials, also without the scheme before them (`Bearer TOKEN` and `TOKEN`)."""
    secrets: set[str] = set()
    for name, value in headers.items():
        if name.lower() not in HARMLESS_HEADERS:
            with_scheme = _SCHEME_AND_TOKEN.fullmatch(value)
            secrets.update({value, with_scheme.group(1) if with_scheme else value})
    return {secret for secret in secrets if secret}


def shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with `***` for what may be a credential."""
    return {name: value if name.lower() in HARMLESS_HEADERS else HIDDEN for name, value in headers.items()}
