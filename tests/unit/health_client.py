"""http_health as Ansible runs it, against a server that answers by a script."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.modules.http_health import (
    main,
)
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, Outcome, run_module
from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import (
    Reply,
    SmallServer,
    serve,
)

__all__ = ["DOWN", "OK", "ask", "health", "script"]


OK = Reply(200, {"status": "healthy"})


DOWN = Reply(503, "no healthy target")


def health(url: str, *, clock: FakeClock | None = None, check: bool = False, **args: Any) -> Outcome:
    return run_module(main, {"url": url, "use_proxy": False, **args}, clock=clock or FakeClock(), check=check)


def script(*replies: Reply) -> Any:
    """Answers with each reply in turn, and for ever with the last."""
    rest = list(replies)
    return lambda asked: rest.pop(0) if len(rest) > 1 else rest[0]


def ask(replies: Iterable[Reply], **args: Any) -> tuple[Outcome, SmallServer]:
    with serve(script(*replies)) as server:
        return health(f"{server.url}/health", **args), server
