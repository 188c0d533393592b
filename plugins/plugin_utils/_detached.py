# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module in a fork that outlives whoever has started it: what a task with `async` and `poll: 0` is.

Private to wwhd.qdrant_ops. Ansible's own async_wrapper does all of it, as it does where Ansible starts it: it leaves
the session and the terminal, writes the job's file, and ends the module at its time limit. It runs in a fork, too, and
what it would start as a command is one more.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._module_process import Order, exit_code, run_forked

__all__ = ["run_detached"]

# Linux keeps no more of a process's name.
_LONGEST_NAME = 15
_NOT_STARTED = 3


def run_detached(order: Order, *, limit: int) -> tuple[int, str, str]:
    """What async_wrapper says as soon as the module's process is on its own: exit code, output and errors.

    The job's file is where the order's ANSIBLE_ASYNC_DIR says. After `limit` seconds the module is killed.
    """
    code, out, err = run_forked(order, lambda given: _wrapped(given, limit))
    if code == _NOT_STARTED:
        folder = order.environment.get("ANSIBLE_ASYNC_DIR")
        told = (
            f"Could not start {_short(order.module)} beside this playbook: its job's file could not be written in"
            f" {folder}. Make that a folder that can be written to, or name another one in ANSIBLE_ASYNC_DIR, and try"
            " again."
        )
        out = json.dumps({"failed": True, "msg": told})
    return code, out, err


def _wrapped(order: Order, limit: int) -> int:
    # Not before: it opens a pipe when it is imported, and each run needs one of its own.
    from ansible.modules import async_wrapper  # noqa: PLC0415

    _be_named(order.module)
    async_wrapper._get_interpreter = lambda _path: None
    async_wrapper.subprocess = SimpleNamespace(PIPE=None, Popen=lambda *_command, **_streams: _Module(order))
    # A job, its limit, a command, no file of arguments, and no folder to remove.
    sys.argv = ["async_wrapper", f"j{secrets.randbelow(10**12)}", str(limit), order.module, "_", "-preserve_tmp"]
    starter = os.getpid()
    code = exit_code(async_wrapper.main)
    if os.getpid() == starter and not code:
        # It says that a module has begun also when it has waited for that in vain.
        try:
            async_wrapper.ipc_watcher.recv()
        except EOFError:
            return _NOT_STARTED
    return code


class _Module:
    """What async_wrapper asks of a command that it has started."""

    def __init__(self, order: Order) -> None:
        self._order = order
        # At the time limit the group is killed. async_wrapper makes it, but perhaps only after the next fork.
        os.setpgid(0, 0)

    def communicate(self) -> tuple[str, str]:
        _code, out, err = run_forked(self._order)
        return out, err


def _be_named(module: str) -> None:
    """Let nobody who ends ansible-playbook by its name (`killall`, `pkill -f`) end this, which is there for that case.

    Where it cannot be done it is left undone: no module is worse for its name.
    """
    name = _short(module)
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text(name.rsplit(".", 1)[-1][:_LONGEST_NAME], encoding="utf-8")
    with contextlib.suppress(OSError, ValueError, IndexError):
        # Fields 48 and 49 of proc_pid_stat(5): where the words of the command line are. The first one here is field 3.
        fields: list[Any] = Path("/proc/self/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        start, end = int(fields[45]), int(fields[46])
        # The last byte stays 0, or the environment is taken for more of it.
        text = name.encode()[: end - start - 1]
        with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
            memory.seek(start)
            memory.write(text.ljust(end - start, b"\0"))


def _short(module: str) -> str:
    return module.replace("ansible_collections.", "").replace(".plugins.modules", "")
