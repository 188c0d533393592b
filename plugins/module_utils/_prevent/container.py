# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the store's container is to have so that it ends, and is judged, well. Private to wwhd.qdrant_ops. Pure.

Containers are as ecs_service_info returns them: snake_case, with `environment_names` in the place of the environment.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._prevent.measure import Measure

__all__ = ["choose_container", "entry_point", "health_check", "health_command", "stop_timeout"]

# Fargate's, where the definition says nothing (facts.md A.5).
_DEFAULT_STOP = 30
_ENTRY_SCRIPT = "entrypoint.sh"
# Only with the image's own entry point does Qdrant start again in recovery mode after it was killed (facts.md F.7).
_RECOVERY = "QDRANT_ALLOW_RECOVERY_MODE"
# With one of these, a plain request to 127.0.0.1 may get no answer from a store that is well.
_ELSEWHERE = ("QDRANT__SERVICE__ENABLE_TLS", "QDRANT__SERVICE__HOST")
_PORT = "QDRANT__SERVICE__HTTP_PORT"
_NOT_IN_THE_IMAGE = re.compile(r"\b(curl|wget)\b")


def choose_container(
    options: Mapping[str, Any], definition: Mapping[str, Any], volume: Mapping[str, Any] | None
) -> tuple[Mapping[str, Any] | None, str | None]:
    """The container that runs Qdrant, or a sentence why nobody can tell."""
    containers = list(definition.get("container_definitions") or [])
    wanted = options.get("container")
    names = ", ".join(str(container.get("name")) for container in containers)
    if wanted:
        found = next((one for one in containers if one.get("name") == wanted), None)
        return found, None if found else (
            f"The task definition has no container {wanted} (it has {names}): correct qdrant_prevent_container."
        )
    mounting = {entry["name"] for entry in (volume or {}).get("containers", [])}
    likely = [c for c in containers if c.get("name") in mounting and "qdrant" in str(c.get("image"))]
    if len(likely) == 1:
        return likely[0], None
    return None, (
        f"It cannot be told which container runs Qdrant (the task definition has {names}): set"
        " qdrant_prevent_container."
    )


def stop_timeout(container: Mapping[str, Any], seconds: int) -> tuple[Measure, dict[str, Any]]:
    """How long the container may take to end before it is killed, and what is to be amended for it."""
    now = container.get("stop_timeout")
    was = f"{now} s" if now is not None else f"{_DEFAULT_STOP} s (Fargate's default)"
    if (now or _DEFAULT_STOP) >= seconds:
        return Measure.keep("stop_timeout", was), {}
    return Measure.change("stop_timeout", was, f"{seconds} s", deployment=True), {"stop_timeout": seconds}


def entry_point(container: Mapping[str, Any], wanted: Sequence[str]) -> tuple[Measure, dict[str, Any]]:
    """Whether SIGTERM reaches Qdrant. The image's script stays process 1, ends at once and takes Qdrant with it."""
    own = [str(word) for word in container.get("entry_point") or []]
    command = [str(word) for word in container.get("command") or []]
    words = [*own, *command]
    was = " ".join(words) if words else f"the image's own ({_ENTRY_SCRIPT})"
    if own == list(wanted):
        return Measure.keep("entry_point", was), {}
    if _RECOVERY in _names(container):
        why = f"{_RECOVERY} is set, which works with the image's own entry point only"
        return Measure.leave("entry_point", was, why), {}
    if own and _reaches_qdrant(own):
        return Measure.keep("entry_point", was), {}
    # The image's own script, alone, is what the wanted entry point stands for; whatever else is said has a reason.
    if not words or (len(words) == 1 and words[0].rsplit("/", 1)[-1] == _ENTRY_SCRIPT):
        told = " ".join(wanted)
        return Measure.change("entry_point", was, told, deployment=True), {"entry_point": list(wanted)}
    why = "the definition starts it in a way of its own: see to it that it ends in exec ./qdrant"
    return Measure.leave("entry_point", was, why), {}


def _reaches_qdrant(words: Sequence[str]) -> bool:
    """Whether Qdrant itself becomes process 1: it is started directly, or by a shell that execs it."""
    text = " ".join(words)
    return words[0].rsplit("/", 1)[-1] == "qdrant" or re.search(r"\bexec\s+\S*qdrant\b", text) is not None


def health_command(port: int) -> list[str]:
    """A request to /readyz by bash alone: the image has neither curl nor wget (facts.md F.8)."""
    request = r"GET /readyz HTTP/1.0\r\n\r\n"
    script = f'exec 3<>/dev/tcp/127.0.0.1/{port} && printf "{request}" >&3 && grep -q "200 OK" <&3'
    return ["CMD-SHELL", f"bash -c '{script}'"]


def health_check(container: Mapping[str, Any], wanted: Mapping[str, int]) -> tuple[Measure, dict[str, Any]]:
    """A health check that works in Qdrant's image. One that can work already is its owner's to judge."""
    now = container.get("health_check") or {}
    command = [str(word) for word in now.get("command") or []]
    none = not command or command == ["NONE"]
    was = "none" if none else " ".join(command)
    if not none and not _NOT_IN_THE_IMAGE.search(was):
        return Measure.keep("health_check", was), {}
    names = _names(container)
    for name in (*_ELSEWHERE, *((_PORT,) if wanted["port"] == 6333 else ())):
        if name in names:
            advice = "set qdrant_prevent_health_check.port" if name == _PORT else "write a health check of your own"
            return Measure.leave("health_check", was, f"{name} is set: {advice}"), {}
    check = {"command": health_command(wanted["port"])}
    times = {name: wanted[name] for name in ("interval", "timeout", "retries", "start_period")}
    told = f"/readyz on port {wanted['port']}, by bash"
    return Measure.change("health_check", was, told, deployment=True), {"health_check": {**check, **times}}


def _names(container: Mapping[str, Any]) -> set[str]:
    secrets = {str(entry.get("name")) for entry in container.get("secrets") or []}
    return {str(name) for name in container.get("environment_names") or []} | secrets
