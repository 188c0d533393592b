# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an AWX knows of each kind of object: its fields with their defaults, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

ENCRYPTED = "$encrypted$"
# The list's name in the API, and what an object of it calls itself.
TYPES = {
    "organizations": "organization",
    "teams": "team",
    "execution_environments": "execution_environment",
    "credential_types": "credential_type",
    "credentials": "credential",
    "projects": "project",
    "inventories": "inventory",
    "inventory_sources": "inventory_source",
    "notification_templates": "notification_template",
    "job_templates": "job_template",
    "workflow_job_templates": "workflow_job_template",
    "workflow_job_template_nodes": "workflow_job_template_node",
    "workflow_approval_templates": "workflow_approval_template",
    "schedules": "schedule",
}
UNIFIED = ("projects", "inventory_sources", "job_templates", "workflow_job_templates", "workflow_approval_templates")
_PROMPTS: dict[str, Any] = {
    "extra_data": {}, "inventory": None, "scm_branch": None, "job_type": None, "limit": None, "verbosity": None,
}  # fmt: skip
_NAMED: dict[str, Any] = {"name": "", "description": ""}
_OWNED: dict[str, Any] = {**_NAMED, "organization": None}
FIELDS: dict[str, dict[str, Any]] = {
    "organizations": {**_NAMED, "max_hosts": 0, "default_environment": None},
    "teams": _OWNED,
    "execution_environments": {**_OWNED, "image": "", "pull": "", "credential": None},
    "credential_types": {**_NAMED, "kind": "", "managed": False, "inputs": {}, "injectors": {}},
    "credentials": {**_OWNED, "credential_type": None, "inputs": {}},
    "projects": {
        **_OWNED, "scm_type": "", "scm_url": "", "scm_branch": "", "scm_update_on_launch": False, "credential": None,
        "default_environment": None, "timeout": 0, "scm_revision": "", "status": "successful",
    },
    "inventories": {**_OWNED, "kind": "", "host_filter": None, "variables": ""},
    "inventory_sources": {
        **_NAMED, "inventory": None, "source": "", "source_project": None, "source_path": "", "overwrite": False,
        "overwrite_vars": False, "update_on_launch": False, "execution_environment": None,
    },
    "notification_templates": {**_OWNED, "notification_type": "", "notification_configuration": {}, "messages": None},
    "job_templates": {
        **_OWNED, "job_type": "run", "project": None, "inventory": None, "playbook": "", "forks": 0, "timeout": 0,
        "execution_environment": None, "allow_simultaneous": False, "ask_job_type_on_launch": False,
        "ask_variables_on_launch": False, "diff_mode": False, "extra_vars": "---", "survey_enabled": False,
    },
    "workflow_job_templates": {**_OWNED, "extra_vars": "---", "allow_simultaneous": False, "survey_enabled": False},
    "workflow_job_template_nodes": {
        **_PROMPTS, "identifier": "", "workflow_job_template": None, "unified_job_template": None,
        "all_parents_must_converge": False,
    },
    "workflow_approval_templates": {**_NAMED, "timeout": 0},
    "schedules": {**_NAMED, **_PROMPTS, "rrule": "", "enabled": True, "unified_job_template": None},
}  # fmt: skip
NOTIFICATIONS: dict[str, tuple[str, ...]] = {
    "slack": ("token", "channels"),
    "webhook": ("url", "headers"),
    "email": ("host", "port", "username", "password", "use_tls", "use_ssl", "sender", "recipients"),
}


class Refused(Exception):
    """What AWX answers instead of doing it."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        super().__init__(json.dumps(body))
        self.status, self.body = status, dict(body)


@dataclass
class Stored:
    """An object: what the API shows of it, and what hangs on it."""

    kind: str
    data: dict[str, Any]
    survey: dict[str, Any] = field(default_factory=dict)
    links: dict[str, list[int]] = field(default_factory=dict)


Find = Callable[[str, Any], Stored]


def check(kind: str, data: dict[str, Any], find: Find, playbooks: frozenset[str]) -> None:
    """What AWX's serializers look at, for what the role makes."""
    rule = _RULES.get(kind)
    if rule:
        rule(data, find, playbooks)


def _job_template(data: dict[str, Any], find: Find, playbooks: frozenset[str]) -> None:
    project = find("projects", data["project"])
    find("inventories", data["inventory"])
    if data["playbook"] not in playbooks:
        raise Refused(400, {"playbook": ["Playbook not found for project."]})
    data["organization"] = project.data["organization"]
    json.loads(data["extra_vars"])


def _inventory_source(data: dict[str, Any], find: Find, playbooks: frozenset[str]) -> None:
    find("inventories", data["inventory"])
    if data["source"] == "scm":
        find("projects", data["source_project"])


def _credential(data: dict[str, Any], find: Find, playbooks: frozenset[str]) -> None:
    described = find("credential_types", data["credential_type"]).data["inputs"]
    fields = {one["id"]: one for one in described["fields"]}
    wrong = [name for name in data["inputs"] if name not in fields]
    lacking = [name for name in described.get("required", []) if not data["inputs"].get(name)]
    if wrong or lacking:
        raise Refused(400, {"inputs": {name: ["unknown or missing"] for name in wrong + lacking}})
    data["inputs"] = {
        name: ENCRYPTED if fields[name].get("secret") else value for name, value in data["inputs"].items()
    }


def _credential_type(data: dict[str, Any], find: Find, playbooks: frozenset[str]) -> None:
    if data["kind"] not in ("net", "cloud"):
        raise Refused(400, {"kind": ["Must be 'cloud' or 'net'."]})
    for one in data["inputs"]["fields"]:
        one.setdefault("type", "string")


def _notification(data: dict[str, Any], find: Find, playbooks: frozenset[str]) -> None:
    given = data["notification_configuration"]
    lacking = [name for name in NOTIFICATIONS[data["notification_type"]] if name not in given]
    if lacking:
        raise Refused(400, {"notification_configuration": [f"Missing required fields: {lacking}."]})
    hidden = {name: ENCRYPTED for name in ("token", "password") if given.get(name)}
    data["notification_configuration"] = {**given, **hidden}


def _schedule(data: dict[str, Any], find: Find, playbooks: frozenset[str]) -> None:
    if not data["rrule"].startswith("DTSTART:") or " RRULE:" not in data["rrule"]:
        raise Refused(400, {"rrule": ["rrule parsing failed validation."]})
    template = find("job_templates", data["unified_job_template"])
    choices = {one["variable"]: one.get("choices") for one in template.survey.get("spec", [])}
    for name, value in data["extra_data"].items():
        if name not in choices or (choices[name] and value not in choices[name]):
            raise Refused(400, {"extra_vars": [f"Variable {name} is not allowed on launch."]})


def _node(data: dict[str, Any], find: Find, playbooks: frozenset[str]) -> None:
    find("workflow_job_templates", data["workflow_job_template"])
    if data["job_type"] and not find("job_templates", data["unified_job_template"]).data["ask_job_type_on_launch"]:
        raise Refused(400, {"job_type": ["Field is not configured to prompt on launch."]})


_RULES: dict[str, Callable[[dict[str, Any], Find, frozenset[str]], None]] = {
    "job_templates": _job_template,
    "inventory_sources": _inventory_source,
    "credentials": _credential,
    "credential_types": _credential_type,
    "notification_templates": _notification,
    "schedules": _schedule,
    "workflow_job_template_nodes": _node,
}


def check_survey(spec: Mapping[str, Any]) -> None:
    for name in ("name", "description", "spec"):
        if name not in spec:
            raise Refused(400, {"error": f"Field '{name}' is missing from survey spec."})
    for one in spec["spec"]:
        for name in ("type", "question_name", "variable", "required"):
            if name not in one:
                raise Refused(400, {"error": f"'{name}' missing from survey question."})
        choices = one.get("choices")
        if one["type"] == "multiplechoice" and not choices:
            raise Refused(400, {"error": f"Survey question {one['variable']} must specify choices."})
        if choices and one["default"] and one["default"] not in choices:
            raise Refused(400, {"error": "Default choice must be answered from the choices listed."})
