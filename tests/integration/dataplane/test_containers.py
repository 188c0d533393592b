# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Containers are real processes: output, exit codes, mounts, signals, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import sandbox
from sandbox.runtime import Container, ContainerSpec, Mount, PullError, Runtime, StartError, images
from sandbox.runtime.pathmap import PathMap

from .conftest import WAIT, Output, runtime_of, until

RUNBOOK = (
    "echo 'Clearing Qdrant lock files...'; find /data -name '*.lock' -type f -delete; "
    "find /data -name 'data.mdb.lock' -type f -delete; echo 'Lock files cleared'; sleep 0.1"
)
Shell = Callable[..., tuple[Container, Output]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small tree with locks, other files, and a name with a blank."""
    root = tmp_path / "volume"
    (root / "deep" / "er").mkdir(parents=True)
    for name in ("a.lock", "deep/data.mdb.lock", "deep/er/with blank.lock", "deep/LOCK", "deep/keep.txt"):
        (root / name).write_text(name)
    return root


@pytest.fixture
def shell(runtime: Runtime, folder: Path) -> Shell:
    """Runs a command in an image, with the folder at /data."""

    def run(
        *command: str, image: str = "alpine:latest", read_only: bool = False, **environment: str
    ) -> tuple[Container, Output]:
        output = Output()
        mounts = (Mount(folder, "/data", read_only),)
        return runtime.run(ContainerSpec("t", "c", image, (), command, environment, mounts, {}), output), output

    return run


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_runbook_command_really_deletes(shell: Shell, folder: Path) -> None:
    container, output = shell("sh", "-c", RUNBOOK)
    assert container.wait(WAIT) == 0, output.text
    assert output.lines == ["Clearing Qdrant lock files...", "Lock files cleared"]
    assert names(folder) == {"deep/LOCK", "deep/keep.txt"}


def test_find_without_a_shell_deletes_too(shell: Shell, folder: Path) -> None:
    container, output = shell("find", "/data", "-name", "*.lock", "-delete")
    assert container.wait(WAIT) == 0, output.text
    assert names(folder) == {"deep/LOCK", "deep/keep.txt"}


@pytest.mark.parametrize("image", ["public.ecr.aws/docker/library/alpine:3.20", "debian:12-slim", "busybox"])
def test_paths_arguments_and_environment_are_the_containers(shell: Shell, image: str) -> None:
    script = 'cd /data/deep && pwd && find /data -name keep.txt && echo "$WHERE" /database "$1"'
    container, output = shell("sh", "-ec", script, "sh", "/data/x", image=image, WHERE="/data/q")
    assert container.wait(WAIT) == 0, output.text
    assert output.lines == ["/data/deep", "/data/deep/keep.txt", "/data/q /database /data/x"]


def test_environment_is_cleared(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAK", "1")
    container, output = shell("env", GIVEN="yes")
    assert container.wait(WAIT) == 0
    assert "GIVEN=yes" in output.lines
    assert "LEAK" not in output.text


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 3", 3), ("no-such-tool", 127), ("sh -c 'kill -9 $$'", 137), ("sh -c 'kill -15 $$'", 143)],
)
def test_exit_codes(shell: Shell, script: str, code: int) -> None:
    container, _output = shell("sh", "-c", f"{script}; exit $?")
    assert container.wait(WAIT) == code
    assert container.poll() == code


@pytest.mark.parametrize("image", ["alpine", "debian"])
@pytest.mark.parametrize("command", ["no-such-tool", "/no/such/tool"])
def test_command_that_does_not_exist(shell: Shell, image: str, command: str) -> None:
    with pytest.raises(
        StartError, match=f'^CannotStartContainerError: .*exec: "{command}": .*no such file or directory'
    ):
        shell(command, image=image)


def test_lines_come_as_they_are_written(shell: Shell) -> None:
    container, output = shell("sh", "-c", "echo one; sleep 0.4; echo two >&2; printf three")
    assert output.seen.wait(WAIT)
    assert output.lines == ["one"]
    assert container.poll() is None
    assert container.wait(WAIT) == 0
    assert output.lines == ["one", "two", "three"]
    assert output.times[1] - output.times[0] >= 0.3
    assert abs(output.times[-1] - time.time()) < WAIT


def test_sigterm_reaches_a_handler(shell: Shell) -> None:
    container, output = shell("sh", "-c", "trap 'echo got it; exit 7' TERM; echo up; while :; do sleep 0.05; done")
    until("the start", lambda: output.lines)
    container.terminate()
    assert container.wait(WAIT) == 7
    assert output.lines == ["up", "got it"]


def test_sigkill_ends_all_of_it(shell: Shell) -> None:
    marker = f"{os.getpid()}.5"
    container, output = shell("sh", "-c", f"sleep 99{marker} & echo up; wait")
    until("the start", lambda: output.lines)
    container.kill()
    assert container.wait(WAIT) == 137
    until("the end of the children", lambda: not processes(f"99{marker}"))


def test_what_pid_1_leaves_behind_dies_with_it(shell: Shell) -> None:
    marker = f"{os.getpid()}.25"
    container, _output = shell("sh", "-c", f"sleep 98{marker} & exit 0")
    assert container.wait(WAIT) == 0
    until("the end of the children", lambda: not processes(f"98{marker}"))


def test_close_kills_what_is_left(runtime: Runtime, shell: Shell) -> None:
    container, output = shell("sh", "-c", "echo up; while :; do sleep 0.05; done")
    until("the start", lambda: output.lines)
    runtime.close()
    assert container.poll() == 137
    assert not alive(container.pid)
    with pytest.raises(RuntimeError, match="the sandbox is closing"):
        shell("true")


@pytest.mark.parametrize("isolation", ["namespace", "path"])
def test_containers_die_with_a_killed_daemon(isolation: str, tmp_path: Path) -> None:
    runtime_of("namespace" if isolation == "namespace" else "path", tmp_path / "probe").close()
    script = f"""
import threading, time
from pathlib import Path
from sandbox.runtime import ContainerSpec, Runtime
runtime = Runtime(isolation={isolation!r}, workdir=Path({str(tmp_path)!r}), speed=1)
def start():
    spec = ContainerSpec("t", "c", "debian", (), ("sh", "-c", "sleep 97.5 & echo up; wait"), {{}}, (), {{}})
    up = threading.Event()
    container = runtime.run(spec, lambda text, at: up.set())
    up.wait(10)
    print(container.pid, flush=True)
thread = threading.Thread(target=start)
thread.start()
thread.join()
time.sleep(60)
"""
    code = str(Path(next(iter(sandbox.__path__))).parent)
    with subprocess.Popen(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": code}, stdout=subprocess.PIPE, text=True
    ) as daemon:
        assert daemon.stdout is not None
        pid = int(daemon.stdout.readline())
        # The thread that asked for the container has ended by then; the container must not have.
        time.sleep(0.3)
        assert alive(pid)
        daemon.send_signal(signal.SIGKILL)
        until("the end of the container", lambda: not alive(pid))
        until("the end of its children", lambda: not processes("97.5"))


def test_namespace_shows_only_the_image(tmp_path: Path, folder: Path) -> None:
    runtime = runtime_of("namespace", tmp_path / "runtime")
    output = Output()
    spec = ContainerSpec(
        "t", "c", "alpine", (), ("sh", "-c", f"ls {tmp_path} /work /home; ps | wc -l; echo $$"), {}, (), {}
    )
    runtime.run(spec, output).wait(WAIT)
    runtime.close()
    assert str(folder.name) not in output.text
    assert output.text.count("No such file or directory") == 3
    assert output.lines[-1] == "1"


def test_namespace_enforces_read_only_mounts(tmp_path: Path, folder: Path) -> None:
    runtime = runtime_of("namespace", tmp_path / "runtime")
    before = names(folder)
    output = Output()
    mounts = (Mount(folder, "/data", read_only=True),)
    container = runtime.run(ContainerSpec("t", "c", "alpine", (), ("sh", "-c", RUNBOOK), {}, mounts, {}), output)
    container.wait(WAIT)
    runtime.close()
    assert "Read-only file system" in output.text
    assert names(folder) == before


def test_namespace_command_without_a_handler_ignores_sigterm(tmp_path: Path) -> None:
    """As on Fargate: PID 1 gets no signal that it has no handler for, and is killed when its time is over."""
    runtime = runtime_of("namespace", tmp_path / "runtime")
    output = Output()
    spec = ContainerSpec("t", "c", "alpine", (), ("sh", "-c", "echo up; sleep 30; echo down"), {}, (), {})
    container = runtime.run(spec, output)
    until("the start", lambda: output.lines)
    container.terminate()
    assert container.wait(0.3) is None
    container.kill()
    assert container.wait(WAIT) == 137
    runtime.close()


def test_path_isolation_says_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    runtime = Runtime(isolation="auto", workdir=tmp_path / "runtime", speed=1)
    runtime.close()
    assert runtime.isolation == "path"
    notes = " ".join(runtime.notes)
    assert "bubblewrap (bwrap) is not installed" in notes
    assert "there is no busybox" in notes
    assert "read-only mounts are not enforced" in notes
    with pytest.raises(RuntimeError, match="Use --isolation path"):
        Runtime(isolation="namespace", workdir=tmp_path / "other", speed=1)


def test_runbook_command_deletes_without_busybox(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    runtime = Runtime(isolation="path", workdir=tmp_path / "runtime", speed=1)
    output = Output()
    mounts = (Mount(folder, "/data"),)
    container = runtime.run(ContainerSpec("t", "c", "alpine", (), ("sh", "-c", RUNBOOK), {}, mounts, {}), output)
    assert container.wait(WAIT) == 0, output.text
    runtime.close()
    assert names(folder) == {"deep/LOCK", "deep/keep.txt"}


@pytest.mark.parametrize(
    ("image", "text"),
    [
        ("nosuchthing", "ref docker.io/library/nosuchthing:latest: pull access denied, repository does not exist"),
        ("who/ever:1", "ref docker.io/who/ever:1: pull access denied, repository does not exist"),
        ("alpine:missing", "ref docker.io/library/alpine:missing: docker.io/library/alpine:missing: not found"),
        ("qdrant/qdrant:missing", "ref docker.io/qdrant/qdrant:missing: .*: not found"),
    ],
)
def test_images_that_cannot_be_pulled(any_runtime: Runtime, image: str, text: str) -> None:
    with pytest.raises(PullError, match=f"^CannotPullContainerError: .*failed to resolve {text}"):
        any_runtime.pull(image)


@pytest.mark.parametrize(
    "image",
    [
        "alpine", "alpine:latest", "alpine@sha256:0123", "localhost:5000/alpine:3", "busybox:1.36", "debian:12-slim",
        "public.ecr.aws/docker/library/alpine:3.20", "ubuntu", "qdrant/qdrant:v1.7.4", "docker.io/qdrant/qdrant",
        "018025611404.dkr.ecr.us-west-2.amazonaws.com/wwhd-backend:latest", "wwhd/backend:dev",
    ],
)  # fmt: skip
def test_images_that_exist(any_runtime: Runtime, image: str) -> None:
    any_runtime.pull(image)


@pytest.mark.parametrize(
    ("argv", "server", "graceful"),
    [
        ((), True, False),
        (("./entrypoint.sh",), True, False),
        (("./qdrant",), True, True),
        (("/bin/bash", "-c", "exec ./qdrant"), True, True),
        (("--config-path", "x"), True, False),
        (("sh", "-c", "find /qdrant/storage -name LOCK"), False, True),
        (("ls", "/qdrant"), False, True),
    ],
)
def test_what_a_qdrant_container_runs(argv: tuple[str, ...], server: bool, graceful: bool) -> None:
    assert images.runs_server(images.resolve("qdrant/qdrant:v1.7.4"), argv) is server
    assert images.stops_gracefully(argv) is graceful


def test_tools_of_the_qdrant_image(shell: Shell, folder: Path) -> None:
    container, output = shell("sh", "-c", "find /data -name LOCK", image="qdrant/qdrant:v1.7.4")
    assert container.wait(WAIT) == 0
    assert output.lines == ["/data/deep/LOCK"]


def test_path_map_replaces_whole_prefixes_only() -> None:
    mapping = PathMap((Mount(Path("/h/efs"), "/data"), Mount(Path("/h/efs/deep"), "/data/deep")))
    inside = "/data /data/x '/data/deep/y' --path=/data a:/data /database /x/data ${R}/data /data.bak"
    host = "/h/efs /h/efs/x '/h/efs/deep/y' --path=/h/efs a:/h/efs /database /x/data ${R}/data /data.bak"
    assert mapping.to_host(inside) == host
    assert mapping.to_container(host) == inside


def test_path_map_refuses_a_folder_that_a_shell_would_split() -> None:
    with pytest.raises(StartError, match="choose another state directory"):
        PathMap((Mount(Path("/h/my files"), "/data"),))


def alive(pid: int) -> bool:
    """Whether that process runs (and is no zombie)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def processes(argument: str) -> list[str]:
    """The command lines of all processes that have this argument."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = line.read_text().split("\0")
        except OSError:
            continue
        if argument in words:
            found.append(" ".join(words))
    return found
