# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service is set to, without touching its tasks: how it rolls out, its autoscaling's bounds, its drain.

Private to wwhd.qdrant_ops. Nothing here starts a deployment (facts.md C.5).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs import autoscaling
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.claims import claims_in
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.draining import read_delay, write_delay
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.exactly_once import exactly_once
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import find_service, tags_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.shapes import input_shape
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.targets import group_name, target_group_arns
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

__all__ = ["Settings", "apply_settings", "kept_configuration", "problems_of", "rebalances"]

_PERCENTAGES = {"minimum_healthy_percent": "minimumHealthyPercent", "maximum_percent": "maximumPercent"}


@dataclass(frozen=True)
class Settings:
    """What the service is to have; None, or a member left out, stays as it is. `delays` are seconds by target group."""

    minimum_healthy_percent: int | None = None
    maximum_percent: int | None = None
    rebalancing: bool | None = None
    min_capacity: int | None = None
    max_capacity: int | None = None
    delays: Mapping[str, int] = field(default_factory=dict)

    @property
    def bounded(self) -> bool:
        return self.min_capacity is not None or self.max_capacity is not None


def problems_of(wanted: Settings) -> list[str]:
    """What AWS would refuse, or take and then never deploy by; one sentence each."""
    low, high = wanted.minimum_healthy_percent, wanted.maximum_percent
    found = [
        f"deployment_configuration.{name} must be 0 to 200 percent, not {value}."
        for name, value in (("minimum_healthy_percent", low), ("maximum_percent", high))
        if value is not None and not 0 <= value <= 200
    ]
    if low is not None and high is not None and low > high:
        found.append(f"minimum_healthy_percent ({low}) is above maximum_percent ({high}).")
    if low is not None and high is not None and low >= 100 and high == 100:
        found.append("minimum_healthy_percent and maximum_percent are both 100: ECS could never replace a task.")
    if wanted.rebalancing and high is not None and high <= 100:
        found.append("availability_zone_rebalancing needs a maximum_percent above 100, for a second task.")
    return found + autoscaling.problems_of({"min_capacity": wanted.min_capacity, "max_capacity": wanted.max_capacity})


def rebalances(service: Mapping[str, Any]) -> bool:
    """Whether ECS may by itself start a second task in another zone; a service that does not say so never had it on."""
    return service.get("availabilityZoneRebalancing") == "ENABLED"


def kept_configuration(service: Mapping[str, Any], shape: Any) -> dict[str, Any]:
    """The service's deployment configuration as UpdateService takes it, without what is only a default.

    It is given back whole: AWS does not say whether a member that an update leaves out keeps its value.
    """
    configuration = service.get("deploymentConfiguration") or {}
    defaults = {"strategy": "ROLLING", "bakeTimeInMinutes": 0}
    return {
        name: value
        for name, value in configuration.items()
        if name in shape.members
        and value not in (None, [], {})
        and defaults.get(name) != value
        # Alarms that are off have no names, which UpdateService need not take.
        and not (name == "alarms" and not value.get("enable"))
    }


def apply_settings(
    aws: Aws, *, cluster: str, service: str, wanted: Settings, clock: Clock, check_mode: bool = False
) -> dict[str, Any]:
    """Change what differs, the rollout first, and return what the module does. Raises OperationFailed.

    Each write is preceded by a look whether an unlock has claimed the service meanwhile. What was changed before a
    failure is in the error's `changes`: running it again does the rest.
    """
    work = _Work(aws, cluster=cluster, service=service, wanted=wanted, clock=clock, check_mode=check_mode)
    try:
        found = work.look()
        work.rollout(found)
        work.drain(found)
        work.scaling()
    except OperationFailed as error:
        error.details = {**error.details, "changes": work.changes, "changed": bool(work.changes)}
        raise
    return {
        "changed": bool(work.changes),
        "changes": work.changes,
        "previous": work.before,
        "settings": {**work.before, **work.after},
        "diff": {"before": work.before, "after": {**work.before, **work.after}},
    }


class _Work:
    def __init__(
        self, aws: Aws, *, cluster: str, service: str, wanted: Settings, clock: Clock, check_mode: bool
    ) -> None:
        self._aws, self._cluster, self._service = aws, cluster, service
        self._wanted, self._clock, self._check_mode = wanted, clock, check_mode
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] = {}
        self.changes: list[str] = []

    @property
    def _name(self) -> str:
        return f"service {self._service} in cluster {self._cluster}"

    def look(self) -> dict[str, Any]:
        """The service; raises OperationFailed if it is not there to be set."""
        found = find_service(self._aws, cluster=self._cluster, service=self._service)
        if found.get("status") != "ACTIVE":
            raise OperationFailed(
                f"Could not change the settings of {self._name}: it is {found.get('status')}, not ACTIVE. Nothing was"
                " changed. Create it again, or name another one.",
                code="ServiceNotActiveException",
            )
        claims = claims_in(tags_of(found))
        if claims:
            raise OperationFailed(
                f"Could not change the settings of {self._name}: an unlock has claimed it ({claims[0].who}), and puts"
                " back in the end what it had found. Wait for its end, or finish it (unlock.yml), then run this again.",
                details={"claimed_by": [claim.id for claim in claims]},
            )
        return found

    def _still_free(self) -> None:
        """Raises OperationFailed if an unlock has claimed the service while it was written to: it may have read before
        the write what it puts back in the end."""
        if self._check_mode:
            return
        claims = claims_in(tags_of(find_service(self._aws, cluster=self._cluster, service=self._service)))
        if claims:
            raise OperationFailed(
                f"{'; '.join(self.changes)}: that was set for {self._name}, but at the same moment an unlock has"
                f" claimed it ({claims[0].who}), and may put back in the end what it had found before. Wait for its"
                " end, then run this again.",
                details={"claimed_by": [claim.id for claim in claims]},
            )

    def _note(self, changes: Iterable[str], after: Mapping[str, Any]) -> None:
        self.changes += changes
        self.after.update(after)

    def rollout(self, found: Mapping[str, Any]) -> None:
        configuration = found.get("deploymentConfiguration") or {}
        self.before.update({name: configuration.get(theirs) for name, theirs in _PERCENTAGES.items()})
        self.before["availability_zone_rebalancing"] = rebalances(found)
        wanted = {
            "minimum_healthy_percent": self._wanted.minimum_healthy_percent,
            "maximum_percent": self._wanted.maximum_percent,
            "availability_zone_rebalancing": self._wanted.rebalancing,
        }
        moved = {name: value for name, value in wanted.items() if value is not None and value != self.before[name]}
        if not moved:
            return
        if not self._check_mode:
            self._aws.call(
                "ecs",
                "UpdateService",
                doing=f"change how {self._name} is deployed",
                cluster=self._cluster,
                service=self._service,
                **self._update(found, moved),
            )
        self._note((f"{name} {self.before[name]} -> {value}" for name, value in moved.items()), moved)

    def _update(self, found: Mapping[str, Any], moved: Mapping[str, Any]) -> dict[str, Any]:
        params: dict[str, Any] = {}
        percentages = {theirs: moved[name] for name, theirs in _PERCENTAGES.items() if name in moved}
        if percentages:
            shape = input_shape(self._aws, "UpdateService", "deploymentConfiguration")
            params["deploymentConfiguration"] = {**kept_configuration(found, shape), **percentages}
        # AWS refuses a maximum of 100 while rebalancing is on, and the reverse: both go in one call (facts.md C.3).
        known = "availabilityZoneRebalancing" in input_shape(self._aws, "UpdateService").members
        if self._wanted.rebalancing is not None and known:
            params["availabilityZoneRebalancing"] = "ENABLED" if self._wanted.rebalancing else "DISABLED"
        return params

    def drain(self, found: Mapping[str, Any]) -> None:
        if not self._wanted.delays:
            return
        foreign = sorted(set(self._wanted.delays) - set(target_group_arns(found)))
        if foreign:
            raise OperationFailed(
                f"Could not set the deregistration delay of {', '.join(foreign)}: {self._name} does not register its"
                " tasks there. Correct deregistration_delays."
            )
        self.before["deregistration_delays"], self.after["deregistration_delays"] = {}, {}
        for arn, seconds in self._wanted.delays.items():
            before = read_delay(self._aws, arn=arn)
            self.before["deregistration_delays"][arn] = before
            self.after["deregistration_delays"][arn] = before
            if before == seconds:
                continue
            if not self._check_mode:
                self.look()
                write_delay(self._aws, arn=arn, seconds=seconds)
            self.after["deregistration_delays"][arn] = seconds
            self._note([f"deregistration delay of {group_name(arn)} {before} -> {seconds}"], {})
            self._still_free()

    def scaling(self) -> None:
        if not self._wanted.bounded:
            return
        # Read last: between the desired count and the call that may move it there is nothing else.
        state = autoscaling.read_state(self._aws, cluster=self._cluster, service=self._service)
        if state is None:
            raise OperationFailed(
                f"Could not bound the autoscaling of {self._name}: it has no scalable target, so nothing moves its"
                " desired count. Leave min_capacity and max_capacity out."
            )
        bounds = {"min_capacity": self._wanted.min_capacity, "max_capacity": self._wanted.max_capacity}
        wanted = {**state, **{name: value for name, value in bounds.items() if value is not None}}
        names = [name for name in bounds if wanted[name] != state[name]]
        self.before.update({name: state[name] for name in bounds})
        if not names:
            return
        if self._check_mode:
            self._require_within(wanted)
        else:
            exactly_once(lambda: self._bound(state, wanted), effect=lambda: self._is_bounded(wanted), clock=self._clock)
        self._note(
            (f"{name} {state[name]} -> {wanted[name]}" for name in names), {name: wanted[name] for name in names}
        )
        self._still_free()

    def _require_within(self, wanted: Mapping[str, Any]) -> None:
        """Raises OperationFailed if AWS would move the desired count into the bounds (facts.md C.8)."""
        desired = int(self.look().get("desiredCount") or 0)
        if not wanted["min_capacity"] <= desired <= wanted["max_capacity"]:
            raise OperationFailed(
                f"Could not bound the autoscaling of {self._name} to {wanted['min_capacity']} to"
                f" {wanted['max_capacity']}: its desired count is {desired}, and AWS would move it into the bounds,"
                " which starts or stops tasks. Set the desired count first, then run this again."
            )

    def _bound(self, state: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
        self._require_within(wanted)
        return autoscaling.write_state(
            self._aws, cluster=self._cluster, service=self._service, state=state, wanted=wanted
        )

    def _is_bounded(self, wanted: Mapping[str, Any]) -> bool | None:
        """True if the call has taken effect although its answer was lost; None if it has not."""
        now = autoscaling.read_state(self._aws, cluster=self._cluster, service=self._service) or {}
        return True if all(now.get(name) == wanted[name] for name in ("min_capacity", "max_capacity")) else None
