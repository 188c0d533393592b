"""The controller's side of progress: what is shown, when, and that the module's work never depends on it."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible import constants
from ansible.plugins.action.normal import ActionModule as NormalAction

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._progress import BELL, PLACE, say
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils import _progress
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._bell import bell_beside
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._progress import (
    Curtain,
    Listener,
    ProgressAction,
    Said,
    held_back,
    read_line,
    readable,
)

PLUGINS = Path(__file__).resolve().parents[4] / "plugins"
NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def said(text: str, *, always: bool = False) -> Said:
    return Said(NOON, text, always)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        ("one\r\ntwo\tthree\0", "one two three"),
        ("back\x08\x08\x08space\x7f\x9b2J", "back space 2J"),
        ("right\u202eto left\u2028", "right to left"),
        ("half \udcff a character", "half   a character"),
        ("täsk ✓", "täsk ✓"),
        ("x" * 600, "x" * 499 + "…"),
    ],
)
def test_what_is_shown_is_one_harmless_line(text: str, line: str) -> None:
    assert readable(text) == line


def test_a_line_has_the_time_on_the_wall_and_the_host() -> None:
    assert said("task 1: PENDING").shown("dev\n1") == f"{NOON.astimezone():%H:%M:%S} dev 1 task 1: PENDING"


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b"null", b'{"text": "x"}', b'{"at": "soon", "text": "x"}', b'{"at": 5, "text": "x"}', b"\xff"],
)
def test_what_is_no_line_is_passed_over(line: bytes) -> None:
    assert read_line(line) is None


def test_a_line_is_read_as_it_was_said() -> None:
    line = read_line(b'{"at": "2026-11-25T12:00:00+00:00", "text": "x", "always": true}')
    assert line == said("x", always=True)


@pytest.mark.parametrize(
    ("setting", "seconds"),
    [(None, 5.0), ("", 5.0), ("0", 0.0), ("12.5", 12.5), ("off", None), (" Never ", None), ("-1", 5.0), ("nan", 5.0),
     ("inf", 5.0), ("soon", 5.0)],
)  # fmt: skip
def test_the_operators_setting(setting: str | None, seconds: float | None) -> None:
    assert held_back(setting) == seconds


# --- When ------------------------------------------------------------------------------------------------------------


def passed(*steps: tuple[float, list[Said]]) -> list[list[str]]:
    curtain = Curtain(opens=5.0)
    return [[line.text for line in curtain.pass_on(lines, now)] for now, lines in steps]


def test_states_are_held_back_and_then_shown_with_what_follows_at_once() -> None:
    assert passed(
        (1, [said("a")]), (2, [said("b")]), (4.9, []), (5, []), (6, [said("c")]), (7, []), (8, [said("d"), said("e")])
    ) == [[], [], [], ["a", "b"], ["c"], [], ["d", "e"]]


def test_what_is_held_is_shown_before_what_comes_with_the_opening() -> None:
    assert passed((1, [said("a")]), (5, [said("b"), said("c")])) == [[], ["a", "b", "c"]]


def test_a_log_line_is_shown_at_once_and_no_older_state_after_it() -> None:
    assert passed((1, [said("a"), said("log", always=True)]), (2, [said("b")]), (5, [])) == [["log"], [], ["b"]]


def test_a_quick_module_shows_no_states() -> None:
    assert passed((1, [said("a"), said("b")]), (2, [])) == [[], []]


def test_only_the_last_states_are_held() -> None:
    held = [said(str(number)) for number in range(100)]
    assert passed((1, held), (5, [])) == [[], [str(number) for number in range(80, 100)]]


# --- The thread ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    return tmp_path


def listeners() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "progress"]


def test_what_is_said_is_shown_while_the_module_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, arrived = [], threading.Event()

    def show(line: Said) -> None:
        seen.append(line.text)
        arrived.set()

    with Listener(show, after=0) as place:
        assert place is not None
        monkeypatch.setenv(PLACE, place)
        assert (Path(place).stat().st_mode & 0o777) == 0o600
        say("task 1: PENDING")
        # Sooner than by the look that is taken anyway.
        assert arrived.wait(3)
        say("task 1: RUNNING")
    assert seen == ["task 1: PENDING", "task 1: RUNNING"]
    assert list(folder.iterdir()) == []
    assert listeners() == []


def test_what_was_held_back_is_shown_when_the_time_has_come_and_nothing_more_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived = threading.Event()
    with Listener(lambda line: arrived.set(), after=0.05) as place:
        monkeypatch.setenv(PLACE, str(place))
        say("task 1: PENDING")
        assert arrived.wait(3)


def test_where_there_can_be_no_bell_one_looks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: Any) -> None:
        raise OSError

    monkeypatch.setattr(os, "mkfifo", refuse)
    arrived = threading.Event()
    with Listener(lambda line: arrived.set(), after=0) as place:
        assert [path.name for path in folder.iterdir()] == [Path(str(place)).name]
        monkeypatch.setenv(PLACE, str(place))
        say("task 1: PENDING")
        assert arrived.wait(3)
    assert list(folder.iterdir()) == []


def test_a_bell_wakes_who_waits_and_holds_up_nobody_who_rings(folder: Path) -> None:
    bell = bell_beside(str(folder / "said"))
    assert bell is not None
    assert (folder / f"said{BELL}").stat().st_mode & 0o777 == 0o600
    # More than a pipe holds.
    for _time in range(1 << 17):
        bell.ring()
    waiting = threading.Thread(target=bell.wait, args=(60,), daemon=True)
    waiting.start()
    waiting.join(3)
    assert not waiting.is_alive()
    bell.close()
    assert list(folder.iterdir()) == []


def test_a_line_that_comes_in_pieces_is_shown_once() -> None:
    seen: list[str] = []
    listener = Listener(lambda line: seen.append(line.text), after=0)
    line = b'{"at": "2026-11-25T12:00:00+00:00", "text": "m\xc3\xa4h"}\n'
    for start in range(len(line)):
        listener.take(line[start : start + 1])
    listener.take(line[:-1])
    assert seen == ["mäh"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(1)], ids=repr)
def test_whatever_ends_the_module_ends_the_thread_and_removes_the_file(folder: Path, error: BaseException) -> None:
    with pytest.raises(type(error)), Listener(lambda line: None):
        raise error
    assert list(folder.iterdir()) == []
    assert listeners() == []


def test_a_display_that_fails_does_not_fail_the_module(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = threading.Event()

    def show(line: Said) -> None:
        tried.set()
        raise BrokenPipeError

    with Listener(show, after=0) as place:
        monkeypatch.setenv(PLACE, str(place))
        say("task 1: PENDING")
        assert tried.wait(10)
    assert list(folder.iterdir()) == []


def test_without_room_for_a_file_the_module_runs_unseen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(folder / "gone"))
    with Listener(lambda line: None) as place:
        assert place is None
        assert listeners() == []


def test_listening_costs_next_to_nothing(folder: Path) -> None:
    rounds = 20
    before = time.perf_counter()
    for _round in range(rounds):
        with Listener(lambda line: None):
            pass
    assert (time.perf_counter() - before) / rounds < 0.05


# --- The action ------------------------------------------------------------------------------------------------------


def action(transport: str = "local", strategy: str = "linear", **task: Any) -> tuple[ProgressAction, SimpleNamespace]:
    facts = {"async_val": 0, "check_mode": False, "no_log": False, "environment": [{"A": "1"}], **task}
    play = SimpleNamespace(strategy="{{ strategy }}")
    found = SimpleNamespace(**facts, get_name=lambda: "Wait", get_play=lambda: play)
    made: ProgressAction = ProgressAction.__new__(ProgressAction)
    made._task, made._connection = found, SimpleNamespace(transport=transport)
    made._templar = SimpleNamespace(template={"{{ strategy }}": strategy}.__getitem__)
    return made, found


@pytest.fixture
def environments(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The environment that each run of the module's own action saw."""
    seen: list[Any] = []

    def run(self: Any, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        seen.append(self._task.environment)
        return {"changed": False, "vars": task_vars}

    monkeypatch.setattr(NormalAction, "run", run)
    monkeypatch.delenv(_progress._SETTING, raising=False)
    return seen


def test_the_module_is_told_where_and_its_task_is_left_as_it_was(folder: Path, environments: list[Any]) -> None:
    plugin, task = action()
    assert plugin.run(None, {"inventory_hostname": "dev"}) == {"changed": False, "vars": {"inventory_hostname": "dev"}}
    (first, second) = environments[0]
    assert first == {"A": "1"}
    assert Path(second[PLACE]).parent == folder
    assert task.environment == [{"A": "1"}]


@pytest.mark.parametrize(
    "unseen", [{"transport": "ssh"}, {"async_val": 60}, {"check_mode": True}, {"no_log": True}], ids=str
)
def test_what_is_not_to_be_shown_runs_as_usual(folder: Path, environments: list[Any], unseen: dict[str, Any]) -> None:
    plugin, _task = action(**unseen)
    assert plugin.run(None, {})["changed"] is False
    assert environments == [[{"A": "1"}]]


def test_the_operator_may_want_none(folder: Path, environments: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(_progress._SETTING, "off")
    plugin, _task = action()
    plugin.run(None, {})
    assert environments == [[{"A": "1"}]]


@pytest.mark.parametrize(
    ("strategy", "headed"),
    [("linear", False), ("ansible.builtin.linear", False), ("free", True), ("ansible.builtin.host_pinned", True)],
)
def test_where_hosts_go_on_their_own_a_line_says_which_task_it_is_of(
    folder: Path, monkeypatch: pytest.MonkeyPatch, strategy: str, headed: bool
) -> None:
    """Ansible says it only when there is a result."""
    shown: list[str] = []
    monkeypatch.setattr(_progress, "_banner_comes_late", lambda: False)
    monkeypatch.setattr(_progress.Display, "display", lambda _self, text, **_others: shown.append(text))
    monkeypatch.setenv(_progress._SETTING, "0")

    def run(self: Any, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        monkeypatch.setenv(PLACE, self._task.environment[-1][PLACE])
        say("task 1: PENDING")
        return {}

    monkeypatch.setattr(NormalAction, "run", run)
    plugin, _task = action(strategy=strategy)
    plugin.run(None, {"inventory_hostname": "dev"})
    assert [line.split(" ", 1)[1] for line in shown] == [*(["dev Wait:"] if headed else []), "dev task 1: PENDING"]


def test_a_task_without_an_environment(folder: Path, environments: list[Any]) -> None:
    plugin, task = action(environment=None)
    plugin.run(None, None)
    assert [list(entry) for entry in environments[0]] == [[PLACE]]
    assert task.environment is None


def test_each_action_is_a_module_that_says_so() -> None:
    names = {path.stem for path in (PLUGINS / "action").glob("*.py") if "ProgressAction" in path.read_text()}
    documented = set()
    for path in (PLUGINS / "modules").glob("*.py"):
        text = path.read_text().split('DOCUMENTATION = r"""')[1].split('"""')[0]
        if "wwhd.qdrant_ops.progress" in yaml.safe_load(text).get("extends_documentation_fragment", []):
            documented.add(path.stem)
    assert names == documented
    assert len(names) == 9
