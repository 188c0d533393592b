# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtime: pulls images, and runs containers in the isolation that this machine offers."""

from __future__ import annotations

import compileall
import contextlib
import json
import os
import shutil
import socket
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from sandbox.runtime import alpine, namespace
from sandbox.runtime.container import Container
from sandbox.runtime.images import Image, resolve, runs_server, stops_gracefully
from sandbox.runtime.launcher import Launch, Launcher
from sandbox.runtime.pathmap import PathMap, beneath
from sandbox.runtime.spec import ContainerSpec, Mount, StartError

OnLine = Callable[[str, float], None]
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CODE = Path(__file__).resolve().parents[2]
_SERVERS = {"qdrant": "sandbox.store.server", "backend": "sandbox.store.backend"}
_DIRECTORIES = {"qdrant": "/qdrant", "backend": "/app"}
_DEFAULT_COMMAND = {"alpine": ("/bin/sh",), "debian": ("bash",), "qdrant": ("bash",), "backend": ("bash",)}


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Runtime:
    """Runs containers. ``isolation`` tells which way was chosen, ``notes`` what is not as in a real container."""

    def __init__(self, *, isolation: Literal["auto", "namespace", "path"], workdir: Path, speed: float) -> None:
        """Prepare ``workdir`` (made if missing); RuntimeError if ``namespace`` is asked for and impossible."""
        self._workdir = workdir.resolve()
        self._workdir.mkdir(parents=True, exist_ok=True)
        self._speed = speed
        notes: list[str] = []
        self._bwrap = namespace.bubblewrap() if isolation != "path" else None
        reason = namespace.why_not(self._bwrap) if isolation != "path" else ""
        if isolation == "namespace" and reason:
            raise RuntimeError(f"The sandbox cannot isolate containers by namespaces: {reason}. Use --isolation path.")
        self.isolation: str = "path" if isolation == "path" or reason else "namespace"
        if reason:
            notes.append(f"containers have no namespaces, their folders are mapped by path: {reason}")
        if self.isolation == "path":
            notes.append(
                "read-only mounts are not enforced, and SIGTERM ends a command without a handler (path isolation)"
            )
        # A container may not write beside the code, and nobody else imports the servers: without this each of them
        # would compile itself anew.
        for part in (_CODE / "sandbox", _CODE / "sandbox" / "store"):
            compileall.compile_dir(part, maxlevels=0, quiet=2)
        self._busybox = self._prepare_busybox(notes)
        self._emulate_delete = self._busybox is not None and not alpine.find_deletes(self._busybox)
        self.notes = tuple(notes)
        self._launcher = Launcher()
        self._containers: set[Container] = set()
        self._lock = threading.Lock()
        self._closed = False

    def pull(self, image: str) -> None:
        """Nothing if the image exists; PullError with AWS's text if not."""
        resolve(image)

    def run(self, spec: ContainerSpec, on_line: OnLine) -> Container:
        """Start the container. PullError, or StartError when its command or a mounted folder does not exist."""
        if self._closed:
            raise RuntimeError(f"Container {spec.name} of task {spec.task_id} cannot start: the sandbox is closing.")
        image = resolve(spec.image)
        for mount in spec.mounts:
            if not mount.source.is_dir():
                raise StartError(
                    f"CannotStartContainerError: the folder {mount.source} for {mount.target} does not exist"
                )
        mounts = tuple(Mount(one.source.resolve(), one.target, one.read_only) for one in spec.mounts)
        place = self._workdir / "containers" / f"{spec.task_id}-{spec.name}"
        if runs_server(image, (*spec.entry_point, *spec.command)):
            argv, environment = self._server(image, spec, mounts)
        else:
            argv, environment = self._tool(image, spec)
        start = self._start_in_namespace if self.isolation == "namespace" else self._start_by_path
        return start(image, spec, mounts, argv, environment, place, on_line)

    def close(self) -> None:
        """Kill everything that is left, and wait until it is gone. Calling it again does nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            left = list(self._containers)
        for container in left:
            container.kill()
        for container in left:
            container.wait(10)
        self._launcher.close()
        shutil.rmtree(self._workdir / "containers", ignore_errors=True)

    def _prepare_busybox(self, notes: list[str]) -> Path | None:
        found = shutil.which("busybox")
        if found is None:
            notes.append("there is no busybox: the alpine image has this machine's sh and find")
            return None
        busybox = Path(found).resolve()
        root = self._workdir / "alpine"
        (root / "bin").mkdir(parents=True, exist_ok=True)
        (root / "etc").mkdir(exist_ok=True)
        (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        (root / "etc" / "os-release").write_text('NAME="Alpine Linux"\nID=alpine\n')
        copy = root / "bin" / "busybox"
        if not copy.exists():
            shutil.copy2(busybox, copy)
        names = alpine.applets(busybox)
        for name in names:
            if name != "busybox" and not (root / "bin" / name).is_symlink():
                (root / "bin" / name).symlink_to("busybox")
        for name in alpine.BORROWED:
            program = shutil.which(name)
            if name in names or (root / "bin" / name).exists():
                continue
            if program is None:
                notes.append(f"the alpine image has no {name}: neither this machine's busybox nor the machine has it")
            else:
                shutil.copy2(program, root / "bin" / name)
        if self._bwrap is not None and self.isolation == "namespace":
            failure = namespace.failure_of(self._bwrap, namespace.busybox_root(root), "/bin/busybox")
            if failure:
                notes.append(
                    f"this machine's busybox does not run alone, the alpine image has its sh and find: {failure}"
                )
                return None
        return copy

    def _tool(self, image: Image, spec: ContainerSpec) -> tuple[tuple[str, ...], dict[str, str]]:
        argv = (*spec.entry_point, *spec.command) or _DEFAULT_COMMAND[image.kind]
        search = _PATH
        if image.kind == "alpine" and self._busybox is not None:
            if self._emulate_delete:
                argv = alpine.with_delete(argv)
            self._need_command(argv[0], [self._busybox.parent], absolute_too=True)
            if self.isolation == "path":
                search = str(self._busybox.parent)
        else:
            self._need_command(argv[0], [Path(part) for part in _PATH.split(":")], absolute_too=False)
        return argv, {"PATH": search, "HOME": "/root", "HOSTNAME": _hostname(spec), **spec.environment}

    @staticmethod
    def _need_command(name: str, folders: Sequence[Path], *, absolute_too: bool) -> None:
        prefix = (
            "CannotStartContainerError: failed to create new container runtime task: failed to create shim task: OCI "
        )
        prefix += f'runtime create failed: runc create failed: unable to start container process: exec: "{name}": '
        base = name.rsplit("/", 1)[-1]
        if "/" in name and not absolute_too:
            if not os.access(name, os.X_OK):
                raise StartError(f"{prefix}stat {name}: no such file or directory: unknown")
        elif "/" in name and name.rsplit("/", 1)[0] not in {"/bin", "/usr/bin", "/sbin", "/usr/sbin"}:
            raise StartError(f"{prefix}stat {name}: no such file or directory: unknown")
        elif not any(os.access(folder / base, os.X_OK) for folder in folders):
            raise StartError(f"{prefix}executable file not found in $PATH: no such file or directory: unknown")

    def _server(
        self, image: Image, spec: ContainerSpec, mounts: Sequence[Mount]
    ) -> tuple[tuple[str, ...], dict[str, str]]:
        environment = {
            "PATH": _PATH,
            "HOME": "/root",
            "HOSTNAME": _hostname(spec),
            "SANDBOX_PORTS": ",".join(f"{inside}={outside}" for inside, outside in spec.ports.items()),
            "SANDBOX_SIGTERM": "flush" if stops_gracefully((*spec.entry_point, *spec.command)) else "entrypoint",
            **spec.environment,
            "SANDBOX_VERSION": image.version,
            "SANDBOX_SPEED": str(self._speed),
            "SANDBOX_MOUNTS": ":".join(mount.target for mount in mounts),
            "PYTHONPATH": str(_CODE),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        return (sys.executable, "-m", _SERVERS[image.kind]), environment

    def _start_in_namespace(
        self,
        image: Image,
        spec: ContainerSpec,
        mounts: Sequence[Mount],
        argv: Sequence[str],
        environment: Mapping[str, str],
        _place: Path,
        on_line: OnLine,
    ) -> Container:
        assert self._bwrap is not None
        directory = _DIRECTORIES.get(image.kind, "/")
        if image.kind == "alpine" and self._busybox is not None:
            root = [*namespace.busybox_root(self._busybox.parents[1]), *namespace.devices()]
        else:
            root = [*namespace.machine_root(), *namespace.devices()]
        if argv[0] == sys.executable:
            root += namespace.python_binds(_CODE / "sandbox")
        root += ["--dir", directory, *namespace.mount_binds(mounts)]
        reader, writer = os.pipe()
        try:
            command = namespace.command_line(
                bwrap=self._bwrap, root=root, hostname=_hostname(spec), directory=directory, info=writer, argv=argv
            )
            process = self._launcher.start(
                Launch(argv=command, environment=environment, directory=None, pass_fds=(writer,))
            )
        finally:
            os.close(writer)
        told = _read_all(reader)
        if not told:
            output = process.communicate(timeout=10)[0].decode("utf-8", "replace").strip()
            self._launcher.forget(process.pid)
            raise StartError(f"CannotStartContainerError: the sandbox could not start {spec.name}: {output}")
        return self._watch(
            Container(
                process=process,
                pid=int(json.loads(told)["child-pid"]),
                own_namespace=True,
                on_line=on_line,
                on_end=self._ended,
            )
        )

    def _start_by_path(
        self,
        image: Image,
        spec: ContainerSpec,
        mounts: Sequence[Mount],
        argv: Sequence[str],
        environment: Mapping[str, str],
        place: Path,
        on_line: OnLine,
    ) -> Container:
        directory = beneath(place, _DIRECTORIES.get(image.kind, "/"))
        directory.mkdir(parents=True, exist_ok=True)
        executable: Path | None = None
        if argv[0] == sys.executable:
            # The servers know their root, so that they may call a file by the container's name for it.
            for mount in mounts:
                _link(beneath(place, mount.target), mount.source)
            mapping = PathMap(())
            environment = {**environment, "SANDBOX_ROOT": str(place)}
        else:
            mapping = PathMap(mounts)
            if image.kind == "alpine" and self._busybox is not None:
                # The command keeps the name that it was called by: a shell shows it in its messages.
                executable = self._busybox.parent / argv[0].rsplit("/", 1)[-1]
            argv = [argv[0], *(mapping.to_host(word) for word in argv[1:])]
            # The runtime's own variables hold host paths already.
            own = {"PATH", "HOME"} - set(spec.environment)
            environment = {
                name: value if name in own else mapping.to_host(value) for name, value in environment.items()
            }
        try:
            process = self._launcher.start(
                Launch(
                    argv=argv,
                    environment=environment,
                    directory=directory,
                    executable=executable,
                )
            )
        except OSError as error:
            raise StartError(f'CannotStartContainerError: exec: "{argv[0]}": {error.strerror}') from error
        return self._watch(
            Container(
                process=process,
                pid=process.pid,
                own_namespace=False,
                on_line=lambda text, at: on_line(mapping.to_container(text), at),
                on_end=self._ended,
            )
        )

    def _watch(self, container: Container) -> Container:
        with self._lock:
            if container.poll() is None:
                self._containers.add(container)
        return container

    def _ended(self, container: Container) -> None:
        with self._lock:
            self._containers.discard(container)
        self._launcher.forget(container.group)


def _hostname(spec: ContainerSpec) -> str:
    return f"ip-{spec.task_id[:12]}".rstrip("-").replace("_", "-")


def _read_all(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read()


def _link(link: Path, source: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        link.unlink()
    link.symlink_to(source)


__all__ = ["Runtime", "free_port"]
