# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cleaner's script in the shells that run it: BusyBox ash, dash and bash, on real files with real locks."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[3] / "roles" / "qdrant_unlock" / "files" / "cleaner.sh"
NOBODY = 65534
SHELLS = ["busybox", "dash", "bash"]
HOLDER = """
import fcntl, sys
with open(sys.argv[1], "r+") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    fcntl.lockf(lock, fcntl.LOCK_EX)  # both kinds meet on NFS
    print("held", flush=True)
    sys.stdin.read()
"""


@dataclass
class Run:
    code: int
    lines: list[dict[str, Any]]
    noise: str

    @property
    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = self.lines[-1]["summary"]
        return summary

    def actions(self) -> dict[str, str]:
        return {line["path"]: line["action"] for line in self.lines if "path" in line and not line.get("waiting")}

    def why(self, path: str) -> str:
        return next(str(line["why"]) for line in reversed(self.lines) if line.get("path") == path)


class Cleaner:
    """The script in one shell, as the container's command starts it."""

    def __init__(self, shell: str, tools: Path) -> None:
        self.user: int | None = None
        program = shutil.which(shell)
        if program is None:
            pytest.skip(f"this machine has no {shell}")
        tools.mkdir()
        if shell == "busybox":
            subprocess.run([program, "--install", "-s", str(tools)], check=True)
            flock = shutil.which("flock")
            if not (tools / "flock").exists() and flock:  # Debian's BusyBox is built without it, Alpine's has it
                (tools / "flock").symlink_to(flock)
            self.path = str(tools)
        else:
            (tools / "sh").symlink_to(program)
            self.path = f"{tools}{os.pathsep}{os.environ['PATH']}"

    def __call__(self, root: Path, **values: str) -> Run:
        environment = {
            "PATH": self.path,
            "CLEANER_SCRIPT": SCRIPT.read_text(),
            "CLEANER_ROOT": str(root),
            "CLEANER_SCAN": "/",
            "CLEANER_PATTERNS": "LOCK\n*.lock\ndata.mdb.lock",
            "CLEANER_MODE": "unlock",
            "CLEANER_HELD": "fail",
            "CLEANER_HELD_TIMEOUT": "0",
            "CLEANER_RUN_ID": "run-1",
            **{f"CLEANER_{name.upper()}": value for name, value in values.items()},
        }
        done = subprocess.run(
            [str(Path(self.path.split(os.pathsep)[0]) / "sh"), "-c", 'exec sh -c "$CLEANER_SCRIPT" cleaner'],
            env=environment, capture_output=True, timeout=60, check=False, cwd="/",
            user=self.user,
        )  # fmt: skip
        text = done.stdout.decode("utf-8", "surrogateescape")
        return Run(done.returncode, [json.loads(line) for line in text.splitlines()], done.stderr.decode())


@pytest.fixture(params=SHELLS)
def cleaner(request: pytest.FixtureRequest, tmp_path: Path) -> Cleaner:
    return Cleaner(request.param, tmp_path / "tools")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A volume with one RocksDB folder, a client's lock and files that must stay."""
    root = tmp_path / "volume"
    segment = root / "collections" / "docs" / "0" / "segments" / "one"
    segment.mkdir(parents=True)
    for name in ("CURRENT", "LOCK", "MANIFEST-000004", "000012.sst"):
        (segment / name).touch()
    (root / "client").mkdir()
    (root / "client" / ".lock").write_text("tmp lock file")
    (root / "app.db").write_text("data")
    return root


LOCK = "/collections/docs/0/segments/one/LOCK"


@contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def tree(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def test_free_locks_go_and_everything_else_stays(cleaner: Cleaner, store: Path) -> None:
    before = tree(store)
    run = cleaner(store)
    assert run.code == 0, run
    assert run.actions() == {LOCK: "removed", "/client/.lock": "removed"}
    assert before - tree(store) == {LOCK[1:], "client/.lock"}
    assert run.summary["removed"] == 2
    assert run.summary["run_id"] == "run-1"
    assert cleaner(store).summary["found"] == 0  # and a second run finds nothing


def test_a_held_lock_is_never_removed(cleaner: Cleaner, store: Path) -> None:
    inode = (store / LOCK[1:]).stat().st_ino
    with held(store / LOCK[1:]):
        run = cleaner(store)
    assert run.code == 3
    assert run.actions()[LOCK] == "held"
    assert (store / LOCK[1:]).stat().st_ino == inode


def test_waiting_lasts_until_the_holder_lets_go(cleaner: Cleaner, store: Path) -> None:
    with held(store / LOCK[1:]) as process:
        release = threading.Timer(1.2, process.kill)  # after the first probe, long before the deadline
        release.start()
        run = cleaner(store, held="wait", held_timeout="30")
        release.join()
    assert run.code == 0, run
    assert [line["action"] for line in run.lines if line.get("path") == LOCK] == ["held", "removed"]
    assert run.summary["held"] == 0


def test_waiting_ends_at_its_deadline(cleaner: Cleaner, store: Path) -> None:
    with held(store / LOCK[1:]):
        run = cleaner(store, held="wait", held_timeout="1")
    assert run.code == 3
    assert (store / LOCK[1:]).exists()


def test_the_explicit_word_removes_a_held_lock_and_says_so(cleaner: Cleaner, store: Path) -> None:
    with held(store / LOCK[1:]):
        run = cleaner(store, held="delete")
    assert run.code == 0
    assert next(line for line in run.lines if line.get("path") == LOCK)["was_held"] is True
    assert not (store / LOCK[1:]).exists()


def test_inspecting_changes_nothing_and_tells_held_from_free(cleaner: Cleaner, store: Path) -> None:
    before = tree(store)
    with held(store / LOCK[1:]):
        run = cleaner(store, mode="inspect", held="delete")
    assert run.code == 0
    assert run.actions() == {LOCK: "held", "/client/.lock": "free"}
    assert tree(store) == before


def test_what_is_no_lock_by_the_rule_is_kept(cleaner: Cleaner, store: Path) -> None:
    (store / "folder.lock").mkdir()
    (store / "link.lock").symlink_to("app.db")
    (store / "dangling.lock").symlink_to("nowhere")
    os.mkfifo(store / "fifo.lock")
    (store / "lonely").mkdir()
    (store / "lonely" / "LOCK").touch()
    full = store / "full"
    full.mkdir()
    (full / "CURRENT").touch()
    (full / "LOCK").write_text("not empty")
    run = cleaner(store)
    assert run.code == 0, run
    kept = {path for path, action in run.actions().items() if action == "kept"}
    assert kept == {"/folder.lock", "/link.lock", "/dangling.lock", "/fifo.lock", "/lonely/LOCK", "/full/LOCK"}
    assert "CURRENT" in run.why("/lonely/LOCK")
    assert "content" in run.why("/full/LOCK")
    assert "link" in run.why("/link.lock")
    assert (store / "app.db").read_text() == "data"


NASTY = [
    "new\nline.lock",
    'quo"te.lock',
    "it's.lock",
    "$(touch pwned).lock",
    "`id`.lock",
    "back\\slash.lock",
    "-rf.lock",
    " .lock",
    "tab\t.lock",
    "ü.lock",
    "a{}b.lock",
    "find ended with 0.lock",
]


def test_names_never_reach_a_parser(cleaner: Cleaner, store: Path) -> None:
    for name in NASTY:
        (store / name).touch()
    run = cleaner(store)
    assert run.code == 0, run
    assert {f"/{name}" for name in NASTY} <= set(run.actions())
    assert not any((store / name).exists() for name in NASTY)
    assert not list(Path("/").glob("pwned"))
    assert (store / "app.db").exists()


def test_only_the_given_folder_is_looked_at(cleaner: Cleaner, store: Path) -> None:
    run = cleaner(store, scan="/collections")
    assert run.actions() == {LOCK: "removed"}
    assert (store / "client" / ".lock").exists()


@pytest.mark.parametrize(
    ("values", "code", "said"),
    [
        ({"scan": "/absent"}, 4, "no folder /absent"),
        ({"scan": "/outside"}, 2, "leads out of the volume"),
        ({"patterns": ""}, 2, "CLEANER_PATTERNS is empty"),
        ({"mode": "wipe"}, 2, "CLEANER_MODE is wipe"),
        ({"held": "maybe"}, 2, "CLEANER_HELD is maybe"),
        ({"held_timeout": "-1"}, 2, "CLEANER_HELD_TIMEOUT is -1"),
    ],
)
def test_wrong_input_is_refused(cleaner: Cleaner, store: Path, values: dict[str, str], code: int, said: str) -> None:
    (store / "outside").symlink_to("/")
    before = tree(store)
    run = cleaner(store, **values)
    assert run.code == code
    assert said in run.summary["error"]
    assert tree(store) == before


def test_an_image_without_flock_is_refused(store: Path, tmp_path: Path) -> None:
    cleaner = Cleaner("dash", tmp_path / "tools")
    for tool in ("find", "date", "sleep", "rm"):
        (tmp_path / "tools" / tool).symlink_to(str(shutil.which(tool)))
    cleaner.path = str(tmp_path / "tools")
    run = cleaner(store)
    assert run.code == 5
    assert "no flock" in run.summary["error"]
    assert (store / "client" / ".lock").exists()


def test_a_folder_that_cannot_be_read_is_an_error(cleaner: Cleaner, store: Path) -> None:
    (store / "client").chmod(0)
    # Root may read every folder: then the cleaner runs as nobody, for whom the way to the store must be open.
    for folder in (*store.parents, *store.rglob("*/")):
        if folder != store / "client" and folder.owner() == Path.home().owner() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    cleaner.user = NOBODY if os.geteuid() == 0 else None
    try:
        run = cleaner(store, mode="inspect")
    finally:
        (store / "client").chmod(0o755)
    assert run.code == 4, run
    assert run.summary["errors"] == 1
    assert run.actions()[LOCK] == "free"
    assert "could not be read" in run.why("/")


def test_the_probe_of_the_tests_is_a_real_lock(store: Path) -> None:
    """Without this, every test above could pass on locks that lock nothing."""
    path = store / LOCK[1:]
    with held(path), path.open("r+") as other:
        for kind in (fcntl.flock, fcntl.lockf):
            with pytest.raises(BlockingIOError):
                kind(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
