"""Paths into JSON, and tests of what they lead to."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.expectations import (
    parse_expectations,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.paths import Found, find, parse_path

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
