# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last log lines of tasks that have ended, for an operator to read.

Private to wwhd.qdrant_ops. Reads from the end backwards: a container's last words are what says why it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.definitions import describe_definition
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.logs import streams_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import task_view

__all__ = ["newest_first", "tail", "with_tails"]

# CloudWatch may answer empty pages though more events follow (facts.md H); a tail is not worth more calls than this.
_PAGES = 4
# How a container ends that ECS takes down because another one of its task has ended: well, killed, or told to.
_TAKEN_DOWN = frozenset({0, 137, 143})
_BEGINNING = datetime.fromtimestamp(0, tz=timezone.utc)


def newest_first(tasks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tasks as DescribeTasks gives them, in the reverse order of their creation."""
    return sorted(tasks, key=lambda task: task.get("createdAt") or _BEGINNING, reverse=True)


def tail(aws: Aws, *, group: str, stream: str, lines: int) -> list[str]:
    """The last lines of a stream, at most `lines`. A stream that does not exist has no output yet: an empty list."""
    if lines <= 0:
        return []
    token: dict[str, str] = {}
    for _page in range(_PAGES):
        try:
            answer = aws.call(
                "logs",
                "GetLogEvents",
                doing=f"read the log stream {stream} in {group}",
                logGroupName=group,
                logStreamName=stream,
                startFromHead=False,
                limit=lines,
                **token,
            )
        except OperationFailed as error:
            if error.code == "ResourceNotFoundException":
                break
            raise
        found = [str(event.get("message", "")).rstrip("\n") for event in answer.get("events", [])]
        following = answer.get("nextBackwardToken")
        # A page that has lines has the last ones, which are what a tail is for: only an empty one may hide some.
        if found or not following or following == token.get("nextToken"):
            return found[-lines:]
        token = {"nextToken": following}
    return []


def with_tails(
    aws: Aws,
    *,
    tasks: list[dict[str, Any]],
    newest: int,
    lines: int,
    definitions: dict[str, Any] | None = None,
    tells_all: Callable[[list[str]], bool] = lambda lines: False,
) -> list[dict[str, Any]]:
    """The views of `tasks`; the first `newest` of them with `logs` in each container that logs to CloudWatch.

    Where a container has ended by itself, and `tells_all` finds the whole reason in its last lines, the logs of those
    that were merely taken down are not read, neither of its task nor of older ones. Who fails is not always who is at
    fault: without such lines all are read, and those of whoever ended by itself before always are.
    Logs explain a failure and must not become one: where they can't be read, `logs` holds one line that says so.
    """
    definitions = {} if definitions is None else definitions
    views = []
    told = False
    for position, task in enumerate(tasks):
        view = task_view(task)
        if position < newest:
            told = _add_tails(
                aws, view=view, task=task, lines=lines, definitions=definitions, tells_all=tells_all, told=told
            )
        views.append(view)
    return views


def _ended_by_itself(container: Mapping[str, Any]) -> bool:
    return container["exit_code"] is not None and container["exit_code"] not in _TAKEN_DOWN


def _add_tails(
    aws: Aws,
    *,
    view: dict[str, Any],
    task: Mapping[str, Any],
    lines: int,
    definitions: dict[str, Any],
    tells_all: Callable[[list[str]], bool],
    told: bool,
) -> bool:
    """Whether all is told now. `told`: it was before."""
    arn = str(task.get("taskDefinitionArn"))
    try:
        if arn not in definitions:
            definitions[arn] = describe_definition(aws, name=arn)
    except OperationFailed:
        return told
    region = str(aws.client("logs").meta.region_name)
    readers = streams_of(
        definitions[arn], task_arn=str(task["taskArn"]), region=region, containers=task.get("containers", [])
    )
    for container in sorted(view["containers"], key=_ended_by_itself, reverse=True):
        reader = readers.get(container["name"])
        if reader is None or (told and not _ended_by_itself(container)):
            continue
        try:
            container["logs"] = (
                [f"({reader.note})"]
                if reader.note
                else tail(aws, group=reader.group, stream=reader.stream, lines=lines)
            )
        except OperationFailed as error:
            container["logs"] = [f"({error})"]
        told = told or (_ended_by_itself(container) and tells_all(container["logs"]))
    return told
