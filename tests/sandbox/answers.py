# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Error answers in the shape of each protocol, and what an answer that somebody else made says."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from sandbox.requests import ApiRequest


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    error: str | None = None
    members: dict[str, Any] = field(default_factory=dict)


def json_answer(request: ApiRequest, body: dict[str, Any]) -> Answer:
    return Answer(200, _headers(request, "application/x-amz-json-1.1"), json.dumps(body).encode())


def error_answer(request: ApiRequest, code: str, message: str, status: int = 400, **members: Any) -> Answer:
    """An error as a client of this request's protocol reads it."""
    if request.protocol == "query":
        if request.service == "ec2":
            text = (
                f"<Response><Errors><Error><Code>{escape(code)}</Code><Message>{escape(message)}</Message></Error>"
                f"</Errors><RequestID>{request.request_id}</RequestID></Response>"
            )
        else:
            text = (
                f"<ErrorResponse><Error><Type>{'Sender' if status < 500 else 'Receiver'}</Type><Code>{escape(code)}"
                f"</Code><Message>{escape(message)}</Message></Error><RequestId>{request.request_id}</RequestId>"
                "</ErrorResponse>"
            )
        return Answer(status, _headers(request, "text/xml"), text.encode(), error=code)
    body = json.dumps({"__type": code, "message": message, "Message": message, **members})
    headers = [*_headers(request, "application/x-amz-json-1.1"), ("x-amzn-ErrorType", code)]
    return Answer(status, headers, body.encode(), error=code)


def error_code(status: int, headers: list[tuple[str, str]], body: bytes) -> str | None:
    """The error code that an answer carries; None for a success."""
    if status < 400:
        return None
    given = {name.lower(): value for name, value in headers}.get("x-amzn-errortype")
    if given:
        return given.split(":", 1)[0]
    text = body.decode(errors="replace")
    found = re.search(r'"__type"\s*:\s*"(?:[^"]*#)?([^"]+)"', text) or re.search(r"<Code>([^<]+)</Code>", text)
    return found.group(1) if found else str(status)


def _headers(request: ApiRequest, kind: str) -> list[tuple[str, str]]:
    return [("Content-Type", kind), ("x-amzn-RequestId", request.request_id)]


__all__ = ["Answer", "error_answer", "error_code", "json_answer"]
