"""The last lines of a log, read from its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import pytest

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.tails import newest_first, tail, with_tails
from ansible_collections.wwhd.qdrant_ops.tests.unit.aws_world import DEFINITION, definition, task, task_arn


class Pages:
    """Stands for Aws: gives the pages in turn, and keeps what it was asked."""

    def __init__(self, *pages: dict[str, Any] | OperationFailed) -> None:
        self.pages: Iterator[dict[str, Any] | OperationFailed] = iter(pages)
        self.asked: list[dict[str, Any]] = []

    def client(self, service: str) -> Any:
        return Mock(meta=Mock(region_name="us-west-2"))

    def call(self, service: str, operation: str, /, *, doing: str, **params: Any) -> dict[str, Any]:
        self.asked.append(params)
        page = next(self.pages)
        if isinstance(page, OperationFailed):
            raise page
        return page


def page(token: str, *lines: str) -> dict[str, Any]:
    return {"events": [{"message": line} for line in lines], "nextBackwardToken": token}


def read(aws: Pages, lines: int) -> list[str]:
    return tail(aws, group="g", stream="s", lines=lines)  # type: ignore[arg-type] # stands for Aws


def test_one_page_may_suffice() -> None:
    aws = Pages(page("t1", "b", "c\n"))
    assert read(aws, 2) == ["b", "c"]
    assert aws.asked == [{"logGroupName": "g", "logStreamName": "s", "startFromHead": False, "limit": 2}]


def test_an_empty_page_is_not_the_end() -> None:
    aws = Pages(page("t1"), page("t2", "b", "c"), page("t2", "a"))
    assert read(aws, 10) == ["b", "c"]
    assert [params.get("nextToken") for params in aws.asked] == [None, "t1"]


def test_an_empty_stream_ends_where_its_token_comes_back() -> None:
    aws = Pages(page("t1"), page("t1"))
    assert read(aws, 10) == []
    assert [params.get("nextToken") for params in aws.asked] == [None, "t1"]


def test_a_stream_without_an_end_is_given_up() -> None:
    aws = Pages(*(page(f"t{number}") for number in range(9)))
    assert read(aws, 3) == []
    assert len(aws.asked) == 4


def test_a_stream_that_does_not_exist_has_no_output_yet() -> None:
    assert read(Pages(OperationFailed("no stream", code="ResourceNotFoundException")), 3) == []


def test_another_refusal_is_raised() -> None:
    with pytest.raises(OperationFailed, match="denied"):
        read(Pages(OperationFailed("denied", code="AccessDeniedException")), 3)


def test_no_lines_wanted_makes_no_call() -> None:
    aws = Pages()
    assert read(aws, 0) == []
    assert aws.asked == []


def test_tasks_are_ordered_by_their_creation() -> None:
    unborn = {"taskArn": "x"}
    assert newest_first([task(1), unborn, task(3), task(2)]) == [task(3), task(2), task(1), unborn]


def test_only_the_newest_are_read_and_a_refusal_becomes_a_line() -> None:
    aws = Pages(page("t", "a line"), OperationFailed("Could not read it: denied."))
    views = with_tails(
        aws,  # type: ignore[arg-type] # stands for Aws
        tasks=[task(2), task(1)],
        newest=1,
        lines=1,
        definitions={DEFINITION: definition()},
    )
    assert [view["task_arn"] for view in views] == [task_arn(2), task_arn(1)]
    assert [container.get("logs") for container in views[0]["containers"]] == [
        ["a line"],
        ["(Could not read it: denied.)"],
    ]
    assert [container.get("logs") for container in views[1]["containers"]] == [None, None]
    assert len(aws.asked) == 2


def test_logs_of_another_region_are_pointed_to() -> None:
    elsewhere = definition()
    for container in elsewhere["containerDefinitions"]:
        container["logConfiguration"]["options"]["awslogs-region"] = "eu-west-1"
    aws = Pages()
    (view,) = with_tails(
        aws,  # type: ignore[arg-type] # stands for Aws
        tasks=[task(1)],
        newest=1,
        lines=1,
        definitions={DEFINITION: elsewhere},
    )
    assert "eu-west-1" in view["containers"][0]["logs"][0]
    assert aws.asked == []


@pytest.mark.parametrize(
    ("exits", "said", "read_of"),
    [
        pytest.param({"fastapi": 143, "qdrant": 101}, "the reason", ["qdrant"], id="taken down beside one that tells"),
        pytest.param({"fastapi": 137, "qdrant": 101}, "something", ["qdrant", "fastapi"], id="no reason in its lines"),
        pytest.param({"fastapi": 1, "qdrant": 143}, "something", ["fastapi", "qdrant"], id="who fails need not be it"),
        pytest.param({"fastapi": 1, "qdrant": 101}, "the reason", ["fastapi", "qdrant"], id="both by themselves"),
        pytest.param({"fastapi": 0, "qdrant": 143}, "the reason", ["fastapi", "qdrant"], id="none by itself"),
    ],
)
def test_what_was_taken_down_is_not_read_where_the_reason_is_known(
    exits: dict[str, int], said: str, read_of: list[str]
) -> None:
    aws = Pages(page("t", said), page("t", said))
    (view,) = with_tails(
        aws,  # type: ignore[arg-type] # stands for Aws
        tasks=[task(1, last="STOPPED", desired="STOPPED", exits=exits)],
        newest=1,
        lines=1,
        definitions={DEFINITION: definition()},
        tells_all=lambda lines: "the reason" in lines,
    )
    assert [params["logStreamName"].split("/")[0] for params in aws.asked] == read_of
    assert [container["name"] for container in view["containers"]] == ["fastapi", "qdrant"]
    assert [container["name"] for container in view["containers"] if "logs" in container] == sorted(read_of)


def test_of_older_tasks_those_that_ended_by_themselves_are_read_all_the_same() -> None:
    """What the newest failure is told by may be the trace of another one: a full disk, and then its locks."""
    aws = Pages(page("t", "the reason"), page("t", "the first cause"))
    views = with_tails(
        aws,  # type: ignore[arg-type] # stands for Aws
        tasks=[
            task(3, last="STOPPED", desired="STOPPED", exits={"fastapi": 143, "qdrant": 101}),
            task(2, last="STOPPED", desired="STOPPED", exits={"fastapi": 137, "qdrant": 143}),
            task(1, last="STOPPED", desired="STOPPED", exits={"fastapi": 143, "qdrant": 1}),
        ],
        newest=3,
        lines=1,
        definitions={DEFINITION: definition()},
        tells_all=lambda lines: "the reason" in lines,
    )
    read = [[c["name"] for c in view["containers"] if "logs" in c] for view in views]
    assert read == [["qdrant"], [], ["qdrant"]]
    assert len(aws.asked) == 2
