# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the terminal shows, and what AWX gets; tests/integration/playbooks/test_diagnose.py has it run by Ansible."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import yaml
from ansible.errors import AnsibleError

from ansible_collections.wwhd.qdrant_ops.plugins.action import unlock_say
from ansible_collections.wwhd.qdrant_ops.plugins.modules import unlock_say as documented
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils import _saying


def run(**arguments: Any) -> tuple[dict[str, Any], list[tuple[str, bool]]]:
    task: Any = SimpleNamespace(args=arguments, async_val=0, check_mode=False, diff=False, action="unlock_say")
    connection: Any = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None))
    shown: list[tuple[str, bool]] = []
    with mock.patch.object(
        _saying.Display, "display", lambda _self, text, stderr=False, **_others: shown.append((text, stderr))
    ):
        result = unlock_say.ActionModule(task, connection, None, None, None, None).run(task_vars={})
    return result, shown


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("short", "short"),
        ("   - one two three four five", "   - one two three\n     four five"),
        ("1. one two three four five", "1. one two three four\n   five"),
        ("   $ ansible-playbook a.yml -e env=dev -e b=c", "   $ ansible-playbook a.yml -e env=dev -e b=c"),
        ("./a/path/that/is/longer/than/a/line", "./a/path/that/is/longer/than/a/line"),
        ("measure        | was   | now   | state", "measure        | was   | now   | state"),
        ("\x1b[31mred\x1b[0m \x07bell", "red  bell"),
        ("", ""),
    ],
)
def test_lines_are_broken_where_a_reader_expects_it(line: str, shown: str) -> None:
    assert _saying.layout([line], width=22) == shown


def test_it_fails_with_the_lines_which_ansible_shows() -> None:
    result, shown = run(lines=["It is not set.", "Nothing was changed."], fail=True)
    assert shown == []
    assert result["failed"] is True
    assert result["msg"] == "It is not set. Nothing was changed."


def test_all_lines_go_out_at_once_and_are_returned_whole() -> None:
    lines = ["one", "   - " + "word " * 60]
    result, shown = run(lines=lines, stats={"qdrant_unlock_diagnoses": {"a": {"outcome": "healthy"}}})
    assert len(shown) == 1
    assert shown[0][0].count("\n") > 3
    assert shown[0][0].startswith("\none\n")
    assert shown[0][1] is False
    assert result["lines"] == lines
    assert result["changed"] is False
    sample = yaml.safe_load(documented.RETURN)["ansible_stats"]["sample"]
    assert result["ansible_stats"] == {**sample, "data": {"qdrant_unlock_diagnoses": {"a": {"outcome": "healthy"}}}}


def test_nothing_to_say_shows_nothing() -> None:
    result, shown = run(lines=[])
    assert shown == []
    assert "ansible_stats" not in result


def test_what_reads_standard_output_as_json_is_not_disturbed() -> None:
    with mock.patch.object(_saying, "is_aside", lambda: True):
        assert run(lines=["x"])[1] == [("\nx", True)]


def test_what_was_misspelt_is_refused() -> None:
    with pytest.raises(AnsibleError, match="lins"):
        run(lines=["x"], lins=["y"])
