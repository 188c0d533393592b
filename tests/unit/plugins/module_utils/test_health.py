"""What counts as healthy: paths and tests in JSON, the judgement, arguments that make no sense."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health import (
    Rules,
    Wanted,
    check_wanted,
    judge,
    lookup,
    parse_expectations,
    parse_json,
    parse_path,
    request_body,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http import Answer, Request

DOCUMENT: dict[str, Any] = {
    "status": "healthy",
    "ready": True,
    "count": 3,
    "load": 0.5,
    "none": None,
    "a": {"b": [{"c": 1}, {"c": [2, 3]}], "x.y": "dotted"},
    "tags": ["blue", 1, True],
}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("a.b[0].c", ("a", "b", 0, "c")),
        ("a[0][1]", ("a", 0, 1)),
        ("[2].a", (2, "a")),
        ("$", ()),
        ("$.a.b", ("a", "b")),
        ("$[0]", (0,)),
        ('a["x.y"].z', ("a", "x.y", "z")),
        ("a['x y']", ("a", "x y")),
        ("with-hyphen.and space", ("with-hyphen", "and space")),
    ],
)
def test_paths(text: str, path: tuple[str | int, ...]) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize("text", ["", "a.", ".a", "a..b", "a[", "a[x]", "a[-1]", "a]", "a.[0]", "a[0]b", "$a", 'a["x]'])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(OperationFailed, match="write it as"):
        parse_path(text)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("status", (True, "healthy")),
        ("none", (True, None)),
        ("a.b[1].c[0]", (True, 2)),
        ('a["x.y"]', (True, "dotted")),
        ("a.b[2]", (False, None)),
        ("a[0]", (False, None)),
        ("tags.blue", (False, None)),
        ("status.x", (False, None)),
        ("missing", (False, None)),
    ],
)
def test_lookup(path: str, found: tuple[bool, Any]) -> None:
    assert lookup(DOCUMENT, parse_path(path)) == found


@pytest.mark.parametrize(
    ("path", "wanted", "failure"),
    [
        ("status", "healthy", None),
        ("status", "ready", 'status = "healthy"'),
        ("ready", True, None),
        ("ready", 1, "ready = true"),
        ("count", 3, None),
        ("count", 3.0, None),
        ("count", "3", "count = 3"),
        ("count", True, "count = 3"),
        ("none", None, None),
        ("missing", None, "no missing"),
        ("tags", ["blue", 1, True], None),
        ("tags", ["blue", True, 1], 'tags = ["blue", 1, true]'),
        ("tags", ["blue"], 'tags = ["blue", 1, true]'),
        ("a.b[0]", {"equals": {"c": 1}}, None),
        ("a.b[0]", {"equals": {"c": True}}, 'a.b[0] = {"c": 1}'),
        ("a.b[0]", {"equals": {"d": 1}}, 'a.b[0] = {"c": 1}'),
        ("count", {"at_least": 3}, None),
        ("count", {"at_least": 4}, "count = 3"),
        ("count", {"at_least": 1, "at_most": 2}, "count = 3"),
        ("load", {"at_most": 0.5}, None),
        ("ready", {"at_least": 0}, "ready = true"),
        ("status", {"at_least": 0}, 'status = "healthy"'),
        ("status", {"matches": "^heal"}, None),
        ("status", {"matches": "^ealthy"}, 'status = "healthy"'),
        ("count", {"matches": r"^\d$"}, None),
        ("status", {"contains": "alt"}, None),
        ("status", {"contains": "x"}, 'status = "healthy"'),
        ("tags", {"contains": "blue"}, None),
        ("tags", {"contains": "blu"}, 'tags = ["blue", 1, true]'),
        ("a", {"contains": "b"}, None),
        ("a", {"contains": 1}, 'a = {"b": [{"c": 1}, {"c": [2, 3]}], "x.y": "dotted"}'),
        ("count", {"contains": 3}, "count = 3"),
        ("status", {"exists": True}, None),
        ("none", {"exists": True}, None),
        ("missing", {"exists": True}, "no missing"),
        ("missing", {"exists": False}, None),
        ("status", {"exists": False}, 'status = "healthy"'),
    ],
)
def test_expectations(path: str, wanted: Any, failure: str | None) -> None:
    (expectation,) = parse_expectations({path: wanted})
    assert expectation.failure(DOCUMENT) == failure


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"atleast": 1}, "'x' has the test 'atleast': use equals, at_least, at_most, matches, contains or exists"),
        ({"at_least": 1, "than": 2}, "'x' has the test 'than'"),
        ({}, "'x' has no test"),
        ({"at_least": "1"}, "at_least: '1', which is not a number"),
        ({"at_most": True}, "at_most: True, which is not a number"),
        ({"at_most": float("nan")}, "at_most: nan, which is not a number"),
        ({"matches": "("}, "matches: '(', which is not a regular expression"),
        ({"matches": 200}, "matches: 200, which is not a regular expression"),
        ({"exists": "no"}, "exists: 'no': give true or false"),
    ],
)
def test_tests_that_make_no_sense_are_refused(wanted: Any, words: str) -> None:
    with pytest.raises(OperationFailed) as failure:
        parse_expectations({"x": wanted})
    assert words in str(failure.value)


def answer(body: Any = b"", *, status: int | None = 200, latency: float = 0.1, truncated: bool = False) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    label = str(status) if status else "connection refused"
    return Answer(status, label, latency, "http://host/", body=content, truncated=truncated)


@pytest.mark.parametrize(
    ("given", "wanted", "fault"),
    [
        (answer(), Wanted(), None),
        (answer(status=204), Wanted(status=[200, 204]), None),
        (answer(status=503), Wanted(), "503"),
        (answer(status=None), Wanted(), "connection refused"),
        (answer(latency=0.5), Wanted(max_latency=0.5), None),
        (answer(latency=0.6), Wanted(max_latency=0.5), "200 but slow"),
        (answer(status=503, latency=0.6), Wanted(max_latency=0.5), "503"),
        (answer(b"<html>"), Wanted(json=parse_expectations({"a": 1})), "200 but not JSON"),
        (answer(b""), Wanted(json=parse_expectations({"a": 1})), "200 but not JSON"),
        (answer({"a": 1}, truncated=True), Wanted(json=parse_expectations({"a": 1})), "200 but not JSON"),
        (answer({"a": 1}), Wanted(json=parse_expectations({"a": 1})), None),
        (answer({"a": 2}), Wanted(json=parse_expectations({"a": 1})), "200 but a = 2"),
        (answer({"a": 2}), Wanted(json=parse_expectations({"a": 2, "b": 3, "c": 4})), "200 but no b"),
        (answer(b"<html>"), Wanted(), None),
    ],
)
def test_judge(given: Answer, wanted: Wanted, fault: str | None) -> None:
    assert judge(given, wanted) == fault


@pytest.mark.parametrize("body", [b"NaN", b'{"a": Infinity}', b"[" * 100_000, b"\xff\xfe", b'{"a": 1} x'])
def test_what_is_no_json(body: bytes) -> None:
    assert parse_json(answer(body)) == (False, None)


def test_what_is_wanted_reads_as_a_sentence() -> None:
    tests = {"status": "ok", "n": {"at_least": 1, "at_most": 9}, "old": {"exists": False}, "v": {"matches": "^1"}}
    wanted = Wanted(status=[200, 204], json=parse_expectations(tests), max_latency=0.5)
    assert str(wanted) == (
        'status 200 or 204, status = "ok", n >= 1 and n <= 9, old absent, v matching "^1", an answer within 0.5 s'
    )


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (Rules(successes=0), "successes is 0: give at least 1"),
        (Rules(successes=-2), "successes is -2: give at least 1"),
        (Rules(interval=0), "interval is 0: give a number of seconds, at least 0.05"),
        (Rules(interval=-1), "interval is -1"),
        (Rules(timeout=-5), "timeout is -5"),
        (Rules(timeout=float("inf")), "timeout is inf"),
        (Rules(attempt_timeout=0), "attempt_timeout is 0"),
        (Rules(successes=4, interval=5, timeout=14), "4 successes, 5 s apart, take 15 s, but timeout is 14 s"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rules: Rules, words: str) -> None:
    with pytest.raises(OperationFailed) as failure:
        rules.check()
    assert words in str(failure.value)


@pytest.mark.parametrize(
    ("wanted", "method", "words"),
    [
        (Wanted(status=[]), "GET", "status is empty"),
        (Wanted(status=[200, 99]), "GET", "status has 99"),
        (Wanted(status=[600]), "GET", "status has 600"),
        (Wanted(max_latency=-1), "GET", "max_latency is -1"),
        (Wanted(json=parse_expectations({"a": 1})), "HEAD", "json is given with method HEAD"),
    ],
)
def test_answers_that_can_not_come_are_refused(wanted: Wanted, method: str, words: str) -> None:
    with pytest.raises(OperationFailed) as failure:
        check_wanted(wanted, Request("http://host/", method=method))
    assert words in str(failure.value)


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
    ],
)
def test_a_body_that_can_not_be_sent_is_refused(body: Any, body_format: str, words: str) -> None:
    with pytest.raises(OperationFailed) as failure:
        request_body(body, body_format)
    assert words in str(failure.value)
