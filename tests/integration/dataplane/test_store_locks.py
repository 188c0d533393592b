# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who holds a lock keeps a store out, and nothing but a holder does."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import store
from sandbox.runtime import ContainerSpec, Mount, Runtime

from .conftest import WAIT, Output, Service, Task, answers, call, runtime_of, stop, until

COUNTS = {"documents": 240, "conversations": 60}
PANIC = re.compile(
    r"ERROR qdrant::startup: Panic occurred in file /qdrant/lib/collection/src/shards/replica_set/mod\.rs at line 261: "
    r'Failed to load local shard "\./storage/collections/(\w+)/0": Service internal error: RocksDB open error: '
    r"IO error: While lock file: \./storage/collections/\1/0/segments/[0-9a-f-]{36}/(payload_index/)?LOCK: "
    r"Resource temporarily unavailable$"
)


@pytest.fixture
def stale(storage: Path) -> Iterator[list[store.StaleLock]]:
    """All the store's locks, held by a dead host's lease."""
    locks = store.hold_stale(store.lock_files(storage), seconds=60)
    yield locks
    for lock in locks:
        lock.release()


def counts(task: Task) -> dict[str, int]:
    """The exact counts, through the load balancer's way in."""
    names = [one["name"] for one in call(task.fastapi_port, "/collections").json["result"]["collections"]]
    return {name: points(task, name) for name in names}


def points(task: Task, name: str) -> int:
    answer = call(task.fastapi_port, f"/collections/{name}/points/count", {"exact": True})
    return int(answer.json["result"]["count"])


def insert(task: Task, number: int) -> None:
    body = {"points": [{"id": number, "vector": [0.5] * 8, "payload": {"new": True}}]}
    assert call(task.qdrant_port, "/collections/documents/points?wait=true", body, method="PUT").status == 200


def flock_probe(path: Path) -> bool:
    """Whether a cleaner's probe, an flock on an open descriptor, finds the file held."""
    return subprocess.run(["flock", "-n", str(path), "true"], check=False, timeout=WAIT).returncode == 1


def fcntl_probe(path: Path) -> bool:
    """Whether another process's POSIX lock on the file is refused."""
    script = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    tried = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False, timeout=WAIT
    )
    assert tried.returncode == 0 or "BlockingIOError" in tried.stderr, tried.stderr
    return tried.returncode != 0


def test_seed_lays_the_files_out_as_qdrant_does(storage: Path) -> None:
    locks = [str(path.relative_to(storage)) for path in store.lock_files(storage)]
    shapes = sorted(re.sub(r"[0-9a-f-]{36}", "UUID", name) for name in locks)
    assert shapes == [
        "client_cache/.lock",
        "collections/conversations/0/segments/UUID/LOCK",
        "collections/conversations/0/segments/UUID/payload_index/LOCK",
        "collections/documents/0/segments/UUID/LOCK",
        "collections/documents/0/segments/UUID/payload_index/LOCK",
    ]
    for lock in store.lock_files(storage)[1:]:
        assert lock.stat().st_size == 0
        assert list(lock.parent.glob("*.sst")), f"no table beside {lock}"
        assert list(lock.parent.glob("MANIFEST-*")), f"no manifest beside {lock}"
    for name in (
        "raft_state.json",
        "aliases/data.json",
        "wwhd_v3.db",
        "app.db",
        "collections/documents/0/wal/first-index",
    ):
        assert (storage / name).is_file(), name
    assert (storage / "client_cache" / ".lock").read_text() == "tmp lock file"


def test_lock_files_leaves_out_what_only_looks_like_one(storage: Path) -> None:
    before = store.lock_files(storage)
    for name in ("poetry.lock", "sub/LOCK", "sub/.lock", "data.mdb.lock"):
        (storage / name).parent.mkdir(exist_ok=True)
        (storage / name).touch()
    assert store.lock_files(storage) == before


def test_a_live_task_holds_every_lock_by_both_kinds(service: Service, storage: Path) -> None:
    task = service.ready()
    for path in store.lock_files(storage):
        assert flock_probe(path), path
        assert fcntl_probe(path), path
    assert store.held(store.lock_files(storage)) == store.lock_files(storage)
    stop(task)
    assert store.held(store.lock_files(storage)) == []


@pytest.mark.parametrize("isolation", ["namespace", "path"])
def test_second_store_is_kept_out_with_qdrants_own_words(isolation: str, tmp_path: Path, storage: Path) -> None:
    runtime = runtime_of("namespace" if isolation == "namespace" else "path", tmp_path / "runtime")
    service = Service(runtime, storage)
    first, second = service.ready(), service.start()
    assert second.qdrant.wait(WAIT) == 101
    assert PANIC.search(second.qdrant_output.text), second.qdrant_output.text
    assert counts(first) == COUNTS
    runtime.close()


def test_stale_locks_keep_a_store_out_until_their_lease_ends(service: Service, storage: Path) -> None:
    before = store.fingerprint(storage)
    locks = store.hold_stale(store.lock_files(storage), seconds=60)
    task = service.start()
    assert task.qdrant.wait(WAIT) == 101
    assert PANIC.search(task.qdrant_output.text), task.qdrant_output.text
    assert store.read_counts(storage) == COUNTS
    for lock in locks:
        lock.release()
    locks = store.hold_stale(store.lock_files(storage), seconds=0.5)
    until("the lease's end", lambda: not any(lock.active for lock in locks))
    assert time.time() >= locks[0].ends_at - 0.1
    assert store.held(store.lock_files(storage)) == []
    later = service.ready()
    assert counts(later) == COUNTS
    stop(later)
    assert store.fingerprint(storage) != before, "a start writes RocksDB's own log: the digest must see it"


def test_release_ends_a_lease_early(stale: list[store.StaleLock], storage: Path) -> None:
    assert store.held(store.lock_files(storage)) == store.lock_files(storage)
    for path in store.lock_files(storage):
        assert flock_probe(path)
        assert fcntl_probe(path)
    stale[0].release()
    assert not stale[0].active
    assert not store.is_held(stale[0].path)
    assert store.is_held(stale[1].path)


def test_stale_locks_die_with_their_starter(storage: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from sandbox import store;"
        "store.hold_stale(store.lock_files(Path(sys.argv[1])), seconds=60); print('held', flush=True);"
        "os.kill(os.getpid(), 9)"
    )
    code = str(Path(next(iter(store.__path__))).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", script, str(storage)],
        env=os.environ | {"PYTHONPATH": code},
        stdout=subprocess.PIPE,
        timeout=WAIT,
        check=False,
    )
    assert done.stdout == b"held\n"
    until("the end of the holders", lambda: not store.held(store.lock_files(storage)))


def test_hold_stale_refuses_what_somebody_else_keeps(
    stale: list[store.StaleLock], monkeypatch: pytest.MonkeyPatch, storage: Path
) -> None:
    monkeypatch.setattr("sandbox.store.locks._PATIENCE", 0.2)
    with pytest.raises(RuntimeError, match=f"{stale[0].path} could not be taken over .*: another process holds it"):
        store.hold_stale([stale[0].path], seconds=1)
    with pytest.raises(FileNotFoundError):
        store.hold_stale([storage / "nothing.lock"], seconds=1)


def test_probe_drops_no_lock_of_the_caller(storage: Path) -> None:
    path = store.lock_files(storage)[0]
    descriptor = os.open(path, os.O_RDWR)
    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert store.is_held(path)
    assert fcntl_probe(path), "the probe must not close a descriptor of this process"
    os.close(descriptor)
    assert not store.is_held(path)


def test_a_leftover_file_blocks_nobody(service: Service, storage: Path) -> None:
    stop(service.ready())
    locks = store.lock_files(storage)
    assert len(locks) == 5
    assert store.held(locks) == []
    task = service.ready()
    assert counts(task) == COUNTS


def test_the_clients_lock_stops_the_application_alone(service: Service, storage: Path) -> None:
    cache = storage / "client_cache" / ".lock"
    (lock,) = store.hold_stale([cache], seconds=60)
    task = service.start()
    assert task.fastapi.wait(WAIT) == 1
    wanted = (
        "RuntimeError: Storage folder /data/client_cache is already accessed by another instance of Qdrant client. "
        "If you require concurrent access, use Qdrant server instead."
    )
    assert wanted in task.fastapi_output.lines
    assert answers(task.qdrant_port, "/readyz")
    lock.release()


def test_unlinking_a_live_holders_lock_lets_a_second_writer_in(service: Service, storage: Path) -> None:
    """Why a lock that somebody holds is never removed: two stores write the same files, and lose points."""
    first = service.ready()
    for path in store.lock_files(storage):
        path.unlink()
    second = service.ready()
    insert(first, 9001)
    insert(second, 9002)
    assert points(first, "documents") == points(second, "documents") == 241
    stop(first)
    stop(second)
    found = store.read_counts(storage)["documents"]
    assert found < 242, f"both new points survived two writers ({found}): the sandbox would hide the harm"


def test_a_log_that_this_kernel_locks_gives_the_logs_own_error(service: Service, storage: Path) -> None:
    folder = os.open(storage / "collections" / "conversations" / "0" / "wal", os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    task = service.start()
    assert task.qdrant.wait(WAIT) == 101
    os.close(folder)
    detail = 'Os { code: 11, kind: WouldBlock, message: "Resource temporarily unavailable" }'
    assert f"Service internal error: Wal error: Can't init WAL: {detail}" in task.qdrant_output.text


def test_an_flock_alone_keeps_the_store_out(service: Service, storage: Path) -> None:
    """On NFS the two kinds meet: so must they here, where RocksDB itself looks at one of them."""
    descriptor = os.open(store.lock_files(storage)[-1], os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    task = service.start()
    assert task.qdrant.wait(WAIT) == 101
    assert PANIC.search(task.qdrant_output.text), task.qdrant_output.text
    os.close(descriptor)


def test_a_passing_probe_is_no_holder(service: Service, storage: Path) -> None:
    stop_probing = threading.Event()

    def probe() -> None:
        while not stop_probing.is_set():
            store.held(store.lock_files(storage))

    prober = threading.Thread(target=probe)
    prober.start()
    try:
        for _turn in range(3):
            stop(service.ready())
    finally:
        stop_probing.set()
        prober.join()


def test_sigterm_of_the_official_image_is_143_and_the_log_keeps_the_points(service: Service, storage: Path) -> None:
    task = service.ready()
    insert(task, 5000)
    task.qdrant.terminate()
    task.fastapi.terminate()
    assert (task.qdrant.wait(WAIT), task.fastapi.wait(WAIT)) == (143, 0)
    assert "gracefully" not in task.qdrant_output.text
    assert store.read_counts(storage) == {**COUNTS, "documents": 241}


@pytest.mark.parametrize("entry_point", [("./qdrant",), ("/bin/bash", "-c", "exec ./qdrant")])
def test_sigterm_of_qdrant_as_pid_1_is_graceful(service: Service, storage: Path, entry_point: tuple[str, ...]) -> None:
    task = service.ready(entry_point=entry_point)
    insert(task, 5000)
    task.qdrant.terminate()
    assert task.qdrant.wait(WAIT) == 0
    assert "Stopped gracefully" in task.qdrant_output.text
    task.fastapi.kill()
    task.fastapi.wait(WAIT)
    assert store.read_counts(storage) == {**COUNTS, "documents": 241}


def test_killed_store_loses_no_point(service: Service, storage: Path) -> None:
    task = service.ready()
    insert(task, 5000)
    stop(task)
    assert counts(service.ready()) == {**COUNTS, "documents": 241}


def test_fingerprint_sees_all_but_the_locks(storage: Path) -> None:
    before = store.fingerprint(storage)
    for path in store.lock_files(storage):
        path.unlink()
    assert store.fingerprint(storage) == before
    database = storage / "app.db"
    content = database.read_bytes()
    database.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert store.fingerprint(storage) != before
    database.write_bytes(content)
    assert store.fingerprint(storage) == before
    (storage / "foreign.lock").touch()
    assert store.fingerprint(storage) != before, "a lock file of others is a byte that must not change"


def test_a_cleaner_in_a_container_meets_the_holders_lock(
    any_runtime: Runtime, stale: list[store.StaleLock], storage: Path
) -> None:
    """The probe that design.md prescribes for the cleaner, as Alpine's busybox runs it."""
    script = (
        'for f in $(find /data -name LOCK); do exec 9<>"$f"; if flock -n 9; then echo free; else echo held; fi; done'
    )
    output = Output()
    spec = ContainerSpec("t", "cleaner", "alpine", (), ("sh", "-c", script), {}, (Mount(storage, "/data"),), {})
    assert any_runtime.run(spec, output).wait(WAIT) == 0
    assert output.lines == ["held"] * 4
    stale[1].release()
    second = Output()
    assert any_runtime.run(spec, second).wait(WAIT) == 0
    assert sorted(second.lines) == ["free", "held", "held", "held"]
