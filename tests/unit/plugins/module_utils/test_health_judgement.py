"""What counts as healthy, and arguments that make no sense."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
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
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.wait import Rules, check_arguments
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import Answer, Request
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.transport import Transport


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
