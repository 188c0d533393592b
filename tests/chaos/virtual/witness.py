# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sees everything that happens to the store, and notes what must never happen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from chaos.virtual.containers import CleanerContainer, StoreContainer, VirtualRuntime
from chaos.virtual.files import fingerprint, may_be_removed
from chaos.virtual.locks import Locks

from sandbox.clock import Clock
from sandbox.runtime.images import resolve

# A look at the service right before RunTask cannot see what is younger than this.
UNSEEN_SECONDS = 5.0


def _version(container: StoreContainer) -> tuple[int, ...]:
    return tuple(int(part) for part in resolve(container.spec.image).version.split("."))


@dataclass
class Witness:
    """`operator_acts` is whether the service's latest wish for tasks was an operator's, not a pipeline's or an alarm's;
    `wished_at` is when it was made."""

    clock: Clock
    locks: Locks
    runtime: VirtualRuntime | None = None
    operator_acts: bool = False
    wished_at: float = 0.0
    broken: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    cleaners: int = 0
    stores: int = 0
    foreign_overlaps: int = 0
    downgrade_meant: bool = False
    _stores: list[StoreContainer] = field(default_factory=list)

    def note(self, sentence: str) -> None:
        text = f"at {self.clock.now():.1f} s: {sentence}"
        if text not in self.broken:
            self.broken.append(text)

    def store_started(self, container: StoreContainer) -> None:
        assert self.runtime is not None
        self.stores += 1
        newest = max((_version(one) for one in self._stores if one.locks), default=())
        if _version(container) < newest and not self.downgrade_meant:
            self.note(f"a Qdrant {container.spec.image} was started on a store that a newer one had opened")
        self._stores.append(container)
        others = [one for one in self.runtime.stores() if one.folder == container.folder and one.locks]
        cleaners = [one for one in self.runtime.cleaners() if one.folder == container.folder and not one.inspects]
        if others and self.operator_acts:
            self.note(f"a second store was started by an operator beside a live one ({container.spec.task_id})")
        if cleaners and self.operator_acts:
            self.note(f"a store was started by an operator beside a live cleaner ({container.spec.task_id})")
        self.foreign_overlaps += bool((others or cleaners) and not self.operator_acts)

    def cleaner_started(self, container: CleanerContainer) -> None:
        assert self.runtime is not None
        if container.inspects:
            return
        self.cleaners += 1
        others = [one for one in self.runtime.cleaners() if one.folder == container.folder and not one.inspects]
        if others:
            self.note(f"a second cleaner was started beside a live one ({container.spec.task_id})")

    def cleaner_ordered(self, folder_tasks: list[str]) -> None:
        """RunTask has been accepted; `folder_tasks` are the live tasks of the service at that moment."""
        if folder_tasks and (self.operator_acts or self.clock.now() - self.wished_at > UNSEEN_SECONDS):
            self.note(f"a cleaner was ordered while tasks of the service lived: {', '.join(folder_tasks)}")

    def cleaner_works(self, container: CleanerContainer, work: Callable[[], None]) -> None:
        assert self.runtime is not None
        stores = [one for one in self.runtime.stores() if one.folder == container.folder and one.locks]
        if stores and self.operator_acts and not container.inspects:
            self.note("a cleaner worked beside a live store")
        before = fingerprint(container.folder)
        held = [lock for lock in self.locks.held() if lock.path.is_relative_to(container.folder) and lock.in_place]
        work()
        after = fingerprint(container.folder)
        for lock in held:
            if not lock.in_place and not container.deletes_held:
                self.note(f"the cleaner removed {lock.path.name}, which somebody held")
        for name in before.keys() | after.keys():
            if name not in after and may_be_removed(name) and not container.inspects:
                self.removed.append(name)
            elif before.get(name) != after.get(name):
                self.note(f"the cleaner changed {name}")


__all__ = ["UNSEEN_SECONDS", "Witness"]
