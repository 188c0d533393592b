# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task asks of the data plane: one container, its mounts and its ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class PullError(Exception):
    """The image cannot be had; the text is the one AWS puts into ``stoppedReason``."""


class StartError(Exception):
    """The image is there, its command is not; the text is AWS's ``CannotStartContainerError``."""


@dataclass(frozen=True)
class Mount:
    """A folder of the host at an absolute path of the container."""

    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class ContainerSpec:
    """One container of one task. ``ports`` maps container port to host port on 127.0.0.1."""

    task_id: str
    name: str
    image: str
    entry_point: tuple[str, ...]
    command: tuple[str, ...]
    environment: Mapping[str, str]
    mounts: tuple[Mount, ...]
    ports: Mapping[int, int]


__all__ = ["ContainerSpec", "Mount", "PullError", "StartError"]
