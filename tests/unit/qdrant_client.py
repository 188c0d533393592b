"""qdrant_collections_info as Ansible runs it, against a small Qdrant over real HTTP."""

from __future__ import annotations

from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.modules.qdrant_collections_info import (
    main,
)
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock, Outcome, run_module
from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import (
    FakeQdrant,
    serve,
)

__all__ = ["KEY", "info", "points", "read", "store"]


KEY = "k3y-of-the-store"


def points(count: int, vector: Any = (0.1, 0.2)) -> dict[int | str, Any]:
    return {number: list(vector) if isinstance(vector, tuple) else vector for number in range(1, count + 1)}


def store(**options: Any) -> FakeQdrant:
    collections = options.pop("collections", None) or {"documents": points(24), "conversations": points(6)}
    return FakeQdrant(collections, **options)


def info(url: str, *, clock: FakeClock | None = None, check: bool = False, **args: Any) -> Outcome:
    return run_module(main, {"url": url, "use_proxy": False, **args}, clock=clock or FakeClock(), check=check)


def read(qdrant: FakeQdrant, **args: Any) -> Outcome:
    with serve(qdrant) as server:
        return info(server.url, **args)
