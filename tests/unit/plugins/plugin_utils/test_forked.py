# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module in a fork is a process like one that was started anew; tests/integration/playbooks/test_forked.py has
Ansible run ours in both ways."""

from __future__ import annotations

import atexit
import importlib
import json
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.loaders
import botocore.session
import pytest
from ansible import constants
from botocore.awsrequest import AWSResponse

from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils import _forked, _module_process
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._forked import reason_against, same_python
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._module_process import Order, run_forked

HERE = Path(__file__).parent


@pytest.fixture
def order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(HERE))

    def ordered(**given: Any) -> Order:
        arguments = json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode()
        return Order("forked_module", arguments, {"FORKED_TEST": "set"}, str(tmp_path))

    return ordered


def test_it_is_a_process_of_its_own_with_nothing_of_the_workers(
    order: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    reading, writing = os.pipe()
    try:
        code, out, err = run_forked(order(path="/data"))
    finally:
        signal.signal(signal.SIGTERM, before)
    # Who waits for the end of a pipe of the worker's does not wait for the module.
    os.close(writing)
    assert os.read(reading, 1) == b""
    os.close(reading)
    lines = out.splitlines()
    said = json.loads(lines[0])
    assert (code, err, lines[1:]) == (0, "", ["its own end"])
    assert said["given"] == {"path": "/data"}
    assert said["pid"] != os.getpid() == said["parent"]
    assert said["group"] == os.getpgrp()
    assert (said["folder"], said["variable"], said["name"]) == (str(tmp_path), "set", "__main__")
    assert "FORKED_TEST" not in os.environ
    assert said["handlers"] == {"SIGTERM": True, "SIGHUP": True}
    assert said["interrupts"]
    rest = {target for number, target in said["open"].items() if int(number) > 2}
    assert rest <= {os.devnull}, said["open"]


def test_a_pipe_of_the_workers_ends_while_the_module_runs(order: Any) -> None:
    """An orphan must not keep `ansible-playbook | tail` from ending."""
    reading, writing = os.pipe()
    seen: list[bool] = []
    run = _module_process._call

    def looked(given: Order) -> int:
        # In the child: the write end is no pipe any more.
        seen.append(Path(f"/proc/self/fd/{writing}").readlink() == Path(os.devnull))
        print(json.dumps(seen))
        return 0

    try:
        _module_process._call = looked
        _code, out, _err = run_forked(order())
    finally:
        _module_process._call = run
        os.close(reading)
        os.close(writing)
    assert json.loads(out.splitlines()[0]) == [True]


@pytest.mark.parametrize(
    ("how", "code", "complaint"),
    [
        ("raise", 1, "LookupError: it broke"),
        ("unprintable", 1, "LookupError: \\udcff"),
        ("signal", -signal.SIGTERM, ""),
    ],
)
def test_its_end_is_told_as_a_process_end_is(order: Any, how: str, code: int, complaint: str) -> None:
    ended, _out, err = run_forked(order(how=how))
    assert ended == code
    assert complaint in err


def test_who_is_not_told_of_its_children_reads_what_the_module_says(order: Any) -> None:
    """A program that ignores SIGCHLD hands that on to Ansible."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        code, out, _err = run_forked(order())
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert code == 0
    assert json.loads(out.splitlines()[0])["parent"] == os.getpid()


def test_more_output_than_a_pipe_holds_stops_nobody(order: Any) -> None:
    code, out, err = run_forked(order(how="much"))
    assert (code, out.count("x"), err.count("y")) == (3, 300_000, 300_000)


def test_what_this_process_does_at_its_end_is_not_done_by_the_module(order: Any, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    atexit.register(mark.touch)
    try:
        run_forked(order())
    finally:
        atexit.unregister(mark.touch)
    assert not mark.exists()


def test_reading_ahead_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an operator whose AWS_DEFAULTS_MODE is auto, botocore would ask the machine's metadata service each time."""
    asked: list[str] = []
    monkeypatch.setenv("AWS_DEFAULTS_MODE", "auto")
    monkeypatch.setattr("botocore.utils.IMDSFetcher._get_request", lambda *given, **_: asked.append(str(given[1])))
    monkeypatch.setattr("botocore.utils.IMDSFetcher._fetch_metadata_token", lambda *_given: asked.append("token"))
    _module_process._Models().read(["ecs"])
    assert asked == []


def test_a_module_that_was_imported_before_is_run_without_a_warning(order: Any) -> None:
    importlib.import_module("forked_module")
    try:
        code, out, err = run_forked(order())
    finally:
        del sys.modules["forked_module"]
    assert (code, json.loads(out.splitlines()[0])["name"], err) == (0, "__main__", "")


def asked(session: Any) -> tuple[str, bytes, dict[str, str]]:
    """What a client of this session sends to AWS."""
    sent: list[Any] = []

    def answer(request: Any, **_more: Any) -> AWSResponse:
        sent.append(request)
        return AWSResponse(request.url, 200, {}, SimpleNamespace(stream=lambda: [b"{}"]))

    secrets = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "none"}
    client = session.create_client("ecs", region_name="us-west-2", **secrets)
    client.meta.events.register("before-send", answer)
    assert len(list(client.get_paginator("list_tasks").paginate(cluster="wwhd"))) == 1
    own = {"Authorization", "X-Amz-Date", "amz-sdk-invocation-id"}
    headers = {name: str(value) for name, value in sent[0].headers.items() if name not in own}
    return sent[0].url, sent[0].body, headers


def test_a_session_of_a_module_asks_as_any_and_reads_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("create_loader", "get_session"):
        monkeypatch.setattr(botocore.session, name, getattr(botocore.session, name))
    wanted = asked(botocore.session.get_session())
    models = _module_process._Models()
    models.read(["ecs"])
    models.share()
    with monkeypatch.context() as context:
        context.setattr(botocore.loaders.JSONFileLoader, "load_file", lambda *given: pytest.fail(str(given)))
        context.setattr(botocore.loaders.os, "listdir", lambda *given: pytest.fail(str(given)))
        sessions = [botocore.session.get_session() for _number in range(2)]
        assert [asked(session) for session in sessions] == [wanted, wanted]
    # What is registered with one is not with the next.
    heard: list[str] = []
    sessions[0].register("ours", lambda **_more: heard.append("one"))
    botocore.session.get_session().get_component("event_emitter").emit("ours")
    assert heard == []


def facts(**other: Any) -> dict[str, Any]:
    task = SimpleNamespace(
        delegate_to=other.pop("delegate_to", None), async_val=other.pop("async_val", 0), poll=other.pop("poll", 15)
    )
    flags = dict.fromkeys(("ignore_environment", "no_site", "no_user_site"), 0)
    other["flags"] = SimpleNamespace(**{**flags, **other.get("flags", {})})
    return {"transport": "local", "interpreter": sys.executable, "task": task, "become": False,
            "environment": {}, **other}  # fmt: skip


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({}, None),
        ({"transport": "ansible.builtin.local"}, None),
        ({"transport": "ssh"}, "it does not run on this machine"),
        ({"delegate_to": "bastion"}, "it does not run on this machine"),
        ({"become": True}, "it becomes another user"),
        ({"async_val": 60, "poll": 0}, "it is asynchronous"),
        ({"async_val": 60, "poll": 0, "detaches": True}, None),
        ({"async_val": 60, "poll": 1, "detaches": True}, "it is asynchronous"),
        ({"interpreter": None}, "its interpreter is to be discovered"),
        ({"interpreter": "/usr/bin/python0"}, "its interpreter is /usr/bin/python0"),
        ({"environment": {"QDRANT_OPS_FORK": "Off"}}, "QDRANT_OPS_FORK is off"),
        ({"given": ["AWS_PROFILE", "NO_PROXY"]}, None),
        ({"given": ["PYTHONPATH", "LD_LIBRARY_PATH"]}, "it is to be started with LD_LIBRARY_PATH, PYTHONPATH"),
        ({"flags": {"no_user_site": 1}}, "this interpreter leaves out packages that another one finds"),
        ({"flags": {"ignore_environment": 1}}, "this interpreter leaves out packages that another one finds"),
        ({"flags": {"no_user_site": 1}, "environment": {"PYTHONNOUSERSITE": "1"}}, None),
    ],
)
def test_where_it_would_make_a_difference_ansibles_own_way_is_gone(other: dict[str, Any], why: str | None) -> None:
    assert reason_against(**facts(**other)) == why


@pytest.mark.parametrize(("version", "tried"), [("2.17.14", True), ("2.19.0b2", True), ("2.99.1", False)])
def test_a_version_that_was_not_tried_goes_its_own_way(
    monkeypatch: pytest.MonkeyPatch, version: str, tried: bool
) -> None:
    monkeypatch.setattr(_forked, "ansible_version", version)
    assert (reason_against(**facts()) is None) is tried


def test_whoever_wants_to_keep_the_files_gets_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DEFAULT_KEEP_REMOTE_FILES", True)
    assert reason_against(**facts()) == "its files are to be kept"


def test_the_same_interpreter_in_another_environment_is_another_one(tmp_path: Path) -> None:
    other = tmp_path / "bin" / "python"
    other.parent.mkdir()
    other.symlink_to(Path(sys.executable).resolve())
    assert same_python(sys.executable)
    assert not same_python(str(other))
    assert not same_python(str(tmp_path / "absent"))
