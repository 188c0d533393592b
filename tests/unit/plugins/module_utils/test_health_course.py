"""How attempts are counted and told."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.course import Attempt, Course
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.judgement import (
    Wanted,
    faults,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import Answer


def answer(body: Any = b"", *, status: int | None = 200, latency: float = 0.1, **more: Any) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    label = str(status) if status else "connection refused"
    return Answer(status, label, latency, "http://host/", body=content, **more)


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
