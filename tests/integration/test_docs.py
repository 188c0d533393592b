# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What pages tell a reader to type is typed here, or by the test that RUN_BY names; what they show as output is seen.

The tutorial is gone through from its beginning to its end, in a sandbox of its own. A new page needs a row in RUN_BY
for each command that the tutorial has not, or one in PAGES_OF_THEIR_OWN, and nothing for its YAML: that is read here
whatever page it stands on.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration import pages
from integration.pages import ROOT, anywhere, blocks, folded

from sandbox.store import seeding

BIN = Path(sys.executable).parent
SECONDS = 280
TUTORIAL = "docs/tutorial.md"
UNLOCK = "ansible-playbook playbooks/unlock.yml -e env=local"
# As production.md has it, and so that the check has something to do, however long its way here took.
PROTECTED = "-e confirm=local -e qdrant_unlock_protected=true -e qdrant_unlock_when=always"
FILL_IN = next(one for block in blocks("console", page="docs/iam/README.md") for one in block.commands)
# One sandbox and one reader for these, whichever worker it is.
IN_ORDER = pytest.mark.xdist_group("a reader of the documentation")
# Pages whose commands are read from the page and run, each of them, by a test of their own.
PAGES_OF_THEIR_OWN = {
    "awx.md": ("tests/integration/awx/test_jobs.py",),
    "diagnose.md": ("tests/integration/playbooks/test_diagnose.py",),
    "eda.md": ("tests/integration/eda/test_aws.py", "tests/integration/eda/test_rulebook.py"),
    "execution_environment.md": ("tests/integration/test_execution_environment.py",),
    "inspect.md": ("tests/integration/playbooks/test_diagnose.py",),
    "prevent.md": ("tests/integration/playbooks/test_prevent.py",),
    "release.md": ("tests/unit/test_howto_release.py",),
    "snapshot.md": ("tests/integration/playbooks/test_snapshot.py",),
}
# Commands that run elsewhere, as `anywhere` has them: the file that runs them, and the words there that do it.
RUN_BY: dict[str, tuple[str, str]] = {
    "make setup": (".ci/run", "make setup"),
    "make test": (".ci/run", "exec make test"),
    "make demo": ("tests/integration/test_docs.py", '"tools" / "demo.py"'),
    "make build": ("tests/integration/test_docs.py", '"tools" / "build.py"'),
    "ansible-galaxy collection install build/wwhd-qdrant_ops-VERSION.tar.gz": (
        "tests/integration/test_docs.py", '"collection", "install"',
    ),
    "export PATH=$PWD/.venv/bin:$PATH": ("tests/integration/test_docs.py", "command -v ansible-playbook"),
    "ansible-playbook wwhd.qdrant_ops.check_environment -i inventory -e env=local": (
        "tests/integration/test_docs.py", '"ansible-playbook", "wwhd.qdrant_ops.check_environment"',
    ),
    "make bench-cleaner FILES=1000 LOCKS=1 REPEAT=1 SHELLS=dash": (
        "tests/integration/cleaner/test_docs.py", "test_its_command_runs",
    ),
    FILL_IN: ("tests/unit/test_iam_policies.py", "test_the_command_fills_everything_in"),
    "ansible-playbook playbooks/check_environment.yml -e env=local": (
        "tests/integration/test_docs.py", '"playbooks/check_environment.yml"',
    ),
    f"{UNLOCK} -e confirm=local --check": ("tests/integration/test_docs.py", 'f"{command} {PROTECTED}"'),
    f"{UNLOCK} -e confirm=local": ("extensions/molecule/stuck/converge.yml", "unlock_words: [-e, confirm=local,"),
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader works: the sandbox's state and the reports are here, not in the checkout."""
    return tmp_path_factory.mktemp("reader")


def run(*words: str | Path, place: Path, cwd: Path = ROOT, fine: bool = True, **more: str) -> str:
    """Runs a command as a reader's terminal does, and gives all that it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_", "PYTEST"))}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={
            **kept,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_COLOR": "1",
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "PWD": str(place),
            "QDRANT_OPS_SANDBOX": str(place / "sandbox"),
            **more,
        },
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS,
        check=False,
    )  # fmt: skip
    assert not fine or done.returncode == 0, f"{' '.join(map(str, words))} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


Printed = dict[str, str]


@pytest.fixture(scope="module")
def demo(place: Path) -> Iterator[Printed]:
    """`make demo`, whose sandbox is left running for the tutorial."""
    # As an earlier run left it: the demo's own has nothing to compare with otherwise.
    counts = {"at": "2026-11-24T10:00:00Z", "points": seeding.COUNTS}
    (place / "reports").mkdir()
    (place / "reports" / "wwhd-backend.local-last-verified.json").write_text(json.dumps(counts))
    # Longer than a busy machine needs until the playbook looks: otherwise the service is healthy by then.
    command = (sys.executable, ROOT / "tools" / "demo.py", "--keep", "--lease", "60")
    try:
        yield {"make demo": run(*command, place=place, cwd=place)}
    finally:
        run(sys.executable, "-m", "sandbox", "down", place=place, fine=False)


@pytest.fixture(scope="module")
def session(demo: Printed, place: Path) -> Printed:
    """What the tutorial's commands printed, in its order. The unlock was the demo's, on a service broken alike."""
    typed = [command for block in blocks("console", page=TUTORIAL) for command in block.commands]
    printed = dict(demo)
    for command in typed:
        if command not in {*RUN_BY, UNLOCK, "python -m sandbox down"}:
            words = f"{command} {PROTECTED}" if command.startswith(UNLOCK) else command
            printed[command] = run(*words.split(), place=place)
    printed["python -m sandbox down"] = run("python", "-m", "sandbox", "down", place=place)
    return printed


# --- Commands --------------------------------------------------------------------------------------------------------


def test_every_command_is_run_by_a_test() -> None:
    typed = {command for block in blocks("console", page=TUTORIAL) for command in block.commands}
    unknown = [
        f"{block.page}: {command}"
        for block in blocks("console")
        for command in block.commands
        if anywhere(command) not in typed | RUN_BY.keys() and Path(block.page).name not in PAGES_OF_THEIR_OWN
    ]
    assert not unknown, (
        "no test runs these; name the one that does in RUN_BY (tests/integration/test_docs.py), or write it:\n"
        + "\n".join(unknown)
    )


@pytest.mark.parametrize("page", PAGES_OF_THEIR_OWN)
def test_a_page_and_its_test_come_and_go_together(page: str) -> None:
    is_there = (ROOT / "docs" / "howto" / page).is_file()
    for test in PAGES_OF_THEIR_OWN[page]:
        assert (ROOT / test).is_file() or not is_there, f"docs/howto/{page} has lost {test}"
        assert not is_there or page in (ROOT / test).read_text(), f"{test} does not read docs/howto/{page}"


@pytest.mark.parametrize("command", RUN_BY)
def test_the_test_that_is_named_is_there(command: str) -> None:
    path, words = RUN_BY[command]
    # This file has the words in the row itself.
    itself = (ROOT / path).samefile(__file__)
    assert (ROOT / path).read_text().count(words) > itself
    listed = {anywhere(one) for block in blocks("console") for one in block.commands}
    assert command in listed, f"no page has {command!r} any more: remove its row"


def test_a_console_block_has_commands_and_nothing_else() -> None:
    wrong = [
        f"{block.page}: {line}"
        for block in blocks("console")
        for line in block.text.replace("\\\n", " ").splitlines()
        if not line.startswith("$ ")
    ]
    assert not wrong, "output belongs into a block marked text:\n" + "\n".join(wrong)


@IN_ORDER
def test_the_demo_goes_as_it_says(demo: Printed, place: Path) -> None:
    told = folded(demo["make demo"])
    assert "Done in" in told
    assert "wwhd-backend local is healthy again." in told
    assert list((place / "reports").glob("wwhd-backend.local-unlock-*.html"))


@IN_ORDER
def test_the_tutorial_goes_as_it_says(session: Printed) -> None:
    assert "a lock on them is held" in folded(session["ansible-playbook playbooks/diagnose.yml -e env=local"])
    assert "lock files found" in folded(session["ansible-playbook playbooks/inspect.yml -e env=local"])
    assert "The sandbox has ended." in session["python -m sandbox down"]


@IN_ORDER
def test_an_environment_that_is_protected_takes_its_confirmation(session: Printed) -> None:
    told = folded(session[f"{UNLOCK} --check"])
    assert "Check mode: wwhd-backend local would be stopped" in told
    assert "is protected" not in told


@IN_ORDER
@pytest.mark.parametrize("page", ["README.md", TUTORIAL, "docs/howto/production.md"])
def test_what_a_page_shows_as_output_is_printed(page: str, session: Printed) -> None:
    """Line by line and without numbers, as the lines between are left out; what is … may be anything."""
    printed = folded("\n".join(session.values()))
    lines = [folded(line) for block in blocks("text", page=page) for line in block.text.splitlines()]
    parts = [part.removeprefix("- ").strip() for line in lines for part in line.split("…")]
    assert len(parts) > 3
    assert [part for part in parts if part.strip(" .:") and part not in printed] == []


def test_every_playbook_has_a_row() -> None:
    page = (ROOT / "docs" / "which_playbook.md").read_text()
    lacking = [path.name for path in (ROOT / "playbooks").glob("*.yml") if f"| `{path.name}` |" not in page]
    assert lacking == [], "docs/which_playbook.md needs a row for each playbook"


# --- Files -----------------------------------------------------------------------------------------------------------


def documents() -> list[tuple[str, Any]]:
    return [(block.page, yaml.safe_load(block.text)) for block in blocks("yaml")]


def plays() -> list[list[dict[str, Any]]]:
    lists = [found for _page, found in documents() if isinstance(found, list) and found]
    return [found for found in lists if "hosts" in found[0] or any("import_playbook" in key for key in found[0])]


def test_variables_are_the_roles_own() -> None:
    known = {
        name
        for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")
        for entry in yaml.safe_load(path.read_text())["argument_specs"].values()
        for name in entry.get("options", {})
    }
    prefixes = tuple(f"{path.name}_" for path in (ROOT / "roles").iterdir() if path.is_dir())
    wrong = [
        f"{page}: {name}"
        for page, found in documents()
        if isinstance(found, dict)
        for name in found
        if str(name).startswith(prefixes) and name not in known
    ]
    assert wrong == []


def production_inventory(place: Path) -> Path:
    """What production.md has one write down, in a folder of one's own."""
    inventory = place / "inventory"
    for block in blocks("yaml", page="docs/howto/production.md"):
        named = re.match(r"# playbooks/inventory/(\S+)\n", block.text)
        assert named
        (inventory / named[1]).parent.mkdir(parents=True, exist_ok=True)
        (inventory / named[1]).write_text(block.text)
    return inventory


def test_the_checkouts_own_programs_come_first(place: Path) -> None:
    (line,) = {one for block in blocks("console") for one in block.commands if one.startswith("export PATH=")}
    found = run("sh", "-c", f"cd {shlex.quote(str(ROOT))} && {line} && command -v ansible-playbook", place=place)
    assert Path(found.strip()) == ROOT / ".venv" / "bin" / "ansible-playbook"


def test_plays_and_inventories_are_what_ansible_takes(place: Path) -> None:
    """One run for all plays; the inventory is production.md's, with the file of variables that belongs to it."""
    inventory = production_inventory(place)
    (place / "plays.yml").write_text(yaml.safe_dump([play for block in plays() for play in block], sort_keys=False))
    syntax = ("ansible-playbook", "--syntax-check", "-i", inventory)
    out = run(*syntax, "-e", "env=prod", place / "plays.yml", place=place)
    assert "playbook: " in out
    check = ("ansible-playbook", "-i", inventory, "playbooks/check_environment.yml", "-e")
    assert "failed=0" in run(*check, "env=prod", place=place)


def test_what_is_built_can_be_installed(place: Path) -> None:
    run(sys.executable, ROOT / "tools" / "build.py", place=place)
    ball = ROOT / "build" / f"wwhd-qdrant_ops-{pages.VERSION}.tar.gz"
    # amazon.aws comes from the network otherwise, which tests do without.
    install = ("ansible-galaxy", "collection", "install", "--force", "--no-deps", "--offline")
    run(*install, "-p", place / "collections", ball, place=place)
    installed = place / "collections" / "ansible_collections" / "wwhd" / "qdrant_ops"
    assert (installed / "playbooks" / "unlock.yml").is_file()
    assert not (installed / ".venv").exists()
    # By name and from anywhere, as the pages have it, with an inventory of one's own.
    (place / "mine").mkdir()
    inventory = production_inventory(place / "mine")
    paths = os.pathsep.join([str(place / "collections"), str(ROOT / ".cache" / "tree")])
    by_name = ("ansible-playbook", "wwhd.qdrant_ops.check_environment", "-i", inventory.name, "-e", "env=prod")
    assert "failed=0" in run(*by_name, place=place, cwd=place / "mine", ANSIBLE_COLLECTIONS_PATH=paths)
    (inventory / "group_vars" / "prod.yml").unlink()
    by_name = ("ansible-playbook", "-i", inventory.name, "-e", "env=prod", "wwhd.qdrant_ops.unlock")
    told = run(*by_name, place=place, cwd=place / "mine", fine=False, ANSIBLE_COLLECTIONS_PATH=paths)
    assert "qdrant_unlock_region is not set" in folded(told)


# --- Links -----------------------------------------------------------------------------------------------------------


def test_links_lead_somewhere() -> None:
    """Within the repository; the site's build finds those between its pages again, with their headings."""
    linked = [
        (path, (path.parent / target).resolve())
        for path in pages.pages()
        for target in re.findall(r"\]\((?![a-z]+:|#)([^)\s#]+)", path.read_text())
    ]
    written_by_the_build = ROOT / "docs" / "reference"
    wrong = [(page, to) for page, to in linked if not to.exists() and not to.is_relative_to(written_by_the_build)]
    assert wrong == []
