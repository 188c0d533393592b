# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the targets of tests/integration/targets against the worker's sandbox, as `ansible-test integration` would.

ansible-test itself needs a copy of the tree and clears its environment; what it does with a target is little: a play on
the target as a role, with integration_config.yml as extra variables and the target directory as the roles' path.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from integration.plays import MODULES, configuration, play

from sandbox.client import Sandbox

HERE = Path(__file__).parent
TARGETS = HERE / "targets"


def hidden(target: Path) -> bool:
    return "hidden" in (target / "aliases").read_text().split()


NAMES = sorted(target.name for target in TARGETS.iterdir() if target.is_dir() and not hidden(target))


def test_every_module_has_a_target() -> None:
    assert set(NAMES) == {path.stem for path in MODULES}


def test_the_template_names_what_the_targets_are_given(sandbox_session: Sandbox) -> None:
    template = yaml.safe_load((HERE / "integration_config.yml.template").read_text())
    assert set(template) == set(configuration(sandbox_session))


@pytest.mark.outside_iam("the targets use more of the modules than the playbooks do, and community.aws's modules")
@pytest.mark.parametrize("target", NAMES)
def test_target(target: str, sandbox_session: Sandbox, tmp_path: Path) -> None:
    # A target seeds the sandbox itself (setup_sandbox), which is why the session's is enough.
    played = play(
        {"name": f"Test {target}", "hosts": "testhost", "gather_facts": False, "roles": [target]},
        place=tmp_path,
        variables=configuration(sandbox_session),
        environment={"ANSIBLE_ROLES_PATH": str(TARGETS)},
    )
    assert played.returncode == 0, played.stdout
    assert "failed=0" in played.stdout
