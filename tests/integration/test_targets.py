# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the targets of tests/integration/targets against the worker's sandbox, as `ansible-test integration` would.

ansible-test itself needs a copy of the tree and clears its environment; what it does with a target is little: a play on
the target as a role, with integration_config.yml as extra variables and the target directory as the roles' path.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sandbox.client import Sandbox

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TARGETS = HERE / "targets"
MODULES = ROOT / "plugins" / "modules"
SECONDS = 280


def hidden(target: Path) -> bool:
    return "hidden" in (target / "aliases").read_text().split()


NAMES = sorted(target.name for target in TARGETS.iterdir() if target.is_dir() and not hidden(target))


def configuration(sandbox: Sandbox) -> dict[str, str]:
    """What integration_config.yml says; integration_config.yml.template has the same names."""
    state = sandbox.state
    return {
        "aws_endpoint_url": state["endpoint_url"],
        "aws_region": state["region"],
        "aws_access_key": state["access_key"],
        "aws_secret_key": state["secret_key"],
        "sandbox_calls": state["calls"],
        "sandbox_health_url": state["health_url"],
        "sandbox_qdrant_url": state["qdrant_url"],
    }


def test_every_module_has_a_target() -> None:
    assert set(NAMES) == {path.stem for path in MODULES.glob("*.py")}


def test_the_template_names_what_the_targets_are_given(sandbox_session: Sandbox) -> None:
    template = yaml.safe_load((HERE / "integration_config.yml.template").read_text())
    assert set(template) == set(configuration(sandbox_session))


@pytest.mark.outside_iam("the targets use more of the modules than the playbooks do, and community.aws's modules")
@pytest.mark.parametrize("target", NAMES)
def test_target(target: str, sandbox_session: Sandbox, tmp_path: Path) -> None:
    # A target seeds the sandbox itself (setup_sandbox), which is why the session's is enough.
    (tmp_path / "integration_config.yml").write_text(yaml.safe_dump(configuration(sandbox_session)))
    play = {"name": f"Test {target}", "hosts": "testhost", "gather_facts": False, "roles": [target]}
    (tmp_path / f"{target}.yml").write_text(yaml.safe_dump([play]))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ANSIBLE_", "PYTEST"))}
    environment = {
        **kept,
        "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
        "ANSIBLE_ROLES_PATH": str(TARGETS),
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_NOCOLOR": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "HOME": str(tmp_path),
    }
    done = subprocess.run(
        [
            Path(sys.executable).parent / "ansible-playbook",
            *("-i", f"testhost ansible_connection=local ansible_python_interpreter={sys.executable},"),
            *("-e", f"@{tmp_path}/integration_config.yml"),
            tmp_path / f"{target}.yml",
        ],
        cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "failed=0" in done.stdout
