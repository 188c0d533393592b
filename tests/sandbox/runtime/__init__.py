# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Task containers as real processes of this machine."""

from __future__ import annotations

from sandbox.runtime.container import Container
from sandbox.runtime.core import Runtime, free_port
from sandbox.runtime.images import pull_failure
from sandbox.runtime.spec import ContainerSpec, Mount, PullError, StartError

__all__ = ["Container", "ContainerSpec", "Mount", "PullError", "Runtime", "StartError", "free_port", "pull_failure"]
