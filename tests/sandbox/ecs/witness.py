# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who used the file systems beside whom, and what a cleaner did there: a witness that no client can fool.

It is told of each start, each end and each signal by those that do them, under the engine's lock.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sandbox.ecs.model import ContainerRun, Task
from sandbox.runtime import Container, PullError, resolve
from sandbox.runtime.descriptors import OpenFile, open_files
from sandbox.store import StaleLock, held
from sandbox.store.snapshot import Snapshot, differences, named_as_lock, snapshot

if TYPE_CHECKING:
    from sandbox.ecs.engine import Engine


@dataclass
class _Use:
    """A container's process on the folders that it mounts; `mounts` are (folder, path inside, whether it may write)."""

    process: Container
    mounts: list[tuple[Path, Path, bool]]

    @property
    def writes(self) -> bool:
        return any(writes for _folder, _target, writes in self.mounts)

    def meets(self, other: _Use) -> bool:
        return any(
            one.is_relative_to(two) or two.is_relative_to(one)
            for one, _target, _writes in self.mounts
            for two, _target, _writes in other.mounts
        )


@dataclass
class _Seen:
    """A task of which a process was started."""

    id: str
    role: str
    family: str
    group: str
    began: float = 0.0
    uses: list[_Use] = field(default_factory=list)
    started: float | None = None
    ended: float | None = None

    def live(self) -> list[_Use]:
        return [] if self.ended is not None else [use for use in self.uses if use.process.alive]

    def named(self) -> dict[str, Any]:
        return {"task": self.id, "role": self.role, "family": self.family}


@dataclass
class _Span:
    """From right before a cleaner's first process to right after its last."""

    cleaner: _Seen
    roots: set[Path]
    before: dict[Path, Snapshot] = field(default_factory=dict)
    unjudged: str = ""
    closed: bool = False
    changed: dict[str, str] = field(default_factory=dict)
    vanished: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class _Kept:
    """A lock that a task held when a cleaner began; `handle` keeps its inode, to be looked at when the task is gone."""

    handle: int
    path: str
    holder: _Seen
    use: _Use


class Witness:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._root = engine.cloud.efs_root.resolve()
        self._seen: dict[str, _Seen] = {}
        self._spans: list[_Span] = []
        self._overlaps: list[dict[str, Any]] = []
        self._removed: dict[tuple[str, str], dict[str, Any]] = {}
        self._stale: list[StaleLock] = []
        self._kept: list[_Kept] = []

    def clear(self) -> None:
        for lock in self._kept:
            os.close(lock.handle)
        for store in (self._seen, self._spans, self._overlaps, self._removed, self._stale, self._kept):
            store.clear()

    def watch(self, locks: Iterable[StaleLock]) -> None:
        """Locks that the file server keeps for a client that died."""
        self._stale += locks

    def starting(self, task: Task) -> None:
        """Before a task's first process."""
        self._settle()
        seen = _Seen(task.id, self._role(task), task.definition.family, task.group)
        self._seen[task.id] = seen
        mounts = [mount for run in task.containers for mount in _mounts(task, run)]
        roots = {self._file_system(folder) for folder, _target, _writes in mounts} - {None}
        if any(writes for _folder, _target, writes in mounts):
            for span in self._spans:
                if not span.closed and span.roots & roots:
                    span.unjudged = span.unjudged or f"task {task.id} ({seen.role}) started beside it"
        if seen.role == "cleaner":
            self._open(seen, {root for root in roots if root is not None})
        seen.began = self._engine.clock.wall()

    def started(self, task: Task, run: ContainerRun) -> None:
        """Right after a container's process was started."""
        seen = self._seen[task.id]
        assert run.process is not None
        use = _Use(run.process, _mounts(task, run))
        seen.uses.append(use)
        # From before the launch: a process may have ended before this is reached.
        seen.started = seen.began
        beside = [
            other.named() | {"writes": any(found.writes for found in met)}
            for other in self._seen.values()
            if other is not seen and (met := [found for found in other.live() if found.meets(use)])
        ]
        if not beside:
            return
        known = next((entry for entry in self._overlaps if entry["started"]["task"] == seen.id), None)
        if known is None:
            known = {"started": seen.named() | {"writes": False}, "beside": [], "at": self._engine.clock.wall()}
            self._overlaps.append(known)
        known["started"]["writes"] |= use.writes
        met_before = {entry["task"] for entry in known["beside"]}
        known["beside"] += [entry for entry in beside if entry["task"] not in met_before]

    def signalled(self, task: Task) -> None:
        """Right before a task's processes are told to end: afterwards nobody could see what they held."""
        seen = self._seen.get(task.id)
        if seen is not None and seen.ended is None:
            self._look_at([seen])

    def ended(self, task: Task) -> None:
        """When it was noticed that a process of the task has ended, or that none could be started."""
        seen = self._seen.get(task.id)
        if seen is not None:
            if not seen.uses:
                seen.ended = seen.ended or self._engine.clock.wall()
            self._settle()

    def report(self) -> dict[str, Any]:
        self._settle()
        self._look_at(self._seen.values())
        self._look_at_stale()
        cleaners = [
            span.cleaner.named() | {
                "started": span.cleaner.started, "ended": span.cleaner.ended,
                "judged": None if not span.closed else not span.unjudged, "unjudged": span.unjudged,
                "changed": span.changed, "vanished": span.vanished, "snapshot_seconds": round(span.seconds, 4),
            }
            for span in self._spans
        ]  # fmt: skip
        return {
            "tasks": [
                seen.named() | {"group": seen.group, "started": seen.started, "ended": seen.ended}
                for seen in self._seen.values()
            ],
            "overlaps": self._overlaps,
            "removed_while_held": list(self._removed.values()),
            "cleaners": cleaners,
            "changed_by_cleaner": [
                {"task": span.cleaner.id, "path": path, "how": how}
                for span in self._spans for path, how in span.changed.items()
            ],
            "vanished": [path for span in self._spans for path in span.vanished],
        }  # fmt: skip

    def _role(self, task: Task) -> str:
        if task.definition.family.startswith(self._engine.settings.cleaner_family):
            return "cleaner"
        return "store" if any(_is_store(run) for run in task.containers) else "other"

    def _file_system(self, folder: Path) -> Path | None:
        inside = folder.is_relative_to(self._root) and folder != self._root
        return self._root / folder.relative_to(self._root).parts[0] if inside else None

    def _told(self, path: Path) -> str:
        return str(path.relative_to(self._root)) if path.is_relative_to(self._root) else str(path)

    def _settle(self) -> None:
        """Takes note of every end there was, also of one that the scheduler has not seen yet."""
        for seen in self._seen.values():
            if seen.ended is None and seen.uses and not seen.live():
                # The time that the kernel told whoever waited for it; now, if that thread has not come to it yet.
                seen.ended = max(use.process.ended_at or self._engine.clock.wall() for use in seen.uses)
        for span in self._spans:
            if not span.closed and span.cleaner.ended is not None:
                self._close(span)
        # By the container: another one of the same task may live on.
        for lock in [lock for lock in self._kept if lock.use.process.ended_at is not None]:
            self._judge(lock)
            os.close(lock.handle)
            self._kept.remove(lock)

    def _open(self, cleaner: _Seen, roots: set[Path]) -> None:
        span = _Span(cleaner, roots)
        began = time.monotonic()
        others = [seen for seen in self._seen.values() if seen is not cleaner and seen.live()]
        writers = [seen for seen in others if any(use.writes and self._uses(use, roots) for use in seen.live())]
        if writers:
            span.unjudged = f"task {writers[0].id} ({writers[0].role}) was there before it"
        else:
            span.before = {root: snapshot(root) for root in roots}
        self._keep([
            (seen, use) for seen in others if seen.role != "cleaner" for use in seen.live() if self._reaches(roots, use)
        ])  # fmt: skip
        span.seconds = time.monotonic() - began
        self._spans.append(span)

    def _uses(self, use: _Use, roots: set[Path]) -> bool:
        return any(self._file_system(folder) in roots for folder, _target, _writes in use.mounts)

    def _reaches(self, roots: set[Path], use: _Use) -> bool:
        """Whether a cleaner on these file systems can remove a file of that use. Without namespaces it sees all."""
        return self._engine.runtime.isolation != "namespace" or self._uses(use, roots)

    def _keep(self, uses: Iterable[tuple[_Seen, _Use]]) -> None:
        links: dict[Path, tuple[OpenFile, _Seen, _Use]] = {}
        for seen, use in uses:
            files = {found.inode: found for found in open_files(use.process.pid) if named_as_lock(found.path.name)}
            links |= {found.link: (found, seen, use) for found in files.values() if found.links}
        # All in one: each look at locks is a process.
        for link in held(links):
            found, seen, use = links[link]
            try:
                handle = os.open(link, os.O_PATH)
            except FileNotFoundError:
                # It let go between the two looks, and nothing has been removed yet.
                continue
            self._kept.append(_Kept(handle, self._told(_on_host(found, use)), seen, use))

    def _judge(self, lock: _Kept) -> None:
        status = os.fstat(lock.handle)
        ended = lock.use.process.ended_at
        # Nothing else happens to an inode without a name: its change time is when it lost it.
        if status.st_nlink == 0 and (lock.use.process.alive or (ended is not None and status.st_ctime < ended)):
            self._note(lock.path, lock.holder.id, lock.holder.named(), status.st_ctime)

    def _close(self, span: _Span) -> None:
        began = time.monotonic()
        span.closed = True
        if not span.unjudged:
            for root, before in span.before.items():
                for path, how in sorted(differences(before, snapshot(root)).items()):
                    name = self._told(root / path) + ("/" if path.endswith("/") else "")
                    if not named_as_lock(Path(path).name) or path.endswith("/"):
                        span.changed[name] = how
                    if how == "removed" and not path.endswith("/"):
                        span.vanished.append(name)
        self._look_at(
            seen for seen in self._seen.values() if any(self._reaches(span.roots, use) for use in seen.live())
        )
        self._look_at_stale()
        span.seconds += time.monotonic() - began

    def _look_at(self, tasks: Iterable[_Seen]) -> None:
        for seen in tasks:
            if seen.role == "cleaner":
                # Its own probe has the lock of each file that it removes.
                continue
            for use in seen.live():
                self._look_at_use(seen, use)
        for lock in self._kept:
            self._judge(lock)

    def _look_at_use(self, seen: _Seen, use: _Use) -> None:
        if not any(self._file_system(folder) for folder, _target, _writes in use.mounts):
            return
        lost = {
            found.link: found
            for found in open_files(use.process.pid)
            if not found.links and named_as_lock(found.path.name)
        }
        for link in held(lost):
            self._note(self._told(_on_host(lost[link], use)), seen.id, seen.named(), link.stat().st_ctime)

    def _look_at_stale(self) -> None:
        for lock in self._stale:
            at = lock.removed_at()
            if at is not None:
                holder = {"task": None, "role": "stale", "family": None, "pid": lock.pid}
                self._note(self._told(lock.path.resolve()), str(lock.pid), holder, at)

    def _note(self, path: str, key: str, holder: dict[str, Any], at: float) -> None:
        self._removed.setdefault((path, key), {"path": path, "holder": holder, "at": at})


def _is_store(run: ContainerRun) -> bool:
    try:
        return resolve(str(run.definition["image"])).kind == "qdrant"
    except PullError:
        return False


def _mounts(task: Task, run: ContainerRun) -> list[tuple[Path, Path, bool]]:
    return list(_each_mount(task, run))


def _each_mount(task: Task, run: ContainerRun) -> Iterator[tuple[Path, Path, bool]]:
    for mount in run.definition["mountPoints"]:
        folder = task.folders[mount["sourceVolume"]].resolve()
        yield folder, Path(mount["containerPath"]), not mount.get("readOnly", False)


def _on_host(found: OpenFile, use: _Use) -> Path:
    """The kernel tells names inside a container's mounts as the container has them."""
    for folder, target, _writes in sorted(use.mounts, key=lambda mount: len(mount[1].parts), reverse=True):
        if found.path.is_relative_to(target):
            return folder / found.path.relative_to(target)
    return found.path


__all__ = ["Witness"]
