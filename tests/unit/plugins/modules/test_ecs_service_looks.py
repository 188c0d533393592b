# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at services, where the hosts of a run look together: what each would see alone, ten in a call."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils import _shared
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs import service_looks
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.service_looks import look_at_service
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._polling import Clock
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._shared import Shared
from ansible_collections.wwhd.qdrant_ops.tests.unit.module_runner import FakeClock

HOSTS = 25
SECONDS = 20
ARN = "arn:aws:ecs:us-west-2:123456789012:service/c"


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
        return {"services": found, "failures": [{"reason": "MISSING"}] * (len(names) - len(found))}


class Host:
    """What look_at_service uses of the `Aws` of a module."""

    def __init__(self, account: Account, folder: Path | None) -> None:
        self.call = account.call
        self.shared = Shared(folder, identity="me") if folder else None
        self.alone: set[str] = set()

    def look(self, service: str, clock: Clock) -> dict[str, Any] | None:
        return look_at_service(self, cluster="c", service=service, clock=clock)  # type: ignore[arg-type]


def name(number: int) -> str:
    return f"env{number}"


def test_alone_each_asks_for_its_own() -> None:
    account = Account("a", "b")
    host = Host(account, None)
    assert [(host.look(each, Clock()) or {}).get("serviceName") for each in ("a", "b", f"{ARN}/a")] == ["a", "b", "a"]
    assert host.look("absent", Clock()) is None
    assert account.asked == [["a"], ["b"], [f"{ARN}/a"], ["absent"]]


def test_together_each_sees_its_own_ten_in_a_call(tmp_path: Path) -> None:
    names = [name(number) for number in range(HOSTS)]
    account, clock = Account(*names), FakeClock().clock
    for _time in range(2):
        for each in [*names, "absent", f"{ARN}/env3"]:
            seen = Host(account, tmp_path).look(each, clock)
            assert (seen or {}).get("serviceName") == (None if each == "absent" else each.rsplit("/", 1)[-1])
    assert max(len(services) for services in account.asked) == 10


def test_hosts_that_look_at_once_make_few_calls_and_none_takes_an_older_look(tmp_path: Path) -> None:
    names = [name(number) for number in range(HOSTS)]
    account, clock = Account(*names), FakeClock().clock
    for each in names:
        Host(account, tmp_path).look(each, clock)
    account.asked.clear()
    account.looks.clear()
    ready, fresh, real = threading.Barrier(HOSTS), [], Clock()

    def host(each: str) -> None:
        ready.wait(SECONDS)
        before = len(account.asked)
        seen = Host(account, tmp_path).look(each, real) or {}
        fresh.append(seen["look"] > before)

    threads = [threading.Thread(target=host, args=(each,)) for each in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert fresh == [True] * HOSTS
    # Three groups; who asks right after a look began waits for the next one.
    assert 3 <= len(account.asked) <= 9


def test_a_service_that_one_may_not_see_hides_no_other_one(tmp_path: Path) -> None:
    account, clock = Account("mine", "theirs", denied=("theirs",)), FakeClock().clock
    with pytest.raises(OperationFailed, match="theirs"):
        Host(account, tmp_path).look("theirs", clock)
    host = Host(account, tmp_path)
    for _time in range(2):
        assert (host.look("mine", clock) or {})["serviceName"] == "mine"
    assert account.asked[-3:] == [["theirs", "mine"], ["mine"], ["mine"]]


def test_a_look_that_failed_on_the_way_is_not_made_twice(tmp_path: Path) -> None:
    account = Account("mine")

    def lost(*_names: str, doing: str, **_params: Any) -> dict[str, Any]:
        account.asked.append([doing])
        raise OperationFailed("lost", transient=True)

    host = Host(account, tmp_path)
    host.call = lost  # type: ignore[method-assign,assignment]
    with pytest.raises(OperationFailed, match="lost"):
        host.look("mine", FakeClock().clock)
    assert len(account.asked) == 1
    assert host.alone == set()


@pytest.mark.parametrize("damage", ["forgotten", "foreign", "no folder"])
def test_what_was_not_asked_for_is_never_taken_for_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    account, clock = Account("a", "b"), FakeClock().clock
    host = Host(account, tmp_path / "gone" if damage == "no folder" else tmp_path)
    if damage == "forgotten":
        # Somebody has overwritten the list between this one's joining and its look.
        joined: list[list[str]] = [["b"], ["a"]]
        monkeypatch.setattr(Shared, "join", lambda *_args, **_more: joined.pop(0))
    if damage == "foreign":
        Host(account, tmp_path).look("a", clock)
        for path in tmp_path.iterdir():
            path.write_bytes(b"12345678no pickle")
    assert (host.look("b", clock) or {})["serviceName"] == "b"


@pytest.mark.parametrize(("members", "apart"), [(1, 0.3), (10, 0.3), (50, 1 / 3), (100, 2 / 3), (1000, 100 / 15)])
def test_all_hosts_together_stay_within_the_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, members: int, apart: float
) -> None:
    account, fake = Account(*map(name, range(members))), FakeClock()
    monkeypatch.setattr(Shared, "join", lambda *_args, **_more: [name(number) for number in range(members)])
    host = Host(account, tmp_path)
    host.look(name(0), fake.clock)
    host.look(name(0), fake.clock)
    assert apart <= fake.now <= apart + 2 * _shared._LOOK_AGAIN
    assert members / 10 / max(apart, 0.3) <= service_looks._MOST_CALLS * 1.01 or members < 50
