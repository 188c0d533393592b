# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role's variables, checked before anything acts. Private to wwhd.qdrant_ops. Pure."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._health.expectations import parse_expectations
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._qdrant.expected import parse_expected
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.patterns import (
    faults_of_pattern,
    faults_of_prune_pattern,
)

__all__ = ["DEFAULT_TIMEOUTS", "faults_of_inputs", "normalised", "timeouts_of"]

PREFIX = "qdrant_unlock_"

# Seconds a phase may take. Quiesce: a drain of 300 s, a stop time-out of 120 s, and room (facts.md A.3).
DEFAULT_TIMEOUTS: dict[str, int] = {
    "quiesce": 900,
    "capacity": 180,
    "clean": 600,
    "redeploy": 900,
    "verify": 120,
}

# Fargate's sizes (facts.md B.4): MiB of memory by CPU units.
_MEMORY_BY_CPU: dict[int, Sequence[int]] = {
    256: (512, 1024, 2048),
    512: range(1024, 4097, 1024),
    1024: range(2048, 8193, 1024),
    2048: range(4096, 16385, 1024),
    4096: range(8192, 30721, 1024),
    8192: range(16384, 61441, 4096),
    16384: range(32768, 122881, 8192),
}

_FORMS: dict[str, tuple[str, str]] = {
    "region": (r"[a-z]{2}(-[a-z]+)+-\d+", "a region, such as us-west-2"),
    "cluster": (r"[A-Za-z0-9_-]{1,255}|arn:[^\s]+:cluster/[A-Za-z0-9_-]+", "the name or ARN of a cluster"),
    "service": (r"[A-Za-z0-9_-]{1,255}", "the name of a service"),
    "file_system_id": (r"fs-[0-9a-f]+", "an EFS file system's id, such as fs-0123456789abcdef0"),
    "access_point_id": (r"fsap-[0-9a-f]+", "an EFS access point's id, such as fsap-0123456789abcdef0"),
    "execution_role_arn": (r"arn:[^\s]+:role/[^\s]+", "the ARN of a role"),
    "task_role_arn": (r"arn:[^\s]+:role/[^\s]+", "the ARN of a role"),
    "family": (r"[A-Za-z0-9_-]{1,255}", "a task definition family: letters, digits, - and _"),
    "image": (r"[A-Za-z0-9][A-Za-z0-9._:/@-]*", "the name of a container image"),
    "task_definition": (
        r"[A-Za-z0-9_-]{1,255}(:[1-9]\d*)?|arn:[^\s]+:task-definition/[A-Za-z0-9_-]+:[1-9]\d*",
        "a task definition's family, family:revision or ARN",
    ),
    "log_group": (r"[A-Za-z0-9_/.#-]{1,512}", "the name of a log group"),
    "log_stream_prefix": (r"[^:*\s]{1,256}", "a log stream prefix"),
}
_LISTS: dict[str, tuple[str, str]] = {
    "subnets": (r"subnet-[0-9a-f]+", "subnet ids, such as subnet-0123456789abcdef0"),
    "security_groups": (r"sg-[0-9a-f]+", "security group ids, such as sg-0123456789abcdef0"),
    "guard_clusters": (r"all|[A-Za-z0-9_-]{1,255}|arn:[^\s]+", "names of clusters, or all"),
}


_WHOLE = ("desired_count", "held_timeout", "cpu", "memory", "health_successes")
_BOOLEAN = ("allow_many", "assign_public_ip", "protected", "takeover")


def _as_number(value: Any, kind: Callable[[str], Any]) -> Any:
    try:
        return kind(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _as_list(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.split(",") if value else []
    return [str(item) for item in value or []]


def normalised(options: Mapping[str, Any]) -> dict[str, Any]:
    """The variables in their own types: `-e name=value` on the command line makes texts of them all, and the text
    `false` must not count as true. What cannot be converted stays as it is, for `faults_of_inputs` to name."""
    result = {name: value for name, value in options.items() if value is not None and value != ""}
    for name in _WHOLE:
        if name in result:
            result[name] = _as_number(result[name], int)
    for name in _BOOLEAN:
        if name in result:
            result[name] = boolean(result[name], strict=False)
    for name in (*_LISTS, "lock_patterns", "prune_patterns"):
        if name in result:
            result[name] = _as_list(result[name])
    if isinstance(result.get("timeouts"), Mapping):
        result["timeouts"] = {name: _as_number(value, float) for name, value in result["timeouts"].items()}
    return result


def timeouts_of(options: Mapping[str, Any]) -> dict[str, float]:
    """The time-outs of a run: the inventory's over the defaults."""
    return {**DEFAULT_TIMEOUTS, **(options.get("timeouts") or {})}


def faults_of_inputs(
    options: Mapping[str, Any], *, given: Iterable[str], known: Mapping[str, Mapping[str, Any]], where: str
) -> list[str]:
    """Every fault of a role's variables, one sentence each.

    `options` are the variables without their prefix; `given` are the full names that are set anywhere, `known` what the
    role has, as the options of its argument specs; `where` tells the reader where to set a missing one.
    """
    raw, options = options, normalised(options)
    known_names = sorted(known)
    faults = [_misspelt(name, known_names) for name in sorted(given) if name not in known_names]
    for name in ("region", "cluster", "service"):
        if not options.get(name):
            faults.append(f"{PREFIX}{name} is not set: set it {where}.")
    for check in (_forms, _images, _lists, _numbers, _size, _urls, _verification, _scan_path, _timeouts):
        faults.extend(check(options))
    patterns = options.get("lock_patterns", [])
    if not patterns:
        faults.append(f"{PREFIX}lock_patterns is empty: name the lock files, such as LOCK.")
    for pattern in patterns:
        faults.extend(faults_of_pattern(pattern))
    for pattern in options.get("prune_patterns", []):
        faults.extend(faults_of_prune_pattern(pattern))
    return [*faults, *_unfit(raw, known, told=" ".join(faults))]


def _unfit(options: Mapping[str, Any], known: Mapping[str, Mapping[str, Any]], *, told: str) -> Iterable[str]:
    """What the argument specs speak against, and no better sentence in `told` does."""
    for name, spec in known.items():
        option = name[len(PREFIX) :]
        if option not in options or re.search(rf"\b{name}\b", told):
            continue
        value = options[option]
        if value is None:
            # `name:` with nothing behind it is not the default: the role's conditions compare what is there.
            if "choices" in spec:
                yield f"{name} is empty: give one of {', '.join(spec['choices'])}, or leave it out."
            continue
        asked = {key: spec[key] for key in ("type", "elements", "choices") if key in spec}
        # Plain: the validator copies both deeply, Ansible's own containers with all that they are templated by.
        asked, value = json.loads(json.dumps([asked, value], default=str))
        wrong = ArgumentSpecValidator({name: asked}).validate({name: value}).error_messages
        if wrong:
            yield f"{'; '.join(wrong)}."


def _misspelt(name: str, known: Sequence[str]) -> str:
    # Compared without the prefix, which would make any two names look alike.
    near = difflib.get_close_matches(name[len(PREFIX) :], [other[len(PREFIX) :] for other in known], n=1)
    if near:
        return f"{name} is not a variable of this role: did you mean {PREFIX}{near[0]}?"
    return f"{name} is not a variable of this role: remove it, or see the role's README for the names that there are."


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _forms(options: Mapping[str, Any]) -> Iterable[str]:
    for name, (form, wanted) in _FORMS.items():
        value = options.get(name)
        if value and not re.fullmatch(form, str(value)):
            yield f"{PREFIX}{name} is {str(value)!r}: give {wanted}."


def _images(options: Mapping[str, Any]) -> Iterable[str]:
    images = options.get("images") or {}
    if not isinstance(images, Mapping):
        yield (
            f"{PREFIX}images is {images!r}: give a dictionary of containers and their images; on the command line as"
            f""" -e '{{"{PREFIX}images": {{"my-container": "my/image:2"}}}}'."""
        )
        return
    for name, image in images.items():
        if not isinstance(image, str) or not re.fullmatch(_FORMS["image"][0], image):
            yield f"{PREFIX}images has {image!r} for container {name}: give {_FORMS['image'][1]}."


def _lists(options: Mapping[str, Any]) -> Iterable[str]:
    for name, (form, wanted) in _LISTS.items():
        for value in options.get(name, ()):
            if not re.fullmatch(form, value):
                yield f"{PREFIX}{name} has {value!r}: give {wanted}."


def _numbers(options: Mapping[str, Any]) -> Iterable[str]:
    for name, least in (("held_timeout", 0), ("desired_count", 1), ("health_successes", 1)):
        value = options.get(name)
        if value is not None and (not _is_whole(value) or value < least):
            yield f"{PREFIX}{name} is {value!r}: give a whole number of at least {least}."


def _timeouts(options: Mapping[str, Any]) -> Iterable[str]:
    given = options.get("timeouts") or {}
    if not isinstance(given, Mapping):
        yield f"{PREFIX}timeouts is {given!r}: give a dictionary of phases and seconds."
        return
    names = ", ".join(sorted(DEFAULT_TIMEOUTS))
    for name, value in sorted(given.items()):
        if name not in DEFAULT_TIMEOUTS:
            yield f"{PREFIX}timeouts has {name!r}, which is no phase with a time-out: use {names}."
        elif isinstance(value, bool) or not isinstance(value, (int, float)) or value <= 0:
            yield f"{PREFIX}timeouts.{name} is {value!r}: give seconds, more than 0."


def _size(options: Mapping[str, Any]) -> Iterable[str]:
    cpu, memory = options.get("cpu"), options.get("memory")
    if cpu is None or memory is None:
        return
    if not (_is_whole(cpu) and _is_whole(memory) and cpu in _MEMORY_BY_CPU):
        sizes = ", ".join(str(size) for size in _MEMORY_BY_CPU)
        yield f"{PREFIX}cpu is {cpu!r} and {PREFIX}memory {memory!r}: Fargate has {sizes} CPU units and memory in MiB."
    elif memory not in _MEMORY_BY_CPU[cpu]:
        sizes = ", ".join(str(size) for size in _MEMORY_BY_CPU[cpu])
        yield f"{PREFIX}memory is {memory}: with {cpu} CPU units Fargate has {sizes} MiB."


def _urls(options: Mapping[str, Any]) -> Iterable[str]:
    for name in ("health_url", "qdrant_url"):
        value = options.get(name)
        if not value:
            continue
        try:
            parts = urlsplit(str(value))
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            good = False
        if not good:
            yield f"{PREFIX}{name} is not an address: give it in full, such as http://example.org:6333/health."


def _verification(options: Mapping[str, Any]) -> Iterable[str]:
    """What would otherwise be found wrong by the modules at the end, when the service has been stopped and started."""
    parsers: dict[str, Callable[[Any], object]] = {
        "health_json": parse_expectations,
        "expected_collections": lambda wanted: parse_expected(wanted, exact=True),
    }
    for name, parse in parsers.items():
        try:
            parse(options.get(name) or {})
        except OperationFailed as error:
            yield f"{PREFIX}{name} is wrong: {error}"
        except (AttributeError, TypeError):
            yield f"{PREFIX}{name} is {options.get(name)!r}: give a dictionary."


def _scan_path(options: Mapping[str, Any]) -> Iterable[str]:
    path = str(options.get("scan_path") or "")
    if not path.startswith("/") or ".." in path.split("/") or not path.isprintable():
        yield f"{PREFIX}scan_path is {path!r}: give an absolute path in the volume, without .., such as /collections."
