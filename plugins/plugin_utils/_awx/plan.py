# Copyright (c) 2026, wwhd
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be on the controller, from the variables of the role qdrant_awx and the inventory. Private. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.wwhd.qdrant_ops.plugins.module_utils._unlock.inputs import normalised, timeouts_of
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._awx.faults import faults_of, has_secret
from ansible_collections.wwhd.qdrant_ops.plugins.plugin_utils._awx.surveys import KINDS, survey

__all__ = ["make_plan"]

_TITLES = {
    "diagnose": "Says what is wrong with the service. Reads only.",
    "inspect": "Lists the locks by a cleaner that mounts the store read-only. Stops nothing.",
    "unlock": "Brings Qdrant back to verified health. Never removes a lock that somebody may still hold.",
    "prevent": "Makes the lock conflict not come back. As a check it only says what it would change.",
}
# What a run does besides the phases that have time-outs: a second verification, and putting things back.
_MARGIN = 600
# What a workflow does before somebody approves, so that they see what they approve.
_FIRST = {"unlock": ("diagnose", None), "prevent": ("prevent", "check")}


def make_plan(
    options: Mapping[str, Any],
    *,
    groups: Mapping[str, Sequence[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    there: Iterable[str] | None = None,
    installed: bool = True,
) -> dict[str, Any]:
    """`options` are the role's variables without their prefix; `there` are the keys of the objects that exist.

    Without `there` nothing is taken for missing. It is what check mode needs: awx.awx's modules look up by name what an
    object refers to, and fail where this run has not made it. `installed` says whether there are such modules at all.
    """
    environments = [str(name) for name in options["environments"]]
    guarded = [name for name in environments if name in options["protected"] or _is_protected(name, groups, hostvars)]
    seconds = max((_seconds(name, groups, hostvars, int(options["forks"])) for name in environments), default=0)
    sets = {
        False: [name for name in environments if name not in guarded],
        True: guarded,
    }
    templates = [_template(options, kind, sets[is_protected], protected=is_protected)
                 for is_protected in (False, True) for kind in KINDS]  # fmt: skip
    workflows = [_workflow(options, kind, guarded) for kind in _FIRST]
    schedules = [_schedule(options, name, protected=name in guarded) for name in environments]
    plan: dict[str, Any] = {
        "faults": faults_of(options, environments=environments, groups=groups, seconds=seconds, installed=installed),
        "protected": guarded,
        "seconds": seconds,
        "names": _names(options),
        "templates": templates,
        "workflows": workflows,
        "schedules": schedules if "diagnose" in options["playbooks"] and options["schedule"] else [],
        "grants": _grants(options, templates, workflows),
        # AWX hides its secret, so that awx.awx would report a change each time.
        "notification_state": (
            "exists" if has_secret(options["notification"]) and not options["update_secrets"] else "present"
        ),
    }
    objects = list(_objects(options, plan))
    known = {row["key"] for row in objects} if there is None else set(there)
    return {
        **plan,
        "objects": objects,
        "missing": [row["key"] for row in objects if row["key"] not in known],
        "beyond": [row["key"] for row in objects if not known.issuperset([row["key"], *row["needs"]])],
    }


def _is_protected(
    name: str, groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Mapping[str, Any]]
) -> bool:  # fmt: skip
    values = (hostvars[host].get("qdrant_unlock_protected", False) for host in groups.get(name, ()))
    return any(boolean(value, strict=False) for value in values)


def _seconds(
    name: str, groups: Mapping[str, Sequence[str]], hostvars: Mapping[str, Mapping[str, Any]], forks: int
) -> int:
    """How long an unlock of all services of an environment may take, by their time-outs."""
    hosts = groups.get(name, ())
    longest = 0
    for host in hosts:
        given = {
            option: hostvars[host].get(f"qdrant_unlock_{option}", default)
            for option, default in (("timeouts", {}), ("held_timeout", 180))
        }
        values = normalised(given)
        timeouts = timeouts_of(values)
        longest = max(longest, math.ceil(sum(timeouts.values()) + 2 * timeouts["verify"] + values["held_timeout"]))
    return math.ceil(len(hosts) / max(forks, 1)) * (longest + _MARGIN)


def _names(options: Mapping[str, Any]) -> dict[str, str]:
    prefix = str(options["prefix"])
    return {
        "project": f"{prefix} operations",
        "inventory": f"{prefix} environments",
        "source": f"{prefix} environments from the project",
        "aws": f"{prefix} AWS role",
        "key": f"{prefix} API key",
        "notification": f"{prefix} notification",
    }


def template_name(options: Mapping[str, Any], kind: str, *, protected: bool) -> str:
    return f"{options['prefix']}{' protected' if protected else ''}: {kind}"


def _wanted(options: Mapping[str, Any], kind: str, environments: Sequence[str]) -> str:
    """A survey without an environment to choose would be a template that nobody can start."""
    wanted = options["state"] == "present" and kind in options["playbooks"] and environments
    return "present" if wanted else "absent"


def _template(
    options: Mapping[str, Any], kind: str, environments: Sequence[str], *, protected: bool
) -> dict[str, Any]:  # fmt: skip
    variables: dict[str, Any] = {}
    if protected:
        # Whatever the inventory says: who took it for protected here must be able to rely on it.
        variables["qdrant_unlock_protected"] = True
    if options["report_dir"]:
        variables["qdrant_unlock_report_dir"] = options["report_dir"]
    changes = kind in ("unlock", "prevent")
    told = bool(options["notification"])
    return {
        "name": template_name(options, kind, protected=protected),
        "kind": kind,
        "protected": protected,
        "changes": changes,
        "state": _wanted(options, kind, environments),
        "description": _TITLES[kind],
        "playbook": f"{str(options['playbook_dir']).strip('/')}/{kind}.yml".lstrip("/"),
        # prevent is looked at first; whoever starts it may choose to run it.
        "job_type": "check" if kind == "prevent" else "run",
        "diff": kind == "prevent",
        "simultaneous": kind == "diagnose",
        "variables": variables,
        "credentials": list(options["protected_credentials"] if protected else options["credentials"]),
        "survey": survey(kind, environments, protected=protected),
        "notify_success": changes and told,
        "notify_error": told,
    }


def _workflow(options: Mapping[str, Any], kind: str, environments: Sequence[str]) -> dict[str, Any]:
    first, job_type = _FIRST[kind]
    wanted = all(_wanted(options, needed, environments) == "present" for needed in (first, kind))
    return {
        "name": f"{template_name(options, kind, protected=True)} with approval",
        "kind": kind,
        "state": "present" if wanted else "absent",
        "description": f"{_TITLES[kind]} After a look, and the approval of somebody else.",
        "survey": survey(kind, environments, protected=True),
        "nodes": {part: f"{options['prefix']} {kind} {part}" for part in ("first", "approve", "last")},
        "first": template_name(options, first, protected=True),
        "first_type": job_type,
        "last": template_name(options, kind, protected=True),
        "approval": {
            "name": f"Approve: {kind}",
            "description": f"Look at the job before this one, then approve or deny the {kind}.",
            "timeout": int(options["approval_timeout"]),
        },
    }


def _schedule(options: Mapping[str, Any], name: str, *, protected: bool) -> dict[str, Any]:
    template = template_name(options, "diagnose", protected=protected)
    return {"name": f"{options['prefix']}: diagnose {name}", "template": template, "environment": name}


def _grants(
    options: Mapping[str, Any], templates: Sequence[Mapping[str, Any]], workflows: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What changes a protected environment is started through its workflow only: nobody is granted that template."""
    present = [row for row in templates if row["state"] == "present"]
    names = [row["name"] for row in present if not (row["protected"] and row["changes"])]
    flows = [row["name"] for row in workflows if row["state"] == "present"]
    operators, approvers = list(options["operator_teams"]), list(options["approver_teams"])
    rows = [
        {"role": "execute", "teams": operators, "templates": names, "workflows": flows},
        {"role": "approval", "teams": approvers, "templates": [], "workflows": flows},
        # Somebody who is to approve must be able to read what the first job said.
        {"role": "read", "teams": approvers, "templates": names, "workflows": flows},
    ]
    return [row for row in rows if row["teams"] and (row["templates"] or row["workflows"])]


def _objects(options: Mapping[str, Any], plan: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """All that will be there, each with what must be there before; in the order in which they are made."""
    names = plan["names"]
    organization = f"organizations/{options['organization']}"
    environment = options["execution_environment"]
    image = [f"execution_environments/{environment}"] if options["execution_environment_image"] else []
    told = [f"notification_templates/{names['notification']}"] if options["notification"] else []
    made = [f"credentials/{row['name']}" for row in options["new_credentials"]]

    def row(kind: str, name: str, *needs: str) -> dict[str, Any]:
        by = "identifier" if kind == "workflow_job_template_nodes" else "name"
        return {"key": f"{kind}/{name}", "kind": kind, "name": name, "by": by, "needs": list(needs)}

    yield row("organizations", str(options["organization"]))
    yield row("credential_types", names["aws"])
    yield row("credential_types", names["key"])
    if image:
        yield row("execution_environments", str(environment), organization)
    for new in options["new_credentials"]:
        yield row("credentials", str(new["name"]), organization, f"credential_types/{names.get(str(new['kind']))}")
    if told:
        yield row("notification_templates", names["notification"], organization)
    yield row("projects", names["project"], organization, *image)
    yield row("inventories", names["inventory"], organization)
    project, inventory = f"projects/{names['project']}", f"inventories/{names['inventory']}"
    yield row("inventory_sources", names["source"], organization, project, inventory, *image)
    for template in plan["templates"]:
        if template["state"] == "present":
            used = [key for key in made if key.split("/", 1)[1] in template["credentials"]]
            yield row("job_templates", template["name"], organization, project, inventory, *image, *told, *used)
    for flow in plan["workflows"]:
        if flow["state"] == "present":
            whole = f"workflow_job_templates/{flow['name']}"
            yield row("workflow_job_templates", flow["name"], organization, *told)
            # From the last to the first: a node can only name those that are there.
            after: list[str] = []
            for part in ("last", "approve", "first"):
                uses = [f"job_templates/{flow[part]}"] if part != "approve" else []
                yield row("workflow_job_template_nodes", flow["nodes"][part], organization, whole, *uses, *after)
                after = [f"workflow_job_template_nodes/{flow['nodes'][part]}"]
    for schedule in plan["schedules"]:
        yield row("schedules", schedule["name"], organization, f"job_templates/{schedule['template']}")
