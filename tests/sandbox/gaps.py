# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where another service than ECS must answer otherwise than moto does."""

from __future__ import annotations

from xml.sax.saxutils import escape

from sandbox.answers import Answer, error_answer
from sandbox.cloud import Cloud
from sandbox.ecs import scheduler
from sandbox.ecs.engine import Engine
from sandbox.requests import ApiRequest


def instead_of_moto(request: ApiRequest, *, engine: Engine, cloud: Cloud) -> Answer | None:
    """Our own answer; None where moto's is right."""
    if (request.service, request.operation) == ("elbv2", "DescribeTargetHealth"):
        group = str(request.params.get("TargetGroupArn"))
        if engine.targets.known(group):
            return _target_health(request, group, engine=engine)
    if (request.service, request.operation) == ("logs", "GetLogEvents"):
        # moto says of a missing stream that its group does not exist.
        name = str(request.params.get("logGroupName"))
        stream = str(request.params.get("logStreamName"))
        if cloud.has_log_group(request.region, name) and not cloud.has_log_stream(request.region, name, stream):
            return error_answer(request, "ResourceNotFoundException", "The specified log stream does not exist.")
    return None


def _target_health(request: ApiRequest, group: str, *, engine: Engine) -> Answer:
    wanted = {value for key, value in request.params.items() if key.startswith("Targets.") and key.endswith(".Id")}
    found = {f"{t.target_id}:{t.target_port}": t for t in engine.targets.health(group)}
    rows = []
    for target in found.values():
        if wanted and target.target_id not in wanted:
            continue
        reason = f"<Reason>{escape(target.reason)}</Reason>" if target.reason else ""
        told = f"<Description>{escape(target.description)}</Description>" if target.description else ""
        rows.append(
            f"<member><Target><Id>{escape(target.target_id)}</Id><Port>{target.target_port}</Port></Target>"
            f"<HealthCheckPort>{target.target_port}</HealthCheckPort>"
            f"<TargetHealth><State>{target.state}</State>{reason}{told}</TargetHealth></member>"
        )
    text = (
        '<DescribeTargetHealthResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">'
        f"<DescribeTargetHealthResult><TargetHealthDescriptions>{''.join(rows)}</TargetHealthDescriptions>"
        f"</DescribeTargetHealthResult><ResponseMetadata><RequestId>{request.request_id}</RequestId>"
        "</ResponseMetadata></DescribeTargetHealthResponse>"
    )
    return Answer(200, [("Content-Type", "text/xml")], text.encode())


def after_registration(request: ApiRequest, answer: Answer, *, engine: Engine, cloud: Cloud) -> None:
    """RegisterScalableTarget moves the capacity into [min, max], also where it only suspends or resumes."""
    resource = str(request.params.get("ResourceId") or "")
    if answer.status >= 400 or not resource.startswith("service/"):
        return
    target = cloud.scalable_target(request.region, resource)
    _other, cluster, name = resource.split("/", 2)
    with engine.lock:
        service = engine.service(engine.cluster(request.region, cluster), name)
        if target is None or service is None or service.status != "ACTIVE":
            return
        low, high, suspended = target
        # Each direction for itself: scaling in may go on while scaling out is suspended.
        way = "DynamicScalingOutSuspended" if service.desired < low else "DynamicScalingInSuspended"
        held = suspended.get(way) and not engine.settings.register_target_moves_when_suspended
        if not held and not low <= service.desired <= high:
            scheduler.set_desired(engine, service, min(max(service.desired, low), high))
    engine.wake()


__all__ = ["after_registration", "instead_of_moto"]
