# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: one daemon a pytest worker, and a world that is as new for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.client import Sandbox

SPEED = 50.0


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "sandbox_service(state): whether the seeded service is 'running' (default) or 'stopped' at first"
    )


@pytest.fixture(scope="session")
def sandbox_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The worker's sandbox, in whatever state the test before left it. SANDBOX_ISOLATION chooses the isolation."""
    found = Sandbox(tmp_path_factory.mktemp("sandbox")).start(speed=SPEED, idle=900)
    yield found
    found.stop()


@pytest.fixture
def sandbox(request: pytest.FixtureRequest, sandbox_session: Sandbox) -> Sandbox:
    """The worker's sandbox with the seeded world and an empty call log."""
    marker = request.node.get_closest_marker("sandbox_service")
    sandbox_session.reset(service=marker.args[0] if marker else "running")
    return sandbox_session
