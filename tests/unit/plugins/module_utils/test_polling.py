"""Polling on a clock that only sleeping moves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import (
    Clock,
    Hopeless,
    Pace,
    TimedOut,
    poll,
    utc_text,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._progress import PLACE
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock


def _reader(values: list[str]) -> Iterator[str]:
    yield from values
    while True:
        yield values[-1]


def test_ends_with_the_first_state_that_is_done() -> None:
    fake = FakeClock()
    states = _reader(["a", "b", "done", "never"])
    seen = poll(lambda: next(states), done=lambda state: state == "done", timeout=60, clock=fake.clock)
    assert (seen.value, seen.looks) == ("done", 3)
    assert seen.elapsed == pytest.approx(fake.now)


def test_looks_once_even_without_time() -> None:
    fake = FakeClock()
    assert poll(lambda: "done", done=lambda state: True, timeout=0, clock=fake.clock).looks == 1
    assert fake.sleeps == []


def test_a_wait_ends_on_a_look_at_the_deadline_itself() -> None:
    fake = FakeClock()
    with pytest.raises(TimedOut) as caught:
        poll(lambda: fake.now, done=lambda now: False, timeout=10, pace=Pace(4, 4, 1), clock=fake.clock)
    assert caught.value.observation.value == 10
    assert caught.value.observation.elapsed == 10
    assert "10 s" in str(caught.value)


def test_success_at_the_deadline_is_a_success() -> None:
    fake = FakeClock()
    seen = poll(lambda: fake.now, done=lambda now: now >= 10, timeout=10, pace=Pace(4, 4, 1), clock=fake.clock)
    assert seen.value == 10


def test_a_hopeless_state_ends_the_wait_at_once() -> None:
    fake = FakeClock()
    states = _reader(["a", "broken"])
    with pytest.raises(Hopeless, match="it broke") as caught:
        poll(
            lambda: next(states),
            done=lambda state: False,
            hopeless=lambda state: "it broke" if state == "broken" else None,
            timeout=600,
            clock=fake.clock,
        )
    assert caught.value.observation.looks == 2


def test_done_is_asked_before_hopeless() -> None:
    assert (
        poll(lambda: 1, done=lambda value: True, hopeless=lambda value: "no", timeout=1, clock=FakeClock().clock).value
        == 1
    )


def test_the_pace_slows_down_and_a_change_makes_it_quick_again() -> None:
    fake = FakeClock()
    states = _reader(["a", "a", "a", "b", "b", "done"])
    poll(
        lambda: next(states),
        done=lambda state: state == "done",
        fingerprint=lambda state: state,
        timeout=600,
        pace=Pace(quick=1, slow=10, growth=2),
        clock=fake.clock,
    )
    assert fake.sleeps == [1, 2, 4, 1, 1]


def test_the_pace_has_a_ceiling_and_no_overflow() -> None:
    assert Pace(quick=1, slow=10, growth=2).after(10_000) == 10


def test_the_real_clock_moves() -> None:
    clock = Clock()
    before = clock.monotonic()
    clock.sleep(0)
    assert clock.monotonic() >= before
    assert clock.utc_text().endswith("Z")


def test_utc_text_says_the_zone() -> None:
    there = datetime(2026, 11, 23, 17, 4, 5, 678901, tzinfo=timezone(timedelta(hours=2)))
    assert utc_text(there) == "2026-11-23T15:04:05.678Z"
    assert utc_text(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000Z"


class Glitch(Exception):
    """A look that showed nothing."""

    transient = True


def test_a_look_that_fails_for_now_does_not_end_the_wait() -> None:
    clock, looks = FakeClock(), ["a", Glitch("503"), Glitch("reset"), "b"]

    def read() -> str:
        value = looks.pop(0)
        if isinstance(value, Exception):
            raise value
        return value

    found = poll(read, done=lambda value: value == "b", timeout=60, clock=clock.clock)
    assert (found.value, found.looks) == ("b", 2)


@pytest.mark.parametrize(
    ("error", "timeout", "at_most"),
    [(Glitch("for good"), 10, 10.0), (Glitch("for good"), 900, 130.0), (ValueError("x"), 900, 0.0)],
)
def test_one_that_goes_on_failing_ends_it(error: Exception, timeout: float, at_most: float) -> None:
    clock = FakeClock()

    def read() -> str:
        raise error

    with pytest.raises(type(error)):
        poll(read, done=lambda value: True, timeout=timeout, clock=clock.clock)
    assert clock.now <= at_most


class _Lost(Exception):
    transient = True


def test_whoever_watches_is_told_each_change_and_what_could_not_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "lines"
    place.touch()
    monkeypatch.setenv(PLACE, str(place))
    states = iter(["a", "a", _Lost("Could not ask."), _Lost("Could not ask."), "b", "b", "done"])

    def read() -> str:
        state = next(states)
        if isinstance(state, _Lost):
            raise state
        return state

    poll(read, done=lambda state: state == "done", tell=lambda state: state, timeout=60, clock=FakeClock().clock)
    said = [json.loads(line)["text"] for line in place.read_text().splitlines()]
    assert said == ["a", "Could not ask. Looking again.", "b", "done"]


@pytest.mark.parametrize("ending", [Hopeless, TimedOut])
def test_the_last_state_is_told_however_the_wait_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: type[Exception]
) -> None:
    place = tmp_path / "lines"
    place.touch()
    monkeypatch.setenv(PLACE, str(place))
    with pytest.raises(ending):
        poll(
            lambda: "broken",
            done=lambda state: False,
            hopeless=lambda state: "it broke" if ending is Hopeless else None,
            tell=lambda state: [state],
            timeout=3,
            clock=FakeClock().clock,
        )
    assert [json.loads(line)["text"] for line in place.read_text().splitlines()] == ["broken"]


def test_the_pace_may_depend_on_what_is_seen() -> None:
    """While the end is far, looks are far apart; when it comes near they are close."""
    fake = FakeClock()
    poll(
        lambda: fake.now,
        done=lambda now: now >= 12,
        timeout=60,
        pace=lambda now: Pace(5, 5) if now < 10 else Pace(1, 1),
        clock=fake.clock,
    )
    assert fake.sleeps == [5, 5, 1, 1]
