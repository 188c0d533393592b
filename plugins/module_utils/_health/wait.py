# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking an address until it is healthy, several times in a row.

Private to wwhd.qdrant_ops. Seconds everywhere, as floats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.course import Attempt, Course
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.judgement import Statuses, Wanted, faults
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.addresses import fetch_each
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import Request, fetch
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.masking import mask
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.options import (
    check_header,
    check_seconds,
    check_url,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.transport import Transport
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.words import advice, seconds
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock, Pace, TimedOut, WaitEnded, poll

__all__ = ["Rules", "check_arguments", "wait_for_health"]

_SHORTEST_INTERVAL = 0.05


@dataclass(frozen=True)
class Rules:
    """How often to ask, and for how long. Seconds, but for `successes`, which is a count in a row."""

    successes: int = 1
    interval: float = 1.0
    timeout: float = 60.0
    attempt_timeout: float = 5.0
    every_address: bool = False
    # Statuses that no waiting will change.
    give_up: Statuses | None = None

    def check(self) -> None:
        """Raises OperationFailed for what can't be waited for."""
        if self.successes < 1:
            raise OperationFailed(f"successes is {self.successes}: give at least 1.")
        check_seconds(self.interval, option="interval", minimum=_SHORTEST_INTERVAL)
        check_seconds(self.timeout, option="timeout")
        check_seconds(self.attempt_timeout, option="attempt_timeout", minimum=_SHORTEST_INTERVAL)
        needed = (self.successes - 1) * self.interval
        if needed > self.timeout:
            raise OperationFailed(
                f"{self.successes} successes, {seconds(self.interval)} apart, take {seconds(needed)}, but timeout is "
                f"{seconds(self.timeout)}: give a longer timeout or a shorter interval."
            )


def check_arguments(request: Request, *, wanted: Wanted, rules: Rules, transport: Transport) -> None:
    """Raises OperationFailed for what can't be asked, waited for or answered."""
    check_url(request.url)
    for name, value in request.headers.items():
        check_header(name, value, option="headers")
    rules.check()
    wanted.check(request.method)
    if rules.every_address and transport.unix_socket:
        raise OperationFailed("every_address is given with unix_socket, which has no addresses: leave one of them out.")


def wait_for_health(
    request: Request,
    *,
    wanted: Wanted,
    rules: Rules,
    transport: Transport,
    clock: Clock | None = None,
    on_change: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """Ask until `rules.successes` answers in a row are as wanted; returns the module's result.

    An attempt never begins after `rules.timeout`, so that the whole takes at most that and one `attempt_timeout`.
    `on_change` is told in one sentence whenever the outcome of an attempt
    is another than that of the one before. Raises OperationFailed for arguments that make no sense (before the first
    attempt), at the deadline, and at once where waiting can't help; its details are the same as the result.
    """
    clock = clock or Clock()
    check_arguments(request, wanted=wanted, rules=rules, transport=transport)
    started_at = clock.utc_text()
    start = clock.monotonic()
    course = Course(shown=mask(request.url), successes_wanted=rules.successes, on_change=on_change)

    def attempt() -> Attempt:
        at = clock.utc_text()
        limit = rules.attempt_timeout
        if rules.every_address:
            deadline = start + rules.timeout + limit
            answers = fetch_each(request, transport=transport, timeout=limit, deadline=deadline, clock=clock)
        else:
            answers = [fetch(request, transport=transport, timeout=limit, clock=clock)]
        attempt = Attempt.of([(answer, list(faults(answer, wanted))) for answer in answers], at=at)
        course.add(attempt)
        return attempt

    def result() -> dict[str, Any]:
        return {
            "changed": False,
            **course.result(),
            "started_at": started_at,
            "elapsed": round(clock.monotonic() - start, 3),
        }

    try:
        poll(
            attempt,
            done=lambda _attempt: course.successes >= rules.successes,
            timeout=rules.timeout,
            hopeless=lambda attempt: _hopeless(attempt, rules),
            pace=Pace(quick=rules.interval, slow=rules.interval, growth=1.0),
            clock=clock,
        )
    except WaitEnded as ended:
        message = _failure(request, wanted=wanted, rules=rules, course=course, ended=ended)
        raise OperationFailed(message, details=result()) from ended
    return result()


def _hopeless(attempt: Attempt, rules: Rules) -> str | None:
    for answer, fault in attempt.judged:
        if answer.hopeless:
            return answer.error
        if fault and rules.give_up and answer.status in rules.give_up:
            return f"status {answer.status}"
    return None


def _failure(request: Request, *, wanted: Wanted, rules: Rules, course: Course, ended: WaitEnded[Attempt]) -> str:
    attempt = ended.observation.value
    row = f", {rules.successes} times in a row" if rules.successes > 1 else ""
    if isinstance(ended, TimedOut):
        when = f"was not healthy within {seconds(rules.timeout)}"
    elif attempt.decisive.hopeless:
        when = "can't become healthy by waiting"
    else:
        when = f"gave a status that ends the wait ({rules.give_up})"
    said = attempt.said(asserted=[test.path[0] for test in wanted.headers])
    whose = f" of {attempt.decisive.address}" if attempt.decisive.address else ""
    return (
        f"{request.method} {mask(request.url)} {when}: wanted {wanted}{row}; the last answer{whose} was {said} "
        f"({course.summary(ended.observation.elapsed)}{attempt.by_address()}). "
        f"{_next_step(attempt, rules=rules, wanted=wanted)}"
    )


def _next_step(attempt: Attempt, *, rules: Rules, wanted: Wanted) -> str:
    answer, found = attempt.decisive, attempt.faults
    if not found:
        return f"It answers as wanted, but not {rules.successes} times in a row yet: give a longer timeout."
    if answer.status is None or answer.status not in wanted.status:
        return advice(answer)
    if found[0].endswith("but slow"):
        return "Find out what slows the service down, or give a larger max_latency."
    options = {"json": wanted.json, "response_headers": wanted.headers, "body_matches": wanted.body_matches}
    options["body_not_matches"] = wanted.body_not_matches
    given = [option for option, value in options.items() if value]
    more = "".join(f" and {one.partition(' but ')[2]}" for one in found[1:])
    return f"The last answer had {found[0]}{more}: check what the address answers, or correct {' and '.join(given)}."
