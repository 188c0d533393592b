# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""maxResults and nextToken, as the List operations of ECS have them."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from sandbox.ecs.errors import invalid_parameter

_MARK = "after:"


def page(
    items: Sequence[str], *, max_results: int | None, token: str | None, default: int = 100
) -> tuple[list[str], str | None]:
    """One page of `items` and the token of the next; the token names the last item, so that new ones do no harm."""
    size = default if max_results is None else max_results
    if not 1 <= size <= 100:
        raise invalid_parameter("maxResults should be between 1 and 100")
    start = 0
    if token:
        start = _position(items, token)
    chosen = list(items[start : start + size])
    more = start + size < len(items)
    return chosen, _token(chosen[-1]) if more and chosen else None


def _token(last: str) -> str:
    return base64.urlsafe_b64encode(f"{_MARK}{last}".encode()).decode()


def _position(items: Sequence[str], token: str) -> int:
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode()
    except ValueError:
        text = ""
    if not text.startswith(_MARK):
        raise invalid_parameter("Invalid token")
    last = text.removeprefix(_MARK)
    if last in items:
        return list(items).index(last) + 1
    return next((n for n, item in enumerate(items) if item > last), len(items))


__all__ = ["page"]
