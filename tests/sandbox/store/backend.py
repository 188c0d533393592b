# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's container: ``python -m sandbox.store.backend``.

Answers ``/health``, passes every other path on to the store, and holds the lock of its local vector cache.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from sandbox.forwarding import Answer, Handler, RefusedError, Server, SlowError, fetch
from sandbox.store import flocks, layout, settings, texts

_PORT = 8000
_STORE_PORT = 6333
_JSON = (("content-type", "application/json"),)
_READY_TIMEOUT = 2.0
_FORWARD_TIMEOUT = 30.0
# AWS seconds between two looks at the store, and real ones that they take at least.
_POLL, _LEAST_POLL = 0.5, 0.05


class _Handler(Handler):
    def respond(self, body: bytes) -> Answer:
        assert isinstance(self.server, Server)
        store: tuple[str, int] = self.server.owner
        if self.path.split("?", 1)[0] == "/health":
            ready = store_ready(store)
            content = {"status": "healthy" if ready else "unhealthy", "qdrant": "ok" if ready else "unreachable"}
            return Answer(200 if ready else 503, _JSON, json.dumps(content).encode())
        try:
            return fetch(
                store,
                method=self.command,
                path=self.path,
                headers=self.headers.items(),
                body=body,
                timeout=_FORWARD_TIMEOUT,
            )
        except (RefusedError, SlowError) as error:
            return Answer(502, _JSON, json.dumps({"detail": f"The vector store is unreachable: {error}"}).encode())


def store_ready(store: tuple[str, int]) -> bool:
    """Whether the store answers /readyz with 200."""
    try:
        return fetch(store, method="GET", path="/readyz", timeout=_READY_TIMEOUT).status == 200
    except (RefusedError, SlowError):
        return False


def take_cache(folder: Path, shown: str) -> int:
    """Hold the cache's lock file with both kinds of lock; its descriptor. RuntimeError with qdrant-client's text."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / layout.CLIENT_LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise RuntimeError(texts.client_held(shown)) from error
    if not flocks.flock(descriptor):
        raise RuntimeError(texts.client_held(shown))
    if not os.fstat(descriptor).st_size:
        os.write(descriptor, layout.CLIENT_LOCK_TEXT.encode())
    return descriptor


def main() -> int:
    told = settings.read()
    stop = threading.Event()

    def on_term(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_term)
    store = ("127.0.0.1", told.port(_STORE_PORT))
    server = Server(told.port(_PORT), _Handler, store)
    threading.Thread(target=server.serve, daemon=True).start()
    print(f"INFO:     Uvicorn running on http://0.0.0.0:{_PORT} (Press CTRL+C to quit)", flush=True)
    # The cache is opened once the store answers: a store that cannot start shows its own error, and not this one's.
    while not store_ready(store):
        if stop.wait(max(_POLL / told.speed, _LEAST_POLL)):
            return 0
    shown = f"{(told.mounts or ('/data',))[0].rstrip('/')}/{layout.CLIENT_CACHE}"
    try:
        take_cache(told.root / shown.lstrip("/"), shown)
    except RuntimeError as error:
        print("Traceback (most recent call last):", flush=True)
        print(f"RuntimeError: {error}", flush=True)
        return 1
    print("INFO:     Application startup complete.", flush=True)
    stop.wait()
    print("INFO:     Shutting down", flush=True)
    server.shutdown()
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)
