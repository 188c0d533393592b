"""Runs a whole module through its `main()`, in this process, as Ansible would, and returns what it printed.

A module's `main` may take `clock` (a `Clock` of `_polling`), so that tests of waits take no time:
`def main(clock: Clock | None = None) -> None`.
"""

from __future__ import annotations

import contextlib
import io
import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from ansible.module_utils import _internal
from ansible.module_utils.common import warnings as ansible_warnings
from ansible.module_utils.testing import patch_module_args

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.tests.unit.recorded_aws import RecordedAws

__all__ = ["FakeClock", "Outcome", "run_module"]


class FakeClock:
    """A clock that only sleeping moves. `at(30, action)` calls `action` when 30 s have passed."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []
        self.started = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
        self._plans: list[tuple[float, Callable[[], None]]] = []

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        self._plans.append((seconds, action))

    def sleep(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError(f"asked to sleep {seconds} s")
        self.sleeps.append(seconds)
        self.now += seconds
        due = sorted((plan for plan in self._plans if plan[0] <= self.now), key=lambda plan: plan[0])
        self._plans = [plan for plan in self._plans if plan[0] > self.now]
        for _moment, action in due:
            action()

    @property
    def clock(self) -> Clock:
        return Clock(
            monotonic=lambda: self.now,
            sleep=self.sleep,
            utcnow=lambda: self.started + timedelta(seconds=self.now),
        )


@dataclass(frozen=True)
class Outcome:
    """What a module printed, and how it ended."""

    result: dict[str, Any]
    code: int
    warnings: list[Any] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return self.code != 0 or bool(self.result.get("failed"))

    @property
    def msg(self) -> str:
        return str(self.result.get("msg", ""))

    @property
    def changed(self) -> bool:
        return bool(self.result.get("changed"))


@contextlib.contextmanager
def _heard() -> Iterator[None]:
    """With Ctrl-C heard, also where a shell has the tests ignore it, as `make test &` in a script does."""
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if not ignored or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_module(
    main: Callable[..., None],
    args: Mapping[str, Any] | None = None,
    *,
    aws: RecordedAws | None = None,
    clock: FakeClock | Clock | None = None,
    check: bool = False,
    diff: bool = False,
) -> Outcome:
    """Call `main` with these arguments; the connection options come from `aws` unless the arguments have their own.

    botocore's retries are off, because they really sleep; a test of them gives its own `aws_config`.
    """
    given: dict[str, Any] = {"_ansible_check_mode": check, "_ansible_diff": diff}
    if aws is not None:
        given |= {
            "region": "us-west-2",
            "access_key": "AKIATESTTESTTESTTEST",
            "secret_key": "not-a-real-secret-key",
            "endpoint_url": aws.url,
            "aws_config": {"retries": {"mode": "standard", "total_max_attempts": 1}},
        }
    given |= dict(args or {})
    keywords: dict[str, Any] = {}
    if clock is not None:
        keywords["clock"] = clock.clock if isinstance(clock, FakeClock) else clock
    printed = io.StringIO()
    code = 0
    # A module's own process is no controller: there, warnings are part of the result instead of the terminal's.
    ansible_warnings._global_warnings.clear()
    module_process = mock.patch.object(_internal, "is_controller", False)
    with patch_module_args(given), module_process, contextlib.redirect_stdout(printed), _heard():
        try:
            main(**keywords)
        except SystemExit as ended:
            code = int(ended.code or 0)
        else:
            raise AssertionError("main() returned without exit_json or fail_json")
    result: dict[str, Any] = json.loads(printed.getvalue().strip().splitlines()[-1])
    return Outcome(result, code, result.get("warnings", []))
