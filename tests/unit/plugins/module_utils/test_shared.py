"""What the modules of one run read once for all: never older than what each would have read itself."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils import _shared
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._shared import PLACE, Shared, shared_by
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock

SECONDS = 20


class Reader:
    """Gives 1, 2, 3, … and remembers what it was given; `meanwhile` happens while it reads."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.before: list[Any] = []
        self._meanwhile = meanwhile

    def __call__(self, before: Any = None) -> int:
        self.before.append(before)
        self._meanwhile()
        return len(self.before)


class One:
    """A module's share in a folder, with a clock of the test's."""

    def __init__(self, given: Shared, clock: FakeClock) -> None:
        self._given, self._clock = given, clock.clock

    def look(self, name: str, read: Callable[[Any], Any]) -> Any:
        return self._given.look(name, read, clock=self._clock)

    def once(self, name: str, read: Callable[[], Any]) -> Any:
        return self._given.once(name, read, clock=self._clock)


def shared(folder: Path, clock: FakeClock, identity: str = "me") -> One:
    return One(Shared(folder, identity=identity), clock)


def test_a_look_counts_only_for_whoever_asked_before_it_began(tmp_path: Path) -> None:
    clock, reader = FakeClock(), Reader()
    assert [shared(tmp_path, clock).look("tasks", reader) for _time in range(3)] == [1, 2, 3]


def test_who_asks_while_somebody_looks_does_not_take_that_look(tmp_path: Path) -> None:
    """It began before: what happened between is not in it."""
    clock, second, got = FakeClock(), Reader(), []
    first = Reader(meanwhile=lambda: got.append(shared(tmp_path, clock).look("tasks", second)))
    assert shared(tmp_path, clock).look("tasks", first) == 1
    assert got == [1]
    assert second.before == [None]


def test_many_processes_that_ask_at_once_look_once_or_twice(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready, looks = context.Barrier(12), context.Value("i", 0)
    asked, began = context.Array("d", 12), context.Queue()

    def host(number: int) -> None:
        clock = Clock()

        def read(_before: object) -> float:
            with looks.get_lock():
                looks.value += 1
            return clock.monotonic()

        ready.wait(SECONDS)
        asked[number] = clock.monotonic()
        began.put((number, Shared(tmp_path, identity="me").look("tasks", read, clock=clock)))

    hosts = [context.Process(target=host, args=(number,)) for number in range(12)]
    for process in hosts:
        process.start()
    seen = [began.get(timeout=SECONDS) for _host in hosts]
    for process in hosts:
        process.join(SECONDS)
    assert all(when > asked[number] for number, when in seen)
    assert 1 <= looks.value <= 3, looks.value


def test_looks_of_all_together_begin_a_second_apart(tmp_path: Path) -> None:
    clock, reader = FakeClock(), Reader()
    for _time in range(4):
        shared(tmp_path, clock).look("tasks", reader)
    assert clock.now == pytest.approx(3 * _shared._APART, abs=0.5)


def test_the_next_look_is_given_what_the_one_before_saw(tmp_path: Path) -> None:
    clock, reader = FakeClock(), Reader()
    for _time in range(3):
        shared(tmp_path, clock).look("tasks", reader)
    assert reader.before == [None, 1, 2]


def test_what_fails_fails_for_whoever_looked_and_the_next_one_looks_again(tmp_path: Path) -> None:
    clock = FakeClock()

    def refuse(_before: object) -> int:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        shared(tmp_path, clock).look("tasks", refuse)
    assert shared(tmp_path, clock).look("tasks", Reader()) == 1


def test_what_never_changes_is_read_once(tmp_path: Path) -> None:
    clock, reader = FakeClock(), Reader()
    assert [shared(tmp_path, clock).once("definition", reader) for _time in range(3)] == [1, 1, 1]
    assert shared(tmp_path, clock).once("another", reader) == 2


def test_others_share_nothing_with_me(tmp_path: Path) -> None:
    clock, reader = FakeClock(), Reader()
    assert [shared(tmp_path, clock, name).once("definition", reader) for name in ("me", "you", "me")] == [1, 2, 1]


@pytest.mark.parametrize("damage", ["half", "empty", "foreign", "read only"])
def test_whatever_is_wrong_with_the_folder_one_reads_for_oneself(tmp_path: Path, damage: str) -> None:
    clock, reader = FakeClock(), Reader()
    shared(tmp_path, clock).once("definition", reader)
    (kept,) = [path for path in tmp_path.iterdir() if path.suffix != ".lock"]
    if damage == "read only":
        (tmp_path / "gone").mkdir()
        assert shared(tmp_path / "gone" / "further", clock).once("definition", reader) == 2
        assert shared(tmp_path / "gone" / "further", clock).look("tasks", reader) == 3
        return
    kept.write_bytes({"half": kept.read_bytes()[:-3], "empty": b"", "foreign": b"12345678no pickle"}[damage])
    assert shared(tmp_path, clock).once("definition", reader) == 2
    assert shared(tmp_path, clock).once("definition", reader) == 2


def test_nobody_waits_for_ever_for_a_process_that_hangs_with_the_lock(tmp_path: Path) -> None:
    clock, reader = FakeClock(), Reader()
    one = shared(tmp_path, clock)
    one.once("definition", reader)
    (lock,) = tmp_path.glob("*.lock")
    for path in tmp_path.iterdir():
        if path != lock:
            path.unlink()
    descriptor = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert one.once("definition", reader) == 2
    finally:
        os.close(descriptor)
    assert _shared._LONGEST <= clock.now < _shared._LONGEST + 5


def test_a_reader_never_sees_half_of_a_look(tmp_path: Path) -> None:
    path, stop = tmp_path / "kept", threading.Event()
    values = [["x" * 200_000], ["y" * 300_000]]

    def write() -> None:
        while not stop.is_set():
            for value in values:
                _shared._store(path, 1.0, value)

    writer = threading.Thread(target=write)
    _shared._store(path, 1.0, values[0])
    writer.start()
    try:
        seen = [_shared._load(path) for _time in range(300)]
    finally:
        stop.set()
        writer.join(SECONDS)
    assert all(kept is not None and kept[1] in values for kept in seen)


@pytest.mark.parametrize(
    ("change", "environment", "same"),
    [
        ({}, {}, True),
        ({"cluster": "other"}, {}, True),
        ({"region": "eu-west-1"}, {}, False),
        ({"access_key": "AKIAOTHER"}, {}, False),
        ({"session_token": "t"}, {}, False),
        ({"profile": "p"}, {}, False),
        ({}, {"AWS_PROFILE": "p"}, False),
        ({}, {"PATH": "/bin"}, True),
    ],
)
def test_only_who_asks_the_same_as_the_same_shares(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], environment: dict[str, str], same: bool
) -> None:
    given = {"region": "us-west-2", "access_key": "AKIA", "secret_key": "s", "cluster": "one"}
    monkeypatch.setenv(PLACE, str(tmp_path))
    reader = Reader()
    first = shared_by(given)
    assert first
    One(first, FakeClock()).once("definition", reader)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    second = shared_by({**given, **change})
    assert second
    assert One(second, FakeClock()).once("definition", reader) == (1 if same else 2)
    assert not any("AKIA" in path.name for path in tmp_path.iterdir())


def test_a_run_for_one_host_shares_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PLACE, raising=False)
    assert shared_by({}) is None
    monkeypatch.setenv(PLACE, str(tmp_path / "gone"))
    assert shared_by({}) is None


def test_what_is_kept_is_for_its_user_alone(tmp_path: Path) -> None:
    shared(tmp_path, FakeClock()).once("definition", Reader())
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
