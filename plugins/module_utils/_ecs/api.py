# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One place through which every AWS call of the collection goes: clients, retries, paging, error sentences.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

try:
    from botocore import xform_name
    from botocore.config import Config
except ImportError:  # AnsibleAWSModule reports the missing library before a client is asked for
    pass

from ansible.module_utils.common.dict_transformations import camel_dict_to_snake_dict
from ansible_collections.amazon.aws.plugins.module_utils.tagging import boto3_tag_list_to_ansible_dict

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import (
    OperationFailed,
    botocore_errors,
    from_botocore,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.throttled import wait_for_its_turn
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._progress import hide_secrets
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._shared import shared_by

if TYPE_CHECKING:
    from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

__all__ = ["Aws", "batches", "run", "snake"]

T = TypeVar("T")

# botocore's standard mode knows ECS's ThrottlingException, lost connections and 5xx, which amazon.aws's AWSRetry does
# not (style.md, pitfall 2), and keeps RunTask's client token over its retries. Connecting is given up soon: a laptop
# without a route to AWS should say so in seconds. A call that AWS throttles is made again for longer than these
# (_ecs/throttled.py). `aws_config` of the module overrides all of it.
_RETRIES = {"mode": "standard", "total_max_attempts": 6}
_CONNECT_TIMEOUT = 5
_READ_TIMEOUT = 60

# Values under these keys are the user's own words: their keys are never renamed.
_VERBATIM = ["tags", "options", "dockerLabels", "docker_labels", "environment"]


class Aws:
    """The AWS clients of one module run, by name of the service (`ecs`, `logs`, `elbv2`, ...)."""

    def __init__(self, module: AnsibleAWSModule) -> None:
        self._module = module
        # What this module reads together with those of other hosts; None where it runs alone.
        self.shared = shared_by(module.params)
        # What it looks at alone nevertheless, by name (_ecs/together.py).
        self.alone: set[str] = set()
        self._clients: dict[tuple[str, bool], Any] = {}

    def client(self, service: str, *, once: bool = False) -> Any:
        """The botocore client itself, for what `call` can't do. `once`: one that never repeats a call by itself."""
        if (service, once) not in self._clients:
            retries = {**_RETRIES, "total_max_attempts": 1} if once else _RETRIES
            config = Config(retries=retries, connect_timeout=_CONNECT_TIMEOUT, read_timeout=_READ_TIMEOUT)
            with self._without_retries() if once else contextlib.nullcontext():
                self._clients[service, once] = client = self._module.client(service, config=config)
            if "retries" not in (self._module.params.get("aws_config") or {}):
                client.meta.events.register("needs-retry", wait_for_its_turn)
        return self._clients[service, once]

    @contextlib.contextmanager
    def _without_retries(self) -> Iterator[None]:
        """amazon.aws lays the user's `aws_config` over ours: its retries must not make a call twice either."""
        given = self._module.params.get("aws_config")
        if given:
            self._module.params["aws_config"] = {key: value for key, value in given.items() if key != "retries"}
        try:
            yield
        finally:
            if given:
                self._module.params["aws_config"] = given

    def call(self, api: str, operation: str, /, *, doing: str, **params: Any) -> dict[str, Any]:
        """Make one call and return its answer as botocore gives it (camelCase).

        `api` is botocore's name (`ecs`), `operation` AWS's (`DescribeTasks`); `doing` reads after "Could not" and names
        cluster, service, ARNs. Raises OperationFailed. ECS tells absence in the answer's `failures`, with HTTP 200:
        that is the caller's to read.
        """
        return self._call(self.client(api), api, operation, doing=doing, params=params)

    def call_once(self, api: str, operation: str, /, *, doing: str, **params: Any) -> dict[str, Any]:
        """`call`, for what does something each time that it arrives: where the answer is lost, botocore would send it
        again, and the caller must look first what came of it (_ecs/exactly_once.py)."""
        return self._call(self.client(api, once=True), api, operation, doing=doing, params=params)

    def _call(self, client: Any, api: str, operation: str, *, doing: str, params: dict[str, Any]) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(client, xform_name(operation))(**params)
        except botocore_errors() as error:
            raise from_botocore(error, doing=doing, action=f"{_iam_prefix(api)}:{operation}") from error
        return answer

    def pages(self, api: str, operation: str, /, *, doing: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Every page of an operation that botocore can page."""
        try:
            paginator = self.client(api).get_paginator(xform_name(operation))
            yield from paginator.paginate(**params)
        except botocore_errors() as error:
            raise from_botocore(error, doing=doing, action=f"{_iam_prefix(api)}:{operation}") from error


def _iam_prefix(service: str) -> str:
    return {"elbv2": "elasticloadbalancing", "efs": "elasticfilesystem"}.get(service, service)


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """`items` in runs of at most `size`; nothing for an empty sequence, so that no empty list is ever described."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def snake(thing: dict[str, Any]) -> dict[str, Any]:
    """An AWS answer in snake_case, as amazon.aws returns it; a list of tags becomes a dict. Copies, never mutates."""
    copy = dict(thing)
    if isinstance(copy.get("tags"), list):
        copy["tags"] = boto3_tag_list_to_ansible_dict(copy["tags"])
    result: dict[str, Any] = camel_dict_to_snake_dict(copy, ignore_list=_VERBATIM)
    return result


def run(module: AnsibleAWSModule, work: Callable[[], dict[str, Any]]) -> None:
    """The body of every `main()`: do the work, and turn the one exception into the one way to fail."""
    hide_secrets(module)
    try:
        result = work()
    except OperationFailed as error:
        details = {key: value for key, value in error.details.items() if value is not None}
        module.fail_json(msg=str(error), **details)
    else:
        module.exit_json(**result)
