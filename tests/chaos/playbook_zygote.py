# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that has imported Ansible, boto3 and our modules once, and forks a child for each run of a playbook.

`python -m chaos.playbook_zygote` reads one JSON order a line: {"arguments", "environment", "output", "mark"}. It
answers {"pid"} when the child is there and waits for a line "go", and {"status"}, as waitpid has it, when it has ended.
It is started with the word "ansible-playbook" among its arguments, so that a child's command line shows
what it is. The playbook, the role, the workers and the modules are the real ones, forked by the collection's own
actions (plugin_utils/_forked.py).
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from chaos import playbook_sleep

MODULES = "ansible_collections.wwhd.qdrant_ops.plugins.modules"
_PR_SET_CHILD_SUBREAPER = 36
# As long as any mark, so that the child can write its own in this one's place.
PLACEHOLDER = "CHAOS_RUN=" + "-" * 24
_SERVICES = ("ecs", "efs", "elbv2", "logs", "application-autoscaling", "ec2", "iam", "sts")


def warm(root: Path) -> None:
    """Import and load whatever each run would, again and again, without starting a thread or opening a connection."""
    import boto3  # noqa: PLC0415  after time.sleep is wrapped
    import botocore.session  # noqa: PLC0415
    from ansible import constants  # noqa: PLC0415
    from ansible.cli import playbook  # noqa: PLC0415
    from ansible.plugins import loader  # noqa: PLC0415

    # Ansible looks a thousand times a second whether a worker has ended, which costs a fifth of a run.
    constants.DEFAULT_INTERNAL_POLL_INTERVAL = 0.01
    # One loader for every session: it keeps the services' models, megabytes of JSON.
    shared = botocore.session.create_loader()
    botocore.session.create_loader = lambda search_path_string=None: shared
    loader.init_plugin_loader()
    _hasten_workers()
    for path in sorted(root.glob("plugins/modules/*.py")):
        importlib.import_module(f"{MODULES}.{path.stem}")
    for service in _SERVICES:
        boto3.client(service, region_name="us-west-2", aws_access_key_id="x", aws_secret_access_key="x")
    boto3.DEFAULT_SESSION = None
    for kind in (loader.action_loader, loader.connection_loader, loader.shell_loader, loader.strategy_loader,
                 loader.callback_loader, loader.filter_loader, loader.test_loader, loader.lookup_loader):  # fmt: skip
        list(kind.all(class_only=True))
    assert playbook.PlaybookCLI


def _hasten_workers() -> None:
    from ansible.executor.process.worker import WorkerProcess  # noqa: PLC0415  after time.sleep is wrapped

    work = WorkerProcess.run

    def run(self: Any) -> Any:
        playbook_sleep.hasten()
        return work(self)

    WorkerProcess.run = run


def write_mark(mark: str) -> None:
    """Put the mark where /proc/<pid>/environ shows it: a forked child still has its parent's block there."""
    wanted = f"CHAOS_RUN={mark}".encode()
    if len(wanted) > len(PLACEHOLDER):
        raise ValueError(f"the mark {mark!r} is too long")
    # Field 50 of stat(5), counted from after the command's name.
    fields = Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()
    start, end = int(fields[47]), int(fields[48])
    with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
        memory.seek(start)
        block = memory.read(end - start)
        memory.seek(start + block.index(PLACEHOLDER.encode()))
        memory.write(wanted.ljust(len(PLACEHOLDER), b"\0"))
    os.environ["CHAOS_RUN"] = mark


def play(order: dict[str, Any], go: int) -> None:
    """The child: wait for the word, then be `ansible-playbook` with these arguments. Never returns."""
    os.setsid()
    write_mark(order["mark"])
    os.environ.update(order["environment"])
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    if os.read(go, 1) != b"g":
        os._exit(99)
    os.close(go)
    os.closerange(3, 64)
    playbook_sleep.workers_factor = float(order["environment"].get("CHAOS_HASTE", "1"))
    from ansible.cli.playbook import PlaybookCLI  # noqa: PLC0415  imported long ago

    sys.argv = ["ansible-playbook", *order["arguments"]]
    code = 1
    try:
        PlaybookCLI.cli_executor(sys.argv)
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Not through the interpreter's end: it would remove the temporary folder that every run here shares.
        os._exit(code)


def serve() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    # Nothing that a library prints while it is imported may be taken for an answer.
    os.dup2(2, 1)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Ctrl-C at a terminal is for whoever started this; the end of its input ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    playbook_sleep.install()
    warm(Path.cwd())
    gc.collect()
    gc.freeze()
    answers.write(json.dumps({"ready": os.getpid()}) + "\n")
    for line in sys.stdin:
        order = json.loads(line)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(writing)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            play(order, reading)
        os.close(reading)
        answers.write(json.dumps({"pid": child}) + "\n")
        go = sys.stdin.readline()
        if go.strip() == "go":
            os.write(writing, b"g")
        os.close(writing)
        answers.write(json.dumps({"status": _wait(child)}) + "\n")
    _reap()


def _wait(child: int) -> int:
    """The child's wait status; orphans of this and earlier runs are reaped on the way."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            _reap()
            return status


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    serve()
