# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody else's pipeline, which sets the service's desired count in the middle of a run."""

from __future__ import annotations

from typing import Any

from sandbox import world
from sandbox.ecs import service_api
from sandbox.ecs.engine import Engine
from sandbox.ecs.errors import AwsError


def raise_count(engine: Engine, *, to: int, service: str = world.SERVICE, cluster: str = world.CLUSTER) -> None:
    """UpdateService, but not in the call log: that has the calls of the client under test."""
    wish: dict[str, Any] = {"cluster": cluster, "service": service, "desiredCount": to}
    with engine.lock:
        try:
            service_api.update(engine, world.REGION, wish)
        except AwsError as error:
            engine.trouble.append(f"raise_count of {service}: {error.message}")
    engine.wake()


__all__ = ["raise_count"]
