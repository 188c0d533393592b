# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Changing a service's desired count, with all that belongs to it, in an order that can be finished by the next run.

Private to wwhd.qdrant_ops. That the processes have followed: emptying.py, count_waits.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs import autoscaling as scaling_state
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs import services
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.claiming import claim_exclusively
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.claims import CLAIM_PREFIX
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.count_waits import wait_until_running
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.draining import (
    differing_delays,
    read_delay,
    write_delay,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.emptying import wait_until_gone
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.exactly_once import exactly_once
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import (
    Expected,
    find_service,
    tags_of,
    task_view,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.targets import group_name
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tasks import census, is_gone
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

__all__ = ["AS_GOOD_AS_NEW", "scale", "tag_changes", "tag_problems"]

# A look at whose the service is that is younger than this (s) says as much as another one would: AWS's reads follow its
# writes with a delay (facts.md B.3).
AS_GOOD_AS_NEW = 1.0
_TAG_TEXT = re.compile(r"[\w\s+\-=.:/@]*")
_TAG_KEY_LENGTH = 128
_TAG_VALUE_LENGTH = 256


def tag_changes(
    current: Mapping[str, str], *, wanted: Mapping[str, str], unwanted: Sequence[str]
) -> tuple[dict[str, str], list[str]]:
    """Which tags have to be written, and which keys removed, to come from `current` to what is asked."""
    write = {key: value for key, value in wanted.items() if current.get(key) != value}
    remove = [key for key in dict.fromkeys(unwanted) if key in current]
    return write, remove


def tag_problems(tags: Mapping[str, Any], remove_tags: Sequence[str]) -> list[str]:
    """What AWS would refuse, or could not mean, in `tags` and `remove_tags`: one sentence each."""
    found = []
    for key, value in tags.items():
        if not _TAG_TEXT.fullmatch(str(key)) or not 1 <= len(str(key)) <= _TAG_KEY_LENGTH:
            found.append(
                f"The tag key {key!r} is not one that AWS takes (1 to 128 of letters, digits, space, + - = . _ : / @)."
            )
        if not _TAG_TEXT.fullmatch(str(value)) or len(str(value)) > _TAG_VALUE_LENGTH:
            found.append(
                f"The value of tag {key} is not one that AWS takes (to 256 of letters, digits, space, + - = . _ : / @)."
            )
    both = sorted(set(map(str, tags)) & set(remove_tags))
    if both:
        found.append(f"Tags are both to be written and to be removed: {', '.join(both)}.")
    return found


@dataclass
class _Scaling:
    """The steps of one `scale`, in the order in which they may happen; each says in `result` what it did."""

    aws: Aws
    cluster: str
    service: str
    clock: Clock
    check_mode: bool
    result: dict[str, Any]
    # What the service must carry at each write: whoever has lost his claim meanwhile stops, whatever he waited for.
    hold: Expected = field(default_factory=Expected)
    state: dict[str, Any] | None = None
    # The service as a look has shown it, and when: whoever writes right after that need not look again whose it is.
    just_seen: Mapping[str, Any] | None = None
    seen_at: float = 0.0
    answered: dict[str, Any] | None = None

    def saw(self, found: Mapping[str, Any] | None) -> None:
        self.just_seen, self.seen_at = found, self.clock.monotonic()

    def _look(self) -> Mapping[str, Any]:
        if self.just_seen is None or self.clock.monotonic() - self.seen_at >= AS_GOOD_AS_NEW:
            self.saw(find_service(self.aws, cluster=self.cluster, service=self.service))
        return self.just_seen or {}

    def write(self, call: Callable[[], Any], *, happened: Callable[[], bool]) -> None:
        """Make a call while the service is still ours; one whose answer was lost is not made again unseen."""

        def held() -> bool:
            if self.hold.tags:
                self.hold.require(self._look(), doing=f"change service {self.service} in cluster {self.cluster}")
            call()
            return True

        exactly_once(held, effect=lambda: happened() or None, clock=self.clock)

    def claim(self, found: Mapping[str, Any], tags: Mapping[str, str], takes_over: Sequence[str]) -> None:
        if not self.check_mode:
            try:
                self.saw(
                    claim_exclusively(
                        self.aws,
                        cluster=self.cluster,
                        found=found,
                        tags=tags,
                        takes_over=takes_over,
                        clock=self.clock,
                    )
                )
            except OperationFailed as error:
                self.result["changed"] = bool(error.details.get("claim_left"))
                raise
            self.hold = Expected({key: value for key, value in tags.items() if key.startswith(CLAIM_PREFIX)})
        self.result.update(changed=True, claimed=True, tags_written=dict(tags))

    def require_as_found(self, arn: str, tags: Mapping[str, str], expected: Expected) -> None:
        """What was noted before the claim is what will be put back: if it was changed until the claim stood, the claim
        is withdrawn, or somebody's change would be undone without a word. Raises OperationFailed."""
        if self.check_mode:
            return
        wrong = []
        if expected.autoscaling is not None:
            self.state = scaling_state.read_state(self.aws, cluster=self.cluster, service=self.service)
            if self.state != expected.autoscaling:
                wrong.append("its autoscaling is not as it was found")
        for group, seconds in expected.delays.items():
            now = read_delay(self.aws, arn=group)
            if now != seconds:
                wrong.append(f"the deregistration delay of {group_name(group)} is {now} s, not {seconds} s any more")
        if not wrong:
            return
        try:
            services.remove_tags(self.aws, cluster=self.cluster, service=self.service, arn=arn, keys=list(tags))
            self.result.update(changed=False, claimed=False, tags_written={})
        except OperationFailed:
            # The next run, or the end of this one, removes them.
            self.result["claimed"] = True
        raise OperationFailed(
            f"Could not change service {self.service} in cluster {self.cluster}: {'; '.join(wrong)}. Somebody else"
            " changed it meanwhile, so it was left as it is. Run this again, once they are done.",
            details={"unexpected": wrong},
        )

    def write_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        if not tags:
            return
        if not self.check_mode:
            services.write_tags(self.aws, cluster=self.cluster, service=self.service, arn=arn, tags=tags)
        self.result.update(changed=True, tags_written=dict(tags))

    def remove_tags(self, arn: str, keys: list[str]) -> None:
        if not keys:
            return
        if not self.check_mode:
            services.remove_tags(self.aws, cluster=self.cluster, service=self.service, arn=arn, keys=keys)
        self.result.update(changed=True, tags_removed=keys)

    def shorten_drain(self, delays: Sequence[tuple[str, int | None, int]]) -> None:
        """Set the deregistration delays, as far as that goes: a drain that takes longer harms nothing but the time."""
        for arn, before, seconds in delays:
            try:
                if not self.check_mode:
                    self._write_delay(arn, seconds)
            except OperationFailed as error:
                if not error.code:
                    # Not AWS's refusal of this call: the service is no longer ours, or AWS cannot be reached.
                    raise
                self.result["warnings"].append(f"{error} Going on: stopping the tasks may take that much longer.")
                continue
            self.result["changed"] = True
            self.result["deregistration_delays"][arn] = {"before": before, "after": seconds}

    def _write_delay(self, arn: str, seconds: int) -> None:
        self.write(
            lambda: write_delay(self.aws, arn=arn, seconds=seconds),
            happened=lambda: read_delay(self.aws, arn=arn) == seconds,
        )

    def move_autoscaling(self, wanted: Mapping[str, Any]) -> bool:
        """Whether it had to be written. Without a scalable target there is nothing to move."""
        if self.state is None or not scaling_state.register_params(self.state, wanted):
            return False
        if not self.check_mode:
            state = self.state
            self.write(
                lambda: scaling_state.write_state(
                    self.aws, cluster=self.cluster, service=self.service, state=state, wanted=wanted
                ),
                happened=lambda: (
                    scaling_state.read_state(self.aws, cluster=self.cluster, service=self.service) == wanted
                ),
            )
        self.result["changed"] = True
        self.state = dict(wanted)
        self.result["autoscaling"]["after"] = self.state
        return True

    def set_count(self, current: int, desired_count: int) -> None:
        if current == desired_count:
            return
        if not self.check_mode:
            doing = f"set the desired count of service {self.service} in cluster {self.cluster} to {desired_count}"
            name = {"cluster": self.cluster, "service": self.service}

            def update() -> None:
                answer = self.aws.call_once("ecs", "UpdateService", doing=doing, **name, desiredCount=desired_count)
                self.answered = answer.get("service")

            self.write(
                update,
                happened=lambda: find_service(self.aws, **name).get("desiredCount") == desired_count,
            )
        self.result["changed"] = True

    def wait(self, desired_count: int, timeout: float, *, look_again: bool, drain_time: float) -> dict[str, Any]:
        """The service as it was seen last."""
        if desired_count == 0:
            observation = wait_until_gone(
                self.aws,
                cluster=self.cluster,
                service=self.service,
                timeout=timeout,
                clock=self.clock,
                answered=self.answered,
                look_again=look_again,
                drain_time=drain_time,
            )
        else:
            observation = wait_until_running(
                self.aws,
                cluster=self.cluster,
                service=self.service,
                desired_count=desired_count,
                timeout=timeout,
                clock=self.clock,
            )
        look = observation.value
        self.result["tasks"] = [task_view(task) for task in look.tasks if task["taskArn"] in look.awaited]
        self.result["waited"] = round(observation.elapsed, 3)
        return look.service


def scale(  # noqa: PLR0913  each is one thing that a caller may ask for, by name
    aws: Aws,
    *,
    cluster: str,
    service: str,
    desired_count: int | None = None,
    suspend_autoscaling: bool | None = None,
    autoscaling: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    remove_tags: Sequence[str] = (),
    takes_over: Sequence[str] = (),
    deregistration_delays: Mapping[str, int] | None = None,
    expected: Expected | None = None,
    wait_for: float | None = None,
    look_again: bool = True,
    drain_time: float = 0.0,
    look_around: bool = True,
    found: Mapping[str, Any] | None = None,
    check_mode: bool = False,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Tags, drain, suspension, count, wait, resumption, tags again: in this order, writing only what differs.

    What it takes to restore is on the service before anything moves; the autoscaling is resumed only when the count is
    back, because RegisterScalableTarget moves the count into its limits (facts.md C.8). `wait_for`: for how many
    seconds to wait at most until the tasks followed the count; None does not wait. `look_again` and
    `drain_time`: see `wait_until_gone`. Without `look_around`, autoscaling and tasks of which nothing is asked are not
    read for the result. `found` is the service as the caller's last call has shown it.
    Returns what the module returns. Raises OperationFailed; what was done until then stays done, and `changed` in its
    details tells whether anything was. Tags that were written must still be there after the wait: if somebody wrote
    others over them, the service is theirs.
    """
    clock = clock or Clock()
    found = found or find_service(aws, cluster=cluster, service=service)
    if found.get("status") != "ACTIVE":
        raise OperationFailed(
            f"Could not change service {service} in cluster {cluster}: it is {found.get('status')}, not ACTIVE. "
            "Create it again, or name another one.",
            details={"service_status": found.get("status")},
        )
    doing = f"change service {service} in cluster {cluster}"
    (expected or Expected()).require(found, doing=doing)
    arn = found["serviceArn"]
    written, removed = tag_changes(tags_of(found), wanted=tags or {}, unwanted=remove_tags)
    previous = int(found.get("desiredCount", 0))
    target = previous if desired_count is None else desired_count
    result: dict[str, Any] = {
        "changed": False,
        "previous_desired_count": previous,
        "desired_count": target,
        "tasks": [],
        "autoscaling": {"before": None, "after": None},
        "tags_written": {},
        "tags_removed": [],
        "claimed": False,
        "deregistration_delays": {},
        "waited": 0.0,
        "warnings": [],
    }
    steps = _Scaling(aws, cluster, service, clock, check_mode, result, hold=Expected((expected or Expected()).tags))
    resume = suspend_autoscaling is False or (suspend_autoscaling is None and autoscaling is not None)
    # Read even where nothing is asked of it: whoever scales wants to know what else may move the count.
    if look_around or autoscaling is not None or suspend_autoscaling is not None:
        steps.state = scaling_state.read_state(aws, cluster=cluster, service=service)
    result["autoscaling"] = {"before": steps.state, "after": steps.state}

    try:
        claims = any(key.startswith(CLAIM_PREFIX) for key in written)
        # Those that are known from before are read once the claim stands; the others before it, whose last look then
        # serves the first write.
        noted = expected.delays if expected and claims and not check_mode else {}
        delays = list(differing_delays(aws, deregistration_delays or {}, known=noted))
        if claims:
            steps.claim(found, written, takes_over)
            steps.require_as_found(arn, written, expected or Expected())
        else:
            steps.write_tags(arn, written)
        steps.shorten_drain(delays)
        if suspend_autoscaling and steps.state is not None:
            moved = steps.move_autoscaling(scaling_state.with_switches(steps.state, suspended=True))
            if moved and not check_mode:
                # The suspension itself may have moved the count into the target's limits.
                now = find_service(aws, cluster=cluster, service=service)
                steps.saw(now)
                previous = int(now.get("desiredCount", 0))
        if desired_count is not None:
            steps.set_count(previous, desired_count)
        if desired_count is not None and wait_for is not None and not check_mode:
            still = steps.wait(desired_count, wait_for, look_again=look_again, drain_time=drain_time)
            Expected(tags or {}).require(still, doing=doing)
        elif look_around:
            known = census(aws, cluster=cluster, serviceName=service)
            result["tasks"] = [task_view(task) for task in known.tasks if not is_gone(task)]
        if resume:
            _resume(steps, autoscaling=autoscaling, count=target, asked=desired_count is not None)
        steps.remove_tags(arn, removed)
    except OperationFailed as error:
        error.details = {**error.details, "changed": result["changed"], "claimed": result["claimed"]}
        raise
    return result


def _resume(steps: _Scaling, *, autoscaling: Mapping[str, Any] | None, count: int, asked: bool) -> None:
    if steps.state is None:
        if autoscaling:
            steps.result["warnings"].append(
                f"Service {steps.service} has no scalable target any more: its autoscaling was not restored."
            )
        return
    wanted = (
        scaling_state.merged(steps.state, autoscaling)
        if autoscaling
        else scaling_state.with_switches(steps.state, suspended=False)
    )
    if steps.move_autoscaling(wanted) and asked and not steps.check_mode:
        # Resuming itself moves the count into the target's limits, also that of a service which somebody had stopped.
        now = find_service(steps.aws, cluster=steps.cluster, service=steps.service)
        steps.saw(now)
        steps.set_count(int(now.get("desiredCount", 0)), count)
    if count < wanted["min_capacity"] and not scaling_state.is_suspended(wanted):
        steps.result["warnings"].append(
            f"The autoscaling of service {steps.service} may raise its desired count from {count} to its minimum, "
            f"{wanted['min_capacity']}."
        )
