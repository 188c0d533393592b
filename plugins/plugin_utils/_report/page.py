# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`qdrant_unlock_result` as a page for people, and the index of several.

Private to wwhd.qdrant_ops. Pure. The pages are rendered by an environment of their own, not by Ansible's: it escapes
everything, whatever a template says, and nothing in a result can be taken for a template.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import timezone
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.phases import moment
from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.timeline import duration, timeline

__all__ = ["TEMPLATES", "index_page", "points_table", "prepare", "report_page", "visible"]

# Below the role's templates/; the last one is the style of both pages.
TEMPLATES = ("report.html.j2", "index.html.j2", "frame.html.j2", "timeline.svg.j2", "report.css")
_WORDS = {
    "unlocked": "Unlocked",
    "failed": "Failed",
    "refused": "Refused",
    "nothing_to_do": "Nothing to do",
    "check": "Check mode",
    "inspected": "Inspected",
    "stopped": "Stopped",
    "restored": "Tidied up",
    "unfinished": "Not finished",
    "interrupted": "Interrupted",
}
_WORST_FIRST = ("bad", "warn", "neutral", "good")
# Characters that draw nothing, or make a text look like another one. Line feeds and tabs are what logs are made of.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)


def visible(value: Any) -> Any:
    """Text with characters that nobody would see written out, as \\xNN or \\uNNNN; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, str) and not isinstance(value, Markup):
        return _UNSEEN.sub(lambda found: _written_out(ord(found[0])), value)
    return value


def _written_out(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def report_page(result: Mapping[str, Any], *, host: str, templates: Mapping[str, str]) -> str:
    """The page of one run."""
    verdict = result["verdict"]
    return _render(
        "report.html.j2",
        templates,
        r=result,
        host=host,
        verdict=verdict,
        happened=_beside(verdict, result["summary"]),
        picture=timeline(result["phases"], result["outage"]),
        points=points_table(result["verification"]),
    )


def _beside(verdict: Mapping[str, Any], summary: Iterable[str]) -> list[str]:
    """What the summary says beyond the headline and the sentence on the data."""
    left = [said.removeprefix(verdict["headline"]).strip() for said in summary if said != verdict["data"]]
    return [said for said in left if said]


def index_page(entries: Iterable[Mapping[str, Any]], *, templates: Mapping[str, str]) -> str:
    """The page that leads to all others: the newest run of each host, the worst first, then the earlier ones."""
    newest: dict[str, Mapping[str, Any]] = {}
    earlier = []
    for entry in sorted(entries, key=lambda entry: str(entry.get("started") or ""), reverse=True):
        if entry["host"] in newest:
            earlier.append(entry)
        else:
            newest[entry["host"]] = entry
    ordered = sorted(newest.values(), key=lambda entry: (_badness(entry), str(entry["host"])))
    counts = [(tone, sum(1 for entry in ordered if entry["tone"] == tone)) for tone in _WORST_FIRST]
    return _render("index.html.j2", templates, newest=ordered, earlier=earlier, counts=[c for c in counts if c[1]])


def _badness(entry: Mapping[str, Any]) -> int:
    return _WORST_FIRST.index(entry["tone"]) if entry["tone"] in _WORST_FIRST else 0


def points_table(verification: Mapping[str, Any]) -> dict[str, Any] | None:
    """The counts by collection, beside what there was to compare with: `compared` says what that is, if anything."""
    now, last = verification["points"], verification["points_last"]
    then: Mapping[str, Any] | None
    if verification["points_before"] is not None:
        then, compared = verification["points_before"], "before this run"
    elif verification["points_expected"]:
        then, compared = verification["points_expected"], "expected"
    elif last:
        then, compared = last["points"], f"in the last verified run ({when(last.get('at'))})"
    else:
        then, compared = None, ""
    if now is None and verification["points_before"] is None:
        return None
    names = sorted({*(now or {}), *(then or {})})
    rows = [{"name": name, "then": (then or {}).get(name), "now": (now or {}).get(name)} for name in names]
    for row in rows:
        row["same"] = None if row["then"] is None or row["now"] is None else row["then"] == row["now"]
    return {"compared": compared, "rows": rows}


def when(text: Any) -> str:
    """A moment as a person reads it; what is none, as it is."""
    try:
        return f"{moment(str(text)).astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return str(text or "")


def _file_link(name: str) -> str:
    """A file of the same folder, whatever its name is made of."""
    return quote(name, safe="", errors="replace")


def _one_line(text: str) -> str:
    """A path: a line feed in it is as odd as any other character that nobody sees."""
    return text.replace("\n", "\\x0a").replace("\t", "\\x09")


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@lru_cache(maxsize=1)
def _environment(templates: tuple[tuple[str, str], ...]) -> Environment:
    environment = Environment(
        loader=DictLoader(dict(templates)),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(as_text=_as_text, duration=duration, file_link=_file_link, one_line=_one_line, when=when)
    return environment


def prepare(templates: Mapping[str, str]) -> None:
    """Compile the templates now, for this process and those that it forks."""
    environment = _environment(tuple(sorted(templates.items())))
    for name in environment.list_templates(extensions=["j2"]):
        environment.get_template(name)


def _render(name: str, templates: Mapping[str, str], **values: Any) -> str:
    style = templates["report.css"]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    # Only this very style, by its digest, and nothing else may act on the page or be loaded by it.
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        _environment(tuple(sorted(templates.items())))
        .get_template(name)
        .render(
            style=Markup(style),  # noqa: S704  # the collection's own file
            policy=policy,
            words=_WORDS,
            **values,
        )
    )
