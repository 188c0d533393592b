# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the role qdrant_prevent, checked before anything acts. Private to wwhd.qdrant_ops. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.access_points import path_problem
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.draining import DELAY_LIMIT

__all__ = ["HEALTH_CHECK", "MEASURES", "faults_of_inputs", "normalised"]

PREFIX = "qdrant_prevent_"

# Which measures are on where nothing is said. What changes no running task, or only a definition that waits for your
# next deployment, is; a health check that fails has ECS replace the task, and an access point is no cure by itself.
MEASURES: Mapping[str, bool] = {
    "exclusive_rollout": True,
    "deregistration_delay": True,
    "autoscaling": True,
    "access_point": False,
    "stop_timeout": True,
    "entry_point": True,
    "health_check": False,
}
# In all ten minutes until a store that does not answer counts as dead: on EFS it may take minutes to open.
HEALTH_CHECK: Mapping[str, int] = {"port": 6333, "interval": 30, "timeout": 10, "retries": 10, "start_period": 300}

# What AWS takes (facts.md A.5 and I; the ECS API's HealthCheck).
_LIMITS = {"stop_timeout": (2, 120), "deregistration_delay": (0, DELAY_LIMIT)}
_CHECK_LIMITS = {
    "port": (1, 65535),
    "interval": (5, 300),
    "timeout": (2, 60),
    "retries": (1, 10),
    "start_period": (0, 300),
}
_POINT = ("name", "path", "uid", "gid", "mount")
_BOOLEAN = ("deploy", "protected", "accept_another_tree")
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d+")


def _number(value: Any) -> Any:
    text = str(value).strip()
    return int(text) if not isinstance(value, bool) and re.fullmatch(r"-?\d+", text) else value


def normalised(options: Mapping[str, Any]) -> dict[str, Any]:
    """The variables in their own types, with every default; `-e name=value` makes texts of them all. What cannot be
    converted stays as it is, for `faults_of_inputs` to name."""
    result = {name: value for name, value in options.items() if value is not None and value != ""}
    for name in _LIMITS:
        if name in result:
            result[name] = _number(result[name])
    for name in _BOOLEAN:
        if name in result:
            result[name] = boolean(result[name], strict=False)
    measures = result.get("measures", {})
    if isinstance(measures, Mapping):
        given = {str(name): _switch(value) for name, value in measures.items()}
        result["measures"] = {**MEASURES, **given}
    check = result.get("health_check", {})
    if isinstance(check, Mapping):
        result["health_check"] = {**HEALTH_CHECK, **{str(name): _number(value) for name, value in check.items()}}
    point = result.get("access_point", {})
    if isinstance(point, Mapping):
        given = {str(name): value for name, value in point.items() if value is not None and value != ""}
        given.update({name: _number(given[name]) for name in ("uid", "gid") if name in given})
        result["access_point"] = {**given, "mount": _switch(given.get("mount", False))}
    return result


def _switch(value: Any) -> Any:
    try:
        return boolean(value, strict=True)
    except TypeError:
        return value


def faults_of_inputs(
    options: Mapping[str, Any], *, given: Iterable[str], known: Iterable[str], where: str
) -> list[str]:
    """Every fault of the variables, one sentence each. `options` are without their prefix; `given` are the full names
    that are set anywhere, `known` those that the role has; `where` tells where to set a missing one."""
    known_names = sorted(known)
    options = normalised(options)
    faults = [_misspelt(name, known_names) for name in sorted(given) if name not in known_names]
    for name in ("region", "cluster", "service"):
        if not options.get(name):
            faults.append(f"{PREFIX}{name} is not set: set it, or qdrant_unlock_{name}, {where}.")
    region = str(options.get("region") or "")
    if region and not _REGION.fullmatch(region):
        faults.append(f"{PREFIX}region is {region!r}: give a region, such as us-west-2.")
    for check in (_limits, _measures, _health_check, _access_point, _entry_point):
        faults.extend(check(options))
    return faults


def _misspelt(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name[len(PREFIX) :], [other[len(PREFIX) :] for other in known], n=1)
    if near:
        return f"{name} is not a variable of this role: did you mean {PREFIX}{near[0]}?"
    return f"{name} is not a variable of this role: remove it (ansible-doc -t role wwhd.qdrant_ops.qdrant_prevent)."


def _range_fault(name: str, value: Any, limits: tuple[int, int]) -> Iterable[str]:
    low, high = limits
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        yield f"{PREFIX}{name} is {value!r}: give a whole number from {low} to {high}."


def _limits(options: Mapping[str, Any]) -> Iterable[str]:
    for name, limits in _LIMITS.items():
        if name in options:
            yield from _range_fault(name, options[name], limits)


def _unknown(name: str, given: Iterable[str], known: Iterable[str]) -> Iterable[str]:
    for key in sorted(set(given) - set(known)):
        yield f"{PREFIX}{name} has {key!r}, which it does not know: use {', '.join(known)}."


def _measures(options: Mapping[str, Any]) -> Iterable[str]:
    measures = options.get("measures", {})
    if not isinstance(measures, Mapping):
        yield f"{PREFIX}measures is {measures!r}: give a dictionary of measures and true or false."
        return
    yield from _unknown("measures", measures, MEASURES)
    for name, value in measures.items():
        if not isinstance(value, bool):
            yield f"{PREFIX}measures.{name} is {value!r}: give true or false."


def _health_check(options: Mapping[str, Any]) -> Iterable[str]:
    check = options.get("health_check", {})
    if not isinstance(check, Mapping):
        yield f"{PREFIX}health_check is {check!r}: give a dictionary of {', '.join(HEALTH_CHECK)}."
        return
    yield from _unknown("health_check", check, HEALTH_CHECK)
    for name, limits in _CHECK_LIMITS.items():
        yield from _range_fault(f"health_check.{name}", check.get(name), limits)


def _access_point(options: Mapping[str, Any]) -> Iterable[str]:
    point = options.get("access_point", {})
    if not isinstance(point, Mapping):
        yield f"{PREFIX}access_point is {point!r}: give a dictionary of {', '.join(_POINT)}."
        return
    yield from _unknown("access_point", point, _POINT)
    if not isinstance(point.get("mount"), bool):
        yield f"{PREFIX}access_point.mount is {point.get('mount')!r}: give true or false."
    problem = path_problem(str(point["path"])) if "path" in point else None
    if problem:
        yield f"{PREFIX}access_point.path: {problem}"
    if ("uid" in point) != ("gid" in point):
        yield f"{PREFIX}access_point has only one of uid and gid: give both, or none."
    for name in ("uid", "gid"):
        if name in point:
            yield from _range_fault(f"access_point.{name}", point[name], (0, 2**32 - 1))


def _entry_point(options: Mapping[str, Any]) -> Iterable[str]:
    value = options.get("entry_point", ["x"])
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(word, str) for word in value):
        yield f"{PREFIX}entry_point is {value!r}: give a list of words, such as [./qdrant]."
    elif not value:
        yield f"{PREFIX}entry_point is empty: give a list of words, such as [./qdrant]."
