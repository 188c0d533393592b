# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: up, down, status, break, reset, fault, logs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sandbox.client import ISOLATIONS, LEASE, Sandbox, SandboxError, default_isolation, default_state

KINDS = ("stale-lock", "leftover", "stopped", "second-task", "healthy")


def main(argv: Sequence[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.run(arguments) or 0)
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m sandbox", description="An AWS that runs on this machine.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--state", type=Path, default=default_state(), metavar="DIR", help="default: %(default)s")
    verbs = top.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, run: Any, text: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, parents=[common], help=text, description=text)
        added.set_defaults(run=run)
        return added

    for name, run, text in (("up", _up, "start the sandbox in the background"), ("serve", _serve, "run it here")):
        added = verb(name, run, text)
        added.add_argument("--speed", type=float, default=20.0, help="how many AWS seconds pass in one (default 20)")
        added.add_argument("--isolation", choices=ISOLATIONS, default=None, help="default: auto, or SANDBOX_ISOLATION")
        added.add_argument("--lease", type=float, default=LEASE, help="AWS seconds that stale locks live (default 60)")
        added.add_argument("--idle", type=float, default=3600.0, help="end after so many seconds without a request")
    verb("down", _down, "stop it and everything it started")
    verb("status", _status, "say how the service is").add_argument("--json", action="store_true")
    added = verb("break", _break, "break the service the way it breaks in life")
    added.add_argument("--kind", choices=KINDS, default="stale-lock")
    added.add_argument("--lease", type=float, help="AWS seconds that the stale locks live (default: that of `up`)")
    added.add_argument("--lease-real", type=float, help="the same in real seconds")
    added = verb("reset", _reset, "bring the seeded world back")
    added.add_argument("--service", choices=("running", "stopped"), default="running")
    added = verb("fault", _fault, "order a fault, or --clear them all")
    added.add_argument("settings", nargs="*", metavar="KIND key=value", help="e.g. throttle operation=RunTask count=2")
    added.add_argument("--clear", action="store_true")
    added = verb("logs", _logs, "the last lines of the service's newest task")
    added.add_argument("--all", action="store_true", help="of every task")
    added.add_argument("--lines", type=int, default=20)
    return top


def _up(arguments: argparse.Namespace) -> None:
    sandbox = Sandbox(arguments.state).start(
        speed=arguments.speed, isolation=arguments.isolation, idle=arguments.idle, lease=arguments.lease
    )
    state = sandbox.state
    print(f"The sandbox runs: AWS at {state['endpoint_url']}, {state['speed']:g} times as fast, containers by "
          f"{state['isolation']}.")  # fmt: skip
    print(f"Its service {state['service']} in {state['cluster']} answers at {state['health_url']}.")
    for note in state["notes"]:
        print(f"Note: {note}.")


def _serve(arguments: argparse.Namespace) -> None:
    from sandbox.template import Template  # noqa: PLC0415  only the daemon needs it

    state = arguments.state.resolve()
    isolation = arguments.isolation or default_isolation()
    template = Template(state / "template")
    from sandbox.daemon import run  # noqa: PLC0415  moto takes two seconds to import, while the template is made

    run(state=state, speed=arguments.speed, isolation=isolation, idle=arguments.idle, lease=arguments.lease,
        template=template)  # fmt: skip


def _down(arguments: argparse.Namespace) -> None:
    stopped = Sandbox(arguments.state).stop()
    print("The sandbox has ended." if stopped else "No sandbox was running.")


def _status(arguments: argparse.Namespace) -> None:
    status = Sandbox(arguments.state).status()
    if arguments.json:
        print(json.dumps(status, indent=2))
        return
    service = status["service"]
    word = "healthy" if status["healthy"] else "NOT healthy"
    counts = f"desired {service['desiredCount']}, running {service['runningCount']}, pending {service['pendingCount']}"
    print(f"Service {service['serviceName']}: {word}, {service['status']}, {counts}.")
    for task in [task for task in status["tasks"] if task["last_status"] != "STOPPED"]:
        print(f"  task {task['id']} ({task['family']}): {task['last_status']}, wanted {task['desired_status']}")
    over = [task for task in status["tasks"] if task["last_status"] == "STOPPED"]
    if over:
        last = over[-1]
        codes = ", ".join(f"{c['name']} {c['exit_code']}" for c in last["containers"])
        print(f"  {len(over)} stopped tasks; the last: {last['stopped_reason']} (exit codes: {codes})")
    held = [lock["path"] for lock in status["locks"] if lock["held"]]
    print(f"Locks: {len(status['locks'])} lock files, {len(held)} held, {len(status['stale'])} of them stale.")
    for target in status["targets"]:
        print(f"Target {target['target_id']}:{target['target_port']}: {target['state']} {target['reason']}".rstrip())
    for text in status["trouble"]:
        print(f"Trouble inside the sandbox: {text}")


def _break(arguments: argparse.Namespace) -> None:
    sandbox = Sandbox(arguments.state)
    options: dict[str, Any] = {}
    if arguments.kind == "stale-lock":
        given = {"lease": arguments.lease, "lease_real": arguments.lease_real}
        options = {key: value for key, value in given.items() if value is not None}
    done = sandbox.break_(arguments.kind, **options)
    if arguments.kind == "stale-lock":
        _tell_stale_lock(done)
    elif arguments.kind == "second-task":
        print(f"A second task of family {done['family']} runs on the same file system: {done['task']}")
    elif arguments.kind == "leftover":
        print(
            f"The service was stopped by hand (desired 0); {len(done['files'])} lock files that nobody holds lie about."
        )
    else:
        print(
            "The service was stopped by hand (desired 0)." if arguments.kind == "stopped" else "The service is healthy."
        )


def _tell_stale_lock(done: dict[str, Any]) -> None:
    print(f"The host of task {done['lost_task']} vanished: its processes are gone, but the file server holds its "
          f"{len(done['held'])} locks for {done['lease_seconds']:g} s more.")  # fmt: skip
    if done["failed_task"]:
        codes = ", ".join(f"{name} {code}" for name, code in done["exit_codes"].items())
        print(f"The next task, {done['failed_task']}, could not start (exit codes: {codes}):")
        for name, lines in done["lines"].items():
            for line in lines:
                print(f"  {name} | {line}")


def _reset(arguments: argparse.Namespace) -> None:
    answer = Sandbox(arguments.state).reset(service=arguments.service)
    points = ", ".join(f"{name} {count}" for name, count in answer["points"].items())
    print(f"The sandbox is as new: service {arguments.service}, points: {points}.")


def _fault(arguments: argparse.Namespace) -> None:
    sandbox = Sandbox(arguments.state)
    if arguments.clear:
        sandbox.control("clear_faults")
        print("No faults are ordered any more.")
        return
    if not arguments.settings:
        print(json.dumps(sandbox.status()["faults"], indent=2))
        return
    kind, *pairs = arguments.settings
    settings: dict[str, Any] = {}
    match: dict[str, str] = {}
    for pair in pairs:
        key, _other, value = pair.partition("=")
        if key in ("operation", "family", "service", "writes"):
            match[key] = value
        else:
            settings[key] = _number(value)
    print(f"Fault {sandbox.fault(kind, match=match, **settings)['number']}: {kind}.")


def _number(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _logs(arguments: argparse.Namespace) -> None:
    answer = Sandbox(arguments.state).control("logs", lines=arguments.lines, all_tasks=arguments.all)
    for task in answer["tasks"]:
        print(f"task {task['id']} ({task['family']})")
        for name, lines in task["containers"].items():
            for line in lines:
                print(f"  {name} | {line}")


__all__ = ["KINDS", "main", "parser"]
