# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which image names exist, and what a container of each of them runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sandbox.runtime.spec import PullError

Kind = Literal["alpine", "debian", "qdrant", "backend"]

_NEWEST_QDRANT = "1.15.1"
_SHELLS = frozenset({"sh", "bash", "dash", "ash"})
_RUNS_QDRANT = re.compile(r"(^|[\s;&|])(\./|/qdrant/)?(qdrant|entrypoint\.sh)(\s|;|$)")
_PATTERNS: tuple[tuple[re.Pattern[str], Kind], ...] = (
    (re.compile(r"(^|/)(alpine|busybox)$"), "alpine"),
    (re.compile(r"(^|/)(debian|ubuntu)$"), "debian"),
    (re.compile(r"(^|/)qdrant/qdrant$"), "qdrant"),
    (re.compile(r"(^|/)wwhd[-/]backend[^/]*$"), "backend"),
)


@dataclass(frozen=True)
class Image:
    """An image that can be pulled. ``version`` is Qdrant's, and empty for the others."""

    reference: str
    kind: Kind
    version: str = ""


def resolve(image: str) -> Image:
    """The image of that name; PullError with AWS's text when there is none."""
    repository, tag = _split(image)
    reference = f"{_with_registry(repository)}:{tag}"
    kind = next((kind for pattern, kind in _PATTERNS if pattern.search(repository)), None)
    if kind is None:
        raise PullError(pull_failure("denied", image))
    if tag == "missing":
        raise PullError(pull_failure("missing", image))
    return Image(reference=reference, kind=kind, version=_qdrant_version(tag) if kind == "qdrant" else "")


def pull_failure(variant: str, image: str) -> str:
    """AWS's text for an image that cannot be had (facts A.7, 11 to 16)."""
    repository, tag = _split(image)
    registry = _with_registry(repository)
    reference = f"{registry}:{tag}"
    retried = "CannotPullContainerError: pull image manifest has been retried {} time(s): "
    host = registry.split("/", 1)[0]
    no_route = (
        f"The task cannot pull '{reference}' from the Amazon ECR repository '{registry}'. There is a connection issue "
        "between the task and Amazon ECR. Check your task network configuration."
        if ".dkr.ecr." in host
        else f"{retried.format(7)}failed to resolve ref {reference}: failed to do request: Head "
        f'"https://{host}/v2/{registry.split("/", 1)[1]}/manifests/{tag}": dial tcp 192.0.2.1:443: i/o timeout'
    )
    return {
        "denied": f"{retried.format(1)}failed to resolve ref {reference}: pull access denied, repository does not "
        "exist or may require authorization: server message: insufficient_scope: authorization failed",
        "missing": f"{retried.format(7)}failed to resolve ref {reference}: {reference}: not found",
        "platform": f"{retried.format(7)}image Manifest does not contain descriptor matching platform 'linux/amd64'",
        "rate_limit": "CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: "
        f"httpReaderSeeker: failed open: unexpected status code https://{host}/v2/{registry.split('/', 1)[1]}/"
        f"manifests/{tag}: 429 Too Many Requests - Server message: toomanyrequests: You have reached your "
        "unauthenticated pull rate limit. You may increase the limit by authenticating and upgrading.",
        "no_route": no_route,
    }[variant]


def runs_server(image: Image, argv: Sequence[str]) -> bool:
    """Whether the container (entry point and command in one) is the image's own server, and not a tool in it."""
    name = argv[0].rsplit("/", 1)[-1] if argv else ""
    if image.kind == "qdrant":
        own = not argv or name in {"qdrant", "entrypoint.sh"} or name.startswith("-")
        return own or (name in _SHELLS and _RUNS_QDRANT.search(argv[-1]) is not None)
    if image.kind == "backend":
        return name not in _SHELLS or any(server in " ".join(argv) for server in ("uvicorn", "gunicorn", "python"))
    return False


def stops_gracefully(argv: Sequence[str]) -> bool:
    """Whether Qdrant itself is PID 1 (``./qdrant`` or a shell that execs it), so that SIGTERM reaches it.

    The official entrypoint.sh stays PID 1 and dies of the signal, which takes Qdrant down without a flush.
    """
    return bool(argv) and not argv[0].startswith("-") and "entrypoint.sh" not in " ".join(argv)


def _split(image: str) -> tuple[str, str]:
    name = image.split("@", 1)[0]
    head, colon, tag = name.rpartition(":")
    if colon and "/" not in tag:
        return head, tag
    return name, "latest"


def _with_registry(repository: str) -> str:
    first, slash, _rest = repository.partition("/")
    if not slash:
        return f"docker.io/library/{repository}"
    if "." in first or ":" in first or first == "localhost":
        return repository
    return f"docker.io/{repository}"


def _qdrant_version(tag: str) -> str:
    found = re.match(r"v?(\d+\.\d+\.\d+)", tag)
    return found.group(1) if found else _NEWEST_QDRANT


__all__ = ["Image", "Kind", "pull_failure", "resolve", "runs_server", "stops_gracefully"]
