# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The qdrant container: ``python -m sandbox.store.server``.

Loads every collection, then listens. Exits 101 with Qdrant's panic when a collection cannot be loaded.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from sandbox.forwarding import Answer, Handler, Server
from sandbox.store import settings, texts

_PORT = 6333
_STORAGE = Path("storage")
# Beside the storage, where Qdrant has it by default: it goes with the container.
_SNAPSHOTS = Path("snapshots")
_CHECKSUMS_SINCE = (1, 8, 0)
_PANIC = 101
_KILLED_BY_ENTRYPOINT = 143


class _Handler(Handler):
    def respond(self, body: bytes) -> Answer:
        assert isinstance(self.server, Server)
        answer: Answer = self.server.owner.answer(self.command, self.path, self.headers, body)
        return answer


def main() -> int:
    told = settings.read()
    stop = threading.Event()

    def on_term(_number: int, _frame: FrameType | None) -> None:
        if not told.graceful:
            # The official entrypoint.sh is PID 1 and dies of the signal; Qdrant dies with it, unflushed (facts F.8).
            os._exit(_KILLED_BY_ENTRYPOINT)
        stop.set()

    signal.signal(signal.SIGTERM, on_term)
    version = ".".join(map(str, told.version))
    print(f"Version: {version}, build: sandbox", flush=True)
    _say("INFO", "storage::content_manager::consensus::persistent", "Loading raft state from ./storage/raft_state.json")
    _STORAGE.mkdir(exist_ok=True)

    from sandbox.store.api import Api  # noqa: PLC0415  (after the handler: a stop may come while the engine is imported)
    from sandbox.store.engine import Engine, LoadError  # noqa: PLC0415
    from sandbox.store.snapshot_api import SnapshotApi  # noqa: PLC0415
    from sandbox.store.snapshots import Snapshots  # noqa: PLC0415

    engine = Engine()
    try:
        engine.load(_STORAGE)
    except LoadError as error:
        _say("ERROR", "qdrant::startup", str(error))
        return _PANIC
    for name in engine.collections:
        _say("INFO", "storage::content_manager::toc", f"Loading collection: {name}")
    if stop.wait(told.load_seconds):
        engine.close()
        return 0
    snapshots = Snapshots(engine, storage=_STORAGE, folder=_SNAPSHOTS, checksums=told.version >= _CHECKSUMS_SINCE)
    answers = SnapshotApi(engine, snapshots)
    api = Api(engine, version=told.version, api_key=told.api_key, snapshots=answers)
    server = Server(told.port(_PORT), _Handler, api)
    threading.Thread(target=server.serve, daemon=True).start()
    _say("INFO", "qdrant::actix", f"Qdrant HTTP listening on {_PORT}")
    stop.wait()
    server.shutdown()
    engine.close()
    _say("INFO", "qdrant", "Stopped gracefully")
    return 0


def _say(level: str, target: str, text: str) -> None:
    print(texts.log(level, target, text), flush=True)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Not sys.exit: the engines' own threads may outlive the interpreter, and there is nothing left to do.
    os._exit(code)
