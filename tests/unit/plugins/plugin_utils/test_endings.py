"""A signal that ends a process waits for a thread that holds what other processes need."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._endings import endings_wait_for
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._progress import Listener, Said

SECONDS = 20
LINE = b'{"at": "2026-11-25T12:00:00+00:00", "text": "task 1: PENDING"}\n'


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def die(number: int, _frame: object) -> None:
    """As Ansible's worker does when it is told to end."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def worker(queues_lock: Any, held: int, let_go: int) -> None:
    """A worker whose module says something, and whose listener keeps the queue's lock until it is told to let go."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, die)

    def show(_said: Said) -> None:
        with queues_lock:
            os.write(held, b"1")
            os.read(let_go, 1)

    with Listener(show, after=0) as place:
        assert place is not None
        Path(place).write_bytes(LINE)
        threading.Event().wait(SECONDS)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_no_worker_dies_with_the_lock_of_all_in_its_hands(number: signal.Signals) -> None:
    context = multiprocessing.get_context("fork")
    queues_lock, held, let_go = context.Lock(), os.pipe(), os.pipe()
    process = context.Process(target=worker, args=(queues_lock, held[1], let_go[0]))
    process.start()
    assert os.read(held[0], 1)
    assert process.pid
    os.kill(process.pid, number)
    process.join(0.2)  # time in which it would die too early
    os.write(let_go[1], b"1")
    process.join(SECONDS)
    for end in (*held, *let_go):
        os.close(end)
    assert process.exitcode == -number
    assert queues_lock.acquire(timeout=1), "the lock stayed with the dead"


def test_a_write_that_does_not_end_holds_up_no_ending() -> None:
    got: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: got.append(number))
    lock = threading.Lock()
    with lock, endings_wait_for(lock, longest=0.01):
        signal.raise_signal(signal.SIGTERM)
        assert got == [signal.SIGTERM]
        assert lock.locked()


def test_what_a_handler_raises_is_raised_and_the_lock_is_free_again() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    lock = threading.Lock()
    with pytest.raises(KeyboardInterrupt), endings_wait_for(lock):
        signal.raise_signal(signal.SIGINT)
    assert not lock.locked()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL], ids=["ignored", "default"])
def test_a_signal_without_a_handler_stays_as_it_is(handler: signal.Handlers) -> None:
    signal.signal(signal.SIGTERM, handler)
    with endings_wait_for(threading.Lock()):
        assert signal.getsignal(signal.SIGTERM) is handler


def test_in_another_thread_nothing_is_changed() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def other() -> None:
        with endings_wait_for(threading.Lock()):
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join(SECONDS)
    assert seen == [before]
