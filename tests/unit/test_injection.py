# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Any value of the inventory is refused by a sentence or arrives as plain data, in the place that is its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.inputs import faults_of_inputs
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.owner import controller_name
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.plan import make_plan
from ansible_collections.wwhd.qdrant_ops.tests.unit.plan_facts import INFO, OPTIONS

SCRIPT = "#!/bin/sh\n: the cleaner\n"
# fmt: off
PIECES = [
    "$(touch x)", "`touch x`", ";touch x;", "|touch x", "&touch x&", "\ntouch x\n", "'", '"', "\\", "${IFS}", ">x",
    "{}", "{{ 1 }}", "{% raw %}", "%s", "*", "?", "[", "]", "!", "..", "/", "-exec", " ", "\t", "\0", "a", "LOCK",
    "*.lock", ".", "é", "\N{LINE SEPARATOR}",
]
# fmt: on
texts = st.one_of(st.lists(st.sampled_from(PIECES), max_size=5).map("".join), st.text(max_size=30))
SCALARS = ["region", "cluster", "service", "image", "family", "scan_path", "log_group", "log_stream_prefix",
           "execution_role_arn", "task_role_arn", "file_system_id", "access_point_id"]  # fmt: skip
LISTS = ["lock_patterns", "prune_patterns", "subnets", "security_groups", "guard_clusters"]
# Where a value may be seen again, and nowhere else.
HOMES = {
    "image": "containerDefinitions.image",
    "family": "family",
    "scan_path": "environment.value",
    "lock_patterns": "environment.value",
    "prune_patterns": "environment.value",
    "log_group": "options.awslogs-group",
    "log_stream_prefix": "options.awslogs-stream-prefix",
    "execution_role_arn": "executionRoleArn",
    "task_role_arn": "taskRoleArn",
}


def plan(options: dict[str, Any], environment: str = "dev") -> dict[str, Any]:
    return make_plan(
        INFO,
        options=options,
        health=None,
        collections=None,
        script=SCRIPT,
        environment=environment,
        owner="ann@box/1",
        controller={"pid": 1, "place": "0"},
        run_id="unlock-new",
        now=datetime(2026, 11, 23, tzinfo=UTC),
    )


def faults(options: dict[str, Any]) -> list[str]:
    return faults_of_inputs(options, given=[], known={}, where="")


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, text) of every text; the path names keys only."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}")
    elif isinstance(node, list):
        for value in node:
            yield from leaves(value, path)
    elif isinstance(node, str):
        yield path, node


def sent(made: dict[str, Any]) -> dict[str, Any]:
    """What goes to AWS for the cleaner."""
    return {"definition": made["definition"], "overrides": made["overrides"], "network": made["network"]}


# Texts that are there whatever the options say, such as "/": where these come from could not be told.
STANDS_ANYWAY = {text for _path, text in leaves(sent(plan(OPTIONS)))}
PLAIN = {path: text for path, text in leaves(sent(plan(OPTIONS))) if "command" in path}


@settings(max_examples=400, deadline=None, database=None)
@given(name=st.sampled_from(SCALARS), value=texts)
@example(name="log_stream_prefix", value="a'$(touch${IFS}x)`touch`;\"")
@example(name="scan_path", value="/a $(touch x) 'b' \"c\" `d`; e | f & g > h {} -exec")
def test_a_text_is_refused_or_arrives_as_it_is(name: str, value: str) -> None:
    options = {**OPTIONS, name: value}
    said = faults(options)
    if said:
        assert all(sentence.startswith(("qdrant_unlock_", "The lock pattern")) for sentence in said)
        return
    if not value or value in STANDS_ANYWAY:
        return
    made = plan(options)
    if made["refusals"]:
        return
    found = sent(made)
    assert {path: text for path, text in leaves(found) if "command" in path} == PLAIN
    home = HOMES.get(name)
    places = [path for path, text in leaves(found) if text == value]
    assert all(home and path.endswith(home) for path in places), (name, value, places)
    assert not home or places
    json.dumps(found)


@settings(max_examples=400, deadline=None, database=None)
@given(name=st.sampled_from(LISTS), values=st.lists(texts, min_size=1, max_size=3))
def test_a_list_is_refused_or_arrives_as_it_is(name: str, values: list[str]) -> None:
    options = {**OPTIONS, name: values}
    if faults(options):
        return
    found = sent(plan(options))
    assert {path: text for path, text in leaves(found) if "command" in path} == PLAIN
    if name in ("lock_patterns", "prune_patterns"):
        # One a line: none of them has a line break, or one pattern would become two.
        (patterns,) = (text for path, text in leaves(found) if text == "\n".join(values))
        assert patterns.splitlines() == values
    # A name is made of letters, digits and a few marks: nothing that any parser would take for more.
    assert not set("".join(values)) & set("$`'\";|&<>(){}\\ \n\t\0")


@settings(max_examples=200, deadline=None, database=None)
@given(texts)
def test_the_name_of_an_environment_goes_into_sentences_only(name: str) -> None:
    made = plan({**OPTIONS, "protected": True}, environment=name)
    assert made["refusals"] == [f"The environment {name} is protected: pass -e confirm={name} to say that you mean it."]
    assert sent(made) == sent(plan(OPTIONS))


@settings(max_examples=200, deadline=None, database=None)
@given(texts.filter(bool))
def test_the_owner_fits_into_a_tag(job: str) -> None:
    assert not set(controller_name(job, host=job)) & set("$`'\";|&<>(){}\\\n\t\0*?[]!")


@pytest.mark.parametrize("name", ["cluster", "service", "region", "family", "image", "log_group"])
@pytest.mark.parametrize("value", ["a$(touch x)", "a`touch x`", "a;touch x", "a|b", "a&b", "a'b", 'a"b', "a b", "a\nb"])
def test_what_is_a_name_on_aws_has_no_metacharacter(name: str, value: str) -> None:
    said = faults({**OPTIONS, name: value})
    assert len(said) == 1
    assert said[0].startswith(f"qdrant_unlock_{name} is {value!r}: give ")
