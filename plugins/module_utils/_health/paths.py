# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths into parsed JSON: how they are written, and what they lead to.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Union

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed

__all__ = ["EACH", "Found", "Path", "find", "parse_path"]


class _Each:
    """The step `[*]`: every item of a list, every value of a mapping."""

    def __repr__(self) -> str:
        return "[*]"


EACH = _Each()
Path = tuple[Union[str, int, _Each], ...]

# A step of a path: a bare name, [3], [*], or ["any name"].
_STEP = re.compile(
    r"""(?P<dot>\.)?(?:(?P<name>[^.\[\]"']+)|\[(?P<index>\d+)\]|\[(?P<each>\*)\]"""
    r"""|\[(?P<quote>["'])(?P<quoted>.+?)(?P=quote)\])"""
)


def parse_path(text: str, *, option: str = "json") -> Path:
    """`a.b[0]["c.d"]` as ("a", "b", 0, "c.d"); `$` is the whole document. Raises OperationFailed."""
    rest = text[1:] if text.startswith("$") else text
    steps: list[str | int | _Each] = []
    position = 0
    while position < len(rest):
        step = _STEP.match(rest, position)
        # A dot belongs between two steps and before a bare name only.
        dot_expected = bool(step and step.group("name") and (steps or rest is not text))
        if not step or bool(step.group("dot")) != dot_expected:
            raise OperationFailed(f"{option}: {text!r} is not a path at {rest[position:]!r}: write it as a.b[0].c.")
        position = step.end()
        steps.append(_step(step))
    if not text:
        raise OperationFailed(f"{option}: an empty path: write it as a.b[0].c, or $ for the whole document.")
    return tuple(steps)


def _step(found: re.Match[str]) -> str | int | _Each:
    if found.group("each"):
        return EACH
    return int(found.group("index")) if found.group("index") else found.group("name") or found.group("quoted")


@dataclass(frozen=True)
class Found:
    """What a path leads to: `text` is the path with the place of each item in it, `there` whether there is one."""

    text: str
    there: bool
    value: Any


def find(document: Any, path: Path, text: str) -> Iterator[Found]:
    """Every value that a path leads to; a single one that is not there if it leads nowhere."""
    value = document
    for position, step in enumerate(path):
        if isinstance(step, _Each):
            items = _items(value)
            if not items:
                break
            for place, item in items:
                yield from find(item, path[position + 1 :], text.replace("[*]", place, 1))
            return
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                break
        elif not isinstance(value, dict) or step not in value:
            break
        value = value[step]
    else:
        yield Found(text, True, value)
        return
    yield Found(text, False, None)


def _items(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, list):
        return [(f"[{number}]", item) for number, item in enumerate(value)]
    if isinstance(value, dict):
        return [(f"[{json.dumps(name, ensure_ascii=False)}]", item) for name, item in value.items()]
    return []
