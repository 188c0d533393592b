# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator sees while a module waits: on a terminal, in a pipe, in AWX; and that nothing else changes.

Whether a line is there in time is not measured: what a module waits for happens only after the line has been read.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.playbooks.operators import Operator
from integration.sandbox.conftest import SUBNETS, World

from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import Asked, Reply, serve
from sandbox.client import Sandbox

ROOT = Path(__file__).resolve().parents[3]
TREE = ROOT / ".cache" / "tree"
PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
LINE = re.compile(r"^(?P<time>\d\d:\d\d:\d\d) (?P<host>\S+) (?P<text>.*?)\r?$", re.MULTILINE)
SECONDS = 240
DOWN = Reply(503, "not yet")


class Play:
    """A playbook of these tasks for these hosts, in a folder of its own; nothing of the checkout's ansible.cfg."""

    def __init__(self, folder: Path, tasks: list[dict[str, Any]], *, hosts: tuple[str, ...] = ("one",), **more: Any):
        self.folder = folder
        folder.mkdir(exist_ok=True)
        play = {
            "hosts": ",".join(hosts),
            "gather_facts": False,
            "connection": "local",
            "vars": {"ansible_python_interpreter": sys.executable},
            "tasks": tasks,
            **more,
        }
        (folder / "play.yml").write_text(yaml.safe_dump([play], sort_keys=False))
        self.command = [str(PLAYBOOK), "-i", "".join(f"{host}," for host in hosts), "play.yml"]

    def environment(self, more: Mapping[str, str], tree: Path = TREE) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTEST"))}
        local = self.folder / "local"
        return {
            **kept,
            "ANSIBLE_COLLECTIONS_PATH": str(tree),
            "ANSIBLE_LOCALHOST_WARNING": "0",
            "ANSIBLE_LOCAL_TEMP": str(local),
            "NO_COLOR": "1",
            **more,
        }

    def run(self, tree: Path = TREE, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command, cwd=self.folder, env=self.environment(environment, tree), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip

    @contextlib.contextmanager
    def on_a_terminal(self, **environment: str) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[str], str]]]:
        """The process, and a function that reads on until a text has come, and returns all that has."""
        ours, theirs = pty.openpty()
        text = bytearray()

        def until(wanted: str) -> str:
            deadline = time.monotonic() + SECONDS
            while wanted not in text.decode(errors="replace"):
                ready, _writable, _failed = select.select([ours], [], [], max(0.0, deadline - time.monotonic()))
                assert ready, f"{wanted!r} did not come: {text.decode(errors='replace')}"
                try:
                    text.extend(os.read(ours, 1 << 16))
                except OSError:  # the other end is closed
                    assert wanted in text.decode(errors="replace"), text.decode(errors="replace")
            return text.decode(errors="replace")

        process = subprocess.Popen(
            self.command, cwd=self.folder, env=self.environment(environment), start_new_session=True,
            stdin=theirs, stdout=theirs, stderr=theirs,
        )  # fmt: skip
        os.close(theirs)
        try:
            yield process, until
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(SECONDS)
            os.close(ours)

    def leftovers(self) -> list[Path]:
        return list((self.folder / "local").rglob("progress-*"))


def shown(output: str) -> list[tuple[str, str]]:
    """Host and text of each line, in order."""
    return [(found["host"], found["text"]) for found in LINE.finditer(output)]


def health(url: str, **more: Any) -> dict[str, Any]:
    return {"name": "Ask", "wwhd.qdrant_ops.http_health": {"url": url, "use_proxy": False, "interval": 0.2, **more}}


def down_and_up(url: str) -> list[str]:
    return [f"{url} is not healthy: 503", f"{url} answers as wanted"]


# --- Where it is seen ------------------------------------------------------------------------------------------------


def test_lines_of_several_hosts_are_on_the_terminal_while_their_modules_wait(tmp_path: Path) -> None:
    """Both servers are down until both lines have been read: the play could not end otherwise."""
    seen = threading.Event()

    def answer(asked: Asked) -> Reply:
        return Reply(200, {"status": "ok"}) if seen.is_set() else DOWN

    with serve(answer) as server:
        play = Play(tmp_path / "play", [health(server.url + "/{{ inventory_hostname }}")], hosts=("one", "two"))
        with play.on_a_terminal() as (process, until):
            for host in ("one", "two"):
                until(f" {host} {server.url}/{host} is not healthy: 503")
            seen.set()
            output = until("PLAY RECAP")
            assert process.wait(SECONDS) == 0, output
    for host in ("one", "two"):
        texts = [text for of, text in shown(output) if of == host]
        assert texts == down_and_up(f"{server.url}/{host}")
    assert output.index("TASK [Ask]") < output.index(" one http")
    assert play.leftovers() == []


def test_in_a_pipe_the_default_callback_has_the_lines_between_its_own(tmp_path: Path) -> None:
    with serve(replies(DOWN, DOWN, Reply(200, {}))) as server:
        done = Play(tmp_path / "play", [health(server.url)]).run(QDRANT_OPS_PROGRESS="0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert shown(done.stdout) == [
        ("one", f"{server.url} is not healthy: 503"),
        ("one", f"{server.url} answers as wanted"),
    ]
    assert done.stdout.index("TASK [Ask]") < done.stdout.index(server.url) < done.stdout.index("ok: [one]")


def test_where_the_name_of_the_task_comes_late_the_lines_have_it(tmp_path: Path) -> None:
    with serve(replies(DOWN, Reply(200, {}))) as server:
        done = Play(tmp_path / "play", [health(server.url)]).run(
            QDRANT_OPS_PROGRESS="0", ANSIBLE_DISPLAY_SKIPPED_HOSTS="0"
        )
    assert shown(done.stdout)[:2] == [("one", "Ask:"), ("one", f"{server.url} is not healthy: 503")]
    assert done.stdout.index(" one Ask:") < done.stdout.index("TASK [Ask]")


def test_a_callback_that_writes_json_is_left_whole(tmp_path: Path) -> None:
    with serve(replies(DOWN, Reply(200, {}))) as server:
        done = Play(tmp_path / "play", [health(server.url)]).run(QDRANT_OPS_PROGRESS="0", **json_callback(tmp_path))
    assert json.loads(done.stdout)["results"][0]["attempts"] == 2
    assert [text for _host, text in shown(done.stderr)] == down_and_up(server.url)


def test_what_runs_a_job_in_awx_has_the_lines_as_events(tmp_path: Path) -> None:
    runner = Path(sys.executable).with_name("ansible-runner")
    with serve(replies(DOWN, Reply(200, {}))) as server:
        play = Play(tmp_path / "play", [health(server.url)])
        inventory = play.folder / "inventory"
        inventory.mkdir()
        (inventory / "hosts").write_text("one\n")
        (play.folder / "project").mkdir()
        (play.folder / "play.yml").rename(play.folder / "project" / "play.yml")
        found = f"{runner.parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            [runner, "run", str(play.folder), "-p", "play.yml", "--ident", "job"],
            env=play.environment({"QDRANT_OPS_PROGRESS": "0", "PATH": found}),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout.decode()
    events = [json.loads(path.read_text()) for path in (play.folder / "artifacts/job/job_events").glob("*.json")]
    lines = [event["stdout"] for event in sorted(events, key=lambda event: event["counter"])]
    assert [text for line in lines for _host, text in shown(line)] == down_and_up(server.url)


@pytest.mark.outside_iam("a task of this test's own, under the sandbox's credentials")
@pytest.mark.parametrize("live", [True, False])
def test_the_output_of_a_one_off_is_on_the_terminal_while_it_runs(tmp_path: Path, sandbox: Sandbox, live: bool) -> None:
    """The container goes on only when its first line has been read on the terminal."""
    world = World(sandbox)
    go = Path(sandbox.state["efs"]["fs-00b8168893587fd61"]) / "go"
    if not live:
        go.touch()
    script = "echo first; until [ -e /data/go ]; do sleep 0.1; done; echo second"
    definition = world.register("live", script=script, **world.with_volume())
    state = sandbox.state
    task = {
        "name": "Run",
        "wwhd.qdrant_ops.ecs_run_oneoff": {
            **{name: state[name] for name in ("region", "endpoint_url", "access_key", "secret_key", "cluster")},
            "task_definition": definition,
            "network_configuration": {"subnets": SUBNETS},
            "launch_type": "FARGATE",
            "wait": True,
            "live_logs": live,
        },
    }
    play = Play(tmp_path / "play", [task])
    with play.on_a_terminal() as (process, until):
        if live:
            until(" one [main] first")
            go.touch()
        output = until("PLAY RECAP")
        assert process.wait(SECONDS) == 0, output
    lines = [text for _host, text in shown(output) if text.startswith("[")]
    assert lines == (["[main] first", "[main] second"] if live else [])


# --- What is not shown -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keyword",
    [{"no_log": True}, {"check_mode": True}, {"async": 60, "poll": 1}, {"no_log": "{{ 1 == 1 }}"}],
    ids=["no_log", "check_mode", "async", "no_log as a template"],
)  # fmt: skip
def test_nothing_is_shown_of_what_is_secret_or_not_here(tmp_path: Path, keyword: dict[str, Any]) -> None:
    with serve(replies(DOWN, Reply(200, {}))) as server:
        done = Play(tmp_path / "play", [{**health(server.url), **keyword}]).run(QDRANT_OPS_PROGRESS="0")
    assert done.returncode == 0, done.stdout
    assert shown(done.stdout) == []


def test_a_module_that_is_quick_shows_nothing(tmp_path: Path) -> None:
    with serve(replies(DOWN, Reply(200, {}))) as server:
        done = Play(tmp_path / "play", [health(server.url, interval=0.05)]).run(QDRANT_OPS_PROGRESS="60")
    assert done.returncode == 0, done.stdout
    assert shown(done.stdout) == []


def test_secrets_and_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    answer = Reply(200, {"state": "\x1b[2Jthe token is s3cr3t-token\r\n00:00:00 fake"})
    with serve(replies(answer, Reply(200, {"state": "ready"}))) as server:
        address = server.url.replace("http://", "http://me:s3cr3t-password@")
        task = health(f"{address}/?token=s3cr3t-token", headers={"X-Key": "s3cr3t-token"}, json={"state": "ready"})
        done = Play(tmp_path / "play", [task]).run(QDRANT_OPS_PROGRESS="0")
    assert done.returncode == 0, done.stdout
    assert len(shown(done.stdout)) == 2
    assert "s3cr3t" not in done.stdout + done.stderr
    assert "\x1b" not in done.stdout
    assert "********" in shown(done.stdout)[0][1]


# --- That nothing else changes ---------------------------------------------------------------------------------------


@pytest.mark.outside_iam("tasks of this test's own, under the sandbox's credentials")
def test_results_are_the_same_as_without_the_action_plugins(tmp_path: Path, sandbox: Sandbox) -> None:
    """Results with their invocation, the group's and a module's defaults, check mode, diff, loops, failures, recap."""
    plain = tmp_path / "plain" / "ansible_collections"
    (plain / "wwhd/qdrant_ops/plugins").mkdir(parents=True)
    (plain / "amazon").symlink_to(TREE / "ansible_collections" / "amazon")
    for path in [*ROOT.iterdir(), *(ROOT / "plugins").iterdir()]:
        if path.name not in ("plugins", "action", ".cache", ".venv", ".git"):
            (plain / "wwhd/qdrant_ops" / path.relative_to(ROOT)).symlink_to(path)
    state = sandbox.state
    names = {"cluster": state["cluster"], "service": state["service"]}
    module = "wwhd.qdrant_ops."
    tasks = [
        {**health("{{ item }}", timeout=0.5), "loop": [state["health_url"], "http://127.0.0.1:9"]},
        {**health(state["health_url"]), "check_mode": True},
        {f"{module}qdrant_collections_info": {"url": state["qdrant_url"]}},
        {f"{module}ecs_service_scale": {**names, "desired_count": 1, "wait": True}},
        {f"{module}ecs_service_scale": {**names, "desired_count": 3}, "check_mode": True, "diff": True},
        {f"{module}ecs_service_redeploy": {**names}, "check_mode": True},
        {f"{module}ecs_wait_task": {"tasks": ["0" * 32], "timeout": 0}, "ignore_errors": True},
        {f"{module}ecs_wait_task": {"tasks": [], "unknown": 1}, "ignore_errors": True},
        {f"{module}ecs_run_oneoff": {"task_definition": "nowhere:1"}, "ignore_errors": True},
    ]  # fmt: skip
    tasks[0]["ignore_errors"] = True
    for number, task in enumerate(tasks):
        task["name"] = f"Task {number}"
    defaults = {
        "group/wwhd.qdrant_ops.aws": {
            name: state[name] for name in ("region", "endpoint_url", "access_key", "secret_key")
        },
        f"{module}ecs_wait_task": {"cluster": state["cluster"]},
        f"{module}ecs_run_oneoff": {"cluster": state["cluster"]},
    }
    found = []
    for name, tree in (("with", TREE), ("without", plain.parent)):
        done = Play(tmp_path / "play", tasks, module_defaults=defaults).run(
            tree, QDRANT_OPS_PROGRESS="0", **json_callback(tmp_path)
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert bool(shown(done.stderr)) is (name == "with")
        found.append(timeless(json.loads(done.stdout)))
    for with_it, without in zip(found[0]["results"], found[1]["results"], strict=True):
        assert with_it == without
    assert found[0]["recap"] == found[1]["recap"]
    assert len([result for result in found[0]["results"] if "invocation" in result]) >= len(tasks) - 1


def test_ctrl_c_ends_it_and_leaves_nothing(tmp_path: Path) -> None:
    with serve(lambda asked: DOWN) as server:
        play = Play(tmp_path / "play", [health(server.url, timeout=100)])
        with play.on_a_terminal(QDRANT_OPS_PROGRESS="0") as (process, until):
            until(f"{server.url} is not healthy")
            # The file and its bell.
            assert len(play.leftovers()) == 2
            os.killpg(process.pid, signal.SIGINT)
            until("User interrupted execution")
            assert process.wait(SECONDS) != 0
    assert play.leftovers() == []


# --- What is seen of an unlock ---------------------------------------------------------------------------------------

UNLOCK = [
    r"service wwhd-backend: \d of 0 running",
    r"task \w{32} \(wwhd-backend:1\): \w+, to be stopped",
    r"task \w{32} \(wwhd-backend:1\): (DEPROVISIONING|STOPPED).* ended with exit code",
    r"task \w{32} \(clear-qdrant-locks:\d+\): .*cleaner ended with exit code 0",
    r"Deployment ecs-svc/\d+: rollout IN_PROGRESS, running \d of 1",
    r"Deployment ecs-svc/\d+: rollout COMPLETED, running 1 of 1",
    r"http://\S+/health answers as wanted",
]


def test_an_unlock_shows_how_tasks_deployment_and_health_change(operator: Operator, sandbox: Sandbox) -> None:
    played = operator.play(
        "unlock", "-e", "qdrant_unlock_when=always",
        environment={"QDRANT_OPS_SANDBOX": str(sandbox.directory), "QDRANT_OPS_PROGRESS": "0"},
    )  # fmt: skip
    assert played.code == 0, played.output
    lines = shown(played.output)
    assert {host for host, _text in lines} == {"wwhd-backend.local"}
    texts = [text for _host, text in lines]
    rest = iter(texts)
    for pattern in UNLOCK:
        assert any(re.match(pattern, text) for text in rest), (pattern, texts)
    assert not [line for line, after in pairwise(texts) if line == after]
    assert texts.count("wwhd.qdrant_ops.qdrant_unlock : Stop every writer and wait until each is gone:") == 1
    times = [found["time"] for found in LINE.finditer(played.output)]
    midnight = [index for index, (a, b) in enumerate(pairwise(times)) if b < a]
    assert len(midnight) <= 1, times


def replies(*answers: Reply) -> Callable[[Asked], Reply]:
    """Each in turn, and the last for ever."""
    rest = list(answers)
    return lambda asked: rest.pop(0) if len(rest) > 1 else rest[0]


def json_callback(folder: Path) -> dict[str, str]:
    """The settings of a callback that writes one JSON document, with all that a callback is given."""
    plugins = folder / "callbacks"
    plugins.mkdir(exist_ok=True)
    (plugins / "json.py").write_text(JSON_CALLBACK)
    return {"ANSIBLE_STDOUT_CALLBACK": "json", "ANSIBLE_CALLBACK_PLUGINS": str(plugins)}


def timeless(thing: Any) -> Any:
    """A result without what is another time's: moments, durations, and how often was asked in a time."""
    if isinstance(thing, dict):
        moments = ("elapsed", "started_at", "latency", "history", "attempts", "waited", "delta", "start", "end")
        return {key: timeless(value) for key, value in thing.items() if key not in moments}
    if isinstance(thing, list):
        return [timeless(item) for item in thing]
    if isinstance(thing, str):
        return re.sub(r"\(\d+ attempts?\b.*?\)", "(attempts)", thing)
    return thing


JSON_CALLBACK = '''
import json
from ansible.plugins.callback import CallbackBase
DOCUMENTATION = """
name: json
type: stdout
short_description: results as one document
description: For a test.
"""
class CallbackModule(CallbackBase):
    CALLBACK_VERSION, CALLBACK_TYPE, CALLBACK_NAME = 2.0, "stdout", "json"
    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.results = []
    def v2_runner_on_ok(self, result, **more):
        self.results.append(result._result)
    v2_runner_on_failed = v2_runner_on_skipped = v2_runner_item_on_ok = v2_runner_item_on_failed = v2_runner_on_ok
    def v2_playbook_on_stats(self, stats):
        self._display.display(json.dumps({"results": self.results, "recap": stats.summarize("one")}))
'''
