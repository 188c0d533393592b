# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module for test_forked.py and test_detached.py: says what kind of process it finds itself in, or ends as it is
told."""

from __future__ import annotations

import atexit
import json
import os
import signal
import sys
from pathlib import Path

from ansible.module_utils import basic


def _open_files() -> dict[int, str]:
    found = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            found[int(entry.name)] = str(entry.readlink())
        except FileNotFoundError:  # the folder's own
            continue
    return found


def main() -> None:
    given = json.loads(basic._ANSIBLE_ARGS or b"{}")["ANSIBLE_MODULE_ARGS"]
    how = given.get("how")
    atexit.register(lambda: print("its own end"))
    if how == "raise":
        raise LookupError("it broke")
    if how == "unprintable":
        raise LookupError(b"\xff".decode(errors="surrogateescape"))
    if how == "signal":
        os.kill(os.getpid(), signal.SIGTERM)
    if how == "much":
        sys.stdout.write("x" * 300_000)
        sys.stderr.write("y" * 300_000)
        sys.exit(3)
    said = json.dumps(
        {
            "given": given,
            "pid": os.getpid(),
            "parent": os.getppid(),
            "group": os.getpgrp(),
            "session": os.getsid(0),
            "folder": str(Path.cwd()),
            "variable": os.environ.get("FORKED_TEST"),
            "open": _open_files(),
            "handlers": {
                name: signal.getsignal(getattr(signal, name)) == signal.SIG_DFL for name in ("SIGTERM", "SIGHUP")
            },
            "interrupts": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
            "umask": _umask(),
            "name": __name__,
            "argv": sys.argv,
        }
    )
    if "tell" in given:
        Path(given["tell"]).write_text(said)
        with Path(given["hold"]).open() as held:
            held.readline()
    print(said)
    sys.exit(0)


def _umask() -> int:
    found = os.umask(0o022)
    os.umask(found)
    return found


if __name__ == "__main__":
    main()
