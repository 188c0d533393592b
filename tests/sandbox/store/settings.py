# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server process of the sandbox is told by its environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Settings(NamedTuple):
    """``ports`` maps container ports to host ports; ``speed`` divides AWS seconds."""

    root: Path
    ports: Mapping[int, int]
    speed: float
    version: tuple[int, ...]
    mounts: tuple[str, ...]
    load_seconds: float
    api_key: str
    graceful: bool

    def port(self, inside: int) -> int:
        """The host port of a container port; 0 (any free one) if the task definition maps none."""
        return self.ports.get(inside, 0)


def read(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process; ValueError for a number that is none."""
    environment = os.environ if environment is None else environment
    pairs = [pair.split("=") for pair in environment.get("SANDBOX_PORTS", "").split(",") if pair]
    speed = float(environment.get("SANDBOX_SPEED", "1"))
    return Settings(
        root=Path(environment.get("SANDBOX_ROOT", "/")),
        ports={int(inside): int(outside) for inside, outside in pairs},
        speed=speed,
        version=tuple(int(part) for part in (environment.get("SANDBOX_VERSION") or "1.15.1").split(".")),
        mounts=tuple(one for one in environment.get("SANDBOX_MOUNTS", "").split(":") if one),
        load_seconds=float(environment.get("SANDBOX_LOAD_SECONDS", "4")) / speed,
        api_key=environment.get("QDRANT__SERVICE__API_KEY", ""),
        graceful=environment.get("SANDBOX_SIGTERM", "entrypoint") == "flush",
    )


__all__ = ["Settings", "read"]
