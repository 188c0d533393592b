# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's HTTP endpoint: logs each API call, applies faults, and hands it to our ECS or to moto."""

from __future__ import annotations

import io
import json
import os
import socket
import struct
import time
import traceback
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)  # fmt: skip
from werkzeug.serving import BaseWSGIServer, make_server

from sandbox import gaps, killing
from sandbox.answers import Answer, error_answer, error_code, json_answer
from sandbox.calls import CallLog
from sandbox.cloud import Cloud
from sandbox.ecs import api
from sandbox.ecs.engine import Engine
from sandbox.ecs.errors import AwsError
from sandbox.ecs.model import ACCOUNT
from sandbox.faults import API_KINDS, UNANSWERED, Fault, Faults
from sandbox.requests import ApiRequest, parse
from sandbox.throttle import Buckets

StartResponse = Callable[..., Any]
Control = Callable[[str, dict[str, Any]], dict[str, Any]]
_PREFIX = "/_sandbox/"


class ControlError(Exception):
    """A control request that cannot be done, in a sentence."""


class Server:
    """A WSGI application and the threaded server that runs it on a free port of 127.0.0.1."""

    def __init__(self, *, engine: Engine, cloud: Cloud, calls: CallLog, faults: Faults, control: Control) -> None:
        self._engine, self._cloud, self._calls, self._faults = engine, cloud, calls, faults
        self._control = control
        self._buckets = Buckets(clock=engine.clock)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._http: BaseWSGIServer = make_server("127.0.0.1", 0, self, threaded=True, request_handler=_Quiet)
        self._http.daemon_threads = True  # type: ignore[attr-defined]  # of the threading mixin

    @property
    def port(self) -> int:
        return int(self._http.server_port)

    def serve(self) -> None:
        """Answers requests until `shutdown`."""
        self._http.serve_forever(poll_interval=0.1)

    def shutdown(self) -> None:
        self._http.shutdown()

    def close(self) -> None:
        self._http.server_close()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        path = str(environ.get("PATH_INFO") or "/")
        if path.startswith(_PREFIX):
            return self._answer_control(path.removeprefix(_PREFIX), body, start_response)
        request = parse(environ, body, request_id=str(uuid.uuid4()))
        call = self._calls.begin(
            service=request.service, operation=request.operation, params=request.params, user_agent=request.user_agent
        )
        place = {
            "service": request.service, "operation": request.operation, "writes": "true" if call.writes else "false",
        }  # fmt: skip
        fault = self._faults.take(*API_KINDS, **place)
        call.fault = fault.kind if fault else None
        answer: Answer | None = None
        try:
            answer = self._instead(request, fault)
            if answer is None and not (fault and fault.kind in ("reset_before", "kill_before")):
                answer = self._dispatch(request, environ, body)
        finally:
            lost = fault is not None and fault.kind in UNANSWERED
            status = None if lost or answer is None else answer.status
            self._calls.end(call, status=status, error=None if answer is None else answer.error)
        if fault is not None and fault.aim is not None:
            # After the log: whoever sees the client's end finds its last call there.
            killing.strike(fault.aim)
        if lost or answer is None:
            _reset_connection(environ)
        start_response(f"{answer.status} {'OK' if answer.status < 400 else 'Error'}" if answer else "500 Error",
                       [*answer.headers, ("Content-Length", str(len(answer.body)))] if answer else [])  # fmt: skip
        return [answer.body if answer else b""]

    def _instead(self, request: ApiRequest, fault: Fault | None) -> Answer | None:
        """The fault's own answer, if it has one; a slow answer waits here, in real seconds."""
        if fault is None:
            settings_now = self._engine.settings
            if settings_now.token_buckets and not self._buckets.take(
                request.service, request.operation, refill_factor=settings_now.token_refill
            ):
                return error_answer(request, "ThrottlingException", "Rate exceeded")
            return None
        settings = fault.settings
        if fault.kind == "slow":
            time.sleep(float(settings.get("seconds", 1)))
            return None
        if fault.kind == "throttle":
            code = {"ec2": "RequestLimitExceeded", "iam": "Throttling", "elbv2": "Throttling", "sts": "Throttling"}
            return error_answer(request, code.get(request.service, "ThrottlingException"), "Rate exceeded")
        if fault.kind == "access_denied":
            code_name = {"ec2": "UnauthorizedOperation", "iam": "AccessDenied", "elbv2": "AccessDenied"}
            return error_answer(
                request,
                code_name.get(request.service, "AccessDeniedException"),
                f"User: arn:aws:iam::{ACCOUNT}:user/sandbox is not authorized to perform: "
                f"{request.service}:{request.operation} because no identity-based policy allows the "
                f"{request.service}:{request.operation} action",
            )
        if fault.kind == "expired":
            return _expired(request)
        if fault.kind == "error":
            return error_answer(
                request, str(settings.get("code", "ServerException")),
                str(settings.get("message", "Service Unavailable. Please try again later.")),
                int(settings.get("status", 500)),
            )  # fmt: skip
        return None

    def _dispatch(self, request: ApiRequest, environ: dict[str, Any], body: bytes) -> Answer:
        try:
            if request.service == "ecs":
                if api.handles(request.operation):
                    answer = api.call(self._engine, request.region, request.operation, request.params)
                    return json_answer(request, answer)
                if api.absent(request.operation):
                    return _unknown(request)
            own = gaps.instead_of_moto(request, engine=self._engine, cloud=self._cloud)
            if own is not None:
                return own
            answer_of_moto = self._ask_moto(environ, body)
            if request.service == "application-autoscaling" and request.operation == "RegisterScalableTarget":
                gaps.after_registration(request, answer_of_moto, engine=self._engine, cloud=self._cloud)
            return answer_of_moto
        except AwsError as error:
            return error_answer(request, error.code, error.message, error.status, **error.members)
        except NotImplementedError:
            return _unknown(request)
        except Exception:  # noqa: BLE001  a client gets AWS's answer for a fault of ours, never a traceback
            text = f"{request.service} {request.operation}: {traceback.format_exc()}"
            self._engine.trouble.append(text)
            print(text, flush=True)
            return error_answer(request, "InternalFailure", "The request processing has failed because of an unknown "
                                "error, exception or failure.", 500)  # fmt: skip

    def _ask_moto(self, environ: dict[str, Any], body: bytes) -> Answer:
        head: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]], _error: Any = None) -> None:
            head["status"], head["headers"] = int(status.split(" ", 1)[0]), headers

        with self._cloud.lock:
            chunks = b"".join(self._moto({**environ, "wsgi.input": io.BytesIO(body)}, start))
        headers = [(name, value) for name, value in head["headers"] if name.lower() != "content-length"]
        return Answer(head["status"], headers, chunks, error=error_code(head["status"], headers, chunks))

    def _answer_control(self, verb: str, body: bytes, start_response: StartResponse) -> Iterable[bytes]:
        try:
            answer, status = self._control(verb, json.loads(body or b"{}")), "200 OK"
        except (ControlError, AwsError, ValueError) as error:
            answer, status = {"error": str(error)}, "400 Bad Request"
        except Exception as error:  # noqa: BLE001  the command line shows the sentence, the daemon's log the rest
            print(traceback.format_exc(), flush=True)
            answer, status = {"error": f"{type(error).__name__}: {error}"}, "500 Error"
        text = json.dumps(answer, default=str).encode()
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
        return [text]


class _Quiet(MotoRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  werkzeug's name
        """The call log tells more."""


def _expired(request: ApiRequest) -> Answer:
    text = "The security token included in the request is expired"
    if request.service == "ec2":
        return error_answer(request, "RequestExpired", "Request has expired.")
    if request.protocol == "query":
        return error_answer(request, "ExpiredToken", text, 403)
    return error_answer(request, "ExpiredTokenException", text, 403 if request.protocol == "rest" else 400)


def _unknown(request: ApiRequest) -> Answer:
    if request.protocol == "query":
        return error_answer(
            request, "InvalidAction", f"The action {request.operation} is not valid for this web service."
        )
    return error_answer(request, "UnknownOperationException", "The requested operation is not supported.")


def _reset_connection(environ: dict[str, Any]) -> None:
    """Closes the client's connection with a reset instead of an answer."""
    connection: socket.socket = environ["werkzeug.socket"]
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # Not close(): the handler's file objects would keep the descriptor open until it has ended.
    os.close(connection.detach())
    raise ConnectionResetError("a fault closed this connection")


__all__ = ["ControlError", "Server"]
