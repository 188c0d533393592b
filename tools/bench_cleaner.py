# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the cleaner against the runbook's own command on the same tree: `make bench-cleaner FILES=1000000`.

The tree has the shape of a Qdrant store. Before each run the locks are put back, so that every run finds the same; the
two take turns, and each ratio is of two runs that came one after the other. The page cache is as the runs before left
it, the same for both, unless --drop-caches empties it before each run (which takes root).
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from environment import CACHE, ROOT

SCRIPT = ROOT / "roles" / "qdrant_unlock" / "files" / "cleaner.sh"
RUNBOOK = ROOT / "tests" / "integration" / "sandbox" / "data" / "runbook.md"
SHELLS = ("busybox", "dash", "bash")
GOAL = 0.6
SAMPLED_EVERY = 0.05
# A segment of Qdrant without RocksDB, and what RocksDB adds to an older one.
SEGMENT = {
    "": "segment.json version.info id_tracker.deleted id_tracker.mappings id_tracker.versions mutable_id_tracker.data",
    "payload_storage": "config.json tracker.dat page_0.dat bitmask.dat gaps.dat",
    "vector_storage": "config.json",
    "vector_storage/vectors": "status.dat " + " ".join(f"chunk_{number}.mmap" for number in range(8)),
    "vector_storage/deleted": "status.dat flags_a.dat flags_b.dat",
    "vector_index": "hnsw_config.json graph.bin links.bin",
    "payload_index": "config.json",
    "payload_index/city-map": "data.dat config.json values.bin",
}
ROCKSDB = "CURRENT IDENTITY MANIFEST-000004 OPTIONS-000007 000008.sst 000012.log"
SEGMENTS, SHARDS = 8, 2


@dataclass(frozen=True)
class Store:
    root: Path
    files: int
    locks: Sequence[Path]

    def put_locks_back(self) -> None:
        for lock in self.locks:
            lock.touch()


@dataclass(frozen=True)
class Sample:
    seconds: float
    cpu: float
    peak_kib: int


@dataclass(frozen=True)
class Contender:
    name: str
    command: Sequence[str]
    environment: Mapping[str, str]


def make_files(folder: Path, names: str) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names.split():
        os.mknod(folder / name)
    return len(names.split())


def make_store(root: Path, *, files: int, locks: int) -> Store:
    """Collections until there are so many files. The first `locks` segments have RocksDB's locks (two each), and as
    many folders beside the collections the lock of a client, which is what the runbook's patterns match."""
    made, segments = 0, 0
    found: list[Path] = []
    while made < files:
        for shard in range(SHARDS):
            folder = root / "collections" / f"collection-{segments // (SHARDS * SEGMENTS)}" / str(shard)
            made += make_files(folder, "shard_config.json replica_state.json")
            made += make_files(folder / "wal", "open-1 closed-2 closed-3 first-index")
            for _segment in range(SEGMENTS):
                segment = folder / "segments" / str(uuid.uuid4())
                for part, names in SEGMENT.items():
                    made += make_files(segment / part, names)
                for database in (segment, segment / "payload_index") if segments < locks else ():
                    made += make_files(database, ROCKSDB)
                    found.append(database / "LOCK")
                segments += 1
    for number in range(locks):
        made += make_files(root / "clients" / str(number), "meta.json")
        found.append(root / "clients" / str(number) / ".lock")
    return Store(root, made, found)


def runbook_command(root: Path, *, has_delete: bool) -> str:
    """What the runbook has the container run, but for the ten seconds that it sleeps in the end."""
    found = re.search(r'"(echo \'Clearing[^"]*)"', RUNBOOK.read_text())
    if not found:
        raise SystemExit(f"the runbook's command is not in {RUNBOOK}")
    command = re.sub(r"; sleep \d+$", "", found[1]).replace("/data", shlex.quote(str(root)))
    return command if has_delete else command.replace("-delete", "-exec rm -f {} +")


def tools_of(shell: str, folder: Path) -> str | None:
    """A PATH on which `sh` and, with BusyBox, all that it has are that shell's; None if it is not installed."""
    program = shutil.which(shell)
    if not program:
        return None
    folder.mkdir()
    if shell != "busybox":
        (folder / "sh").symlink_to(program)
        return f"{folder}{os.pathsep}{os.environ['PATH']}"
    subprocess.run([program, "--install", "-s", str(folder)], check=True)
    flock = shutil.which("flock")
    if not (folder / "flock").exists() and flock:
        (folder / "flock").symlink_to(flock)  # Debian's BusyBox is built without it, Alpine's has it
    return str(folder)


def contenders(store: Store, path: str, *, prune: Sequence[str]) -> list[Contender]:
    sh = shutil.which("sh", path=path) or "sh"
    here = {"PATH": path}
    has_delete = not subprocess.run(
        [sh, "-c", 'find "$0" -maxdepth 0 -name no-such-name -delete', str(store.root)],
        env=here, capture_output=True, check=False,
    ).returncode  # fmt: skip
    told = here | {
        "CLEANER_SCRIPT": SCRIPT.read_text(), "CLEANER_ROOT": str(store.root), "CLEANER_MODE": "unlock",
        "CLEANER_PATTERNS": "LOCK\n*.lock\ndata.mdb.lock",
    }  # fmt: skip
    ours = (sh, "-c", 'exec sh -c "$CLEANER_SCRIPT" cleaner')
    found = [
        Contender("runbook", (sh, "-c", runbook_command(store.root, has_delete=has_delete)), here),
        Contender("cleaner", ours, told),
    ]
    if prune:
        found.append(Contender("cleaner, pruned", ours, told | {"CLEANER_PRUNE": "\n".join(prune)}))
    return found


def family(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from family(int(child))


def resident_kib(pid: int) -> int:
    try:
        found = re.search(r"^VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def measure(contender: Contender) -> Sample:
    """One run. Memory is of all its processes together, looked at twenty times a second."""
    peak, over = 0, threading.Event()
    started = time.monotonic()
    process = subprocess.Popen(
        contender.command, env=dict(contender.environment), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip

    def watch() -> None:
        nonlocal peak
        while not over.wait(SAMPLED_EVERY):
            peak = max(peak, sum(map(resident_kib, family(process.pid))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        _pid, status, used = os.wait4(process.pid, 0)
    finally:
        over.set()
        watcher.join()
    seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{contender.name} ended with exit code {process.returncode}")
    return Sample(seconds, used.ru_utime + used.ru_stime, peak)


def processes(contender: Contender) -> int | None:
    """How many processes one run starts: the last number given in a PID namespace of its own. None without bwrap."""
    bwrap = shutil.which("bwrap")
    if not bwrap:
        return None
    done = subprocess.run(
        [bwrap, "--bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-pid", contender.command[0], "-c",
         '"$@" >/dev/null; read -r _ _ _ _ last </proc/loadavg; echo "$last"', "count", *contender.command],
        env=dict(contender.environment), capture_output=True, text=True, check=False,
    )  # fmt: skip
    # The first two are the namespace's own and the shell that counts.
    return int(done.stdout) - 2 if done.returncode == 0 and done.stdout.strip().isdigit() else None


def drop_caches() -> None:
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):7.2f} ({min(values):.2f} to {max(values):.2f})"


@contextmanager
def store_of(files: int, locks: int) -> Iterator[Store]:
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-cleaner-", dir=CACHE) as folder:
        yield make_store(Path(folder) / "store", files=files, locks=locks)


def compare(
    store: Store, shell: str, *, repeat: int, prune: Sequence[str] = (), cold: bool = False
) -> dict[str, list[Sample]] | None:
    """The samples by contender, in turns; None where the shell is not installed. Prints one line each."""
    with tempfile.TemporaryDirectory() as tools:
        path = tools_of(shell, Path(tools) / "tools")
        if path is None:
            print(f"{shell}: not installed, not measured")
            return None
        field = contenders(store, path, prune=prune)
        started = {}
        for contender in field:  # this also lets both begin with the same cache
            store.put_locks_back()
            started[contender.name] = processes(contender)
        samples: dict[str, list[Sample]] = {contender.name: [] for contender in field}
        for _time in range(repeat):
            for contender in field:
                store.put_locks_back()
                if cold:
                    drop_caches()
                samples[contender.name].append(measure(contender))
    base = samples["runbook"]
    for name, taken in samples.items():
        print(f"{shell:8} {name:16} wall {spread([one.seconds for one in taken])} s  "
              f"processor {spread([one.cpu for one in taken])} s  "
              f"memory {max(one.peak_kib for one in taken) / 1024:5.1f} MiB  "
              f"processes {started[name] if started[name] is not None else 'not counted (no bwrap)'}")  # fmt: skip
        if taken is not base:
            walls = [ours.seconds / theirs.seconds for ours, theirs in zip(taken, base, strict=True)]
            cpus = [ours.cpu / theirs.cpu for ours, theirs in zip(taken, base, strict=True)]
            print(f"{'':8} {'  to the runbook':16} wall {spread(walls)}    processor {spread(cpus)}   goal: {GOAL}")
        sys.stdout.flush()
    return samples


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--locks", type=int, default=10, help="folders with locks, of each kind")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--shells", nargs="+", choices=SHELLS, default=SHELLS)
    parser.add_argument("--prune", nargs="*", default=["vector_storage*", "vector_index*", "payload_storage*", "wal"])
    parser.add_argument("--drop-caches", action="store_true")
    told = parser.parse_args()
    print(f"making a store of {told.files} files", flush=True)
    with store_of(told.files, told.locks) as store:
        print(f"{store.files} files, {len(store.locks)} of them locks; load of the machine {os.getloadavg()[0]:.1f}, "
              f"{os.cpu_count()} processors; caches {'dropped before each run' if told.drop_caches else 'kept'}",
              flush=True)  # fmt: skip
        for shell in told.shells:
            compare(store, shell, repeat=told.repeat, prune=told.prune, cold=told.drop_caches)


if __name__ == "__main__":
    main()
