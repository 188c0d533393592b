# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an incoming HTTP request asks of AWS: its service, operation and parameters, whatever the protocol."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, unquote

import botocore.session

# Requests are signed for these names; boto3 and the CLI call the services otherwise.
_CLIENT_NAMES = {"elasticloadbalancing": "elbv2", "elasticfilesystem": "efs", "monitoring": "cloudwatch"}
DEFAULT_REGION = "us-west-2"


@dataclass(frozen=True)
class ApiRequest:
    """`protocol` is json, query or rest; `params` as sent (query: the form's fields, rest: path, query and body)."""

    service: str
    region: str
    operation: str
    params: dict[str, Any]
    protocol: str
    user_agent: str
    request_id: str


def parse(environ: dict[str, Any], body: bytes, *, request_id: str) -> ApiRequest:
    """Never raises: what cannot be told is empty."""
    service, region = _scope(str(environ.get("HTTP_AUTHORIZATION") or ""))
    target = str(environ.get("HTTP_X_AMZ_TARGET") or "")
    agent = str(environ.get("HTTP_USER_AGENT") or "")
    if target:
        operation, params, protocol = target.rsplit(".", 1)[-1], _json(body), "json"
    elif str(environ.get("CONTENT_TYPE") or "").startswith("application/x-www-form-urlencoded") or b"Action=" in body:
        fields = {key: values[0] for key, values in parse_qs(body.decode(errors="replace"), True).items()}
        operation = fields.pop("Action", "")
        fields.pop("Version", None)
        params, protocol = dict(fields), "query"
    else:
        operation, params = _rest(service, environ)
        params |= _json(body)
        protocol = "rest"
    name = _CLIENT_NAMES.get(service, service)
    return ApiRequest(name, region, operation, params, protocol, agent, request_id)


def _scope(authorization: str) -> tuple[str, str]:
    found = re.search(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request", authorization)
    return (found.group(2), found.group(1)) if found else ("", DEFAULT_REGION)


def _json(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body or b"{}")
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _rest(service: str, environ: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    path, method = str(environ.get("PATH_INFO") or "/"), str(environ.get("REQUEST_METHOD"))
    params: dict[str, Any] = {key: v[0] for key, v in parse_qs(str(environ.get("QUERY_STRING") or ""), True).items()}
    for verb, pattern, operation in _routes(_CLIENT_NAMES.get(service, service)):
        found = pattern.fullmatch(path)
        if verb == method and found:
            return operation, {key: unquote(value) for key, value in found.groupdict().items()} | params
    return f"{method} {path}", params


@lru_cache(maxsize=8)
def _routes(service: str) -> tuple[tuple[str, re.Pattern[str], str], ...]:
    session = botocore.session.get_session()
    if service not in session.get_available_services():
        return ()
    model = session.get_service_model(service)
    routes = []
    for operation in model.operation_names:
        http = model.operation_model(operation).http
        pattern = re.sub(r"\\{(\w+)(\\\+)?\\}", r"(?P<\1>[^/]+)", re.escape(str(http["requestUri"]).split("?", 1)[0]))
        routes.append((str(http["method"]), re.compile(pattern + "/?"), operation))
    return tuple(routes)


__all__ = ["ApiRequest", "parse"]
