# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the variables of the role qdrant_awx, before anything is asked of a controller. Private. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._awx.surveys import KINDS

__all__ = ["NOTIFICATIONS", "faults_of", "has_secret"]

# What AWX refuses a notification without; what it has a default for is not here.
NOTIFICATIONS: dict[str, tuple[str, ...]] = {
    "slack": ("channels", "token"),
    "webhook": ("url", "headers"),
    "email": ("host", "port", "username", "password", "use_tls", "use_ssl", "sender", "recipients"),
}
_SECRETS = ("token", "password")
_PREFIX = "qdrant_awx_"
# What has no place in a list of names that is joined by commas, as AWX's filters take it.
_NAME = r"[^,\n]+"


def has_secret(notification: Mapping[str, Any]) -> bool:
    """Whether AWX hides a part of it, so that nobody can see if it is still the same."""
    return any((notification.get("configuration") or {}).get(name) for name in _SECRETS)


def faults_of(
    options: Mapping[str, Any],
    *,
    environments: Sequence[str],
    groups: Mapping[str, Sequence[str]],
    seconds: int,
    installed: bool,
) -> list[str]:
    """One sentence a fault, each with what to do."""
    if not installed:
        return [
            "The collection awx.awx is not installed where Ansible runs, and its modules are needed: run"
            " ansible-galaxy collection install awx.awx, and start this again."
        ]
    if options["state"] == "absent":
        return list(_names(options))
    return [
        *_names(options),
        *_source(options),
        *_environments(options, environments, groups),
        *_playbooks(options),
        *_times(options, seconds),
        *_notification(options),
        *_credentials(options),
    ]


def _names(options: Mapping[str, Any]) -> Iterable[str]:
    for name in ("prefix", "organization"):
        if not re.fullmatch(_NAME, str(options[name] or "")):
            yield f"{_PREFIX}{name} is {options[name]!r}: give a name without a comma."


def _source(options: Mapping[str, Any]) -> Iterable[str]:
    if not options["scm_url"]:
        yield f"{_PREFIX}scm_url is not set: give the address of the repository that has your playbooks and inventory."
    if options["execution_environment_image"] and not options["execution_environment"]:
        yield f"{_PREFIX}execution_environment_image is set, but no name: set {_PREFIX}execution_environment as well."
    if not str(options["schedule"] or "DTSTART").startswith("DTSTART"):
        yield (
            f"{_PREFIX}schedule is {options['schedule']!r}: AWX takes a rule such as DTSTART:20260101T030000Z"
            " RRULE:FREQ=DAILY;INTERVAL=1; empty, nothing is scheduled."
        )


def _environments(
    options: Mapping[str, Any], environments: Sequence[str], groups: Mapping[str, Sequence[str]]
) -> Iterable[str]:
    if not environments:
        yield (
            "There is no environment in the inventory but local, the sandbox: take one in, in"
            f" playbooks/inventory/hosts.yml, or set {_PREFIX}environments."
        )
    for name in environments:
        if not groups.get(name):
            yield f"{_PREFIX}environments has {name!r}, which is no group with hosts in this inventory: correct either."
    for name in options["protected"]:
        if name not in environments:
            known = ", ".join(environments) or "none"
            yield f"{_PREFIX}protected has {name!r}, but the environments are: {known}. Correct either."


def _playbooks(options: Mapping[str, Any]) -> Iterable[str]:
    for name in options["playbooks"]:
        if name not in KINDS:
            yield f"{_PREFIX}playbooks has {name!r}: use {', '.join(KINDS)}."


def _times(options: Mapping[str, Any], seconds: int) -> Iterable[str]:
    given, forks = int(options["job_timeout"]), int(options["forks"])
    if forks < 1:
        yield f"{_PREFIX}forks is {forks}: give a whole number of at least 1."
    # AWX takes 0 for no limit at all.
    if 0 < given < seconds:
        yield (
            f"{_PREFIX}job_timeout is {given}, but by the inventory's time-outs an unlock may take {seconds} s: AWX"
            f" would kill it in the middle. Set it to {seconds} or more."
        )


def _notification(options: Mapping[str, Any]) -> Iterable[str]:
    given = options["notification"]
    if not given:
        return
    kind = given.get("type")
    if kind not in NOTIFICATIONS:
        yield f"{_PREFIX}notification.type is {kind!r}: use {', '.join(NOTIFICATIONS)}."
        return
    lacking = [name for name in NOTIFICATIONS[kind] if name not in (given.get("configuration") or {})]
    if lacking:
        yield f"{_PREFIX}notification.configuration lacks {', '.join(lacking)}, without which AWX takes no {kind}."


def _credentials(options: Mapping[str, Any]) -> Iterable[str]:
    for row in options["new_credentials"]:
        kind, name = row.get("kind"), row.get("name")
        if kind not in ("aws", "key") or not re.fullmatch(_NAME, str(name or "")):
            yield f"{_PREFIX}new_credentials has kind {kind!r} and name {name!r}: give a name, and aws or key as kind."
