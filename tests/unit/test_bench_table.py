# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make bench` makes of its runs, and how it measures one."""

from __future__ import annotations

import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from bench.measuring import measure
from bench.table import Run, markdown, ratios, rows

BASE = "bare"


def run(contender: str, *, number: int = 1, wall: float = 10.0, whole: bool = True, state: str = "stuck") -> Run:
    return Run(state, contender, number, wall=wall, downtime=wall / 2, calls=60, processor=3.0,
               memory=50_000_000, whole=whole)  # fmt: skip


def test_a_ratio_is_to_the_reference_of_the_same_round() -> None:
    runs = [run(BASE, wall=10), run("ours", wall=8), run(BASE, number=2, wall=20), run("ours", number=2, wall=18),
            run("ours", number=3, wall=1)]  # fmt: skip
    assert ratios(runs, figure="wall", reference=BASE) == {BASE: [1.0, 1.0], "ours": [0.8, 0.9]}


def test_a_table_has_median_and_spread_and_each_ratio() -> None:
    runs = [run(BASE, wall=10), run("ours", wall=8), run(BASE, number=2, wall=10), run("ours", number=2, wall=9)]
    ours = rows(runs, reference=BASE)[1]
    assert ours[:3] == [
        "ours",
        "8.5 (8.0 to 9.0): **0.85 (0.80 to 0.90)**",
        "4.2 (4.0 to 4.5): **0.85 (0.80 to 0.90)**",
    ]


def test_a_run_that_failed_is_said_where_its_figures_are() -> None:
    text = markdown([run(BASE), run("theirs", whole=False), run(BASE, state="up")], reference=BASE)
    assert "| theirs (1 of 1 FAILED) |" in text
    assert "A service that is stuck, 1 round(s):" in text
    assert "A service that is up, 1 round(s):" in text


class _Answers(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Says nothing on the tests' output."""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads Linux's /proc")
def test_a_command_is_measured_with_what_it_starts_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
        "print(child.pid, flush=True)\n"
        "held = bytearray(40_000_000)\n"
        "ends = time.process_time() + 0.6\n"
        "while time.process_time() < ends: pass\n"
    )
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        cost = measure(
            [sys.executable, "work.py"], cwd=tmp_path, environment=os.environ,
            health=f"http://127.0.0.1:{server.server_port}/",
        )  # fmt: skip
        server.shutdown()
    assert cost.code == 0
    assert cost.processor >= 0.6
    assert cost.wall >= 0.6
    assert cost.memory > 40_000_000
    assert cost.downtime == 0
    left = Path(f"/proc/{int(cost.output)}/stat")
    assert not left.exists() or left.read_text().rsplit(")", 1)[1].split()[0] == "Z"
