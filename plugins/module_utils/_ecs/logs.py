# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's whole output, read from CloudWatch Logs from its head to its end.

Private to wwhd.qdrant_ops. Logs explain an end; they never decide it (facts.md H): what can't be read becomes a note.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import short_id
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock, Observation, Pace, TimedOut, poll

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
    """One container's stream, read onwards from where the last read ended. `lines` grows."""

    container: str
    group: str
    stream: str
    lines: list[str] = field(default_factory=list)
    note: str | None = None
    _token: str | None = None

    def read(self, aws: Aws) -> bool:
        """Fetch what is new; whether there was anything. A stream that does not exist yet has no output yet."""
        before = len(self.lines)
        while self.note is None:
            known = self._token
            try:
                answer = aws.call(
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
                    self.note = str(error)
                break
            self.lines.extend(str(event.get("message", "")).rstrip("\n") for event in answer.get("events", []))
            self._token = answer.get("nextForwardToken") or known
            # The end is told by the same token coming back, not by an empty page.
            if self._token == known:
                break
        grown = len(self.lines) > before
        if len(self.lines) > _MOST_LINES:
            del self.lines[:-_MOST_LINES]
            self.note = f"container {self.container} printed more than {_MOST_LINES} lines: the newest are here"
        return grown

    def has(self, text: str) -> bool:
        return any(text in line for line in reversed(self.lines))


def streams_of(definition: Mapping[str, Any], *, task_arn: str, region: str | None) -> dict[str, LogReader]:
    """Container name to the reader of its stream, for the containers that log to CloudWatch by awslogs.

    Fargate names the stream `<prefix>/<container>/<task id>`; without a prefix nobody can tell its name.
    """
    readers: dict[str, LogReader] = {}
    for container in definition.get("containerDefinitions", []):
        configuration = container.get("logConfiguration") or {}
        options = configuration.get("options") or {}
        prefix = options.get("awslogs-stream-prefix")
        if configuration.get("logDriver") != "awslogs" or not options.get("awslogs-group") or not prefix:
            continue
        name = str(container["name"])
        reader = LogReader(name, str(options["awslogs-group"]), f"{prefix}/{name}/{short_id(task_arn)}")
        there = options.get("awslogs-region")
        if there and region and there != region:
            reader.note = f"the log of container {name} is in {there}; read it there: {reader.group} {reader.stream}"
        readers[name] = reader
    return readers


@dataclass(frozen=True)
class _Progress:
    quiet_for: float
    ended: bool


def drain(
    aws: Aws,
    *,
    readers: Sequence[LogReader],
    log_end: str | None,
    expected: bool,
    clock: Clock,
) -> bool:
    """Read until nothing more is to come; whether that is certain enough to be called complete.

    `expected` says that the containers ran to a success: with `log_end`, their last line is then worth a longer wait.
    """
    last_news = clock.monotonic()

    def look() -> _Progress:
        nonlocal last_news
        news = [reader.read(aws) for reader in readers]
        if any(news):
            last_news = clock.monotonic()
        open_readers = [reader for reader in readers if reader.note is None]
        if log_end:
            ended = all(reader.has(log_end) for reader in open_readers)
        else:
            ended = all(reader.lines for reader in open_readers) and clock.monotonic() - last_news >= _QUIET_FOR
        return _Progress(clock.monotonic() - last_news, ended)

    try:
        found: Observation[_Progress] = poll(
            look,
            done=lambda progress: progress.ended,
            timeout=_DRAIN_TIMEOUT_FOR_KNOWN_END if log_end and expected else _DRAIN_TIMEOUT,
            pace=_DRAIN_PACE,
            clock=clock,
        )
    except TimedOut:
        return False
    return found.value.ended and all(reader.note is None for reader in readers)
