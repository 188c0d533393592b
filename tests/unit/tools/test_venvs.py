# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments of tools of their own: made once, made anew when their pins change, and with pip where uv fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "tools"))
import venvs


@pytest.fixture
def pins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is installed, so nothing is asked of an index."""
    monkeypatch.setattr(venvs, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(venvs, "REQUIREMENTS", tmp_path)
    pins = tmp_path / "mine.txt"
    pins.write_text("# nothing\n")
    return pins


def test_pip_goes_on_where_uv_fails_and_what_stands_is_kept(
    pins: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(venvs, "BIN", pins.parent / "no tools")
    place = venvs.environment("mine")
    assert (place / "bin" / "python").exists()
    assert "going on with pip" in capsys.readouterr().out
    assert venvs.environment("mine") == place
    assert capsys.readouterr().out == ""
    pins.write_text("# nothing else\n")
    venvs.environment("mine")
    assert "once" in capsys.readouterr().out


def test_what_neither_can_install_is_told(pins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venvs, "BIN", pins.parent / "no tools")
    pins.write_text("./nowhere\n")
    with pytest.raises(venvs.MissingError, match=r"mine\.txt cannot be installed by pip: .*nowhere"):
        venvs.environment("mine")
    assert not (pins.parent / "cache" / "venvs" / "mine" / "packages.txt").exists()
