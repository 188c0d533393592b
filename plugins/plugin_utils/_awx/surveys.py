# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The questions that AWX asks before a job: their answers are the variables of the playbooks. Private. Pure.

No question has a secret as its default, and none is optional where an empty answer would mean something.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["KINDS", "survey"]

# The playbooks that become job templates, in the order in which an operator needs them.
KINDS = ("diagnose", "inspect", "unlock", "prevent")


def survey(kind: str, environments: Sequence[str], *, protected: bool) -> dict[str, Any]:
    """The survey of one template, in the form in which AWX stores it."""
    questions = [_environment(environments)]
    if protected and kind in ("unlock", "prevent"):
        questions.append(_confirm(environments))
    if kind == "unlock":
        questions += [_held_locks(), _when(), _takeover()]
    return {"name": "", "description": "", "spec": questions}


def _question(variable: str, name: str, description: str, **more: Any) -> dict[str, Any]:
    return {
        "variable": variable,
        "question_name": name,
        "question_description": description,
        "required": True,
        "type": "text",
        "default": "",
        "min": None,
        "max": None,
        **more,
    }


def _choice(variable: str, name: str, description: str, choices: Sequence[str], default: str) -> dict[str, Any]:
    more = {"type": "multiplechoice", "choices": list(choices), "default": default}
    return _question(variable, name, description, **more)


def _environment(environments: Sequence[str]) -> dict[str, Any]:
    # A default would be what a hurried operator starts by mistake; where there is no choice, it is none.
    default = environments[0] if len(environments) == 1 else ""
    return _choice(
        "env", "Environment", "The group of the inventory whose services are meant.", environments, default
    )  # fmt: skip


def _confirm(environments: Sequence[str]) -> dict[str, Any]:
    return _question(
        "confirm",
        "Name of the environment, once more",
        f"Type {' or '.join(environments)} to say that you mean it. Any other answer ends the job; nothing is changed.",
        min=1,
        max=128,
    )


def _held_locks() -> dict[str, Any]:
    return _choice(
        "qdrant_unlock_held_locks",
        "A lock that is still held",
        "wait: until it is let go, and fail if it is not. fail: at once. delete: remove it all the same, which can cost"
        " the data if its holder lives.",
        ["wait", "fail", "delete"],
        "wait",
    )


def _when() -> dict[str, Any]:
    return _choice(
        "qdrant_unlock_when",
        "A healthy service",
        "needed: leave it alone. always: stop, clear and start it as well.",
        ["needed", "always"],
        "needed",
    )


def _takeover() -> dict[str, Any]:
    return _choice(
        "qdrant_unlock_takeover",
        "Take over from another unlock",
        "true: only if you know that the job which has claimed the service is dead. It can be seen from no other job.",
        ["false", "true"],
        "false",
    )
