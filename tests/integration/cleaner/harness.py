# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cleaner's script in one shell, as the container's command starts it, and what a run of it said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[3] / "roles" / "qdrant_unlock" / "files" / "cleaner.sh"
SHELLS = ["busybox", "dash", "bash"]
NOBODY = 65534
PATIENCE = 60.0
COMMAND = 'exec sh -c "$CLEANER_SCRIPT" cleaner'
ACTIONS = ("removed", "held", "kept", "free", "error")
HOLDER = """
import fcntl, sys
with open(sys.argv[1], "r+") as lock:
    if "flock" in sys.argv[2:]:
        fcntl.flock(lock, fcntl.LOCK_EX)
    if "posix" in sys.argv[2:]:
        fcntl.lockf(lock, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""
# Stands for flock and takes the lock as the real one does, but can change the world at the moment after it: `target` is
# the file that is being probed. It does so at the first call only.
HOOK = """#!{python} -IS
import os, pathlib, subprocess, sys
done = subprocess.run([{flock!r}, *sys.argv[1:]], close_fds=False)
called = pathlib.Path({called!r})
if not called.exists():
    called.touch()
    target = pathlib.Path(os.readlink("/proc/self/fd/9"))
    exec({code!r})
sys.exit(done.returncode)
"""


@dataclass
class Run:
    code: int
    text: str
    noise: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        # Only a newline ends a line of a log: str.splitlines would also cut at U+2028 and the like.
        return [json.loads(line) for line in self.text.removesuffix("\n").split("\n")]

    @property
    def summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = self.lines[-1]["summary"]
        return summary

    @property
    def notes(self) -> list[str]:
        return [line["note"] for line in self.lines if "note" in line]

    def actions(self) -> dict[str, str]:
        """The final action by path; the report has each path once."""
        final = [line for line in self.lines if "path" in line and not line.get("waiting")]
        actions = {line["path"]: line["action"] for line in final}
        assert len(actions) == len(final), final
        return actions

    def why(self, path: str) -> str:
        return next(str(line["why"]) for line in reversed(self.lines) if line.get("path") == path)

    def check(self) -> None:
        """What holds for every run that was let to its end: a report that is whole, and agrees with itself."""
        # Shells say of a part that a signal ended that it was ended, which has no name in it.
        assert self.noise.replace("Terminated\n", "") == ""
        assert [set(line) for line in self.lines].count({"summary"}) == 1
        assert all(
            line.keys() in ({"note"}, {"progress"}, {"summary"}) or {"path", "action", "why"} <= set(line)
            for line in self.lines
        )
        counts = [*self.actions().values()]
        tree_errors = self.notes.count("part of the tree could not be read")
        assert self.summary["found"] == len(counts)
        assert self.summary["errors"] == counts.count("error") + tree_errors
        for action in ACTIONS[:-1]:
            assert self.summary[action] == counts.count(action), action
        assert self.summary["exit_code"] == self.code


class Cleaner:
    """The script in one shell, as the container's command starts it."""

    def __init__(self, shell: str, tools: Path) -> None:
        self.shell = shell
        self.user: int | None = None
        self.within: Sequence[str] = ()
        program = shutil.which(shell)
        if program is None:
            pytest.skip(f"this machine has no {shell}")
        self.tools = tools
        self.tools.mkdir()
        if shell == "busybox":
            subprocess.run([program, "--install", "-s", str(tools)], check=True)
            flock = shutil.which("flock")
            # Debian's BusyBox is built without it, Alpine's has it.
            self.own_flock = (tools / "flock").exists()
            if not self.own_flock and flock:
                (tools / "flock").symlink_to(flock)
            self.path = str(tools)
        else:
            self.own_flock = False
            (tools / "sh").symlink_to(program)
            self.path = f"{tools}{os.pathsep}{os.environ['PATH']}"

    def environment(self, root: Path, **values: str) -> dict[str, str]:
        return {
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

    def start(
        self, root: Path, *, new_session: bool = True, pass_fds: Sequence[int] = (), **values: str
    ) -> subprocess.Popen[bytes]:
        """The script, running; by default with a process group of its own, as in a container."""
        nobody: dict[str, Any] = {} if self.user is None else {"group": self.user, "extra_groups": []}
        return subprocess.Popen(
            [*self.within, str(self.tools / "sh"), "-c", COMMAND],
            env=self.environment(root, **values), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, cwd="/", user=self.user, start_new_session=new_session,
            pass_fds=pass_fds, **nobody,
        )  # fmt: skip

    def end(self, process: subprocess.Popen[bytes]) -> Run:
        try:
            out, noise = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
        return Run(process.returncode, out.decode(), noise.decode("utf-8", "replace"))

    def __call__(self, root: Path, **values: str) -> Run:
        return self.end(self.start(root, **values))

    def at_probe(self, code: str, called: Path) -> None:
        """Let `code` run right after the first probe: with the lock taken, before anything is removed."""
        if self.own_flock:
            pytest.skip("this BusyBox prefers its own flock: the moment after a probe can't be had")
        flock = shutil.which("flock")
        assert flock is not None
        self.replace("flock", HOOK.format(python=sys.executable, flock=flock, called=str(called), code=code))

    def replace(self, tool: str, text: str) -> None:
        (self.tools / tool).unlink(missing_ok=True)
        (self.tools / tool).write_text(text)
        (self.tools / tool).chmod(0o755)


@contextmanager
def held(path: Path, *kinds: str) -> Iterator[subprocess.Popen[str]]:
    """A live process that holds the file, by both kinds of lock if none is named: both meet on NFS."""
    with subprocess.Popen(
        [sys.executable, "-IS", "-c", HOLDER, str(path), *(kinds or ("flock", "posix"))],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def tree(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def open_way(root: Path) -> None:
    """Let any user reach the tree and change it, but for what has no rights at all: root may read everything, so what
    nobody may read takes another user."""
    for folder in root.parents:
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    for folder in (root, *root.rglob("*/")):
        if folder.is_dir() and not folder.is_symlink() and folder.stat().st_mode & 0o777:
            folder.chmod(folder.stat().st_mode | 0o777)


def bubblewrap() -> str:
    """bwrap, or the test is skipped with the reason."""
    program = shutil.which("bwrap")
    if program is None:
        pytest.skip("bubblewrap (bwrap) is not installed")
    tried = subprocess.run([program, "--bind", "/", "/", "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"bwrap makes no namespaces here: {tried.stderr.strip()}")
    return program
