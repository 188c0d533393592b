# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Try the collection with each ansible-core from 2.17 on, and with each Python from 3.9 on under its modules.

For a pair, the core runs ansible-doc on every module, starts every module under that Python (which answers in its own
words to an option that it does not have: all that it imports is there), and plays integration targets against a
sandbox. `tools/matrix.py` tries all pairs, `tools/matrix.py 2.17/3.9` one; both write docs/compatibility.md.
What worked with the same code is kept, so that a run may be stopped and goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pip_config
import sanity
from environment import BIN, CACHE, PYTHON, ROOT, TREE, tool_environment

MATRIX = CACHE / "matrix"
RESULTS = MATRIX / "results.json"
DOCUMENT = ROOT / "docs" / "compatibility.md"
TARGETS = ROOT / "tests" / "integration" / "targets"
# The last one has no upper bound: the newest that can be installed.
CORES = ("2.17", "2.18", "2.19", "2.20", "")
PYTHONS = sanity.VERSIONS
# It registers nothing by itself, runs a task, waits for it and reads its logs: most of what is shared is in it.
DEFAULT_TARGETS = ("ecs_run_oneoff",)
MODULES = tuple(sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")))
SECONDS = 420


class MissingError(Exception):
    """What is not here to try a pair with, in a sentence."""


class BrokenError(Exception):
    """What a pair could not do, with the output."""


@dataclass(frozen=True)
class Core:
    """An ansible-core in a virtual environment of its own, and the Pythons that it says its modules may run on."""

    version: str
    python: str
    place: Path
    pythons: tuple[str, ...]

    @property
    def name(self) -> str:
        return ".".join(self.version.split(".")[:2])


@dataclass
class Pair:
    """How one went: `word` is what the table says."""

    core: Core
    python: str
    word: str
    lines: list[str] = field(default_factory=list)


def interpreter(version: str) -> Path:
    found = next(filter(None, (sanity.started(path, version) for path in sanity.candidates(version))), None)
    if found is None:
        raise MissingError(f"no interpreter here for Python {version}")
    return found


def environment(python: str, *, name: str, packages: Iterable[str]) -> Path:
    """A virtual environment with these packages, made once."""
    place = MATRIX / name
    stamp, wanted = place / "packages.json", json.dumps(sorted(packages))
    if stamp.is_file() and stamp.read_text() == wanted:
        return place
    base = interpreter(python)
    variables = {**tool_environment(), **pip_config.as_uv_environment(pip_config.read(PYTHON))}
    commands: tuple[list[str | Path], ...] = (
        [BIN / "uv", "venv", "--quiet", "--clear", "--python", base, place],
        [BIN / "uv", "pip", "install", "--quiet", "--python", place / "bin" / "python", *packages],
    )
    for command in commands:
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=SECONDS)
        if done.returncode != 0:
            raise MissingError(
                f"{' and '.join(packages)} cannot be installed for Python {python}: {done.stderr[-400:]}"
            )
    stamp.write_text(wanted)
    return place


def core(minor: str, *, pythons: Iterable[str] = PYTHONS) -> Core:
    """That minor version on the newest Python here that it says it runs on; the newest of all for an empty `minor`."""
    wanted = f"ansible-core=={minor}.*" if minor else "ansible-core"
    why = [f"no interpreter here that ansible-core {minor} runs on"]
    for python in reversed(list(pythons)):
        try:
            place = environment(python, name=f"core{minor or '-newest'}-py{python}", packages=[wanted, "boto3"])
        except MissingError as error:
            why.append(str(error))
            continue
        version, controllers, remotes = _told(place)
        if python in controllers:
            return Core(version, python, place, tuple(p for p in PYTHONS if p in controllers or p in remotes))
    raise MissingError("; ".join(why))


def _told(place: Path) -> tuple[str, list[str], list[str]]:
    """A core's version, and the Pythons that its own ansible-test takes for its controller and for its modules."""
    question = (
        "import json, ansible.release, ansible_test._util.target.common.constants as c; "
        "print(json.dumps([ansible.release.__version__, c.CONTROLLER_PYTHON_VERSIONS, c.REMOTE_ONLY_PYTHON_VERSIONS]))"
    )
    done = subprocess.run([place / "bin" / "python", "-c", question], capture_output=True, text=True, check=True)
    version, controllers, remotes = json.loads(done.stdout)
    return version, controllers, remotes


def module_python(python: str) -> Path:
    """An interpreter for modules, with boto3: the newest that there is for that Python."""
    return environment(python, name=f"modules-py{python}", packages=["boto3"]) / "bin" / "python"


@contextmanager
def sandbox() -> Iterator[dict[str, str]]:
    """One that is ours alone; yields what integration_config.yml says of it."""
    sys.path.insert(0, str(ROOT / "tests"))
    from integration.plays import configuration  # noqa: PLC0415  only found with the path above

    from sandbox.client import Sandbox  # noqa: PLC0415  likewise

    with tempfile.TemporaryDirectory() as scratch:
        started = Sandbox(Path(scratch)).start(speed=50, idle=900)
        try:
            yield configuration(started)
        finally:
            started.stop()


def documented(found: Core, home: Path) -> None:
    names = [f"wwhd.qdrant_ops.{module}" for module in MODULES]
    output = _run(found, ["ansible-doc", "-t", "module", "--json", *names], home=home)
    docs = json.loads(output[output.index("{") :])
    lacking = [name for name in names if not docs.get(name, {}).get("doc", {}).get("options")]
    if lacking:
        raise BrokenError(f"ansible-doc of core {found.version} has no options of {', '.join(lacking)}")


def started(found: Core, python: Path, home: Path) -> None:
    """Every module's imports work there, as the module itself refuses an option that it does not have."""
    tasks = [
        {"name": module, f"wwhd.qdrant_ops.{module}": {"no_such_option": 1}, "ignore_errors": True, "register": module}
        for module in MODULES
    ]
    # Which of the two a module says first differs between cores; both come after all imports.
    spoke = [f"{module}.msg is search('Unsupported parameters|arguments|are missing')" for module in MODULES]
    judge = {"name": "Each answered", "ansible.builtin.assert": {"that": spoke}}
    _play(found, python, home, {"hosts": "testhost", "gather_facts": False, "tasks": [*tasks, judge]})


def played(found: Core, python: Path, home: Path, target: str) -> None:
    _play(found, python, home, {"hosts": "testhost", "gather_facts": False, "roles": [target]})


def _play(found: Core, python: Path, home: Path, play: dict[str, object]) -> None:
    (home / "play.yml").write_text(json.dumps([play]))
    inventory = f"testhost ansible_connection=local ansible_python_interpreter={python}\n"
    (home / "inventory").write_text(inventory)
    words = ["-i", "inventory", "-e", f"@{home / 'integration_config.json'}", "play.yml"]
    _run(found, ["ansible-playbook", *words], home=home)


def _run(found: Core, words: list[str], *, home: Path) -> str:
    variables = tool_environment(
        PATH=f"{found.place / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        HOME=str(home),
        ANSIBLE_COLLECTIONS_PATH=str(TREE),
        ANSIBLE_ROLES_PATH=str(TARGETS),
        ANSIBLE_PIPELINING="true",
        NO_COLOR="1",
    )
    done = subprocess.run(
        [found.place / "bin" / words[0], *words[1:]],
        cwd=home, env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    if done.returncode != 0:
        raise BrokenError(
            f"{words[0]} of core {found.version} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


def attempt(found: Core, python: str, *, targets: Iterable[str], settings: dict[str, str], doc: bool) -> Pair:
    """Tries one pair. Raises BrokenError or MissingError."""
    interpreter_of_modules = module_python(python)
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        (home / "integration_config.json").write_text(json.dumps(settings))
        if doc:
            documented(found, home)
        started(found, interpreter_of_modules, home)
        for target in targets:
            played(found, interpreter_of_modules, home, target)
    return Pair(found, python, "works")


def table(pairs: list[Pair]) -> list[str]:
    versions = {pair.core.version: pair.core for pair in pairs}
    cores = sorted(versions.values(), key=lambda each: [int(part) for part in re.findall(r"\d+", each.version)])
    words = {(pair.core.version, pair.python): pair.word for pair in pairs}
    head = ["ansible-core (on Python)", *PYTHONS]
    rows = [
        [f"{each.version} ({each.python})", *(words.get((each.version, python), "not tried") for python in PYTHONS)]
        for each in cores
    ]
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def document(pairs: list[Pair], targets: Iterable[str]) -> str:
    return "\n".join(
        [
            "# What it runs with",
            "",
            "Written by `make matrix`. A row is an ansible-core with the Python that it ran on, a column the Python",
            "that the modules ran on, with the newest boto3 that can be installed. *works* means: ansible-doc reads",
            "every module, every module starts and answers under that Python, and these targets pass against the",
            f"sandbox: {', '.join(f'`{target}`' for target in targets)}.",
            "*unsupported* is what that core's own ansible-test does not take for modules.",
            "",
            *table(pairs),
            "",
        ]
    )


def kept(code: str, targets: Iterable[str]) -> list[Pair]:
    """What an earlier run found of the same code with the same targets; what failed is tried again."""
    if not RESULTS.is_file():
        return []
    found = json.loads(RESULTS.read_text())
    if (found["code"], found["targets"]) != (code, list(targets)):
        return []
    return [
        Pair(Core(pair["version"], pair["on"], Path(), ()), pair["python"], pair["word"])
        for pair in found["pairs"]
        if pair["word"] in {"works", "unsupported"}
    ]


def keep(pairs: list[Pair], code: str, targets: Iterable[str]) -> None:
    told = [
        {"version": pair.core.version, "on": pair.core.python, "python": pair.python, "word": pair.word}
        for pair in pairs
    ]
    MATRIX.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({"code": code, "targets": list(targets), "pairs": told}))


def code_of_plugins() -> str:
    digest = hashlib.sha256()
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def chosen(words: list[str]) -> list[tuple[str, tuple[str, ...]]]:
    """`2.17/3.9` is one pair, `2.17` all pairs of a core; nothing is everything."""
    if not words:
        return [(minor, PYTHONS) for minor in CORES]
    found: dict[str, list[str]] = {}
    for word in words:
        minor, _slash, python = word.partition("/")
        found.setdefault(minor, []).extend([python] if python else PYTHONS)
    return [(minor, tuple(pythons)) for minor, pythons in found.items()]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "pairs", nargs="*", help="CORE or CORE/PYTHON, such as 2.17/3.9 (default: all, and the document)"
    )
    parser.add_argument("--target", action="append", help="an integration target to play, or all")
    given = parser.parse_args(arguments)
    targets = tuple(given.target or DEFAULT_TARGETS)
    targets = MODULES if targets == ("all",) else targets
    code = code_of_plugins()
    pairs = kept(code, targets)
    with sandbox() as settings:
        for minor, pythons in chosen(given.pairs):
            try:
                found = core(minor)
            except MissingError as error:
                print(f"matrix: {minor or 'the newest core'} not tried: {error}", flush=True)
                continue
            done = {pair.python for pair in pairs if pair.core.version == found.version}
            for python in [python for python in pythons if python not in done]:
                pairs.append(_tried(found, python, targets=targets, settings=settings, doc=not done))
                done.add(python)
                keep(pairs, code, targets)
    print("\n".join(table(pairs)))
    DOCUMENT.write_text(document(pairs, targets))
    return int(any(pair.word == "fails" for pair in pairs) or not pairs)


def _tried(found: Core, python: str, *, targets: Iterable[str], settings: dict[str, str], doc: bool) -> Pair:
    if python not in found.pythons:
        return Pair(found, python, "unsupported")
    began = time.monotonic()
    try:
        pair = attempt(found, python, targets=targets, settings=settings, doc=doc)
    except MissingError as error:
        pair = Pair(found, python, "not tried", [str(error)])
    except BrokenError as error:
        pair = Pair(found, python, "fails", [str(error)])
    seconds = time.monotonic() - began
    print(f"matrix: core {found.version}, modules on {python}: {pair.word} ({seconds:.0f} s)", *pair.lines, flush=True)
    return pair


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
