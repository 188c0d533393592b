"""What a module says while it works: written where somebody listens, and never a reason to fail."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._progress import PLACE, Changes, hide_secrets, say


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "lines"
    found.touch()
    monkeypatch.setenv(PLACE, str(found))
    hide_secrets(SimpleNamespace(no_log_values=set()))
    return found


def lines(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in place.read_text().splitlines()]


def test_each_line_has_its_time_and_whether_it_is_shown_at_once(place: Path) -> None:
    before = datetime.now(UTC)
    say("task 1: PENDING")
    say("[cleaner] done", always=True)
    first, second = lines(place)
    assert (first["text"], first["always"]) == ("task 1: PENDING", False)
    assert (second["text"], second["always"]) == ("[cleaner] done", True)
    assert before <= datetime.fromisoformat(first["at"]) <= datetime.fromisoformat(second["at"]) <= datetime.now(UTC)


def test_nothing_happens_where_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PLACE, raising=False)
    monkeypatch.chdir(tmp_path)
    say("task 1: PENDING", always=True)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_has_gone_is_not_made_again(place: Path) -> None:
    place.unlink()
    say("task 1: PENDING")
    assert not place.exists()


@pytest.mark.parametrize("where", ["/dev/full", "/", "/proc/version", "bad\0name"])
def test_what_cannot_be_written_to_is_no_failure(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {PLACE: where})
    say("task 1: PENDING")


def test_any_text_is_one_line(place: Path) -> None:
    say("a\nb\udcff\x00 " + "c" * 100_000)
    (line,) = lines(place)
    assert line["text"].startswith("a\nb\udcff\x00 ccc")
    assert len(place.read_bytes()) < 4096


@pytest.mark.parametrize("wrapped", [False, True], ids=["ansible's module", "amazon.aws's module"])
def test_secrets_are_masked_as_in_the_result(place: Path, wrapped: bool) -> None:
    module = SimpleNamespace(no_log_values={"hunter2"})
    hide_secrets(SimpleNamespace(_module=module) if wrapped else module)
    say("[app] the password is hunter2")
    assert [line["text"] for line in lines(place)] == ["[app] the password is ********"]


def test_only_what_is_new_is_said() -> None:
    said: list[str] = []
    changes = Changes(said.append)
    changes(["task 1: PENDING", "task 2: PENDING"])
    changes(["task 1: RUNNING", "task 2: PENDING"])
    changes(None)
    changes(["task 1: RUNNING", "task 2: PENDING"])
    changes("2 tasks")
    changes("2 tasks")
    assert said == ["task 1: PENDING", "task 2: PENDING", "task 1: RUNNING", "2 tasks"]


def test_a_state_that_comes_back_is_said_again() -> None:
    said: list[str] = []
    changes = Changes(said.append)
    for state in ("503", "200, as wanted", "503"):
        changes(state)
    assert said == ["503", "200, as wanted", "503"]
