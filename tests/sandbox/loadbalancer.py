# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A load balancer of this machine that really forwards, and has AWS's target states (facts I).

Times are AWS seconds, divided by the speed. Time-outs have a floor in real seconds: at a high speed a healthy target
must not be called dead because this machine was busy for some milliseconds.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from sandbox.forwarding import Answer, Handler, RefusedError, Server, SlowError, fetch

_IDLE_TIMEOUT = 60.0
_LEAST_TIMEOUT = 1.0
_LEAST_INTERVAL = 0.02
_TITLES = {502: "502 Bad Gateway", 503: "503 Service Temporarily Unavailable", 504: "504 Gateway Time-out"}

_REGISTERING = ("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
_CHECKING = ("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
_HEALTHY = ("healthy", "", "")
_DRAINING = ("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
_UNUSED = (
    "unused",
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)


@dataclass(frozen=True)
class TargetHealth:
    """One target as DescribeTargetHealth tells it; ``reason`` and ``description`` are empty when it is healthy."""

    target_id: str
    target_port: int
    state: str
    reason: str
    description: str


@dataclass(frozen=True)
class HealthCheck:
    """How a group's targets are checked; times in AWS seconds, ``matcher`` as in ``200`` or ``200-299,301``."""

    path: str
    interval: float
    timeout: float
    healthy: int
    unhealthy: int
    matcher: str

    def accepts(self, status: int) -> bool:
        """Whether a status passes."""
        for part in self.matcher.split(","):
            first, _dash, last = part.strip().partition("-")
            if int(first) <= status <= int(last or first):
                return True
        return False


@dataclass
class _Target:
    target_id: str
    port: int
    address: tuple[str, int]
    health: tuple[str, str, str] = _REGISTERING
    passes: int = 0
    failures: int = 0
    gone_at: float | None = None
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass
class _Group:
    port: int
    check: HealthCheck
    delay: float
    targets: dict[tuple[str, int], _Target] = field(default_factory=dict)
    turn: itertools.count[int] = field(default_factory=itertools.count)
    in_use: bool = False


class LoadBalancer:
    """Target groups, and listeners on 127.0.0.1 that forward to them."""

    def __init__(self, *, speed: float) -> None:
        self._speed = speed
        self._lock = threading.Lock()
        self._groups: dict[str, _Group] = {}
        self._servers: list[Server] = []

    def add_target_group(
        self,
        arn: str,
        *,
        port: int,
        health_path: str,
        interval: float,
        timeout: float,
        healthy: int,
        unhealthy: int,
        matcher: str,
        deregistration_delay: float,
    ) -> None:
        """Make a group; its targets are ``unused`` until a listener forwards to it. Times in AWS seconds."""
        check = HealthCheck(health_path, interval, timeout, healthy, unhealthy, matcher)
        with self._lock:
            self._groups[arn] = _Group(port=port, check=check, delay=deregistration_delay)

    def set_deregistration_delay(self, arn: str, seconds: float) -> None:
        """The delay for targets that are deregistered from now on, in AWS seconds."""
        with self._lock:
            self._groups[arn].delay = seconds

    def set_health_check(self, arn: str, check: HealthCheck) -> None:
        """How the group's targets are checked from their next check on."""
        with self._lock:
            self._groups[arn].check = check

    def add_listener(self, target_group_arn: str) -> int:
        """Forward to the group from a new port of 127.0.0.1; the port."""
        with self._lock:
            group = self._groups[target_group_arn]
            group.in_use = True
            unchecked = [target for target in group.targets.values() if target.health == _UNUSED]
            for target in unchecked:
                target.health = _REGISTERING
        for target in unchecked:
            self._check_from_now(group, target)
        server = Server(0, _Forwarder, (self, target_group_arn))
        with self._lock:
            self._servers.append(server)
        threading.Thread(target=server.serve, name="listener", daemon=True).start()
        return server.server_port

    def register(self, arn: str, *, target_id: str, target_port: int, address: tuple[str, int]) -> None:
        """Add a target that answers at ``address``; registering a draining one makes it a new one."""
        target = _Target(target_id=target_id, port=target_port, address=address)
        with self._lock:
            group = self._groups[arn]
            former = group.targets.get((target_id, target_port))
            if former is not None:
                if former.health != _DRAINING and former.address == address:
                    return
                former.stop.set()
            group.targets[(target_id, target_port)] = target
            if not group.in_use:
                target.health = _UNUSED
                return
        self._check_from_now(group, target)

    def deregister(self, arn: str, *, target_id: str, target_port: int) -> None:
        """Drain a target for the group's delay; nothing if it is not registered."""
        with self._lock:
            group = self._groups[arn]
            target = group.targets.get((target_id, target_port))
            if target is None or target.health == _DRAINING:
                return
            target.stop.set()
            if not group.in_use:
                del group.targets[(target_id, target_port)]
                return
            target.health = _DRAINING
            target.gone_at = time.monotonic() + group.delay / self._speed

    def targets(self, arn: str) -> list[TargetHealth]:
        """The group's targets, those that are gone left out; KeyError for an unknown group."""
        with self._lock:
            return [
                TargetHealth(target.target_id, target.port, *target.health)
                for target in self._present(self._groups[arn])
            ]

    def close(self) -> None:
        """End every check and listener."""
        with self._lock:
            servers, self._servers = self._servers, []
            for group in self._groups.values():
                for target in group.targets.values():
                    target.stop.set()
        for server in servers:
            server.shutdown()
            server.server_close()

    def forward(self, arn: str, *, method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes) -> Answer:
        """What a client of the listener gets for this request."""
        with self._lock:
            group = self._groups.get(arn)
            present = self._present(group) if group else []
            healthy = [one for one in present if one.health == _HEALTHY]
            # Without a healthy target AWS sends requests to all of them ("fail open"), but never to a draining one.
            usable = healthy or [one for one in present if one.health not in (_DRAINING, _UNUSED)]
            chosen = usable[next(group.turn) % len(usable)] if group and usable else None
        if chosen is None:
            return _failure(503)
        try:
            timeout = max(_IDLE_TIMEOUT / self._speed, _LEAST_TIMEOUT)
            return fetch(chosen.address, method=method, path=path, headers=headers, body=body, timeout=timeout)
        except SlowError:
            return _failure(504)
        except RefusedError:
            return _failure(502)

    def _present(self, group: _Group) -> list[_Target]:
        now = time.monotonic()
        gone = [key for key, target in group.targets.items() if target.gone_at is not None and target.gone_at <= now]
        for key in gone:
            del group.targets[key]
        return list(group.targets.values())

    def _check_from_now(self, group: _Group, target: _Target) -> None:
        threading.Thread(
            target=self._check_until_stopped, args=(group, target), name=f"check-{target.target_id}", daemon=True
        ).start()

    def _check_until_stopped(self, group: _Group, target: _Target) -> None:
        while not target.stop.is_set():
            pause = max(group.check.interval / self._speed, _LEAST_INTERVAL)
            failure = self._failure_of(group.check, target.address)
            with self._lock:
                if target.stop.is_set():
                    return
                _judge(target, group.check, failure)
            # A new target is looked at again soon, so that it does not wait a whole interval for its first pass.
            target.stop.wait(min(pause, 5 / self._speed) if target.health == _CHECKING else pause)

    def _failure_of(self, check: HealthCheck, address: tuple[str, int]) -> tuple[str, str] | None:
        timeout = max(check.timeout / self._speed, _LEAST_TIMEOUT)
        agent = {"User-Agent": "ELB-HealthChecker/2.0"}
        try:
            answer = fetch(address, method="GET", path=check.path, headers=agent, timeout=timeout)
        except SlowError:
            return "Target.Timeout", "Request timed out"
        except RefusedError:
            return "Target.FailedHealthChecks", "Health checks failed"
        if check.accepts(answer.status):
            return None
        return "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{answer.status}]"


def _judge(target: _Target, check: HealthCheck, failure: tuple[str, str] | None) -> None:
    """Note one check's outcome. One pass suffices for a new target; afterwards the thresholds count."""
    if failure is None:
        target.passes, target.failures = target.passes + 1, 0
        if target.health[0] == "initial" or target.passes >= check.healthy:
            target.health = _HEALTHY
        return
    target.passes, target.failures = 0, target.failures + 1
    if target.failures >= check.unhealthy or target.health[0] == "unhealthy":
        target.health = ("unhealthy", *failure)
    elif target.health == _REGISTERING:
        target.health = _CHECKING


class _Forwarder(Handler):
    def respond(self, body: bytes) -> Answer:
        assert isinstance(self.server, Server)
        balancer, arn = self.server.owner
        headers = [
            *((name, value) for name, value in self.headers.items() if not name.lower().startswith("x-forwarded-")),
            ("X-Forwarded-For", self.client_address[0]),
            ("X-Forwarded-Proto", "http"),
            ("X-Forwarded-Port", "80"),
        ]
        answer: Answer = balancer.forward(arn, method=self.command, path=self.path, headers=headers, body=body)
        return answer


def _failure(status: int) -> Answer:
    title = _TITLES[status]
    head = f"<html>\r\n<head><title>{title}</title></head>\r\n"
    page = f"{head}<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    return Answer(status, (("Server", "awselb/2.0"), ("Content-Type", "text/html")), page.encode())


__all__ = ["HealthCheck", "LoadBalancer", "TargetHealth"]
