"""The body that a request sends."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.bodies import request_body


@pytest.mark.parametrize(
    ("body", "body_format", "sent"),
    [
        (None, None, (None, None)),
        ("a=b", None, (b"a=b", None)),
        ("ü", "raw", ("ü".encode(), None)),
        ({"a": 1}, None, (b'{"a": 1}', "application/json")),
        ([1], "json", (b"[1]", "application/json")),
        ('{"a": 1}', "json", (b'{"a": 1}', "application/json")),
        (3, None, (b"3", "application/json")),
        (
            {"a": "x y", "b": [1, True], "c": None, "d": {"e": 1}},
            "form-urlencoded",
            (b"a=x+y&b=1&b=true&c=&d=%7B%22e%22%3A+1%7D", "application/x-www-form-urlencoded"),
        ),
        ([["a", "1"], ["a", "\u00fc"]], "form-urlencoded", (b"a=1&a=%C3%BC", "application/x-www-form-urlencoded")),
        ("a=b%20c", "form-urlencoded", (b"a=b%20c", "application/x-www-form-urlencoded")),
    ],
)
def test_the_body_that_is_sent(body: Any, body_format: str | None, sent: tuple[bytes | None, str | None]) -> None:
    assert request_body(body, body_format) == sent


@pytest.mark.parametrize(
    ("body", "body_format", "words"),
    [
        ({"a": 1}, "raw", "body is not text, but body_format is raw"),
        ("{a: 1}", "json", "body is not valid JSON"),
        ({"a": object()}, "json", "body can't be written as JSON"),
        (3, "form-urlencoded", "body is no form"),
        (["a", "bc"], "form-urlencoded", "body is no form"),
    ],
)
def test_a_body_that_can_not_be_sent_is_refused(body: Any, body_format: str, words: str) -> None:
    with pytest.raises(OperationFailed) as failure:
        request_body(body, body_format)
    assert words in str(failure.value)
