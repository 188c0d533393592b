# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages in a real browser: a phone and a desk, dark and light, on paper; nothing loaded, nothing cut off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.report.browser import COMMAND, Browser, browser

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.result import digest
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._report.page import TEMPLATES, index_page, report_page
from ansible_collections.wwhd.qdrant_ops.tests.unit.unlock_samples import samples

pytestmark = pytest.mark.skipif(
    COMMAND is None, reason="no chromium here: apt-get install chromium, and the pages are looked at in it"
)

FOLDER = Path(__file__).resolve().parents[3] / "roles" / "qdrant_unlock" / "templates"
TEXTS = {name: (FOLDER / name).read_text() for name in TEMPLATES}
HOSTILE = (
    "<script>document.title='taken'</script>\"'><img src='http://192.0.2.1/x' onerror='document.title=1'>" + "x" * 900
)
# Each text's contrast with what is behind it, by WCAG's formula; what is below 4.5 is returned.
CONTRAST = """
(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data; };
  const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
    const v = c[i] / 255; return sum + weight * (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); }, 0);
  const behind = (node) => { for (; node; node = node.parentElement) {
    const c = rgb(getComputedStyle(node).backgroundColor); if (c[3] > 250) return c; } return [255, 255, 255]; };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode, node = text.parentElement;
    if (!text.data.trim() || ['STYLE', 'title', 'desc'].includes(node.tagName)) continue;
    const picture = node.closest('svg');
    const band = picture && picture.querySelector('.band');
    const front = rgb(picture ? getComputedStyle(node).fill : getComputedStyle(node).color);
    const back = band ? rgb(getComputedStyle(band).fill) : behind(node);
    const [high, low] = [light(front), light(back)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < 4.5) found.push(`${text.data.trim().slice(0, 40)}: ${ratio.toFixed(2)}`);
  }
  return found;
})()
"""
# Texts of the picture that leave it, or lie on one another.
CROWDED = """
(() => {
  const picture = document.querySelector('svg[role=img]');
  if (!picture) return [];
  const frame = picture.getBoundingClientRect();
  const texts = [...picture.querySelectorAll('text')].map((node) => [node.textContent, node.getBoundingClientRect()]);
  const found = texts.filter(([, box]) => box.left < frame.left - 1 || box.right > frame.right + 1
    || box.bottom > frame.bottom + 1 || box.top < frame.top - 1).map(([text]) => `outside: ${text}`);
  texts.forEach(([text, a], i) => texts.slice(i + 1).forEach(([other, b]) => {
    if (a.left < b.right && b.left < a.right && a.top + 3 < b.bottom && b.top + 3 < a.bottom)
      found.push(`${text} on ${other}`); }));
  return found;
})()
"""
HIDDEN = """
[...document.querySelectorAll('details pre, details table')].filter((node) =>
  !node.checkVisibility({contentVisibilityAuto: true, visibilityProperty: true}) || !node.getBoundingClientRect().height
).length
"""
SCREENS = [(390, 844, "light"), (390, 844, "dark"), (1280, 900, "light"), (1280, 900, "dark")]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    results = samples()
    hostile = json.loads(json.dumps(results["redeploy_failed"]).replace("wwhd-backend", json.dumps(HOSTILE)[1:-1]))
    hostile["locks"]["removed"] = [
        {"path": f"/{n}/{HOSTILE}", "why": HOSTILE, "was_held": False, "waited": False} for n in range(500)
    ]
    results["hostile"] = hostile
    texts = {name: report_page(result, host=f"{name}.dev", templates=TEXTS) for name, result in results.items()}
    entries = [{**digest(result), "name": name, "host": f"{name}.dev"} for name, result in results.items()]
    texts["index"] = index_page(entries, templates=TEXTS)
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text)
    return {name: folder / f"{name}.html" for name in texts}


NAMES = [*samples(), "hostile", "index"]


def test_every_page_is_looked_at(pages: dict[str, Path]) -> None:
    assert set(NAMES) == set(pages)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_on_a_phone_and_a_desk_dark_and_light(
    name: str, shown: Browser, pages: dict[str, Path], tmp_path: Path
) -> None:
    seen = set()
    for width, height, scheme in SCREENS:
        shown.open(pages[name], width=width, height=height, scheme=scheme)
        shown.run("document.querySelectorAll('details').forEach((node) => { node.open = true; })")
        where = f"{name}, {width} px, {scheme}"
        assert shown.run("document.documentElement.scrollWidth") <= width, where
        assert shown.run("document.documentElement.clientWidth") == width, where
        assert shown.run(CONTRAST) == [], where
        assert shown.run(CROWDED) == [], where
        assert shown.run("document.querySelectorAll('script, img').length") == 0, where
        assert shown.run("document.title") not in ("taken", "1"), where
        seen.add(shown.run("getComputedStyle(document.body).backgroundColor"))
        picture = shown.picture(tmp_path / f"{name}-{width}-{scheme}.png", whole=name != "hostile")
        assert picture.startswith(b"\x89PNG")
        assert shown.complaints() == [], where
        assert shown.requests() == [pages[name].as_uri()], where
    assert seen == {"rgb(255, 255, 255)", "rgb(20, 23, 27)"}


def test_the_policy_forbids_what_a_page_does_not_need(shown: Browser, pages: dict[str, Path], tmp_path: Path) -> None:
    """Were there a hole in the escaping, nothing would come through it: and the checks above would see it."""
    text = pages["unlocked"].read_text()
    broken = tmp_path / "broken.html"
    broken.write_text(text.replace("<main>", "<main><script>document.title='taken'</script><p style='color:red'>x</p>"))
    shown.open(broken, width=1280, height=900, scheme="light")
    assert shown.run("document.title") != "taken"
    assert len(shown.complaints()) >= 2


def test_a_reader_hears_the_picture(shown: Browser, pages: dict[str, Path]) -> None:
    shown.open(pages["unlocked"], width=390, height=844, scheme="light")
    nodes = shown.ask("Accessibility.getFullAXTree")["nodes"]
    pictures = [node for node in nodes if node.get("role", {}).get("value") in ("image", "img") and not node["ignored"]]
    (picture,) = [node for node in pictures if node["name"]["value"]]
    assert "What the run did in" in picture["name"]["value"]
    assert "redeploy from 26 s on, for 40 s" in picture["name"]["value"]
    levels = shown.run("[...document.querySelectorAll('h1, h2, h3')].map((node) => +node.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1


def test_paper_is_light_and_has_what_is_folded_away(shown: Browser, pages: dict[str, Path]) -> None:
    shown.open(pages["unlocked"], width=1280, height=900, scheme="dark")
    shown.ask("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert shown.run("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert shown.run("document.querySelectorAll('details pre, details table').length") > 2
    assert shown.run(HIDDEN) == 0
    shown.ask("Emulation.setEmulatedMedia", media="")
    assert shown.paper().startswith(b"%PDF")
