# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""ansible-builder takes the definition as the page says, and finds what this collection needs in an image."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from integration.eda import pages

sys.path.insert(0, str(pages.ROOT / "tools"))
import venvs

PAGE = "execution_environment.md"
DEFINITION = pages.ROOT / "extensions/ee/execution-environment.yml"


@pytest.fixture(scope="module")
def builder() -> Path:
    try:
        return venvs.environment("builder") / "bin" / "ansible-builder"
    except venvs.MissingError as error:
        pytest.skip(f"not tried: {error}")


def run(*words: str | Path, cwd: Path) -> str:
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_build_context_comes_out_of_the_definition(builder: Path, tmp_path: Path) -> None:
    shutil.copytree(DEFINITION.parent, tmp_path / "extensions" / "ee")
    (line,) = pages.commands(PAGE)
    run(builder, *shlex.split(line)[1:], cwd=tmp_path)
    (recipe,) = [path.read_text() for path in (tmp_path / "build/ee").glob("*file")]
    assert re.search(r"^ARG EE_BASE_IMAGE=\"?quay.io/centos/centos:stream9", recipe, re.MULTILINE)
    assert "ansible-galaxy collection install" in recipe
    asked = yaml.safe_load((tmp_path / "build/ee/_build/requirements.yml").read_text())
    assert [collection["name"] for collection in asked["collections"]] == ["wwhd.qdrant_ops"]
    # The page shows the whole definition.
    assert pages.data(PAGE) == yaml.safe_load(DEFINITION.read_text())


def test_the_collection_says_what_it_needs_in_an_image(builder: Path, tmp_path: Path) -> None:
    collection = tmp_path / "ansible_collections/wwhd/qdrant_ops"
    for name in ("galaxy.yml", "requirements.txt", "meta/execution-environment.yml"):
        (collection / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(pages.ROOT / name, collection / name)
    found = yaml.safe_load(run(builder, "introspect", tmp_path, cwd=tmp_path))
    wanted = [line for line in (pages.ROOT / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert sorted(line.split("  #")[0] for line in found["python"]) == sorted(wanted)
    assert not found.get("system")
