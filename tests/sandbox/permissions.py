# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Holds the collection's calls against the policies of docs/iam: none may be missing, none may be there for nothing.

A new call is one more action in a policy; nothing here names the calls. Only `_RENAMED`, `_IMPLIED` and `_PREFIXES` say
where an API operation and an IAM action have different names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sandbox.client import CHECKOUT, Sandbox

POLICIES = CHECKOUT / "docs" / "iam"
OPERATOR, READ_ONLY, INSPECT = "operator", "operator-read-only", "inspect"
# Of a playbook that stands beside the ladder: what it calls is held against this one alone.
PREVENT = "prevent"
# Each holds all of the one before: whoever may unlock may also look.
LADDER = (READ_ONLY, INSPECT, OPERATOR)

_PREFIXES = {"elbv2": "elasticloadbalancing", "efs": "elasticfilesystem"}
_RENAMED: dict[tuple[str, str], str] = {}
# What AWS asks for beside the action of the operation's own name.
_IMPLIED: dict[tuple[str, str], Callable[[Mapping[str, Any]], list[str]]] = {
    ("ecs", "RegisterTaskDefinition"): lambda params: [
        *(["iam:PassRole"] if _roles(params) else []),
        *(["ecs:TagResource"] if params.get("tags") else []),
    ],
    ("efs", "CreateAccessPoint"): lambda params: ["elasticfilesystem:TagResource"] if params.get("Tags") else [],
    # The definition that is run has roles; a definition without any would need none.
    ("ecs", "RunTask"): lambda _params: ["iam:PassRole"],
}
# amazon.aws gives this agent to its own modules and, through AnsibleAWSModule, to ours; boto3 and the CLI have others.
_AGENT = "APN/1.0 Ansible/"


def _roles(params: Mapping[str, Any]) -> list[str]:
    return [str(params[name]) for name in ("executionRoleArn", "taskRoleArn") if params.get(name)]


def is_ours(call: Mapping[str, Any]) -> bool:
    """Whether a module of Ansible made the call, rather than a test or an operator's own client."""
    return str(call["user_agent"]).startswith(_AGENT)


def actions_of(call: Mapping[str, Any]) -> list[str]:
    """The IAM actions that AWS would want for a logged call."""
    service, operation = str(call["service"]), str(call["operation"])
    own = _RENAMED.get((service, operation), f"{_PREFIXES.get(service, service)}:{operation}")
    implied = _IMPLIED.get((service, operation))
    return [own, *(implied(call.get("params") or {}) if implied else [])]


def statements(policy: str, folder: Path = POLICIES) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / f"{policy}.json").read_text())["Statement"]
    return found


def listed(value: Any) -> list[str]:
    """An element of a policy that may be one text or a list of them."""
    return [value] if isinstance(value, str) else list(value)


@lru_cache
def allowed(policy: str) -> frozenset[str]:
    """The actions that a policy allows, each by its full name; test_iam_policies.py sees to it that there is no `*`."""
    return frozenset(action for statement in statements(policy) for action in listed(statement["Action"]))


def policy_for(playbook: str, words: Iterable[str]) -> str:
    """The least policy that must do for `ansible-playbook playbooks/<playbook>.yml <words>`."""
    if playbook == "prevent":
        return PREVENT
    given = " ".join(words)
    if playbook == "diagnose" or "--check" in given:
        return READ_ONLY
    return INSPECT if playbook == "inspect" or "qdrant_unlock_mode=inspect" in given else OPERATOR


def judges(mode: str) -> tuple[str, ...]:
    """The policies that must allow what is called under this one: those above it on the ladder, or it alone."""
    return LADDER[LADDER.index(mode) :] if mode in LADDER else (mode,)


class Ledger:
    """What was called under which policy, in this process; xdist's controller adds up those of its workers."""

    def __init__(self) -> None:
        self.used: dict[str, set[str]] = {}
        self.lacking: list[str] = []
        self._mode = OPERATOR
        self._watched: Sandbox | None = None
        self._read = 0

    def watch(self, sandbox: Sandbox) -> None:
        """From now on the calls of this sandbox count; its log is empty."""
        self._watched, self._read = sandbox, 0

    def harvest(self) -> None:
        """Enters what the log has got since the last look. Before a reset, or the log is gone."""
        if self._watched is None:
            return
        calls = self._watched.calls()
        for call in filter(is_ours, calls[self._read :]):
            self.enter(call, mode=self._mode)
        self._read = len(calls)

    def rewind(self) -> None:
        """The watched log was emptied."""
        self._read = 0

    def enter(self, call: Mapping[str, Any], *, mode: str) -> None:
        for action in actions_of(call):
            for policy in judges(mode):
                self.used.setdefault(policy, set()).add(action)
                if action not in allowed(policy):
                    fault = f"{call['service']}:{call['operation']} needs {action}, which docs/iam/{policy}.json lacks"
                    if fault not in self.lacking:
                        self.lacking.append(fault)

    @contextmanager
    def under(self, policy: str) -> Iterator[None]:
        """What is called meanwhile is judged by this policy."""
        self.harvest()
        before, self._mode = self._mode, policy
        try:
            yield
        finally:
            self.harvest()
            self._mode = before

    def close(self) -> list[str]:
        """Ends a test: what its policy lacked, in sentences."""
        self.harvest()
        faults, self.lacking, self._watched = self.lacking, [], None
        return faults

    def as_data(self) -> dict[str, list[str]]:
        return {policy: sorted(actions) for policy, actions in self.used.items()}

    def add(self, data: Mapping[str, Iterable[str]]) -> None:
        for policy, actions in data.items():
            self.used.setdefault(policy, set()).update(actions)

    def unused(self) -> list[str]:
        """What a policy allows and no test has called, in sentences."""
        return [
            f"docs/iam/{policy}.json allows {action}, which nothing has called"
            for policy in (*LADDER, PREVENT)
            for action in sorted(allowed(policy) - self.used.get(policy, set()))
        ]


LEDGER = Ledger()

__all__ = [
    "INSPECT",
    "LADDER",
    "LEDGER",
    "OPERATOR",
    "POLICIES",
    "PREVENT",
    "READ_ONLY",
    "Ledger",
    "actions_of",
    "allowed",
    "is_ours",
    "judges",
    "listed",
    "policy_for",
    "statements",
]
