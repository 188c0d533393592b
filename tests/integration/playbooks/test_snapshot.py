# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks that save and restore, as docs/howto/snapshot.md has them.

Against small servers: the data is what tests/integration/dataplane/test_snapshots.py is about.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import yaml
from integration.playbooks.operators import ROOT, Operator

from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import serve
from ansible_collections.wwhd.qdrant_ops.tests.unit.snapshot_server import store

PAGE = (ROOT / "docs" / "howto" / "snapshot.md").read_text()
PLAYBOOKS = sorted(path.stem for path in (ROOT / "playbooks").glob("*snapshot.yml"))


def block(kind: str, has: str) -> str:
    """The one block of the page that has this text."""
    (found,) = [text for text in re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) if has in text]
    return str(found)


def words(command: str) -> list[str]:
    """What is typed after `ansible-playbook`, on one line or several."""
    line = command.strip().removeprefix("$ ").replace("\\\n", " ")
    name, *rest = line.split()
    assert name == "ansible-playbook"
    return rest


@pytest.mark.outside_iam("nothing of AWS is asked")
def test_saved_and_restored_elsewhere_as_the_page_has_it(operator: Operator, tmp_path: Path) -> None:
    old, new = store(), store()
    new.collections.clear()
    save, restore = (words(block("console", f"playbooks/{name}.yml")) for name in ("snapshot", "restore_snapshot"))
    with serve(old) as here, serve(new) as there:
        stand_ins = {
            "/var/backups/qdrant": str(tmp_path),
            "http://new-qdrant.internal:6333": there.url,
            "env=dev": "env=local",
        }
        said = " ".join([*save, *restore])
        for written, stand_in in stand_ins.items():
            assert written in said, written
            said = said.replace(written, stand_in)
        (name,) = re.findall(r"qdrant_snapshot_name=(\S+)", said)
        # Both in one run: it takes half the time.
        named, rest = ([word for word in said.split() if word.endswith(".yml") is yes] for yes in (True, False))
        both = tmp_path / "both.yml"
        both.write_text(yaml.safe_dump([{"import_playbook": str(ROOT / one)} for one in named]))
        relative = os.path.relpath(both.with_suffix(""), ROOT / "playbooks")
        played = operator.play(relative, *rest, "-e", f"qdrant_unlock_qdrant_url={here.url}")
    assert played.code == 0, played.output
    folder = tmp_path / "wwhd-backend.local" / name
    assert f"2 of 2 collections are saved in {folder}: 30 points" in played.text
    assert f"-e qdrant_snapshot_name={name}" in played.text
    assert f"2 of 2 collections are restored at {there.url}: 30 points, as many as were saved." in played.text
    assert {name: len(points) for name, points in new.collections.items()} == {"documents": 24, "conversations": 6}
    assert old.kept == {"documents": {}, "conversations": {}}


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_every_variable_of_the_playbooks_is_told_on_the_page(name: str) -> None:
    text = (ROOT / "playbooks" / f"{name}.yml").read_text()
    variables = set(re.findall(r"(?<![\w.])qdrant_snapshot_[a-z_]+", text))
    assert len(variables) > 3
    assert sorted(variable for variable in variables if f"`{variable}`" not in PAGE) == []


def test_the_pages_inventory_has_what_the_playbooks_ask_for() -> None:
    told = yaml.safe_load(block("yaml", "qdrant_snapshot_dir:"))
    assert set(told) == {"qdrant_unlock_qdrant_url", "qdrant_unlock_qdrant_api_key", "qdrant_snapshot_dir"}
