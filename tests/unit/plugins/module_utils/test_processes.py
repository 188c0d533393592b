# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of processes: they mean one of them only, also after the pid has been given to another."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils import _processes


def test_a_living_process_is_known_by_its_name_and_a_dead_one_is_not() -> None:
    here = _processes.name_of(os.getpid())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        name = _processes.name_of(child.pid)
        assert _processes.still_runs(name, here=here) is True
        child.kill()
        # Not waited for yet, it is a zombie: that does nothing any more.
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert _processes.still_runs(name, here=here) is False
    assert _processes.still_runs(name, here=here) is False
    assert _processes.begun(child.pid) is None


def test_a_pid_that_another_process_has_now_is_not_the_old_one() -> None:
    here = _processes.name_of(os.getpid())
    who, begin, place = here.split("+")
    assert _processes.still_runs(f"{who}+{int(begin) - 1}+{place}", here=here) is False


def test_a_sleep_ends_with_the_process_and_is_an_ordinary_one_after_that(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(_processes, "time", SimpleNamespace(sleep=slept.append))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        sleep = _processes.sleep_until_end_of(child.pid)
        assert sleep is not None
        sleep(0.01)
        child.kill()
        before = time.monotonic()
        sleep(60)
        assert time.monotonic() - before < 30
        # Whoever goes on to wait, because he takes it for alive, does not wait in vain for no time.
        sleep(5)
    assert slept == [5]
    assert _processes.sleep_until_end_of(child.pid) is None


def test_where_no_sleep_can_end_with_a_process_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open")
    assert _processes.sleep_until_end_of(os.getpid()) is None


@pytest.mark.parametrize("name", ["awx-job-5", "", "ann@elsewhere/1+2+aa", "nonsense/1"])
def test_what_runs_elsewhere_is_not_known(name: str) -> None:
    assert _processes.still_runs(name, here=_processes.name_of(os.getpid())) is None


def test_another_container_of_the_same_name_is_elsewhere() -> None:
    here = _processes.name_of(os.getpid())
    assert _processes.still_runs(f"{here.rsplit('+', 1)[0]}+0123abcd", here=here) is None
