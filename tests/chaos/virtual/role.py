# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays a role's own task files in this process: blocks, conditions, loops, templates by Ansible's Templar.

It knows what the role uses and refuses every other keyword, so that it can never silently leave something out. What it
leaves out on purpose is counted: actions that only touch the controller's disk, and tasks that run in the background.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError, AnsibleValueOmittedError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar
from ansible.utils.collection_loader import AnsibleCollectionConfig

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import Outcome, run_module

ROOT = Path(__file__).resolve().parents[3]
_KEYWORDS = frozenset(
    "name when vars register block rescue always module_defaults failed_when changed_when loop loop_control "
    "async poll no_log check_mode ignore_errors tags become run_once".split()
)
_REPORTING = frozenset(
    "wwhd.qdrant_ops.unlock_report wwhd.qdrant_ops.unlock_say ansible.builtin.file ansible.builtin.copy "
    "ansible.builtin.template ansible.builtin.stat ansible.builtin.slurp".split()
)
_INCLUDES = frozenset({"import_tasks", "include_tasks"})


class UnknownKeyword(Exception):
    """The role uses something that this interpreter does not know: teach it."""


class TaskFailed(Exception):
    """A task failed and nobody has rescued it yet."""

    def __init__(self, task: Mapping[str, Any], result: dict[str, Any]) -> None:
        super().__init__(f"{task.get('name')}: {result.get('msg')}")
        self.task, self.result = task, result


@dataclass
class Played:
    """What a run of the role came to. `steps` counts modules that were called, by name."""

    failed: bool = False
    msg: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    steps: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    results: list[tuple[str, dict[str, Any]]] = field(default_factory=list)


@dataclass(frozen=True)
class _Scope:
    """What a task has from the blocks and imports around it."""

    conditions: tuple[Any, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    check: bool = False
    ignore_errors: Any = False


@functools.cache
def _loader() -> DataLoader:
    if AnsibleCollectionConfig.collection_finder is None:
        init_plugin_loader()
    return DataLoader()


@functools.cache
def _load(path: Path) -> Any:
    """A YAML file whose strings may be templates."""
    return _loader().load_from_file(str(path), trusted_as_template=True)


@functools.cache
def _group_members() -> frozenset[str]:
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
    return frozenset(f"wwhd.qdrant_ops.{name}" for name in groups["aws"] if isinstance(name, str))


@functools.cache
def module_main(name: str) -> Callable[..., None]:
    """The `main` of a collection's module."""
    namespace, collection, module = name.split(".")
    found = importlib.import_module(f"ansible_collections.{namespace}.{collection}.plugins.modules.{module}")
    main: Callable[..., None] = found.main
    return main


class Role:
    """`play` runs tasks/main.yml (or another entry point) with these variables.

    `clock` is what modules sleep by; `step` is called before each module; `background` gets the name and the work of
    each task that has `async`, without it they are left out.
    """

    def __init__(
        self,
        folder: Path,
        variables: Mapping[str, Any],
        *,
        clock: Clock,
        step: Callable[[str], None] = lambda name: None,
        background: Callable[[str, Callable[[], Any]], None] | None = None,
        check: bool = False,
    ) -> None:
        self._folder, self._clock, self._step, self._background = folder, clock, step, background
        self._base = {
            **_load(folder / "defaults" / "main.yml"),
            **variables,
            **_load(folder / "vars" / "main.yml"),
            "role_path": str(folder),
            "playbook_dir": str(ROOT / "playbooks"),
            "inventory_hostname": "virtual",
            "ansible_check_mode": check,
        }
        self._check = check
        self._facts: dict[str, Any] = {}
        self._templar = Templar(loader=_loader())
        self.played = Played(facts=self._facts)

    def play(self, entry: str = "main") -> Played:
        """Never raises for a task that failed: the outcome says so."""
        try:
            self._file(f"{entry}.yml", _Scope(check=self._check))
        except TaskFailed as failure:
            self.played.failed, self.played.msg = True, str(failure.result.get("msg", ""))
        return self.played

    def _file(self, name: str, scope: _Scope) -> None:
        for task in _load(self._folder / "tasks" / name) or []:
            self._task(task, scope)

    def _task(self, task: Mapping[str, Any], outer: _Scope) -> None:
        actions = [key for key in task if key not in _KEYWORDS]
        if "block" in task:
            if actions:
                raise UnknownKeyword(f"{task.get('name')}: {actions}")
            self._block(task, self._inner(task, outer))
            return
        if len(actions) != 1:
            raise UnknownKeyword(f"{task.get('name')}: {actions} (one action is expected)")
        action = actions[0]
        short = action.rsplit(".", 1)[-1]
        if short in _INCLUDES:
            self._include(short, task, action, outer)
        else:
            self._run(task, action, self._inner(task, outer))

    def _inner(self, task: Mapping[str, Any], outer: _Scope) -> _Scope:
        conditions = task.get("when", [])
        check = task.get("check_mode")
        return _Scope(
            conditions=(*outer.conditions, *(conditions if isinstance(conditions, list) else [conditions])),
            variables={**outer.variables, **task.get("vars", {})},
            defaults={**outer.defaults, **task.get("module_defaults", {})},
            check=outer.check if check is None else bool(check),
            ignore_errors=task.get("ignore_errors", outer.ignore_errors),
        )

    def _include(self, short: str, task: Mapping[str, Any], action: str, outer: _Scope) -> None:
        given = task[action]
        name = given if isinstance(given, str) else str(given["file"])
        if set(task) - {"name", "when", "vars", "tags", action}:
            raise UnknownKeyword(f"{task.get('name')}: {sorted(set(task))}")
        scope = self._inner(task, outer)
        if short == "include_tasks":
            # Looked at once, here; the tasks in it have only their own conditions and those around the include.
            if not self._holds(scope.conditions, self._variables(scope)):
                return
            scope = replace(scope, conditions=outer.conditions)
        self._file(name, scope)

    def _block(self, task: Mapping[str, Any], scope: _Scope) -> None:
        try:
            try:
                for inner in task["block"]:
                    self._task(inner, scope)
            except TaskFailed as failure:
                if "rescue" not in task:
                    raise
                self._facts["ansible_failed_task"] = {"name": failure.task.get("name", "")}
                self._facts["ansible_failed_result"] = failure.result
                for inner in task["rescue"]:
                    self._task(inner, scope)
        except TaskFailed:
            self._always(task, scope)
            raise
        self._always(task, scope)

    def _always(self, task: Mapping[str, Any], scope: _Scope) -> None:
        for inner in task.get("always", []):
            self._task(inner, scope)

    def _variables(self, scope: _Scope, **more: Any) -> dict[str, Any]:
        return {**self._base, **scope.variables, **self._facts, **more, "ansible_check_mode": scope.check}

    def _holds(self, conditions: tuple[Any, ...] | list[Any], variables: dict[str, Any]) -> bool:
        self._templar.available_variables = variables
        return all(self._templar.evaluate_conditional(condition) for condition in conditions)

    def _template(self, value: Any, variables: dict[str, Any]) -> Any:
        self._templar.available_variables = variables
        return self._templar.template(value)

    def _run(self, task: Mapping[str, Any], action: str, scope: _Scope) -> None:
        result = self._loop(task, action, scope) if "loop" in task else self._once(task, action, scope, {})
        if "register" in task:
            self._facts[str(task["register"])] = result
        self.played.results.append((str(task.get("name", "")), result))
        if _failed(result):
            ignored = scope.ignore_errors
            if not (ignored is True or (isinstance(ignored, str) and self._holds([ignored], self._variables(scope)))):
                raise TaskFailed(task, result)

    def _loop(self, task: Mapping[str, Any], action: str, scope: _Scope) -> dict[str, Any]:
        variables = self._variables(scope)
        control = task.get("loop_control", {})
        if set(control) - {"loop_var", "label"}:
            raise UnknownKeyword(f"{task.get('name')}: loop_control {sorted(control)}")
        name = str(control.get("loop_var", "item"))
        results = []
        for item in self._template(task["loop"], variables):
            results.append({**self._once(task, action, scope, {name: item}), name: item, "ansible_loop_var": name})
        told: dict[str, Any] = {"results": results, "changed": any(one.get("changed") for one in results)}
        if not results:
            return {**told, "skipped": True, "skipped_reason": "No items in the list"}
        told["skipped"] = all(one.get("skipped") for one in results)
        if any(one.get("failed") for one in results):
            return {**told, "failed": True, "msg": "One or more items failed"}
        return {**told, "msg": "All items skipped" if told["skipped"] else "All items completed"}

    def _once(self, task: Mapping[str, Any], action: str, scope: _Scope, more: dict[str, Any]) -> dict[str, Any]:
        try:
            variables = self._variables(scope, **more)
            if not self._holds(scope.conditions, variables):
                return _skipped()
            result = self._act(task, action, scope, variables)
            result.setdefault("failed", False)
            result.setdefault("changed", False)
            seen = {**variables, **({str(task["register"]): result} if "register" in task else {})}
            self._judge(task, result, seen)
            return result
        except AnsibleError as error:
            return {"failed": True, "changed": False, "msg": str(error)}

    def _judge(self, task: Mapping[str, Any], result: dict[str, Any], variables: dict[str, Any]) -> None:
        if "skipped" in result:
            return
        if _listed(task.get("changed_when")):
            result["changed"] = self._holds(_listed(task["changed_when"]), variables)
        if _listed(task.get("failed_when")):
            result["failed"] = result["failed_when_result"] = self._holds(_listed(task["failed_when"]), variables)

    def _act(self, task: Mapping[str, Any], action: str, scope: _Scope, variables: dict[str, Any]) -> dict[str, Any]:
        background = task.get("async") is not None and int(self._template(task["async"], variables) or 0) > 0
        if background and self._background is not None:
            if int(task.get("poll", 10)) > 0:
                raise UnknownKeyword(f"{task.get('name')}: async with poll")
            call = self._call(action, task[action] or {}, scope, variables)
            self._background(action, call)
            return {"started": 1, "finished": 0, "ansible_job_id": "j1"}
        if action == "wwhd.qdrant_ops.unlock_say" and self._template(
            (task[action] or {}).get("fail", False), variables
        ):
            return {"failed": True, "msg": " ".join(self._template(task[action]["lines"], variables))}
        if background or action in _REPORTING:
            self.played.left_out[action] += 1
            return {**_skipped(), "skip_reason": "left out in virtual time"}
        arguments = task[action] or {}
        if action == "ansible.builtin.set_fact":
            facts = self._arguments(arguments, variables)
            self._facts.update(facts)
            return {"ansible_facts": facts}
        if action in ("ansible.builtin.debug", "ansible.builtin.fail"):
            message = self._template(arguments.get("msg", "Failed as requested from task"), variables)
            return {"msg": message, "failed": action.endswith("fail")}
        if action == "ansible.builtin.assert":
            conditions = _listed(arguments["that"])
            holds = self._holds(conditions, variables)
            message = "" if holds else self._template(arguments.get("fail_msg", "Assertion failed"), variables)
            return {"msg": message, "failed": not holds}
        if action.startswith("ansible."):
            raise UnknownKeyword(f"{task.get('name')}: the action {action}")
        return self._module(action, arguments, scope, variables)

    def _arguments(self, arguments: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Templated, without those that are omitted."""
        given: dict[str, Any] = {}
        for name, value in arguments.items():
            with suppress(AnsibleValueOmittedError):
                given[str(name)] = self._template(value, variables)
        return given

    def _call(
        self, action: str, arguments: Mapping[str, Any], scope: _Scope, variables: dict[str, Any]
    ) -> Callable[[], Outcome]:
        """The module with its arguments, ready to be run."""
        given: dict[str, Any] = {}
        for name, defaults in scope.defaults.items():
            group = str(name).removeprefix("group/")
            if group == action or (
                group == "wwhd.qdrant_ops.aws" and (action in _group_members() or action.startswith("amazon.aws."))
            ):
                given |= self._template(defaults, variables)
        given |= self._arguments(arguments, variables)
        main = module_main(action)
        clock = self._clock if "clock" in inspect.signature(main).parameters else None
        # As on its way to a process: nothing of ours is shared with the module.
        arguments = json.loads(json.dumps(given))

        def call() -> Outcome:
            self._step(action)
            self.played.steps[action] += 1
            return run_module(main, arguments, clock=clock, check=scope.check)

        return call

    def _module(
        self, action: str, arguments: Mapping[str, Any], scope: _Scope, variables: dict[str, Any]
    ) -> dict[str, Any]:
        outcome = self._call(action, arguments, scope, variables)()
        result = dict(outcome.result)
        result.pop("invocation", None)
        result["failed"] = outcome.failed
        return result


def _failed(result: Mapping[str, Any]) -> bool:
    """As Ansible's TaskResult says it: what failed_when came to counts, where there is one."""
    items = [one for one in result.get("results", []) if isinstance(one, Mapping)]
    key = "failed_when_result" if any("failed_when_result" in one for one in (result, *items)) else "failed"
    return bool(result[key]) if key in result else any(bool(one.get(key)) for one in items)


def _skipped() -> dict[str, Any]:
    return {"skipped": True, "changed": False, "skip_reason": "Conditional result was False"}


def _listed(given: Any) -> list[Any]:
    if given is None:
        return []
    return list(given) if isinstance(given, list) else [given]


def words(value: Any) -> Iterator[str]:
    """Every string in a result, for those who look for one."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from words(item)
    elif isinstance(value, list):
        for item in value:
            yield from words(item)


__all__ = ["Played", "Role", "TaskFailed", "UnknownKeyword", "module_main", "words"]
