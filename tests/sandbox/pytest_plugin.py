# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: one daemon a pytest worker, and a world that is as new for each test. Calls are held against docs/iam."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.client import CHECKOUT, Sandbox
from sandbox.permissions import LEDGER

SPEED = 50.0
_INTEGRATION = CHECKOUT / "tests" / "integration"
_UNUSED = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "sandbox_service(state): whether the seeded service is 'running' (default) or 'stopped' at first"
    )
    config.addinivalue_line(
        "markers",
        "outside_iam(why): this test's modules are no part of our playbooks, so docs/iam is not theirs",
    )


class _Watched(Sandbox):
    """A sandbox whose log is read before it is emptied."""

    def reset(self, **options: Any) -> dict[str, Any]:
        LEDGER.harvest()
        answer = super().reset(**options)
        LEDGER.rewind()
        return answer


@pytest.fixture(scope="session")
def sandbox_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The worker's sandbox, in whatever state the test before left it. SANDBOX_ISOLATION chooses the isolation."""
    found = _Watched(tmp_path_factory.mktemp("sandbox")).start(speed=SPEED, idle=900)
    yield found
    found.stop()


@pytest.fixture
def sandbox(request: pytest.FixtureRequest, sandbox_session: Sandbox) -> Iterator[Sandbox]:
    """The worker's sandbox with the seeded world and an empty call log. A call that docs/iam lacks fails it."""
    marker = request.node.get_closest_marker("sandbox_service")
    sandbox_session.reset(service=marker.args[0] if marker else "running")
    if request.node.get_closest_marker("outside_iam"):
        yield sandbox_session
        return
    LEDGER.watch(sandbox_session)
    yield sandbox_session
    faults = LEDGER.close()
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """On xdist's controller: a worker has ended."""
    LEDGER.add(getattr(node, "workeroutput", {}).get("iam_used", {}))


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["iam_used"] = LEDGER.as_data()
    elif _is_whole(session):
        unused = LEDGER.unused()
        session.config.stash[_UNUSED] = unused
        if unused:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for sentence in config.stash.get(_UNUSED, []):
        terminalreporter.write_line(f"FAILED {sentence}", red=True)


def _is_whole(session: pytest.Session) -> bool:
    """Whether every integration test was selected and passed: only then does a call that is missing mean something."""
    options = session.config.option
    narrowed = any(
        getattr(options, name, None)
        for name in ("keyword", "markexpr", "lf", "deselect", "ignore", "ignore_glob", "collectonly", "stepwise")
    )
    given = [Path(session.config.invocation_params.dir, name).resolve() for name in session.config.args]
    whole = any(path == _INTEGRATION or path in _INTEGRATION.parents for path in given)
    return whole and not narrowed and session.testsfailed == 0 and session.testscollected > 0
