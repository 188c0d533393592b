# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder for reports: a page and a JSON file a run, the counts to compare the next run with, and the index.

Private to wwhd.qdrant_ops. Every file is whole at any moment, and several hosts, also of several playbooks, may write
at the same time.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._files import holding, write_whole
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.ending import interrupted
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.result import digest
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._report.page import index_page, report_page

__all__ = ["write_report"]

# As many as an index is readable with. Their pages stay where they are.
_LISTED = 500
_LOCK_SECONDS = 10.0


def write_report(
    folder: Path, *, name: str, host: str, result: Mapping[str, Any], templates: Mapping[str, str], clock: Clock
) -> None:
    """Write `<name>.json` and `<name>.html`, and the index anew. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_run(folder, name=name, host=host, result=result, templates=templates)
    verification = result["verification"]
    # A run that ends with the service stopped has counted before: that is what the one which starts it compares with.
    suffix = {"unlocked": "", "stopped": "_before"}.get(result["outcome"])
    points = None if suffix is None else verification[f"points{suffix}"]
    if points is not None:
        kept = {"at": verification[f"counted{suffix}_at"], "points": points}
        _write(folder / f"{host}-last-verified.json", json.dumps(kept))
    with _alone(folder / ".index.lock", clock):
        entries = {entry["name"]: entry for entry in _read_index(folder)}
        entries[name] = _entry(name, host, result)
        listed = sorted(entries.values(), key=lambda entry: str(entry.get("started") or ""))[-_LISTED:]
        listed = [_settled(folder, entry, templates) for entry in listed if (folder / f"{entry['name']}.html").exists()]
        _write(folder / "index.json", json.dumps(listed, indent=1))
        _write(folder / "index.html", index_page(listed, templates=templates))


def _write_run(folder: Path, *, name: str, host: str, result: Mapping[str, Any], templates: Mapping[str, str]) -> None:
    _write(folder / f"{name}.json", json.dumps(result, indent=4, sort_keys=True) + "\n")
    _write(folder / f"{name}.html", report_page(result, host=host, templates=templates))


def _entry(name: str, host: str, result: Mapping[str, Any]) -> dict[str, Any]:
    return {**digest(result), "name": name, "host": host, "interrupted": result.get("interrupted")}


def _settled(folder: Path, entry: dict[str, Any], templates: Mapping[str, str]) -> dict[str, Any]:
    """The entry of a run that never came to its end, with what its watchdog has said since then."""
    said_at = folder / Path(str(entry.get("interrupted") or "")).name
    if entry["outcome"] != "unfinished" or not said_at.is_file():
        return entry
    name, host = str(entry["name"]), str(entry["host"])
    try:
        result = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return entry
    told = interrupted(result, said_at.read_text(encoding="utf-8", errors="replace").splitlines())
    _write_run(folder, name=name, host=host, result=told, templates=templates)
    return _entry(name, host, told)


def _read_index(folder: Path) -> list[dict[str, Any]]:
    """What the index has listed so far; nothing if somebody has made something else of it."""
    try:
        found = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    listed = found if isinstance(found, list) else []
    return [entry for entry in listed if isinstance(entry, dict) and {"name", "host", "outcome", "tone"} <= set(entry)]


def _write(path: Path, text: str) -> None:
    write_whole(path, text.encode("utf-8", errors="backslashreplace"))


@contextlib.contextmanager
def _alone(path: Path, clock: Clock) -> Iterator[None]:
    """One at a time; whoever holds this needs a moment only."""
    with holding(path, until=clock.monotonic() + _LOCK_SECONDS, clock=clock) as held:
        if not held:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        yield
