# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The blocks of the documentation's pages: commands that a reader types, files that a reader copies, output."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
VERSION = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block, and the page that it stands on."""

    page: str
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """Each with what it goes on with on further lines, and without a comment."""
        text = self.text.replace("\\\n", " ")
        lines = [line[2:] for line in text.splitlines() if line.startswith("$ ")]
        return [" ".join(re.split(r"\s+#\s", line)[0].split()) for line in lines]


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(*languages: str, page: str | None = None) -> list[Block]:
    """In the order of the pages, and as they stand there."""
    return [
        Block(path.relative_to(ROOT).as_posix(), language, text)
        for path in pages()
        if page is None or path == ROOT / page
        for language, text in FENCE.findall(path.read_text())
        if language in languages
    ]


def anywhere(command: str) -> str:
    """The command for the sandbox's environment and any version: those that it is not today are not recognised."""
    command = command.replace(f"-{VERSION}.tar.gz", "-VERSION.tar.gz")
    return re.sub(r"\b(env|confirm)=[\w-]+", r"\1=local", command)


def folded(text: str) -> str:
    """Without what differs from run to run (ids, numbers, remarks in brackets) or with the width of a line."""
    text = re.sub(r"\b(?:wwhd|my)-backend( \(|\.)(?:dev|prod|local)\b", r"wwhd-backend\1local", text)
    text = re.sub(r"\s+", " ", text.replace("'", "").replace(" (local)", " local"))
    text = re.sub(r" \([^()]{,100}\)", "", text)
    return re.sub(r"\b[0-9a-f]{8,}\b|\d+(?:\.\d+)?", "#", text).strip()
