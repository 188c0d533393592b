# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a task once: never twice for the same run id, and never silent about what ECS refused.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws, snake
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.definitions import (
    find_definition,
    tag_list,
    without_environment,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed, error_code
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.guard import Guard
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.reasons import reason_for
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.shapes import conform, input_shape, joined, nearest
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import describe, list_arns, short_id
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.wait import WaitFor, wait_for_tasks
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._progress import say

__all__ = ["OneOff", "client_token", "presentable_task", "run_and_wait", "run_once", "started_by"]

_STARTED_BY_LIMIT = 128
_TOKEN_LIMIT = 64
_OVERRIDES_LIMIT = 8192
_HASH_LENGTH = 16
_LONGEST_PAUSE = 15.0
# A pause too short for a float to be added to the clock would never come to its deadline.
_SHORTEST_PAUSE = 0.01


@dataclass(frozen=True)
class OneOff:
    """One task to run, in AWS's words; `overrides` as the user wrote it (camelCase or snake_case)."""

    cluster: str
    task_definition: str
    network: Mapping[str, Any] | None = None
    launch_type: str | None = None
    capacity_provider_strategy: Sequence[Mapping[str, Any]] = ()
    platform_version: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    run_id: str | None = None
    tags: Mapping[str, Any] = field(default_factory=dict)
    propagate_tags: str | None = None
    enable_ecs_managed_tags: bool = False
    group: str | None = None
    count: int = 1
    capacity_timeout: float = 120
    guard: Guard | None = None


def _fitting(text: str, *, allowed: str, limit: int) -> str:
    """`text` in an alphabet and a length; where that loses something, a hash of the whole keeps it unique."""
    plain = re.sub(f"[^{allowed}]", "-", text)
    if plain == text and len(text) <= limit:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{plain[: limit - _HASH_LENGTH - 1]}-{digest}"


def started_by(run_id: str) -> str:
    """The mark by which the task of this run is found again."""
    return _fitting(run_id, allowed="A-Za-z0-9_/-", limit=_STARTED_BY_LIMIT)


def client_token(run_id: str, attempt: int = 1) -> str:
    """The token that makes RunTask start nothing twice.

    An attempt that ECS answered with failures has used its token up: the answer would be given again. So each attempt
    has its own, and the sequence is the same in every process that runs this run id.
    """
    return _fitting(run_id if attempt == 1 else f"{run_id}#{attempt}", allowed="!-~", limit=_TOKEN_LIMIT)


def presentable_task(task: Mapping[str, Any]) -> dict[str, Any]:
    """A task as modules return it: snake_case, without values of environment variables in its overrides."""
    shown = dict(task)
    if shown.get("overrides"):
        overrides = dict(shown["overrides"])
        overrides["containerOverrides"] = [without_environment(c) for c in overrides.get("containerOverrides", [])]
        shown["overrides"] = overrides
    return snake(shown)


def run_once(
    aws: Aws,
    *,
    task: OneOff,
    check: bool = False,
    clock: Clock | None = None,
    jitter: Callable[[], float] = random.random,
) -> dict[str, Any]:
    """Start the task, or find the one that this run id has started already. Raises OperationFailed.

    Returns changed, task_arn, tasks, reattached, failures, started_by, and notes for the user.
    """
    definition = find_definition(aws, name=task.task_definition)
    notes = []
    if definition is None:
        missing = f"the task definition {task.task_definition} does not exist"
        if not check:
            raise OperationFailed(
                f"Could not run a task in cluster {task.cluster}: {missing}. Check its name and revision "
                "(aws ecs list-task-definitions), or register it first (wwhd.qdrant_ops.ecs_task_definition)."
            )
        notes.append(f"{missing}; outside of check mode the run fails unless an earlier task registers it")
    parameters = _parameters(aws, task, definition)
    mark = started_by(task.run_id) if task.run_id else None
    found = _already_started(aws, task, mark, definition) if mark else []
    if found:
        return _answer(found, mark=mark, reattached=True, notes=notes)
    if check:
        _require_cluster(aws, task.cluster)
        return {**_answer([], mark=mark, reattached=False, notes=notes), "changed": True}
    return _start(aws, task, parameters, mark=mark, definition=definition, clock=clock or Clock(), jitter=jitter)


def run_and_wait(
    aws: Aws,
    *,
    task: OneOff,
    wait_timeout: float | None,
    region: str | None,
    check: bool = False,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """`run_once`, then (unless `wait_timeout` is None) wait for the end of what was started; both results in one."""
    started = run_once(aws, task=task, check=check, clock=clock)
    if wait_timeout is None or not started["tasks"]:
        return started
    arns = [str(item["task_arn"]) for item in started["tasks"]]
    spec = WaitFor(cluster=task.cluster, tasks=arns, timeout=wait_timeout)
    try:
        waited = wait_for_tasks(aws, spec=spec, region=region, clock=clock)
    except OperationFailed as error:
        shown = {name: value for name, value in started.items() if name != "notes"}
        error.details = {**shown, **error.details, "changed": started["changed"]}
        raise
    return {**started, **waited, "changed": started["changed"]}


def _answer(
    tasks: Sequence[Mapping[str, Any]],
    *,
    mark: str | None,
    reattached: bool,
    failures: Sequence[Mapping[str, Any]] = (),
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    return {
        "changed": bool(tasks) and not reattached,
        "task_arn": tasks[0]["taskArn"] if tasks else None,
        "tasks": [presentable_task(task) for task in tasks],
        "reattached": reattached,
        "failures": [snake(dict(failure)) for failure in failures],
        "started_by": mark,
        "notes": list(notes),
    }


def _parameters(aws: Aws, task: OneOff, definition: Mapping[str, Any] | None) -> dict[str, Any]:
    """RunTask's parameters but for the token; raises OperationFailed that names what is wrong with them."""
    overrides, problems = conform(dict(task.overrides), input_shape(aws, "RunTask", "overrides"), path="overrides")
    if not problems and definition is not None:
        problems = _mistakes(task, overrides, definition)
    if not problems and len(json.dumps(overrides)) > _OVERRIDES_LIMIT:
        problems = [f"overrides is longer than ECS takes ({_OVERRIDES_LIMIT} characters as JSON)"]
    if problems:
        raise OperationFailed(
            f"Could not run {task.task_definition} in cluster {task.cluster}: {'; '.join(problems)}. "
            "Correct it and run again."
        )
    optional: dict[str, Any] = {
        "networkConfiguration": {"awsvpcConfiguration": dict(task.network)} if task.network else None,
        "launchType": task.launch_type,
        "capacityProviderStrategy": [dict(item) for item in task.capacity_provider_strategy],
        "platformVersion": task.platform_version,
        "overrides": overrides,
        "tags": tag_list(task.tags),
        "propagateTags": task.propagate_tags,
        "enableECSManagedTags": task.enable_ecs_managed_tags,
        "group": task.group,
        "startedBy": started_by(task.run_id) if task.run_id else None,
    }
    return {
        "cluster": task.cluster,
        "taskDefinition": task.task_definition,
        "count": task.count,
        **{name: value for name, value in optional.items() if value},
    }


def _mistakes(task: OneOff, overrides: Mapping[str, Any], definition: Mapping[str, Any]) -> list[str]:
    """What ECS would refuse, seen in the definition."""
    problems = []
    if definition.get("status") not in (None, "ACTIVE"):
        problems.append(f"the task definition is {definition['status']}: give an active revision")
    if definition.get("networkMode") == "awsvpc" and not task.network:
        problems.append("its networkMode is awsvpc, so network_configuration must give subnets")
    known = [str(container["name"]) for container in definition.get("containerDefinitions", [])]
    for override in overrides.get("containerOverrides", []):
        name = str(override.get("name"))
        if name not in known:
            guess = nearest(name, known)
            question = f"did you mean {guess}?" if guess else f"it has: {joined(known)}"
            problems.append(f"overrides name the container {name}, which the definition does not have ({question})")
    return problems


def _require_cluster(aws: Aws, cluster: str) -> None:
    answer = aws.call("ecs", "DescribeClusters", doing=f"describe the cluster {cluster}", clusters=[cluster])
    active = [item for item in answer.get("clusters", []) if item.get("status", "ACTIVE") == "ACTIVE"]
    if not active:
        raise OperationFailed(
            f"Could not run a task: there is no active cluster {cluster}. "
            "Check its name and the region (aws ecs list-clusters)."
        )


def _already_started(aws: Aws, task: OneOff, mark: str, definition: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The tasks that this run id has started, alive or ended lately, the newest first.

    Raises OperationFailed where they are of another family: then the run id was used for something else.
    """
    family = _family(task, definition)
    try:
        arns = list_arns(aws, cluster=task.cluster, startedBy=mark)
    except OperationFailed as error:
        # Sources disagree on whether startedBy goes together with desiredStatus (facts.md A.2).
        if error.code != "InvalidParameterException":
            raise
        arns = list_arns(aws, cluster=task.cluster, family=family)
    tasks = [found for found in describe(aws, cluster=task.cluster, arns=arns).tasks if found.get("startedBy") == mark]
    other = [found for found in tasks if _family_of(str(found["taskDefinitionArn"])) != family]
    if other:
        raise OperationFailed(
            f"Could not run {task.task_definition} in cluster {task.cluster}: the run id {task.run_id} has already "
            f"started task {short_id(other[0]['taskArn'])} of {short_id(str(other[0]['taskDefinitionArn']))}. "
            "Give each kind of task of a run its own run id."
        )
    return sorted(tasks, key=lambda found: str(found.get("createdAt", "")), reverse=True)


def _family(task: OneOff, definition: Mapping[str, Any] | None) -> str:
    return str(definition["family"]) if definition else _family_of(task.task_definition)


def _family_of(name: str) -> str:
    return short_id(name).split(":", 1)[0]


def _start(
    aws: Aws,
    task: OneOff,
    parameters: Mapping[str, Any],
    *,
    mark: str | None,
    definition: Mapping[str, Any] | None,
    clock: Clock,
    jitter: Callable[[], float],
) -> dict[str, Any]:
    """Call RunTask until it starts something, it says what waiting won't cure, or `capacity_timeout` has passed."""
    start = clock.monotonic()
    # Without a run id nothing is found again by another call, but this one must not start anything twice.
    once = uuid.uuid4().hex
    attempt = 1
    looks = 0
    while True:
        looks += 1
        token = {"clientToken": client_token(task.run_id or once, attempt)}
        failures: list[dict[str, Any]] = []
        refusal: OperationFailed | None = None
        if task.guard is not None:
            # Room may come after minutes: what was looked at before the first attempt says nothing any more.
            doing = f"run {task.task_definition} in cluster {task.cluster}"
            task.guard.require(aws, doing=doing, clock=clock)
        try:
            answer = aws.call(
                "ecs",
                "RunTask",
                doing=f"run {task.task_definition} in cluster {task.cluster}",
                **{**parameters, **token},
            )
        except OperationFailed as error:
            found = _after_conflict(aws, task, error, mark=mark, definition=definition)
            if found:
                return _answer(found, mark=mark, reattached=True)
            if error.transient and mark:
                # It may have started all the same: its answer may be what was lost.
                started = _already_started(aws, task, mark, definition)
                if started:
                    return _answer(started, mark=mark, reattached=False)
            if not (error.transient or _worth_waiting(str(error))):
                raise
            refusal = error
        else:
            failures = answer.get("failures", [])
            if answer.get("tasks"):
                return _started(aws, task, answer, mark=mark)
            if not failures or not all(_worth_waiting(_failure_text(failure)) for failure in failures):
                raise _refused(task, failures)
            attempt += 1
        elapsed = clock.monotonic() - start
        if elapsed >= task.capacity_timeout:
            raise _refused(task, failures, refusal=refusal, elapsed=elapsed)
        said = "; ".join(map(_failure_text, failures)) or str(refusal)
        say(f"ECS has not started {task.task_definition} yet: {said}")
        pause = min(_LONGEST_PAUSE, 1.6 ** min(looks, 10)) * (0.5 + jitter() / 2)
        clock.sleep(min(pause, max(_SHORTEST_PAUSE, task.capacity_timeout - elapsed)))


def _started(aws: Aws, task: OneOff, answer: Mapping[str, Any], *, mark: str | None) -> dict[str, Any]:
    tasks = answer["tasks"]
    failures = answer.get("failures", [])
    # The token's own answer for tasks that have ended meanwhile has no more than ARN and state (facts.md B.1).
    replayed = any("taskDefinitionArn" not in item for item in tasks)
    if replayed:
        tasks = describe(aws, cluster=task.cluster, arns=[str(item["taskArn"]) for item in tasks]).tasks or tasks
    refused = "; ".join(_failure_text(failure) for failure in failures)
    notes = [f"{len(tasks)} of {task.count} tasks started; ECS refused: {refused}"] if failures else []
    return _answer(tasks, mark=mark, reattached=replayed, failures=failures, notes=notes)


def _after_conflict(
    aws: Aws, task: OneOff, error: OperationFailed, *, mark: str | None, definition: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """The tasks that hold the token which ECS says is taken. Somebody ran this run id between our look and our call."""
    if error.code != "ConflictException" or mark is None:
        return []
    found = _already_started(aws, task, mark, definition)
    response = getattr(error.__cause__, "response", None)
    named = response.get("resourceIds") if isinstance(response, dict) else None
    if not found and named:
        holders = describe(aws, cluster=task.cluster, arns=[str(name) for name in named]).tasks
        found = [holder for holder in holders if holder.get("startedBy") == mark]
    if not found:
        raise OperationFailed(
            f"{error} The run id {task.run_id} was used for another task, which has gone: give another run id.",
            code=error_code(error.__cause__) if error.__cause__ else error.code,
        ) from error
    return found


def _failure_text(failure: Mapping[str, Any]) -> str:
    """One entry of `failures`: reason, detail, and the resource if ECS named one."""
    words = [str(failure.get("reason", "no reason given"))]
    words += [f"({failure['detail']})"] if failure.get("detail") else []
    words += [f"for {failure['arn']}"] if failure.get("arn") else []
    return " ".join(words)


def _worth_waiting(text: str) -> bool:
    """Whether the same call may succeed a little later, because AWS has no room now."""
    row = reason_for(text)
    return row is not None and row.kind == "capacity"


def _refused(
    task: OneOff,
    failures: Sequence[Mapping[str, Any]],
    *,
    refusal: OperationFailed | None = None,
    elapsed: float | None = None,
) -> OperationFailed:
    """The error for a RunTask that started nothing."""
    said = "; ".join(_failure_text(failure) for failure in failures) or (str(refusal) if refusal else "")
    row = reason_for(said)
    sentences = [
        f"ECS started no task of {task.task_definition} in cluster {task.cluster}"
        + (f" within {elapsed:.0f} s" if elapsed is not None else "")
        + f": {said.rstrip('.') or 'it gave no reason'}.",
        row.hint if row else "Read the reason, correct it and run again." if failures else "",
        "A longer capacity_timeout waits longer." if elapsed is not None else "",
    ]
    return OperationFailed(
        " ".join(sentence for sentence in sentences if sentence),
        code=refusal.code if refusal else None,
        details={"failures": [snake(dict(failure)) for failure in failures]},
    )
