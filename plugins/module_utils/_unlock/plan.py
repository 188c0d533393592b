# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run will do, decided from what was read: whether anything is needed, what an unfinished run has left, and
every value that the phases use. refusals.py has what speaks against it, workplace.py where the cleaner works.

Private to wwhd.qdrant_ops. Pure, but for the run's name, which the caller gives.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.claims import Claim, claims_in
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.inputs import normalised, timeouts_of
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.kept import (
    AUTOSCALING_SAMPLE,
    DELAYS_SAMPLE,
    autoscaling_from_tag,
    autoscaling_to_tag,
    delays_from_tag,
    delays_to_tag,
    to_shorten,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.owner import (
    AUTOSCALING,
    DEREGISTRATION_DELAY,
    DESIRED_COUNT,
    EARLIER_RELEASE,
    RELEASE,
    STATE_KEYS,
    new_claim,
    run_id_of,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.refusals import (
    health_error,
    run_refusals,
    service_refusals,
    verification_refusals,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.release import (
    plan_release,
    release_notes,
    release_refusals,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.workplace import (
    choose_volume,
    cleaner_of,
    log_of,
    network_of,
    to_check,
)

__all__ = ["make_plan"]

# Seconds that a run may need beyond its phases' time-outs: a cleaner that is stopped, restoring, Ansible itself.
_LEASE_MARGIN = 600


def _only_to_restore(options: Mapping[str, Any], info: Mapping[str, Any], health: Mapping[str, Any] | None) -> bool:
    """Whether an unfinished run left a healthy service: stopping it once more would help nobody."""
    return bool(info.get("healthy")) and health_error(health) is None and options.get("when") != "always"


def _need(
    options: Mapping[str, Any],
    info: Mapping[str, Any],
    claim: Claim | None,
    health: Mapping[str, Any] | None,
    *,
    only_tidy: bool,
    release: Mapping[str, Any] | None,
    part: str,
) -> tuple[bool, list[str]]:
    """Whether anything is to be done, and why, in sentences. `only_tidy`: an unfinished run left a healthy service."""
    why: list[str] = []
    if part == "stop":
        if claim and _stopped_by_a_run(info, claim) and not (release and release["asked"] and not release["noted"]):
            return False, [f"it was stopped by the run {run_id_of(claim)} already, and waits to be started"]
        why.append("the service is to be stopped")
    if claim:
        why.append(f"the unlock {claim.who} was not finished")
    if not info.get("healthy"):
        why.extend(info.get("unhealthy_because") or ["the service is not healthy"])
    elif health_error(health):
        why.append(f"the health address does not answer as it should ({health_error(health)})")
    if only_tidy:
        left = why[0] if why else "an earlier unlock left tags behind"
        return True, [f"{left}, but the service is healthy: only what that run left behind is put back"]
    if release and not release["deployed"]:
        why.append(f"it is a release: {', '.join(release['changes'])}")
    if why:
        return True, [reason.rstrip(".") for reason in why]
    if options.get("when") == "always":
        return True, ["the service is healthy, and qdrant_unlock_when is always"]
    if options.get("task_definition") or options.get("images"):
        return False, ["the service is healthy, has the release that is asked for, and no earlier unlock is unfinished"]
    return False, ["the service is healthy, and no earlier unlock is unfinished"]


def _stopped_by_a_run(info: Mapping[str, Any], claim: Claim) -> bool:
    """Whether a run has stopped the service, and left it so on purpose."""
    live = [task for task in info.get("tasks") or [] if not task.get("gone")]
    return claim.given_up and not int((info.get("service") or {}).get("desired_count") or 0) and not live


def _kept_count(tags: Mapping[str, str], current: int) -> int:
    """The desired count that an unfinished run had found."""
    kept = tags.get(DESIRED_COUNT, "")
    return int(kept) if kept.isdigit() else current


def _kept_autoscaling(
    service: Mapping[str, Any], current: dict[str, Any] | None
) -> tuple[dict[str, Any] | None, str | None]:
    """The autoscaling that an unfinished run had found, or a sentence why nobody can tell."""
    kept = service.get("tags", {}).get(AUTOSCALING)
    if kept is None:
        return current, None
    try:
        return autoscaling_from_tag(kept), None
    except ValueError:
        return None, (
            f"The tag {AUTOSCALING} of the service {service.get('service_name')}, which an unfinished run wrote, is"
            f" {kept!r} and cannot be read: correct it (as in: {AUTOSCALING_SAMPLE}), or remove it to keep the"
            " autoscaling as it is now."
        )


def _drain(
    options: Mapping[str, Any], info: Mapping[str, Any], *, unfinished: bool
) -> tuple[dict[str, int], dict[str, int], list[str]]:
    """The deregistration delays for this run, those to put back after it (both in seconds by target group), and what is
    to be said: nothing of it is worth a refusal. What an unfinished run wrote down is what there was."""
    service = info.get("service") or {}
    groups = info.get("targets") or []
    idle = not int(service.get("desired_count") or 0) and not any(group.get("targets") for group in groups)
    shorter, kept = to_shorten(groups, how="never" if idle else str(options.get("fast_drain") or "auto"))
    text = (service.get("tags") or {}).get(DEREGISTRATION_DELAY) if unfinished else None
    said = []
    # An inspection stops nothing.
    if shorter and options.get("mode") != "inspect":
        said.append(
            f"The load balancer would hold a task that stops for up to {max(kept.values())} s: for this run that is"
            f" shortened to {max(shorter.values())} s (deregistration delay), and then put back."
        )
    if text is None:
        return shorter, kept, said
    arns = [str(group["target_group_arn"]) for group in groups]
    try:
        earlier, unknown = delays_from_tag(text, arns=arns)
    except ValueError:
        fault = (
            f"The tag {DEREGISTRATION_DELAY} of the service {service.get('service_name')}, which an unfinished run"
            f" wrote, is {text!r} and cannot be read (as in: {DELAYS_SAMPLE}): look whether its target groups have"
            " the deregistration delay that they should."
        )
        return {}, {}, [fault]
    said += [f"Not the service's target group any more, so its deregistration delay is left: {one}." for one in unknown]
    return shorter, {**kept, **earlier}, said


def _drain_time(info: Mapping[str, Any], shorter: Mapping[str, int]) -> int:
    """For how many seconds the load balancer may hold a task in this run; 0 where it has none, or that is not known."""
    groups = [group for group in info.get("targets") or [] if group.get("targets")]
    delays = {group["target_group_arn"]: group.get("deregistration_delay") for group in groups}
    lasting = {**delays, **shorter}.values()
    return 0 if None in lasting else int(max(lasting, default=0))


def _warnings(service: Mapping[str, Any], log: Mapping[str, str] | None) -> Iterable[str]:
    if not log:
        yield "No log group is known, so the report cannot list the locks: set qdrant_unlock_log_group."
    if service.get("availability_zone_rebalancing") == "ENABLED":
        yield (
            "Availability zone rebalancing is ENABLED: ECS may by itself start a second task beside the first, which"
            " makes these locks. Disable it (aws ecs update-service --availability-zone-rebalancing DISABLED)."
        )


def make_plan(
    info: Mapping[str, Any],
    *,
    options: Mapping[str, Any],
    health: Mapping[str, Any] | None,
    collections: Mapping[str, Any] | None,
    script: str,
    environment: str,
    owner: str,
    controller: Mapping[str, Any],
    run_id: str,
    now: datetime,
    release: Mapping[str, Any] | None = None,
    part: str = "run",
) -> dict[str, Any]:
    """The whole decision.

    `info` is what ecs_service_info returned, `health` what http_health returned (or None if it was not asked),
    `collections` what qdrant_collections_info returned from a healthy service, or None. `release` is what
    ecs_service_redeploy said of the release that is asked for, or that an unfinished run has written down, or None.
    `part`: `run` is all, `stop` ends with a service that is stopped, `start` begins there. Returns a dict with
    `refusals` and `why` (sentences), `needed`, `go`, and the values that the phases use. Nothing in it is secret.
    """
    options = normalised(options)
    if part == "start":
        # Nobody wants a service that is healthy already to be stopped, in order to be started.
        options["when"] = "needed"
    prepared = release
    service = info.get("service") or {}
    inspect = options.get("mode") == "inspect"
    tags = service.get("tags") or {}
    claims = claims_in(tags)
    claim = claims[0] if claims else None
    # A resumed run keeps its name; its claim and its cleaner get one that begins with it.
    claim_id = f"{run_id_of(claim)}-{run_id[-6:]}" if claim else run_id
    run_id = run_id_of(claim) if claim else run_id
    current = int(service.get("desired_count") or 0)
    original = _kept_count(tags, current) if claim else current
    shorter, delays, drain_warnings = _drain(options, info, unfinished=claim is not None)
    autoscaling, autoscaling_fault = (
        _kept_autoscaling(service, info.get("autoscaling")) if claim else (info.get("autoscaling"), None)
    )
    left_behind = claim is not None or any(key in tags for key in STATE_KEYS)
    volume, volume_fault = choose_volume(options, info.get("volumes") or [])
    bring = plan_release(
        prepared, info=info, options=options, tags=tags, keys=(RELEASE, EARLIER_RELEASE), volume=volume
    )
    wanted = bring is not None and bring["asked"] and not bring["deployed"]
    only_tidy = left_behind and part != "stop" and not wanted and _only_to_restore(options, info, health)
    notes: list[str] = []
    if prepared:
        name = str(service.get("service_name"))
        notes += release_notes(bring, tags, keys=(RELEASE, EARLIER_RELEASE), only_tidy=only_tidy, name=name)
    if only_tidy:
        bring = None
    needed, why = _need(options, info, claim, health, only_tidy=only_tidy, release=bring, part=part)
    log = log_of(options, info, volume)
    network = network_of(options, info)
    timeouts = {name: math.ceil(float(seconds)) for name, seconds in timeouts_of(options).items()}
    held = str(options.get("held_locks") or "wait")
    held_timeout = int(options.get("held_timeout") or 0)
    restore_only = only_tidy and not inspect
    after = int(options.get("desired_count") or 0) or max(original, 1)
    clean_timeout = timeouts["clean"] + (held_timeout if held == "wait" and not inspect else 0)

    refusals = list(service_refusals(service, info.get("tasks") or []))
    refusals += [fault for fault in (autoscaling_fault, volume_fault) if fault]
    refusals += list(release_refusals(bring, prepared, volume)) if needed else []
    refusals += run_refusals(
        options,
        info,
        claims=claims,
        tasks=max(original, after),
        needed=needed,
        environment=environment,
        owner=owner,
        now=now,
        going_on=part != "start" or only_tidy,
    )
    refusals += verification_refusals(options, info, health, collections, needed=needed)
    if not network["subnets"]:
        refusals.append("The service has no awsvpc network to run the cleaner in: set qdrant_unlock_subnets.")

    # The verification has three steps of its time-out each, and a cleaner may need its stop time-out.
    lease = sum(timeouts.values()) + 2 * timeouts["verify"] + held_timeout + _LEASE_MARGIN
    if bring:
        # Going back from a release that fails is a stop, a deployment and a count once more.
        lease += timeouts["quiesce"] + timeouts["redeploy"] + timeouts["verify"]
    own = new_claim(claim_id=claim_id, owner=owner, now=now, lease_seconds=lease)
    plan: dict[str, Any] = {
        "refusals": refusals,
        "needed": needed,
        "why": why,
        "go": (needed or inspect) and not refusals,
        "run_id": run_id,
        "claim_id": claim_id,
        "controller": dict(controller),
        "lease_seconds": lease,
        "resumed": claim is not None,
        "desired_count_now": current,
        "desired_count_before": original,
        "desired_count_after": after,
        "restore_only": restore_only,
        "part": part,
        "stop": not inspect and not restore_only,
        "clean": not restore_only and part != "stop",
        "start": not inspect and not restore_only and part != "stop",
        "release": bring,
        "autoscaling": autoscaling,
        "claim": {own.key: own.value},
        "tags": {
            own.key: own.value,
            DESIRED_COUNT: str(original),
            AUTOSCALING: autoscaling_to_tag(autoscaling),
            DEREGISTRATION_DELAY: delays_to_tag(delays),
            **(bring["tags"] if bring else {}),
        },
        "fast_drain": shorter,
        "drain_time": _drain_time(info, shorter),
        "deregistration_delays": delays,
        "takes_over": [earlier.key for earlier in claims],
        "earlier_claims": {earlier.key: earlier.value for earlier in claims},
        "tag_keys": [own.key, *(earlier.key for earlier in claims), *STATE_KEYS],
        "timeouts": {**timeouts, "clean": clean_timeout},
        "warnings": [*_warnings(service, log), *drain_warnings, *notes],
        "to_check": to_check(options, info, network, log),
        "network": network,
        "file_system_id": volume["file_system_id"] if volume else None,
    }
    if volume:
        plan.update(cleaner_of(options, info, volume, log, script=script, run_id=run_id))
    return plan
