# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller that is just enough of an AWX: it remembers what it was given, and every request that it got.

It is as strict as AWX where a mistake of ours would show: unknown filters, playbooks that the project does not have,
surveys, prompts, secrets that are never shown again.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from integration.awx.models import FIELDS, TYPES, UNIFIED, Refused, Stored, check, check_survey

from ansible_collections.wwhd.qdrant_ops.tests.unit.small_server import Asked, Reply

TOKEN = "a-token-of-the-tests"  # no secret of anybody's
_HEADERS = {"X-API-Product-Name": "AWX", "X-API-Product-Version": "24.6.1"}
_ROLES = ("admin_role", "execute_role", "read_role", "approval_role")


@dataclass(frozen=True)
class Written:
    """A request that changed something."""

    method: str
    path: str
    body: dict[str, Any]


@dataclass
class Controller:
    """`playbooks` are those that AWX has seen in the project."""

    playbooks: frozenset[str] = frozenset()
    page_size: int = 25
    written: list[Written] = field(default_factory=list)
    objects: dict[tuple[str, int], Stored] = field(default_factory=dict)
    roles: dict[int, tuple[str, int, str]] = field(default_factory=dict)
    holders: dict[int, list[int]] = field(default_factory=dict)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.make("organizations", {"name": "Default"})

    def __call__(self, asked: Asked) -> Reply:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return Reply(401, {"detail": "Authentication credentials were not provided."}, _HEADERS)
        try:
            status, body = self._answer(asked)
        except Refused as refused:
            status, body = refused.status, refused.body
        return Reply(status, b"" if status == 204 else body, _HEADERS)

    # --- for tests ---

    def names(self, kind: str) -> list[str]:
        return [one.data["name"] for (of, _id), one in self.objects.items() if of == kind]

    def named(self, kind: str, name: str, by: str = "name") -> Stored:
        (found,) = [one for (of, _id), one in self.objects.items() if of == kind and one.data[by] == name]
        return found

    def linked(self, one: Stored, link: str) -> list[str]:
        return [self._by_id(number).data.get("name") or "" for number in one.links.get(link, [])]

    def granted(self) -> set[tuple[str, str, str]]:
        """Team, role and object."""
        return {
            (self._by_id(team).data["name"], role, self.objects[kind, number].data["name"])
            for at, (kind, number, role) in self.roles.items()
            for team in self.holders.get(at, [])
        }

    def make(self, kind: str, given: dict[str, Any]) -> Stored:
        fields = FIELDS[kind]
        data = {**fields, **{name: value for name, value in given.items() if name in fields}}
        check(kind, data, self._find, self.playbooks)
        number = next(self._ids)
        url = f"/api/v2/{kind}/{number}/"
        data |= {"id": number, "type": TYPES[kind], "url": url, "related": {}, "summary_fields": {}}
        if kind in ("job_templates", "workflow_job_templates"):
            data["related"]["survey_spec"] = f"{url}survey_spec/"
        one = self.objects[kind, number] = Stored(kind, data)
        if kind in ("job_templates", "workflow_job_templates", "teams"):
            data["summary_fields"]["object_roles"] = {role: {"id": self._role(kind, number, role)} for role in _ROLES}
        if kind == "projects":
            update = self.objects["project_updates", number] = Stored("project_updates", {"status": "successful"})
            data["summary_fields"]["current_update"] = {"id": number, **update.data}
        return one

    # --- what the API does ---

    def _answer(self, asked: Asked) -> tuple[int, Any]:
        parts = urlsplit(asked.path)
        steps = parts.path.strip("/").split("/")
        if steps[:2] != ["api", "v2"] or not parts.path.endswith("/"):
            raise Refused(404, {"detail": "Not found."})
        kind, *rest = steps[2:]
        if asked.method == "GET":
            return 200, self._read(kind, rest, dict(parse_qsl(parts.query, keep_blank_values=True)), parts.path)
        body = json.loads(asked.body or b"{}")
        self.written.append(Written(asked.method, parts.path, body))
        if kind == "roles":
            return self._link(self.holders.setdefault(int(rest[0]), []), body)
        if not rest:
            return 201, self._post(kind, body)
        one = self._find(kind, rest[0])
        if rest[1:]:
            return self._below(one, rest[1], body)
        return self._change(one, asked.method, body)

    def _read(self, kind: str, rest: list[str], query: dict[str, str], path: str) -> Any:
        if kind == "roles":
            return self._page(map(self._by_id, self.holders.get(int(rest[0]), [])), query, path)
        if not rest:
            kinds = UNIFIED if kind == "unified_job_templates" else (kind,)
            if kind not in (*TYPES, "unified_job_templates"):
                raise Refused(404, {"detail": "Not found."})
            return self._page((one for (of, _id), one in self.objects.items() if of in kinds), query, path)
        one = self._find(kind, rest[0])
        if not rest[1:]:
            return one.data
        if rest[1] == "survey_spec":
            return one.survey
        self._linkable(one, rest[1])
        return self._page(map(self._by_id, one.links.get(rest[1], [])), query, path)

    def _page(self, every: Iterable[Stored], query: dict[str, str], path: str) -> dict[str, Any]:
        size, page = int(query.pop("page_size", self.page_size)), int(query.pop("page", 1))
        found = [one.data for one in every if _fits(one.data, query)]
        more = len(found) > size * page
        following = urlencode({**query, "page": page + 1, "page_size": size})
        return {
            "count": len(found),
            "next": f"{path}?{following}" if more else None,
            "previous": None,
            "results": found[size * (page - 1) : size * page],
        }

    def _post(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        if kind not in TYPES or kind == "workflow_approval_templates":
            raise Refused(405, {"detail": 'Method "POST" not allowed.'})
        by = "identifier" if kind == "workflow_job_template_nodes" else "name"
        if not body.get(by):
            raise Refused(400, {by: ["This field is required."]})
        return self.make(kind, body).data

    def _change(self, one: Stored, method: str, body: dict[str, Any]) -> tuple[int, Any]:
        if method == "DELETE":
            self._remove(one)
            return 204, {}
        if method != "PATCH":
            raise Refused(405, {"detail": f'Method "{method}" not allowed.'})
        in_use = any(
            of == "credentials" and other.data["credential_type"] == one.data["id"]
            for (of, _id), other in self.objects.items()
        )
        if one.kind == "credential_types" and in_use and body.get("inputs") != one.data["inputs"]:
            raise Refused(403, {"detail": "Modifications to inputs are not allowed for types that are in use"})
        data = {**one.data, **{name: value for name, value in body.items() if name in FIELDS[one.kind]}}
        check(one.kind, data, self._find, self.playbooks)
        one.data = data
        return 200, data

    def _remove(self, one: Stored) -> None:
        number = one.data["id"]
        del self.objects[one.kind, number]
        owners = ("workflow_job_template", "inventory") if one.kind != "job_templates" else ("unified_job_template",)
        kinds = ("workflow_job_template_nodes", "inventory_sources", "schedules")
        for (of, _id), other in list(self.objects.items()):
            if of in kinds and any(other.data.get(owner) == number for owner in owners):
                self._remove(other)
        self.roles = {at: row for at, row in self.roles.items() if row[1] != number}

    def _below(self, one: Stored, what: str, body: dict[str, Any]) -> tuple[int, Any]:
        if what == "survey_spec":
            check_survey(body)
            one.survey = body
            return 200, {}
        if what == "create_approval_template":
            approval = self.make("workflow_approval_templates", body).data
            one.data["unified_job_template"] = approval["id"]
            one.data["related"]["unified_job_template"] = approval["url"]
            return 201, approval
        self._linkable(one, what)
        if what == "credentials" and not body.get("disassociate"):
            new = self._find("credentials", body["id"]).data["credential_type"]
            if new in [self._by_id(at).data["credential_type"] for at in one.links.get(what, [])]:
                raise Refused(400, {"detail": "Cannot assign multiple credentials of one type."})
        return self._link(one.links.setdefault(what, []), body)

    @staticmethod
    def _link(row: list[int], body: dict[str, Any]) -> tuple[int, Any]:
        if body.get("disassociate"):
            row.remove(body["id"])
        elif body["id"] not in row:
            row.append(body["id"])
        return 204, {}

    @staticmethod
    def _linkable(one: Stored, what: str) -> None:
        notified = {"notification_templates_success", "notification_templates_error"}
        known = {
            "job_templates": notified | {"credentials"},
            "workflow_job_templates": notified | {"notification_templates_approvals"},
            "workflow_job_template_nodes": {"success_nodes", "failure_nodes", "always_nodes"},
        }
        if what not in known.get(one.kind, set()):
            raise Refused(404, {"detail": "Not found."})

    def _find(self, kind: str, number: Any) -> Stored:
        try:
            return self.objects[kind, int(number)]
        except (KeyError, TypeError, ValueError):
            raise Refused(404, {"detail": f"Not found: {kind} {number}"}) from None

    def _by_id(self, number: int) -> Stored:
        return next(one for (_kind, at), one in self.objects.items() if at == number and "id" in one.data)

    def _role(self, kind: str, number: int, role: str) -> int:
        at = next(self._ids)
        self.roles[at] = (kind, number, role)
        return at


def _fits(data: dict[str, Any], query: dict[str, str]) -> bool:
    either = {name.removeprefix("or__"): value for name, value in query.items() if name.startswith("or__")}
    for name in [*query, *either]:
        plain = name.removeprefix("or__").removesuffix("__in")
        # Kinds without an owner of their own are found through their project or inventory.
        if plain not in data and plain != "organization":
            raise Refused(400, {"detail": f"{data['type']} has no field named '{plain}'"})
    if either and not any(str(data.get(name)) == value for name, value in either.items()):
        return False
    return all(
        str(data.get(name.removesuffix("__in"))) in (value.split(",") if name.endswith("__in") else [value])
        for name, value in query.items()
        if not name.startswith("or__") and (name != "organization" or "organization" in data)
    )
