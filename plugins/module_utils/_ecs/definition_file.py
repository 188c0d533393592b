# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A task definition in a file, as AWS's own tools write it or as people do.

Private to wwhd.qdrant_ops.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.common.yaml import HAS_YAML, yaml_load

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._ecs.errors import OperationFailed

__all__ = ["definition_in"]

_ENVELOPES = ("taskDefinition", "task_definition")


def definition_in(path: str) -> dict[str, Any]:
    """The definition in a JSON or YAML file. Raises OperationFailed that says what is wrong, and where.

    The answer of `aws ecs describe-task-definition` is taken too: the definition in its envelope, its tags with it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        said = (error.strerror or str(error)) if isinstance(error, OSError) else "it is no UTF-8 text"
        advice = "Give the path of a JSON or YAML file on the host that runs the module"
        raise _unusable(path, f"{said}. {advice}") from error
    whole = _parsed(text, path)
    if not isinstance(whole, Mapping):
        kind = "nothing" if whole is None else f"a {type(whole).__name__}"
        raise _unusable(path, f"it holds {kind}, not a dictionary with the members of a task definition")
    for envelope in _ENVELOPES:
        inner = whole.get(envelope)
        if isinstance(inner, Mapping):
            return {**inner, **({"tags": whole["tags"]} if whole.get("tags") else {})}
    return dict(whole)


def _parsed(text: str, path: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        if text.lstrip().startswith("{") and path.endswith(".json"):
            raise _unusable(path, f"it is no valid JSON: {error}") from error
    if not HAS_YAML:
        raise _unusable(path, "it is no JSON, and to read YAML the host that runs the module needs PyYAML: install it")
    try:
        return yaml_load(text)
    except Exception as error:  # PyYAML's own root of errors cannot be named where it is missing
        raise _unusable(path, f"it is neither valid JSON nor valid YAML: {' '.join(str(error).split())}") from error


def _unusable(path: str, why: str) -> OperationFailed:
    return OperationFailed(f"Could not read the task definition in {path}: {why}.")
