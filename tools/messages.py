# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every sentence that the collection can say to an operator, read from its source.

`tools/messages.py` prints those that docs/troubleshooting.md lacks, as the lines to add there, and those of its lines
that nothing says any more. A part that differs from run to run is `…`. With `--write` it takes the latter out, and adds
the former to the lists of what explains itself, each beside what else its file says: explain there what needs it.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, TemplateSyntaxError, nodes

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "troubleshooting.md"
GAP = "…"
DOCUMENTS = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
TELLING = {"fail_json", "warn", "exit_json", "deprecate"}
# Keys of tasks whose text is shown: of fail, assert, debug, pause, unlock_say.
SHOWN = {"msg", "fail_msg", "prompt", "lines"}
WORD = re.compile(r"[A-Za-z][A-Za-z'-]+")


@dataclass(frozen=True)
class Message:
    """One sentence, and the file that says it."""

    text: str
    path: str


def folded(text: str) -> str:
    """On one line, with one gap where several parts that differ follow each other."""
    return re.sub(rf"{GAP}(?:\s*{GAP})+", GAP, re.sub(r"\s+", " ", text)).strip()


def is_sentence(text: str, *, told: bool = False) -> bool:
    """What an operator may look for: words with an end, or a beginning that somebody else's words follow.

    What is raised or warned with needs neither: it is shown as it stands.
    """
    words = len(WORD.findall(text.replace(GAP, " ")))
    if words < 2 or " " not in text or text[0] in ":;,":
        return False
    return (
        told
        or text.endswith((".", "?", "!"))
        or (words > 2 and text[0].isupper() and text.endswith((f": {GAP}", f" {GAP}")))
    )


def messages() -> list[Message]:
    """Each once, sorted by file."""
    found: dict[str, Message] = {}
    sources = [
        *((path, of_python) for path in sorted((ROOT / "plugins").rglob("*.py"))),
        *(
            (path, of_yaml)
            for folder in ("roles", "playbooks", "extensions/eda")
            for path in sorted((ROOT / folder).rglob("*.yml"))
        ),
        *((path, of_cleaner) for path in sorted((ROOT / "roles").rglob("files/*.sh"))),
    ]
    for path, read in sources:
        name = path.relative_to(ROOT).as_posix()
        if "/doc_fragments/" in name or "/meta/" in name:
            continue
        for text in read(path.read_text()):
            found.setdefault(text, Message(text, name))
    return list(found.values())


# --- Python ----------------------------------------------------------------------------------------------------------


def template(node: ast.AST) -> str | None:
    """A text with gaps; None for what is none."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"\{\w+\}", GAP, node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
    return None


def of_python(source: str) -> Iterator[str]:
    tree = ast.parse(source)
    silent = {id(part) for node in ast.walk(tree) for part in unsaid(node)}
    told = {id(part) for node in ast.walk(tree) if is_telling(node) for part in whole_texts(node)}
    for node in ast.walk(tree):
        text = None if id(node) in silent else template(node)
        if text is not None and is_sentence(folded(text), told=id(node) in told):
            yield folded(text)


def is_telling(node: ast.AST) -> bool:
    if isinstance(node, ast.Raise):
        return True
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TELLING


def whole_texts(node: ast.AST) -> Iterator[ast.AST]:
    """The texts in a statement that are no parts of others."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.keyword) and child.arg == "doing":
            continue
        yield child
        if not isinstance(child, ast.JoinedStr):
            yield from whole_texts(child)


def unsaid(node: ast.AST) -> Iterator[ast.AST]:
    """Parts of longer texts, docstrings, a plugin's documentation, regular expressions, names of keys."""
    if isinstance(node, ast.JoinedStr):
        yield from node.values
    elif isinstance(node, ast.Expr):
        yield node.value
    elif isinstance(node, ast.Assign):
        if any(isinstance(name, ast.Name) and name.id in DOCUMENTS for name in node.targets):
            yield node.value
    elif isinstance(node, ast.Call):
        if ast.unparse(node.func).startswith("re."):
            yield from ast.walk(node)
    elif isinstance(node, ast.Dict):
        yield from (key for key in node.keys if key is not None)
    elif isinstance(node, ast.Subscript):
        yield from ast.walk(node.slice)


# --- Tasks and playbooks ---------------------------------------------------------------------------------------------


class Loader(yaml.SafeLoader):
    """Ansible's own tags, such as !unsafe, mark a text; it is a text all the same."""


Loader.add_multi_constructor("!", lambda loader, _tag, node: loader.construct_scalar(node))


def of_yaml(source: str) -> Iterator[str]:
    for key, text in scalars(yaml.load(source, Loader)):  # noqa: S506  # a safe loader with names for more texts
        whole, inner = of_template(text)
        if key in SHOWN and is_sentence(whole, told=True):
            yield whole
        for part in inner:
            if is_sentence(part, told=key in SHOWN and part[:1].isupper()):
                yield part


def scalars(document: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a document, with the key that it stands under."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield from scalars(value, str(name))
    elif isinstance(document, list):
        for value in document:
            yield from scalars(value, key)
    elif isinstance(document, str) and key != "name":
        yield key, document


def of_template(text: str) -> tuple[str, list[str]]:
    """The text with gaps, and the texts inside of its expressions."""
    if "{{" not in text and "{%" not in text:
        return folded(text), []
    parts, inner = [], []
    try:
        body = Environment(autoescape=True).parse(text).body
    except TemplateSyntaxError:
        # No template of Ansible's: a text for another program that has braces in it.
        return folded(re.sub(r"\{\{.*?\}\}", GAP, text)), []
    for node in body:
        for part in node.nodes if isinstance(node, nodes.Output) else [node]:
            parts.append(part.data if isinstance(part, nodes.TemplateData) else GAP)
            found = [part, *part.find_all((nodes.Const, nodes.Concat))]
            within = {id(one) for whole in found if isinstance(whole, nodes.Concat) for one in whole.nodes}
            inner += [folded(joined(one)) for one in found if id(one) not in within]
    return folded("".join(parts)), [one for one in inner if one]


def joined(node: nodes.Node) -> str:
    if isinstance(node, nodes.Concat):
        return "".join(joined(part) if isinstance(part, nodes.Const) else GAP for part in node.nodes)
    return node.value if isinstance(node, nodes.Const) and isinstance(node.value, str) else ""


# --- The cleaner -----------------------------------------------------------------------------------------------------

SAID = re.compile(
    r"""(?:\btell[ ]\w+[ ]|\brefuse[ ]\d[ ]|\bwhy=|\bmoved=|"(?:note|error)":)   # who says it
        (?:'([^']*)'|"((?:[^"\\]|\\.)*)")""",
    re.VERBOSE,
)


def of_cleaner(source: str) -> Iterator[str]:
    for found in SAID.finditer(source.replace("\\\n", "").replace("||\n", "||")):
        text = folded(
            re.sub(r"\$\{[^}]*?:\+([^}]*)\}|\$\{?\w+\}?", lambda gap: gap[1] or GAP, found[1] or found[2] or "")
        )
        if is_sentence(text, told=True):
            yield text


# --- The page --------------------------------------------------------------------------------------------------------

CODE = re.compile(r"(`+)[ ]?(.+?)[ ]?\1")


def entries(page: str) -> list[str]:
    """What the page lists: a table's cell, or a list's item, that is code from its beginning to its end."""
    found = []
    for line in page.splitlines():
        if line.startswith("| "):
            cells = re.split(r"(?<!\\) \| ", line[2:].removesuffix(" |"))
        elif line.startswith("- "):
            cells = [line[2:]]
        else:
            continue
        found += [code[2].replace("\\|", "|") for cell in cells if (code := CODE.fullmatch(cell.strip()))]
    return found


def as_code(text: str) -> str:
    escaped = text.replace("|", "\\|")
    return f"`` {escaped} ``" if "`" in text else f"`{escaped}`"


def rewritten(page: str, said: list[Message]) -> str:
    """The page without what nobody says, and with what it lacks in the section where its file says most."""
    paths = {message.text: message.path for message in said}
    sections: list[list[str]] = [[]]
    for line in page.splitlines():
        listed = entries(line)
        if listed and not any(text in paths for text in listed):
            continue
        if line.startswith("## "):
            sections.append([])
        sections[-1].append(line)
    by_path = [Counter(paths.get(text) for text in entries("\n".join(lines))) for lines in sections]
    known = set(entries(page))
    for message in said:
        if message.text not in known:
            best = max(range(len(sections)), key=lambda number: by_path[number][message.path])
            if not by_path[best][message.path]:
                if sections[-1][0] != OTHER:
                    sections.append([OTHER, "", "Each of these says itself what it means and what to do:", ""])
                    by_path.append(Counter())
                best = len(sections) - 1
            add(sections[best], f"- {as_code(message.text)}")
    return "\n".join(line for lines in sections for line in lines).rstrip() + "\n"


OTHER = "## Other messages"


def add(section: list[str], item: str) -> None:
    """To the section's list, which it may not have yet."""
    lists = [number for number, line in enumerate(section) if line.startswith("- `")]
    if lists:
        section.insert(lists[-1] + 1, item)
        return
    while section and not section[-1]:
        section.pop()
    section += ["", *([] if section[0] == OTHER else ["These say themselves what to do:", ""]), item, ""]


def main(arguments: list[str]) -> int:
    said = messages()
    page = PAGE.read_text()
    if arguments == ["--write"]:
        page = rewritten(page, said)
        PAGE.write_text(page)
    listed = entries(page)
    known = set(listed)
    path = ""
    for message in said:
        if message.text not in known:
            if message.path != path:
                path = message.path
                print(f"\n# {path}")
            print(f"| {as_code(message.text)} |  |")
    texts = {message.text for message in said}
    gone = [text for text in listed if text not in texts]
    if gone:
        print("\nNothing says any more:")
    for text in gone:
        print(f"  {text}")
    missing = len(texts - known)
    print(f"\n{len(texts)} messages, {missing} of them not in {PAGE.relative_to(ROOT)}; {len(gone)} entries too many")
    return 1 if missing or gone else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
