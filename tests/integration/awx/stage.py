# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role qdrant_awx, played in this process by awx.awx's own modules against a controller that remembers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from chaos.virtual.role import Played, Role
from integration.awx.controller import TOKEN, Controller

from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._awx.surveys import KINDS
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock
from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import SmallServer, serve

ROLE = Path(__file__).resolve().parents[3] / "roles" / "qdrant_awx"
PLAYBOOKS = frozenset(f"playbooks/{kind}.yml" for kind in KINDS)
SECRETS = ("s3cr3t-aws", "s3cr3t-qdrant", "s3cr3t-slack")
GROUPS = {"all": ["b.dev", "b.prod"], "ungrouped": [], "dev": ["b.dev"], "prod": ["b.prod"], "local": ["b.local"]}
HOSTVARS: dict[str, dict[str, Any]] = {"b.dev": {}, "b.prod": {"qdrant_unlock_protected": True}, "b.local": {}}
VARIABLES: dict[str, Any] = {
    "qdrant_awx_scm_url": "https://git.example.org/qdrant.git",
    "qdrant_awx_scm_branch": "main",
    "qdrant_awx_execution_environment": "Qdrant",
    "qdrant_awx_execution_environment_image": "registry.example.org/qdrant-ee:1",
    "qdrant_awx_new_credentials": [
        {
            "name": "dev in AWS",
            "kind": "aws",
            "inputs": {"region": "eu-central-1", "access_key": "AKIAEXAMPLE", "secret_key": SECRETS[0]},
        },
        {"name": "dev in Qdrant", "kind": "key", "inputs": {"api_key": SECRETS[1]}},
    ],
    "qdrant_awx_credentials": ["dev in AWS", "dev in Qdrant"],
    "qdrant_awx_notification": {"type": "slack", "configuration": {"channels": ["#ops"], "token": SECRETS[2]}},
    "qdrant_awx_operator_teams": ["operators"],
    "qdrant_awx_approver_teams": ["leads"],
}


@dataclass
class Awx:
    """A controller, and the role played against it."""

    controller: Controller
    server: SmallServer
    # Path and text of what the first run sent.
    bodies: list[tuple[str, str]] = field(default_factory=list)

    def play(self, *, check: bool = False, groups: Mapping[str, Any] | None = None, **variables: Any) -> Played:
        there = dict(GROUPS if groups is None else groups)
        given = {**VARIABLES, **{f"qdrant_awx_{name}": value for name, value in variables.items()}}
        return Role(
            ROLE, {"groups": there, "hostvars": HOSTVARS, **given}, clock=FakeClock().clock, check=check
        ).play()  # fmt: skip

    def writes(self) -> list[tuple[str, str]]:
        """Method and path of each, and forgets them."""
        found = [(one.method, one.path) for one in self.controller.written]
        self.controller.written.clear()
        return found


@contextmanager
def awx(**settings: Any) -> Iterator[Awx]:
    controller = Controller(**{"playbooks": PLAYBOOKS, "page_size": 2, **settings})
    for team in ("operators", "leads"):
        controller.make("teams", {"name": team, "organization": 1})
    with serve(controller) as server, pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("CONTROLLER_", "TOWER_"))]:
            patch.delenv(name)
        patch.setenv("CONTROLLER_HOST", server.url)
        patch.setenv("CONTROLLER_OAUTH_TOKEN", TOKEN)
        # awx.awx would read the system's certificates for each request, also where there is no TLS.
        patch.setenv("SSL_CERT_FILE", os.devnull)
        # It also waits a second after each project update.
        patch.setattr("ansible_collections.awx.awx.plugins.modules.project.time.sleep", lambda seconds: None)
        yield Awx(controller, server)
