"""Where the modules of several hosts find what one of them has read; the rest is in module_utils/test_shared.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible import constants

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._shared import PLACE, shared_by
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._shared import shared_folder

TWO = {"ansible_play_batch": ["one", "two"]}


@pytest.mark.parametrize("task_vars", [{}, {"ansible_play_batch": None}, {"ansible_play_batch": ["one"]}], ids=repr)
def test_one_host_shares_with_nobody(task_vars: dict[str, Any], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    assert shared_folder(task_vars) == {}
    assert list(tmp_path.iterdir()) == []


def test_several_have_one_folder_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    given = shared_folder(TWO)
    assert given == shared_folder(TWO)
    (folder,) = tmp_path.iterdir()
    assert given == {PLACE: str(folder)}
    assert folder.stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv(PLACE, given[PLACE])
    assert shared_by({"region": "us-west-2"}) is not None


def test_without_room_for_a_folder_each_reads_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path / "gone"))
    assert shared_folder(TWO) == {}
