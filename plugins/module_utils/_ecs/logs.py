# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's whole output, read from CloudWatch Logs from its head to its end.

Private to wwhd.qdrant_ops. Logs explain an end; they never decide it (facts.md H): what can't be read becomes a note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import short_id
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock, Pace, TimedOut, poll

__all__ = ["LogReader", "drain", "streams_of"]

# A cleaner prints a line a file; beyond this many the newest lines are what is kept.
_MOST_LINES = 50_000
_QUIET_FOR = 1.5
# How long to wait for lines that were printed but not delivered yet. Where the caller knows the last line, there
# certainly is something to wait for, and the wait ends with it.
_DRAIN_TIMEOUT = 10.0
_DRAIN_TIMEOUT_FOR_KNOWN_END = 30.0
_DRAIN_PACE = Pace(quick=0.3, slow=1.0)


@dataclass
class LogReader:
    """One container's stream, read onwards from where the last read ended. `lines` grows; `on_line` gets each once.

    `note` says what is not in `lines`, and why. `failing` says that the last read failed and the next one may not,
    `closed` that reading on is of no use.
    """

    container: str
    group: str
    stream: str
    lines: list[str] = field(default_factory=list)
    note: str | None = None
    closed: bool = False
    failing: bool = False
    on_line: Callable[[str], None] = lambda line: None
    _token: str | None = None
    _dropped: int = 0

    def read(self, aws: Aws, *, pages: int | None = None, until: str | None = None) -> bool:
        """Fetch what is new; whether there was anything. A stream that does not exist yet has no output yet.

        Reading ends with a line that contains `until`. With `pages`, at most so many, each asked for once: what a look
        beside a wait may cost.
        """
        grown = False
        asked = 0
        while not self.closed and (pages is None or asked < pages):
            known = self._token
            asked += 1
            try:
                answer = (aws.call if pages is None else aws.call_once)(
                    "logs",
                    "GetLogEvents",
                    doing=f"read the log stream {self.stream} of the log group {self.group}",
                    logGroupName=self.group,
                    logStreamName=self.stream,
                    startFromHead=True,
                    **({"nextToken": known} if known else {}),
                )
            except OperationFailed as error:
                if error.code != "ResourceNotFoundException":
                    # The token has not moved: what a throttled or lost call did not bring, the next one brings.
                    self.note, self.failing, self.closed = str(error), error.transient, not error.transient
                break
            events = answer.get("events", [])
            grown = grown or bool(events)
            self._take([str(event.get("message", "")).rstrip("\n") for event in events])
            self._token = answer.get("nextForwardToken") or known
            # The end is told by the same token coming back, not by an empty page.
            if self._token == known or (until and self.has(until)):
                break
        return grown

    def _take(self, new: list[str]) -> None:
        self.lines.extend(new)
        self.failing = False
        surplus = len(self.lines) - _MOST_LINES
        if surplus > 0:
            del self.lines[:surplus]
            self._dropped += surplus
        self.note = (
            f"container {self.container} printed more than {_MOST_LINES} lines: the newest are here, the first "
            f"{self._dropped} are not (log group {self.group}, stream {self.stream})"
            if self._dropped
            else None
        )
        for line in new:
            self.on_line(line)

    def has(self, text: str) -> bool:
        return any(text in line for line in reversed(self.lines))


def streams_of(
    definition: Mapping[str, Any],
    *,
    task_arn: str,
    region: str | None,
    containers: Iterable[Mapping[str, Any]] = (),
) -> dict[str, LogReader]:
    """Container name to the reader of its stream, for the containers that log to CloudWatch by awslogs.

    ECS names the stream `<prefix>/<container>/<task id>`. Without a prefix, which Fargate does not allow, Docker names
    it by its own id of the container: `containers`, as DescribeTasks gives them, have that once they have begun.
    """
    ids = {container.get("name"): container.get("runtimeId") for container in containers}
    readers: dict[str, LogReader] = {}
    for container in definition.get("containerDefinitions", []):
        configuration = container.get("logConfiguration") or {}
        options = configuration.get("options") or {}
        prefix = options.get("awslogs-stream-prefix")
        name = str(container["name"])
        stream = f"{prefix}/{name}/{short_id(task_arn)}" if prefix else ids.get(name)
        if configuration.get("logDriver") != "awslogs" or not options.get("awslogs-group") or not stream:
            continue
        reader = LogReader(name, str(options["awslogs-group"]), stream)
        there = options.get("awslogs-region")
        if there and region and there != region:
            reader.note = f"the log of container {name} is in {there}; read it there: {reader.group} {reader.stream}"
            reader.closed = True
        readers[name] = reader
    return readers


def drain(
    aws: Aws,
    *,
    readers: Sequence[LogReader],
    others: Sequence[LogReader] = (),
    log_end: str | None,
    expected: bool,
    clock: Clock,
) -> bool:
    """Read until nothing more is to come; whether that is certain enough to be called complete.

    `expected` says that the containers ran to a success: with `log_end`, their last line is then worth a longer wait.
    `others` have ended too and are read until they are quiet, but they may have printed nothing, and decide nothing.
    """
    everyone = [*readers, *others]
    news = dict.fromkeys(range(len(everyone)), clock.monotonic())
    pending = set(news)

    def settled(index: int) -> bool:
        reader = everyone[index]
        if reader.closed:
            return True
        awaited = index < len(readers)
        if awaited and log_end:
            return reader.has(log_end)
        return (bool(reader.lines) or not awaited) and clock.monotonic() - news[index] >= _QUIET_FOR

    def look() -> bool:
        for index in sorted(pending):
            # What could not be asked is not quiet.
            if everyone[index].read(aws, until=log_end if index < len(readers) else None) or everyone[index].failing:
                news[index] = clock.monotonic()
        pending.difference_update([index for index in pending if settled(index)])
        return not pending

    try:
        poll(
            look,
            done=bool,
            timeout=_DRAIN_TIMEOUT_FOR_KNOWN_END if log_end and expected else _DRAIN_TIMEOUT,
            pace=_DRAIN_PACE,
            clock=clock,
        )
    except TimedOut:
        if any(index < len(readers) for index in pending):
            return False
    return all(reader.note is None for reader in readers)
