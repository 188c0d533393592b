# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing of the collection hands text to a shell or another interpreter: read from the code's trees, not its text."""

from __future__ import annotations

import ast
import itertools
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from jinja2 import nodes

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))
TASKS = sorted([*(ROOT / "roles").rglob("tasks/*.yml"), *(ROOT / "roles").rglob("handlers/*.yml")])
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
TEMPLATED = [
    *TASKS,
    *PLAYBOOKS,
    *(path for kind in ("*/*.j2", "vars/*.yml", "defaults/*.yml") for path in sorted((ROOT / "roles").rglob(kind))),
    *sorted((ROOT / "playbooks").rglob("group_vars/*.yml")),
]

SHELLS = {"shell", "command", "raw", "script", "expect", "telnet", "win_shell", "win_command", "local_action", "action"}
PIPES = {"pipe", "lines", "url"}
MODULES = {"subprocess", "pty", "popen2", "commands", "code", "codeop"}
CALLS = {
    "eval", "exec", "compile", "__import__", "run_command", "system", "popen", "create_subprocess_exec",
    "create_subprocess_shell", "posix_spawn", "posix_spawnp", "fork", "forkpty", "import_module",
    *(f"{verb}{kind}" for verb in ("exec", "spawn") for kind in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
}  # fmt: skip


# --- Tasks -----------------------------------------------------------------------------------------------------------


def keys_of(node: Any) -> Iterator[str]:
    """Every key of every mapping, at any depth: a task's module is one of them, wherever the task stands."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield str(key)
            yield from keys_of(value)
    elif isinstance(node, list):
        for item in node:
            yield from keys_of(item)


def shells_in(document: Any) -> set[str]:
    return {key for key in keys_of(document) if key.rsplit(".", 1)[-1] in SHELLS}


@pytest.mark.parametrize("path", [*TASKS, *PLAYBOOKS], ids=lambda path: path.stem)
def test_no_task_runs_a_command(path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    assert "name" in set(keys_of(document))
    assert shells_in(document) == set()


@pytest.mark.parametrize(
    "task",
    [
        {"name": "x", "ansible.builtin.shell": "id"},
        {"block": [{"rescue": [{"command": {"argv": ["id"]}}]}]},
        {"local_action": "shell id"},
    ],
)
def test_a_task_that_does_would_be_found(task: dict[str, Any]) -> None:
    assert shells_in([task])


def lookups_in(text: str) -> set[str]:
    """The lookups of a template by name; one whose name is computed counts as `?`."""
    environment = jinja2.Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=True)
    calls = environment.parse(text).find_all(nodes.Call)
    named = [call for call in calls if isinstance(call.node, nodes.Name) and call.node.name in ("lookup", "query", "q")]
    return {
        str(call.args[0].value).rsplit(".", 1)[-1] if call.args and isinstance(call.args[0], nodes.Const) else "?"
        for call in named
    }


@pytest.mark.parametrize("path", TEMPLATED, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_template_opens_a_pipe(path: Path) -> None:
    assert lookups_in(path.read_text()) & {*PIPES, "?"} == set()


def test_a_template_that_does_would_be_found() -> None:
    assert lookups_in("{{ lookup('ansible.builtin.pipe', 'id') ~ query(name) }}") == {"pipe", "?"}


# --- Plugins ---------------------------------------------------------------------------------------------------------


def interpreters_in(source: str) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] in MODULES}
        elif isinstance(node, ast.ImportFrom):
            names = {alias.name for alias in node.names}
            found |= {str(node.module)} if str(node.module).split(".", maxsplit=1)[0] in MODULES else names & CALLS
        elif isinstance(node, ast.Call):
            function = node.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            # re.compile makes a pattern, not code.
            owner = getattr(function.value, "id", "") if isinstance(function, ast.Attribute) else ""
            if name in CALLS and (owner, name) != ("re", "compile"):
                found.add(name)
    return found


# They fork, and import the module of an action's own name: no text of anybody's chooses what runs.
FORKS = {"plugin_utils/_module_process.py": {"fork"}, "plugin_utils/_forked.py": {"import_module"}}


@pytest.mark.parametrize("path", [str(path.relative_to(ROOT / "plugins")) for path in PLUGINS])
def test_no_plugin_starts_a_process_or_an_interpreter(path: str) -> None:
    assert interpreters_in((ROOT / "plugins" / path).read_text()) == FORKS.get(path, set())


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import subprocess", "subprocess"),
        ("from subprocess import run", "subprocess"),
        ("import os\nos.system('id')", "system"),
        ("from os import popen", "popen"),
        ("module.run_command(['id'])", "run_command"),
        ("eval('1')", "eval"),
        ("compile('1', '', 'eval')", "compile"),
    ],
)
def test_a_plugin_that_does_would_be_found(source: str, found: str) -> None:
    assert interpreters_in(source) == {found}
    assert interpreters_in("import re\nre.compile('a')") == set()


# --- The cleaner -----------------------------------------------------------------------------------------------------

OWN_TEXT = 'eval "$CLEANER_SCRIPT"'


def words_of(script: str) -> list[str]:
    """The script's words, quotes removed, comments left out."""
    words = shlex.shlex(script, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    return list(words)


def evaluated(words: list[str]) -> list[str]:
    """What is given to a shell as code."""
    found = [word for word in words if "eval" in word.replace(";", " ").split()]
    for word, code in itertools.pairwise(words):
        if word in (".", "source") or (word == "-c" and code != OWN_TEXT):
            found.append(f"{word} {code}")
    return found


def test_the_cleaner_evaluates_nothing_but_its_own_text() -> None:
    words = words_of((ROOT / "roles" / "qdrant_unlock" / "files" / "cleaner.sh").read_text())
    assert len(words) > 300
    # For folders that are left out and for candidates; no other interpreter is named.
    assert evaluated(words) == [OWN_TEXT] * 2
    assert [words[index + 1] for index, word in enumerate(words) if word == "sh"] == ["-c"] * 2
    assert {"xargs", "awk", "bash", "perl", "python", "env", "exec"}.isdisjoint(words)
    assert not any("`" in word for word in words)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('eval "$x"', ["eval"]),
        ("sh -c \"$x\"", ["-c $x"]),
        (". ./x", [". ./x"]),
        ("sh -c 'eval $x'", ["eval $x", "-c eval $x"]),
    ],
)  # fmt: skip
def test_a_script_that_does_would_be_found(line: str, found: list[str]) -> None:
    assert evaluated(words_of(line)) == found
