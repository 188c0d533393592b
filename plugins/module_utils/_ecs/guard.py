# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must still be so right before a step that cannot be taken back: the service is this run's, and nobody else is on
its file system.

Private to wwhd.qdrant_ops. ecs_run_oneoff looks before each RunTask, ecs_wait_task while the task starts and runs, and
ecs_service_redeploy before UpdateService.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.mounts import ALL_CLUSTERS, find_mounts, is_own
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import Expected, find_service, name_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import short_id
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

__all__ = ["ARGUMENT_SPEC", "Guard", "foreign_text", "guard_of", "refuse"]

# The `guard` option of a module; doc_fragments/guard.py describes it.
ARGUMENT_SPEC: dict[str, Any] = {
    "type": "dict",
    "options": {
        "cluster": {"type": "str"},
        "service": {"type": "str"},
        "tags": {"type": "dict", "default": {}},
        "desired_count": {"type": "int"},
        "file_system_id": {"type": "str"},
        "clusters": {"type": "list", "elements": "str", "default": []},
        "not_mounting": {"type": "list", "elements": "str", "default": []},
        "own": {"type": "str"},
    },
    "required_one_of": [("service", "file_system_id")],
}
_TASKS_NAMED = 5


def foreign_text(tasks: Iterable[Mapping[str, Any]], *, file_system_id: str, own: str | None) -> str | None:
    """A sentence about the live tasks, as find_mounts gives them, that are not of the run `own`; None if all are."""
    foreign = [task for task in tasks if task.get("live") and not is_own(task.get("started_by"), own)]
    if not foreign:
        return None
    names = ", ".join(
        f"{short_id(str(task['task_arn']))} ({task.get('group') or task.get('family')},"
        f" {task.get('last_status')}, cluster {task.get('cluster')})"
        for task in foreign[:_TASKS_NAMED]
    )
    more = f" and {len(foreign) - _TASKS_NAMED} more" if len(foreign) > _TASKS_NAMED else ""
    return (
        f"Other live tasks mount the file system {file_system_id}: {names}{more}. They may hold locks or write to the"
        " store: stop them (aws ecs stop-task, or their service's desired count), then run this again."
    )


@dataclass(frozen=True)
class Guard:
    """`own` is how the `startedBy` of this run's own tasks begins: they do not count as somebody else's."""

    cluster: str
    service: str | None = None
    expected: Expected = field(default_factory=Expected)
    file_system_id: str | None = None
    clusters: Sequence[str] = ()
    not_mounting: Sequence[str] = ()
    own: str | None = None
    # A guard is looked at again and again, mostly at the same tasks.
    _definitions: dict[str, Mapping[str, Any] | None] = field(default_factory=dict, repr=False, compare=False)
    _over: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False, compare=False)

    def lists(self, cluster: str) -> bool:
        """Whether a whole look lists every task of `cluster`."""
        looked_at = set(map(name_of, self.clusters or [self.cluster]))
        return bool(self.file_system_id) and bool(looked_at & {ALL_CLUSTERS, name_of(cluster)})

    def violation(
        self,
        aws: Aws,
        *,
        service_only: bool = False,
        clock: Clock,
        apart: Collection[str] = (),
        seen: Mapping[str, Any] | None = None,
        listed: MutableMapping[str, list[dict[str, Any]]] | None = None,
    ) -> str | None:
        """Everything that is no longer so, in sentences; None if all is. Raises OperationFailed if it can't be told.

        `service_only` leaves out who mounts the file system, where there is a service to look at. `apart` are ARNs of
        tasks of this run, which the caller looks at itself. `seen` is the service as the caller's last call has shown
        it. `listed` is given all tasks that were looked at, by the name of their cluster.
        """
        found = []
        if self.service:
            service = seen or find_service(aws, cluster=self.cluster, service=self.service)
            wrong = self.expected.differences(service)
            if service.get("status") != "ACTIVE":
                wrong.append(f"it is {service.get('status')}")
            if wrong:
                found.append(
                    f"Service {self.service} in cluster {self.cluster} is not as this run left it: {'; '.join(wrong)}."
                    " Somebody else changed it meanwhile: find out who (CloudTrail, or the service's events), then run"
                    " this again."
                )
        if self.file_system_id and not (service_only and self.service):
            mounts = find_mounts(
                aws,
                file_system_id=self.file_system_id,
                clusters=self.clusters or [self.cluster],
                definitions=self._definitions,
                not_mounting=self.not_mounting,
                live_only=True,
                own=self.own,
                over=self._over,
                apart=apart,
                listed=listed,
                clock=clock,
            )
            found.append(foreign_text(mounts["tasks"], file_system_id=self.file_system_id, own=self.own) or "")
        return " ".join(filter(None, found)) or None

    def require(self, aws: Aws, *, doing: str, clock: Clock, seen: Mapping[str, Any] | None = None) -> None:
        """Raises OperationFailed if anything is no longer so. `seen`: see `violation`."""
        refuse(self.violation(aws, clock=clock, seen=seen), doing=doing)


def refuse(wrong: str | None, *, doing: str) -> None:
    """Raises OperationFailed if a look at a guard has found anything."""
    if wrong:
        raise OperationFailed(f"Did not {doing}: {wrong}", details={"guard": wrong})


def guard_of(given: Mapping[str, Any] | None, *, cluster: str) -> Guard | None:
    """A module's `guard` option, read; the module's own cluster is the service's unless the option names another."""
    if not given:
        return None
    return Guard(
        cluster=given.get("cluster") or cluster,
        service=given.get("service"),
        expected=Expected(
            tags={str(key): str(value) for key, value in (given.get("tags") or {}).items()},
            desired_count=given.get("desired_count"),
        ),
        file_system_id=given.get("file_system_id"),
        clusters=list(given.get("clusters") or []),
        not_mounting=list(given.get("not_mounting") or []),
        own=given.get("own"),
    )
