# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of this machine by names that mean one of them only, also after its pid has been given to another.

Private to wwhd.qdrant_ops. Nothing here knows AWS.
"""

from __future__ import annotations

import getpass
import hashlib
import math
import os
import re
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["begun", "name_of", "place", "short_hash", "sleep_until_end_of", "still_runs", "tag_text"]

# Linux gives this number to the machine's own namespace of processes; a container has another one.
_MACHINE_NAMESPACE = "pid:[4026531836]"
# AWS's tag values, in which these names are kept: letters, digits, spaces and + - = . _ : / @ only.
_NOT_IN_TAGS = re.compile(r"[^A-Za-z0-9 +\-=._:/@]")
_UNKNOWN_PLACE = "0"
_NAME = re.compile(r"(?P<who>.+)/(?P<pid>\d+)\+(?P<begin>\d*)\+(?P<place>[0-9a-f]+)(\+(?P<part>[0-9a-f]+))?")


def begun(pid: int) -> str | None:
    """When the process with this pid began, in its kernel's ticks; None if none lives, empty where only that is known.

    One that has ended and was not waited for yet (a zombie) does not live.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[-1].split()
    except FileNotFoundError:
        # Without /proc (macOS) that it answers to its pid is all that is known; with it, the process has just ended.
        return None if Path("/proc/self").exists() else ""
    except OSError:
        return ""
    return None if fields[0] in ("Z", "X") else fields[19]


def sleep_until_end_of(pid: int) -> Callable[[float], None] | None:
    """A sleep that ends early, once, when that process does; None where there is none such, or no such process."""
    try:
        descriptor = os.pidfd_open(pid)
    except (AttributeError, OSError):
        # Not Linux, or an old one, or one that allows nobody to.
        return None
    end = select.poll()
    end.register(descriptor, select.POLLIN)
    told = False

    def sleep(seconds: float) -> None:
        nonlocal told
        if told:
            time.sleep(seconds)
        else:
            told = bool(end.poll(math.ceil(seconds * 1000)))

    return sleep


def place() -> str:
    """What tells containers apart that share a host name: each has pids of its own, which mean nothing elsewhere."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        machine = (
            Path("/etc/machine-id").read_text(encoding="utf-8").strip() if Path("/etc/machine-id").exists() else ""
        )
    except OSError:
        return _UNKNOWN_PLACE
    # A machine that was started again is the same one: what ran on it before is known to be dead. Containers are not.
    known = namespace == _MACHINE_NAMESPACE and machine
    text = f"{namespace} {machine}" if known else f"{namespace} {boot}"
    return short_hash(text)


def short_hash(text: str) -> str:
    """Eight characters that stand for the text."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def tag_text(text: str) -> str:
    """`text` with what AWS's tag values do not take replaced."""
    return _NOT_IN_TAGS.sub("_", text)


def name_of(pid: int, *, part: str = "") -> str:
    """`user@host/pid+begin+place`; with `part`, what tells apart those that one process does at once is added."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    of_it = f"+{short_hash(part)}" if part else ""
    return tag_text(f"{user}@{socket.gethostname()}/{pid}+{begun(pid) or ''}+{place()}{of_it}")


def still_runs(name: str, *, here: str) -> bool | None:
    """Whether the process of this name lives; None where that can't be known from where the process `here` runs."""
    theirs, ours = _NAME.fullmatch(name), _NAME.fullmatch(here)
    if not theirs or not ours or (theirs["who"], theirs["place"]) != (ours["who"], ours["place"]):
        return None
    if ours["place"] == _UNKNOWN_PLACE:
        return None
    begin = begun(int(theirs["pid"]))
    return begin is not None and (begin == theirs["begin"] or not begin)
