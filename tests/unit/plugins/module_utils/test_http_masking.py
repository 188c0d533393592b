"""What is a secret of addresses and headers, and what is shown in its place."""

from __future__ import annotations

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.masking import (
    mask,
    secrets_of_headers,
    secrets_of_url,
    shown_headers,
)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://u:p@host/x", "http://***@host/x"),
        ("see https://user@host and http://a:b@c", "see https://***@host and http://***@c"),
        ("http://u:p@ss@host/", "http://***@host/"),
        ("http://host/@me", "http://host/@me"),
        ("mail me@host", "mail me@host"),
        ("http://host/x?token=t0ken&b=2#f", "http://host/x?token=***&b=***#f"),
        ("http://host?t0ken", "http://host?***"),
        ("'http://host/?a=b', or http://u:p@host/?c=d%20e.", "'http://host/?a=***', or http://***@host/?c=***."),
        ("http://host/? and what?", "http://host/? and what?"),
    ],
)
def test_userinfo_and_query_are_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("http://host/", set()),
        ("http://u:p%40w@host/", {"u:p%40w", "u:p@w", "p%40w", "p@w", "dTpwQHc="}),
        ("http://token@host/", {"token"}),
        ("http://u:a/b@host/", {"u:a/b", "a/b", "dTphL2I="}),
        ("http://host/?a=x%20y&b=", {"a=x%20y&b=", "a=x y&b=", "x%20y", "x y"}),
        ("http://host/?t0ken", {"t0ken"}),
    ],
)
def test_the_secrets_of_an_address(url: str, secrets: set[str]) -> None:
    assert secrets_of_url(url) == secrets


def test_the_secrets_of_headers_are_all_but_the_harmless_ones() -> None:
    headers = {
        "Accept": "application/json",
        "Authorization": "Bearer t0ken",
        "X-Own": "a word",
        "Cookie": "",
        "DNT": "1",
    }
    assert secrets_of_headers(headers) == {"Bearer t0ken", "t0ken", "a word", "word", "1"}
    assert shown_headers(headers) == {**dict.fromkeys(headers, "***"), "Accept": "application/json"}
