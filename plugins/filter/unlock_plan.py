# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what an unlock will do"""

from __future__ import annotations

DOCUMENTATION = r"""
name: unlock_plan
author: wwhd team (@wwhd)
version_added: 0.1.0
short_description: Decide what an unlock will do
description:
  - Turns what was read from AWS and the role's variables into refusals, a decision, and every value that the phases of
    P(wwhd.qdrant_ops.qdrant_unlock#role) use.
  - It is the role's own; other playbooks have no use for it.
positional: _input
options:
  _input:
    description: What M(wwhd.qdrant_ops.ecs_service_info) returned.
    type: dict
    required: true
  options:
    description: The role's variables, without their prefix.
    type: dict
    required: true
  script:
    description: The text of the cleaner's script.
    type: str
    required: true
  environment:
    description: The name of the environment, as C(-e env=) gives it.
    type: str
    required: true
  host:
    description: The inventory host that stands for the service.
    type: str
    required: true
  health:
    description: What M(wwhd.qdrant_ops.http_health) returned, if it was asked.
    type: dict
  collections:
    description: What M(wwhd.qdrant_ops.qdrant_collections_info) returned from a healthy service, if it was asked.
    type: dict
  release:
    description:
      - What M(wwhd.qdrant_ops.ecs_service_redeploy) returned of the release, with C(deploy=false) in check mode, if
        there is one.
    type: dict
  part:
    description: V(run) is everything, V(stop) ends with the service stopped, V(start) begins there.
    type: str
    choices: [run, stop, start]
    default: run
  job_id:
    description: The id of the AWX job, if this is one.
    type: str
seealso:
  - plugin: wwhd.qdrant_ops.unlock_result
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Decide
  ansible.builtin.set_fact:
    plan: >-
      {{ info | wwhd.qdrant_ops.unlock_plan(options=options, script=script, environment='dev',
                                            host=inventory_hostname) }}
"""

RETURN = r"""
_value:
  description: The decision. Its C(refusals), C(needed), C(why) and C(go) are for people; the rest is for the phases.
  type: dict
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._processes import place
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.owner import (
    controller_name,
    controller_pid,
    new_run_id,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.plan import make_plan


def unlock_plan(
    info: Mapping[str, Any],
    *,
    options: Mapping[str, Any],
    script: str,
    environment: str,
    host: str,
    health: Mapping[str, Any] | None = None,
    collections: Mapping[str, Any] | None = None,
    release: Mapping[str, Any] | None = None,
    part: str = "run",
    job_id: str | None = None,
) -> dict[str, Any]:
    """The decision; the run's name, owner and time are made here, so that `make_plan` stays pure."""
    now = datetime.now(timezone.utc)
    return make_plan(
        info,
        options=options,
        health=health,
        collections=collections,
        script=script,
        environment=environment,
        owner=controller_name(job_id, host=host),
        controller={"pid": controller_pid(), "place": place()},
        run_id=new_run_id(now),
        now=now,
        release=release,
        part=part,
    )


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"unlock_plan": unlock_plan}
