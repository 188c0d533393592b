# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run our modules in a fork of Ansible's worker instead of in an interpreter started from an AnsiballZ zip.

As in life each module has a process of its own, a child of the worker in the worker's process group, with default
signal handlers and no open file but its standard streams; Ansible encodes its arguments and reads its output. Other
collections' modules, and ours where a task runs them with `async`, go Ansible's own way.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chaos import playbook_sleep

_COLLECTION = "wwhd.qdrant_ops."
MODULES = "ansible_collections.wwhd.qdrant_ops.plugins.modules"
_MAGIC = b"#!forked-module\n"
_PROFILE = "legacy"


def install() -> None:
    """Patch this process's Ansible; its forked workers inherit it."""
    from ansible.executor.process.worker import WorkerProcess  # noqa: PLC0415  only the zygote has time.sleep wrapped
    from ansible.plugins import action  # noqa: PLC0415
    from ansible.plugins.connection import local  # noqa: PLC0415

    build, execute, work = action.modify_module, local.Connection.exec_command, WorkerProcess.run

    def modify_module(*, module_name: str, module_args: Mapping[str, Any], **more: Any) -> Any:
        if not module_name.startswith(_COLLECTION) or more.get("async_timeout"):
            return build(module_name=module_name, module_args=module_args, **more)
        return _built(module_name, module_args, environment=more.get("environment") or {})

    def exec_command(
        self: Any, cmd: str, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        if in_data is None or not in_data.startswith(_MAGIC):
            result: tuple[int, bytes, bytes] = execute(self, cmd, in_data=in_data, sudoable=sudoable)
            return result
        return _run(json.loads(in_data.removeprefix(_MAGIC)))

    def run(self: Any) -> Any:
        playbook_sleep.hasten()
        return work(self)

    action.modify_module = modify_module
    local.Connection.exec_command = exec_command
    WorkerProcess.run = run


def _built(module_name: str, module_args: Mapping[str, Any], *, environment: Mapping[str, Any]) -> Any:
    from ansible.executor.module_common import _BuiltModule  # noqa: PLC0415
    from ansible.module_utils.common.json import Direction, get_module_encoder  # noqa: PLC0415

    encoder = get_module_encoder(_PROFILE, Direction.CONTROLLER_TO_MODULE)
    order = {
        "module": f"{MODULES}.{module_name.removeprefix(_COLLECTION)}",
        "arguments": json.dumps({"ANSIBLE_MODULE_ARGS": module_args}, cls=encoder),
        "environment": {name: str(value) for name, value in environment.items()},
    }
    return _BuiltModule(
        b_module_data=_MAGIC + json.dumps(order).encode(),
        module_style="new",
        shebang=f"#!{sys.executable}",
        serialization_profile=_PROFILE,
    )


def _run(order: dict[str, Any]) -> tuple[int, bytes, bytes]:
    """The module's exit code, output and errors, as a connection returns them."""
    out, err = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        _be_module(order, out[1], err[1])
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
    _pid, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), bytes(texts[out[0]]), bytes(texts[err[0]])


def _be_module(order: dict[str, Any], out: int, err: int) -> None:
    """The child. Never returns."""
    code = 1
    try:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (out, 1), (err, 2)):
            os.dup2(source, target)
        os.closerange(3, 256)
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(fd, mode) for fd, mode in ((0, "r"), (1, "w"), (2, "w")))
        os.environ.update(order["environment"])
        code = _call_main(order)
    except BaseException:  # noqa: BLE001  KeyboardInterrupt included: an interpreter prints it and ends with 1
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _call_main(order: dict[str, Any]) -> int:
    from ansible.module_utils import _internal  # noqa: PLC0415
    from ansible.module_utils._internal._ansiballz import _loader  # noqa: PLC0415
    from ansible.module_utils.common import warnings  # noqa: PLC0415

    # A module's own process is no controller: there, warnings are part of the result instead of the terminal's.
    _internal.is_controller = False
    warnings._global_warnings.clear()
    warnings._global_deprecations.clear()
    sys.modules.pop(order["module"], None)
    try:
        _loader.run_module(
            json_params=order["arguments"].encode(), profile=_PROFILE, module_fqn=order["module"],
            modlib_path=str(Path.cwd()), extensions={},
        )  # fmt: skip
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0
