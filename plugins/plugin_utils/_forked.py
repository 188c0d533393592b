# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module of this collection in a fork of Ansible's worker, where its own way would start an interpreter.

Private to wwhd.qdrant_ops. Ansible packs a module with all that it imports, and starts a Python that unpacks, compiles
and imports it, with boto3, again for each task: half a second of processor time. Here all of that was imported once, by
the process that forks the workers. The module still has a process of its own, a child of the worker and in its group,
as if it had been started anew: with default signal handlers, no open file but its standard streams, and its arguments
by Ansible's encoding; Ansible itself reads its output.

Only where that makes no difference (`reason_against`); everywhere else Ansible's own way is taken.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import runpy
import selectors
import signal
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ansible import constants
from ansible.module_utils import basic
from ansible.module_utils.common import warnings
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.release import __version__ as ansible_version
from ansible.utils.display import Display

__all__ = ["AWS", "ForkedAction", "Order", "reason_against", "run_forked", "same_python", "warm"]

# The operator's environment may say `off`.
SETTING = "QDRANT_OPS_FORK"
# What is used of Ansible here is not its public interface: in a version that was not tried, its own way is taken.
_TRIED = ("2.17", "2.18", "2.19")
_PROFILE = "legacy"
# What an interpreter and its libraries read when they start, and never again.
_READ_AT_START = ("PYTHON", "LD_", "TZ")
_LOCAL = ("local", "ansible.builtin.local")
AWS = ("ecs", "logs", "elbv2", "application-autoscaling")


@dataclass(frozen=True)
class Order:
    """What a module's process needs: its module's full name, its arguments as Ansible encodes them, its environment and
    its working directory."""

    module: str
    arguments: bytes
    environment: Mapping[str, str]
    folder: str


class _Models:
    """botocore's descriptions of the services, megabytes of JSON, which each session would read again."""

    def __init__(self) -> None:
        self._loader: Any = None
        self._read: set[str] = set()

    def read(self, services: Iterable[str]) -> None:
        import botocore.config  # noqa: PLC0415  it may be lacking, and only who has services needs it
        import botocore.loaders  # noqa: PLC0415
        import botocore.session  # noqa: PLC0415

        self._loader = self._loader or botocore.loaders.Loader()
        session = botocore.session.Session()
        session.register_component("data_loader", self._loader)
        for service in set(services) - self._read:
            # A client reads all that one needs, and connects to nobody before its first call: not even to a machine's
            # metadata service, which AWS_DEFAULTS_MODE=auto would ask.
            nobody = {"aws_access_key_id": "none", "aws_secret_access_key": "none"}
            config = botocore.config.Config(defaults_mode="legacy")
            session.create_client(service, region_name="us-east-1", config=config, **nobody)
            self._read.add(service)

    def share(self) -> None:
        """From now on each session of this process reads what was read already. In a module's process only: others
        than our modules are none of our business."""
        if self._loader is None:
            return
        import botocore.session  # noqa: PLC0415

        create, loader = botocore.session.create_loader, self._loader
        botocore.session.create_loader = lambda path=None: loader if path is None else create(path)


_models = _Models()


def warm(action: str, services: Iterable[str] = ()) -> None:
    """Import the module of an action plugin, given by the plugin's `__name__`, and read what its AWS services need.

    Ansible's main process looks an action up before it forks a worker, and so does it once for all.
    """
    if os.environ.get(SETTING, "").lower() == "off":
        return
    # Whatever is lacking here is told by the module itself, when it runs.
    with contextlib.suppress(Exception):
        importlib.import_module(_module_of(action))
        if services:
            _models.read(services)


def _module_of(action: str) -> str:
    return action.replace(".plugins.action.", ".plugins.modules.")


def same_python(interpreter: str) -> bool:
    """Whether a path of an interpreter is the one that runs here, in the same environment: its folder tells that."""
    mine, theirs = Path(sys.executable), Path(interpreter)
    try:
        return theirs.samefile(mine) and theirs.parent.resolve() == mine.parent.resolve()
    except OSError:
        return False


def _started_otherwise(flags: Any, environment: Mapping[str, str], given: Iterable[str]) -> str | None:
    """Why an interpreter that is started anew would find other packages, or run otherwise, than this one."""
    # As `#!…python3 -s` of a distribution's Ansible: packages of the user's own, or those that PYTHONPATH names.
    alone = flags.no_user_site and not environment.get("PYTHONNOUSERSITE")
    if alone or flags.no_site or flags.ignore_environment:
        return "this interpreter leaves out packages that another one finds"
    early = sorted(name for name in given if name.startswith(_READ_AT_START))
    return f"it is to be started with {', '.join(early)}" if early else None


def reason_against(
    *,
    transport: str,
    interpreter: str | None,
    task: Any,
    become: bool,
    given: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
    flags: Any = sys.flags,
) -> str | None:
    """Why a task's module cannot be run in a fork; None where it can. `given` are the names of the variables that the
    task's environment has; `environment` and `flags` are this process's, unless others are given."""
    environment = os.environ if environment is None else environment
    if environment.get(SETTING, "").lower() == "off":
        return f"{SETTING} is off"
    if ".".join(ansible_version.split(".")[:2]) not in _TRIED or sys.platform != "linux":
        return f"it was not tried with ansible-core {ansible_version} on {sys.platform}"
    if transport not in _LOCAL or task.delegate_to:
        return "it does not run on this machine"
    if become:
        return "it becomes another user"
    if task.async_val:
        return "it is asynchronous"
    if constants.DEFAULT_KEEP_REMOTE_FILES:
        return "its files are to be kept"
    if interpreter is None or not same_python(interpreter):
        return f"its interpreter is {interpreter or 'to be discovered'}"
    return _started_otherwise(flags, environment, given)


class ForkedAction(NormalAction):
    """Runs the module of its own name, in a fork if that makes no difference."""

    # What the task's environment sets, while its module is to be run in a fork.
    _given: dict[str, str] | None = None
    _order: Order | None = None

    def _execute_module(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        given = self._environment()
        against = reason_against(
            transport=str(self._connection.transport),
            interpreter=self._interpreter(kwargs.get("task_vars") or {}),
            task=self._task,
            become=bool(self._connection.become),
            given=given,
        )
        self._given = None if against or args or kwargs.get("module_name") else given
        if against:
            Display().vvv(f"Not run in a fork: {against}")
        try:
            result: dict[str, Any] = super()._execute_module(*args, **kwargs)
            return result
        finally:
            self._given = self._order = None

    def _environment(self) -> dict[str, str]:
        """What the task's environment sets."""
        found: dict[str, Any] = {}
        self._compute_environment_string(found)
        return {name: str(value) for name, value in found.items()}

    def _interpreter(self, task_vars: Mapping[str, Any]) -> str | None:
        """The path of the interpreter, as far as somebody has named one."""
        named = task_vars.get("ansible_python_interpreter") or constants.config.get_config_value(
            "INTERPRETER_PYTHON", variables=dict(task_vars)
        )
        path = str(self._templar.template(named) if named else "")
        return path if path.startswith("/") else None

    def _is_pipelining_enabled(self, module_style: str, wrap_async: bool = False) -> bool:
        return self._given is not None or bool(super()._is_pipelining_enabled(module_style, wrap_async))

    def _configure_module(self, module_name: str, module_args: Mapping[str, Any], task_vars: Mapping[str, Any]) -> Any:
        if self._given is None:
            return super()._configure_module(module_name, module_args, task_vars)
        self._order = Order(
            _module_of(type(self).__module__),
            _encoded(module_args),
            self._given,
            str(self._loader.get_basedir()),
        )
        return _built(self._order.module)

    def _low_level_execute_command(self, cmd: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        order, self._order = self._order, None
        if order is None:
            result: dict[str, Any] = super()._low_level_execute_command(cmd, *args, **kwargs)
            return result
        code, out, err = run_forked(order)
        return {"rc": code, "stdout": out, "stdout_lines": out.splitlines(),
                "stderr": err, "stderr_lines": err.splitlines()}  # fmt: skip


def _encoded(module_args: Mapping[str, Any]) -> bytes:
    given = {"ANSIBLE_MODULE_ARGS": module_args}
    try:
        from ansible.module_utils.common.json import Direction, get_module_encoder  # noqa: PLC0415  from 2.19 on
    except ImportError:
        from ansible.parsing.ajson import AnsibleJSONEncoder  # noqa: PLC0415  up to 2.18

        return json.dumps(given, cls=AnsibleJSONEncoder, vault_to_text=True).encode()
    return json.dumps(given, cls=get_module_encoder(_PROFILE, Direction.CONTROLLER_TO_MODULE)).encode()


def _built(module: str) -> Any:
    """What Ansible's `_configure_module` returns, without a packed module in it."""
    shebang = f"#!{sys.executable}"
    try:
        from ansible.executor.module_common import _BuiltModule  # noqa: PLC0415  from 2.19 on
    except ImportError:
        return "new", shebang, b"", module
    return (
        _BuiltModule(b_module_data=b"", module_style="new", shebang=shebang, serialization_profile=_PROFILE),
        module,
    )


def run_forked(order: Order) -> tuple[int, str, str]:
    """The module's exit code, output and errors."""
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
    try:
        status = os.waitpid(child, 0)[1]
    except ChildProcessError:
        # Whoever started Ansible ignores SIGCHLD: then nobody is told how a child ended, and its output has to do, as
        # in subprocess.
        status = 0
    said, complained = (bytes(texts[end]).decode(errors="replace") for end in (out[0], err[0]))
    return os.waitstatus_to_exitcode(status), said, complained


def _be_module(order: Order, out: int, err: int) -> NoReturn:
    """The child, from the fork to its end."""
    code = 1
    try:
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
        code = _call(order)
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
    _models.share()
    basic._ANSIBLE_ARGS = order.arguments
    basic._ANSIBLE_PROFILE = _PROFILE
    # runpy warns of a module that is there already.
    sys.modules.pop(order.module, None)
    known = {"_module_fqn": order.module, "_modlib_path": ""}
    try:
        runpy.run_module(order.module, init_globals=known, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0
