"""What more than one file of tests over HTTP needs."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def no_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names end as where no resolver knows them; a machine without a network may take longer to say so than tests."""
    real = socket.getaddrinfo

    def resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
        if str(host).endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # pytest reads this file before pytest-ansible has made the collection importable.
    from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import self_signed  # noqa: PLC0415

    return self_signed(tmp_path_factory.mktemp("tls"))
