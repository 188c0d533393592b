# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The newer view of a deployment, which alone tells of lifecycle stages, pause hooks and traffic.

Private to wwhd.qdrant_ops. It is read only of services whose deployments have stages: a plain rolling deployment says
all there is to say in DescribeServices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.api import Aws
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import utc_text

__all__ = ["Pause", "has_stages", "pause_of", "read_service_deployment"]


@dataclass(frozen=True)
class Pause:
    """A deployment that waits for somebody's word: `text` is a clause about it, `advice` what to do."""

    text: str
    advice: str


def has_stages(service: Mapping[str, Any]) -> bool:
    """Whether deployments of the service go through stages, at which hooks may hold them up."""
    configuration = service.get("deploymentConfiguration") or {}
    return (configuration.get("strategy") or "ROLLING") != "ROLLING" or bool(configuration.get("lifecycleHooks"))


def read_service_deployment(aws: Aws, *, arn: str) -> dict[str, Any] | None:
    """One service deployment; None where AWS says that it is MISSING (kept for 90 days)."""
    answer = aws.call(
        "ecs",
        "DescribeServiceDeployments",
        doing=f"describe the service deployment {arn}",
        serviceDeploymentArns=[arn],
    )
    found: list[dict[str, Any]] = answer.get("serviceDeployments", [])
    return found[0] if found else None


def pause_of(service_deployment: Mapping[str, Any] | None) -> Pause | None:
    """The pause at which the deployment stands; None if it does not."""
    found = service_deployment or {}
    for hook in found.get("lifecycleHookDetails") or []:
        if hook.get("status") != "AWAITING_ACTION":
            continue
        until = hook.get("expiresAt")
        moment = utc_text(until) if isinstance(until, datetime) else until or "an unknown time"
        then = "goes on by itself" if hook.get("timeoutAction") == "CONTINUE" else "is rolled back"
        command = (
            f"aws ecs continue-service-deployment --service-deployment-arn {found.get('serviceDeploymentArn')} "
            f"--hook-id {hook.get('hookId')} --action CONTINUE"
        )
        return Pause(
            f"it is paused at the lifecycle stage {found.get('lifecycleStage') or 'unknown'} by a hook that waits for "
            f"somebody's word until {moment}; then it {then}",
            f"Let it go on by '{command}' (ROLLBACK instead goes back), then follow it with "
            "force_new_deployment: false.",
        )
    return None
