# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every sentence that the collection can say to an operator, read from its source.

`tools/messages.py` prints those that docs/troubleshooting.md lacks, as the lines to add there, and those of its lines
that nothing says any more. A part that differs from run to run is `…`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, nodes

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "troubleshooting.md"
GAP = "…"
DOCUMENTS = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
TELLING = {"fail_json", "warn", "exit_json", "deprecate"}
# Keys of tasks whose text is shown: of fail, assert, debug, pause.
SHOWN = {"msg", "fail_msg", "prompt"}
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


def of_yaml(source: str) -> Iterator[str]:
    for key, text in scalars(yaml.safe_load(source)):
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
    for node in Environment(autoescape=True).parse(text).body:
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


def main() -> int:
    said = messages()
    listed = entries(PAGE.read_text() if PAGE.is_file() else "")
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
    sys.exit(main())
