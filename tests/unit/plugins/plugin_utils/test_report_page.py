# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages: everything is escaped, everything is there, and nothing in a result can break or steer a page."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.result import digest
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._report.page import (
    TEMPLATES,
    index_page,
    points_table,
    report_page,
    visible,
)
from ansible_collections.wwhd.qdrant_ops.tests.unit.unlock_samples import samples

FOLDER = Path(__file__).resolve().parents[4] / "roles" / "qdrant_unlock" / "templates"
TEXTS = {name: (FOLDER / name).read_text() for name in TEMPLATES}
SAMPLES = samples()
VOID = {"meta", "link", "br", "img", "input", "hr"}
HOSTILE = [
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "\"' onmouseover='alert(1)",
    "]]></title></svg>",
    "{{ 7 * 7 }}{% include 'x' %}",
    "line\nfeed\r\ttab\x00\x1b[31mred",
    "\u202egnp.exe\u2066",
    "x" * 5000,
    "&lt;b&gt;",
]


class Reader(HTMLParser):
    """The page as a browser's parser sees its tags; every tag must be closed, in its order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def page(result: dict[str, Any], host: str = "wwhd-backend.dev") -> Reader:
    return Reader(report_page(result, host=host, templates=TEXTS))


ACTIVE = {"script", "img", "iframe", "object", "link", "form", "base"}
ACTING = {"style", "src", "srcset", "xlink:href", "action"}


def assert_harmless(read: Reader) -> None:
    assert {tag for tag, _attributes in read.tags} & ACTIVE == set()
    for _tag, attributes in read.tags:
        assert [name for name in attributes if name.startswith("on") or name in ACTING] == []
    for anchor in read.named("a"):
        # Files of the same folder, and nothing else.
        assert re.fullmatch(r"[A-Za-z0-9._~%-]+", anchor["href"] or ""), anchor


@pytest.mark.parametrize("name", SAMPLES)
def test_a_page_of_each_verdict(name: str) -> None:
    result = SAMPLES[name]
    read = page(result)
    assert_harmless(read)
    assert [attributes["lang"] for attributes in read.named("html")] == ["en"]
    assert len(read.named("h1")) == len(read.named("title")) - bool(read.named("svg") and result["phases"]) == 1
    for sentence in (result["verdict"]["headline"], result["verdict"]["data"], *result["verdict"]["next"]):
        assert re.sub(r"\s+", " ", sentence) in read.text
    for sentence in result["summary"]:
        # What the headline says is not said again.
        assert re.sub(r"\s+", " ", sentence.removeprefix(result["verdict"]["headline"])) in read.text
    # The verdict comes before everything else.
    assert read.text.index(result["verdict"]["headline"]) < read.text.index("Who ran it, and how")
    assert len(read.named("caption")) == len(read.named("table"))


def test_the_page_of_a_good_run_has_all_of_it() -> None:
    read = page(SAMPLES["unlocked"])
    for said in (
        "5 removed", "1 left where they are", r"/c\x0a.lock", "nobody held it, once its holder had let go",
        "240", "in the last verified run (2026-11-22 08:00:00 UTC) and now", "(service b) is steady.",
        "ann@box/4711", "unlock-20261123T120000Z-b34f84", "https://***@example.org/health?token=***",
        "While lock file:", "The cleaner's log (8 lines, exit code 0)", "down before, healthy 64 s after the stop",
    ):  # fmt: skip
        assert said in read.text, said
    picture = next(attributes for attributes in read.named("svg") if attributes.get("role") == "img")
    assert picture["aria-labelledby"] == "timeline-title timeline-text"
    assert "redeploy from 26 s on, for 40 s" in read.text


def test_a_page_of_a_failed_deployment_shows_the_tasks_and_their_last_lines() -> None:
    text = page(SAMPLES["redeploy_failed"]).text
    assert "Task 0f1e2d3c4b5a69788796a5b4c3d2e1f0 failed" in text
    assert "panicked at storage MANIFEST-999999" in text
    assert "FAILED (circuit breaker)" in text


def test_a_run_that_never_ended_leads_to_what_its_watchdog_said() -> None:
    hrefs = [anchor["href"] for anchor in page(SAMPLES["unfinished"]).named("a")]
    assert "wwhd-backend.dev-unlock-20261123T120000Z-b34f84-interrupted.txt" in hrefs


def test_only_the_pages_own_style_is_allowed() -> None:
    text = report_page(SAMPLES["unlocked"], host="h", templates=TEXTS)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    wanted = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = next(meta["content"] for meta in Reader(text).named("meta") if "http-equiv" in meta)
    assert policy == f"default-src 'none'; style-src 'sha256-{wanted}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in style
    assert "@import" not in style


def poisoned(node: Any, text: str) -> Any:
    """Every text of a result with `text` in it, but for the words that select something, and the times."""
    if isinstance(node, dict):
        kept = ("outcome", "tone", "started", "stopped", "created_at", "at")
        return {key: value if key in kept else poisoned(value, text) for key, value in node.items()}
    if isinstance(node, list):
        return [poisoned(item, text) for item in node]
    return f"{text}{node}{text}" if isinstance(node, str) else node


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("name", ["unlocked", "redeploy_failed", "unfinished"])
def test_hostile_texts_are_shown_and_do_nothing(name: str, text: str) -> None:
    result = poisoned(SAMPLES[name], text)
    # Keys are somebody else's words as well: collections, containers, options.
    result["verification"]["points"] = {text: 1}
    result["options"] = {text: text, "list": [text, {text: None}]}
    read = page(result, host=text)
    assert_harmless(read)
    assert re.sub(r"\s+", " ", str(visible(text))) in read.text
    assert "49" not in read.text or "{{ 7" not in text
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e\u2066]", read.text)


@settings(max_examples=60, deadline=None, database=None)
@given(st.text(max_size=40))
def test_any_text_makes_a_page(text: str) -> None:
    result = poisoned(SAMPLES["held"], text)
    written = report_page(result, host=text, templates=TEXTS)
    assert_harmless(Reader(written))
    written.encode()


def test_five_hundred_locks_are_folded_away() -> None:
    result = {**SAMPLES["unlocked"], "locks": {"found": [], "held": [], "kept": [], "removed": [
        {"path": f"/collections/{n}/LOCK", "why": "", "was_held": n == 7, "waited": False} for n in range(500)
    ]}}  # fmt: skip
    read = page(result)
    assert "/collections/499/LOCK" in read.text
    assert read.text.count("removed although it was held, by explicit word") == 1
    assert "500 removed" in read.text
    assert len(report_page(result, host="h", templates=TEXTS)) < 120_000


@pytest.mark.parametrize(
    ("verification", "compared", "same"),
    [
        ({"points_before": {"a": 1, "b": 2}}, "before this run", [True, None]),
        ({"points_expected": {"a": 2}}, "expected", [False]),
        ({"points_last": {"at": "2026-11-22T08:00:00Z", "points": {"a": 1}}}, "last verified run (2026-11-22", [True]),
        ({}, "", [None]),
    ],
)
def test_what_the_points_are_compared_with(
    verification: dict[str, Any], compared: str, same: list[bool | None]
) -> None:
    base: dict[str, Any] = {"points": {"a": 1}, "points_before": None, "points_expected": {}, "points_last": None}
    made = points_table({**base, **verification})
    assert made
    assert compared in made["compared"]
    assert [row["same"] for row in made["rows"]] == same


def test_the_index_names_the_worst_first_and_each_host_once() -> None:
    entries = [{**digest(result), "name": f"{name}-1", "host": f"host {name}"} for name, result in SAMPLES.items()]
    entries.append({**entries[0], "name": "older", "started": "2026-11-01T00:00:00Z"})
    read = Reader(index_page(entries, templates=TEXTS))
    assert_harmless(read)
    hosts = [word for word in read.words if word.startswith("host ")]
    assert hosts[-1] == hosts[len(SAMPLES) - 1 - hosts[len(SAMPLES) - 1 :: -1].index(hosts[-1])] == "host unlocked"
    assert hosts.index("host held") < hosts.index("host data_differs") < hosts.index("host check")
    assert "1 earlier run" in read.text
    hrefs = [anchor["href"] for anchor in read.named("a")]
    assert hrefs[-1] == "older.html"
    assert len(hrefs) == len(SAMPLES) + 1


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_index_does_nothing(text: str) -> None:
    entry = {**poisoned(digest(SAMPLES["held"]), text), "name": text, "host": text, "outcome": text, "tone": "bad"}
    read = Reader(index_page([entry], templates=TEXTS))
    assert_harmless(read)


def test_what_nobody_sees_is_written_out() -> None:
    assert visible("a\x00b\u202ec\nd\té\udcff") == "a\\x00b\\u202ec\nd\té\\udcff"
    assert visible(None) == ""
    assert visible(3) == 3
