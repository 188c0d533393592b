# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox from outside: for pytest fixtures, the demo, molecule and the command line."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

CHECKOUT = Path(__file__).resolve().parents[2]
Isolation = Literal["auto", "namespace", "path"]
LEASE = 60.0
STATE_VARIABLE = "QDRANT_OPS_SANDBOX"
ISOLATION_VARIABLE = "SANDBOX_ISOLATION"
ISOLATIONS: tuple[Isolation, ...] = ("auto", "namespace", "path")
_START_SECONDS = 90.0
_STOP_SECONDS = 30.0


class SandboxError(Exception):
    """What the sandbox could not do, in a sentence."""


class RefusedError(SandboxError):
    """The daemon answered that it cannot or will not."""


def default_state() -> Path:
    return Path(os.environ.get(STATE_VARIABLE) or CHECKOUT / ".cache" / "sandbox").resolve()


def default_isolation() -> Isolation:
    """Raises SandboxError for a value of SANDBOX_ISOLATION that there is not."""
    chosen = os.environ.get(ISOLATION_VARIABLE) or "auto"
    for known in ISOLATIONS:
        if chosen == known:
            return known
    raise SandboxError(f"{ISOLATION_VARIABLE} is {chosen!r}: use one of {', '.join(ISOLATIONS)}")


class Sandbox:
    """One sandbox, known by its state directory; the daemon need not run yet."""

    def __init__(self, state: Path | None = None) -> None:
        self.directory = (state or default_state()).resolve()

    @property
    def running(self) -> bool:
        """Whether the daemon that wrote state.json is there and answers."""
        try:
            return bool(self._post("ping", {}, timeout=20.0)["pid"] == self.state["pid"])
        except RefusedError:
            # A daemon of another version of this code answers there, and it is in the way of a second one.
            return True
        except (SandboxError, OSError):
            return False

    @property
    def state(self) -> dict[str, Any]:
        """state.json. Raises SandboxError if there is none."""
        try:
            found = json.loads((self.directory / "state.json").read_text())
        except FileNotFoundError:
            raise SandboxError(f"no sandbox runs in {self.directory}: start one with `python -m sandbox up`") from None
        return dict(found)

    @property
    def url(self) -> str:
        return str(self.state["endpoint_url"])

    def start(self, *, speed: float = 20.0, isolation: str | None = None, idle: float = 3600.0,
              lease: float = LEASE) -> Sandbox:  # fmt: skip
        """Starts the daemon unless it runs already; back when its service is healthy. Raises SandboxError.

        `isolation` defaults to the environment's SANDBOX_ISOLATION, then to auto.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._alone():
            if self.running:
                return self
            path = [str(CHECKOUT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
            log = self.directory / "daemon.log"
            with log.open("wb") as out:
                process = subprocess.Popen(
                    [sys.executable, "-m", "sandbox", "serve", "--state", str(self.directory), "--speed", str(speed),
                     "--isolation", isolation or default_isolation(), "--idle", str(idle), "--lease", str(lease)],
                    stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(path)}, cwd=self.directory,
                )  # fmt: skip
            self._await_ready(process, log)
        return self

    def _await_ready(self, process: subprocess.Popen[bytes], log: Path) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise SandboxError(f"the sandbox ended with {process.returncode} while it started:\n{_tail(log)}")
            path = self.directory / "state.json"
            if path.exists() and self.state.get("pid") == process.pid:
                return
            time.sleep(0.05)
        process.terminate()
        raise SandboxError(f"the sandbox was not ready within {_START_SECONDS:.0f} s:\n{_tail(log)}")

    def stop(self) -> bool:
        """Ends the daemon and everything it started; False if none ran. Raises SandboxError if it stays."""
        try:
            pid = int(self.state["pid"])
        except SandboxError:
            return False
        try:
            self._post("down", {}, timeout=10.0)
        except (OSError, SandboxError):
            # Nobody answers there, so the pid in the file is that of a dead daemon, or of something else by now.
            (self.directory / "state.json").unlink(missing_ok=True)
            return False
        deadline = time.monotonic() + _STOP_SECONDS
        while _lives(pid):
            if time.monotonic() > deadline:
                raise SandboxError(f"the sandbox (pid {pid}) did not end within {_STOP_SECONDS:.0f} s")
            time.sleep(0.05)
        return True

    def control(self, verb: str, **body: Any) -> dict[str, Any]:
        """One control request. Raises SandboxError with the sandbox's sentence."""
        try:
            return self._post(verb, body, timeout=180.0)
        except OSError as error:
            raise SandboxError(f"the sandbox in {self.directory} does not answer: {error}") from error

    def status(self) -> dict[str, Any]:
        return self.control("status")

    def reset(self, **options: Any) -> dict[str, Any]:
        return self.control("reset", **options)

    def break_(self, kind: str = "stale-lock", **options: Any) -> dict[str, Any]:
        return self.control("break", kind=kind, **options)

    def fault(self, kind: str, **settings: Any) -> dict[str, Any]:
        return self.control("fault", kind=kind, **settings)

    def witness(self) -> dict[str, Any]:
        """Who used the file systems beside whom since the last reset, and what cleaners did there."""
        return self.control("witness")

    def calls(self) -> list[dict[str, Any]]:
        """The call log, oldest first."""
        return [json.loads(line) for line in Path(self.state["calls"]).read_text().splitlines()]

    def writes(self) -> list[dict[str, Any]]:
        """The calls that can change something."""
        return [call for call in self.calls() if call["writes"]]

    def environment(self) -> dict[str, str]:
        """What boto3, the AWS CLI and Ansible's modules need in their environment to talk to this sandbox."""
        state = self.state
        return {
            "AWS_ENDPOINT_URL": str(state["endpoint_url"]),
            "AWS_ACCESS_KEY_ID": str(state["access_key"]),
            "AWS_SECRET_ACCESS_KEY": str(state["secret_key"]),
            "AWS_DEFAULT_REGION": str(state["region"]),
            "AWS_REGION": str(state["region"]),
            "AWS_EC2_METADATA_DISABLED": "true",
            STATE_VARIABLE: str(self.directory),
        }

    def boto3(self, service: str, **config: Any) -> Any:
        """A boto3 client; `config` goes to botocore's Config."""
        import boto3  # noqa: PLC0415  the command line does without
        from botocore.config import Config  # noqa: PLC0415

        state = self.state
        return boto3.client(
            service, region_name=state["region"], endpoint_url=state["endpoint_url"],
            aws_access_key_id=state["access_key"], aws_secret_access_key=state["secret_key"],
            config=Config(**config) if config else None,
        )  # fmt: skip

    def _post(self, verb: str, body: dict[str, Any], *, timeout: float) -> dict[str, Any]:
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=timeout)
        try:
            connection.request("POST", f"/_sandbox/{verb}", json.dumps(body), {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read() or b"{}")
        finally:
            connection.close()
        if response.status >= 400:
            raise RefusedError(str(answer.get("error", f"{verb}: HTTP {response.status}")))
        return answer

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.directory / "up.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    stat = Path(f"/proc/{pid}/stat")
    # A zombie waits for its parent only; it holds nothing any more.
    return not (stat.exists() and stat.read_text().rsplit(")", 1)[-1].split()[0] == "Z")


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-25:])


__all__ = [
    "CHECKOUT",
    "ISOLATIONS",
    "LEASE",
    "STATE_VARIABLE",
    "RefusedError",
    "Sandbox",
    "SandboxError",
    "default_isolation",
    "default_state",
]
