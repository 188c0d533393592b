"""Whatever an option holds, and whatever is answered: it is compared, or refused in words, and never a crash."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.bodies import BODY_FORMATS, request_body
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.expectations import (
    parse_expectations,
    parse_header_expectations,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.judgement import Wanted, faults, parse_statuses
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.paths import Found, find, parse_path
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import Answer
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.baseline import (
    differences_from_baseline,
    parse_baseline,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.expected import (
    FIELDS,
    differences_from_expected,
    parse_expected,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.reading import payload_indexes, shards, vectors

ANYTHING = settings(max_examples=50, deadline=None, database=None)
TESTS = "equals not_equals one_of at_least at_most matches not_matches contains not_contains length exists".split()

scalars = st.none() | st.booleans() | st.integers(-9, 999) | st.floats(allow_nan=True) | st.text(max_size=8)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc") | st.text(max_size=3), inner),
    max_leaves=8,
)
tests = st.dictionaries(st.sampled_from(TESTS), values, min_size=1, max_size=3)
paths = st.sampled_from(["a", "a.b", "a[0]", "a[*]", "$", "$[*].b", '["c"]', "a[*][*]"]) | st.text(max_size=6)

COLLECTION: dict[str, Any] = {
    "aliases": ["live"],
    "optimizer_status": "ok",
    "payload_indexes": {"city": "keyword"},
    "points_count": 3,
    "shards": [{"shard_id": 0, "peer_id": 1, "state": "Active"}],
    "sparse_vectors": ["words"],
    "status": "green",
    "vectors": {"": {"size": 3, "distance": "Dot"}},
}


@ANYTHING
@given(st.dictionaries(paths, tests | values, max_size=3), values)
def test_any_option_is_judged_or_refused(wanted: dict[str, Any], document: Any) -> None:
    answer = Answer(200, "200", 0.1, "http://host/", {"a": "1"}, json.dumps(document).encode())
    for parse, kind in ((parse_expectations, "json"), (parse_header_expectations, "headers")):
        try:
            expectations = parse(wanted, option=kind)
        except OperationFailed as refused:
            assert str(refused).startswith(f"{kind}: ")
            assert str(refused).endswith(".")
            continue
        judged = Wanted(**{kind: expectations})
        assert str(judged)
        assert all(fault.startswith("200 but ") for fault in faults(answer, judged))


@ANYTHING
@given(values)
def test_what_is_there_equals_itself_and_has_its_length(document: Any) -> None:
    document = json.loads(json.dumps(document).replace("NaN", "1").replace("Infinity", "2"))
    wanted: dict[str, Any] = {"equals": document, "one_of": [0, document], "exists": True}
    if isinstance(document, (list, dict, str)):
        wanted["length"] = len(document)
    (expectation,) = parse_expectations({"$": wanted})
    assert expectation.failure(document) is None
    (other,) = parse_expectations({"$": {"not_equals": document}})
    assert other.failure(document)


@ANYTHING
@given(st.lists(st.integers(0, 99) | st.text(st.characters(blacklist_characters="'\"\n"), min_size=1), max_size=5))
def test_a_path_leads_to_what_was_put_there(steps: list[int | str]) -> None:
    document: Any = "here"
    for step in reversed(steps):
        document = [None] * step + [document] if isinstance(step, int) else {step: document}
    text = "$" + "".join(f"[{step}]" if isinstance(step, int) else f'["{step}"]' for step in steps)
    assert parse_path(text) == tuple(steps)
    assert list(find(document, parse_path(text), text)) == [Found(text, True, "here")]


@ANYTHING
@given(st.lists(st.integers(0, 700) | st.text("0123456789x-, ", max_size=8), max_size=3))
def test_any_statuses_are_a_set_or_refused(given_statuses: list[int | str]) -> None:
    try:
        statuses = parse_statuses(given_statuses)
    except OperationFailed:
        return
    assert all(status in statuses for status in given_statuses if isinstance(status, int))
    assert not any(status in statuses for status in (0, 99, 600, 700))


@ANYTHING
@given(values, st.sampled_from([*BODY_FORMATS, None]))
def test_any_body_is_sent_or_refused(body: Any, body_format: str | None) -> None:
    try:
        data, _kind = request_body(body, body_format)
    except OperationFailed:
        return
    assert (data is None) == (body is None)


@ANYTHING
@given(
    st.dictionaries(st.text(min_size=1, max_size=3), values | st.dictionaries(st.sampled_from(FIELDS), tests | values))
)
def test_any_expectation_of_collections_is_compared_or_refused(expected: dict[str, Any]) -> None:
    try:
        parsed = parse_expected(expected, exact=True)
    except OperationFailed as refused:
        assert str(refused).startswith("expected: ")
        return
    for found in (COLLECTION, None):
        differences = differences_from_expected(dict.fromkeys(expected, found), parsed)
        assert all(difference.text.startswith("The collection ") for difference in differences)


@ANYTHING
@given(
    st.lists(
        st.fixed_dictionaries(
            {"name": st.sampled_from("ab")},
            optional={field: values | st.just(COLLECTION[field]) for field in COLLECTION},
        ),
        max_size=2,
    )
)
def test_any_baseline_is_compared_or_refused(baseline: list[dict[str, Any]]) -> None:
    try:
        parsed = parse_baseline(baseline, exact=True)
    except OperationFailed as refused:
        assert str(refused).startswith("baseline: ")
        return
    assert parsed is not None
    for found in (COLLECTION, None):
        for difference in differences_from_baseline({"a": found}, parsed):
            assert json.dumps(difference.described())


@ANYTHING
@given(values)
def test_any_answer_is_read(answer: Any) -> None:
    assert isinstance(vectors(answer), dict)
    assert isinstance(payload_indexes(answer), dict)
    assert shards(answer) is None or isinstance(answer, dict)
