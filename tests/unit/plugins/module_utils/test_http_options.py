"""Addresses, times and headers that can not be used are refused before anything is asked."""

from __future__ import annotations

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.options import (
    check_header,
    check_seconds,
    check_url,
)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("backend.example.com/health", "does not begin with http:// or https://"),
        ("ftp://backend.example.com/", "does not begin with http:// or https://"),
        ("", "does not begin with http:// or https://"),
        ("http://", "names no host"),
        ("http:///health", "names no host"),
        ("http://:80/health", "names no host"),
        ("http://host:eighty/", "host and port can't be read"),
        ("http://host:99999/", "host and port can't be read"),
        ("http://host:0/", "no server can have port 0"),
        ("http://[::1/", "host and port can't be read"),
        (f"http://{'a' * 64}.example.com/", "host and port can't be read"),
        ("http://host/a b", "a space or a control character"),
        ("http://host/a\nb", "a space or a control character"),
        ("http://host/gesundheit-prüfen", "characters beyond ASCII"),
    ],
)
def test_an_address_that_can_not_be_asked_is_refused(url: str, words: str) -> None:
    with pytest.raises(OperationFailed, match=r"^health_url is ") as failure:
        check_url(url, option="health_url")
    assert words in str(failure.value)


@pytest.mark.parametrize(
    "url", ["http://host", "HTTPS://u:p@host:8443/p?q=1#f", "http://[::1]:6333/", "http://bücher.example/"]
)
def test_an_address_that_can_be_asked_passes(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://me:tops3cret@host:x/",
        "http://me:tops3/cret@host/",
        "http://me:top@s3cret@host /",
        "nttp://me:tops3cret@h/",
    ],
)
def test_a_password_is_not_repeated_when_its_address_is_refused(url: str) -> None:
    with pytest.raises(OperationFailed) as failure:
        check_url(url)
    assert "s3" not in str(failure.value)
    assert "cret" not in str(failure.value)
    assert failure.value.__cause__ is None


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), -0.001])
def test_a_time_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(OperationFailed, match=r"^timeout is .*: give a number of seconds, at least 0\.$"):
        check_seconds(value, option="timeout")


@pytest.mark.parametrize(
    ("name", "value"), [("api-key", "s3cret\r\nX: y"), ("api-key", "s3cret…"), ("bad name", "s3cret"), ("", "s3cret")]
)
def test_a_header_that_http_can_not_carry_is_refused_without_its_value(name: str, value: str) -> None:
    with pytest.raises(OperationFailed, match=r"^headers") as failure:
        check_header(name, value, option="headers")
    assert "s3cret" not in str(failure.value)
    assert failure.value.__cause__ is None
