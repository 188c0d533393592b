# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Namespace isolation: the bubblewrap command line of a container."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.runtime.spec import Mount

# PID 1 is the container's own command, not an init of bubblewrap's: as on Fargate, a command without a handler for
# SIGTERM ignores it there and is killed when its stop time-out has passed (facts F.8).
_FLAGS = (
    "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--new-session", "--as-pid-1",
)  # fmt: skip
_LIBRARIES = ("/lib", "/lib32", "/lib64", "/libx32")
_MACHINE = ("/bin", "/sbin", *_LIBRARIES)
_ETC = ("passwd", "group", "nsswitch.conf", "ld.so.cache", "alternatives", "localtime", "os-release")


def bubblewrap() -> str | None:
    """Where bwrap is, if it is."""
    return shutil.which("bwrap")


def why_not(bwrap: str | None) -> str:
    """Empty when containers with namespaces work here, else the reason."""
    if bwrap is None:
        return "bubblewrap (bwrap) is not installed"
    failure = failure_of(bwrap, machine_root(), "/bin/true")
    return f"bwrap cannot make namespaces here: {failure}" if failure else ""


def failure_of(bwrap: str, root: Sequence[str], program: str) -> str:
    """Empty when ``program true`` runs in that root, else what bwrap says."""
    try:
        tried = subprocess.run(
            [bwrap, *_FLAGS, *root, *devices(), "--", program, "true"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if tried.returncode == 0 else tried.stderr.strip() or f"exit code {tried.returncode}"


def devices() -> list[str]:
    """/proc of the new PID namespace, a small /dev and an empty /tmp."""
    return ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]


def machine_root() -> list[str]:
    """A root with the machine's own programs and libraries, read-only."""
    arguments = ["--ro-bind", "/usr", "/usr"]
    for name in _MACHINE:
        place = Path(name)
        if place.is_symlink():
            arguments += ["--symlink", str(place.readlink()), name]
        elif place.is_dir():
            arguments += ["--ro-bind", name, name]
    for name in _ETC:
        arguments += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    return [*arguments, "--dir", "/root", "--dir", "/var/tmp", "--dir", "/run"]


def busybox_root(root: Path) -> list[str]:
    """A root with nothing but busybox, prepared in ``root``, and libraries for what it borrows from the machine."""
    return [
        "--ro-bind", str(root / "bin"), "/bin", "--symlink", "bin", "/sbin", "--ro-bind", str(root / "etc"), "/etc",
        "--dir", "/usr", "--symlink", "../bin", "/usr/bin", "--symlink", "../bin", "/usr/sbin", *_libraries(),
        "--dir", "/root", "--dir", "/var/tmp", "--dir", "/run",
    ]  # fmt: skip


def _libraries() -> list[str]:
    arguments: list[str] = []
    for name in _LIBRARIES:
        place = Path(name)
        arguments += ["--ro-bind-try", f"/usr{name}", f"/usr{name}"]
        if place.is_symlink():
            arguments += ["--symlink", str(place.readlink()), name]
        elif place.is_dir():
            arguments += ["--ro-bind", name, name]
    return arguments


def python_binds(code: Path) -> list[str]:
    """The interpreter with its packages, and the sandbox's own code, at the places that they have here."""
    places = [Path(sys.prefix), Path(sys.base_prefix), Path(sys.base_prefix).resolve()]
    executable = Path(os.path.realpath(sys.executable))
    places += [executable.parent.parent, code]
    arguments: list[str] = []
    for place in dict.fromkeys(places):
        if not place.is_relative_to("/usr"):
            arguments += ["--ro-bind", str(place), str(place)]
    return arguments


def mount_binds(mounts: Sequence[Mount]) -> list[str]:
    """Each mount at its path; a parent comes before what lies in it."""
    arguments: list[str] = []
    for mount in sorted(mounts, key=lambda one: one.target):
        arguments += ["--ro-bind" if mount.read_only else "--bind", str(mount.source), mount.target]
    return arguments


def command_line(
    *, bwrap: str, root: Sequence[str], hostname: str, directory: str, info: int, argv: Sequence[str]
) -> list[str]:
    """bwrap's whole command line; it writes the PID of the container's PID 1 to the descriptor ``info``."""
    return [
        bwrap, *_FLAGS, "--hostname", hostname, *root,
        "--chdir", directory, "--info-fd", str(info), "--", *argv,
    ]  # fmt: skip


__all__ = [
    "bubblewrap",
    "busybox_root",
    "command_line",
    "devices",
    "failure_of",
    "machine_root",
    "mount_binds",
    "python_binds",
    "why_not",
]
