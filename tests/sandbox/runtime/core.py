from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from sandbox.runtime.container import Container
from sandbox.runtime.spec import ContainerSpec


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Runtime:
    isolation: str = "path"
    notes: tuple[str, ...] = ()

    def __init__(self, *, isolation: Literal["auto", "namespace", "path"], workdir: Path, speed: float) -> None:
        raise NotImplementedError

    def pull(self, image: str) -> None:
        raise NotImplementedError

    def run(self, spec: ContainerSpec, on_line: Callable[[str, float], None]) -> Container:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
