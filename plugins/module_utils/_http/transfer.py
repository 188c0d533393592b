# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are too large for memory: a download piece by piece, and a file sent as a form.

Private to wwhd.qdrant_ops. Seconds everywhere, as floats.
"""

from __future__ import annotations

import contextlib
import io
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.exchange import (
    NETWORK_ERRORS,
    Answer,
    Request,
    explain,
    joined,
    open_response,
    within,
)
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.masking import mask
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._http.transport import Transport
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock

__all__ = ["Form", "Sink", "download"]

_PIECE = 1024 * 1024
_SHORTEST = 0.05
_ERROR_LIMIT = 64 * 1024
_RANGE = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")


class Sink(Protocol):
    """What a download goes into. What it raises is not the network's, and is passed on."""

    size: int

    def write(self, piece: bytes) -> None: ...

    def restart(self) -> None: ...


def download(
    request: Request,
    sink: Sink,
    *,
    transport: Transport,
    stall: float,
    deadline: float,
    clock: Clock,
    on_progress: Callable[[int], None] = lambda size: None,
) -> Answer:
    """Put the body of the answer into `sink`, after what an earlier attempt has put there.

    The Answer has a body only if the server said no. One without a status says why the body did not come to its end:
    nothing came for `stall` seconds, `deadline` (a moment of the clock) has passed, or the connection was cut.
    """
    start = clock.monotonic()
    headers = {**request.headers, "Accept-Encoding": "identity"}
    if sink.size:
        headers["Range"] = f"bytes={sink.size}-"
    asked = replace(request, headers=headers)
    limit = max(_SHORTEST, min(stall, deadline - start))
    plain = replace(transport, decompress=False)
    status: int | None = None
    told: dict[str, str] = {}
    body = b""
    label, error, hopeless = "", None, False
    try:
        response = within(limit, lambda: open_response(asked, plain, stall))
        with contextlib.closing(response):
            status = int(response.getcode())
            told = joined(response.headers.items())
            if status not in (200, 206):
                body = response.read(_ERROR_LIMIT)
            else:
                if status == 200 or not _goes_on(told, sink.size):
                    sink.restart()
                if status == 206 and not sink.size:
                    raise _Cut
                for piece in _pieces(response):
                    sink.write(piece)
                    on_progress(sink.size)
                    if clock.monotonic() >= deadline:
                        raise _Broken(TimeoutError(), deadline - start)
    except _Broken as broken:
        status = None
        label, error, hopeless = explain(broken.cause, broken.seconds or stall)
    except _Cut:
        status, label, error = None, "answer cut off", "the answer was cut off"
    except NETWORK_ERRORS as cause:
        if status in (200, 206):
            raise  # the sink's own: a full disk is not the network's fault
        status = None
        label, error, hopeless = explain(cause, limit)
    return Answer(
        status,
        label or str(status),
        clock.monotonic() - start,
        mask(request.url),
        headers=told,
        body=body,
        error=error and mask(error),
        hopeless=hopeless,
    )


class _Broken(Exception):
    """The network's fault in the middle of a body."""

    def __init__(self, cause: BaseException, seconds: float = 0.0) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.seconds = seconds


class _Cut(Exception):
    """The body ended before its length."""


def _pieces(response: Any) -> Iterator[bytes]:
    while True:
        try:
            piece: bytes = response.read1(_PIECE)
        except NETWORK_ERRORS as error:
            raise _Broken(error) from error
        if not piece:
            break
        yield piece
    if getattr(response, "length", None):  # read1 takes a short body for a whole one
        raise _Cut


def _goes_on(headers: Mapping[str, str], size: int) -> bool:
    found = _RANGE.fullmatch(headers.get("content-range", ""))
    return bool(found) and int(found.group(1)) == size if found else False


class Form(io.RawIOBase):
    """A form with one file in it, read piece by piece; `whole` says whether all of it was handed over.

    `filename` is what the receiver is told, in letters, digits, dots and hyphens.
    """

    def __init__(
        self, path: Path, *, field: str, filename: str, on_progress: Callable[[int], None] = lambda size: None
    ) -> None:
        boundary = uuid.uuid4().hex
        self._on_progress = on_progress
        before = (
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="{field}"; filename="{filename}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        after = f"\r\n--{boundary}--\r\n".encode()
        self._file = path.open("rb")
        self._parts: list[Any] = [io.BytesIO(before), self._file, io.BytesIO(after)]
        self.length = len(before) + path.stat().st_size + len(after)
        self.sent = 0
        self.headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(self.length),
        }

    @property
    def whole(self) -> bool:
        return self.sent == self.length

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        # A request that was given up must not go on in its thread.
        if self.closed:  # pylint: disable=using-constant-test  # a property of io's classes
            raise OSError("the upload was given up")
        while self._parts:
            piece: bytes = self._parts[0].read(size)
            if piece:
                self.sent += len(piece)
                self._on_progress(self.sent)
                return piece
            del self._parts[0]
        return b""

    def close(self) -> None:
        self._file.close()
        super().close()
