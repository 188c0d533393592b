# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module of this collection in a fork of Ansible's worker, where its own way would start an interpreter.

Private to wwhd.qdrant_ops. Ansible packs a module with all that it imports, and starts a Python that unpacks, compiles
and imports it, with boto3, again for each task: half a second of processor time. Here all of that was imported once, by
the process that forks the workers. The module still has a process of its own, a child of the worker and in its group,
as if it had been started anew: with default signal handlers, no open file but its standard streams, and its arguments
by Ansible's encoding; Ansible itself reads its output (_module_process.py). A task with `async` and `poll: 0` of an
action that says so has a fork that outlives Ansible (_detached.py).

Only where that makes no difference (`reason_against`); everywhere else Ansible's own way is taken.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.release import __version__ as ansible_version
from ansible.utils.display import Display

from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._detached import run_detached
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._module_process import (
    PROFILE,
    Order,
    models,
    run_forked,
)
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._shared import shared_folder

__all__ = ["AWS", "ForkedAction", "reason_against", "same_python", "warm"]

# The operator's environment may say `off`.
SETTING = "QDRANT_OPS_FORK"
# What is used of Ansible here is not its public interface: in a version that was not tried, its own way is taken.
_TRIED = ("2.17", "2.18", "2.19")
# What an interpreter and its libraries read when they start, and never again.
_READ_AT_START = ("PYTHON", "LD_", "TZ")
_LOCAL = ("local", "ansible.builtin.local")
AWS = ("ecs", "logs", "elbv2", "application-autoscaling")


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
            models.read(services)


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
    detaches: bool = False,
    given: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
    flags: Any = sys.flags,
) -> str | None:
    """Why a task's module cannot be run in a fork; None where it can.

    `detaches` says whether it may outlive Ansible. `given` are the names of the variables that the task's environment
    has; `environment` and `flags` are this process's, unless others are given.
    """
    environment = os.environ if environment is None else environment
    if environment.get(SETTING, "").lower() == "off":
        return f"{SETTING} is off"
    if ".".join(ansible_version.split(".")[:2]) not in _TRIED or sys.platform != "linux":
        return f"it was not tried with ansible-core {ansible_version} on {sys.platform}"
    if transport not in _LOCAL or task.delegate_to:
        return "it does not run on this machine"
    if become:
        return "it becomes another user"
    if task.async_val and (task.poll or not detaches):
        return "it is asynchronous"
    if constants.DEFAULT_KEEP_REMOTE_FILES:
        return "its files are to be kept"
    if interpreter is None or not same_python(interpreter):
        return f"its interpreter is {interpreter or 'to be discovered'}"
    return _started_otherwise(flags, environment, given)


class ForkedAction(NormalAction):
    """Runs the module of its own name, in a fork if that makes no difference."""

    # Whether a task with `async` and `poll: 0` runs in a fork, too.
    detaches = False
    # What the task's environment sets, while its module is to be run in a fork.
    _given: dict[str, str] | None = None
    _order: Order | None = None
    # Seconds that the module may live on its own.
    _limit: int | None = None

    def _execute_module(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        given = self._environment()
        against = reason_against(
            transport=str(self._connection.transport),
            interpreter=self._interpreter(kwargs.get("task_vars") or {}),
            task=self._task,
            become=bool(self._connection.become),
            detaches=self.detaches,
            given=given,
        )
        self._given = None if against or args or kwargs.get("module_name") else given
        if against:
            Display().vvv(f"Not run in a fork: {against}")
        try:
            if self._given is not None and kwargs.get("wrap_async"):
                return self._execute_detached(kwargs)
            result: dict[str, Any] = super()._execute_module(*args, **kwargs)
            return result
        finally:
            self._given = self._order = self._limit = None

    def _execute_detached(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """What Ansible does with `wrap_async`, without the files and commands."""
        self._limit = int(self._task.async_val)
        result: dict[str, Any] = super()._execute_module(**{**kwargs, "wrap_async": False})
        return {**result, "changed": True}

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
            # Ansible has added by now where it wants a job's file.
            {**self._given, **shared_folder(task_vars)} if self._limit is None else self._environment(),
            str(self._loader.get_basedir()),
        )
        return _built(self._order.module)

    def _low_level_execute_command(self, cmd: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        order, self._order = self._order, None
        if order is None:
            result: dict[str, Any] = super()._low_level_execute_command(cmd, *args, **kwargs)
            return result
        code, out, err = run_forked(order) if self._limit is None else run_detached(order, limit=self._limit)
        return {"rc": code, "stdout": out, "stdout_lines": out.splitlines(),
                "stderr": err, "stderr_lines": err.splitlines()}  # fmt: skip


def _encoded(module_args: Mapping[str, Any]) -> bytes:
    given = {"ANSIBLE_MODULE_ARGS": module_args}
    try:
        from ansible.module_utils.common.json import Direction, get_module_encoder  # noqa: PLC0415  from 2.19 on
    except ImportError:
        from ansible.parsing.ajson import AnsibleJSONEncoder  # noqa: PLC0415  up to 2.18

        return json.dumps(given, cls=AnsibleJSONEncoder, vault_to_text=True).encode()
    return json.dumps(given, cls=get_module_encoder(PROFILE, Direction.CONTROLLER_TO_MODULE)).encode()


def _built(module: str) -> Any:
    """What Ansible's `_configure_module` returns, without a packed module in it."""
    shebang = f"#!{sys.executable}"
    try:
        from ansible.executor.module_common import _BuiltModule  # noqa: PLC0415  from 2.19 on
    except ImportError:
        return "new", shebang, b"", module
    return (
        _BuiltModule(b_module_data=b"", module_style="new", shebang=shebang, serialization_profile=PROFILE),
        module,
    )
