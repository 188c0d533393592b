# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules do around their one call: refuse bad arguments in sentences, and say when they began and how long.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.module_utils.common.warnings import warn

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

__all__ = ["below", "hide_environment", "refuse", "timed", "warn_of"]

_HIDDEN = "(hidden)"


def below(minimum: int, **given: float | None) -> list[str]:
    """A sentence for each argument that is below `minimum`."""
    return [
        f"{name} must be {minimum} or more, not {value}."
        for name, value in given.items()
        if value is not None and value < minimum
    ]


def refuse(problems: Mapping[str, bool] | Iterable[str]) -> None:
    """Raise OperationFailed with every sentence (of a mapping: whose condition holds), before anything is done."""
    found = [p for p, holds in problems.items() if holds] if isinstance(problems, Mapping) else list(problems)
    if found:
        raise OperationFailed(f"Nothing was done: {' '.join(found)}", details={"problems": found})


def timed(work: Callable[[], dict[str, Any]], *, clock: Clock | None = None) -> dict[str, Any]:
    """The result of `work` with `started_at` (UTC text) and `elapsed` (seconds); also beside an error's message."""
    clock = clock or Clock()
    started_at = clock.utc_text()
    start = clock.monotonic()

    def stamp(result: dict[str, Any]) -> dict[str, Any]:
        return {**result, "started_at": started_at, "elapsed": round(clock.monotonic() - start, 3)}

    try:
        return stamp(work())
    except OperationFailed as error:
        error.details = stamp(error.details)
        raise


def warn_of(notes: Iterable[str]) -> None:
    """Warn of each note. amazon.aws's own `module.warn` makes ansible-core 2.19 print a deprecation beside it."""
    for note in notes:
        warn(note)


def hide_environment(value: Any) -> Any:
    """A copy of a definition or of overrides, as the user wrote it, without the values of environment variables.

    Those of the options of log drivers other than awslogs, which may be tokens, are left out too. For the record of a
    module's arguments, which Ansible prints with -vvv and may log.
    """
    if isinstance(value, Mapping):
        driver = value.get("logDriver") or value.get("log_driver") or "awslogs"
        return {key: _hide_member(str(key), item, foreign=driver != "awslogs") for key, item in value.items()}
    return [hide_environment(item) for item in value] if isinstance(value, list) else value


def _hide_member(key: str, item: Any, *, foreign: bool) -> Any:
    if key == "environment" and isinstance(item, list):
        return [_hide_value(pair) for pair in item]
    if key == "options" and foreign and isinstance(item, Mapping):
        return dict.fromkeys(item, _HIDDEN)
    return hide_environment(item)


def _hide_value(pair: Any) -> Any:
    return {**pair, "value": _HIDDEN} if isinstance(pair, Mapping) and "value" in pair else pair
