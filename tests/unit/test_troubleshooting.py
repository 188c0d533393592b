# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/troubleshooting.md lists every sentence that an operator can meet, and none that nobody says.

tools/messages.py reads them from the source: sentences in plugins/, texts of fail, assert and debug tasks and sentences
in their expressions, and what the cleaner says of a file. It cannot see what somebody else says within a sentence (AWS,
Qdrant, OpenSSL, Ansible's own refusal of an option), fragments that only follow a colon ("two containers are named x"),
what is being done in "Could not …", progress lines, and the report's templates.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools"))
import messages  # noqa: E402  # the tool that prints what is missing

PAGE = messages.PAGE.read_text()
SAID = messages.messages()
LISTED = messages.entries(PAGE)


def test_every_message_is_listed() -> None:
    known = set(LISTED)
    missing = [message for message in SAID if message.text not in known]
    rows = "\n".join(f"| {messages.as_code(message.text)} | … |  <- {message.path}" for message in missing)
    assert not missing, (
        "docs/troubleshooting.md lacks these. Put each into the table where an operator would look, with what it means "
        f"and what to do, or as an item `- …` where the sentence says that itself:\n{rows}"
    )


def test_no_entry_is_of_a_message_that_nobody_says() -> None:
    said = {message.text for message in SAID}
    gone = [text for text in LISTED if text not in said]
    assert not gone, (
        "docs/troubleshooting.md has entries that nothing says any more: correct or remove them:\n" + "\n".join(gone)
    )


def test_a_table_explains_and_a_list_is_introduced() -> None:
    """An entry that only repeats the message helps nobody."""
    prose = False
    for line in PAGE.splitlines():
        if line.startswith("## "):
            prose = False
        elif line.startswith("| `"):
            cells = re.split(r"(?<!\\) \| ", line[2:].removesuffix(" |"))
            assert len(cells) == 2, line
            assert len(cells[1].split()) >= 2, f"without an explanation: {line}"
        elif line.startswith("- `"):
            assert prose, f"the list has no sentence before it that says what to do: {line}"
        elif len(line.split()) > 3 and not line.startswith(("| ", "- ")):
            prose = True


def test_an_entry_is_explained_once() -> None:
    """What two causes advise may stand twice; what is explained in prose may not."""
    explained = [
        code[2]
        for line in PAGE.splitlines()
        if line.startswith("| `") and not line.rstrip(" |").endswith("`")
        if (code := messages.CODE.match(line[2:]))
    ]
    assert [text for text, times in Counter(explained).items() if times > 1] == []


def test_there_are_messages_of_every_kind() -> None:
    paths = Counter(message.path.split("/")[0] + Path(message.path).suffix for message in SAID)
    assert paths["plugins.py"] > 300
    assert paths["roles.yml"] >= 5
    assert paths["roles.sh"] > 20
    assert paths["playbooks.yml"] >= 2


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('raise X(f"Could not {doing}: {why}")', ["Could not …: …"]),
        ('raise X("No end here at " + place) from error', ["No end here at"]),
        ('raise X(choose(f"{a} is wrong: give {b}", doing=f"read the {a}"))', ["… is wrong: give …"]),
        ('module.fail_json(msg="It is broken")', ["It is broken"]),
        ('module.warn(f"{error} Looking again")', ["… Looking again"]),
        ('def f(): return f"{n} task{s} run. {more}{rest}"', []),
        ('def f(): return f"Other tasks mount {n}: {names}"', ["Other tasks mount …: …"]),
        ('def f(): return f"{a} was not {b}." if x else "It was not."', ["… was not ….", "It was not."]),
        ('ADVICE = {"A key. Not said.": "Say this instead."}', ["Say this instead."]),
        ('"""A docstring is not said."""', []),
        ('DOCUMENTATION = """It is read by others."""', []),
        ('PATTERN = re.compile("It is matched only.")', []),
        ('ADVICE = "Allow {action} for these."', ["Allow … for these."]),
        ('raise KeyError("service_gone")', []),
    ],
)
def test_sentences_are_found_in_python(source: str, expected: list[str]) -> None:
    assert list(messages.of_python(source)) == expected


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ({"ansible.builtin.fail": {"msg": "The {{ thing }} is  broken"}}, ["The … is broken"]),
        ({"ansible.builtin.assert": {"that": "a", "fail_msg": "a is {{ a }}: correct it"}}, ["a is …: correct it"]),
        ({"ansible.builtin.fail": {"msg": "{{ 'There is no ' ~ x ~ ' here' if x else 'Nothing was given' }}: go"}},
         ["There is no … here", "Nothing was given"]),
        ({"ansible.builtin.set_fact": {"m": "{{ x | default('It failed without a word.') }}"}},
         ["It failed without a word."]),
        ({"name": "Is not said. Never.", "ansible.builtin.fail": {"msg": "{{ faults }}"}}, []),
    ],
)  # fmt: skip
def test_sentences_are_found_in_tasks(task: dict[str, object], expected: list[str]) -> None:
    assert sorted(messages.of_yaml(yaml.safe_dump([task]))) == sorted(expected)


def test_sentences_are_found_in_the_cleaner() -> None:
    script = """
        why='it is a link'
        tell error "it could not be probed: $said"
        tell removed "${forced:+it was held}" "$forced"
        refuse 5 "the image has no $tool: choose one"
        printf '%s' "this is not said"
    """
    assert list(messages.of_cleaner(script)) == [
        "it is a link", "it could not be probed: …", "it was held", "the image has no …: choose one",
    ]  # fmt: skip


def test_every_assertion_of_a_task_has_words_of_its_own() -> None:
    """Without fail_msg Ansible says "Assertion failed", which nobody can look up."""
    silent = []
    for path in sorted([*(ROOT / "roles").rglob("tasks/*.yml"), *(ROOT / "playbooks").glob("*.yml")]):
        for key, value in mappings(yaml.safe_load(path.read_text())):
            if key.rsplit(".", 1)[-1] == "assert" and not (isinstance(value, dict) and value.get("fail_msg")):
                silent.append(path.name)
    assert silent == []


def mappings(document: object) -> list[tuple[str, object]]:
    if isinstance(document, dict):
        return [*((str(key), value) for key, value in document.items()),
                *(pair for value in document.values() for pair in mappings(value))]  # fmt: skip
    return [pair for value in document for pair in mappings(value)] if isinstance(document, list) else []


def test_the_page_is_brought_up_to_date() -> None:
    rows = "| a | b |\n| --- | --- |\n| `It is so.` | Why it is. |\n| `It was so.` | No more. |\n"
    page = f"# T\n\nText.\n\n## One\n\nWhat it is.\n\n{rows}"
    said = [
        messages.Message("It is so.", "a.py"),
        messages.Message("It is new.", "a.py"),
        messages.Message("It is elsewhere.", "b.py"),
    ]
    made = messages.rewritten(page, said)
    assert messages.entries(made) == ["It is so.", "It is new.", "It is elsewhere."]
    assert "| `It is so.` | Why it is. |" in made
    assert made.index("It is new.") < made.index("## Other messages") < made.index("It is elsewhere.")
    assert messages.rewritten(made, said) == made


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "- ansible.builtin.fail: {msg: !unsafe 'It is {{ braces }} of another program'}",
            ["It is … of another program"],
        ),
        ("- ansible.builtin.fail: {msg: 'It is {{ no template }} of ours'}", ["It is … of ours"]),
    ],
)
def test_texts_for_other_programs_are_read(source: str, expected: list[str]) -> None:
    assert list(messages.of_yaml(source)) == expected
