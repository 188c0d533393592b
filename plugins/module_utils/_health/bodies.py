# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The body of a request from what an option gives.

Private to wwhd.qdrant_ops. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed

__all__ = ["BODY_FORMATS", "request_body"]


def request_body(body: Any, body_format: str | None) -> tuple[bytes | None, str | None]:
    """(bytes to send, content type to give unless the caller gives one). Text is sent as it is, all else as JSON."""
    if body is None:
        return None, None
    write = _WRITERS[body_format or ("raw" if isinstance(body, str) else "json")]
    return write(body)


def _raw(body: Any) -> tuple[bytes, str | None]:
    if not isinstance(body, str):
        raise OperationFailed("body is not text, but body_format is raw: give text, or body_format json.")
    return body.encode("utf-8", errors="surrogateescape"), None


def _json(body: Any) -> tuple[bytes, str]:
    if isinstance(body, str):
        try:
            json.loads(body)
        except ValueError as error:
            raise OperationFailed(
                f"body is not valid JSON ({error}): correct it, or set body_format to raw."
            ) from error
        return body.encode(), "application/json"
    try:
        return json.dumps(body).encode(), "application/json"
    except (TypeError, ValueError) as error:
        raise OperationFailed(f"body can't be written as JSON ({error}): correct it.") from error


def _form(body: Any) -> tuple[bytes, str]:
    if isinstance(body, str):
        return body.encode("utf-8", errors="surrogateescape"), "application/x-www-form-urlencoded"
    pairs = list(body.items()) if isinstance(body, dict) else body
    if not isinstance(pairs, list) or not all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs):
        raise OperationFailed(
            "body is no form: give a mapping, a list of pairs, or text that is encoded already, or another body_format."
        )
    fields = [
        (str(name), _field(one)) for name, value in pairs for one in (value if isinstance(value, list) else [value])
    ]
    return urlencode(fields).encode(), "application/x-www-form-urlencoded"


def _field(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_WRITERS: dict[str, Callable[[Any], tuple[bytes, str | None]]] = {
    "form-urlencoded": _form,
    "json": _json,
    "raw": _raw,
}
BODY_FORMATS = tuple(_WRITERS)
