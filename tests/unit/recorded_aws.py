"""A server on 127.0.0.1 that answers AWS calls from a script and records them.

The client under test is the real botocore: requests are serialised, signed and parsed as against AWS; only the answers
are written down beforehand. Speaks AWS's JSON protocol (ecs, logs, application-autoscaling, events), its query protocol
(elbv2, sts), and the reads of EventBridge Scheduler, which is a REST API.

    with RecordedAws({"ecs:DescribeTasks": [{"tasks": [one]}, {"tasks": [other]}]}) as aws:
        outcome = run_module(ecs_wait_task.main, {...}, aws=aws)
    assert aws.operations == ["ecs:DescribeTasks", "ecs:DescribeTasks"]

Each operation has its own list. Its last entry goes on being given, so that a steady state is written once. An entry is
the answer (as boto3 would return it, datetimes too), a Fault, or a function of the request's parameters that returns
one of these. A call that is not in the script is answered by an error, and leaving the `with` block then fails.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

__all__ = ["Answer", "Call", "Fault", "RecordedAws", "Script"]

_SERVICE_BY_TARGET = {
    "AmazonEC2ContainerServiceV20141113": "ecs",
    "Logs_20140328": "logs",
    "AnyScaleFrontendService": "application-autoscaling",
    "AWSEvents": "events",
}
# How an operation of these services begins when it writes nothing.
_READING = ("Describe", "List", "Get", "Filter", "BatchGet")


@dataclass(frozen=True)
class Fault:
    """An error answer, as AWS gives it."""

    code: str
    message: str = "a scripted fault"
    status: int = 400
    extra: Mapping[str, Any] = field(default_factory=dict)


Answer = Mapping[str, Any] | Fault | Callable[[dict[str, Any]], Mapping[str, Any] | Fault]

Script = Mapping[str, Sequence[Answer]]


@dataclass(frozen=True)
class Call:
    """One request as it arrived: `operation` is `ecs:RunTask`."""

    operation: str
    params: dict[str, Any]

    @property
    def writes(self) -> bool:
        return not self.operation.split(":", 1)[1].startswith(_READING)


class RecordedAws:
    """See the module's docstring. `url` is the endpoint; `calls` grows as requests arrive."""

    def __init__(self, script: Script) -> None:
        self.calls: list[Call] = []
        self.unexpected: list[str] = []
        self._script = {operation: list(answers) for operation, answers in script.items()}
        self._given: dict[str, int] = {}
        self._lock = threading.Lock()
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            wbufsize = -1  # head and body in one packet: two of them cost 40 ms a call in delayed acknowledgements
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, content_type, payload = recorder._respond(dict(self.headers.items()), body)
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def do_GET(self) -> None:
                address = urlsplit(self.path)
                query = dict(parse_qsl(address.query))
                name = address.path.removeprefix("/schedules").strip("/")
                call = (
                    Call("scheduler:GetSchedule", {"Name": unquote(name), "GroupName": query.get("groupName")})
                    if name
                    else Call("scheduler:ListSchedules", dict(query))
                )
                answer = recorder._answer(call)
                payload = _json({"Message": answer.message} if isinstance(answer, Fault) else answer)
                self.send_response(answer.status if isinstance(answer, Fault) else 200)
                if isinstance(answer, Fault):
                    self.send_header("x-amzn-errortype", answer.code)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, *args: Any) -> None:
                """The test's own output stays readable."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def operations(self) -> list[str]:
        return [call.operation for call in self.calls]

    @property
    def writes(self) -> list[Call]:
        """The calls that would have changed something: empty after every check-mode run."""
        return [call for call in self.calls if call.writes]

    def params(self, operation: str) -> list[dict[str, Any]]:
        """The parameters of each call of one operation, in order."""
        return [call.params for call in self.calls if call.operation == operation]

    def __enter__(self) -> RecordedAws:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
        if kind is None and self.unexpected:
            raise AssertionError(f"calls that the script does not have: {self.unexpected}")

    def _respond(self, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        target = next((value for name, value in headers.items() if name.lower() == "x-amz-target"), None)
        if target:
            prefix, name = target.split(".", 1)
            call = Call(f"{_SERVICE_BY_TARGET.get(prefix, prefix)}:{name}", json.loads(body or b"{}"))
            answer = self._answer(call)
            if isinstance(answer, Fault):
                payload = {"__type": answer.code, "message": answer.message, **answer.extra}
                return answer.status, "application/x-amz-json-1.1", _json(payload)
            return 200, "application/x-amz-json-1.1", _json(answer)
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        name = form.pop("Action", "unknown")
        form.pop("Version", None)
        call = Call(f"{_query_service(headers)}:{name}", dict(form))
        answer = self._answer(call)
        if isinstance(answer, Fault):
            error = f"<Error><Type>Sender</Type><Code>{answer.code}</Code><Message>{escape(answer.message)}</Message>"
            xml = f"<ErrorResponse>{error}</Error><RequestId>1</RequestId></ErrorResponse>"
            return answer.status, "text/xml", xml.encode()
        result = f"<{name}Result>{_xml(answer)}</{name}Result>"
        return 200, "text/xml", f"<{name}Response>{result}</{name}Response>".encode()

    def _answer(self, call: Call) -> Mapping[str, Any] | Fault:
        with self._lock:
            self.calls.append(call)
            answers = self._script.get(call.operation)
            if not answers:
                self.unexpected.append(call.operation)
                return Fault("UnscriptedOperation", f"the test's script has no {call.operation}")
            place = self._given.get(call.operation, 0)
            self._given[call.operation] = place + 1
            answer = answers[min(place, len(answers) - 1)]
        return answer(call.params) if callable(answer) else answer


def _query_service(headers: Mapping[str, str]) -> str:
    """The service that the request was signed for; the query protocol does not name it otherwise."""
    authorization = next((value for name, value in headers.items() if name.lower() == "authorization"), "")
    scope = authorization.partition("Credential=")[2].split(",", 1)[0].split("/")
    signed_for = scope[3] if len(scope) > 3 else "unknown"
    return {"elasticloadbalancing": "elbv2"}.get(signed_for, signed_for)


def _json(payload: Mapping[str, Any]) -> bytes:
    def timestamp(value: object) -> float:
        if isinstance(value, datetime):
            return value.timestamp()
        raise TypeError(f"an answer holds {value!r}, which AWS could not send")

    return json.dumps(payload, default=timestamp).encode()


def _xml(value: Any) -> str:
    """A value as the query protocol writes it: structures by member name, lists by <member>."""
    if isinstance(value, Mapping):
        return "".join(f"<{name}>{_xml(member)}</{name}>" for name, member in value.items())
    if isinstance(value, (list, tuple)):
        return "".join(f"<member>{_xml(item)}</member>" for item in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.isoformat()
    return escape(str(value))
