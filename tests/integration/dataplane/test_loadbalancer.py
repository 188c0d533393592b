# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The load balancer forwards, judges its targets by AWS's rules, and fails as AWS's does."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sandbox.loadbalancer import HealthCheck, LoadBalancer, TargetHealth
from sandbox.runtime import free_port

from .conftest import call, until

SPEED = 100.0
ARN = "arn:aws:elasticloadbalancing:us-west-2:018025611404:targetgroup/wwhd-backend/0123456789abcdef"


@dataclass
class App:
    """A target whose answers a test decides."""

    health: int = 200
    delay: float = 0.0
    checks: int = 0
    requests: list[tuple[str, str, str, bytes]] = field(default_factory=list)
    server: ThreadingHTTPServer | None = None

    @property
    def address(self) -> tuple[str, int]:
        assert self.server is not None
        return "127.0.0.1", self.server.server_address[1]

    def start(self) -> None:
        app = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.path == "/health":
                    app.checks += 1
                    self.send_response(app.health)
                    self.end_headers()
                    return
                app.requests.append((self.command, self.path, self.headers.get("X-Test", ""), body))
                time.sleep(app.delay)
                if self.path == "/close":
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(201)
                self.send_header("X-From", str(app.address[1]))
                self.end_headers()
                self.wfile.write(json.dumps({"forwarded": self.headers.get("X-Forwarded-For")}).encode())

            do_GET = do_POST = do_PUT = answer  # noqa: N815 (http.server's names)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()


def add_group(balancer: LoadBalancer, arn: str, *, interval: float) -> None:
    balancer.add_target_group(
        arn,
        port=8000,
        health_path="/health",
        interval=interval,
        timeout=5,
        healthy=3,
        unhealthy=2,
        matcher="200",
        deregistration_delay=100,
    )


@pytest.fixture
def app() -> Iterator[App]:
    made = App()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def balancer() -> Iterator[LoadBalancer]:
    made = LoadBalancer(speed=SPEED)
    add_group(made, ARN, interval=10)
    yield made
    made.close()


@pytest.fixture
def port(balancer: LoadBalancer) -> int:
    return balancer.add_listener(ARN)


def register(balancer: LoadBalancer, address: tuple[str, int], target_id: str = "10.0.0.7") -> None:
    balancer.register(ARN, target_id=target_id, target_port=8000, address=address)


def states(balancer: LoadBalancer) -> list[str]:
    return [target.state for target in balancer.targets(ARN)]


def reach(balancer: LoadBalancer, *wanted: str) -> list[TargetHealth]:
    until(f"the states {wanted}", lambda: states(balancer) == list(wanted))
    return balancer.targets(ARN)


def test_one_pass_makes_a_new_target_healthy(balancer: LoadBalancer, app: App) -> None:
    slow = f"{ARN}-slow"
    add_group(balancer, slow, interval=100_000)
    balancer.add_listener(slow)
    balancer.register(slow, target_id="10.0.0.7", target_port=8000, address=app.address)
    until("health", lambda: balancer.targets(slow)[0].state == "healthy")
    assert app.checks == 1, "three passes are for a target that was unhealthy"


def test_a_new_target_is_initial_until_it_passes(balancer: LoadBalancer, port: int, app: App) -> None:
    app.health = 503
    register(balancer, app.address)
    first = balancer.targets(ARN)[0]
    assert (first.state, first.reason) in {
        ("initial", "Elb.RegistrationInProgress"),
        ("initial", "Elb.InitialHealthChecking"),
    }
    app.health = 200
    (target,) = reach(balancer, "healthy")
    assert target == TargetHealth("10.0.0.7", 8000, "healthy", "", "")


def test_requests_pass_with_method_body_and_headers(balancer: LoadBalancer, port: int, app: App) -> None:
    register(balancer, app.address)
    reach(balancer, "healthy")
    answer = call(port, "/x/y?z=1", {"a": [1]}, method="PUT", X_Test="yes")
    assert (answer.status, answer.json) == (201, {"forwarded": "127.0.0.1"})
    assert app.requests == [("PUT", "/x/y?z=1", "yes", b'{"a": [1]}')]


def test_no_target_is_503(balancer: LoadBalancer, port: int) -> None:
    answer = call(port, "/health")
    assert answer.status == 503
    assert b"503 Service Temporarily Unavailable" in answer.body


def test_wrong_status_is_unhealthy_with_its_code(balancer: LoadBalancer, port: int, app: App) -> None:
    app.health = 503
    register(balancer, app.address)
    (target,) = reach(balancer, "unhealthy")
    assert target.reason == "Target.ResponseCodeMismatch"
    assert target.description == "Health checks failed with these codes: [503]"


def test_refused_check_is_unhealthy(balancer: LoadBalancer, port: int) -> None:
    register(balancer, ("127.0.0.1", free_port()))
    (target,) = reach(balancer, "unhealthy")
    assert (target.reason, target.description) == ("Target.FailedHealthChecks", "Health checks failed")


def test_silent_check_is_a_timeout(balancer: LoadBalancer, port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        register(balancer, silent.getsockname())
        (target,) = reach(balancer, "unhealthy")
        assert (target.reason, target.description) == ("Target.Timeout", "Request timed out")


def test_thresholds_count_in_a_row(balancer: LoadBalancer, port: int, app: App) -> None:
    register(balancer, app.address)
    reach(balancer, "healthy")
    app.health = 500
    reach(balancer, "unhealthy")
    app.health, before = 200, app.checks
    reach(balancer, "healthy")
    # One check may have been under way, counted already, when the answer changed.
    assert app.checks - before >= 2, "an unhealthy target needs three passes in a row"


def test_all_unhealthy_targets_get_the_traffic(balancer: LoadBalancer, port: int, app: App) -> None:
    app.health = 500
    register(balancer, app.address)
    reach(balancer, "unhealthy")
    assert call(port, "/x").status == 201


def test_healthy_targets_share_and_unhealthy_get_nothing(balancer: LoadBalancer, port: int, app: App) -> None:
    others = [App(), App(health=500)]
    for number, other in enumerate(others):
        other.start()
        register(balancer, other.address, f"10.0.1.{number}")
    register(balancer, app.address)
    reach(balancer, "healthy", "unhealthy", "healthy")
    for _turn in range(6):
        call(port, "/x")
    assert [len(one.requests) for one in (app, *others)] == [3, 3, 0]
    for other in others:
        other.stop()


def test_a_deregistered_target_drains_and_goes(balancer: LoadBalancer, port: int, app: App) -> None:
    register(balancer, app.address)
    reach(balancer, "healthy")
    started = time.monotonic()
    balancer.deregister(ARN, target_id="10.0.0.7", target_port=8000)
    (target,) = balancer.targets(ARN)
    assert (target.state, target.reason) == ("draining", "Target.DeregistrationInProgress")
    assert call(port, "/x").status == 503
    assert app.requests == []
    reach(balancer)
    assert 0.9 <= time.monotonic() - started < 5


def test_a_request_under_way_survives_draining(balancer: LoadBalancer, port: int, app: App) -> None:
    app.delay = 0.4
    register(balancer, app.address)
    reach(balancer, "healthy")
    got: list[int] = []
    client = threading.Thread(target=lambda: got.append(call(port, "/x").status))
    client.start()
    until("the request's arrival", lambda: app.requests)
    balancer.deregister(ARN, target_id="10.0.0.7", target_port=8000)
    client.join()
    assert got == [201]


def test_delay_can_be_changed(balancer: LoadBalancer, port: int, app: App) -> None:
    register(balancer, app.address)
    balancer.set_deregistration_delay(ARN, 0)
    balancer.deregister(ARN, target_id="10.0.0.7", target_port=8000)
    assert balancer.targets(ARN) == []
    balancer.deregister(ARN, target_id="10.0.0.7", target_port=8000)


def test_a_draining_target_may_come_back(balancer: LoadBalancer, port: int, app: App) -> None:
    register(balancer, app.address)
    reach(balancer, "healthy")
    balancer.deregister(ARN, target_id="10.0.0.7", target_port=8000)
    register(balancer, app.address)
    reach(balancer, "healthy")
    assert call(port, "/x").status == 201


def test_a_group_without_listener_is_unused(balancer: LoadBalancer, app: App) -> None:
    register(balancer, app.address)
    (target,) = balancer.targets(ARN)
    assert (target.state, target.reason) == ("unused", "Target.NotInUse")
    time.sleep(0.15)
    assert app.checks == 0
    balancer.add_listener(ARN)
    reach(balancer, "healthy")


def test_target_that_closes_is_502(balancer: LoadBalancer, port: int, app: App) -> None:
    register(balancer, app.address)
    reach(balancer, "healthy")
    assert call(port, "/close").status == 502
    app.stop()
    assert call(port, "/x").status == 502


def test_target_that_is_too_slow_is_504(balancer: LoadBalancer, port: int, app: App) -> None:
    app.delay = 6.0
    register(balancer, app.address)
    reach(balancer, "healthy")
    started = time.monotonic()
    assert call(port, "/x").status == 504
    assert time.monotonic() - started < 5


def test_close_ends_listeners_and_checks(app: App) -> None:
    balancer = LoadBalancer(speed=SPEED)
    add_group(balancer, ARN, interval=1)
    port = balancer.add_listener(ARN)
    register(balancer, app.address)
    reach(balancer, "healthy")
    balancer.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=1)
    time.sleep(0.1)
    before = app.checks
    time.sleep(0.2)
    assert app.checks == before


@pytest.mark.parametrize(
    ("matcher", "accepted"), [("200", {200}), ("200-202", {200, 201, 202}), ("200,301-302", {200, 301, 302})]
)
def test_matcher(matcher: str, accepted: set[int]) -> None:
    check = HealthCheck("/", 10, 5, 2, 2, matcher)
    assert {status for status in itertools.chain(range(199, 205), range(299, 305)) if check.accepts(status)} == accepted
