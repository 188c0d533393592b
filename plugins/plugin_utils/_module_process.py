# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of a module of this collection that runs in a fork, from the fork to its end.

Private to wwhd.qdrant_ops. Which modules run so, and what Ansible is told of it, is in _forked.py.
"""

from __future__ import annotations

import atexit
import contextlib
import copy
import gc
import os
import runpy
import selectors
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from warnings import filterwarnings

from ansible.module_utils import basic
from ansible.module_utils.common import warnings

__all__ = ["PROFILE", "Order", "exit_code", "models", "run_forked"]

# How what a module is told and says is encoded.
PROFILE = "legacy"


@dataclass(frozen=True)
class Order:
    """What a module's process needs: its module's full name, its arguments as Ansible encodes them, its environment and
    its working directory."""

    module: str
    arguments: bytes
    environment: Mapping[str, str]
    folder: str


class _Models:
    """What each of botocore's sessions would make again: the descriptions of the services, read from megabytes of JSON,
    and the list of what botocore itself does at each event."""

    def __init__(self) -> None:
        self._loader: Any = None
        self._hooks: Any = None
        self._read: set[str] = set()

    def read(self, services: Iterable[str]) -> None:
        import botocore.config  # noqa: PLC0415  it may be lacking, and only who has services needs it
        import botocore.hooks  # noqa: PLC0415
        import botocore.loaders  # noqa: PLC0415
        import botocore.session  # noqa: PLC0415

        self._loader = self._loader or botocore.loaders.Loader()
        if self._hooks is None:
            hooks = botocore.hooks.HierarchicalEmitter()
            botocore.session.Session(event_hooks=hooks)
            self._hooks = hooks
        session = botocore.session.Session(event_hooks=copy.copy(self._hooks), include_builtin_handlers=False)
        session.register_component("data_loader", self._loader)
        for service in set(services) - self._read:
            # A client reads all that one needs, and connects to nobody before its first call: not even to a machine's
            # metadata service, which AWS_DEFAULTS_MODE=auto would ask.
            nobody = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
            config = botocore.config.Config(defaults_mode="legacy")
            client = session.create_client(service, region_name="us-east-1", config=config, **nobody)
            # Which operations have pages is another file, for which it would look through all services' folders.
            client.can_paginate(next(iter(client.meta.method_to_api_mapping)))
            self._read.add(service)

    def share(self) -> None:
        """From now on each session of this process reads what was read already. In a module's process only: others
        than our modules are none of our business."""
        if self._loader is None:
            return
        import botocore.session  # noqa: PLC0415

        create, loader, hooks = botocore.session.create_loader, self._loader, self._hooks
        botocore.session.create_loader = lambda path=None: loader if path is None else create(path)
        # A session of its own each time, with a list of its own: only that needs not be made anew.
        botocore.session.get_session = lambda env_vars=None: botocore.session.Session(
            env_vars, event_hooks=copy.copy(hooks), include_builtin_handlers=False
        )


models = _Models()


def run_forked(order: Order, call: Callable[[Order], int] | None = None) -> tuple[int, str, str]:
    """The exit code, output and errors of the module, or of a `call` in its place."""
    out, err = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        _be_module(order, call or _call, out[1], err[1])
    os.close(out[1])
    os.close(err[1])
    texts = {out[0]: bytearray(), err[0]: bytearray()}
    with selectors.DefaultSelector() as selector:
        for descriptor in texts:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            for key, _events in selector.select():
                block = os.read(key.fd, 1 << 16)
                texts[key.fd] += block
                if not block:
                    selector.unregister(key.fd)
                    os.close(key.fd)
    try:
        status = os.waitpid(child, 0)[1]
    except ChildProcessError:
        # Whoever started Ansible ignores SIGCHLD: then nobody is told how a child ended, and its output has to do, as
        # in subprocess.
        status = 0
    said, complained = (bytes(texts[end]).decode(errors="replace") for end in (out[0], err[0]))
    return os.waitstatus_to_exitcode(status), said, complained


def _be_module(order: Order, call: Callable[[Order], int], out: int, err: int) -> NoReturn:
    """The child, from the fork to its end."""
    code = 1
    try:
        # Nothing from before the fork becomes garbage here, and to look through it would copy its pages.
        gc.freeze()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _leave_files(out, err)
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(number, mode, closefd=False, errors=errors)
            for number, mode, errors in ((0, "r", None), (1, "w", None), (2, "w", "backslashreplace"))
        )
        # What Ansible's processes do at their ends, such as removing their folder, is not this one's to do.
        atexit._clear()
        os.chdir(order.folder)
        os.environ.update(order.environment)
        code = call(order)
    except BaseException:  # noqa: BLE001  KeyboardInterrupt included: an interpreter prints it and ends with 1
        traceback.print_exc()
    finally:
        with contextlib.suppress(BaseException):
            atexit._run_exitfuncs()
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _leave_files(out: int, err: int) -> None:
    """Let go of whatever the worker has open: who waits for the end of its pipes must not wait for a module.

    Each is replaced, not closed: an object here that closes its number later must not close one that is ours by then.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for source, target in ((nothing, 0), (out, 1), (err, 2)):
        os.dup2(source, target)
    for number in [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]:
        if number > 2 and number != nothing:
            # The folder's own descriptor is among them, and has gone by now.
            with contextlib.suppress(OSError):
                os.fstat(number)
                os.dup2(nothing, number, inheritable=False)


def _call(order: Order) -> int:
    # A module's own process is no controller: there, warnings are part of the result and not the terminal's.
    with contextlib.suppress(ImportError):
        from ansible.module_utils import _internal  # noqa: PLC0415  from 2.19 on

        _internal.is_controller = False
    for kept in ("_global_warnings", "_global_deprecations"):
        getattr(warnings, kept, {}).clear()
    models.share()
    basic._ANSIBLE_ARGS = order.arguments
    basic._ANSIBLE_PROFILE = PROFILE
    # Its loader has the code that it compiled for the worker's process; runpy warns of a module that is there already.
    filterwarnings("ignore", category=RuntimeWarning, module="runpy")
    known = {"_module_fqn": order.module, "_modlib_path": ""}
    return exit_code(lambda: runpy.run_module(order.module, init_globals=known, run_name="__main__", alter_sys=True))


def exit_code(run: Callable[[], object]) -> int:
    """The code with which an interpreter ends that runs this."""
    try:
        run()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0
