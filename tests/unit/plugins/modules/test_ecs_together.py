# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at services and tasks, where the hosts of a run look together: what each would see alone, with fewer calls."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils import _shared
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs import tasks, together
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.services import peek_service
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._shared import Shared
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock

HOSTS = 25
SECONDS = 20
ARN = "arn:aws:ecs:us-west-2:123456789012:service/c"
OLD_ARN = "arn:aws:ecs:us-west-2:123456789012:service"
TASK = "arn:aws:ecs:us-west-2:123456789012:task/c"


class Account:
    """DescribeServices of an account; `denied` are services that one may not describe, alone or among others."""

    def __init__(self, *names: str, denied: tuple[str, ...] = ()) -> None:
        self.names, self.denied = names, denied
        self.asked: list[list[str]] = []
        self.looks = Counter[str]()
        self._lock = threading.Lock()

    def call(self, _api: str, operation: str, /, *, doing: str, **params: Any) -> dict[str, Any]:
        assert (operation, params["cluster"], params["include"]) == ("DescribeServices", "c", ["TAGS"])
        assert len(params["services"]) <= 10
        with self._lock:
            self.asked.append(params["services"])
            if refused := set(self.denied) & set(params["services"]):
                raise OperationFailed(f"Could not {doing}: {sorted(refused)}", code="AccessDeniedException")
            self.looks.update(params["services"])
            names = [asked.rsplit("/", 1)[-1] for asked in params["services"]]
            # In no order that one might count on.
            found = [
                {"serviceName": name, "serviceArn": f"{ARN}/{name}", "look": len(self.asked)}
                for name in reversed(names)
                if name in self.names
            ]
        there = {one["serviceName"] for one in found}
        return {
            "services": found,
            "failures": [{"arn": f"{ARN}/{name}", "reason": "MISSING"} for name in names if name not in there],
        }


class Host:
    """What a look uses of the `Aws` of a module."""

    def __init__(self, account: Account, folder: Path | None) -> None:
        self.call = account.call
        self.shared = Shared(folder, identity="me") if folder else None
        self.alone: set[str] = set()

    def look(self, service: str) -> dict[str, Any] | None:
        return peek_service(self, cluster="c", service=service)  # type: ignore[arg-type]

    def describe(self, *arns: str) -> tasks.Described:
        return tasks.describe(self, cluster="c", arns=arns)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "_ENOUGH", 1)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock by which hosts wait for a look of all."""
    clock = FakeClock()
    monkeypatch.setattr(together, "Clock", lambda: clock.clock)
    return clock


def name(number: int) -> str:
    return f"env{number}"


def test_alone_each_asks_for_its_own() -> None:
    account = Account("a", "b")
    host = Host(account, None)
    assert [(host.look(each) or {}).get("serviceName") for each in ("a", "b", f"{ARN}/a")] == ["a", "b", "a"]
    assert host.look("absent") is None
    assert account.asked == [["a"], ["b"], [f"{ARN}/a"], ["absent"]]


@pytest.mark.usefixtures("fake")
def test_together_each_sees_its_own_ten_services_in_a_call(tmp_path: Path) -> None:
    names = [name(number) for number in range(HOSTS)]
    account = Account(*names)
    for _time in range(2):
        for each in [*names, "absent", f"{ARN}/env3", f"{OLD_ARN}/env4"]:
            seen = Host(account, tmp_path).look(each)
            assert (seen or {}).get("serviceName") == (None if each == "absent" else each.rsplit("/", 1)[-1])
    assert max(len(services) for services in account.asked) == 10


def test_hosts_that_look_at_once_make_few_calls_and_none_takes_an_older_look(tmp_path: Path) -> None:
    names = [name(number) for number in range(HOSTS)]
    account = Account(*names)
    ready, fresh = threading.Barrier(HOSTS), []

    def host(each: str) -> None:
        for _time in range(2):
            ready.wait(SECONDS)
            before = len(account.asked)
            seen = Host(account, tmp_path).look(each) or {}
            fresh.append(seen["look"] > before)

    threads = [threading.Thread(target=host, args=(each,)) for each in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert fresh == [True] * HOSTS * 2
    # Three calls a look, one or two looks each time: who asks right after one began waits for the next.
    assert len(account.asked) <= 15


@pytest.mark.usefixtures("fake")
def test_who_are_few_look_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "_ENOUGH", 3)
    account = Account("a", "b", "c")
    for each in ("a", "b", "c", "a"):
        Host(account, tmp_path).look(each)
    assert account.asked == [["a"], ["b"], ["a", "b", "c"], ["a", "b", "c"]]


@pytest.mark.usefixtures("fake")
def test_a_service_that_one_may_not_see_hides_no_other_one(tmp_path: Path) -> None:
    account = Account("mine", "theirs", denied=("theirs",))
    with pytest.raises(OperationFailed, match="theirs"):
        Host(account, tmp_path).look("theirs")
    host = Host(account, tmp_path)
    for _time in range(2):
        assert (host.look("mine") or {})["serviceName"] == "mine"
    assert account.asked[-3:] == [["theirs", "mine"], ["mine"], ["mine"]]


@pytest.mark.usefixtures("fake")
def test_a_look_that_failed_on_the_way_is_not_made_twice(tmp_path: Path) -> None:
    account = Account("mine")

    def lost(*_names: str, doing: str, **_params: Any) -> dict[str, Any]:
        account.asked.append([doing])
        raise OperationFailed("lost", transient=True)

    host = Host(account, tmp_path)
    host.call = lost  # type: ignore[method-assign,assignment]
    with pytest.raises(OperationFailed, match="lost"):
        host.look("mine")
    assert len(account.asked) == 1
    assert host.alone == set()


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("damage", ["forgotten", "foreign", "no folder"])
def test_what_was_not_asked_for_is_never_taken_for_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    account = Account("a", "b")
    host = Host(account, tmp_path / "gone" if damage == "no folder" else tmp_path)
    if damage == "forgotten":
        monkeypatch.setattr(Shared, "_named_lately", lambda *_args, **_more: ["a"])
    if damage == "foreign":
        Host(account, tmp_path).look("a")
        for path in tmp_path.iterdir():
            path.write_bytes(b"12345678no pickle")
    assert (host.look("b") or {})["serviceName"] == "b"


def test_who_has_ended_is_looked_at_for_a_minute_more_and_no_longer(tmp_path: Path, fake: FakeClock) -> None:
    account = Account("a", "b")
    Host(account, tmp_path).look("a")
    for _time in range(2):
        fake.now += _shared._NAMED_FOR * 0.6
        Host(account, tmp_path).look("b")
    assert account.asked == [["a"], ["a", "b"], ["b"]]


@pytest.mark.parametrize(("members", "apart"), [(1, 0.3), (10, 0.3), (50, 0.4), (100, 0.7), (1000, 6.7)])
def test_all_hosts_together_stay_within_the_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: FakeClock, members: int, apart: float
) -> None:
    account = Account(*map(name, range(members)))
    monkeypatch.setattr(Shared, "_name", lambda *_args: {name(number): fake.now for number in range(members)})
    host = Host(account, tmp_path)
    host.look(name(0))
    host.look(name(0))
    assert apart <= fake.now + 0.04 <= apart + 2 * _shared._LOOK_AGAIN


class Cluster(Account):
    """DescribeTasks of a cluster: `t…` are there, `m…` are MISSING, and of others AWS says nothing at all."""

    def call(self, _api: str, operation: str, /, *, doing: str, **params: Any) -> dict[str, Any]:
        assert (operation, params["cluster"], params["include"]) == ("DescribeTasks", "c", ["TAGS"])
        self.asked.append(params["tasks"])
        return {
            "tasks": [{"taskArn": f"{TASK}/{one}"} for one in reversed(params["tasks"]) if one.startswith("t")],
            "failures": [
                {"arn": f"{TASK}/{one}", "reason": "MISSING"} for one in params["tasks"] if one.startswith("m")
            ],
        }


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("together", [True, False])
def test_a_few_tasks_are_described_with_those_of_others(tmp_path: Path, together: bool) -> None:
    cluster = Cluster()
    for wanted in (["t1"], ["m2", "t3"], ["silent", "t4"], []):  # ids, as users give them
        seen = Host(cluster, tmp_path if together else None).describe(*wanted)
        assert [tasks.short_id(task["taskArn"]) for task in seen.tasks] == [one for one in wanted if one[0] == "t"]
        assert [tasks.short_id(arn) for arn in seen.missing] == [one for one in wanted if one[0] == "m"]
    assert cluster.asked[-1] == (["t1", "m2", "t3", "silent", "t4"] if together else ["silent", "t4"])


@pytest.mark.usefixtures("fake")
def test_a_look_at_a_whole_cluster_is_not_mixed_with_single_ones(tmp_path: Path) -> None:
    cluster = Cluster()
    Host(cluster, tmp_path).describe("t1")
    many = [f"t{number}" for number in range(2, 130)]
    assert len(Host(cluster, tmp_path).describe(*many).tasks) == 128
    assert cluster.asked == [["t1"], many[:100], many[100:]]
