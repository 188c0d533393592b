# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pages on events and on execution environments tell their reader to type."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
HOWTO = ROOT / "docs" / "howto"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (HOWTO / page).read_text(), re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[str]:
    """Each line with a prompt, without it."""
    return [line[2:] for block in blocks(page, "console") for line in block.splitlines() if line.startswith("$ ")]


def command(page: str, start: str) -> str:
    (found,) = [line for line in commands(page) if line.startswith(start)]
    return found


def data(page: str) -> Any:
    (block,) = blocks(page, "yaml")
    return yaml.safe_load(block)
