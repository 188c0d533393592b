"""How outcomes of HTTP are said."""

from __future__ import annotations

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import Answer
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.words import advice, one_line, seconds, tally


def test_outcomes_are_counted_most_frequent_first() -> None:
    assert tally({"503": 3, "connection refused": 9}) == "9 connection refused, 3 \N{MULTIPLICATION SIGN} 503"
    assert tally({}) == ""
    many = {f"kind {number}": 1 for number in range(8)}
    assert tally(many).endswith("1 kind 4, 3 others")


@pytest.mark.parametrize(("value", "text"), [(5.0, "5 s"), (0.25, "0.25 s"), (60, "60 s"), (1.23456, "1.23 s")])
def test_seconds_as_a_person_writes_them(value: float, text: str) -> None:
    assert seconds(value) == text


def test_a_text_on_one_line() -> None:
    assert one_line(" a\n  b\t") == "a b"
    assert one_line("x" * 300, limit=5) == "xxxx…"


@pytest.mark.parametrize(
    ("status", "label", "words"),
    [
        (None, "connection refused", "Nothing listens there"),
        (None, "no route to host", "Check the address and the network"),
        (401, "401", "credentials"),
        (404, "404", "Check the path"),
        (500, "500", "The server fails by itself"),
        (503, "503", "no target is registered"),
        (204, "204", "what it is expected to answer"),
    ],
)
def test_every_answer_has_an_advice(status: int | None, label: str, words: str) -> None:
    assert words in advice(Answer(status, label, 0.0, "http://host/"))


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_load_balancers_own_answer_is_told_from_one_that_it_passes_on(status: int) -> None:
    own = Answer(status, str(status), 0.0, "http://host/", headers={"server": "awselb/2.0"})
    passed_on = Answer(status, str(status), 0.0, "http://host/", headers={"server": "uvicorn"})
    assert advice(own).startswith("The load balancer itself says so: ")
    assert not advice(passed_on).startswith("The load balancer itself")
