"""How playbooks/unlock.yml takes several services: each goes on its own, unless failures are to be counted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar

try:
    from ansible.template import trust_as_template
except ImportError:  # up to 2.18 every text is a template

    def trust_as_template(value: Any) -> Any:
        return value


ROOT = Path(__file__).resolve().parents[2]
GROUPS = {"all": ["a", "b", "c"], "ungrouped": [], "dev": ["a"], "stores": ["a", "b", "c"]}


@pytest.fixture(scope="module")
def play() -> dict[str, Any]:
    init_plugin_loader()
    return next(p for p in yaml.safe_load((ROOT / "playbooks" / "unlock.yml").read_text()) if "strategy" in p)


@pytest.mark.parametrize(
    ("given", "strategy"),
    [
        ({}, "linear"),
        ({"env": "dev"}, "linear"),
        ({"env": "a"}, "linear"),
        ({"env": "stores"}, "free"),
        ({"env": "a:b"}, "free"),
        ({"env": "stores:!a:!b"}, "linear"),
        ({"env": "stores", "qdrant_unlock_serial": 2}, "free"),
        ({"env": "stores", "qdrant_unlock_max_fail_percentage": 0}, "linear"),
        ({"env": "stores", "qdrant_unlock_strategy": "linear"}, "linear"),
        ({"env": "dev", "qdrant_unlock_strategy": "host_pinned"}, "host_pinned"),
    ],
    ids=str,
)
def test_several_go_on_their_own(play: dict[str, Any], given: dict[str, Any], strategy: str) -> None:
    own = {name: trust_as_template(value) for name, value in play["vars"].items()}
    templar = Templar(loader=DataLoader(), variables={"groups": GROUPS, **own, **given})
    assert templar.template(trust_as_template(play["strategy"])) == strategy
