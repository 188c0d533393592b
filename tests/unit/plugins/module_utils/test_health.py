"""What counts as healthy: paths and tests in JSON, the judgement, arguments that make no sense."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.bodies import request_body
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.course import Attempt, Course
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.expectations import (
    parse_expectations,
    parse_header_expectations,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.judgement import (
    Wanted,
    faults,
    judge,
    parse_json,
    parse_statuses,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.paths import Found, find, parse_path
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.wait import Rules, check_arguments
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import Answer, Request
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.transport import Transport

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
def test_what_a_path_leads_to(path: str, found: tuple[bool, Any]) -> None:
    assert list(find(DOCUMENT, parse_path(path), path)) == [Found(path, *found)]


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b[*].c", [("a.b[0].c", True, 1), ("a.b[1].c", True, [2, 3])]),
        ("a.b[*].c[0]", [("a.b[0].c[0]", False, None), ("a.b[1].c[0]", True, 2)]),
        ("tags[*]", [("tags[0]", True, "blue"), ("tags[1]", True, 1), ("tags[2]", True, True)]),
        ("a.b[0][*]", [('a.b[0]["c"]', True, 1)]),
        ("a[*][*].c", [('a["b"][0].c', True, 1), ('a["b"][1].c', True, [2, 3]), ('a["x.y"][*].c', False, None)]),
        ("status[*]", [("status[*]", False, None)]),
        ("missing[*].x", [("missing[*].x", False, None)]),
    ],
)
def test_what_a_path_with_each_leads_to(path: str, found: list[tuple[str, bool, Any]]) -> None:
    assert list(find(DOCUMENT, parse_path(path), path)) == [Found(*one) for one in found]


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
        ("status", {"not_equals": "starting"}, None),
        ("status", {"not_equals": "healthy"}, 'status = "healthy"'),
        ("missing", {"not_equals": 1}, "no missing"),
        ("ready", {"not_equals": 1}, None),
        ("status", {"one_of": ["ok", "healthy"]}, None),
        ("ready", {"one_of": [1, "true"]}, "ready = true"),
        ("status", {"not_matches": "^un"}, None),
        ("status", {"not_matches": "heal"}, 'status = "healthy"'),
        ("missing", {"not_matches": "x"}, "no missing"),
        ("tags", {"not_contains": "red"}, None),
        ("tags", {"not_contains": "blue"}, 'tags = ["blue", 1, true]'),
        ("tags", {"length": 3}, None),
        ("tags", {"length": 2}, 'tags = ["blue", 1, true]'),
        ("a.b", {"length": {"at_least": 1, "at_most": 2}}, None),
        ("status", {"length": {"at_least": 8}}, 'status = "healthy"'),
        ("a", {"length": 2}, None),
        ("count", {"length": 1}, "count = 3"),
        ("a.b[*].c", {"exists": True}, None),
        ("a.b[*].c", 1, "a.b[1].c = [2, 3]"),
        ("a.b[*].d", {"exists": False}, None),
        ("missing[*].x", {"exists": True}, "no missing[*].x"),
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
        (
            {"atleast": 1},
            "json: 'x' has the test 'atleast': use equals, not_equals, one_of, at_least, at_most, matches, "
            "not_matches, contains, not_contains, length or exists (and equals to compare with a mapping).",
        ),
        ({"at_least": 1, "than": 2}, "'x' has the test 'than'"),
        ({}, "'x' has no test"),
        ({"at_least": "1"}, "at_least: '1', which is not a number"),
        ({"at_most": True}, "at_most: True, which is not a number"),
        ({"at_most": float("nan")}, "at_most: nan, which is not a number"),
        ({"matches": "("}, "matches: '(', which is not a regular expression"),
        ({"matches": 200}, "matches: 200, which is not a regular expression"),
        ({"not_matches": "["}, "not_matches: '[', which is not a regular expression"),
        ({"one_of": "ab"}, "one_of: 'ab': give a list of values"),
        ({"one_of": []}, "one_of: []: give a list of values"),
        ({"length": -1}, "length: -1: give a whole number from 0 up, or equals, at_least, at_most with such"),
        ({"length": True}, "length: True: give a whole number"),
        ({"length": {"at_least": "3"}}, "length: {'at_least': '3'}: give a whole number"),
        ({"length": {"more": 3}}, "'x: length' has the test 'more': use equals, at_least or at_most."),
        ({"length": {}}, "'x: length' has no test: use equals, at_least or at_most."),
        ({"exists": "no"}, "exists: 'no': give true or false"),
    ],
)
def test_tests_that_make_no_sense_are_refused(wanted: Any, words: str) -> None:
    with pytest.raises(OperationFailed) as failure:
        parse_expectations({"x": wanted})
    assert words in str(failure.value)


def answer(body: Any = b"", *, status: int | None = 200, latency: float = 0.1, **more: Any) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    label = str(status) if status else "connection refused"
    return Answer(status, label, latency, "http://host/", body=content, **more)


def header_tests(**tests: Any) -> Wanted:
    named = {name.replace("_", "-"): value for name, value in tests.items()}
    return Wanted(headers=parse_header_expectations(named, option="response_headers"))


@pytest.mark.parametrize(
    ("wanted", "fault"),
    [
        (header_tests(X_Version="1.4"), None),
        (header_tests(x_version={"matches": "^1"}), None),
        (header_tests(X_Version="1.5"), '200 but header X-Version = "1.4"'),
        (header_tests(X_Count=5), None),
        (header_tests(X_Count={"at_least": 4, "at_most": 5}), None),
        (header_tests(X_Count={"at_least": 6}), '200 but header X-Count = "5"'),
        (header_tests(X_Version={"at_least": 1, "one_of": [1.4]}), None),
        (header_tests(X_Word={"at_least": 1}), '200 but header X-Word = "much"'),
        (header_tests(X_Flag=True), None),
        (header_tests(X_None={"exists": False}), None),
        (header_tests(X_None="a"), "200 but no header X-None"),
        (header_tests(X_Flag={"not_equals": True}), '200 but header X-Flag = "true"'),
    ],
)
def test_headers_are_judged(wanted: Wanted, fault: str | None) -> None:
    headers = {"x-version": "1.4", "x-count": "5", "x-word": "much", "x-flag": "true"}
    assert judge(answer(headers=headers), wanted) == fault


def test_all_faults_are_told_but_only_of_an_answer_with_the_right_status() -> None:
    wanted = Wanted(
        json=parse_expectations({"a": 1, "b": 2}), body_matches="ok", body_not_matches="bad", max_latency=0.05
    )
    assert list(faults(answer({"a": 2, "text": "bad"}), wanted)) == [
        "200 but slow",
        "200 but a = 2",
        "200 but no b",
        "200 but no match of 'ok' in its body",
        "200 but 'bad' in its body",
    ]
    assert list(faults(answer(status=503), wanted)) == ["503"]


@pytest.mark.parametrize(
    ("given", "inside", "outside"),
    [
        ([200], [200], [199, 201]),
        (["200-204", "301"], [200, 204, 301], [205, 302]),
        (["2XX"], [200, 299], [199, 300]),
        ([" 200 - 299 "], [250], [300]),
        ([], [], [200]),
    ],
)
def test_statuses(given: list[int | str], inside: list[int], outside: list[int]) -> None:
    statuses = parse_statuses(given)
    assert all(status in statuses for status in inside)
    assert not any(status in statuses for status in [*outside, None])


@pytest.mark.parametrize("given", [99, 600, 2000, "abc", "299-200", "6xx", "", "-1", "200-", True])
def test_what_is_no_status_is_refused(given: Any) -> None:
    with pytest.raises(OperationFailed, match=r"^give_up_status has .*, which is not an HTTP status: give 100 to 599"):
        parse_statuses([given], option="give_up_status")


@pytest.mark.parametrize(
    ("given", "wanted", "fault"),
    [
        (answer(), Wanted(), None),
        (answer(status=204), Wanted(status=parse_statuses([200, 204])), None),
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
    wanted = Wanted(status=parse_statuses([200, 204]), json=parse_expectations(tests), max_latency=0.5)
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
        (Wanted(status=parse_statuses([])), "GET", "status is empty"),
        (Wanted(body_matches="("), "GET", "body_matches is '(', which is not a regular expression"),
        (Wanted(body_not_matches="("), "GET", "body_not_matches is '(', which is not a regular expression"),
        (Wanted(body_matches="a"), "HEAD", "body_matches is given with method HEAD"),
        (Wanted(body_not_matches="a"), "HEAD", "body_not_matches is given with method HEAD"),
        (Wanted(max_latency=-1), "GET", "max_latency is -1"),
        (Wanted(json=parse_expectations({"a": 1})), "HEAD", "json is given with method HEAD"),
    ],
)
def test_answers_that_can_not_come_are_refused(wanted: Wanted, method: str, words: str) -> None:
    with pytest.raises(OperationFailed) as failure:
        check_arguments(Request("http://host/", method=method), wanted=wanted, rules=Rules(), transport=Transport())
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


# --- How attempts went -----------------------------------------------------------------------------------------------


def attempt(*answers: Answer, wanted: Wanted | None = None) -> Attempt:
    return Attempt.of([(one, list(faults(one, wanted or Wanted()))) for one in answers], at="2026-11-23T15:00:00.000Z")


def test_an_attempt_is_as_good_as_its_worst_answer() -> None:
    good, slow = answer(address="10.0.0.1"), answer(address="10.0.0.2", latency=3.0)
    down = answer(address="10.0.0.3", status=503)
    never = answer(address="10.0.0.4", status=None, error="the certificate is not valid", hopeless=True)
    assert attempt(good, slow).decisive is slow
    assert attempt(good, slow).fault is None
    assert attempt(slow, down).fault == "503 (10.0.0.3)"
    assert attempt(down, never, good).decisive is never
    assert attempt(good, down).by_address() == "; the last time 10.0.0.1: healthy, 10.0.0.3: 503"
    assert attempt(answer()).by_address() == ""


def test_each_change_of_the_outcome_is_told_once() -> None:
    told: list[str] = []
    course = Course("http://host/", successes_wanted=2, on_change=told.append)
    refused, starting = answer(status=None), answer(status=503)
    for one in (refused, refused, starting, answer(), answer(), starting, answer()):
        course.add(attempt(one))
    assert told == [
        "http://host/ is not healthy: connection refused",
        "http://host/ is not healthy: 503",
        "http://host/ answers as wanted (wanted 2 times in a row)",
        "http://host/ is not healthy: 503",
        "http://host/ answers as wanted (wanted 2 times in a row)",
    ]
    assert course.result()["outcomes"] == {"connection refused": 2, "503": 2, "healthy": 3}
    assert course.summary(7.0) == ("7 attempts in 7 s: 2 \N{MULTIPLICATION SIGN} 503, 2 connection refused, 3 healthy")


def test_the_headers_that_tell_something_are_told_without_secrets() -> None:
    headers = {
        "server": "awselb/2.0",
        "x-other": "no",
        "location": "/login?ticket=t0psecret",
        "set-cookie": "session=t0psecret",
        "x-wanted": "yes",
    }
    one = attempt(answer(b"<html>", status=302, headers=headers))
    assert one.said(asserted=["x-wanted"]) == (
        "status 302 after 0.1 s (server: awselb/2.0, location: /login?***, x-wanted: yes) with the body '<html>'"
    )
    course = Course("http://host/")
    course.add(one)
    assert "t0psecret" not in json.dumps(course.result())
    assert course.last["headers"]["x-other"] == "no"
